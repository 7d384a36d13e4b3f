//! What is kept of a slice: what was played, what came of it.

use std::collections::BTreeMap;
use std::path::Path;

use forebay_histcheck::Verdict;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// The file of a slice.
pub(crate) const FILE: &str = "outcome.json";

/// A slice that was played and judged.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) kafka: String,
    pub(crate) protocol: String,
    pub(crate) client: String,
    /// Assignor and order, drawn from the seed.
    pub(crate) manner: String,
    pub(crate) seconds: u64,
    pub(crate) commit: String,
    pub(crate) machine: String,
    /// Whose client read what the log holds.
    pub(crate) reader: String,
    pub(crate) verdict: Verdict,
    /// What else should not have happened.
    pub(crate) unmet: Vec<String>,
    /// How often what was done.
    pub(crate) counts: BTreeMap<String, u64>,
    /// Longest stalls in milliseconds, by what they are the price of.
    pub(crate) stalls: BTreeMap<String, Vec<u64>>,
    /// The same without a deed.
    pub(crate) control: BTreeMap<String, Vec<u64>>,
}

impl Outcome {
    pub(crate) fn is_good(&self) -> bool {
        self.verdict.is_good() && self.unmet.is_empty()
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), Fault> {
        let path = folder.join(FILE);
        let io = Fault::file(&path);
        let text = serde_json::to_vec_pretty(self).map_err(|error| io(error.into()))?;
        std::fs::write(&path, text).map_err(io)
    }

    pub(crate) fn load(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(FILE);
        let io = Fault::file(&path);
        let text = std::fs::read(&path).map_err(&io)?;
        serde_json::from_slice(&text).map_err(|error| io(error.into()))
    }
}

/// Which processors.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names = info.lines().filter_map(|line| line.strip_prefix("model name"));
    let names: Vec<&str> = names.map(|name| name.trim_start_matches([' ', '\t', ':'])).collect();
    format!("{} x {}", names.len(), names.first().unwrap_or(&"an unknown processor"))
}

/// Of what this is a build, as far as can be told.
pub(crate) fn commit() -> String {
    let said = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let said = said.ok().filter(|output| output.status.success());
    said.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
