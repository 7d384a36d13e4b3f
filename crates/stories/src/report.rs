//! How did all stories end, and may the suite be called good?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// How a story ended on a broker.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The promise was kept.
    Pass,
    /// It was not.
    Fail,
    /// The broker lacks what the story is about; the detail names API and version.
    #[serde(rename = "not offered")]
    NotOffered,
    /// The broker could not be started here; the detail says how to get it.
    #[serde(rename = "left out")]
    LeftOut,
}

/// One story on one broker.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Cell {
    pub(crate) story: String,
    pub(crate) broker: String,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
    pub(crate) seconds: f64,
}

impl Cell {
    pub(crate) fn new(story: &str, broker: &str, verdict: Verdict, detail: String) -> Self {
        let (story, broker) = (story.to_owned(), broker.to_owned());
        Self { story, broker, verdict, detail, seconds: 0.0 }
    }

    pub(crate) fn lasting(self, time: Duration) -> Self {
        Self { seconds: time.as_secs_f64(), ..self }
    }
}

/// All cells of a run, story by story.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) cells: Vec<Cell>,
}

/// A report of an earlier run that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// There is no such file, or it may not be read.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// It is something else.
    #[error("{}: not a report as --output json prints it: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
}

impl Report {
    /// What earlier runs told.
    pub(crate) fn of_files(paths: &[PathBuf]) -> Result<Self, Unread> {
        let mut all = Self::default();
        for path in paths {
            all.cells.extend(Self::of_file(path)?.cells);
        }
        Ok(all)
    }

    fn of_file(path: &Path) -> Result<Self, Unread> {
        let io = |source| Unread::File { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(io)?;
        let json = |source| Unread::Json { path: path.to_owned(), source };
        serde_json::from_str(&text).map_err(json)
    }

    /// No story failed, and each was told on at least two brokers unless they were left out.
    pub(crate) fn is_success(&self) -> bool {
        self.cells.iter().all(|cell| cell.verdict != Verdict::Fail) && self.lonely().is_empty()
    }

    /// Stories that only one broker offers: nothing compares the in-process broker with Kafka. A run
    /// on one broker alone compares nothing anyway.
    pub(crate) fn lonely(&self) -> Vec<&str> {
        if distinct(self.cells.iter().map(|cell| cell.broker.as_str())).len() < 2 {
            return Vec::new();
        }
        let stories: BTreeSet<&str> = self.cells.iter().map(|cell| cell.story.as_str()).collect();
        stories.into_iter().filter(|story| self.is_lonely(story)).collect()
    }

    fn is_lonely(&self, story: &str) -> bool {
        let cells = || self.cells.iter().filter(|cell| cell.story == story);
        let told = cells().filter(|cell| matches!(cell.verdict, Verdict::Pass | Verdict::Fail));
        let not_offered = cells().any(|cell| cell.verdict == Verdict::NotOffered);
        told.count() < 2 && not_offered
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|fault| format!("\"{fault}\""))
    }

    /// Stories down, brokers across; below, a line for each cell that did not pass.
    pub(crate) fn table(&self) -> String {
        let brokers = distinct(self.cells.iter().map(|cell| cell.broker.as_str()));
        let stories = distinct(self.cells.iter().map(|cell| cell.story.as_str()));
        let mut text = format!("{:28}", "story");
        text.extend(brokers.iter().map(|broker| format!(" {broker:>16}")));
        text.push('\n');
        for story in stories {
            text.push_str(&self.row(story, &brokers));
        }
        let remarks = self.cells.iter().filter(|cell| !cell.detail.is_empty());
        text.extend(
            remarks.map(|cell| format!("{} on {}: {}\n", cell.story, cell.broker, cell.detail)),
        );
        let lonely = self.lonely();
        text.extend(lonely.iter().map(|story| format!("{story}: offered by one broker only\n")));
        text
    }

    /// The same as a page shows it; reasons are footnotes, each once.
    pub(crate) fn markdown(&self) -> String {
        let brokers = distinct(self.cells.iter().map(|cell| cell.broker.as_str()));
        let stories = distinct(self.cells.iter().map(|cell| cell.story.as_str()));
        let reasons = distinct(self.cells.iter().filter_map(Cell::reason));
        let mut text = format!("| story | {} |\n", brokers.join(" | "));
        text.push_str(&"|---".repeat(brokers.len() + 1));
        text.push_str("|\n");
        for story in stories {
            let words = brokers.iter().map(|broker| {
                let cell = self.cell(story, broker);
                cell.map_or_else(String::new, |cell| cell.marked(&reasons))
            });
            let words: Vec<String> = words.collect();
            text.push_str(&format!("| {story} | {} |\n", words.join(" | ")));
        }
        let notes = (1..).zip(&reasons);
        text.extend(notes.map(|(number, reason)| format!("\n{number}. {reason}")));
        if !reasons.is_empty() {
            text.push('\n');
        }
        text
    }

    fn cell(&self, story: &str, broker: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.story == story && cell.broker == broker)
    }

    fn row(&self, story: &str, brokers: &[&str]) -> String {
        let mut row = format!("{story:28}");
        for broker in brokers {
            let word = self.cell(story, broker).map_or_else(String::new, Cell::word);
            row.push_str(&format!(" {word:>16}"));
        }
        row.push('\n');
        row
    }
}

impl Cell {
    fn word(&self) -> String {
        match self.verdict {
            Verdict::Pass => format!("pass {:.1} s", self.seconds),
            Verdict::Fail => "FAIL".to_owned(),
            Verdict::NotOffered => "not offered".to_owned(),
            Verdict::LeftOut => "left out".to_owned(),
        }
    }

    /// Why it did not pass.
    fn reason(&self) -> Option<&str> {
        (self.verdict != Verdict::Pass).then_some(self.detail.as_str())
    }

    /// The word, with the number of its reason.
    fn marked(&self, reasons: &[&str]) -> String {
        let place = reasons.iter().position(|reason| self.reason() == Some(reason));
        place.map_or_else(|| self.word(), |place| format!("{} ({})", self.word(), place + 1))
    }
}

/// In order of first appearance.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
