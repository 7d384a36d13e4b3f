//! How did all stories end, and may the suite be called good?

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

#[cfg(test)]
mod tests;

/// How a story ended on a broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) cells: Vec<Cell>,
}

impl Report {
    /// No story failed, and each was told on at least two brokers unless they were left out.
    pub(crate) fn is_success(&self) -> bool {
        self.cells.iter().all(|cell| cell.verdict != Verdict::Fail) && self.lonely().is_empty()
    }

    /// Stories that only one broker offers: nothing compares the in-process broker with Kafka.
    pub(crate) fn lonely(&self) -> Vec<&str> {
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

    fn row(&self, story: &str, brokers: &[&str]) -> String {
        let mut row = format!("{story:28}");
        for broker in brokers {
            let cell = self.cells.iter().find(|cell| cell.story == story && cell.broker == *broker);
            row.push_str(&format!(" {:>16}", cell.map_or_else(String::new, Cell::word)));
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
