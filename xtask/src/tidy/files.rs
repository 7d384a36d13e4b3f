//! Does each file say what it answers, keep to its length and carry a name that means something?

use super::source::Source;

/// Longest a source file may be, in lines; its tests live in `tests.rs` beside it.
const FILE_LINES_MAX: usize = 500;

/// Names under which anything may hide.
const NAMELESS: &[&str] =
    &["util", "utils", "common", "misc", "helper", "helpers", "manager", "service", "prelude"];

pub(crate) fn problems(source: &Source) -> Vec<String> {
    [length(source), front(source), name(source)].into_iter().flatten().collect()
}

/// The compiler can only forbid what the crate's root tells it to.
pub(crate) fn unsafe_problem(root: &Source) -> Option<String> {
    let forbids = root.code.contains("#![forbid(unsafe_code)]");
    (!forbids).then(|| format!("{}: a crate's root says #![forbid(unsafe_code)]", root.path))
}

fn length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let exempt = source.name() == "tests.rs" || source.is_table();
    (!exempt && FILE_LINES_MAX < lines)
        .then(|| format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path))
}

fn front(source: &Source) -> Option<String> {
    (!source.text.starts_with("//! ")).then(|| {
        format!("{}: the first line is `//! ` and which question the file answers", source.path)
    })
}

fn name(source: &Source) -> Option<String> {
    if source.name() == "mod.rs" {
        return Some(format!("{}: `foo.rs` is the door of `foo/`, not mod.rs", source.path));
    }
    let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    let bad = parts.into_iter().find(|part| NAMELESS.contains(part))?;
    Some(format!("{}: `{bad}` names nothing; say what it holds", source.path))
}
