//! The coordinator of a classic group: who is a member, which generation, who waits for whom.
//!
//! ```text
//!             join                all joined, or too late          leader's plan
//!   Empty -----------> Preparing --------------------> Completing --------------> Stable
//!     ^                    ^                                |                        |
//!     +--- last one left --+------- join, leave, silence ---+------------------------+
//! ```

mod join;
mod member;
mod mixed;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::group::Subscription;
use forebay_protocol::messages::{JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};

pub(crate) use join::{Joining, is_session, refusal};
use member::Member;

use crate::code::ErrorCode;
use crate::connection::Call;
use crate::group::CONSUMER;
use crate::rng::Rng;
use crate::versions::Release;

/// First `SyncGroup` that has to name the kind of the group and its assignor.
const NAMES_FROM: i16 = 5;

/// An answer to a request that may have had to wait.
#[derive(Debug)]
pub(crate) enum Waited {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
}

/// What the machine is given with each input: the time, chance, and where answers go.
pub(crate) struct World<'a> {
    pub(crate) now: Duration,
    pub(crate) rng: &'a mut Rng,
    pub(crate) answers: &'a mut Vec<(Call, Waited)>,
    /// How long the first members of an empty group wait for others.
    pub(crate) initial_delay: Duration,
    /// Whose habits it has.
    pub(crate) release: Release,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum State {
    #[default]
    Empty,
    /// Members are to join again, until this at the latest.
    Preparing {
        until: Duration,
    },
    /// The leader is to send its plan, until this at the latest.
    Completing {
        until: Duration,
    },
    Stable,
}

/// The machine of one group.
#[derive(Debug, Default)]
pub(crate) struct Classic {
    state: State,
    generation: i32,
    protocol_type: String,
    protocol: Option<String>,
    leader: Option<String>,
    /// A first generation waits for more members.
    is_gathering: bool,
    members: BTreeMap<String, Member>,
    /// Ids that were given out and did not join yet, until then.
    promised: BTreeMap<String, Duration>,
    /// Static members, by instance id.
    statics: BTreeMap<String, String>,
}

