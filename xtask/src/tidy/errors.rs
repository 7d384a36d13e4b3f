//! Does every test that `docs/errors.md` names exist, and does it speak of every error that a user
//! can see?

use super::source::Source;

/// The table of bad input: what comes in, what we say, which test shows it.
const TABLE: &str = "docs/errors.md";

pub(crate) fn problems(texts: &[Source], sources: &[Source]) -> Vec<String> {
    let Some(table) = texts.iter().find(|text| text.path == TABLE) else {
        return vec![format!("{TABLE}: missing; it lists bad input, our answer and its test")];
    };
    let rows = table.text.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    let mut problems: Vec<String> =
        rows.skip(2).filter_map(|(at, line)| row_problem(at + 1, line, sources)).collect();
    let errors = sources.iter().flat_map(public_errors);
    let untold = errors.filter(|error| !table.text.contains(&format!("`{error}`")));
    problems.extend(untold.map(|error| format!("{TABLE}: no row speaks of `{error}`")));
    problems
}

/// The errors that users see although the library does not make them, and their names there.
const RENAMED: [(&str, &str); 6] = [
    ("crates/core/src/connection/fault.rs", "ConnectionFault"),
    ("crates/core/src/orders.rs", "PartitionFault"),
    ("crates/core/src/ownership/member.rs", "GroupTrouble"),
    ("crates/core/src/ownership/assignor.rs", "AssignError"),
    ("minotaur/src/spec.rs", "SpecError"),
    ("minotaur/src/versions.rs", "VersionError"),
];
/// Where all public errors are users'.
const CLIENT: &str = "crates/client/src/";

/// `Error::Closed`, or `ConfigError` for one without variants: what a file declares for users.
fn public_errors(source: &Source) -> Vec<String> {
    let renamed = RENAMED.iter().find(|(path, _)| *path == source.path).map(|(_, name)| *name);
    if renamed.is_none() && !source.path.starts_with(CLIENT) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    let mut lines = source.text.lines();
    let mut is_error = false;
    while let Some(line) = lines.next() {
        if line.starts_with("#[derive(") {
            is_error = line.contains("Error");
        }
        let Some((kind, name)) = declared(line).filter(|_| is_error) else { continue };
        is_error = false;
        let name = renamed.unwrap_or(name);
        if kind == "struct" {
            errors.push(name.to_owned());
            continue;
        }
        let body = lines.by_ref().take_while(|line| *line != "}");
        errors.extend(body.filter_map(variant).map(|variant| format!("{name}::{variant}")));
    }
    errors
}

/// `pub enum Name` or `pub struct Name`.
fn declared(line: &str) -> Option<(&str, &str)> {
    let (kind, rest) = line.strip_prefix("pub ")?.split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    matches!(kind, "enum" | "struct").then_some((kind, rest.get(..end)?))
}

/// The variant that a line of an enum's body begins.
fn variant(line: &str) -> Option<&str> {
    let name = line.strip_prefix("    ").filter(|rest| rest.starts_with(char::is_uppercase))?;
    let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
    name.get(..end)
}

fn row_problem(at: usize, line: &str, sources: &[Source]) -> Option<String> {
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    let &[input, answer, test] = cells.as_slice() else {
        return Some(format!("{TABLE}:{at}: {} cells; input, answer, test", cells.len()));
    };
    if input.is_empty() || answer.is_empty() {
        return Some(format!("{TABLE}:{at}: an empty cell"));
    }
    let tests = names(test);
    if tests.is_empty() {
        return Some(format!("{TABLE}:{at}: no test named as `folder::test_name`"));
    }
    let missing = tests.into_iter().find(|test| !exists(test, sources))?;
    Some(format!("{TABLE}:{at}: no test `{missing}`"))
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// `client::a_sentence`: a test function `a_sentence` in a folder `client`.
fn exists(test: &str, sources: &[Source]) -> bool {
    let Some((folder, name)) = test.split_once("::") else { return false };
    let in_folder = |source: &&Source| source.path.split('/').any(|part| part == folder);
    sources.iter().filter(in_folder).any(|source| has_test(&source.text, name))
}

/// Whether `text` has a function of that name with a test attribute above it.
fn has_test(text: &str, name: &str) -> bool {
    let signature = format!("fn {name}(");
    let Some((before, _)) = text.split_once(&signature) else { return false };
    let above = before.rsplit('\n').skip(1).take(6);
    above.take_while(|line| !line.starts_with('}') && !line.trim().is_empty()).any(|line| {
        let line = line.trim();
        line.starts_with("#[") && line.contains("test")
    })
}
