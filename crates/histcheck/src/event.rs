//! What can have happened? The lines of a history.

use serde::{Deserialize, Serialize};

/// Something that happened, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Event {
    /// In nanoseconds, on one clock for the whole history.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened. A partition is named by one word, as `orders-3`; a member by a name that no
/// other has, its restarts included.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are explained where they first appear")]
pub enum What {
    /// What is to be judged by. Stands first.
    Terms(Terms),
    /// A broker acknowledged a write. Keys are of the whole history, and the writes of a key are
    /// numbered from low to high.
    Acked { tp: String, offset: i64, key: u64, seq: u64 },
    /// A write failed in a way that rules out that it happened.
    WriteFailed { key: u64, seq: u64 },
    /// A handler began.
    Started { member: String, tp: String, offset: i64, key: u64, seq: u64 },
    /// A handler ended well. Noted before the client hears of it.
    Done { member: String, tp: String, offset: i64 },
    /// A handler ended otherwise: it failed or was cancelled.
    GivenUp { member: String, tp: String, offset: i64 },
    /// A commit went out, under this generation or member epoch; `commit` tells it from the
    /// member's other ones. Noted before its bytes leave.
    CommitSent { member: String, commit: u64, epoch: i32, tp: String, offset: i64 },
    /// The coordinator answered it; code 0: it is stored.
    CommitAnswered { member: String, commit: u64, tp: String, code: i16 },
    /// The coordinator confirmed the membership, by its answer to what was sent at `sent`.
    Beat { member: String, sent: u64 },
    /// The partition was given to the member.
    Gained { member: String, epoch: i32, tp: String },
    /// The member starts nothing more, to give it back.
    Draining { member: String, tp: String },
    /// The member gave it back in good order.
    Released { member: String, tp: String },
    /// The member learned that it is no longer its own.
    Lost { member: String, tp: String, cause: String },
    /// The user of a member moves it back to this offset: what comes after it is done again. Noted
    /// before the client hears of it, and again when it has.
    Sought { member: String, tp: String, to: i64 },
    /// Somebody else than the group wants this of a partition that is the member's. Noted before
    /// the client hears of it.
    Directed { member: String, tp: String, word: Word },
    /// It was drained because of that.
    Parked { member: String, tp: String, parked: Parked },
    /// Retention deleted the records before this offset; who stands before it goes on there.
    Trimmed { tp: String, before: i64 },
    /// So much memory the member held at most until now, and what it may hold, in bytes.
    Held { member: String, bytes: u64, most: u64 },
    /// A position that no longer existed was replaced.
    Reset { member: String, tp: String, to: i64, cause: String },
    /// A process was killed: nothing that it held was given back.
    Killed { member: String },
    /// A process was frozen.
    Paused { member: String },
    /// It goes on.
    Resumed { member: String },
    /// From now on something is wrong with brokers or the network.
    FaultBegins { fault: String },
    /// No longer.
    FaultEnds { fault: String },
    /// From now on, after the grace of the terms, work must go on.
    QuietBegins,
    /// No longer.
    QuietEnds,
    /// At the end, in the order of offsets: what the log holds.
    Truth { tp: String, offset: i64, key: u64, seq: u64 },
    /// At the end: what is committed, and where the log ends.
    Final { tp: String, committed: i64, end: i64 },
}

/// What somebody else than the group may want of a partition.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Word {
    /// Hand out nothing more until it is released.
    Hold,
    /// Start nothing more, wait for what runs, commit, and do nothing with it until it is released.
    Drain,
    /// The same, and somebody else goes on with it: what is committed then counts.
    HandOver,
    /// Go on.
    Release,
}

/// How a partition was parked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[allow(clippy::exhaustive_structs, reason = "whoever notes events makes them")]
pub struct Parked {
    /// All before it is done; `None` when it had not started.
    pub position: Option<i64>,
    /// Whether nothing of it runs any more and all that is done is committed.
    pub is_clean: bool,
}

/// What a history is to be judged by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Terms {
    /// How long the coordinator waits for a sign of life, in milliseconds. 0: not judged.
    pub session_ms: u64,
    /// The longest that a partition with backlog may stand still in a quiet time. 0: not judged.
    pub stall_ms: u64,
    /// How long a fault is felt after its end. Default 60 s.
    pub grace_ms: u64,
    /// How long after a loss was noted the loser may still start something: the word has to reach
    /// its handlers. Default 0.
    pub reaction_ms: u64,
    /// What handlers were promised. Default [`Order::Key`].
    pub order: Order,
    /// How many resets are to happen beside those to where retention has cut. Default none.
    pub resets: u64,
    /// How many records one unclean loss may repeat. 0: not judged.
    pub repeats: u64,
    /// How long before an unclean loss work that it repeats may have been done, in milliseconds:
    /// what is older was to be committed, unless there was a fault. 0: not judged.
    pub repeats_ms: u64,
}

impl Default for Terms {
    fn default() -> Self {
        let order = Order::Key;
        Self {
            session_ms: 0,
            stall_ms: 0,
            grace_ms: 60_000,
            reaction_ms: 0,
            order,
            resets: 0,
            repeats: 0,
            repeats_ms: 0,
        }
    }
}

/// What handlers were promised about records of one key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// One after another, as written.
    #[default]
    Key,
    /// Nothing.
    None,
}
