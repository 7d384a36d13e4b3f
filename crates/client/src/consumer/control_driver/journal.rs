//! What does the log tell of what happens to partitions?

use forebay_core::consumer::Event;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::types::TopicPartition;
use tracing::{debug, error, info, warn};

use crate::consumer::outcome;

/// What partitions do.
const CONTROL: &str = "forebay::control";
/// What the group does with them.
const GROUP: &str = "forebay::group";

/// One line for each event.
pub(super) fn note(event: &Event) {
    match event {
        Event::Started { tp, position, source } => {
            info!(target: CONTROL, %tp, %position, ?source, "starts");
        }
        Event::OffsetReset { tp, from, to } => {
            warn!(target: CONTROL, %tp, %from, %to, "offset reset");
        }
        Event::PartitionFailed { tp, why } => {
            error!(target: CONTROL, %tp, error = %outcome::trouble(tp, why.clone()), "stopped");
        }
        Event::Committed { tp, position } => debug!(target: CONTROL, %tp, %position, "committed"),
        Event::Gained(tps) => info!(target: GROUP, partitions = %names(tps), "gained"),
        Event::Draining(tps) => info!(target: GROUP, partitions = %names(tps), "draining"),
        Event::Parked { tp, position, is_clean } => {
            info!(target: GROUP, %tp, ?position, is_clean, "parked");
        }
        Event::Released { tp, is_clean } => info!(target: GROUP, %tp, is_clean, "released"),
        Event::Lost { tps, code } => {
            warn!(target: GROUP, partitions = %names(tps), why = ErrorCode(*code).name(), "lost");
        }
        Event::Unsubscribed => info!(target: GROUP, "unsubscribed"),
        Event::Group(trouble) => warn!(target: GROUP, "{trouble}"),
        Event::Denied { topic, right } => {
            let told = "a right is missing: an ACL has to allow it; it is tried again";
            error!(target: GROUP, %topic, ?right, "{told}");
        }
        Event::Granted { topic, right } => {
            info!(target: GROUP, %topic, ?right, "a right was granted");
        }
    }
}

/// Partitions as one line.
fn names(tps: &[TopicPartition]) -> String {
    let names: Vec<_> = tps.iter().map(ToString::to_string).collect();
    names.join(", ")
}
