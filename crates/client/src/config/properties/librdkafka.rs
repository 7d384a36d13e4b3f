//! Table. Settings that only librdkafka has, and what to write here. A file that has them is not a
//! JVM client's, so they are errors that say what to do.

/// Key and what stands for it here, in the order of the keys.
pub(super) const ROWS: &[(&str, &str)] = &[
    ("api.version.request", "leave it out: versions are always negotiated"),
    ("batch.num.messages", "write batch.size, in bytes"),
    ("broker.address.family", "leave it out: all addresses of a name are tried"),
    ("broker.address.ttl", "leave it out: names are resolved with each attempt to connect"),
    ("broker.version.fallback", "leave it out: versions are always negotiated"),
    ("compression.codec", "write compression.type"),
    ("coordinator.query.interval.ms", "leave it out: coordinators are found when they move"),
    ("debug", "write RUST_LOG=forebay=debug into the environment"),
    ("delivery.report.only.error", "leave it out: receipts that nobody looks at cost nothing"),
    ("enable.auto.offset.store", "leave it out: done is what the handler returned Ok for"),
    ("enable.gapless.guarantee", "leave it out: a partition's records are stored in order"),
    ("enable.partition.eof", "leave it out: Admin::list_offsets tells where partitions end"),
    ("fetch.error.backoff.ms", "write retry.backoff.ms"),
    ("fetch.queue.backoff.ms", "leave it out: fetching goes on as soon as there is room"),
    ("max.in.flight", "write max.in.flight.requests.per.connection"),
    ("message.max.bytes", "write max.request.size"),
    ("message.send.max.retries", "write delivery.timeout.ms, which bounds retries by time"),
    ("message.timeout.ms", "write delivery.timeout.ms"),
    ("offset.store.method", "leave it out: offsets are stored in Kafka"),
    ("partitioner", "leave it out: keys go where Java's client sends them (murmur2)"),
    ("queue.buffering.max.kbytes", "write buffer.memory, in bytes"),
    ("queue.buffering.max.messages", "write buffer.memory, in bytes"),
    ("queue.buffering.max.ms", "write linger.ms"),
    ("queued.max.messages.kbytes", "call .budget_bytes(n): one budget for all that is fetched"),
    ("queued.min.messages", "call .budget_bytes(n): one budget for all that is fetched"),
    ("request.required.acks", "write acks"),
    ("socket.keepalive.enable", "leave it out: it is always on"),
    ("socket.nagle.disable", "leave it out: it is always so"),
    ("socket.timeout.ms", "write request.timeout.ms"),
    ("statistics.interval.ms", "leave it out: ask handle.stats() when you like"),
    ("sticky.partitioning.linger.ms", "write linger.ms"),
    ("topic.metadata.refresh.interval.ms", "write metadata.max.age.ms"),
];

/// What stands here for a key that only librdkafka has.
pub(super) fn instead(key: &str) -> Option<&'static str> {
    ROWS.iter().find(|(known, _)| *known == key).map(|(_, instead)| *instead)
}
