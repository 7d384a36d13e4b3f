//! What is to be said of the history of a slice?

use std::path::{Path, PathBuf};

use forebay_histcheck::{Checker, History, Needs};

use crate::fault::Fault;
use crate::marks::Marks;
use crate::outcome::Outcome;
use crate::stalls::Stalls;

/// What must have happened: at least one of each.
const NEEDS: Needs = Needs { records: 1_000, moves: 1, kills: 1, faults: 3 };

/// Judges the history in the folder, and notes the verdict and the stalls.
pub(crate) fn judge(folder: &Path, outcome: &mut Outcome) -> Result<(), Fault> {
    let (mut checker, mut stalls) = (Checker::new(), Stalls::default());
    for event in History::open(files(folder)?)? {
        let event = event?;
        checker.hear(&event);
        stalls.hear(&event);
    }
    outcome.verdict = checker.conclude(&NEEDS);
    for (price, samples) in stalls.samples(&Marks::of(folder).read()?) {
        outcome.stalls.insert(price.name().to_owned(), samples.stalls);
        outcome.control.insert(price.name().to_owned(), samples.control);
    }
    Ok(())
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
