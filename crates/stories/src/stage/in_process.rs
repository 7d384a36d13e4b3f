//! How does a story get our own broker? In this process, on loopback, as the newest Kafka.

use std::time::Duration;

use super::Absence;

/// Holds what 50 partitions of large records need, and not much more.
const MEMORY_BYTES: usize = 1 << 30;

/// How often members by KIP-848 are told to beat, so that they hear soon of what changes.
pub(crate) const BEAT: Duration = Duration::from_millis(500);
const SESSION: Duration = Duration::from_secs(6);

pub(crate) async fn start(nodes: u16, beat: Duration) -> Result<forebay_broker::Broker, Absence> {
    let options = forebay_broker::Options::default()
        .nodes(nodes)
        .memory(MEMORY_BYTES)
        .racks((1..=nodes).map(|node| format!("rack-{node}")))
        .consumer_groups(SESSION, beat);
    let broker = forebay_broker::Broker::builder().options(options).start().await;
    broker.map_err(|source| Absence::Start { reason: source.to_string() })
}
