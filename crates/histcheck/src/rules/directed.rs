//! What may be done with a partition that somebody else than the group wants parked?

use super::work::Who;
use crate::checker::{Partition, Report};
use crate::event::Parked;
use crate::verdict::Rule;

/// B5: nothing of what is parked starts.
pub(crate) fn b5_parked_is_left_alone(
    Who { member, tp }: Who<'_>,
    (partition, offset): (&Partition, i64),
    report: &mut Report,
) {
    if partition.is_owned_by(member) && partition.standing.is_parked() {
        report.figures.zombies += 1;
        report.broke(Rule::B5, format!("{member} started {offset} of {tp}: it was parked"));
    }
}

/// B5: nothing is committed of what others go on with, unless it was said that the last commit was
/// still on its way.
pub(crate) fn b5_handed_over_is_not_committed(
    Who { member, tp }: Who<'_>,
    (partition, offset): (&Partition, i64),
    report: &mut Report,
) {
    let is_over = partition.standing.is_handed_over() && !partition.is_in_disorder();
    if partition.is_owned_by(member) && is_over {
        report.figures.zombies += 1;
        report.broke(Rule::B5, format!("{member} committed {offset} of {tp}: it was handed over"));
    }
}

/// B5 and B9: what is said to be parked in good order is at rest, and committed.
pub(crate) fn b9_parked_is_at_rest(
    Who { member, tp }: Who<'_>,
    parked: Parked,
    partition: &Partition,
    report: &mut Report,
) {
    if let Some(offset) = partition.at_work(member).filter(|_| parked.is_clean) {
        report.broke(Rule::B5, format!("{member} parked {tp} while {offset} was running"));
    }
    let position = parked.position.filter(|_| parked.is_clean && !partition.was_sought());
    if let Some(position) = position.filter(|position| partition.is_open_at(*position)) {
        let text = format!("{member} parked {tp} at {position}, which was not committed");
        report.broke(Rule::B9, text);
    }
}
