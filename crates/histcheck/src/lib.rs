//! Was anything lost, committed too early, handled by one that had lost it, or repeated for no
//! reason? Judges the history of a group's work.
//!
//! A history is a file of [`Event`]s, one JSON object per line, in the order of their times. What
//! members believe of themselves counts little in it: commits, heartbeats and who owns what are
//! noted where they pass on the wire, handlers note the start and the end of each record, and what
//! the log holds is read at the end by somebody else.
//!
//! [`Checker::hear`] takes one event after another and [`Checker::conclude`] gives the
//! [`Verdict`]: the rules that were broken, with the event that broke them, and figures. A history
//! in which nothing happened that could go wrong is refused, not passed.
//!
//! It needs 24 bytes for each offset of a partition that it heard of, however long the history.

#![forbid(unsafe_code)]

mod cells;
mod checker;
mod event;
mod history;
mod notebook;
mod rules;
mod verdict;

pub use checker::Checker;
pub use event::{Event, Order, Parked, Terms, What, Word};
pub use history::{History, HistoryError};
pub use notebook::{Notebook, mend, now};
pub use verdict::{Break, Figures, Needs, Rule, Verdict};
