//! What does each event change, and which rules must be asked about it?

mod member;
mod partition;
mod report;
mod standing;
mod written;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use member::Member;
pub(crate) use partition::{Claim, InFlight, Partition, Reason, Run};
pub(crate) use report::Report;
pub(crate) use standing::Standing;
pub(crate) use written::Written;

use crate::cells::Mark;
use crate::event::{Event, Parked, Terms, What, Word};
use crate::rules::directed;
use crate::rules::log::{self, Seen};
use crate::rules::work::{self, Who};
use crate::verdict::{Needs, Verdict};

/// Hears a history and judges it.
#[derive(Debug, Default)]
pub struct Checker {
    terms: Terms,
    partitions: BTreeMap<String, Partition>,
    members: BTreeMap<String, Member>,
    keys: BTreeMap<u64, Written>,
    failed: BTreeSet<(u64, u64)>,
    /// Resets to where retention has cut.
    resets_expected: u64,
    faults: u64,
    fault_ended: Option<u64>,
    quiet_since: Option<u64>,
    report: Report,
}

impl Checker {
    /// Nothing was heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event.
    pub fn hear(&mut self, event: &Event) {
        self.report.next(event.at);
        match &event.what {
            What::Terms(terms) => self.terms = terms.clone(),
            What::Acked { tp, offset, key, seq } => self.acked(tp, Seen::new(*offset, *key, *seq)),
            What::WriteFailed { key, seq } => drop(self.failed.insert((*key, *seq))),
            What::Truth { tp, offset, key, seq } => self.truth(tp, Seen::new(*offset, *key, *seq)),
            What::Final { tp, committed, end } => {
                self.partition(tp).finally = Some((*committed, *end));
            }
            What::Started { member, tp, offset, key, seq } => {
                self.started((member, tp), Seen::new(*offset, *key, *seq));
            }
            What::Done { member, tp, offset } => self.done(member, tp, *offset),
            What::GivenUp { member, tp, offset } => self.given_up(member, tp, *offset),
            What::CommitSent { member, commit, tp, offset, .. } => {
                self.commit_sent((member, tp), (*commit, *offset));
            }
            What::CommitAnswered { member, commit, tp, code } => {
                self.commit_answered((member, tp), (*commit, *code));
            }
            What::Beat { member, sent } => self.member(member).beats(*sent),
            What::Gained { member, tp, .. } => self.gained(member, tp),
            What::Draining { .. } => {}
            What::Released { member, tp } => self.released(member, tp),
            What::Lost { member, tp, cause } => self.lost(member, tp, cause),
            What::Reset { tp, to, .. } => self.reset(tp, *to),
            What::Sought { member, tp, to } => {
                let cause = format!("{member} was told to go back");
                self.partition(tp).seek(member, (event.at, *to), cause);
            }
            What::Directed { member, tp, word } => self.directed((member, tp), *word),
            What::Parked { member, tp, parked } => self.parked((member, tp), *parked),
            What::Trimmed { tp, before } => self.partition(tp).trim(*before),
            What::Held { member, bytes, most } => {
                work::b10_within_budget(member, (*bytes, *most), &mut self.report);
            }
            What::Killed { member } => self.killed(member),
            What::Paused { member } => self.paused(member),
            What::Resumed { member } => self.member(member).is_paused = false,
            What::FaultBegins { .. } => self.fault_begins(),
            What::FaultEnds { .. } => self.fault_ends(),
            What::QuietBegins => self.quiet_since = Some(event.at),
            What::QuietEnds => self.quiet_ends(),
        }
    }

    /// What is to be said of all that was heard.
    #[must_use]
    pub fn conclude(mut self, needs: &Needs) -> Verdict {
        for (tp, partition) in &self.partitions {
            log::a1_acked_is_there(tp, partition, &mut self.report);
            work::b1_nothing_lost(tp, partition, &mut self.report);
            work::b1_commits_cover_done_work(tp, partition, &mut self.report);
            work::b9_all_done_at_rest(tp, partition, &mut self.report);
            if partition.finally.is_none() && !partition.cells.is_empty() {
                self.report.refuse("the history ends without telling what is committed");
            }
        }
        let expected = self.terms.resets.saturating_add(self.resets_expected);
        work::b7_resets_are_expected(expected, &mut self.report);
        self.report.conclude(needs)
    }

    fn partition(&mut self, tp: &str) -> &mut Partition {
        self.partitions.entry(tp.to_owned()).or_default()
    }

