//! From the wish to join to the plan: `JoinGroup` and, for the leader, the plan itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::group::{Assignment, Subscription, VERSION};
use forebay_protocol::types::{TopicName, TopicPartition};

use super::super::assignor::{self, Assignor, Member, Plan, TopicRacks};
use super::super::member::{Answer, Join, Joined, JoinedMember, Output, Request, Sync, Trouble};
use super::{Classic, NO_GENERATION, Pulse, State, code};
use crate::time::Instant;

/// How long a leader waits to hear of topics that other members want: less than any session.
const LOOK_FOR_TOPICS: Duration = Duration::from_secs(2);
/// How long after the coordinator spoke of a later generation the word about it may take.
const ANSWER_COMES: Duration = Duration::from_millis(500);
/// The newest version of assignments.
const ASSIGNMENT_VERSION: i16 = VERSION;

impl Classic {
    /// Sends `JoinGroup`.
    pub(super) fn join(&mut self, now: Instant) {
        if !self.knows_cluster() {
            self.state = State::Waiting { until: now };
            return;
        }
        self.wants_join = false;
        self.ask_again = None;
        self.plan_of = None;
        self.topics = self.config.wish.topics(&self.metadata);
        // Who has nothing need not beat: the coordinator keeps alive whose answer it owes.
        if self.owned.is_empty() || self.generation == NO_GENERATION {
            self.pulse = Pulse::default();
        }
        let request = Request::Join(Join {
            member: Arc::clone(&self.member),
            instance: self.config.instance.clone(),
            session_timeout: self.config.session_timeout,
            rebalance_timeout: self.config.rebalance_timeout,
            protocols: self.protocols(),
        });
        let stamp = self.ask(request);
        self.state = State::Joining { stamp };
    }

    /// While we join or sync, the answer to that says all there is to say; unless it does not come.
    pub(super) fn judge_by_state(&mut self, now: Instant, code: i16) {
        match self.state {
            State::Stable => self.judge(now, code),
            State::Joining { .. } => self.doubt_join(now, code),
            State::Waiting { .. }
            | State::Planning { .. }
            | State::Syncing { .. }
            | State::Leaving { .. }
            | State::Over => {}
        }
    }

    /// A commit or a heartbeat was refused while we wait to hear of the next generation. The answer
    /// may be about to come; else it is lost, and until the session is over all that is done would
    /// be done for nothing. To ask a second time as the same member changes nothing.
    fn doubt_join(&mut self, now: Instant, code: i16) {
        match code {
            code::ILLEGAL_GENERATION => {
                self.ask_again.get_or_insert_with(|| now.after(ANSWER_COMES));
            }
            code::UNKNOWN_MEMBER_ID | code::FENCED_INSTANCE_ID => self.judge(now, code),
            _ => {}
        }
    }

    fn protocols(&self) -> Vec<(Arc<str>, Bytes)> {
        let generation = if self.had.is_empty() { NO_GENERATION } else { self.had_in };
        let subscription = Subscription {
            topics: self.topics.iter().cloned().collect(),
            user_data: None,
            owned: self.owned.iter().cloned().collect(),
            generation: Some(self.generation).filter(|it| *it != NO_GENERATION),
            rack: self.config.rack.as_deref().map(Into::into),
        };
        let told = |assignor: &Arc<dyn Assignor>| {
            let user_data = assignor.user_data(&self.had, generation);
            let subscription = Subscription { user_data, ..subscription.clone() };
            Some((assignor.name().into(), subscription.encode(VERSION).ok()?))
        };
        self.config.assignors.iter().filter_map(told).collect()
    }

