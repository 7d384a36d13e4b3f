//! What is known of one partition while its history is heard?

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Standing;
use crate::cells::{Cell, Cells, Mark};
use crate::event::{Parked, Word};
use crate::rules::log::Seen;

/// How long a commit may wait for its coordinator: 10 s, in nanoseconds.
const CROSSES: u64 = 10_000_000_000;

/// A partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) cells: Cells,
    /// Who holds it now.
    pub(crate) owner: Option<String>,
    /// Who held it before.
    owner_before: Option<String>,
    /// Who lost it last, and when.
    loser: Option<(String, u64)>,
    /// Behind the last record that is done.
    done_end: i64,
    /// What somebody else than the group wants of it.
    pub(crate) standing: Standing,
    /// It was parked with work that had not ended or is not committed.
    is_in_disorder: bool,
    /// Ownerships that ended without being given back, in order.
    pub(crate) losses: Vec<Loss>,
    /// Handlers at work: by member and offset, the oldest first. There are two at one offset when
    /// the user went back while the first ran.
    running: BTreeMap<(String, i64), VecDeque<Run>>,
    /// The last record of each key that began under the present owner.
    pub(crate) begun: BTreeMap<u64, u64>,
    /// Behind the last record that began under the present owner.
    begun_end: i64,
    /// The present owner was told to go back, and what it begins is still of the time before.
    is_seeking: bool,
    /// What begins below this has gone back: the owner was beyond.
    beyond: i64,
    /// When and where to, last.
    sought: Option<(u64, i64)>,
    /// Commits that left and were higher than all before.
    pub(crate) claims: Vec<Claim>,
    /// Commits without an answer: by member and number.
    pub(crate) in_flight: BTreeMap<(String, u64), InFlight>,
    /// The highest offset that the coordinator said is stored.
    pub(crate) stored: Option<i64>,
    /// Acknowledged records that are not done.
    pub(crate) backlog: u64,
    /// Since when that has not shrunk, while there is some.
    pub(crate) waits_since: u64,
    /// Where retention has cut.
    pub(crate) trims: BTreeSet<i64>,
    /// What is committed in the end, and where the log ends.
    pub(crate) finally: Option<(i64, i64)>,
}

/// Where the reason of an unclean loss lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// A process died or slept, or brokers or the network failed.
    Outside,
    /// Nothing is known that would explain it.
    Unknown,
}

/// An unclean end of an ownership.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) cause: String,
    /// Offsets from here on may be done again because of it; `None`: it explains nothing.
    pub(crate) repeats_from: Option<i64>,
    /// Until then commits could be stored, and nothing was in their way; `None`: not to be judged.
    pub(crate) commits_until: Option<u64>,
    pub(crate) repeated: u64,
}

/// A handler at work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) key: u64,
    pub(crate) seq: u64,
    /// How many unclean losses there were when it began.
    pub(crate) life: u32,
    /// It began before its owner was told to go back.
    pub(crate) is_of_past: bool,
}

/// A commit that covered more than any before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) event: u64,
    pub(crate) at: u64,
    pub(crate) offset: i64,
}

/// A commit without an answer.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    pub(crate) offset: i64,
    /// What was stored for certain when it left.
    pub(crate) floor: Option<i64>,
    /// Who else held the partition when it left.
    pub(crate) owned_by_other: Option<String>,
}

/// Who holds it.
impl Partition {
    /// Begins an ownership; whether the one before was another's.
    pub(crate) fn gain(&mut self, member: &str, at: u64) -> bool {
        if self.owner.as_deref() == Some(member) {
            return false;
        }
        self.stand(at, Standing::Flowing);
        self.begun.clear();
        (self.begun_end, self.is_seeking) = (0, false);
        self.owner = Some(member.to_owned());
        self.owner_before.as_deref().is_some_and(|before| before != member)
    }

    /// The present ownership ends, and every directive with it.
    pub(crate) fn leave(&mut self, at: u64) {
        self.stand(at, Standing::Flowing);
        self.owner_before = self.owner.take().or_else(|| self.owner_before.take());
    }

    /// The present ownership ends without being given back.
    pub(crate) fn lose(
        &mut self,
        cause: String,
        reason: Reason,
        (at, commits_until): (u64, Option<u64>),
    ) {
        self.loser = self.owner.clone().map(|owner| (owner, at));
        let is_grounded = reason == Reason::Outside;
        let repeats_from = is_grounded.then(|| self.stored.unwrap_or(i64::MIN));
        self.losses.push(Loss { cause, repeats_from, commits_until, repeated: 0 });
        self.leave(at);
    }