    fn member(&mut self, name: &str) -> &mut Member {
        self.members.entry(name.to_owned()).or_default()
    }

    /// Whether something outside of the client may explain that it loses a partition now.
    fn reason(&self, member: &str) -> Reason {
        let grace = millis(self.terms.grace_ms);
        let felt = self.fault_ended.is_some_and(|ended| self.report.at < ended + grace);
        let member = self.members.get(member);
        let is_out = member.is_some_and(|it| it.is_out(self.report.at, &self.terms));
        if self.faults != 0 || felt || is_out { Reason::Outside } else { Reason::Unknown }
    }
}

/// The log.
impl Checker {
    fn acked(&mut self, tp: &str, seen: Seen) {
        self.report.figures.acked += 1;
        let at = self.report.at;
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        log::a5_one_value(tp, partition, seen, &mut self.report);
        partition.acked(seen.offset, at);
    }

    fn truth(&mut self, tp: &str, seen: Seen) {
        self.report.figures.records += 1;
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        let written = self.keys.entry(seen.key).or_default();
        log::a1_value_is_there(tp, partition, seen, &mut self.report);
        log::a2_failed_is_absent(tp, &self.failed, seen, &mut self.report);
        log::a3_once(tp, written, seen, &mut self.report);
        log::a4_in_order(tp, written, seen, &mut self.report);
        work::b2_true_values_delivered(tp, partition, seen, &mut self.report);
        written.note(seen.seq);
        partition.cells.at(seen.offset).set(Mark::Truth);
    }
}

/// Handlers.
impl Checker {
    fn started(&mut self, (member, tp): (&str, &str), seen: Seen) {
        let why_not =
            self.members.get(member).and_then(|it| it.why_not(self.report.at, &self.terms));
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        log::a5_one_value(tp, partition, seen, &mut self.report);
        partition.cells.at(seen.offset).set(Mark::Started);
        partition.notice_seek(member, seen.offset);
        let who = Who { member, tp };
        let reaction = self.report.at.saturating_sub(millis(self.terms.reaction_ms));
        if self.terms.reaction_ms == 0 || !partition.just_lost(member, reaction) {
            work::b5_starts_while_owned(who, why_not, (partition, seen), &mut self.report);
        }
        directed::b5_parked_is_left_alone(who, (partition, seen.offset), &mut self.report);
        work::b4_key_in_order(who, self.terms.order, (partition, seen), &mut self.report);
        partition.begin_run(member, seen);
    }

    fn done(&mut self, member: &str, tp: &str, offset: i64) {
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        let Some(run) = partition.end_run(member, offset) else {
            return self.report.refuse("done without a start");
        };
        let terms = &self.terms;
        work::b3_done_once(tp, terms, (partition, offset, run), &mut self.report);
        work::b8_no_stall(tp, terms, (partition, self.quiet_since), &mut self.report);
        partition.done((offset, run), self.report.at, self.report.figures.events);
    }

    fn given_up(&mut self, member: &str, tp: &str, offset: i64) {
        match self.partition(tp).end_run(member, offset) {
            // What somebody gives up who lost it is in nobody's order any more.
            Some(_) if self.partition(tp).is_others(member) => {}
            Some(run) => self.partition(tp).step_back(run),
            None => self.report.refuse("given up without a start"),
        }
    }
}

/// Commits.
impl Checker {
    fn commit_sent(&mut self, (member, tp): (&str, &str), (commit, offset): (u64, i64)) {
        self.report.figures.commits += 1;
        let (event, at) = (self.report.figures.events, self.report.at);
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        let who = Who { member, tp };
        directed::b5_handed_over_is_not_committed(who, (partition, offset), &mut self.report);
        if partition.claims.last().is_none_or(|claim| claim.offset < offset) {
            partition.claims.push(Claim { event, at, offset });
        }
        let other = partition.owner.clone().filter(|owner| owner != member);
        let offset = partition.says(member, at, offset);
        let in_flight = InFlight { offset, floor: partition.stored, owned_by_other: other };
        partition.in_flight.insert((member.to_owned(), commit), in_flight);
    }

    fn commit_answered(&mut self, (member, tp): (&str, &str), (commit, code): (u64, i16)) {
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        let Some(sent) = partition.in_flight.remove(&(member.to_owned(), commit)) else {
            return self.report.refuse("an answer to a commit that was not sent");
        };
        if code != 0 {
            return;
        }
        let who = Who { member, tp };
        work::b5_commits_while_owned(who, &sent, &mut self.report);
        work::b6_committed_never_falls(who, &sent, &mut self.report);
        partition.stored = partition.stored.max(Some(sent.offset));
    }
}

