//! What is kept of a measurement, so that others can judge and repeat it?

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Round;
use super::summary::Summary;
use super::verdict::Verdict;
use crate::cell::Cell;
use crate::client::Client;
use crate::error::Error;
use crate::machine::Machine;

/// Everything about one call.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    machine: Machine,
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
            machine: Machine::here()?,
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
        self.machine.keep(folder, "rounds", self)
    }
}
