//! What does an error about the membership mean?

use std::sync::Arc;
use std::time::Duration;

use super::super::classic::code;
use super::super::member::{Output, Protocol, Trouble};
use super::{FIRST_INTERVAL, JOINING, Modern, State};
use crate::time::Instant;

/// After a refusal for a topic that we may not know of: the cluster says meanwhile which it is.
const DENIED_PAUSE: Duration = Duration::from_secs(5);

impl Modern {
    /// Table. What an error of a heartbeat or of a commit means.
    pub(super) fn judge(&mut self, now: Instant, code: i16) {
        let may_fall_back = self.config.protocol == Protocol::Auto && self.epoch == JOINING;
        match code {
            code::UNSUPPORTED_VERSION | code::GROUP_ID_NOT_FOUND if may_fall_back => {
                self.state = State::Over;
                self.outputs.push_back(Output::FallBack);
            }
            // Who joins makes the group, unless there is one of the other kind.
            code::GROUP_ID_NOT_FOUND if self.epoch == JOINING => self.fail(code),
            code::UNKNOWN_MEMBER_ID
            | code::FENCED_MEMBER_EPOCH
            | code::ILLEGAL_GENERATION
            | code::GROUP_ID_NOT_FOUND => self.lose(now, code),
            code::UNRELEASED_INSTANCE_ID if self.waits_for_instance(now) => self.again(now),
            code::FENCED_INSTANCE_ID
            | code::UNRELEASED_INSTANCE_ID
            | code::UNSUPPORTED_ASSIGNOR
            | code::GROUP_AUTHORIZATION_FAILED
            | code::INVALID_GROUP_ID
            | code::INVALID_REQUEST
            | code::GROUP_MAX_SIZE_REACHED
            | code::UNSUPPORTED_VERSION => self.fail(code),
            code::COORDINATOR_NOT_AVAILABLE | code::NOT_COORDINATOR => {
                self.outputs.push_back(Output::WrongCoordinator);
                self.again(now);
            }
            // What is one here is none there: we say which topics match.
            code::INVALID_REGULAR_EXPRESSION if self.followed.is_some() => {
                self.followed = None;
                self.again(now);
            }
            code::TOPIC_AUTHORIZATION_FAILED => {
                self.outputs.push_back(Output::StaleMetadata);
                self.again(now);
                self.due = now.after(DENIED_PAUSE);
                self.denied = Some(self.telling.0.clone());
            }
            _ => self.again(now),
        }
    }

    /// Whether another member has our `group.instance.id` that may be ourselves before a crash: then
    /// its session ends soon.
    pub(super) fn waits_for_instance(&mut self, now: Instant) -> bool {
        let Some(instance) = &self.config.instance else { return false };
        if self.instance_by.is_none() {
            let instance = Arc::clone(instance);
            self.outputs.push_back(Output::Trouble(Trouble::InstanceInUse { instance }));
        }
        let session_ends = now.after(self.config.session_timeout).after(FIRST_INTERVAL);
        now < *self.instance_by.get_or_insert(session_ends)
    }

    /// It went wrong for a reason that passes; what the coordinator knows is not known any more.
    pub(super) fn again(&mut self, now: Instant) {
        self.told = None;
        self.due = now.after(self.backoff.fail(&mut self.rng));
    }

    /// The group went on without us: join again under the same id.
    pub(super) fn lose(&mut self, now: Instant, code: i16) {
        self.drop_all(code);
        self.epoch = JOINING;
        self.awaiting = None;
        self.again(now);
    }

    pub(super) fn drop_all(&mut self, code: i16) {
        self.releasing.clear();
        self.target.clear();
        self.ids.clear();
        if !std::mem::take(&mut self.owned).is_empty() {
            self.outputs.push_back(Output::Lost { code });
        }
    }

    pub(super) fn fail(&mut self, code: i16) {
        self.drop_all(code);
        self.state = State::Over;
        self.outputs.push_back(Output::Fatal { code });
    }

    pub(super) fn end(&mut self) {
        self.state = State::Over;
        self.outputs.push_back(Output::Left);
    }
}
