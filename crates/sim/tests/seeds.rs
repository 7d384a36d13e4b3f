//! Do groups keep their promises, always in the same way, and is a broken promise seen?

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::ops::Range;
use std::time::{Duration, Instant};

use forebay_histcheck::Rule;
use forebay_sim::{Conduct, Seed, play};

/// Seeds that went wrong once, or that show something rare; a line each.
const STORED: &str = include_str!("../seeds.txt");
/// As many of these are played as fit in the time: `cargo xtask ci` plays thousands, optimised.
const FRESH: Range<u64> = 1_000..4_000;
const TIME: Duration = Duration::from_secs(5);

/// Each of them must be good.
fn stored() -> Vec<Seed> {
    let lines = STORED.lines().filter_map(|line| line.strip_prefix("ok "));
    lines.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn must_be_good(seed: Seed) {
    let played = play(seed, Conduct::Honest).unwrap();
    let (text, verdict, unmet) = (&played.shape.text, &played.verdict, &played.unmet);
    assert!(played.is_good(), "seed {seed}: {text}\n{unmet:?}\n{verdict}");
}

#[test]
fn stored_seeds_are_good() {
    stored().into_iter().for_each(must_be_good);
}

#[test]
fn fresh_seeds_are_good() {
    let began = Instant::now();
    let fits = FRESH.take_while(|_| began.elapsed() < TIME);
    let count = fits.inspect(|seed| must_be_good(Seed::from(*seed))).count();
    println!("{count} fresh seeds");
    assert!(0 < count);
}

#[test]
fn a_seed_goes_the_same_way_each_time() {
    for seed in 0..4 {
        let hash = || play(seed.into(), Conduct::Honest).unwrap().hash;
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

#[test]
fn handlers_that_say_done_too_early_are_caught() {
    let caught = (0..20).any(|seed| {
        let verdict = play(Seed::from(seed), Conduct::SaysDoneTooEarly).unwrap().verdict;
        verdict.broken.contains_key(&Rule::B1Commit)
    });
    assert!(caught, "a commit left before the work was done, and nobody saw it");
}
