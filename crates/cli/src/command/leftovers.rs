//! What was left when a consumer ended?

use std::io::Write;

use forebay::Summary;

/// Says on standard error what did not end in order; nothing when all did.
pub(super) fn tell(summary: &Summary) {
    let mut out = std::io::stderr().lock();
    if summary.unfinished != 0 {
        let left = summary.unfinished;
        writeln!(out, "left: {left} records still ran at the deadline; they will be seen again")
            .ok();
    }
    for partition in &summary.partitions {
        if let Some(error) = &partition.error {
            writeln!(out, "left: {error}").ok();
        }
        let (done, committed) = (partition.frontier, partition.committed);
        if let (Some(done), Some(committed)) = (done, committed)
            && committed < done
        {
            let tp = &partition.tp;
            writeln!(out, "left: {tp} is done up to {done} and committed up to {committed}").ok();
        }
    }
}
