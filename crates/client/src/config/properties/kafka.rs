//! Table. Every setting of Kafka's clients, from 0.11 to 4.4, and what becomes of it here.

use super::draft::Draft;
use super::row::{Clients, Does, Row, Set};
use super::value::{self, Expected};
use crate::config::{Acks, Compression, GroupProtocol, IsolationLevel, OffsetReset};

const fn sets(key: &'static str, of: Clients, ours: &'static str, set: Set) -> Row {
    Row { key, of, does: Does::Sets { set, ours, why: "" } }
}

/// Whose default is not Kafka's, and why.
const fn differs(row: Row, why: &'static str) -> Row {
    match row.does {
        Does::Sets { set, ours, .. } => Row { does: Does::Sets { set, ours, why }, ..row },
        Does::Noted(_) | Does::Refused(_) => row,
    }
}

const fn noted(key: &'static str, of: Clients, why: &'static str) -> Row {
    Row { key, of, does: Does::Noted(why) }
}

const fn refused(key: &'static str, of: Clients, why: &'static str) -> Row {
    Row { key, of, does: Does::Refused(why) }
}

const fn secured(key: &'static str) -> Row {
    refused(key, Clients::ALL, NOT_SECURE)
}

/// What nobody must overlook.
const NOT_SECURE: &str = "TLS and SASL are not built yet, so connections would not be secured; \
                          leave it out only where plaintext will do";
const METRICS: &str = "there are no sampled metrics here";
const KEYLESS: &str = "keyless records go to one partition for a batch, then to another";
const LEVEL: &str = "each codec has one level here";
const READER: &str = "names a Java class; records are bytes here, and what reads them is yours";
const WRITER: &str = "names a Java class; records are bytes here, and what writes them is yours";

/// Keys that go on as users like.
pub(super) const FAMILIES: &[Row] = &[
    refused("config.providers.", Clients::ALL, "values that stand elsewhere cannot be fetched"),
    // librdkafka's names for certificates and passwords, among others.
    secured("sasl."),
    secured("ssl."),
    noted("metrics.context.", Clients::ALL, METRICS),
];

