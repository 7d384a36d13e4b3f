//! How does a story get our own broker? In this process, on loopback, as the newest Kafka.

use super::Absence;

/// Holds what 50 partitions of large records need, and not much more.
const MEMORY_BYTES: usize = 1 << 30;

pub(crate) async fn start(nodes: u16) -> Result<forebay_broker::Broker, Absence> {
    let broker = forebay_broker::Broker::builder().nodes(nodes).memory(MEMORY_BYTES).start().await;
    broker.map_err(|source| Absence::Start { reason: source.to_string() })
}
