//! One member of a classic group, as its coordinator knows it.

use std::time::Duration;

use bytes::Bytes;

use super::{World, answer_sync};
use crate::code::ErrorCode;
use crate::connection::Call;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(in crate::group) session: Duration,
    pub(in crate::group) rebalance: Duration,
    /// Assignors and what the member tells each, the best liked first.
    pub(in crate::group) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    /// Silence until then is death.
    pub(super) expires: Duration,
    /// A `JoinGroup` that waits for others.
    pub(super) join: Option<Call>,
    /// A `SyncGroup` that waits for the leader.
    pub(super) sync: Option<Call>,
}

impl Member {
    /// Who waits for our answer lives.
    pub(super) const fn waits(&self) -> bool {
        self.join.is_some() || self.sync.is_some()
    }

    pub(super) fn beat(&mut self, now: Duration) {
        self.expires = now.saturating_add(self.session);
    }

    /// What it tells the assignor `protocol`.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Its requests that wait are refused.
    pub(super) fn dismiss(self, world: &mut World<'_>, code: ErrorCode) {
        dismiss((self.join, self.sync), world, code);
    }
}

/// Requests that wait are refused.
pub(super) fn dismiss(
    (join, sync): (Option<Call>, Option<Call>),
    world: &mut World<'_>,
    code: ErrorCode,
) {
    if let Some(call) = join {
        super::join::refuse(world, call, code, "");
    }
    if let Some(call) = sync {
        answer_sync(world, call, code, Bytes::new(), None);
    }
}
