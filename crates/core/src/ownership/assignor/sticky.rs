//! A balanced plan that moves as little as it can.
//!
//! Three steps: everybody keeps what it had and may still have; what nobody has goes to the member
//! with the least; then partitions move from members with more to members with less, as long as two
//! that could share differ by more than one. Each move makes the sum of squares smaller, so it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use forebay_protocol::types::{TopicName, TopicPartition};

use super::{AssignError, Assignor, Member, Plan, Rebalance, Topics, in_order};

/// `sticky`: all partitions are given up while the plan is made, and most come back.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct Sticky;

/// `cooperative-sticky`: only what moves is given up; it reaches its new owner in a second round.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct CooperativeSticky;

impl Assignor for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    /// Kafka's form: what it had, then the generation.
    fn user_data(&self, owned: &BTreeSet<TopicPartition>, generation: i32) -> Option<Bytes> {
        if generation < 0 && owned.is_empty() {
            return None;
        }
        let mut topics: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
        for tp in owned {
            topics.entry(&tp.topic).or_default().push(tp.partition);
        }
        let mut out = BytesMut::new();
        out.put_i32(i32::try_from(topics.len()).unwrap_or(0));
        for (topic, partitions) in topics {
            out.put_i16(i16::try_from(topic.as_str().len()).unwrap_or(0));
            out.put_slice(topic.as_str().as_bytes());
            out.put_i32(i32::try_from(partitions.len()).unwrap_or(0));
            partitions.into_iter().for_each(|number| out.put_i32(number));
        }
        out.put_i32(generation);
        Some(out.freeze())
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        let had = |member: &Member| {
            let said = member.subscription.user_data.clone().and_then(read_user_data);
            said.unwrap_or_default()
        };
        Ok(Board::new(topics, members, had).settle())
    }
}

impl Assignor for CooperativeSticky {
    fn name(&self) -> &'static str {
        "cooperative-sticky"
    }

    fn rebalance(&self) -> Rebalance {
        Rebalance::Cooperative
    }

    /// Kafka's form: the generation.
    fn user_data(&self, _owned: &BTreeSet<TopicPartition>, generation: i32) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        let had = |member: &Member| {
            let owned = member.subscription.owned.iter().cloned().collect();
            (owned, owned_generation(member))
        };
        let mut plan = Board::new(topics, members, had).settle();
        hold_back(&mut plan, members);
        Ok(plan)
    }
}

/// What a member had, and in which generation.
type Had = (BTreeSet<TopicPartition>, i32);

/// The generation stands in the subscription since its version 2, before that in the user data.
fn owned_generation(member: &Member) -> i32 {
    let said = member.subscription.user_data.clone();
    let older = said.and_then(|mut data| data.try_get_i32().ok());
    member.subscription.generation.or(older).unwrap_or(-1)
}

/// A partition that somebody still has is given to nobody else: it is free in the next round.
fn hold_back(plan: &mut Plan, members: &[Member]) {
    let mut owners: BTreeMap<&TopicPartition, Vec<&Arc<str>>> = BTreeMap::new();
    for member in members {
        for tp in &member.subscription.owned {
            owners.entry(tp).or_default().push(&member.id);
        }
    }
    for (id, partitions) in plan {
        partitions.retain(|tp| {
            owners.get(tp).is_none_or(|owners| owners.iter().all(|owner| *owner == id))
        });
    }
}

/// Reads what [`Sticky::user_data`] wrote; `None` when it is something else. The generation is -1
/// when the older form without it was written.
fn read_user_data(mut data: Bytes) -> Option<Had> {
    let mut owned = BTreeSet::new();
    for _ in 0..data.try_get_i32().ok()?.max(0) {
        let len = usize::try_from(data.try_get_i16().ok()?).ok()?;
        if data.remaining() < len {
            return None;
        }
        let name = data.split_to(len);
        let topic = TopicName::from(std::str::from_utf8(&name).ok()?);
        for _ in 0..data.try_get_i32().ok()?.max(0) {
            owned.insert(TopicPartition::new(topic.clone(), data.try_get_i32().ok()?));
        }
    }
    Some((owned, data.try_get_i32().unwrap_or(-1)))
}

/// A plan in the making. Members are numbers in the order of serving.
struct Board<'a> {
    members: Vec<&'a Member>,
    wants: Vec<BTreeSet<&'a TopicName>>,
    /// Who wants each topic.
    takers: BTreeMap<&'a TopicName, Vec<usize>>,
    has: Vec<BTreeSet<TopicPartition>>,
    /// Partitions that nobody has.
    free: Vec<TopicPartition>,
    /// Whether all want the same topics.
    is_uniform: bool,
}