/// Who owns what.
impl Checker {
    fn gained(&mut self, member: &str, tp: &str) {
        self.report.figures.gains += 1;
        let owner = self.partitions.get(tp).and_then(|it| it.owner.clone());
        if let Some(owner) = owner.filter(|owner| owner != member) {
            let reason = self.reason(&owner);
            work::b5_given_to_one(Who { member, tp }, &owner, reason, &mut self.report);
            self.unclean(tp, format!("{owner} was replaced"), reason);
        }
        let at = self.report.at;
        let is_move = self.partition(tp).gain(member, at);
        self.report.figures.moves += u64::from(is_move);
    }

    /// A last commit that did not get through for a reason outside makes the loss an unclean one.
    fn released(&mut self, member: &str, tp: &str) {
        let reason = self.reason(member);
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        if partition.owner.as_deref() == Some(member) {
            work::b5_gives_back_at_rest(Who { member, tp }, partition, &mut self.report);
            if partition.is_in_disorder() || partition.is_leaving_uncommitted() {
                let cause = format!("{member} gave back what it was to park, in disorder");
                return self.unclean(tp, cause, Reason::Outside);
            }
            if reason == Reason::Outside && partition.is_uncommitted() {
                let cause = format!("{member} gave back uncommitted work during a fault");
                return self.unclean(tp, cause, reason);
            }
            partition.leave(self.report.at);
        }
    }

    fn lost(&mut self, member: &str, tp: &str, cause: &str) {
        if self.partition(tp).owner.as_deref() == Some(member) {
            let reason = self.reason(member);
            self.unclean(tp, cause.to_owned(), reason);
        }
    }

    fn directed(&mut self, (member, tp): (&str, &str), word: Word) {
        let at = self.report.at;
        self.partition(tp).direct(member, at, word);
    }

    /// What is parked in disorder is done again in part when it goes on.
    fn parked(&mut self, (member, tp): (&str, &str), parked: Parked) {
        let partition = self.partitions.entry(tp.to_owned()).or_default();
        if partition.is_owned_by(member) {
            directed::b9_parked_is_at_rest(Who { member, tp }, parked, partition, &mut self.report);
            partition.park(self.report.at, parked, format!("{member} parked it in disorder"));
        }
    }

    fn unclean(&mut self, tp: &str, cause: String, reason: Reason) {
        self.report.figures.unclean_losses += 1;
        let at = self.report.at;
        // A fault that goes on, or has just ended, may have kept every commit back.
        let is_felt = self.faults != 0
            || self
                .fault_ended
                .is_some_and(|ended| at < ended.saturating_add(millis(self.terms.repeats_ms)));
        let commits_until = (!is_felt).then_some(at);
        self.partition(tp).lose(cause, reason, (at, commits_until));
    }

    fn killed(&mut self, member: &str) {
        self.report.figures.kills += 1;
        self.member(member).is_gone = true;
        let owned = self.partitions.iter().filter(|(_, it)| it.owner.as_deref() == Some(member));
        let owned: Vec<_> = owned.map(|(tp, _)| tp.clone()).collect();
        for tp in owned {
            self.unclean(&tp, format!("{member} was killed"), Reason::Outside);
        }
        self.partitions.values_mut().for_each(|partition| partition.forget_runs(member));
    }
}

/// What happens outside of clients.
impl Checker {
    fn paused(&mut self, member: &str) {
        self.report.figures.pauses += 1;
        self.member(member).is_paused = true;
    }

    /// A reset to where retention has cut is what is to happen then.
    fn reset(&mut self, tp: &str, to: i64) {
        self.report.figures.resets += 1;
        let is_expected = self.partition(tp).trims.contains(&to);
        self.resets_expected += u64::from(is_expected);
    }

    const fn fault_begins(&mut self) {
        self.report.figures.faults += 1;
        self.faults += 1;
    }

    fn fault_ends(&mut self) {
        self.faults = self.faults.saturating_sub(1);
        self.fault_ended = Some(self.report.at);
    }

    fn quiet_ends(&mut self) {
        for (tp, partition) in &self.partitions {
            let now = (partition, self.quiet_since);
            work::b8_no_stall(tp, &self.terms, now, &mut self.report);
        }
        self.quiet_since = None;
    }
}

/// In nanoseconds.
pub(crate) const fn millis(millis: u64) -> u64 {
    millis.saturating_mul(1_000_000)
}