    /// The owner's user wants everything from `to` on again; commits may fall to there.
    pub(crate) fn seek(&mut self, member: &str, (at, to): (u64, i64), cause: String) {
        if self.owner.as_deref() != Some(member) {
            return;
        }
        self.losses.push(Loss { cause, repeats_from: Some(to), commits_until: None, repeated: 0 });
        // Who had begun nothing yet stood at what is committed.
        let stood = self.begun_end.max(self.stored.unwrap_or(0));
        self.beyond = if self.is_seeking { self.beyond.max(stood) } else { stood };
        (self.is_seeking, self.sought) = (true, Some((at, to)));
        self.stored = self.stored.map(|stored| stored.min(to));
        for sent in self.in_flight.values_mut() {
            sent.offset = sent.offset.min(to);
            sent.floor = sent.floor.map(|floor| floor.min(to));
        }
    }

    /// How much a commit of this member says for good: what leaves before the owner has gone back
    /// may be of the time before, and so may what waited for its coordinator meanwhile; a later
    /// commit may be lower.
    pub(crate) fn says(&self, member: &str, at: u64, offset: i64) -> i64 {
        let owner = self.owner.as_deref() == Some(member);
        let Some((since, to)) = self.sought.filter(|_| owner) else { return offset };
        let is_of_past = self.is_seeking || at < since.saturating_add(CROSSES);
        if is_of_past { offset.min(to) } else { offset }
    }

    /// The first record that begins again shows that the owner has gone back. What still runs of
    /// the time before is in nobody's way.
    pub(crate) fn notice_seek(&mut self, member: &str, offset: i64) {
        let is_owner = self.owner.as_deref() == Some(member);
        if is_owner && self.is_seeking && offset < self.beyond.max(self.begun_end) {
            self.is_seeking = false;
            self.begun.clear();
            self.begun_end = 0;
            self.running.values_mut().flatten().for_each(|run| run.is_of_past = true);
        }
    }

    pub(crate) fn is_owned_by(&self, member: &str) -> bool {
        self.owner.as_deref() == Some(member)
    }

    /// Whether somebody else than this member holds it.
    pub(crate) fn is_others(&self, member: &str) -> bool {
        self.owner.as_deref().is_some_and(|owner| owner != member)
    }

    /// Whether this member lost it so shortly before that it may not have heard.
    pub(crate) fn just_lost(&self, member: &str, since: u64) -> bool {
        self.loser.as_ref().is_some_and(|(loser, at)| loser == member && since <= *at)
    }

    /// Whether something before `position` is done and not known to be stored.
    pub(crate) fn is_open_at(&self, position: i64) -> bool {
        self.stored.unwrap_or(0) < position.min(self.done_end)
    }

    /// Whether an owner was ever told to go back.
    pub(crate) const fn was_sought(&self) -> bool {
        self.sought.is_some()
    }

    /// Whether something is done and not known to be stored.
    pub(crate) fn is_uncommitted(&self) -> bool {
        self.stored.unwrap_or(0) < self.done_end
    }
}

/// What somebody else than the group wants of it.
impl Partition {
    /// Who owns it was told this.
    pub(crate) fn direct(&mut self, member: &str, at: u64, word: Word) {
        if !self.is_owned_by(member) {
            return;
        }
        let mut standing = self.standing;
        standing.hear(word);
        self.stand(at, standing);
        if self.standing.is_handed_over() && self.is_in_disorder {
            let cause = format!("{member} handed it over in disorder");
            self.repeat(self.stored.unwrap_or(i64::MIN), cause);
        }
    }

    /// It is parked. What had not ended, or was not committed, is done again when it goes on: where
    /// it stood, or, from others' hands, at what is committed.
    pub(crate) fn park(&mut self, at: u64, parked: Parked, cause: String) {
        let mut standing = self.standing;
        let goes_to_others = standing.park();
        self.is_in_disorder = !parked.is_clean;
        if self.is_in_disorder {
            let stored = self.stored.unwrap_or(i64::MIN);
            let position = parked.position.unwrap_or(i64::MIN);
            let from = if goes_to_others { stored.min(position) } else { position };
            self.repeat(from, cause);
        }
        self.stand(at, standing);
    }

    /// The owner begins again here: what was done from there on may be done again.
    fn repeat(&mut self, from: i64, cause: String) {
        let repeats_from = Some(from);
        self.losses.push(Loss { cause, repeats_from, commits_until: None, repeated: 0 });
        self.begun.clear();
        self.begun_end = 0;
    }

    /// What has to go on has so from now on.
    fn stand(&mut self, at: u64, standing: Standing) {
        if self.standing.is_still() && !standing.is_still() {
            self.waits_since = self.waits_since.max(at);
        }
        self.is_in_disorder &= standing != Standing::Flowing;
        self.standing = standing;
    }