    pub(super) fn handle_joined(&mut self, now: Instant, sent: Instant, answer: Answer) {
        match answer {
            Answer::Joined(joined) if joined.code == 0 => {
                if let Some((trouble, code)) = self.doubt(&joined) {
                    self.outputs.push_back(Output::Trouble(trouble));
                    return self.handle_join_error(now, code);
                }
                self.backoff.succeed();
                self.member = Arc::clone(&joined.member);
                self.generation = joined.generation;
                // What is still to be said to a beat under the generation before is about that one.
                let due = Some(now.after(self.config.heartbeat_interval));
                self.pulse = Pulse { due, awaiting: None };
                self.proceed(now, joined);
            }
            Answer::Joined(Joined { code: code::MEMBER_ID_REQUIRED, member, .. }) => {
                self.member = member;
                self.join(now);
            }
            Answer::Joined(Joined { code, .. }) => self.handle_join_error(now, code),
            Answer::Synced(_)
            | Answer::Beat(_)
            | Answer::Beaten(_)
            | Answer::Left
            | Answer::Unreachable => {
                debug_assert!(Instant::default() <= sent, "time begins at zero");
                self.handle_join_error(now, code::COORDINATOR_NOT_AVAILABLE);
            }
        }
    }

    /// Table. What cannot be in an answer that agrees, and the error that it is taken for.
    fn doubt(&self, joined: &Joined) -> Option<(Trouble, i16)> {
        let Joined { generation: told, member, .. } = joined;
        let known = self.generation;
        if *told < known.max(0) {
            return Some((Trouble::OldGeneration { told: *told, known }, code::ILLEGAL_GENERATION));
        }
        if member.is_empty() || !self.member.is_empty() && *member != self.member {
            let (told, known) = (Arc::clone(member), Arc::clone(&self.member));
            return Some((Trouble::WrongMember { told, known }, code::UNKNOWN_MEMBER_ID));
        }
        let protocol = Arc::clone(&joined.protocol);
        if !self.config.assignors.iter().any(|it| it.name() == &*protocol) {
            let trouble = Trouble::UnknownProtocol { protocol };
            return Some((trouble, code::COORDINATOR_LOAD_IN_PROGRESS));
        }
        let is_among = || joined.members.iter().any(|it| it.id == *member);
        (joined.leader == *member && !is_among())
            .then_some((Trouble::NotAmongMembers, code::COORDINATOR_LOAD_IN_PROGRESS))
    }

    /// Table. What an error of `JoinGroup` or `SyncGroup` means.
    pub(super) fn handle_join_error(&mut self, now: Instant, code: i16) {
        match code {
            code::REBALANCE_IN_PROGRESS if matches!(self.state, State::Syncing { .. }) => {
                return self.join(now);
            }
            code::UNKNOWN_MEMBER_ID | code::ILLEGAL_GENERATION => {
                self.drop_all(code);
                self.generation = NO_GENERATION;
                if code == code::UNKNOWN_MEMBER_ID {
                    self.member = "".into();
                }
            }
            code::FENCED_INSTANCE_ID
            | code::INCONSISTENT_GROUP_PROTOCOL
            | code::INVALID_GROUP_ID
            | code::INVALID_SESSION_TIMEOUT
            | code::GROUP_AUTHORIZATION_FAILED
            | code::GROUP_MAX_SIZE_REACHED
            | code::UNSUPPORTED_VERSION => return self.fail(code),
            code::COORDINATOR_NOT_AVAILABLE | code::NOT_COORDINATOR => {
                self.outputs.push_back(Output::WrongCoordinator);
            }
            // COORDINATOR_LOAD_IN_PROGRESS, and what a broker of tomorrow may say.
            _ => {}
        }
        self.pulse = Pulse::default();
        let until = now.after(self.backoff.fail(&mut self.rng));
        self.state = State::Waiting { until };
    }

    /// The leader makes a plan, the others wait for it.
    fn proceed(&mut self, now: Instant, joined: Joined) {
        let leads = joined.leader == self.member;
        if leads {
            let by = now.after(LOOK_FOR_TOPICS.min(self.config.session_timeout / 3));
            return self.plan(now, by, joined);
        }
        self.sync(&joined.protocol, Vec::new());
    }

