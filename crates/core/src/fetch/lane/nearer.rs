//! Does the leader send us to a replica that is nearer (KIP-392)?

use forebay_protocol::types::BrokerId;

use super::{Lane, fetching};
use crate::fetch::cursor::{Returned, Via};
use crate::slot::Slot;
use crate::time::Instant;

impl Lane {
    /// Whether the broker wants another to be asked; then it has sent no records. A replica that
    /// was of no use a moment ago is not gone to at once, lest leader and replica play ball with us.
    pub(super) fn is_sent_on(&mut self, now: Instant, slot: Slot, replica: BrokerId) -> bool {
        let Some(fetching) = fetching(&mut self.slots, slot) else { return false };
        let cursor = &mut fetching.cursor;
        if replica.0 < 0 || replica == cursor.leader.broker {
            return false;
        }
        match cursor.via {
            // Replicas name nobody.
            Via::Replica => return false,
            Via::LeaderAgain => {
                cursor.via = Via::Leader;
                self.rest(now, slot);
            }
            Via::Leader => {
                let until = now.after(self.config.nearer_for);
                self.give_back(slot, Returned::Nearer { broker: replica, until });
            }
        }
        true
    }
}
