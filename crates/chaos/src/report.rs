//! How is a slice told, and how are many added up?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forebay_histcheck::Figures;

use crate::fault::Fault;
use crate::outcome::{FILE, Outcome};
use crate::stalls::Price;

/// Slices of one client and protocol, added up.
#[derive(Debug, Default)]
struct Sum {
    slices: u64,
    bad: Vec<u64>,
    seeds: Vec<u64>,
    seconds: u64,
    figures: Figures,
    counts: BTreeMap<String, u64>,
    stalls: BTreeMap<String, Vec<u64>>,
    control: BTreeMap<String, Vec<u64>>,
    /// What each kill of a member repeated.
    repeated: Vec<u64>,
    unmet: Vec<String>,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.slices += 1;
        self.seeds.push(outcome.seed);
        if !outcome.is_good() {
            self.bad.push(outcome.seed);
        }
        self.seconds += outcome.seconds;
        add_figures(&mut self.figures, &outcome.verdict.figures);
        for (what, count) in &outcome.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
        for (what, samples) in &outcome.stalls {
            self.stalls.entry(what.clone()).or_default().extend(samples);
        }
        for (what, samples) in &outcome.control {
            self.control.entry(what.clone()).or_default().extend(samples);
        }
        let by = outcome.verdict.figures.explained_by.iter();
        let kills = by.filter(|(cause, _)| cause.ends_with("was killed"));
        let repeated: Vec<u64> = kills.map(|(_, count)| *count).collect();
        // Kills that repeated nothing count too.
        let all = outcome.counts.get("consumer kills").copied().unwrap_or(0);
        let none = usize::try_from(all).unwrap_or(0).saturating_sub(repeated.len());
        self.repeated.extend(repeated);
        self.repeated.extend(std::iter::repeat_n(0, none));
        let told = outcome.unmet.iter().map(|unmet| format!("seed {}: {unmet}", outcome.seed));
        self.unmet.extend(told);
    }

    fn print(&self, title: &str) {
        let (slices, seeds) = (self.slices, &self.seeds);
        println!("\n{title}: {slices} slices, {:.1} minutes, seeds {seeds:?}", self.minutes());
        self.print_deeds();
        self.print_findings();
        Price::ALL.iter().for_each(|price| self.print_stall(price.name()));
        self.unmet.iter().for_each(|unmet| println!("  unmet: {unmet}"));
        if !self.bad.is_empty() {
            println!("  BAD: seeds {:?}", self.bad);
        }
    }

    /// What happened.
    fn print_deeds(&self) {
        let it = &self.figures;
        println!(
            "  {} records, {} commits, {} partitions moved, {} unclean losses",
            it.records, it.commits, it.moves, it.unclean_losses
        );
        self.print_counts(&["consumer kills", "consumer freezes", "joins", "leaves"]);
        let brokers = ["broker kills", "broker freezes", "leader moves", "coordinator moves"];
        self.print_counts(&brokers);
        self.print_counts(&["faults of the network"]);
        if self.count("times the machine stood still") != 0 {
            println!(
                "  the machine itself stood still {} times, {} s in all: taken out of all times",
                self.count("times the machine stood still"),
                self.count("seconds the machine stood still")
            );
        }
    }

    /// What the checker found.
    fn print_findings(&self) {
        let it = &self.figures;
        println!(
            "  lost {}, unsafe commits {}, zombie deliveries {}, unexplained duplicates {}, order \
             breaks {}, commit regressions {}, resets {}",
            it.lost,
            it.unsafe_commits,
            it.zombies,
            it.unexplained,
            it.order_breaks,
            it.regressions,
            it.resets
        );
        println!(
            "  duplicates {}; per kill -9 of a member: p50 {}, p99 {}, most {}",
            it.duplicates,
            quantile(&self.repeated, 500),
            quantile(&self.repeated, 990),
            quantile(&self.repeated, 1000)
        );
        println!(
            "  longest stall in quiet windows {} ms; stalls in ms, and without the deed:",
            it.longest_stall / 1_000_000
        );
    }

    fn print_counts(&self, deeds: &[&str]) {
        let told = deeds.iter().map(|deed| format!("{deed} {}", self.count(deed)));
        println!("  {}", told.collect::<Vec<_>>().join(", "));
    }

    fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    fn print_stall(&self, what: &str) {
        let stalls = self.stalls.get(what).map_or(&[][..], Vec::as_slice);
        let control = self.control.get(what).map_or(&[][..], Vec::as_slice);
        println!(
            "    {what:54} n {:>4}  p50 {:>6}  p99 {:>6}  most {:>6}   control p50 {:>5}  p99 {:>5}  p99.9 {:>5}",
            stalls.len(),
            quantile(stalls, 500),
            quantile(stalls, 990),
            quantile(stalls, 1000),
            quantile(control, 500),
            quantile(control, 990),
            quantile(control, 999),
        );
    }

    fn minutes(&self) -> f64 {
        std::time::Duration::from_secs(self.seconds).as_secs_f64() / 60.0
    }
}

