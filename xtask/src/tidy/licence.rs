//! Is every licence we pull in one that fits ours?

use super::graph::Graph;
use crate::layers::LICENCES;

pub(crate) fn problems(graph: &Graph) -> Vec<String> {
    let unfit = graph.packages.values().filter(|package| !fits(&package.licence));
    unfit.map(|package| format!("{}: licence `{}`", package.name, package.licence)).collect()
}

/// Whether an SPDX expression can be met: all of an `AND`, any of an `OR`. The old `/` is an `OR`.
pub(crate) fn fits(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let answer = any(&mut words);
    answer && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut answer = all(words);
    while words.next_if_eq(&"OR").is_some() {
        // Both sides must be read, whatever the first one says.
        let right = all(words);
        answer = answer || right;
    }
    answer
}

fn all(words: &mut Words<'_>) -> bool {
    let mut answer = one(words);
    while words.next_if_eq(&"AND").is_some() {
        let right = one(words);
        answer = answer && right;
    }
    answer
}

fn one(words: &mut Words<'_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let inner = any(words);
        return words.next_if_eq(&")").is_some() && inner;
    }
    let Some(name) = words.next() else { return false };
    if words.next_if_eq(&"WITH").is_some() {
        let exception = words.next().unwrap_or_default();
        return LICENCES.contains(&format!("{name} WITH {exception}").as_str());
    }
    LICENCES.contains(&name)
}