    /// Whether its owner was told to park it by a time, and it goes elsewhere before it is committed.
    pub(crate) fn is_leaving_uncommitted(&self) -> bool {
        self.standing.is_leaving() && self.is_uncommitted()
    }

    /// Whether its owner was told to give it out of hand and could not do so in good order.
    pub(crate) const fn is_in_disorder(&self) -> bool {
        self.is_in_disorder
    }
}

/// Handlers at work.
impl Partition {
    pub(crate) fn begin_run(&mut self, member: &str, seen: Seen) {
        // What a loser still starts belongs to the time before.
        let is_owner = self.owner.as_deref() == Some(member);
        let is_late = if is_owner { self.is_seeking } else { self.just_lost(member, 0) };
        let life = self.losses.len().saturating_sub(usize::from(is_late));
        let life = u32::try_from(life).unwrap_or(u32::MAX);
        let run = Run { key: seen.key, seq: seen.seq, life, is_of_past: false };
        self.begun_end = self.begun_end.max(seen.offset.saturating_add(1));
        self.running.entry((member.to_owned(), seen.offset)).or_default().push_back(run);
        self.begun.insert(seen.key, seen.seq);
    }

    pub(crate) fn end_run(&mut self, member: &str, offset: i64) -> Option<Run> {
        let at = (member.to_owned(), offset);
        let runs = self.running.get_mut(&at)?;
        let run = runs.pop_front();
        if runs.is_empty() {
            self.running.remove(&at);
        }
        run
    }

    /// A run ended without being done: it may begin again.
    pub(crate) fn step_back(&mut self, run: Run) {
        self.is_in_disorder |= self.standing.is_leaving();
        match run.seq.checked_sub(1) {
            // What began since its owner went back knows nothing of it.
            _ if run.is_of_past => {}
            Some(before) => drop(self.begun.insert(run.key, before)),
            None => drop(self.begun.remove(&run.key)),
        }
    }

    /// Handlers of this member are gone with it.
    pub(crate) fn forget_runs(&mut self, member: &str) {
        self.running.retain(|(name, _), _| name != member);
    }

    /// An offset at which a handler of this member is at work.
    pub(crate) fn at_work(&self, member: &str) -> Option<i64> {
        self.running.keys().find(|(name, _)| name == member).map(|(_, offset)| *offset)
    }

    /// An offset at which a handler of this member works on this key.
    pub(crate) fn at_work_on(&self, member: &str, key: u64) -> Option<i64> {
        let mut of_member = self.running.iter().filter(|((name, _), _)| name == member);
        let run =
            of_member.find(|(_, runs)| runs.iter().any(|run| run.key == key && !run.is_of_past));
        run.map(|((_, offset), _)| *offset)
    }
}

/// How far it is.
impl Partition {
    pub(crate) fn acked(&mut self, offset: i64, at: u64) {
        let cell = self.cells.at(offset);
        let is_new = !cell.is_done() && !cell.has(Mark::Acked);
        cell.set(Mark::Acked);
        let is_new = is_new && !self.is_trimmed(offset);
        if is_new && self.backlog == 0 {
            self.waits_since = at;
        }
        self.backlog += u64::from(is_new);
    }

    pub(crate) fn done(&mut self, (offset, run): (i64, Run), at: u64, event: u64) {
        self.done_end = self.done_end.max(offset.saturating_add(1));
        let cell = self.cells.at(offset);
        cell.life = cell.life.max(run.life);
        // How old work is that a loss repeats counts from when it was done last.
        cell.done_time = at;
        self.waits_since = at;
        if cell.is_done() {
            return;
        }
        cell.done_at = event;
        if cell.has(Mark::Acked) && !self.is_trimmed(offset) {
            self.backlog = self.backlog.saturating_sub(1);
        }
    }

    /// Records before this are deleted: nobody has to do them.
    pub(crate) fn trim(&mut self, before: i64) {
        self.trims.insert(before);
        let open = |cell: &Cell| cell.has(Mark::Acked) && !cell.is_done();
        let left = self.cells.iter().filter(|(offset, cell)| before <= *offset && open(cell));
        self.backlog = left.count() as u64;
    }

    /// Whether retention has deleted it.
    pub(crate) fn is_trimmed(&self, offset: i64) -> bool {
        self.trims.last().is_some_and(|before| offset < *before)
    }

    /// The first commit that covered this offset.
    pub(crate) fn first_claim(&self, offset: i64) -> Option<Claim> {
        let at = self.claims.partition_point(|claim| claim.offset <= offset);
        self.claims.get(at).copied()
    }
}