/// In the order of the keys.
pub(super) const ROWS: &[Row] = &[
    sets("acks", Clients::PRODUCER, "all", acks),
    noted(
        "allow.auto.create.topics",
        Clients::CONSUMER,
        "a topic that does not exist is an error here, whatever this says",
    ),
    differs(
        sets("auto.commit.interval.ms", Clients::CONSUMER, "500", |draft, text| {
            draft.consumer.auto_commit_interval = value::millis(text)?;
            Ok(None)
        }),
        "commits carry only finished work, so more of them cost little and a crash repeats less",
    ),
    noted(
        "auto.include.jmx.reporter",
        Clients::ALL,
        "there is no JMX here; Kafka 4 has no such setting either",
    ),
    differs(
        sets("auto.offset.reset", Clients::CONSUMER, "none", auto_offset_reset),
        "jumping to another place loses or repeats records; that is a decision, so it must be made",
    ),
    differs(
        sets("batch.size", Clients::PRODUCER, "131072", |draft, text| {
            draft.producer.batch_size = value::count(text)?;
            Ok(None)
        }),
        "larger batches cost everybody less; a batch never waits longer than linger.ms for them",
    ),
    refused(
        "bootstrap.controllers",
        Clients::ADMIN,
        "controllers cannot be asked directly; name brokers by bootstrap.servers",
    ),
    noted(
        "bootstrap.resolve.timeout.ms",
        Clients::ALL,
        "names are resolved with each attempt to connect, within socket.connection.setup.timeout.ms",
    ),
    sets("bootstrap.servers", Clients::ALL, "", |draft, text| {
        draft.client.bootstrap_servers = value::addresses(text)?;
        Ok(None)
    }),
    sets("buffer.memory", Clients::PRODUCER, "33554432", |draft, text| {
        draft.producer.buffer_memory = value::count(text)?;
        Ok(None)
    }),
    noted(
        "buffer.memory.allocation.strategy",
        Clients::PRODUCER,
        "memory is taken as records come",
    ),
    noted(
        "check.crcs",
        Clients::CONSUMER,
        "checksums are always checked; it costs about a nanosecond per record",
    ),
    noted("client.dns.lookup", Clients::ALL, "the addresses of a name are tried one after another"),
    differs(
        sets("client.id", Clients::ALL, "forebay", |draft, text| {
            draft.client.client_id = text.into();
            Ok(None)
        }),
        "brokers show it in logs and quotas: a name says more than none",
    ),
    sets("client.rack", Clients::WRITE_READ, "", client_rack),
    noted("compression.gzip.level", Clients::PRODUCER, LEVEL),
    noted("compression.lz4.level", Clients::PRODUCER, LEVEL),
    sets("compression.type", Clients::PRODUCER, "none", compression_type),
    noted("compression.zstd.level", Clients::PRODUCER, LEVEL),
    refused(
        "config.providers",
        Clients::ALL,
        "values that stand elsewhere cannot be fetched; write them into the file or set them in code",
    ),
    differs(
        sets("connections.max.idle.ms", Clients::ALL, "180000", |draft, text| {
            draft.client.connections_max_idle = value::millis(text)?;
            Ok(None)
        }),
        "common load balancers drop a quiet connection after 4 to 6 minutes without a word",
    ),
    sets("default.api.timeout.ms", Clients::NOT_WRITE, "60000", |draft, text| {
        draft.client.api_timeout = value::millis(text)?;
        Ok(None)
    }),
    sets("delivery.timeout.ms", Clients::PRODUCER, "120000", |draft, text| {
        draft.producer.delivery_timeout = value::millis(text)?;
        Ok(None)
    }),
    noted(
        "enable.auto.commit",
        Clients::CONSUMER,
        "commits carry only finished work; to commit nothing, leave group.id out",
    ),
    sets("enable.idempotence", Clients::PRODUCER, "true", |draft, text| {
        draft.producer.idempotence = value::truth(text)?;
        Ok(None)
    }),
    noted("enable.metrics.push", Clients::ALL, "no metrics are pushed to brokers"),
    noted(
        "exclude.internal.topics",
        Clients::CONSUMER,
        "patterns never match Kafka's own topics; name such a topic to read it",
    ),
    noted(
        "fetch.max.bytes",
        Clients::CONSUMER,
        "the byte budget of the process decides how much is asked for",
    ),
    sets("fetch.max.wait.ms", Clients::CONSUMER, "500", |draft, text| {
        draft.consumer.fetch_max_wait = value::millis(text)?;
        Ok(None)
    }),
    sets("fetch.min.bytes", Clients::CONSUMER, "1", |draft, text| {
        draft.consumer.fetch_min_bytes = value::count(text)?;
        Ok(None)
    }),
    sets("group.id", Clients::CONSUMER, "", group_id),
    sets("group.instance.id", Clients::CONSUMER, "", group_instance_id),
    differs(
        sets("group.protocol", Clients::CONSUMER, "auto", group_protocol),
        "brokers from 4.0 on make the plan and stop nobody for it; older ones leave it to members",
    ),
    sets("group.remote.assignor", Clients::CONSUMER, "", |draft, text| {
        draft.consumer.group_remote_assignor = Some(text.into());
        Ok(None)
    }),
    sets("heartbeat.interval.ms", Clients::CONSUMER, "3000", |draft, text| {
        draft.consumer.heartbeat_interval = value::millis(text)?;
        Ok(None)
    }),
    noted("interceptor.classes", Clients::WRITE_READ, "names Java classes, which do not run here"),
    noted("internal.auto.downgrade.txn.commit", Clients::PRODUCER, "for Kafka's own use"),
    noted("internal.leave.group.on.close", Clients::CONSUMER, "for Kafka's own use"),
    noted(
        "internal.throw.on.fetch.stable.offset.unsupported",
        Clients::CONSUMER,
        "for Kafka's own tests",
    ),
    differs(
        sets("isolation.level", Clients::CONSUMER, "read_committed", isolation_level),
        "records of aborted transactions were taken back by their writer",
    ),
    noted("key.deserializer", Clients::CONSUMER, READER),
    noted("key.serializer", Clients::PRODUCER, WRITER),
    sets("linger.ms", Clients::PRODUCER, "5", |draft, text| {
        draft.producer.linger = value::millis(text)?;
        Ok(None)
    }),
    noted("max.block.ms", Clients::PRODUCER, "send is a future: give it a deadline of your own"),
    sets("max.in.flight.requests.per.connection", Clients::PRODUCER, "5", |draft, text| {
        draft.producer.max_in_flight = value::count(text)?;
        Ok(None)
    }),
    noted(
        "max.partition.fetch.bytes",
        Clients::CONSUMER,
        "the byte budget of the process decides how much is asked for",
    ),
    sets("max.poll.interval.ms", Clients::CONSUMER, "300000", max_poll_interval),
    noted("max.poll.records", Clients::CONSUMER, "there is no poll; memory is bounded by bytes"),
    sets("max.request.size", Clients::PRODUCER, "1048576", |draft, text| {
        draft.producer.max_request_size = value::count(text)?;
        Ok(None)
    }),
    noted(
        "metadata.cluster.check.enable",
        Clients::ALL,
        "the cluster of an answer is not compared",
    ),
    sets("metadata.max.age.ms", Clients::ALL, "300000", |draft, text| {
        draft.client.metadata_max_age = value::millis(text)?;
        Ok(None)
    }),
    noted("metadata.max.idle.ms", Clients::PRODUCER, "topics that were written to stay known"),
    sets("metadata.recovery.rebootstrap.trigger.ms", Clients::ALL, "300000", |draft, text| {
        draft.client.rebootstrap_after = value::millis(text)?;
        Ok(None)
    }),
    noted(
        "metadata.recovery.strategy",
        Clients::ALL,
        "the bootstrap servers are always asked again when no broker answers",
    ),
    noted("metric.reporters", Clients::ALL, "names Java classes, which do not run here"),
    noted("metrics.num.samples", Clients::ALL, METRICS),
    noted("metrics.recording.level", Clients::ALL, METRICS),
    noted("metrics.sample.window.ms", Clients::ALL, METRICS),
    sets("partition.assignment.strategy", Clients::CONSUMER, "", assignors),
    noted("partitioner.adaptive.partitioning.enable", Clients::PRODUCER, KEYLESS),
    noted("partitioner.availability.timeout.ms", Clients::PRODUCER, KEYLESS),
    refused(
        "partitioner.class",
        Clients::PRODUCER,
        "names a Java class that decides where records go; leave it out, or give each record its partition",
    ),
    refused(
        "partitioner.ignore.keys",
        Clients::PRODUCER,
        "a key decides the partition here; send records without key, or give each its partition",
    ),
    noted("partitioner.rack.aware", Clients::PRODUCER, KEYLESS),
    noted("receive.buffer.bytes", Clients::ALL, "the system sizes sockets' buffers"),
    sets("reconnect.backoff.max.ms", Clients::ALL, "1000", |draft, text| {
        draft.client.reconnect_backoff_max = value::millis(text)?;
        Ok(None)
    }),
    sets("reconnect.backoff.ms", Clients::ALL, "50", |draft, text| {
        draft.client.reconnect_backoff = value::millis(text)?;
        Ok(None)
    }),
    sets("request.timeout.ms", Clients::ALL, "30000", |draft, text| {
        draft.client.request_timeout = value::millis(text)?;
        Ok(None)
    }),
    noted(
        "retries",
        Clients::NOT_READ,
        "delivery.timeout.ms and default.api.timeout.ms bound retries by time",
    ),
    sets("retry.backoff.max.ms", Clients::ALL, "1000", |draft, text| {
        draft.client.retry_backoff_max = value::millis(text)?;
        Ok(None)
    }),
    sets("retry.backoff.ms", Clients::ALL, "100", |draft, text| {
        draft.client.retry_backoff = value::millis(text)?;
        Ok(None)
    }),
    secured("sasl.client.callback.handler.class"),
    secured("sasl.jaas.config"),
    secured("sasl.kerberos.kinit.cmd"),
    secured("sasl.kerberos.min.time.before.relogin"),
    secured("sasl.kerberos.service.name"),
    secured("sasl.kerberos.ticket.renew.jitter"),
    secured("sasl.kerberos.ticket.renew.window.factor"),
    secured("sasl.login.callback.handler.class"),
    secured("sasl.login.class"),
    secured("sasl.login.connect.timeout.ms"),
    secured("sasl.login.read.timeout.ms"),
    secured("sasl.login.refresh.buffer.seconds"),
    secured("sasl.login.refresh.min.period.seconds"),
    secured("sasl.login.refresh.window.factor"),
    secured("sasl.login.refresh.window.jitter"),
    secured("sasl.login.retry.backoff.max.ms"),
    secured("sasl.login.retry.backoff.ms"),
    secured("sasl.mechanism"),
    secured("sasl.oauthbearer.allow.unverified.audience"),
    secured("sasl.oauthbearer.allow.unverified.issuer"),
    secured("sasl.oauthbearer.assertion.algorithm"),
    secured("sasl.oauthbearer.assertion.claim.aud"),
    secured("sasl.oauthbearer.assertion.claim.exp.seconds"),
    secured("sasl.oauthbearer.assertion.claim.iss"),
    secured("sasl.oauthbearer.assertion.claim.jti.include"),
    secured("sasl.oauthbearer.assertion.claim.nbf.seconds"),
    secured("sasl.oauthbearer.assertion.claim.sub"),
    secured("sasl.oauthbearer.assertion.file"),
    secured("sasl.oauthbearer.assertion.private.key.file"),
    secured("sasl.oauthbearer.assertion.private.key.passphrase"),
    secured("sasl.oauthbearer.assertion.template.file"),
    secured("sasl.oauthbearer.client.credentials.client.id"),
    secured("sasl.oauthbearer.client.credentials.client.secret"),
    secured("sasl.oauthbearer.clock.skew.seconds"),
    secured("sasl.oauthbearer.expected.audience"),
    secured("sasl.oauthbearer.expected.issuer"),
    secured("sasl.oauthbearer.header.urlencode"),
    secured("sasl.oauthbearer.jwks.endpoint.refresh.ms"),
    secured("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"),
    secured("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms"),
    secured("sasl.oauthbearer.jwks.endpoint.url"),
    secured("sasl.oauthbearer.jwt.retriever.class"),
    secured("sasl.oauthbearer.jwt.validator.class"),
    secured("sasl.oauthbearer.scope"),
    secured("sasl.oauthbearer.scope.claim.name"),
    secured("sasl.oauthbearer.sub.claim.name"),
    secured("sasl.oauthbearer.token.endpoint.url"),
    sets("security.protocol", Clients::ALL, "PLAINTEXT", security_protocol),
    secured("security.providers"),
    noted("send.buffer.bytes", Clients::ALL, "the system sizes sockets' buffers"),
    sets("session.timeout.ms", Clients::CONSUMER, "45000", |draft, text| {
        draft.consumer.session_timeout = value::millis(text)?;
        Ok(None)
    }),
    noted("share.acknowledgement.mode", Clients::CONSUMER, "for members of share groups"),
    noted("share.acquire.mode", Clients::CONSUMER, "for members of share groups"),
    noted(
        "socket.connection.setup.timeout.max.ms",
        Clients::ALL,
        "the time to connect does not grow; attempts are spread by reconnect.backoff.max.ms",
    ),
    sets("socket.connection.setup.timeout.ms", Clients::ALL, "10000", |draft, text| {
        draft.client.connection_setup_timeout = value::millis(text)?;
        Ok(None)
    }),
    secured("ssl.cipher.suites"),
    secured("ssl.enabled.protocols"),
    secured("ssl.endpoint.identification.algorithm"),
    secured("ssl.engine.factory.class"),
    secured("ssl.key.password"),
    secured("ssl.keymanager.algorithm"),
    secured("ssl.keystore.certificate.chain"),
    secured("ssl.keystore.key"),
    secured("ssl.keystore.location"),
    secured("ssl.keystore.password"),
    secured("ssl.keystore.type"),
    secured("ssl.protocol"),
    secured("ssl.provider"),
    secured("ssl.secure.random.implementation"),
    secured("ssl.trustmanager.algorithm"),
    secured("ssl.truststore.certificates"),
    secured("ssl.truststore.location"),
    secured("ssl.truststore.password"),
    secured("ssl.truststore.type"),
    noted("transaction.timeout.ms", Clients::PRODUCER, "for transactions, which are not built"),
    refused("transaction.two.phase.commit.enable", Clients::PRODUCER, "transactions are not built"),
    refused(
        "transactional.id",
        Clients::PRODUCER,
        "transactions are not built, and without them records would become visible at once",
    ),
    noted("value.deserializer", Clients::CONSUMER, READER),
    noted("value.serializer", Clients::PRODUCER, WRITER),
];