impl<'a> Board<'a> {
    fn new(topics: &Topics, members: &'a [Member], had: impl Fn(&Member) -> Had) -> Self {
        let members = in_order(members);
        let wants: Vec<BTreeSet<&TopicName>> =
            members.iter().map(|member| member.subscription.topics.iter().collect()).collect();
        let mut takers: BTreeMap<&TopicName, Vec<usize>> = BTreeMap::new();
        for (number, topics) in wants.iter().enumerate() {
            for topic in topics {
                takers.entry(topic).or_default().push(number);
            }
        }
        let mut board = Self {
            has: vec![BTreeSet::new(); members.len()],
            free: Vec::new(),
            is_uniform: wants.windows(2).all(|pair| pair.first() == pair.last()),
            members,
            wants,
            takers,
        };
        board.keep(topics, had);
        board
    }

    /// Everybody keeps what it had, if it wants it still and nobody had it later. Of two that had
    /// it in the same generation neither keeps it: at least one of them is wrong.
    fn keep(&mut self, topics: &Topics, had: impl Fn(&Member) -> Had) {
        let mut claims: BTreeMap<TopicPartition, (i32, Option<usize>)> = BTreeMap::new();
        for (number, member) in self.members.iter().enumerate() {
            let (owned, generation) = had(member);
            for tp in owned {
                let claim = claims.entry(tp).or_insert((generation, Some(number)));
                if claim.0 < generation {
                    *claim = (generation, Some(number));
                } else if claim.0 == generation && claim.1 != Some(number) {
                    claim.1 = None;
                }
            }
        }
        for topic in self.takers.keys() {
            for number in 0..topics.get(*topic).copied().unwrap_or(0) {
                let tp = TopicPartition::new((*topic).clone(), number);
                let owner = claims.get(&tp).and_then(|(_, owner)| *owner);
                let wanted = |at: &usize| self.wants.get(*at).is_some_and(|it| it.contains(topic));
                match owner.filter(wanted).and_then(|at| self.has.get_mut(at)) {
                    Some(has) => drop(has.insert(tp)),
                    None => self.free.push(tp),
                }
            }
        }
    }

    fn settle(mut self) -> Plan {
        self.deal();
        self.balance();
        let ids = self.members.iter().map(|member| Arc::clone(&member.id));
        ids.zip(self.has.into_iter().map(|it| it.into_iter().collect())).collect()
    }

    fn load(&self, member: usize) -> usize {
        self.has.get(member).map_or(0, BTreeSet::len)
    }

    /// What nobody has goes to the member with the least, topics with few takers first.
    fn deal(&mut self) {
        let mut free = std::mem::take(&mut self.free);
        free.sort_by_key(|tp| self.takers.get(&tp.topic).map_or(0, Vec::len));
        let mut lines: BTreeMap<TopicName, BTreeSet<(usize, usize)>> = BTreeMap::new();
        let is_uniform = self.is_uniform;
        for tp in free {
            // With equal wishes one line serves all topics.
            let key = if is_uniform { TopicName::from("") } else { tp.topic.clone() };
            let takers = self.takers.get(&tp.topic).cloned().unwrap_or_default();
            let fresh = || takers.iter().map(|at| (self.load(*at), *at)).collect();
            let line = match lines.entry(key) {
                std::collections::btree_map::Entry::Occupied(line) if is_uniform => line.into_mut(),
                std::collections::btree_map::Entry::Occupied(mut line) => {
                    line.insert(fresh());
                    line.into_mut()
                }
                std::collections::btree_map::Entry::Vacant(line) => line.insert(fresh()),
            };
            let Some((load, at)) = line.pop_first() else { continue };
            line.insert((load + 1, at));
            if let Some(has) = self.has.get_mut(at) {
                has.insert(tp);
            }
        }
    }

    /// Moves single partitions from the fullest members to emptier ones that may have them.
    fn balance(&mut self) {
        let mut line: BTreeSet<(usize, usize)> =
            (0..self.members.len()).map(|at| (self.load(at), at)).collect();
        let mut settled = BTreeSet::new();
        while let Some((load, from)) = line.iter().rev().find(|it| !settled.contains(&it.1)) {
            let (load, from) = (*load, *from);
            let Some((tp, to)) = self.move_from(&line, from, load) else {
                settled.insert(from);
                continue;
            };
            let other = self.load(to);
            line.remove(&(load, from));
            line.remove(&(other, to));
            if let Some(has) = self.has.get_mut(from) {
                has.remove(&tp);
            }
            if let Some(has) = self.has.get_mut(to) {
                has.insert(tp);
            }
            line.insert((load.saturating_sub(1), from));
            line.insert((other + 1, to));
            // Who could not give before may be able to now.
            if !self.is_uniform {
                settled.clear();
            }
        }
    }

    /// A partition of `from`, and the emptiest member that may have it and has less by two.
    fn move_from(
        &self,
        line: &BTreeSet<(usize, usize)>,
        from: usize,
        load: usize,
    ) -> Option<(TopicPartition, usize)> {
        for (other, to) in line.iter().take_while(|(other, _)| other + 1 < load) {
            debug_assert!(other < &load, "sorted by load");
            let wants = self.wants.get(*to)?;
            let has = self.has.get(from)?;
            if let Some(tp) = has.iter().rev().find(|tp| wants.contains(&tp.topic)) {
                return Some((tp.clone(), *to));
            }
        }
        None
    }
}
