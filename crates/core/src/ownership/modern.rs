//! A member of a group by the protocol of KIP-848: the coordinator makes the plan, and one request
//! says and hears everything.
//!
//! ```text
//!   epoch 0 --heartbeat--> epoch n --assignment--> gain at once, give up in good order
//!      ^                      |                         |
//!      +-- fenced, unknown ---+ <-- heartbeat: this is what we have now
//! ```
//!
//! What is taken from us is listed as ours in every heartbeat until it is given up, under the
//! current epoch; only then does the coordinator hand it to somebody else.

mod unknown;
mod verdict;
mod wish;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use forebay_protocol::types::{TopicName, TopicPartition, Uuid};

use super::classic::code;
use super::member::{
    Answer, Beat, Beaten, Config, Followed, Identity, Output, Request, Stamp, Trouble,
};
use super::pace::Pace;
use crate::backoff::Backoff;
use crate::cluster::metadata::Metadata;
use crate::rng::Rng;
use crate::time::Instant;
use unknown::Unknown;

/// The epoch of one who wants to join.
const JOINING: i32 = 0;
/// The epoch of one who leaves, and of a static member who will be back.
const LEAVING: (i32, i32) = (-1, -2);
/// How often everything is said, whatever changed: then the coordinator says our part of the plan
/// again, so that it and we cannot differ for longer. How long a session is, is asked as often.
const WHOLE_EVERY: Duration = Duration::from_secs(60);
/// No coordinator's word makes us beat more often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);
/// After we joined or got something, more may be given up for us as the others hear of it, one by
/// one in the interval that comes, and drain.
const PACE: Pace = Pace::new(Duration::from_millis(500), 4);
/// Until the coordinator has said how often to beat.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum State {
    /// Beats, with epoch 0 until the coordinator took us.
    Member,
    /// The last heartbeat is on its way.
    Leaving { stamp: Stamp },
    /// No member, and never again.
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Modern {
    config: Config,
    rng: Rng,
    backoff: Backoff,
    metadata: Arc<Metadata>,
    state: State,
    member: Arc<str>,
    epoch: i32,
    interval: Duration,
    pace: Pace,
    /// When the next heartbeat leaves, once the cluster is known.
    due: Instant,
    awaiting: Option<Stamp>,
    /// When everything is to be said again.
    whole_at: Instant,
    /// When to ask again how long a session is: the answer may have been lost, and the setting of a
    /// group may change while it lives.
    ask_session_at: Instant,
    /// Until when we wait for whoever has our `group.instance.id`.
    instance_by: Option<Instant>,
    /// When the last heartbeat that was answered left, by the clock that counts suspension.
    beaten_at: Option<Instant>,
    /// What the coordinator was told last; `None`: tell it everything.
    told: Option<(BTreeSet<TopicName>, BTreeSet<TopicPartition>)>,
    /// What the heartbeat on its way tells.
    telling: (BTreeSet<TopicName>, BTreeSet<TopicPartition>),
    /// By which the coordinator follows topics for us; without it we name them.
    followed: Option<Followed>,
    /// Whether it may know of an expression that is no longer ours.
    unfollows: bool,
    /// The topics for which a heartbeat was refused last, since we may not know of one of them.
    denied: Option<BTreeSet<TopicName>>,
    /// What is to be ours, by topic id.
    target: Vec<(Uuid, Vec<i32>)>,
    unknown: Unknown,
    /// Ids of topics that we have partitions of.
    ids: BTreeMap<TopicName, Uuid>,
    /// Ours, with what is being given up.
    owned: BTreeSet<TopicPartition>,
    releasing: BTreeSet<TopicPartition>,
    stamps: u64,
    outputs: VecDeque<Output>,
}

