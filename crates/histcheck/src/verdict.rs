//! What came out: which rules were broken, and the figures.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A rule that a history must keep.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub enum Rule {
    /// An acknowledged write is in the log at its offset.
    A1,
    /// A write that failed for certain is not in the log.
    A2,
    /// A write is in the log once.
    A3,
    /// The writes of a key stand in the log in their order.
    A4,
    /// All who saw an offset saw the same value there.
    A5,
    /// Nothing below the committed offset is undone.
    B1,
    /// When a commit leaves, all that it covers is done.
    B1Commit,
    /// Handlers get what the log holds.
    B2,
    /// What is done twice was done before an unclean loss and not committed by then.
    B3,
    /// Records of a key run one after another, as written.
    B4,
    /// Nothing starts and nothing is committed by one that no longer owns the partition.
    B5,
    /// The committed offset never falls.
    B6,
    /// Positions are reset as often as expected.
    B7,
    /// In quiet times work goes on.
    B8,
    /// At rest all is done and committed.
    B9,
    /// A member holds no more memory than it may.
    B10,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::A1,
        Self::A2,
        Self::A3,
        Self::A4,
        Self::A5,
        Self::B1,
        Self::B1Commit,
        Self::B2,
        Self::B3,
        Self::B4,
        Self::B5,
        Self::B6,
        Self::B7,
        Self::B8,
        Self::B9,
        Self::B10,
    ];
}

/// A rule was broken.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Break {
    /// Which.
    pub rule: Rule,
    /// The number of the event that showed it, counted from 1; for what shows at the end, of the
    /// last one.
    pub event: u64,
    /// When, in nanoseconds.
    pub at: u64,
    /// What happened, in words.
    pub text: String,
}

/// What was counted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// Events heard.
    pub events: u64,
    /// Writes acknowledged.
    pub acked: u64,
    /// Records that the log holds in the end.
    pub records: u64,
    /// Records of the log that are done.
    pub done: u64,
    /// Commits that left, a partition each.
    pub commits: u64,
    /// Partitions given to a member.
    pub gains: u64,
    /// Of these, how often the one before was another member.
    pub moves: u64,
    /// Processes killed.
    pub kills: u64,
    /// Processes frozen.
    pub pauses: u64,
    /// Faults of brokers and network.
    pub faults: u64,
    /// Ownerships that ended without being given back.
    pub unclean_losses: u64,
    /// Records below the committed offset that nobody did.
    pub lost: u64,
    /// Offsets that a commit covered before they were done.
    pub unsafe_commits: u64,
    /// Records started, and commits stored, by one that no longer owned the partition.
    pub zombies: u64,
    /// Records done again.
    pub duplicates: u64,
    /// Of these, those that no loss explains.
    pub unexplained: u64,
    /// What explains the others: how many by which cause.
    pub explained_by: BTreeMap<String, u64>,
    /// Records that ran out of order or beside one of the same key.
    pub order_breaks: u64,
    /// Commits that were stored below an earlier one.
    pub regressions: u64,
    /// Positions reset.
    pub resets: u64,
    /// The most memory that a member held, in bytes.
    pub held_most: u64,
    /// The longest that a partition with backlog stood still in a quiet time, in nanoseconds.
    pub longest_stall: u64,
}

/// What must have happened for a verdict to mean something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Needs {
    /// Records in the log. Default 1.
    pub records: u64,
    /// Partitions that went from one member to another. Default 0.
    pub moves: u64,
    /// Processes killed. Default 0.
    pub kills: u64,
    /// Faults of brokers and network. Default 0.
    pub faults: u64,
}

impl Default for Needs {
    fn default() -> Self {
        Self { records: 1, moves: 0, kills: 0, faults: 0 }
    }
}

impl Needs {
    /// Why these figures do not suffice, if so.
    pub(crate) fn missing(&self, figures: &Figures) -> Option<String> {
        let asked = [
            ("records in the log", self.records.max(1), figures.records),
            ("records done", 1, figures.done),
            ("partitions that moved", self.moves, figures.moves),
            ("kills", self.kills, figures.kills),
            ("faults", self.faults, figures.faults),
        ];
        let short = asked.into_iter().find(|(_, wanted, found)| found < wanted);
        short.map(|(what, wanted, found)| {
            format!("{found} {what}, expected at least {wanted}: this run proves nothing")
        })
    }
}

/// What is to be said of a history.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// Why nothing can be said, if so: the history is not whole, or too little happened in it.
    pub refused: Option<String>,
    /// The first hundred.
    pub breaks: Vec<Break>,
    /// How many there were, by rule.
    pub broken: BTreeMap<Rule, u64>,
    /// What was counted.
    pub figures: Figures,
}

impl Verdict {
    /// Whether the history says something, and nothing bad.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.refused.is_none() && self.broken.is_empty()
    }

    /// 0: good; 1: a rule was broken; 2: refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.broken.is_empty(), &self.refused) {
            (false, _) => 1,
            (true, Some(_)) => 2,
            (true, None) => 0,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Break { rule, event, at, text } in &self.breaks {
            let seconds = std::time::Duration::from_nanos(*at).as_secs_f64();
            writeln!(f, "{rule:?} broken at event {event}, {seconds:.6} s: {text}")?;
        }
        if let Some(reason) = &self.refused {
            writeln!(f, "refused: {reason}")?;
        }
        let it = &self.figures;
        writeln!(f, "{} records, {} done, {} commits", it.records, it.done, it.commits)?;
        writeln!(
            f,
            "{} moves, {} kills, {} pauses, {} faults, {} unclean losses",
            it.moves, it.kills, it.pauses, it.faults, it.unclean_losses
        )?;
        writeln!(f, "duplicates: {}, by cause {:?}", it.duplicates, it.explained_by)?;
        write!(
            f,
            "lost {}, unsafe commits {}, zombies {}, unexplained duplicates {}, order breaks {}, \
             regressions {}",
            it.lost, it.unsafe_commits, it.zombies, it.unexplained, it.order_breaks, it.regressions
        )
    }
}
