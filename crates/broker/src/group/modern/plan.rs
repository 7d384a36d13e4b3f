//! The plan: balanced, and with as little movement as can be.

use std::collections::{BTreeMap, BTreeSet};

use super::{Modern, Place, Topics};

/// The assignor that gives neighbouring partitions of each topic.
const RANGE: &str = "range";

impl Modern {
    /// Whether the topics that members want are others than the plan was made from.
    pub(super) fn learn_topics(&mut self, topics: &Topics) -> bool {
        let wants = |name: &str| self.members.keys().any(|id| self.wants(id, name));
        let known = topics.iter().filter(|(name, _)| wants(name));
        let known: Topics = known.map(|(name, at)| (name.clone(), *at)).collect();
        let are_others = self.planned != known;
        self.planned = known;
        are_others
    }

    /// Makes a new plan for a new epoch.
    pub(super) fn plan(&mut self) {
        if self.target_epoch == self.epoch {
            return;
        }
        self.target_epoch = self.epoch;
        let ranges = self.members.values().filter(|it| it.assignor.as_deref() == Some(RANGE));
        self.target =
            if ranges.count() * 2 > self.members.len() { self.ranges() } else { self.uniform() };
    }

    fn takers(&self, topic: &str) -> Vec<&String> {
        let takers = self.members.keys().filter(|id| self.wants(id, topic));
        takers.collect()
    }

    fn ranges(&self) -> BTreeMap<String, BTreeSet<Place>> {
        let mut plan: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
        for (name, (id, count)) in &self.planned {
            let takers = self.takers(name);
            let members = i32::try_from(takers.len()).unwrap_or(i32::MAX).max(1);
            let mut next = 0;
            for (index, taker) in (0..).zip(takers) {
                let end = next + count / members + i32::from(index < count % members);
                let share = (next..end).map(|number| (*id, number));
                plan.entry(taker.clone()).or_default().extend(share);
                next = end;
            }
        }
        plan
    }

    /// Everybody keeps what the last plan gave, up to a fair share; the rest goes to those with the
    /// least.
    fn uniform(&self) -> BTreeMap<String, BTreeSet<Place>> {
        let places = self.planned.iter();
        let places = places.flat_map(|(name, (id, count))| {
            (0..*count).map(move |number| ((*id, number), name.as_str()))
        });
        let topic_of: BTreeMap<Place, &str> = places.collect();
        let mut plan: BTreeMap<String, BTreeSet<Place>> =
            self.members.keys().map(|id| (id.clone(), BTreeSet::new())).collect();
        let fair = topic_of.len().div_ceil(self.members.len().max(1));
        let mut free: BTreeMap<Place, &str> = topic_of.clone();
        for id in self.members.keys() {
            let had = self.target.get(id).into_iter().flatten();
            let keeps =
                had.filter(|place| topic_of.get(place).is_some_and(|topic| self.wants(id, topic)));
            for place in keeps.take(fair) {
                if free.remove(place).is_some() {
                    plan.entry(id.clone()).or_default().insert(*place);
                }
            }
        }
        for (place, topic) in free {
            let takers = self.takers(topic);
            let least = takers.into_iter().min_by_key(|id| plan.get(*id).map_or(0, BTreeSet::len));
            if let Some(id) = least {
                plan.entry(id.clone()).or_default().insert(place);
            }
        }
        self.level(&mut plan, &topic_of);
        plan
    }

    /// Moves single partitions from the fullest to the emptiest while they differ by two.
    fn level(
        &self,
        plan: &mut BTreeMap<String, BTreeSet<Place>>,
        topic_of: &BTreeMap<Place, &str>,
    ) {
        loop {
            let full = plan.iter().max_by_key(|(_, has)| has.len());
            let Some((from, has)) = full.map(|(id, has)| (id.clone(), has.clone())) else { return };
            let may = |id: &String, place: &Place| {
                topic_of.get(place).is_some_and(|topic| self.wants(id, topic))
            };
            let emptier = plan.iter().filter(|(_, other)| other.len() + 1 < has.len());
            let moves = emptier.min_by_key(|(_, other)| other.len()).and_then(|(to, _)| {
                let place = has.iter().rev().find(|place| may(to, place))?;
                Some((to.clone(), *place))
            });
            let Some((to, place)) = moves else { return };
            plan.entry(from).or_default().remove(&place);
            plan.entry(to).or_default().insert(place);
        }
    }
}