impl Modern {
    /// Joins as soon as the cluster is known.
    #[must_use]
    pub fn new(config: Config, mut rng: Rng) -> Self {
        Self {
            backoff: Backoff::new(config.retry),
            member: member_id(&mut rng),
            followed: config.wish.followed(),
            unfollows: false,
            config,
            rng,
            metadata: Arc::default(),
            state: State::Member,
            epoch: JOINING,
            interval: FIRST_INTERVAL,
            pace: PACE,
            due: Instant::default(),
            awaiting: None,
            whole_at: Instant::default(),
            ask_session_at: Instant::default(),
            instance_by: None,
            beaten_at: None,
            told: None,
            telling: Default::default(),
            denied: None,
            target: Vec::new(),
            unknown: Unknown::new(),
            ids: BTreeMap::new(),
            owned: BTreeSet::new(),
            releasing: BTreeSet::new(),
            stamps: 0,
            outputs: VecDeque::new(),
        }
    }

    /// As whom commits are to be sent; `None` while none may be.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.is_member().then(|| self.who(self.epoch))
    }

    /// The cluster was looked at.
    pub fn handle_metadata(&mut self, now: Instant, metadata: Arc<Metadata>) {
        self.metadata = metadata;
        self.reconcile(now);
        let topics = self.topics();
        let told = self.told.as_ref().map(|(told, _)| told);
        if told.or(self.denied.as_ref()).is_some_and(|told| *told != topics) {
            self.due = now;
        }
        self.advance(now);
    }

    /// The coordinator answered the request with this stamp, which left at `sent` by the clock that
    /// counts suspension.
    pub fn handle_answer(&mut self, now: Instant, sent: Instant, stamp: Stamp, answer: Answer) {
        if matches!(self.state, State::Leaving { stamp: own } if own == stamp) {
            return self.end();
        }
        if self.awaiting != Some(stamp) || !matches!(self.state, State::Member) {
            return;
        }
        self.awaiting = None;
        match answer {
            Answer::Beaten(beaten) if beaten.code == 0 => self.handle_beaten(now, sent, beaten),
            Answer::Beaten(Beaten { code, .. }) => self.judge(now, code),
            Answer::Joined(_)
            | Answer::Synced(_)
            | Answer::Beat(_)
            | Answer::Left
            | Answer::Unreachable => self.judge(now, code::COORDINATOR_NOT_AVAILABLE),
        }
        self.advance(now);
    }

    /// How long a session is, as the cluster says. Without that word the setting counts.
    pub fn handle_session(&mut self, timeout: Duration) {
        self.config.session_timeout = timeout;
        let until = self.beaten_at.map(|sent| Output::ValidUntil(sent.after(timeout)));
        self.outputs.extend(until);
    }

    /// All that was to be given up is given up: the coordinator is told at once.
    pub fn handle_released(&mut self, now: Instant) {
        let released = std::mem::take(&mut self.releasing);
        self.owned.retain(|tp| !released.contains(tp));
        self.due = now;
        self.reconcile(now);
        self.advance(now);
    }

    /// A commit sent as `by` was answered with an error about the membership. An older epoch is a
    /// race with the heartbeat that brings the new one: the commit is tried again under that.
    pub fn handle_disowned(&mut self, now: Instant, by: &Identity, code: i16) {
        if code == code::STALE_MEMBER_EPOCH {
            let soon = now.after(self.backoff.fail(&mut self.rng));
            self.due = self.due.min(soon);
        } else if self.epoch == by.generation && matches!(self.state, State::Member) {
            self.judge(now, code);
        }
        self.advance(now);
    }

    /// Everything is given up: be a member no longer.
    pub fn handle_leave(&mut self) {
        if !matches!(self.state, State::Member) || self.told.is_none() && self.awaiting.is_none() {
            return self.end();
        }
        let (dynamic, fixed) = LEAVING;
        let epoch = if self.config.instance.is_some() { fixed } else { dynamic };
        let identity = self.who(epoch);
        let beat = Beat { identity, topics: None, regex: None, owned: None, rest: None };
        let stamp = self.ask(Request::Beat(Box::new(beat)));
        self.state = State::Leaving { stamp };
    }

    /// The deadline from [`poll_timeout`](Self::poll_timeout) passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Something to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.beats_at().into_iter().chain(self.looks_at()).min()
    }

    fn beats_at(&self) -> Option<Instant> {
        let beats = matches!(self.state, State::Member) && self.awaiting.is_none();
        (beats && !self.metadata.brokers.is_empty()).then_some(self.due)
    }

    /// When to look whether a topic of the plan is known by now.
    fn looks_at(&self) -> Option<Instant> {
        self.unknown.ask_at().filter(|_| self.is_member())
    }

    const fn is_member(&self) -> bool {
        matches!(self.state, State::Member) && JOINING < self.epoch
    }

    fn who(&self, epoch: i32) -> Identity {
        let (member, instance) = (Arc::clone(&self.member), self.config.instance.clone());
        Identity { member, generation: epoch, instance }
    }

    fn ask(&mut self, request: Request) -> Stamp {
        self.stamps += 1;
        let stamp = Stamp(self.stamps);
        self.outputs.push_back(Output::Ask(stamp, request));
        stamp
    }

    fn advance(&mut self, now: Instant) {
        if self.looks_at().is_some_and(|at| at <= now) {
            self.reconcile(now);
        }
        if self.beats_at().is_some_and(|due| due <= now) {
            self.beat(now);
        }
    }

    /// Says what changed since the coordinator heard of us last; everything when that is unknown.
    fn beat(&mut self, now: Instant) {
        let topics = self.topics();
        self.denied = None;
        let told = self.told.take().filter(|_| now < self.whole_at);
        let (told_topics, told_owned) =
            told.as_ref().map_or((None, None), |(topics, owned)| (Some(topics), Some(owned)));
        let new_topics = (told_topics != Some(&topics)).then(|| topics.clone());
        let new_owned = (told_owned != Some(&self.owned)).then(|| self.by_id());
        let rest = told.is_none().then_some(self.config.rebalance_timeout);
        if told.is_none() {
            self.whole_at = now.after(WHOLE_EVERY);
        }
        let regex = self.regex().filter(|_| rest.is_some());
        let identity = self.who(self.epoch);
        let beat = Beat { identity, topics: new_topics, regex, owned: new_owned, rest };
        self.telling = (topics, self.owned.clone());
        self.told = told;
        self.due = now.after(self.pace.wait(now, self.interval));
        self.awaiting = Some(self.ask(Request::Beat(Box::new(beat))));
    }

    fn by_id(&self) -> Vec<(Uuid, Vec<i32>)> {
        let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for tp in &self.owned {
            if let Some(id) = self.ids.get(&tp.topic) {
                topics.entry(*id).or_default().push(tp.partition);
            }
        }
        topics.into_iter().collect()
    }

    /// The coordinator agreed, if it makes sense.
    fn handle_beaten(&mut self, now: Instant, sent: Instant, beaten: Beaten) {
        if !beaten.member.is_empty() && beaten.member != self.member {
            let (told, known) = (beaten.member, Arc::clone(&self.member));
            self.outputs.push_back(Output::Trouble(Trouble::WrongMember { told, known }));
            return self.again(now);
        }
        if beaten.epoch < self.epoch.max(JOINING + 1) {
            let (told, known) = (beaten.epoch, self.epoch);
            self.outputs.push_back(Output::Trouble(Trouble::OldGeneration { told, known }));
            return self.lose(now, code::FENCED_MEMBER_EPOCH);
        }
        self.believe(now, sent, beaten);
    }

    fn believe(&mut self, now: Instant, sent: Instant, beaten: Beaten) {
        self.backoff.succeed();
        if self.epoch == JOINING {
            self.pace.changed(now);
        }
        if self.epoch == JOINING || self.ask_session_at <= now {
            self.ask_session_at = now.after(WHOLE_EVERY);
            self.outputs.push_back(Output::AskSession);
        }
        self.told = Some(std::mem::take(&mut self.telling));
        self.instance_by = None;
        self.epoch = beaten.epoch;
        if !beaten.interval.is_zero() {
            // Who beats too rarely would be dead before the next beat.
            let longest = (self.config.session_timeout / 2).max(SHORTEST_INTERVAL);
            self.interval = beaten.interval.clamp(SHORTEST_INTERVAL, longest);
        }
        self.due = now.after(self.pace.wait(now, self.interval));
        self.beaten_at = Some(sent);
        self.outputs.push_back(Output::ValidUntil(sent.after(self.config.session_timeout)));
        if let Some(target) = beaten.assignment {
            self.target = target;
            self.tell_unasked();
        }
        self.reconcile(now);
        let topics = self.topics();
        if self.told.as_ref().is_some_and(|told| *told != (topics, self.owned.clone())) {
            self.due = now;
        }
    }

    /// Goes from what is ours towards what is to be ours, as far as topics are known.
    fn reconcile(&mut self, now: Instant) {
        if !self.is_member() {
            return;
        }
        let names = self.metadata.topics.iter().map(|(name, topic)| (topic.id, name));
        let ours = self.ids.iter().map(|(name, id)| (*id, name));
        let names: BTreeMap<_, _> = names.filter(|(id, _)| !id.is_zero()).chain(ours).collect();
        let (mut target, mut ids, mut unknown) =
            (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        for (id, partitions) in &self.target {
            let Some(name) = names.get(id) else {
                unknown.insert(*id);
                continue;
            };
            if !self.wants(name) {
                continue;
            }
            ids.insert(TopicName::clone(name), *id);
            let sound = partitions.iter().filter(|number| 0 <= **number);
            target.extend(sound.map(|number| TopicPartition::new(TopicName::clone(name), *number)));
        }
        if self.unknown.found(now, unknown, &mut self.rng) {
            self.outputs.push_back(Output::StaleMetadata);
        }
        self.ids.extend(ids);
        self.move_towards(now, &target);
    }

    /// Whether the coordinator knows what we have, and we what it made of that. What a heartbeat on
    /// its way does not list as ours may be given to somebody else for it, so nothing of an earlier
    /// plan is taken up before the answer.
    const fn is_agreed(&self) -> bool {
        self.awaiting.is_none() && self.told.is_some()
    }

    fn move_towards(&mut self, now: Instant, target: &BTreeSet<TopicPartition>) {
        let gained: Vec<_> = target.difference(&self.owned).cloned().collect();
        let kept = |tp: &&TopicPartition| !target.contains(*tp) && !self.releasing.contains(*tp);
        let revoked: Vec<_> = self.owned.iter().filter(kept).cloned().collect();
        if !gained.is_empty() && self.is_agreed() {
            self.owned.extend(gained.iter().cloned());
            self.outputs.push_back(Output::Gained(gained));
            self.pace.changed(now);
            self.due = now;
        }
        if !revoked.is_empty() {
            self.releasing.extend(revoked.iter().cloned());
            self.outputs.push_back(Output::Revoked(revoked));
        }
    }
}

/// An id of our own making, as Kafka writes its UUIDs: 16 random bytes in URL-safe base64.
fn member_id(rng: &mut Rng) -> Arc<str> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = u128::from(rng.any()) << 64 | u128::from(rng.any());
    // A leading dash would look like an option to tools: the first digit is always a letter.
    let mut text = String::from("F");
    for _ in 1..22 {
        let digit = usize::try_from(bits & 63).ok().and_then(|at| DIGITS.get(at));
        text.push(char::from(*digit.unwrap_or(&b'A')));
        bits >>= 6;
    }
    text.into()
}

#[cfg(test)]
mod tests;
