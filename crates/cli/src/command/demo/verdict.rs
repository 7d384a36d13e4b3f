//! Did it keep its promises? Each is checked against somebody else's word: the bits that handlers
//! set, the offsets that the broker tells, the peak that the budget remembers.

use std::collections::BTreeMap;

use forebay::admin::OffsetSpec;
use serde::Serialize;

use super::Stage;
use super::check::Check;
use super::read::Reading;
use crate::error::CliError;
use crate::output;

/// One promise.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) is_kept: bool,
    pub(super) found: String,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Verdict(pub(super) Vec<Promise>);

impl Verdict {
    /// Asks everybody.
    pub(super) async fn reach(
        stage: &Stage,
        check: &Check,
        records: u64,
        reading: &Reading,
    ) -> Result<Self, CliError> {
        Ok(Self(vec![
            once(check, records),
            in_order(check),
            committed(stage, records).await?,
            within_budget(reading),
            ended(reading),
        ]))
    }

    pub(super) fn has_passed(&self) -> bool {
        self.0.iter().all(|promise| promise.is_kept)
    }
}

fn once(check: &Check, records: u64) -> Promise {
    let it = check.findings();
    let (count, all) = (output::count(it.unique), output::count(records));
    Promise {
        name: "every record exactly once",
        is_kept: it.unique == records && it.repeated == 0 && it.damaged == 0,
        found: format!("{count} of {all}, {} repeated, {} damaged", it.repeated, it.damaged),
    }
}

fn in_order(check: &Check) -> Promise {
    let misplaced = check.findings().misplaced;
    Promise {
        name: "order within each partition",
        is_kept: misplaced == 0,
        found: format!("{misplaced} out of place"),
    }
}

/// Compares what the group has committed with where the logs end, both asked from the broker.
async fn committed(stage: &Stage, records: u64) -> Result<Promise, CliError> {
    let ends = stage.admin.list_offsets(&stage.partitions, OffsetSpec::Latest).await?;
    let ends: BTreeMap<_, _> =
        ends.into_iter().map(|(tp, end)| end.map(|end| (tp, end))).collect::<Result<_, _>>()?;
    let committed = stage.admin.committed_offsets(&stage.group, &stage.partitions).await?;
    let is_at_end = |tp| {
        let (end, committed) = (ends.get(tp), committed.get(tp));
        // Nothing is committed where there was nothing to read.
        end.map(|it| it.offset.0) == Some(committed.map_or(0, |it| it.position.0))
    };
    let equal = stage.partitions.iter().filter(|tp| is_at_end(tp)).count();
    let written: i64 = ends.values().map(|it| it.offset.0).sum();
    let all = stage.partitions.len();
    Ok(Promise {
        name: "committed offsets are the ends",
        is_kept: equal == all && u64::try_from(written) == Ok(records),
        found: format!("{equal} of {all} partitions, asked from the broker"),
    })
}

fn within_budget(reading: &Reading) -> Promise {
    let (peak, budget) = (reading.stats.held_bytes_peak, reading.stats.budget_bytes);
    Promise {
        name: "memory within the budget",
        is_kept: peak <= budget,
        found: format!("peak {} of {}", output::bytes(peak), output::bytes(budget)),
    }
}

fn ended(reading: &Reading) -> Promise {
    let left = reading.summary.unfinished;
    Promise {
        name: "an end in order",
        is_kept: reading.summary.is_clean(),
        found: format!("{left} records left behind"),
    }
}