fn group_id(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    if text.is_empty() {
        return Err("a name, or no such line at all");
    }
    draft.consumer.group_id = Some(text.into());
    Ok(None)
}

fn group_instance_id(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.consumer.group_instance_id = Some(text.into());
    Ok(None)
}

fn client_rack(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.consumer.client_rack = Some(text.into());
    Ok(None)
}

fn max_poll_interval(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.consumer.rebalance_timeout = value::millis(text)?;
    Ok(Some("bounds how long the group waits while partitions move; there is no poll"))
}

fn group_protocol(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.consumer.group_protocol =
        text.parse::<GroupProtocol>().map_err(|wrong| wrong.expected)?;
    Ok(None)
}

/// Kafka's assignors: the ends of their classes' names, and ours.
fn assignors(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    let mut said = None;
    let found: Result<Vec<_>, _> = text
        .split(',')
        .map(|name| {
            let name = name.trim();
            let class = name.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(name);
            if !name.ends_with("Assignor") {
                said = Some("a name of old; write Kafka's class or call .assignors(..)");
            }
            match class {
                "RangeAssignor" | "range" => Ok("range"),
                "RoundRobinAssignor" | "roundrobin" => Ok("roundrobin"),
                "StickyAssignor" | "sticky" => Ok("sticky"),
                "CooperativeStickyAssignor" | "cooperative-sticky" => Ok("cooperative-sticky"),
                _ => Err("Kafka's own assignors; give your own with .assignors(..)"),
            }
        })
        .collect();
    draft.work.assignors = found?;
    Ok(said)
}

