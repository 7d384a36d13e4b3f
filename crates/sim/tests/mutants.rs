//! Is each mistake that somebody could make in the client seen by the judge, and nothing else?

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use forebay_sim::{Conduct, Mutant, play};

/// The table that users read: `| name | seed | rule | ...`.
const TABLE: &str = include_str!("../../../docs/mutants.md");

/// The mutant, the first seed that shows it, and the rule that it breaks first.
fn matrix() -> Vec<(Mutant, u64, String)> {
    let rows = TABLE.lines().filter_map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`'));
        let (_, name, seed, rule) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        Some((name.parse().ok()?, seed.parse().unwrap(), rule.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_table_has_each_mutant_once() {
    let mut listed: Vec<_> = matrix().into_iter().map(|(mutant, ..)| mutant).collect();
    listed.sort();
    assert_eq!(listed, Mutant::ALL);
}

#[test]
fn each_mutant_is_refused_by_its_rule_and_without_it_the_same_seed_is_good() {
    for (mutant, seed, rule) in matrix() {
        let played = play(seed.into(), Conduct::Mistaken(mutant)).unwrap();
        assert_eq!(played.refusal(), Some(rule), "{mutant}, seed {seed}: {}", played.verdict);
        let honest = play(seed.into(), Conduct::Honest).unwrap();
        assert!(honest.is_good(), "seed {seed}: {:?}\n{}", honest.unmet, honest.verdict);
    }
}
