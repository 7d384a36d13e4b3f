//! Does every crate depend only on what it may? The table is in `layers.rs`.

use super::graph::{Graph, Kind, Package};
use crate::layers::{Arrows, CRATES};

pub(crate) fn problems(graph: &Graph) -> Vec<String> {
    let ours: Vec<&str> = graph.ours().map(|package| package.name.as_str()).collect();
    graph.ours().flat_map(|package| package_problems(package, &ours)).collect()
}

fn package_problems(package: &Package, ours: &[&str]) -> Vec<String> {
    let Some(arrows) = CRATES.iter().find(|arrows| arrows.package == package.name) else {
        return vec![format!("{}: has no row in xtask/src/layers.rs", package.name)];
    };
    let refused = package.wants.iter().filter(|(name, kind)| {
        let known = !ours.contains(&name.as_str()) || may_know(arrows, name, *kind);
        !known || is_against_nature(arrows, name, *kind)
    });
    refused.map(|(name, _)| format!("{}: must not depend on {name}", package.name)).collect()
}

/// Whether one of our own packages stands in the row.
fn may_know(arrows: &Arrows, name: &str, kind: Kind) -> bool {
    let in_tests = kind == Kind::Test && arrows.ours_in_tests.contains(&name);
    in_tests || arrows.ours.contains(&name)
}

fn is_against_nature(arrows: &Arrows, name: &str, kind: Kind) -> bool {
    kind != Kind::Test && arrows.never.contains(&name)
}
