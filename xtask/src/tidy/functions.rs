//! Are functions short? The typical one and nine in ten, per crate; clippy cuts the longest.

use std::collections::BTreeMap;

use super::masked::item_end;
use super::source::Source;

/// The typical function stays below this many lines.
const MEDIAN_BELOW: usize = 10;
/// Nine in ten functions stay below this many lines.
const NINE_IN_TEN_BELOW: usize = 30;
/// Fewer functions than this say nothing about a habit.
const FUNCTIONS_MIN: usize = 20;

pub(crate) fn problems(sources: &[Source]) -> Vec<String> {
    let mut lengths: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test() && !source.is_generated()) {
        lengths.entry(source.krate()).or_default().extend(lengths_in(&source.code));
    }
    lengths.into_iter().filter_map(|(krate, lengths)| judge(krate, lengths)).collect()
}

fn judge(krate: &str, mut lengths: Vec<usize>) -> Option<String> {
    lengths.sort_unstable();
    let at = |share: usize| lengths.get(lengths.len() * share / 10).copied().unwrap_or(0);
    let (median, nine) = (at(5), at(9));
    let long = MEDIAN_BELOW <= median || NINE_IN_TEN_BELOW <= nine;
    (FUNCTIONS_MIN <= lengths.len() && long).then(|| {
        format!(
            "{krate}: {} functions, median {median} lines (below {MEDIAN_BELOW}), nine in ten \
             {nine} (below {NINE_IN_TEN_BELOW})",
            lengths.len()
        )
    })
}

/// Lines from signature to closing brace of each function with a body.
pub(crate) fn lengths_in(code: &str) -> Vec<usize> {
    let starts = code.match_indices("fn ").filter(|(at, _)| is_word_start(code, *at));
    starts.filter_map(|(at, _)| length_at(code.get(at..)?)).collect()
}

fn is_word_start(code: &str, at: usize) -> bool {
    let before = code.get(..at).and_then(|before| before.chars().next_back());
    before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
}

fn length_at(function: &str) -> Option<usize> {
    let named = function.strip_prefix("fn ")?.trim_start().starts_with(|c: char| c != '(');
    let item = function.get(..item_end(function))?;
    (named && item.ends_with('}')).then(|| item.lines().count())
}
