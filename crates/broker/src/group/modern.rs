//! The coordinator of a group by KIP-848: it makes the plan itself and leads each member towards it,
//! one heartbeat at a time.
//!
//! A partition reaches its next owner only after the former one has said, in a heartbeat, that it
//! no longer has it. Until then the member stays in its epoch.

mod mixed;
mod pattern;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use forebay_protocol::messages::ConsumerGroupHeartbeatRequest;
use forebay_protocol::types::Uuid;

use crate::code::ErrorCode;
pub(super) use mixed::{Old, told};
use pattern::Patterns;

/// A partition, by its topic's id.
pub(crate) type Place = (Uuid, i32);

/// The topics there are: name, id, number of partitions.
pub(crate) type Topics = BTreeMap<String, (Uuid, i32)>;

/// How this coordinator treats members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Silence after which a member is dead.
    pub(crate) session: Duration,
    /// How often members are to beat.
    pub(crate) interval: Duration,
}

/// The machine of one group.
#[derive(Debug, Default)]
pub(crate) struct Modern {
    /// Counts up with each change of members, wishes or topics.
    epoch: i32,
    members: BTreeMap<String, Member>,
    /// The epoch that the plan was made for.
    target_epoch: i32,
    /// What each member is to have in the end.
    target: BTreeMap<String, BTreeSet<Place>>,
    /// What the plan was made from.
    planned: Topics,
    patterns: Patterns,
}

#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) epoch: i32,
    before: i32,
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(super) rebalance: Duration,
    pub(crate) topics: BTreeSet<String>,
    /// It wants the topics of this pattern, too.
    pub(crate) pattern: Option<String>,
    assignor: Option<String>,
    /// What it has, as far as we let it.
    pub(crate) assigned: BTreeSet<Place>,
    /// What it is to give up, until this at the latest.
    revoking: BTreeSet<Place>,
    revoke_by: Option<Duration>,
    /// In which of its epochs it got what it has.
    since: BTreeMap<Place, i32>,
    /// What it was told last.
    told: Option<BTreeSet<Place>>,
    expires: Duration,
    /// A static member that said it would be back.
    is_away: bool,
    /// It came by the classic protocol.
    pub(super) old: Option<Old>,
}

/// What a member is told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) member: String,
    pub(crate) epoch: i32,
    pub(crate) assignment: Option<BTreeSet<Place>>,
}

impl Member {
    /// What it has, with what it is to give up.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Place> {
        self.assigned.iter().chain(&self.revoking)
    }

    /// Until when it has to do something.
    fn due(&self) -> Option<Duration> {
        let old = self.old.as_ref().and_then(Old::due);
        [Some(self.expires), self.revoke_by, old].into_iter().flatten().min()
    }

    /// The epoch that others hear of.
    pub(crate) const fn told_epoch(&self) -> i32 {
        if self.is_away { -2 } else { self.epoch }
    }
}

/// What a member says that it has, if it says so.
fn owned(request: &ConsumerGroupHeartbeatRequest) -> Option<BTreeSet<Place>> {
    let topics = request.topic_partitions.as_ref()?.iter();
    let places = topics.flat_map(|it| it.partitions.iter().map(|no| (it.topic_id, *no)));
    Some(places.collect())
}

/// Whether a member says all of itself, as it does when it is not sure of what was heard.
const fn says_all(request: &ConsumerGroupHeartbeatRequest) -> bool {
    let subscribes =
        request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    request.rebalance_timeout_ms != -1 && subscribes && request.topic_partitions.is_some()
}

impl Modern {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// 0 of a group that no member ever joined.
    pub(crate) const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The epoch that the plan was made for.
    pub(crate) const fn target_epoch(&self) -> i32 {
        self.target_epoch
    }

