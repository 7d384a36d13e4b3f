//! Does every module use only what lies below it? The rows are in `layers.rs`.

use std::collections::BTreeSet;

use super::source::Source;
use crate::layers::{Layers, MODULES};

pub(crate) fn problems(source: &Source) -> Vec<String> {
    let layers = MODULES.iter().find(|layers| layers.folder == source.krate());
    let Some(layers) = layers.filter(|_| !source.is_test()) else { return Vec::new() };
    let Some(module) = module(source) else { return Vec::new() };
    let Some(row) = row(layers, module) else {
        return vec![format!(
            "{}: `{module}` has no layer; give it a row in xtask/src/layers.rs",
            source.path
        )];
    };
    let used: BTreeSet<&str> = uses(&source.code, depth(source)).into_iter().collect();
    used.into_iter()
        .filter(|used| *used != module && self::row(layers, used) >= Some(row))
        .map(|used| format!("{}: `{module}` must not use `{used}`", source.path))
        .collect()
}

/// The top-level module of the file; `None` for a crate's root.
fn module(source: &Source) -> Option<&str> {
    let (_, inside) = source.path.split_once("/src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(module, "lib" | "main")).then_some(module)
}

/// How many `super::` lead from the file to the crate's root.
fn depth(source: &Source) -> usize {
    let inside = source.path.split_once("/src/").map_or("", |(_, inside)| inside);
    inside.split('/').count()
}

fn row(layers: &Layers, module: &str) -> Option<usize> {
    layers.rows.iter().position(|row| row.contains(&module))
}

/// Top-level modules that `code` names through `crate::` or enough `super::`.
fn uses(code: &str, depth: usize) -> Vec<&str> {
    let up = "super::".repeat(depth);
    let mut found = heads_after(code, "crate::");
    found.extend(heads_after(code, &up));
    found
}

fn heads_after<'a>(code: &'a str, path: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(path) {
        let before = code.get(..at).unwrap_or_default();
        let after = code.get(at + path.len()..).unwrap_or_default();
        // `$crate::` is ours too; `my_crate::` is not, `super::super::` counts whole paths only.
        if !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            found.extend(heads(after));
        }
    }
    found
}

/// `a::b` gives `a`; `{a::{b, c}, d}` gives `a` and `d`.
fn heads(after: &str) -> Vec<&str> {
    let Some(group) = after.strip_prefix('{') else { return vec![word(after)] };
    let mut depth = 0_i32;
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(word(group.get(start..).unwrap_or_default()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(word(group.get(start..).unwrap_or_default()));
    found
}

fn word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}
