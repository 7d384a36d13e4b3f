//! Table. The settings of the Go Kafka Client of 2014 and of its tools, and what to write today.
//!
//! Times carry Go's units. Its samples spelled keys with dots or with underscores; both are read.

use super::row::{Clients, Does, Row, Set};
use super::value;

/// Sets what `now` sets today.
const fn sets(key: &'static str, of: Clients, now: &'static str, set: Set) -> Row {
    Row { key, of, does: Does::Sets { set, ours: "", why: now } }
}

const fn noted(key: &'static str, why: &'static str) -> Row {
    Row { key, of: Clients::ALL, does: Does::Noted(why) }
}

const BUDGET: &str = "today one byte budget bounds what is fetched ahead: .budget_bytes(n)";
const GROUPS: &str = "brokers coordinate groups today; there is nothing to set";
const DEAD: &str = "the Go client never read it; leave it out";
const ZOOKEEPER: &str = "clients speak to brokers today: write bootstrap.servers";
const OWN: &str = "a setting of the old sample programs; read it with Properties::get";
const WHOLE: &str = "batches come as brokers stored them; there is nothing to set";
const COMMITS: &str = "commits are tried again for as long as it takes; there is nothing to set";
const FAILURES: &str = "decide in code: .on_failure(..) is asked when a record's last try failed";

/// In the order of the keys.
pub(super) const ROWS: &[Row] = &[
    noted("barrier.timeout", GROUPS),
    noted(
        "blue.green.deployment.enabled",
        "blue and green versions cannot change places yet; leave it out",
    ),
    sets("broker.connect", Clients::ALL, "bootstrap.servers", |draft, text| {
        draft.client.bootstrap_servers = value::addresses(text)?;
        Ok(None)
    }),
    noted("client.id.pattern", OWN),
    noted("consumer.id", "members have no names of their own; client.id names this client"),
    noted("consumer.id.pattern", OWN),
    noted("deployment.timeout", GROUPS),
    noted("fetch.batch.size", WHOLE),
    noted("fetch.batch.timeout", WHOLE),
    noted("fetch.max.retries", DEAD),
    noted("fetch.message.max.bytes", BUDGET),
    noted("fetch.request.backoff", DEAD),
    noted("fetch.topic.metadata.backoff", DEAD),
    noted("fetch.topic.metadata.retries", DEAD),
    sets("fetch.wait.max.ms", Clients::CONSUMER, "fetch.max.wait.ms", |draft, text| {
        draft.consumer.fetch_max_wait = value::millis(text)?;
        Ok(None)
    }),
    noted("flush.interval", OWN),
    noted("graphite.connect", OWN),
    noted("log.level", "RUST_LOG says what is logged, when your program listens to it"),
    sets("max.worker.retries", Clients::CONSUMER, ".retries(n) in code", |draft, text| {
        draft.work.retries = Some(value::count(text)?);
        Ok(None)
    }),
    sets("metadata.broker.list", Clients::ALL, "bootstrap.servers", |draft, text| {
        draft.client.bootstrap_servers = value::addresses(text)?;
        Ok(None)
    }),
    noted(
        "num.consumer.fetchers",
        "one connection per broker fetches for all its partitions; there is nothing to set",
    ),
    noted("num.consumers", OWN),
    noted("num.partitions", OWN),
    sets(
        "num.workers",
        Clients::CONSUMER,
        ".concurrency(n) in code; it counts over all partitions, no longer for each",
        |draft, text| {
            draft.work.concurrency = Some(value::count(text)?);
            Ok(None)
        },
    ),
    sets("offset.commit.interval", Clients::CONSUMER, "auto.commit.interval.ms", |draft, text| {
        draft.consumer.auto_commit_interval = value::go_duration(text)?;
        Ok(None)
    }),
    noted("offset.commit.max.retries", COMMITS),
    noted("offsets.commit.max.retries", COMMITS),
    noted("offsets.storage", "offsets are stored in Kafka; the Go client never read this either"),
    noted("queued.max.message.chunks", BUDGET),
    noted("queued.max.messages", BUDGET),
    noted("rebalance.backoff", GROUPS),
    noted("rebalance.max.retries", GROUPS),
    noted("refresh.leader.backoff", "the Go client never read it; today retry.backoff.ms"),
    noted("requeue.ask.next.backoff", WHOLE),
    noted("routine.pool.size", GROUPS),
    noted("sleep.time", OWN),
    sets("socket.timeout", Clients::ALL, "request.timeout.ms", |draft, text| {
        draft.client.request_timeout = value::go_duration(text)?;
        Ok(None)
    }),
    noted("topic", OWN),
    sets("worker.backoff", Clients::CONSUMER, ".retry_backoff(time) in code", |draft, text| {
        draft.work.retry_backoff = Some(value::go_duration(text)?);
        Ok(None)
    }),
    sets(
        "worker.managers.stop.timeout",
        Clients::CONSUMER,
        ".drain_timeout(time) in code",
        |draft, text| {
            draft.consumer.drain_timeout = value::go_duration(text)?;
            Ok(None)
        },
    ),
    noted("worker.retry.threshold", FAILURES),
    noted("worker.task.timeout", "handlers have no time limit of ours; set one inside the handler"),
    noted("worker.threshold.time.window", FAILURES),
    noted("zookeeper.connect", ZOOKEEPER),
    noted("zookeeper.connection.session.timeout", ZOOKEEPER),
    noted("zookeeper.connection.timeout", ZOOKEEPER),
    noted("zookeeper.connection.timeout.ms", ZOOKEEPER),
    noted("zookeeper.kafka.root", ZOOKEEPER),
    noted("zookeeper.max.request.retries", ZOOKEEPER),
    noted("zookeeper.request.backoff", ZOOKEEPER),
    noted("zookeeper.timeout", ZOOKEEPER),
];
