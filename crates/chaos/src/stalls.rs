//! How long did partitions stand still, and what had been done to them?
//!
//! A partition stands still while it has acknowledged records that are not done and none of them
//! becomes done. Marks say when something was done on its own; the same stretches of the time in
//! which nothing was done stand beside it.

use std::collections::{BTreeMap, BTreeSet};

use forebay_histcheck::{Event, What};

use crate::marks::{Done, Mark};

const SECOND: u64 = 1_000_000_000;

/// What a stall is the price of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Price {
    LeaderMove,
    CoordinatorMove,
    CoordinatorKill,
    LeaderKill,
    MemberKill,
    Kept,
    Moved,
}

impl Price {
    pub(crate) const ALL: [Self; 7] = [
        Self::LeaderMove,
        Self::CoordinatorMove,
        Self::CoordinatorKill,
        Self::LeaderKill,
        Self::MemberKill,
        Self::Kept,
        Self::Moved,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LeaderMove => "a leader moves",
            Self::CoordinatorMove => "the coordinator moves",
            Self::CoordinatorKill => "kill -9 of the coordinator, partitions led elsewhere",
            Self::LeaderKill => "kill -9 of the leader",
            Self::MemberKill => "kill -9 of the member",
            Self::Kept => "a member joins or leaves, partitions that stay",
            Self::Moved => "a member joins or leaves, partitions that move",
        }
    }

    /// How long afterwards is looked at, in nanoseconds.
    const fn window(self) -> u64 {
        match self {
            Self::LeaderMove => 4 * SECOND,
            Self::CoordinatorMove | Self::Kept | Self::Moved => 6 * SECOND,
            Self::MemberKill => 13 * SECOND,
            Self::CoordinatorKill | Self::LeaderKill => 20 * SECOND,
        }
    }
}

/// Longest stalls, in milliseconds: one per partition and deed, or stretch of quiet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Samples {
    pub(crate) stalls: Vec<u64>,
    pub(crate) control: Vec<u64>,
}

/// Hears a history.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    partitions: BTreeMap<String, Tape>,
    killed: BTreeMap<String, Vec<String>>,
}

/// What a partition did.
#[derive(Debug, Default)]
struct Tape {
    owner: Option<String>,
    /// When it went from one to another.
    changes: Vec<u64>,
    waiting: BTreeSet<i64>,
    done: BTreeSet<i64>,
    since: u64,
    /// From when to when nothing became done.
    gaps: Vec<(u64, u64)>,
}

impl Stalls {
    #[allow(clippy::wildcard_enum_match_arm, reason = "it hears of records and owners only")]
    pub(crate) fn hear(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::Acked { tp, offset, .. } => self.tape(tp).acked(*offset, at),
            What::Done { tp, offset, .. } => self.tape(tp).done(*offset, at),
            What::Gained { member, tp, .. } => {
                let tape = self.tape(tp);
                tape.owner = Some(member.clone());
                tape.changes.push(at);
            }
            What::Released { tp, .. } | What::Lost { tp, .. } => {
                let tape = self.tape(tp);
                tape.owner = None;
                tape.changes.push(at);
            }
            What::Killed { member } => {
                let owned = self.partitions.iter();
                let owned = owned.filter(|(_, tape)| tape.owner.as_ref() == Some(member));
                let owned = owned.map(|(tp, _)| tp.clone()).collect();
                self.killed.insert(member.clone(), owned);
            }
            _ => {}
        }
    }

    fn tape(&mut self, tp: &str) -> &mut Tape {
        self.partitions.entry(tp.to_owned()).or_default()
    }

    /// What each deed cost.
    pub(crate) fn samples(&self, marks: &[Mark]) -> BTreeMap<Price, Samples> {
        let mut found: BTreeMap<Price, Samples> = BTreeMap::new();
        for mark in marks {
            for (price, tp) in self.felt(mark) {
                let stall = self.longest(&tp, mark.at, price.window());
                found.entry(price).or_default().stalls.push(stall);
            }
        }
        let quiet = marks.iter().filter_map(|mark| {
            let Done::Nothing { until } = mark.what else { return None };
            Some((mark.at, until))
        });
        for (from, until) in quiet {
            for price in Price::ALL {
                let control = self.control((from, until), price.window());
                found.entry(price).or_default().control.extend(control);
            }
        }
        found
    }

    /// Which partitions felt it, and how.
    fn felt(&self, mark: &Mark) -> Vec<(Price, String)> {
        let all = self.partitions.keys().cloned();
        match &mark.what {
            Done::Nothing { .. } | Done::StoodStill { .. } => Vec::new(),
            Done::LeadersMoved { partitions } => {
                partitions.iter().map(|tp| (Price::LeaderMove, tp.clone())).collect()
            }
            Done::CoordinatorMoved => all.map(|tp| (Price::CoordinatorMove, tp)).collect(),
            Done::BrokerKilled { led } => all
                .map(|tp| match led.contains(&tp) {
                    true => (Price::LeaderKill, tp),
                    false => (Price::CoordinatorKill, tp),
                })
                .collect(),
            Done::MemberKilled { member } => {
                let owned = self.killed.get(member).into_iter().flatten();
                owned.map(|tp| (Price::MemberKill, tp.clone())).collect()
            }
            Done::MemberJoined | Done::MemberLeft => {
                let until = mark.at + Price::Moved.window();
                let is_moved =
                    |tape: &Tape| tape.changes.iter().any(|at| (mark.at..until).contains(at));
                let price = |tape| if is_moved(tape) { Price::Moved } else { Price::Kept };
                self.partitions.iter().map(|(tp, tape)| (price(tape), tp.clone())).collect()
            }
        }
    }

    /// The longest stall of each stretch of that length, of all partitions.
    fn control(&self, (from, until): (u64, u64), window: u64) -> Vec<u64> {
        let starts = (0..).map(|number| from + number * window);
        // A stretch that is longer than the quiet is as long as the quiet.
        let starts = starts.take_while(|at| *at == from || at + window <= until);
        let starts: Vec<u64> = starts.collect();
        let window = window.min(until.saturating_sub(from));
        let tps: Vec<&String> = self.partitions.keys().collect();
        let all = starts.iter().flat_map(|at| tps.iter().map(move |tp| (*at, *tp)));
        all.map(|(at, tp)| self.longest(tp, at, window)).collect()
    }

    /// In milliseconds; what of a stall lies before counts not.
    fn longest(&self, tp: &str, at: u64, window: u64) -> u64 {
        let Some(tape) = self.partitions.get(tp) else { return 0 };
        let first = tape.gaps.partition_point(|(_, to)| *to <= at);
        let gaps = tape.gaps.iter().skip(first).take_while(|(from, _)| *from < at + window);
        gaps.map(|(from, to)| (to - at.max(*from)) / 1_000_000).max().unwrap_or(0)
    }
}

