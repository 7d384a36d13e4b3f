//! Where do a cell's clients find their broker?

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde::Deserialize;

use crate::cell::{Cell, Source};
use crate::child;
use crate::error::Error;

/// The broker of one cell; a replay broker ends with it.
#[derive(Debug)]
pub(crate) struct Stand {
    bootstrap: String,
    replay: Option<Child>,
}

/// The line the replay broker prints when it listens.
#[derive(Deserialize)]
struct Invitation {
    bootstrap: String,
}

impl Stand {
    /// Starts a replay broker, or takes the real one.
    pub(crate) fn set_up(cell: &Cell, live: Option<&str>, core: usize) -> Result<Self, Error> {
        if cell.source == Source::Live {
            let bootstrap = live.ok_or(Error::Usage("a live cell needs --live HOST:PORT"))?;
            return Ok(Self { bootstrap: bootstrap.to_owned(), replay: None });
        }
        let mut replay = child::start(&words(cell), core)?;
        let mut line = String::new();
        if let Some(output) = replay.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(Error::io("hear of the replay broker"))?;
        }
        let Invitation { bootstrap } = serde_json::from_str(&line)
            .map_err(|source| Error::Line { command: "replay".to_owned(), source })?;
        Ok(Self { bootstrap, replay: Some(replay) })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if let Some(replay) = &mut self.replay {
            // It may have ended by itself, and then there is nothing to end.
            drop(replay.kill());
            drop(replay.wait());
        }
    }
}

fn words(cell: &Cell) -> Vec<String> {
    // Every partition has its share and one batch more, so that no client waits at the end; where
    // nothing is to be read there is nothing.
    let share = cell.records / u64::try_from(cell.partitions).unwrap_or(1).max(1);
    let more = u64::try_from(cell.records_per_batch).unwrap_or(0);
    let per_partition = if cell.records == 0 { 0 } else { share + more };
    let words = format!(
        "target/release/forebay-bench replay --topic {} --partitions {} --record-size {} \
         --records-per-batch {} --codec {} --records-per-partition {per_partition}",
        cell.name, cell.partitions, cell.record_size, cell.records_per_batch, cell.codec,
    );
    words.split_whitespace().map(str::to_owned).collect()
}