fn add_figures(sum: &mut Figures, it: &Figures) {
    sum.records += it.records;
    sum.commits += it.commits;
    sum.moves += it.moves;
    sum.unclean_losses += it.unclean_losses;
    sum.lost += it.lost;
    sum.unsafe_commits += it.unsafe_commits;
    sum.zombies += it.zombies;
    sum.duplicates += it.duplicates;
    sum.unexplained += it.unexplained;
    sum.order_breaks += it.order_breaks;
    sum.regressions += it.regressions;
    sum.resets += it.resets;
    sum.longest_stall = sum.longest_stall.max(it.longest_stall);
}

/// The smallest sample that so many of a thousand do not exceed; 0 without samples.
fn quantile(samples: &[u64], per_mille: usize) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

/// Tells one slice.
pub(crate) fn tell(outcome: &Outcome) {
    let mut sum = Sum::default();
    sum.add(outcome);
    println!("{}", outcome.verdict);
    sum.print(&title(outcome));
    println!(
        "  read by {}, {}, commit {}, {}",
        outcome.reader, outcome.manner, outcome.commit, outcome.machine
    );
    let verdict = if outcome.is_good() { "valid" } else { "NOT VALID" };
    println!("verdict: {verdict}");
}

/// Adds up the slices of a folder, by client and protocol; whether all were good.
pub(crate) fn sum(folder: &Path) -> Result<bool, Fault> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for slice in slices(folder)? {
        let outcome = Outcome::load(&slice)?;
        sums.entry(title(&outcome)).or_default().add(&outcome);
    }
    if sums.is_empty() {
        return Err(Fault::Empty(folder.to_owned()));
    }
    sums.iter().for_each(|(title, sum)| sum.print(title));
    Ok(sums.values().all(|sum| sum.bad.is_empty()))
}

fn slices(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(Fault::file(folder))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.join(FILE).is_file()).collect();
    paths.sort();
    Ok(paths)
}

fn title(outcome: &Outcome) -> String {
    format!("{} with {} on Kafka {}", outcome.client, outcome.protocol, outcome.kafka)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(quantile(&samples, 500), 50);
        assert_eq!(quantile(&samples, 990), 99);
        assert_eq!(quantile(&samples, 1000), 100);
        assert_eq!(quantile(&[], 500), 0);
    }

    #[test]
    fn one_bad_slice_makes_the_sum_bad() {
        let folder = tempfile::tempdir().unwrap();
        for (name, unmet) in [("a", vec![]), ("b", vec!["m1 did not leave".to_owned()])] {
            let slice = folder.path().join(name);
            std::fs::create_dir(&slice).unwrap();
            let outcome = Outcome { client: "forebay".to_owned(), unmet, ..Outcome::default() };
            outcome.save(&slice).unwrap();
            assert_eq!(sum(folder.path()).unwrap(), name == "a");
        }
    }

    #[test]
    fn a_folder_without_slices_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(sum(folder.path()), Err(Fault::Empty(_))));
    }
}
