//! Neighbouring partitions of each topic to each member, as Kafka's `RangeAssignor`: where racks are
//! known, those first that have a replica in the member's rack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_protocol::types::{TopicName, TopicPartition};

use super::{AssignError, Assignor, Member, Plan, Racks, TopicRacks, Topics, empty_plan, in_order};

/// `range`: for each topic by itself, the first members get one more where it does not divide.
/// Members that tell their rack get partitions with a replica there as long as shares stay equal, and
/// topics with equally many partitions and the same members are shared alike (KIP-881).
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct Range;

impl Assignor for Range {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, topics: &Topics, members: &[Member]) -> Result<Plan, AssignError> {
        self.assign_in_racks(topics, &TopicRacks::new(), members)
    }

    fn assign_in_racks(
        &self,
        topics: &Topics,
        racks: &TopicRacks,
        members: &[Member],
    ) -> Result<Plan, AssignError> {
        let mut plan = empty_plan(members);
        let mut shares: Vec<Share<'_>> = takers(members)
            .into_iter()
            .map(|(topic, takers)| {
                let count = topics.get(topic).copied().unwrap_or(0);
                Share::new((topic, count), racks.get(topic), takers)
            })
            .collect();
        if shares.iter().any(|share| share.is_spread) {
            match_racks(&mut shares, &mut plan);
        }
        for share in &mut shares {
            share.deal(&mut plan, |_, _| true);
        }
        plan.values_mut().for_each(|partitions| partitions.sort());
        Ok(plan)
    }
}

/// Who wants each topic, in the order of serving.
fn takers(members: &[Member]) -> BTreeMap<&TopicName, Vec<&Member>> {
    let mut takers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for member in in_order(members) {
        let wanted: BTreeSet<_> = member.subscription.topics.iter().collect();
        for topic in wanted {
            takers.entry(topic).or_default().push(member);
        }
    }
    takers
}

/// Gives what can be given within racks. Topics with the same takers and equally many partitions go
/// together: who gets a partition of one gets it of all.
fn match_racks(shares: &mut [Share<'_>], plan: &mut Plan) {
    let mut alike: BTreeMap<(Vec<Arc<str>>, i32), Vec<usize>> = BTreeMap::new();
    for (index, share) in shares.iter().enumerate() {
        let takers = share.takers.iter().map(|taker| Arc::clone(&taker.id)).collect();
        alike.entry((takers, share.placed())).or_default().push(index);
    }
    for ((_, count), indices) in alike {
        let together = indices.len() != 1;
        let picked = shares.iter_mut().enumerate().filter(|(index, _)| indices.contains(index));
        let mut picked: Vec<_> = picked.map(|(_, share)| share).collect();
        if together {
            match_together(count, &mut picked, plan);
        } else if let Some(share) = picked.first_mut().filter(|share| share.is_spread) {
            let matches = share.matches();
            share.deal(plan, |taker, number| matches.contains(&(taker, number)));
        }
    }
}

fn match_together(count: i32, shares: &mut [&mut Share<'_>], plan: &mut Plan) {
    let takers = shares.first().map_or(0, |share| share.takers.len());
    for number in 0..count {
        let fits = |taker: &usize| {
            shares.iter().all(|it| it.is_near(*taker, number) && 0 < it.room(*taker))
        };
        let Some(taker) = (0..takers).find(fits) else { continue };
        for share in &mut *shares {
            share.give(taker, &[number], plan);
        }
    }
}

/// The sharing of one topic.
struct Share<'a> {
    topic: &'a TopicName,
    racks: Option<&'a BTreeMap<i32, Racks>>,
    takers: Vec<Taker<'a>>,
    free: BTreeSet<i32>,
    count: i32,
    /// What each taker gets at least.
    each: usize,
    /// How many may still get one more.
    more: usize,
    /// Whether a taker tells its rack.
    has_racks: bool,
    /// Whether partitions are in other racks than others, and takers in some of them.
    is_spread: bool,
}

struct Taker<'a> {
    id: Arc<str>,
    rack: Option<&'a str>,
    has: usize,
}

impl<'a> Share<'a> {
    fn new(
        (topic, count): (&'a TopicName, i32),
        racks: Option<&'a BTreeMap<i32, Racks>>,
        takers: Vec<&'a Member>,
    ) -> Self {
        let all = usize::try_from(count).unwrap_or(0);
        let rack = |member: &'a Member| {
            member.subscription.rack.as_ref().map(|it| it.as_str()).filter(|rack| !rack.is_empty())
        };
        let taker = |it: &'a Member| Taker { id: Arc::clone(&it.id), rack: rack(it), has: 0 };
        let takers: Vec<Taker<'_>> = takers.into_iter().map(taker).collect();
        let members = takers.len().max(1);
        let mut share = Self {
            topic,
            racks,
            free: (0..count).collect(),
            count,
            each: all / members,
            more: all % members,
            has_racks: takers.iter().any(|taker| taker.rack.is_some()),
            is_spread: false,
            takers,
        };
        share.is_spread = share.is_spread();
        share
    }

    /// Of so many partitions it is looked where they are.
    fn placed(&self) -> i32 {
        if self.has_racks { self.count } else { 0 }
    }

    fn racks_of(&self, number: i32) -> Option<&'a Racks> {
        self.racks?.get(&number)
    }

    fn is_spread(&self) -> bool {
        let of_all = (0..self.count).map(|number| self.racks_of(number));
        let every: BTreeSet<&str> =
            of_all.clone().flatten().flat_map(|it| it.iter().map(|rack| &**rack)).collect();
        let is_shared = self.takers.iter().any(|it| it.rack.is_some_and(|it| every.contains(it)));
        let len = |racks: Option<&Racks>| racks.map_or(0, |racks| racks.len());
        // Each set is a part of all: as many are the same.
        is_shared && of_all.into_iter().any(|racks| len(racks) != every.len())
    }

    /// Whether a taker that tells its rack finds the partition there; others find all.
    fn is_near(&self, taker: usize, number: i32) -> bool {
        let Some(rack) = self.takers.get(taker).and_then(|taker| taker.rack) else { return true };
        self.racks_of(number).is_some_and(|racks| racks.contains(rack))
    }

    fn matches(&self) -> BTreeSet<(usize, i32)> {
        let all = (0..self.takers.len()).flat_map(|it| (0..self.count).map(move |no| (it, no)));
        all.filter(|(taker, number)| self.is_near(*taker, *number)).collect()
    }

    /// How many a taker may still get.
    fn room(&self, taker: usize) -> usize {
        let has = self.takers.get(taker).map_or(usize::MAX, |taker| taker.has);
        (self.each + usize::from(0 < self.more)).saturating_sub(has)
    }

    fn give(&mut self, taker: usize, numbers: &[i32], plan: &mut Plan) {
        let Some(taker) = self.takers.get_mut(taker) else { return };
        taker.has += numbers.len();
        if self.each < taker.has {
            self.more = self.more.saturating_sub(1);
        }
        let given = plan.entry(Arc::clone(&taker.id)).or_default();
        for number in numbers {
            self.free.remove(number);
            given.push(TopicPartition::new(self.topic.clone(), *number));
        }
    }

    /// Each taker in turn gets the first that it may have, up to its share.
    fn deal(&mut self, plan: &mut Plan, may: impl Fn(usize, i32) -> bool) {
        for taker in 0..self.takers.len() {
            let fit = self.free.iter().copied().filter(|number| may(taker, *number));
            let numbers: Vec<i32> = fit.take(self.room(taker)).collect();
            if !numbers.is_empty() {
                self.give(taker, &numbers, plan);
            }
        }
    }
}