impl Classic {
    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&String, &Member)> {
        self.members.iter()
    }

    pub(crate) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Whether a member says that it reads this topic.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        let Some(protocol) = self.protocol() else { return false };
        let said = self.members.values().map(|member| member.metadata(protocol));
        let mut said = said.filter_map(|bytes| Subscription::decode(bytes).ok());
        self.protocol_type == CONSUMER
            && said.any(|said| said.topics.iter().any(|it| it.as_str() == topic))
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn due(&self) -> Option<Duration> {
        let own = match self.state {
            State::Preparing { until } | State::Completing { until } => Some(until),
            State::Empty | State::Stable => None,
        };
        let silent = self.members.values().filter(|member| !member.waits());
        let silent = silent.map(|member| member.expires);
        own.into_iter().chain(silent).chain(self.promised.values().copied()).min()
    }

    /// Time has passed: the silent are dead, and who waits for them waits no longer.
    pub(crate) fn handle_timeout(&mut self, world: &mut World<'_>) {
        let now = world.now;
        let is_dead = |member: &Member| !member.waits() && member.expires <= now;
        let dead = self.members.iter().filter(|(_, member)| is_dead(member));
        let dead: Vec<String> = dead.map(|(id, _)| id.clone()).collect();
        self.promised.retain(|_, until| now < *until);
        for id in dead {
            self.remove(world, &id);
        }
        match self.state {
            State::Preparing { until } if until <= now => self.complete(world),
            // Who did not sync in time is dead, the leader first of all.
            State::Completing { until } if until <= now => {
                let silent = self.members.iter().filter(|(_, member)| member.sync.is_none());
                let silent: Vec<String> = silent.map(|(id, _)| id.clone()).collect();
                silent.into_iter().for_each(|id| self.remove(world, &id));
            }
            State::Preparing { .. } => self.complete_if_all_joined(world),
            State::Empty | State::Completing { .. } | State::Stable => {}
        }
    }

    /// Whether this member is one, under this instance id.
    fn check(&self, id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            return match self.statics.get(instance) {
                None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if current != id => Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => Ok(()),
            };
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// `SyncGroup`. The answer comes at once or when the leader has sent its plan.
    pub(crate) fn sync(&mut self, world: &mut World<'_>, call: Call, request: SyncGroupRequest) {
        if let Err(code) = self.may_sync(&call, &request) {
            return answer_sync(world, call, code, Bytes::new(), None);
        }
        let id = request.member_id.as_str().to_owned();
        match self.state {
            State::Empty => {
                answer_sync(world, call, ErrorCode::UNKNOWN_MEMBER_ID, Bytes::new(), None);
            }
            State::Preparing { .. } => {
                answer_sync(world, call, ErrorCode::REBALANCE_IN_PROGRESS, Bytes::new(), None);
            }
            State::Completing { .. } => {
                if let Some(member) = self.members.get_mut(&id) {
                    member.sync = Some(call);
                }
                if self.leader.as_ref() == Some(&id) {
                    self.plan(world, request);
                }
            }
            State::Stable => {
                let assignment = self.members.get_mut(&id).map(|member| {
                    member.beat(world.now);
                    member.assignment.clone()
                });
                let assignment = assignment.unwrap_or_default();
                answer_sync(world, call, ErrorCode::NONE, assignment, self.names());
            }
        }
    }

    fn may_sync(&self, call: &Call, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let names = (&request.protocol_type, &request.protocol_name);
        if NAMES_FROM <= call.version && (names.0.is_none() || names.1.is_none()) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        self.check(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |said: Option<&str>, own: Option<&str>| said.is_some() && said != own;
        if differs(request.protocol_type.as_deref(), Some(&self.protocol_type))
            || differs(request.protocol_name.as_deref(), self.protocol.as_deref())
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn names(&self) -> Option<(String, String)> {
        Some((self.protocol_type.clone(), self.protocol.clone()?))
    }

    /// The leader's plan is here: everybody who waits for it gets a part.
    fn plan(&mut self, world: &mut World<'_>, request: SyncGroupRequest) {
        self.state = State::Stable;
        for part in request.assignments {
            if let Some(member) = self.members.get_mut(part.member_id.as_str()) {
                member.assignment = part.assignment;
            }
        }
        let names = self.names();
        for member in self.members.values_mut() {
            let Some(call) = member.sync.take() else { continue };
            member.beat(world.now);
            let assignment = member.assignment.clone();
            answer_sync(world, call, ErrorCode::NONE, assignment, names.clone());
        }
    }

    /// `Heartbeat`.
    pub(crate) fn heartbeat(
        &mut self,
        world: &World<'_>,
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> ErrorCode {
        if let Err(code) = self.check(id, instance) {
            return code;
        }
        if generation != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        if let Some(member) = self.members.get_mut(id) {
            member.beat(world.now);
        }
        match self.state {
            State::Preparing { .. } => ErrorCode::REBALANCE_IN_PROGRESS,
            State::Completing { .. } if world.release <= Release::V1_1 => {
                ErrorCode::REBALANCE_IN_PROGRESS
            }
            State::Empty | State::Completing { .. } | State::Stable => ErrorCode::NONE,
        }
    }

    /// Whether a member may commit; if so it has shown that it lives.
    pub(crate) fn may_commit(
        &mut self,
        (now, release): (Duration, Release),
        id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        let is_planning = matches!(self.state, State::Completing { .. });
        if is_planning && release <= Release::V1_1 {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.check(id, instance)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if is_planning {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        if let Some(member) = self.members.get_mut(id) {
            member.beat(now);
        }
        Ok(())
    }

    /// `LeaveGroup` of one member.
    pub(crate) fn leave(
        &mut self,
        world: &mut World<'_>,
        id: &str,
        instance: Option<&str>,
    ) -> ErrorCode {
        if self.promised.remove(id).is_some() {
            self.complete_if_all_joined(world);
            return ErrorCode::NONE;
        }
        // An administrator removes a static member by its instance alone.
        let known = instance.and_then(|instance| self.statics.get(instance).cloned());
        let id = if id.is_empty() { known.unwrap_or_default() } else { id.to_owned() };
        if let Err(code) = self.check(&id, instance) {
            return code;
        }
        self.remove(world, &id);
        ErrorCode::NONE
    }

    /// A member is gone: its requests are answered, and the others share what it had.
    fn remove(&mut self, world: &mut World<'_>, id: &str) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance {
            self.statics.remove(instance);
        }
        member.dismiss(world, ErrorCode::UNKNOWN_MEMBER_ID);
        if self.leader.as_deref() == Some(id) {
            self.leader = None;
        }
        match self.state {
            State::Empty => {}
            State::Preparing { .. } => self.complete_if_all_joined(world),
            State::Completing { .. } | State::Stable => self.prepare(world),
        }
    }

    /// The coordinator moved to another node: whoever waits is told, and all sessions begin anew.
    pub(crate) fn moved(&mut self, world: &mut World<'_>) {
        for member in self.members.values_mut() {
            let calls = (member.join.take(), member.sync.take());
            member::dismiss(calls, world, ErrorCode::NOT_COORDINATOR);
            member.beat(world.now);
        }
        if !matches!(self.state, State::Stable | State::Empty) {
            let until = world.now.saturating_add(self.rebalance_timeout());
            self.state = State::Preparing { until };
        }
    }
}

fn answer_sync(
    world: &mut World<'_>,
    call: Call,
    code: ErrorCode,
    assignment: Bytes,
    names: Option<(String, String)>,
) {
    let (kind, name) = names.unzip();
    let body = SyncGroupResponse {
        throttle_time_ms: call.throttle(),
        error_code: code.0,
        protocol_type: kind.map(|it| it.as_str().into()),
        protocol_name: name.map(|it| it.as_str().into()),
        assignment,
    };
    world.answers.push((call, Waited::Sync(body)));
}