    /// By Kafka's names.
    pub(crate) fn state(&self) -> &'static str {
        let is_there = |(id, member): (&String, &Member)| {
            let target = self.target.get(id);
            let has_all = target.map_or(member.assigned.is_empty(), |it| *it == member.assigned);
            member.told_epoch() == self.target_epoch && has_all && member.revoking.is_empty()
        };
        if self.members.is_empty() {
            "Empty"
        } else if self.target_epoch < self.epoch {
            "Assigning"
        } else if self.members.iter().all(is_there) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&String, &Member)> {
        self.members.iter()
    }

    /// Whether a member wants this topic.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.members.keys().any(|id| self.wants(id, topic))
    }

    /// What a member is to have in the end.
    pub(crate) fn target(&self, id: &str) -> impl Iterator<Item = &Place> {
        self.target.get(id).into_iter().flatten()
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn due(&self) -> Option<Duration> {
        let members = self.members.values();
        members.filter_map(Member::due).min()
    }

    /// The silent are dead, and those who keep what they were to give up.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        let is_dead = |it: &Member| it.due().is_some_and(|due| due <= now);
        let before = self.members.len();
        self.members.retain(|_, member| !is_dead(member));
        if self.members.len() < before {
            self.shrank();
        }
    }

    /// Somebody is gone: others share what it had. A group that is to be a classic one again goes on
    /// under the generation that its members know.
    fn shrank(&mut self) {
        if !self.is_all_classic() {
            self.epoch += 1;
        }
        if self.members.is_empty() {
            self.target_epoch = self.epoch;
        }
    }

    /// The coordinator moved to another node: all sessions begin anew.
    pub(crate) fn moved(&mut self, now: Duration, rules: Rules) {
        for member in self.members.values_mut() {
            let session = member.old.as_ref().map_or(rules.session, |old| old.session);
            member.expires = now.saturating_add(session);
        }
    }

    /// `ConsumerGroupHeartbeat`.
    pub(crate) fn heartbeat(
        &mut self,
        (now, rules): (Duration, Rules),
        client_id: &str,
        request: &ConsumerGroupHeartbeatRequest,
        topics: &Topics,
    ) -> Result<Told, ErrorCode> {
        let id = request.member_id.as_str().to_owned();
        self.take_pattern(request)?;
        let owned = owned(request);
        match request.member_epoch {
            -1 | -2 => return self.leave(&id, request),
            0 => self.join(&id, client_id, request)?,
            _ => self.check(&id, owned.as_ref(), request)?,
        }
        let is_changed = self.learn(&id, request);
        // A group begins in epoch 1.
        self.epoch = self.epoch.max(1);
        if self.learn_topics(topics) || is_changed {
            self.epoch += 1;
        }
        self.plan();
        self.lead(now, &id, owned.as_ref());
        // As Kafka, which looks at a new pattern behind the heartbeat that brought it: what it
        // stands for is known with the next one.
        if self.look_up(topics) {
            self.learn_topics(topics);
            self.epoch += 1;
        }
        let is_whole = request.member_epoch == 0 || says_all(request);
        let member = self.members.get_mut(&id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        member.expires = now.saturating_add(rules.session);
        let is_news = is_whole || member.told.as_ref() != Some(&member.assigned);
        let assignment = is_news.then(|| member.assigned.clone());
        member.told = Some(member.assigned.clone());
        Ok(Told { member: id, epoch: member.epoch, assignment })
    }

    fn leave(
        &mut self,
        id: &str,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Told, ErrorCode> {
        let member = self.members.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if request.member_epoch == -2 {
            member.is_away = true;
            member.revoking.clear();
            member.revoke_by = None;
        } else {
            self.members.remove(id);
            self.shrank();
        }
        Ok(Told { member: id.to_owned(), epoch: request.member_epoch, assignment: None })
    }

    fn join(
        &mut self,
        id: &str,
        client_id: &str,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        let member = self.enter(id, request.instance_id.as_deref(), None)?;
        client_id.clone_into(&mut member.client_id);
        // Who joins has nothing: what it had before is free.
        member.revoking.clear();
        member.revoke_by = None;
        member.assigned.clear();
        (member.epoch, member.before) = (0, 0);
        Ok(())
    }

    /// The member of this id, who may be new. A static one takes the place of whoever had its name
    /// before; among members by KIP-848 only when that one has said that it goes.
    fn enter(
        &mut self,
        id: &str,
        instance: Option<&str>,
        old: Option<Old>,
    ) -> Result<&mut Member, ErrorCode> {
        let same = |it: &Member| instance.is_some() && it.instance.as_deref() == instance;
        let before = self.members.iter().find(|(other, member)| *other != id && same(member));
        let before = before.map(|(id, it)| (id.clone(), it.is_away || it.is_classic()));
        let known = match before {
            Some((_, false)) if old.is_none() => return Err(ErrorCode::UNRELEASED_INSTANCE_ID),
            Some((before, _)) => {
                let target = self.target.remove(&before).unwrap_or_default();
                self.target.insert(id.to_owned(), target);
                self.members.remove(&before)
            }
            None => self.members.remove(id),
        };
        let mut member = known.unwrap_or_default();
        member.instance = instance.map(str::to_owned);
        (member.is_away, member.told, member.old) = (false, None, old);
        Ok(self.members.entry(id.to_owned()).or_insert(member))
    }

    fn check(
        &self,
        id: &str,
        owned: Option<&BTreeSet<Place>>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<(), ErrorCode> {
        self.check_instance(id, request.instance_id.as_deref())?;
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let epoch = request.member_epoch;
        // The answer that brought the newest epoch may have been lost; then the member says what it
        // has, and that is no more than it may have.
        let has_no_more = owned.is_some_and(|owned| owned.is_subset(&member.assigned));
        let is_known = epoch == member.epoch || (epoch == member.before && has_no_more);
        if is_known && !member.is_away { Ok(()) } else { Err(ErrorCode::FENCED_MEMBER_EPOCH) }
    }

    /// Whether the static member of this name, if one is named, is this one.
    fn check_instance(&self, id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        let Some(instance) = instance else { return Ok(()) };
        let of = self.members.iter().find(|(_, it)| it.instance.as_deref() == Some(instance));
        match of {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some((other, _)) if other != id => Err(ErrorCode::FENCED_INSTANCE_ID),
            Some(_) => Ok(()),
        }
    }

    /// What the member says of itself, and whether the plan has to heed it.
    fn learn(&mut self, id: &str, request: &ConsumerGroupHeartbeatRequest) -> bool {
        let Some(member) = self.members.get_mut(id) else { return false };
        if let Ok(timeout) = u64::try_from(request.rebalance_timeout_ms) {
            member.rebalance = Duration::from_millis(timeout);
        }
        let mut is_changed = false;
        let patterns = &self.patterns;
        if let Some(topics) = &request.subscribed_topic_names {
            let topics: BTreeSet<String> =
                topics.iter().map(|topic| topic.as_str().to_owned()).collect();
            is_changed |= member.topics != topics;
            member.topics = topics;
        }
        if let Some(text) = request.subscribed_topic_regex.as_deref() {
            let pattern = (!text.is_empty()).then(|| text.to_owned());
            // What nobody has looked at yet changes nothing until somebody has.
            let is_known = pattern.as_ref().is_none_or(|text| patterns.know(text));
            is_changed |= member.pattern != pattern && is_known;
            member.pattern = pattern;
        }
        if let Some(assignor) = request.server_assignor.as_deref() {
            member.assignor = Some(assignor.to_owned());
        }
        is_changed
    }

    /// Leads one member a step towards the plan.
    fn lead(&mut self, now: Duration, id: &str, owned: Option<&BTreeSet<Place>>) {
        let taken: BTreeSet<Place> = self
            .members
            .iter()
            .filter(|(other, _)| *other != id)
            .flat_map(|(_, member)| member.assigned.iter().chain(&member.revoking).copied())
            .collect();
        let target = self.target.get(id).cloned().unwrap_or_default();
        let Some(member) = self.members.get_mut(id) else { return };
        if !member.revoking.is_empty() {
            if owned.is_none_or(|owned| !owned.is_disjoint(&member.revoking)) {
                return;
            }
            member.revoking.clear();
            member.revoke_by = None;
        }
        let revoking: BTreeSet<Place> = member.assigned.difference(&target).copied().collect();
        member.assigned.retain(|place| target.contains(place));
        // Who says that it has none of it any more has nothing left to do.
        if owned.is_none_or(|owned| !owned.is_disjoint(&revoking)) && !revoking.is_empty() {
            member.revoking = revoking;
            // One by the classic protocol has to join again within this time instead.
            let until = now.saturating_add(member.rebalance);
            member.revoke_by = (!member.is_classic()).then_some(until);
            return;
        }
        member.assigned.extend(target.iter().filter(|place| !taken.contains(place)));
        if member.epoch != self.epoch {
            (member.before, member.epoch) = (member.epoch, self.epoch);
        }
        let had = std::mem::take(&mut member.since);
        let since = |place: &Place| (*place, had.get(place).copied().unwrap_or(member.epoch));
        member.since = member.assigned.iter().map(since).collect();
    }

    /// Whether a member may commit in this epoch.
    pub(crate) fn may_commit(&self, id: &str, epoch: i32) -> Result<(), ErrorCode> {
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == epoch {
            Ok(())
        } else if member.is_classic() {
            Err(ErrorCode::ILLEGAL_GENERATION)
        } else {
            Err(ErrorCode::STALE_MEMBER_EPOCH)
        }
    }

    /// Whether this is a member by the classic protocol.
    pub(crate) fn is_classic(&self, id: &str) -> bool {
        self.members.get(id).is_some_and(Member::is_classic)
    }

    /// Whether a member has a partition since this epoch at least.
    pub(crate) fn had(&self, id: &str, epoch: i32, place: Place) -> bool {
        self.members.get(id).is_some_and(|member| {
            let since = member.since.get(&place);
            epoch < member.epoch && since.is_some_and(|since| *since <= epoch)
        })
    }
}
