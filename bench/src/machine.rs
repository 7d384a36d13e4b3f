//! Where and on what was something measured? Figures without that are worth nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::error::Error;

/// The machine and the sources of a measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Date and time, UTC.
    date: String,
    /// The commit that was built; `-dirty` when files differed from it.
    commit: String,
    processor: String,
    cores: usize,
    kernel: String,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Result<Self, Error> {
        Ok(Self {
            date: said("date", &["-u", "+%Y-%m-%dT%H-%M-%SZ"])?,
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=12"])?,
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: said("uname", &["-sr"])?,
        })
    }

    /// Writes a file named by the date and says where it is.
    pub(crate) fn keep(
        &self,
        folder: &Path,
        kind: &str,
        figures: &impl Serialize,
    ) -> Result<PathBuf, Error> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder of results"))?;
        let path = folder.join(format!("{}-{kind}.json", self.date));
        let text = serde_json::to_string_pretty(figures)
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
