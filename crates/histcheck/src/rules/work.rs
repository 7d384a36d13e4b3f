//! Rules B: did the group do all of it, in order, once unless a loss explains more, and only what
//! it owned?

use crate::cells::Mark;
use crate::checker::{InFlight, Partition, Reason, Report, Run, millis};
use crate::event::{Order, Terms};
use crate::rules::log::Seen;
use crate::verdict::Rule;

/// Who does something with what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub(crate) member: &'a str,
    pub(crate) tp: &'a str,
}

/// B1: everything below what is committed in the end is done.
pub(crate) fn b1_nothing_lost(tp: &str, partition: &Partition, report: &mut Report) {
    let Some((committed, _)) = partition.finally else { return };
    let records = partition.cells.iter().filter(|(_, cell)| cell.has(Mark::Truth));
    for (offset, cell) in records {
        if cell.is_done() {
            report.figures.done += 1;
        } else if offset < committed {
            report.figures.lost += 1;
            report.broke(Rule::B1, format!("{offset} of {tp} was lost: {committed} is committed"));
        }
    }
}

/// B1 at each moment: when a commit leaves, all that it covers is done. Judged in the end, since
/// only then is it known which offsets hold records.
pub(crate) fn b1_commits_cover_done_work(tp: &str, partition: &Partition, report: &mut Report) {
    let records = partition.cells.iter().filter(|(_, cell)| cell.has(Mark::Truth));
    for (offset, cell) in records {
        let Some(claim) = partition.first_claim(offset) else { return };
        if !cell.is_done() || claim.event < cell.done_at {
            report.figures.unsafe_commits += 1;
            let text = format!(
                "event {} at {} ns committed {} of {tp} while {offset} was not done",
                claim.event, claim.at, claim.offset
            );
            report.broke(Rule::B1Commit, text);
        }
    }
}

/// B2: handlers got what the log holds.
pub(crate) fn b2_true_values_delivered(
    tp: &str,
    partition: &mut Partition,
    seen: Seen,
    report: &mut Report,
) {
    let cell = partition.cells.at(seen.offset);
    // Where a value was acknowledged too, A5 has compared the two.
    if cell.has(Mark::Started) && !cell.has(Mark::Acked) && cell.value != seen.value() {
        let Seen { offset, key, seq } = seen;
        report.broke(
            Rule::B2,
            format!("{tp} holds {seq} of key {key} at {offset}, a handler got another value"),
        );
    }
}

/// B3: a record is done again only when an unclean loss lies between the two runs and it was not
/// committed by then; and one loss repeats no more than the terms allow.
pub(crate) fn b3_done_once(
    tp: &str,
    terms: &Terms,
    (partition, offset, run): (&mut Partition, i64, Run),
    report: &mut Report,
) {
    let cell = *partition.cells.at(offset);
    if !cell.is_done() {
        return;
    }
    report.figures.duplicates += 1;
    let (first, last) = (cell.life.min(run.life), cell.life.max(run.life));
    let (first, last) = (usize::try_from(first), usize::try_from(last));
    let between = first.ok().zip(last.ok()).and_then(|(first, last)| {
        let losses = partition.losses.get_mut(first..last)?;
        losses.iter_mut().find(|loss| loss.repeats_from.is_some_and(|from| from <= offset))
    });
    let Some(loss) = between else {
        report.figures.unexplained += 1;
        return report.broke(Rule::B3, format!("{offset} of {tp} was done again for no reason"));
    };
    loss.repeated += 1;
    let was_to_be_stored = cell.done_time.saturating_add(millis(terms.repeats_ms));
    if terms.repeats_ms != 0 && loss.commits_until.is_some_and(|until| was_to_be_stored < until) {
        let text = format!("{offset} of {tp} was done again: it was to be committed by then");
        report.broke(Rule::B3, text);
    }
    *report.figures.explained_by.entry(loss.cause.clone()).or_default() += 1;
    if terms.repeats != 0 && loss.repeated == terms.repeats + 1 {
        let text = format!("{} repeats more than {} records of {tp}", loss.cause, terms.repeats);
        report.broke(Rule::B3, text);
    }
}

/// B4: under one owner the records of a key run one after another, as written.
pub(crate) fn b4_key_in_order(
    Who { member, tp }: Who<'_>,
    order: Order,
    (partition, seen): (&Partition, Seen),
    report: &mut Report,
) {
    let Seen { offset, key, seq } = seen;
    let beside = partition.at_work_on(member, key);
    let after = partition.begun.get(&key).filter(|last| seq <= **last);
    let text = match (order, beside, after) {
        (Order::None, ..) | (_, None, None) => return,
        (_, Some(other), _) => {
            format!("{member} started {offset} of {tp} while {other} of the same key ran")
        }
        (_, None, Some(last)) => {
            format!("{member} started {offset} of {tp}, {seq} of key {key}, after {last}")
        }
    };
    report.figures.order_breaks += 1;
    report.broke(Rule::B4, text);
}

