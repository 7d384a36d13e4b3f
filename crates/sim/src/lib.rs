//! What happens to a group of real clients under the faults that a seed draws, and is it always the
//! same?
//!
//! One seed is one run: three nodes, a topic, a producer, members that join, leave, die and are cut
//! off, brokers that fail; all on one thread under a paused clock, over pipes. Handlers and a
//! witness on the pipes write the history, and `forebay-histcheck` judges it. After the faults
//! comes healing, and then everything has to be done and committed.

#![forbid(unsafe_code)]

mod later;
mod link;
mod member;
mod nemesis;
mod plan;
mod play;
mod recorder;
mod wire;
mod world;

pub use forebay::mutant::Mutant;
pub use member::Conduct;
pub use plan::Seed;
pub use play::{Played, Shape, play};