fn auto_offset_reset(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    let (text, said) = match text {
        "smallest" => ("earliest", Some("an old value; write earliest")),
        "largest" => ("latest", Some("an old value; write latest")),
        other => (other, None),
    };
    draft.consumer.auto_offset_reset =
        text.parse::<OffsetReset>().map_err(|wrong| wrong.expected)?;
    Ok(said)
}

fn isolation_level(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.consumer.isolation_level = match text {
        "read_committed" => IsolationLevel::ReadCommitted,
        "read_uncommitted" => IsolationLevel::ReadUncommitted,
        _ => return Err("read_committed or read_uncommitted"),
    };
    Ok(None)
}

fn acks(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.producer.acks = match text {
        "all" | "-1" => Acks::All,
        "1" => Acks::Leader,
        _ => return Err("all, -1 or 1; records that nobody acknowledges are not sent here"),
    };
    Ok(None)
}

fn compression_type(draft: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    draft.producer.compression = match text {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => return Err("none, gzip, snappy, lz4 or zstd"),
    };
    Ok(None)
}

fn security_protocol(_: &mut Draft, text: &str) -> Result<Option<&'static str>, Expected> {
    if text.eq_ignore_ascii_case("PLAINTEXT") {
        return Ok(None);
    }
    Err("PLAINTEXT: TLS and SASL are not built yet, and connections would not be secured")
}