/// B5, handlers: none starts at a member that does not own the partition.
pub(crate) fn b5_starts_while_owned(
    Who { member, tp }: Who<'_>,
    why_not: Option<&str>,
    (partition, seen): (&Partition, Seen),
    report: &mut Report,
) {
    // Fixed assignment: nobody is given anything.
    if report.figures.gains == 0 {
        return;
    }
    let offset = seen.offset;
    let owner = partition.owner.as_deref();
    let reason = match why_not {
        Some(reason) => reason.to_owned(),
        None if owner == Some(member) => return,
        None => format!("{} owns it", owner.unwrap_or("nobody")),
    };
    report.figures.zombies += 1;
    report.broke(Rule::B5, format!("{member} started {offset} of {tp}: {reason}"));
}

/// B5, commits: what left when another owned the partition is not stored.
pub(crate) fn b5_commits_while_owned(
    Who { member, tp }: Who<'_>,
    sent: &InFlight,
    report: &mut Report,
) {
    if let Some(owner) = &sent.owned_by_other {
        report.figures.zombies += 1;
        let offset = sent.offset;
        let text = format!("a commit of {member}, {offset} of {tp}, was stored: {owner} owned it");
        report.broke(Rule::B5, text);
    }
}

/// B5, the coordinator: a partition is given to one member only, unless another is silent.
pub(crate) fn b5_given_to_one(
    Who { member, tp }: Who<'_>,
    owner: &str,
    reason: Reason,
    report: &mut Report,
) {
    if reason == Reason::Unknown {
        report.broke(Rule::B5, format!("{tp} was given to {member} while {owner} owned it"));
    }
}

/// B5, the way back: what is given back in good order is at rest.
pub(crate) fn b5_gives_back_at_rest(
    Who { member, tp }: Who<'_>,
    partition: &Partition,
    report: &mut Report,
) {
    if let Some(offset) = partition.at_work(member) {
        report.broke(Rule::B5, format!("{member} gave {tp} back while {offset} was running"));
    }
}

/// B6: the committed offset never falls. Only what was stored before a commit left is certain to be
/// older.
pub(crate) fn b6_committed_never_falls(
    Who { member, tp }: Who<'_>,
    sent: &InFlight,
    report: &mut Report,
) {
    if let Some(floor) = sent.floor.filter(|floor| sent.offset < *floor) {
        report.figures.regressions += 1;
        let offset = sent.offset;
        report.broke(Rule::B6, format!("{member} committed {offset} of {tp} after {floor}"));
    }
}

/// B7: positions are reset as often as the terms expect.
pub(crate) fn b7_resets_are_expected(expected: u64, report: &mut Report) {
    let found = report.figures.resets;
    if found != expected {
        report.broke(Rule::B7, format!("{found} resets, expected {expected}"));
    }
}

/// B8: in quiet times a partition with backlog does not stand still for longer than the terms say,
/// unless it was told to.
pub(crate) fn b8_no_stall(
    tp: &str,
    terms: &Terms,
    (partition, quiet_since): (&Partition, Option<u64>),
    report: &mut Report,
) {
    let has_to_go_on = partition.backlog != 0 && !partition.standing.is_still();
    let Some(quiet_since) = quiet_since.filter(|_| has_to_go_on) else { return };
    let stall = report.at.saturating_sub(partition.waits_since.max(quiet_since));
    report.figures.longest_stall = report.figures.longest_stall.max(stall);
    if terms.stall_ms != 0 && millis(terms.stall_ms) < stall {
        let (stall, bound) = (stall / 1_000_000, terms.stall_ms);
        report
            .broke(Rule::B8, format!("{tp} stood still for {stall} ms, at most {bound} expected"));
    }
}

/// B9: at rest all is done, and all is committed.
pub(crate) fn b9_all_done_at_rest(tp: &str, partition: &Partition, report: &mut Report) {
    let Some((committed, end)) = partition.finally else { return };
    let records = partition.cells.iter().filter(|(_, cell)| cell.has(Mark::Truth));
    let mut open = records.filter(|(offset, cell)| committed <= *offset && !cell.is_done());
    let text = match open.next() {
        Some((offset, _)) => format!("{offset} of {tp} was never done"),
        None if committed != end => format!("{committed} of {tp} is committed, {end} is its end"),
        None => return,
    };
    report.broke(Rule::B9, text);
}

/// B10: a member holds no more memory than it may.
pub(crate) fn b10_within_budget(member: &str, (bytes, most): (u64, u64), report: &mut Report) {
    report.figures.held_most = report.figures.held_most.max(bytes);
    if most < bytes {
        report.broke(Rule::B10, format!("{member} held {bytes} bytes, {most} at most expected"));
    }
}
