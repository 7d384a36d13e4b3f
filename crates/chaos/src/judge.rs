//! What is to be said of the history of a slice?

use std::path::{Path, PathBuf};

use forebay_histcheck::{Checker, History, Needs, What};

use crate::fault::Fault;
use crate::marks::{Done, Mark, Marks};
use crate::outcome::Outcome;
use crate::pulse::Awake;
use crate::stalls::Stalls;

/// What must have happened: at least one of each.
const NEEDS: Needs = Needs { records: 1_000, moves: 1, kills: 1, faults: 3 };

/// Judges the history in the folder, and notes the verdict and the stalls.
pub(crate) fn judge(folder: &Path, outcome: &mut Outcome) -> Result<(), Fault> {
    let (mut checker, mut stalls) = (Checker::new(), Stalls::default());
    let mut marks = Marks::of(folder).read()?;
    let mut awake = Awake::new(marks.iter().filter_map(still).collect());
    for event in History::open(files(folder)?)? {
        let mut event = event?;
        event.at = awake.next(event.at);
        if let What::Beat { sent, .. } = &mut event.what {
            *sent = awake.map(*sent);
        }
        checker.hear(&event);
        stalls.hear(&event);
    }
    outcome.verdict = checker.conclude(&NEEDS);
    for mark in &mut marks {
        mark.at = awake.map(mark.at);
        if let Done::Nothing { until } = &mut mark.what {
            *until = awake.map(*until);
        }
    }
    let (times, seconds) = awake.stood_still();
    outcome.counts.insert("times the machine stood still".to_owned(), times);
    outcome.counts.insert("seconds the machine stood still".to_owned(), seconds);
    for (price, samples) in stalls.samples(&marks) {
        outcome.stalls.insert(price.name().to_owned(), samples.stalls);
        outcome.control.insert(price.name().to_owned(), samples.control);
    }
    Ok(())
}

fn still(mark: &Mark) -> Option<(u64, u64)> {
    let Done::StoodStill { until } = mark.what else { return None };
    Some((mark.at, until))
}

/// The files of events. What handlers noted comes before what was seen on the wire at the same
/// time.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(Fault::file(folder))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_history = |path: &PathBuf| path.extension().is_some_and(|it| it == "events");
    let mut paths: Vec<_> = paths.filter(is_history).collect();
    paths.sort_by_key(|path| (path.ends_with(crate::slice::WIRE), path.clone()));
    Ok(paths)
}

/// Removes what is large.
pub(crate) fn forget(folder: &Path) -> Result<(), Fault> {
    for path in files(folder)? {
        std::fs::remove_file(&path).map_err(Fault::file(&path))?;
    }
    Ok(())
}
