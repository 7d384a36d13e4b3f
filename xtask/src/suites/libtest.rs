//! What did `cargo test` say? Its lines, turned into suites.

use std::collections::BTreeMap;

use super::Suite;
use crate::command::Ending;

/// Hears the lines of `cargo test` in order.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    suites: Vec<Suite>,
    /// The suite that runs and has not said its result yet.
    current: Option<String>,
}

impl Listener {
    pub(crate) fn hear(&mut self, line: &str) {
        let line = line.trim();
        if let Some(name) = started(line) {
            self.unfinished();
            self.current = Some(name);
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            let name = self.current.take().unwrap_or_default();
            self.add(result(name, counts));
        }
    }

    /// All suites; a program that failed without saying where counts as one failure.
    pub(crate) fn conclude(mut self, ending: Ending) -> Vec<Suite> {
        if ending == Ending::Bad {
            self.unfinished();
        }
        if ending == Ending::Bad && self.suites.iter().all(|suite| suite.failed == 0) {
            let name = "cargo test".to_owned();
            self.suites.push(Suite { name, failed: 1, ..Suite::default() });
        }
        self.suites
    }

    /// A doc test of one package may run twice (compiled together and alone): one row.
    fn add(&mut self, suite: Suite) {
        match self.suites.iter_mut().find(|known| known.name == suite.name) {
            Some(known) => {
                known.passed += suite.passed;
                known.failed += suite.failed;
                known.skipped += suite.skipped;
            }
            None => self.suites.push(suite),
        }
    }

    /// A suite that ended without a result crashed.
    fn unfinished(&mut self) {
        if let Some(name) = self.current.take() {
            self.add(Suite { name, failed: 1, ..Suite::default() });
        }
    }
}

/// `Running unittests src/lib.rs (target/debug/deps/forebay_core-0a1b)` or `Doc-tests forebay`.
fn started(line: &str) -> Option<String> {
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{package}, docs"));
    }
    let (what, program) = line.strip_prefix("Running ")?.split_once(" (")?;
    let program = program.trim_end_matches(')').rsplit('/').next()?;
    let krate = program.rsplit_once('-').map_or(program, |(krate, _)| krate);
    Some(match what.strip_prefix("unittests ") {
        Some("src/main.rs") => format!("{krate}, program"),
        Some(_) => krate.to_owned(),
        None => format!("{krate}, {what}"),
    })
}

/// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`
fn result(name: String, counts: &str) -> Suite {
    let count = |word: &str| {
        let part = counts.split(['.', ';']).find(|part| part.trim().ends_with(word));
        part.and_then(|part| part.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
    };
    let (passed, failed, skipped) = (count(" passed"), count(" failed"), count(" ignored"));
    Suite { name, passed, failed, skipped, left_out: BTreeMap::new() }
}