    /// Makes the plan, once all its topics are known or `by` passed.
    pub(super) fn plan(&mut self, now: Instant, by: Instant, joined: Joined) {
        let members = self.members(&joined.members);
        let wanted: BTreeSet<TopicName> =
            members.iter().flat_map(|member| member.subscription.topics.iter().cloned()).collect();
        let is_known = wanted.iter().all(|topic| self.metadata.topics.contains_key(topic));
        if !is_known && now < by {
            if !matches!(self.state, State::Planning { .. }) {
                self.outputs.push_back(Output::WantTopics(wanted));
            }
            self.state = State::Planning { joined: Box::new(joined), by };
            return;
        }
        self.plan_of = Some(self.counts(now, wanted.iter()));
        if joined.keeps_plan {
            return self.sync(&joined.protocol, Vec::new());
        }
        match self.make_plan(&joined, &members) {
            Ok(plan) => self.sync(&joined.protocol, encode(plan)),
            Err(trouble) => {
                // The others wait for a plan: a new round is better than a plan of nothing.
                self.outputs.push_back(Output::Trouble(trouble));
                self.handle_join_error(now, code::COORDINATOR_LOAD_IN_PROGRESS);
            }
        }
    }

    /// The members; one whose subscription cannot be read wants nothing.
    fn members(&mut self, joined: &[JoinedMember]) -> Vec<Member> {
        let mut members = Vec::with_capacity(joined.len());
        for member in joined {
            let subscription = Subscription::decode(member.subscription.clone());
            let is_new = !matches!(self.state, State::Planning { .. });
            let subscription = subscription.unwrap_or_else(|error| {
                let (member, why) = (Arc::clone(&member.id), error.to_string().into());
                let trouble = Output::Trouble(Trouble::BadSubscription { member, why });
                self.outputs.extend(is_new.then_some(trouble));
                Subscription::default()
            });
            let (id, instance) = (Arc::clone(&member.id), member.instance.clone());
            members.push(Member { id, instance, subscription });
        }
        members
    }

    fn make_plan(&self, joined: &Joined, members: &[Member]) -> Result<Plan, Trouble> {
        let mut assignors = self.config.assignors.iter();
        let Some(chosen) = assignors.find(|it| it.name() == &*joined.protocol) else {
            return Err(Trouble::UnknownProtocol { protocol: Arc::clone(&joined.protocol) });
        };
        let mut topics = self.plan_of.clone().unwrap_or_default();
        topics.retain(|_, count| 0 < *count);
        let plan = match self.racks(members) {
            Some(racks) => chosen.assign_in_racks(&topics, &racks, members),
            None => chosen.assign(&topics, members),
        };
        let checked = plan.and_then(|plan| {
            assignor::check(chosen.name(), &plan, &topics, members)?;
            Ok(plan)
        });
        checked.map_err(|error| Trouble::NoPlan { why: error.to_string().into() })
    }

    /// Where partitions are, if a member tells where it is.
    fn racks(&self, members: &[Member]) -> Option<TopicRacks> {
        members.iter().find(|member| member.subscription.rack.is_some())?;
        let topics = self.metadata.topics.iter();
        Some(topics.map(|(name, topic)| (name.clone(), topic.racks.clone())).collect())
    }

    fn sync(&mut self, protocol: &Arc<str>, plan: Vec<(Arc<str>, Bytes)>) {
        let rebalance = self.rebalance();
        let request =
            Request::Sync(Sync { identity: self.who(), protocol: Arc::clone(protocol), plan });
        let stamp = self.ask(request);
        self.state = State::Syncing { stamp, rebalance };
    }
}

fn encode(plan: Plan) -> Vec<(Arc<str>, Bytes)> {
    let bytes = |partitions: Vec<TopicPartition>| {
        Assignment { partitions, user_data: None }.encode(ASSIGNMENT_VERSION).ok()
    };
    let by_member: BTreeMap<_, _> = plan;
    by_member.into_iter().filter_map(|(id, partitions)| Some((id, bytes(partitions)?))).collect()
}
