//! What did the stories runner say? Its JSON, turned into a suite.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::Suite;
use crate::command::Ending;
use crate::fault::Fault;

/// Runs the stories; their progress goes to the terminal, their verdicts come as JSON.
pub(crate) fn run(command: &mut Command) -> Result<Suite, Fault> {
    command.stderr(Stdio::inherit()).stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|source| Fault::NotStarted { command: "forebay-stories".to_owned(), source })?;
    let verdicts = serde_json::from_slice(&output.stdout)
        .map_err(|source| Fault::Json { what: "the output of forebay-stories", source })?;
    Ok(suite(&verdicts, Ending::of(output.status)))
}

/// Each cell, a story on a broker, counts as one test.
pub(crate) fn suite(verdicts: &Value, ending: Ending) -> Suite {
    let mut suite = Suite { name: "stories × brokers".to_owned(), ..Suite::default() };
    let cells = verdicts.get("cells").and_then(Value::as_array);
    for cell in cells.into_iter().flatten() {
        count(&mut suite, cell);
    }
    // The runner may fail as a whole: a story that runs on one broker only, no story at all.
    if ending == Ending::Bad && suite.failed == 0 && suite.left_out.is_empty() {
        suite.failed = 1;
    }
    suite
}

fn count(suite: &mut Suite, cell: &Value) {
    let text = |key: &str| cell.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("verdict") {
        "pass" => suite.passed += 1,
        "not offered" => suite.skipped += 1,
        "left out" => {
            suite.skipped += 1;
            *suite.left_out.entry(text("detail").to_owned()).or_default() += 1;
        }
        _ => suite.failed += 1,
    }
}
