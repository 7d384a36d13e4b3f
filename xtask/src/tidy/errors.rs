//! Does every test that `docs/errors.md` names exist?

use super::source::Source;

/// The table of bad input: what comes in, what we say, which test shows it.
const TABLE: &str = "docs/errors.md";

pub(crate) fn problems(texts: &[Source], sources: &[Source]) -> Vec<String> {
    let Some(table) = texts.iter().find(|text| text.path == TABLE) else {
        return vec![format!("{TABLE}: missing; it lists bad input, our answer and its test")];
    };
    let rows = table.text.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    rows.skip(2).filter_map(|(at, line)| row_problem(at + 1, line, sources)).collect()
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