impl Tape {
    fn acked(&mut self, offset: i64, at: u64) {
        if self.done.contains(&offset) {
            return;
        }
        if self.waiting.is_empty() {
            self.since = at;
        }
        self.waiting.insert(offset);
    }

    fn done(&mut self, offset: i64, at: u64) {
        if !self.waiting.is_empty() {
            self.gaps.push((self.since, at));
        }
        self.waiting.remove(&offset);
        self.done.insert(offset);
        self.since = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tp() -> String {
        "t-0".to_owned()
    }

    fn acked(millis: u64, offset: i64) -> Event {
        Event { at: millis * 1_000_000, what: What::Acked { tp: tp(), offset, key: 0, seq: 0 } }
    }

    fn done(millis: u64, offset: i64) -> Event {
        let member = "m1".to_owned();
        Event { at: millis * 1_000_000, what: What::Done { member, tp: tp(), offset } }
    }

    fn heard(events: &[Event]) -> Stalls {
        let mut stalls = Stalls::default();
        events.iter().for_each(|event| stalls.hear(event));
        stalls
    }

    #[test]
    fn a_partition_without_backlog_does_not_stand_still() {
        let stalls = heard(&[
            acked(0, 0),
            done(10, 0),
            acked(900, 1),
            done(950, 1),
            done(960, 2),
            acked(970, 2),
        ]);
        assert_eq!(stalls.longest("t-0", 0, 2 * SECOND), 50);
    }

    #[test]
    fn what_of_a_stall_lies_before_the_deed_is_not_its_price() {
        let stalls = heard(&[acked(0, 0), acked(0, 1), done(100, 0), done(2_000, 1)]);
        let mark = |what| Mark { at: 1_500_000_000, what };
        let moved = Done::LeadersMoved { partitions: vec![tp()] };
        let samples = stalls.samples(&[mark(moved)]);
        assert_eq!(samples[&Price::LeaderMove].stalls, [500]);
    }

    #[test]
    fn those_pay_for_a_kill_who_were_owned_by_the_dead() {
        let member = || "m1".to_owned();
        let gained = What::Gained { member: member(), epoch: 1, tp: tp() };
        let killed = What::Killed { member: member() };
        let at = |at, what| Event { at, what };
        let mut events = vec![at(0, gained), acked(10, 0), done(20, 0), acked(30, 1)];
        events.extend([at(40_000_000, killed), done(7_040, 1)]);
        let mark = |member: &str| Mark {
            at: 40_000_000,
            what: Done::MemberKilled { member: member.to_owned() },
        };
        let samples = heard(&events).samples(&[mark("m1"), mark("m2")]);
        assert_eq!(samples[&Price::MemberKill].stalls, [7_000]);
    }

    #[test]
    fn quiet_is_cut_into_stretches_of_the_same_length() {
        let mut events = Vec::new();
        for number in 0..20 {
            let offset = i64::try_from(number).unwrap();
            events.extend([acked(number * 500, offset), done(number * 500 + 40, offset)]);
        }
        let quiet = Mark { at: 0, what: Done::Nothing { until: 10 * SECOND } };
        let samples = heard(&events).samples(&[quiet]);
        assert_eq!(samples[&Price::LeaderMove].control, [40, 40]);
        assert_eq!(samples[&Price::MemberKill].control, [40]);
    }
}
