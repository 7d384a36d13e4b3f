//! How does a story get our own broker? In this process, on loopback, as the newest Kafka.

use std::time::Duration;

use super::Absence;

/// Holds what 50 partitions of large records need, and not much more.
const MEMORY_BYTES: usize = 1 << 30;

pub(crate) async fn start(nodes: u16) -> Result<forebay_broker::Broker, Absence> {
    let (session, interval) = (Duration::from_secs(6), Duration::from_millis(500));
    let options = forebay_broker::Options::default()
        .nodes(nodes)
        .memory(MEMORY_BYTES)
        .consumer_groups(session, interval);
    let broker = forebay_broker::Broker::builder().options(options).start().await;
    broker.map_err(|source| Absence::Start { reason: source.to_string() })
}
