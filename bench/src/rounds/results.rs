//! What is kept of a measurement, so that others can judge and repeat it?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::Round;
use super::summary::Summary;
use super::verdict::Verdict;
use crate::cell::Cell;
use crate::client::Client;
use crate::error::Error;

/// Everything about one call.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    /// Date and time, UTC.
    date: String,
    /// The commit that was built; `-dirty` when files differed from it.
    commit: String,
    processor: String,
    cores: usize,
    kernel: String,
    /// Each client's command with the parts that differ by run left as words.
    commands: Vec<(&'static str, String)>,
    cells: Vec<Measured>,
}

#[derive(Debug, Serialize)]
struct Measured {
    cell: Cell,
    summaries: Vec<Summary>,
    verdicts: Vec<Verdict>,
    rounds: Vec<Round>,
}

impl Results {
    pub(super) fn begin(clients: &[&'static Client]) -> Result<Self, Error> {
        let command = |client: &&Client| (client.name, client.pattern());
        Ok(Self {
            date: said("date", &["-u", "+%Y-%m-%dT%H-%M-%SZ"])?,
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=12"])?,
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: said("uname", &["-sr"])?,
            commands: clients.iter().map(command).collect(),
            cells: Vec::new(),
        })
    }

    pub(super) fn add(
        &mut self,
        cell: &Cell,
        rounds: Vec<Round>,
        summaries: Vec<Summary>,
        verdicts: Vec<Verdict>,
    ) {
        self.cells.push(Measured { cell: *cell, summaries, verdicts, rounds });
    }

    /// Writes the file and says where it is.
    pub(super) fn write(&self, folder: &Path) -> Result<PathBuf, Error> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder of results"))?;
        let path = folder.join(format!("{}.json", self.date));
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| Error::io("write the results")(source.into()))?;
        fs::write(&path, text + "\n").map_err(Error::io("write the results"))?;
        Ok(path)
    }
}

/// What a small program prints, without the line's end.
fn said(program: &str, words: &[&str]) -> Result<String, Error> {
    let output =
        Command::new(program).args(words).output().map_err(Error::io("describe this machine"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The processor's name as the kernel tells it.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}
