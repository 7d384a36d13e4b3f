//! Does a cell keep what was promised for it?

use std::fmt;

use serde::Serialize;

use super::Round;
use super::summary::{Summary, median, ratios, sorted, speed};
use crate::cell::{Bound, TARGETS, Target};
use crate::client::{CLIENTS, FLOOR};

/// A peer counts as faster from this factor on.
const CLEARLY: f64 = 1.05;

/// Whether a promise holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Met,
    Missed,
    /// A client it speaks of did not run.
    NotMeasured,
}

/// One promise beside what was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    client: &'static str,
    promise: String,
    found: Option<f64>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, promise, .. } = self;
        let found = self.found.map_or_else(|| "nothing".to_owned(), |found| format!("{found:.3}"));
        match self.outcome {
            Outcome::Met => write!(f, "met     {client}: {promise}, found {found}"),
            Outcome::Missed => write!(f, "MISSED  {client}: {promise}, found {found}"),
            Outcome::NotMeasured => write!(f, "not measured  {client}: {promise}"),
        }
    }
}

/// Judges all promises about a cell.
pub(super) fn judge(cell: &str, rounds: &[Round]) -> Vec<Verdict> {
    let about = |target: &&Target| cell.starts_with(target.cells);
    TARGETS.iter().filter(about).map(|target| one(target, rounds)).collect()
}

fn one(target: &Target, rounds: &[Round]) -> Verdict {
    let client = target.client;
    let (promise, limit, found) = match target.bound {
        Bound::TimesFloor(limit) => {
            let found = median(&ratios(rounds, client, FLOOR));
            (format!("at most {limit} x floor"), limit, found)
        }
        Bound::TimesPeer(peers, limit) => {
            let found = median(&against_cheapest(rounds, client, peers));
            (format!("at most {limit:.3} x the cheapest {peers}"), limit, found)
        }
        Bound::Unbeaten => {
            let promise = "share of rounds in which one peer is faster below 6/7".to_owned();
            // Six of seven is a loss already, so the limit lies just below.
            (promise, 6.0 / 7.0 - 1e-9, worst_share(rounds, client))
        }
        Bound::FetchedOverDelivered(limit) => {
            let found = Summary::of(client, rounds).and_then(|it| it.fetched_over_delivered);
            (format!("fetched / delivered at most {limit}"), limit, found)
        }
    };
    let outcome = match found {
        Some(found) if found <= limit => Outcome::Met,
        Some(_) => Outcome::Missed,
        None => Outcome::NotMeasured,
    };
    Verdict { outcome, client, promise, found }
}

/// CPU over that of the cheapest peer of each round.
fn against_cheapest(rounds: &[Round], client: &str, peers: &str) -> Vec<f64> {
    sorted(rounds.iter().filter_map(|round| {
        let cpu = |name| round.of(name).map(|sample| sample.cpu_ns_per_record);
        let of_peers = CLIENTS.iter().filter(|peer| peer.name.starts_with(peers));
        let cheapest = of_peers.filter_map(|peer| cpu(peer.name)).min_by(f64::total_cmp)?;
        Some(cpu(client)? / cheapest)
    }))
}

/// The largest share of rounds that one single peer wins clearly by wall time.
fn worst_share(rounds: &[Round], client: &str) -> Option<f64> {
    let peers = CLIENTS.iter().filter(|peer| peer.is_rival());
    let shares = peers.filter_map(|peer| {
        let wins = sorted(rounds.iter().filter_map(|round| {
            let (theirs, ours) = (speed(round.of(peer.name)?), speed(round.of(client)?));
            Some(if theirs > ours * CLEARLY { 1.0 } else { 0.0 })
        }));
        let count = u32::try_from(wins.len()).ok().filter(|count| *count > 0)?;
        Some(wins.iter().sum::<f64>() / f64::from(count))
    });
    shares.max_by(f64::total_cmp)
}
