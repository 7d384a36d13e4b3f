//! Who writes down what happens, and who judges it? Both at once: every event goes straight to the
//! checker, so that no history is kept, however long the demo.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use forebay_histcheck::{Checker, Event, Needs, Terms, Verdict, What};
use forebay_proxy::Ledger;

use crate::output::as_f64;

/// How long after a loss passed on the wire the loser's handlers may still start something: the word
/// has to reach them.
const REACTION: Duration = Duration::from_millis(200);

/// Hears of everything, in one order.
pub(super) struct Judge {
    began: Instant,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    checker: Checker,
    /// Members that were killed: what their tasks still do, a dead process would not.
    dead: BTreeSet<String>,
    holdings: BTreeMap<String, BTreeSet<i32>>,
    lines: Vec<String>,
    done: u64,
    acked: u64,
}

/// What a glance shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Glance {
    /// Partitions by member.
    pub(super) holdings: BTreeMap<String, BTreeSet<i32>>,
    /// Lines of the story since the last glance.
    pub(super) lines: Vec<String>,
    /// Runs of handlers that ended well.
    pub(super) done: u64,
    /// Records that brokers acknowledged.
    pub(super) acked: u64,
}

impl Judge {
    pub(super) fn new() -> Self {
        let judge = Self { began: Instant::now(), heard: Mutex::default() };
        let reaction_ms = u64::try_from(REACTION.as_millis()).unwrap_or(0);
        judge.hear(What::Terms(Terms { reaction_ms, ..Terms::default() }));
        judge
    }

    /// The demo's own lines: what is done to members.
    pub(super) fn tell(&self, text: &str) {
        let line = format!("{:6.1} s  {text}", as_seconds(self.began.elapsed()));
        self.lock().lines.push(line);
    }

    /// From now on a member says nothing any more.
    pub(super) fn kill(&self, member: &str) {
        self.hear(What::Killed { member: member.to_owned() });
        let mut heard = self.lock();
        heard.dead.insert(member.to_owned());
        heard.holdings.remove(member);
    }

    pub(super) fn glance(&self) -> Glance {
        let mut heard = self.lock();
        Glance {
            holdings: heard.holdings.clone(),
            lines: std::mem::take(&mut heard.lines),
            done: heard.done,
            acked: heard.acked,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes down that this happens now.
    pub(super) fn hear(&self, what: What) {
        let mut heard = self.lock();
        if member_of(&what).is_some_and(|member| heard.dead.contains(member)) {
            return;
        }
        heard.see(&what);
        // Taken inside: the order of events is that of their times.
        heard.checker.hear(&Event { at: nanos(self.began.elapsed()), what });
    }

    /// What is to be said of it; hears nothing afterwards.
    pub(super) fn conclude(&self, needs: &Needs) -> Verdict {
        std::mem::take(&mut self.lock().checker).conclude(needs)
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    #[allow(clippy::wildcard_enum_match_arm, reason = "of twenty events five are shown")]
    fn see(&mut self, what: &What) {
        match what {
            What::Gained { member, tp, .. } => {
                self.holdings.entry(member.clone()).or_default().extend(partition_of(tp));
            }
            What::Released { member, tp } | What::Lost { member, tp, .. } => {
                if let (Some(held), Some(partition)) =
                    (self.holdings.get_mut(member), partition_of(tp))
                {
                    held.remove(&partition);
                }
                self.holdings.retain(|_, held| !held.is_empty());
            }
            What::Done { .. } => self.done += 1,
            What::Acked { .. } => self.acked += 1,
            _ => {}
        }
    }
}

impl Ledger for Judge {
    fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }

    fn note(&self, what: What) -> io::Result<()> {
        self.hear(what);
        Ok(())
    }
}

/// Who did it, for what members do.
#[allow(clippy::wildcard_enum_match_arm, reason = "the others are nobody's")]
fn member_of(what: &What) -> Option<&String> {
    match what {
        What::Started { member, .. }
        | What::Done { member, .. }
        | What::GivenUp { member, .. }
        | What::CommitSent { member, .. }
        | What::CommitAnswered { member, .. }
        | What::Beat { member, .. }
        | What::Gained { member, .. }
        | What::Draining { member, .. }
        | What::Released { member, .. }
        | What::Lost { member, .. }
        | What::Reset { member, .. } => Some(member),
        _ => None,
    }
}

/// `topic-3` is partition 3.
fn partition_of(tp: &str) -> Option<i32> {
    tp.rsplit_once('-')?.1.parse().ok()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn as_seconds(time: Duration) -> f64 {
    as_f64(u64::try_from(time.as_millis()).unwrap_or(0)) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gained(member: &str, tp: &str) -> What {
        What::Gained { member: member.to_owned(), epoch: 1, tp: tp.to_owned() }
    }

    fn started(member: &str, offset: i64) -> What {
        let (member, tp) = (member.to_owned(), "demo-0".to_owned());
        What::Started { member, tp, offset, key: 0, seq: offset.unsigned_abs() }
    }

    #[test]
    fn a_glance_shows_who_holds_what() {
        let judge = Judge::new();
        judge.hear(gained("m1", "demo-0"));
        judge.hear(gained("m1", "demo-1"));
        let (member, tp) = ("m1".to_owned(), "demo-0".to_owned());
        judge.hear(What::Released { member, tp });
        assert_eq!(judge.glance().holdings, BTreeMap::from([("m1".to_owned(), [1].into())]));
        judge.kill("m1");
        assert_eq!(judge.glance().holdings, BTreeMap::new());
    }

    #[test]
    fn who_was_killed_is_heard_no_more() {
        let judge = Judge::new();
        judge.hear(gained("m1", "demo-0"));
        judge.hear(started("m1", 0));
        judge.kill("m1");
        let (member, tp) = ("m1".to_owned(), "demo-0".to_owned());
        judge.hear(What::Done { member, tp, offset: 0 });
        assert_eq!(judge.glance().done, 0);
    }

    #[test]
    fn a_record_that_is_lost_breaks_the_verdict() {
        let judge = Judge::new();
        let tp = "demo-0".to_owned();
        judge.hear(gained("m1", "demo-0"));
        for offset in [0, 2] {
            judge.hear(started("m1", offset));
            judge.hear(What::Done { member: "m1".to_owned(), tp: tp.clone(), offset });
        }
        for (offset, seq) in [(0, 0), (1, 1), (2, 2)] {
            judge.hear(What::Truth { tp: tp.clone(), offset, key: 0, seq });
        }
        judge.hear(What::Final { tp, committed: 3, end: 3 });
        let verdict = judge.conclude(&Needs { records: 3, ..Needs::default() });
        assert_eq!(verdict.figures.lost, 1);
        assert!(!verdict.is_good());
    }
}
