//! One slot's open blocks, and the frontier they allow.
//!
//! Runs are handed out in offset order and end in any order. Between the two lies a window:
//!
//! ```text
//!       frontier                                    handed out
//!          |                                            |
//!  ... done][ block 7: done up to x ][ 8: all ][ 9: open ][ not handed out ...
//! ```
//!
//! The frontier is how far the first open block is. It moves on block ends, not on record counts,
//! so compacted offsets, transaction markers and aborted records need no case of their own.

use std::collections::VecDeque;

use forebay_protocol::types::{LeaderEpoch, Position};
use thiserror::Error;

use crate::mutant::Mutant;
use crate::run::BlockNumber;
use crate::time::Instant;

/// What may be committed: everything before `position` is done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    /// The next offset to consume.
    pub position: Position,
    /// Epoch of the last record before it.
    pub epoch: LeaderEpoch,
}

/// Tracks one slot from hand-out to frontier.
#[derive(Debug)]
pub struct Tracker {
    /// In offset order. Neighbours that are done are one, so that behind a record that will never
    /// be done there is one entry and not one per run.
    open: VecDeque<Block>,
    /// Number of the next block.
    next: u64,
    /// Blocks that a worker has.
    working: usize,
    open_bytes: u64,
    frontier: Frontier,
    told: Position,
    /// Whether it is to be told although it is where it was.
    is_news: bool,
    /// When the frontier moved last, or work began on an idle slot.
    moved: Instant,
}

#[derive(Debug)]
struct Block {
    /// Of the last run that it stands for.
    number: u64,
    next: Position,
    epoch: LeaderEpoch,
    bytes: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A worker has it and has told that all before this is done.
    Working(Position),
    /// Its worker let go of it here: it stops the frontier for good.
    Abandoned(Position),
    /// All of it is done.
    Done,
}

impl Tracker {
    /// Starts at `start`, which the coordinator already has or a reset decided.
    #[must_use]
    pub const fn new(start: Frontier) -> Self {
        Self {
            open: VecDeque::new(),
            next: 0,
            working: 0,
            open_bytes: 0,
            frontier: start,
            told: start.position,
            is_news: false,
            moved: Instant::from_nanos(0),
        }
    }

    /// A run up to `next` goes to a worker; `bytes` is what it pins.
    pub fn open(
        &mut self,
        now: Instant,
        next: Position,
        epoch: LeaderEpoch,
        bytes: u64,
    ) -> BlockNumber {
        if self.working == 0 {
            self.moved = now;
        }
        let start = self.open.back().map_or(self.frontier.position, |block| block.next);
        let number = self.push(next, epoch, bytes, State::Working(start));
        if Mutant::CommitBeforeDone.lives() {
            self.frontier = Frontier { position: next, epoch };
        }
        self.working += 1;
        self.open_bytes += bytes;
        number
    }

    /// Everything up to `next` holds no record for us.
    pub fn skip(&mut self, now: Instant, next: Position, epoch: LeaderEpoch) {
        let last = self.open.len();
        self.push(next, epoch, 0, State::Done);
        self.merge(last);
        self.advance(now);
    }

    /// Everything of the block is done.
    ///
    /// # Errors
    ///
    /// [`TrackerError::UnknownBlock`] when no worker has the block.
    pub fn finish(&mut self, now: Instant, number: BlockNumber) -> Result<(), TrackerError> {
        let index = self.leave(number, State::Done)?;
        self.merge(index);
        self.advance(now);
        Ok(())
    }

    /// Everything of the block before `position` is done.
    ///
    /// # Errors
    ///
    /// [`TrackerError::UnknownBlock`] when no worker has the block.
    pub fn progress(
        &mut self,
        now: Instant,
        number: BlockNumber,
        to: Position,
    ) -> Result<(), TrackerError> {
        let block = self.find(number).and_then(|index| self.open.get_mut(index));
        let block = block.ok_or(TrackerError::UnknownBlock { block: number.0 })?;
        if let State::Working(done) = &mut block.state {
            *done = to.min(block.next).max(*done);
        }
        self.advance(now);
        Ok(())
    }

    /// The block's worker let go of it at `at`: that stops the frontier for good.
    ///
    /// # Errors
    ///
    /// [`TrackerError::UnknownBlock`] when no worker has the block.
    pub fn abandon(
        &mut self,
        now: Instant,
        number: BlockNumber,
        at: Position,
    ) -> Result<(), TrackerError> {
        self.leave(number, State::Abandoned(at))?;
        self.advance(now);
        Ok(())
    }

    /// What may be committed now.
    #[must_use]
    pub const fn frontier(&self) -> Frontier {
        self.frontier
    }

    /// Since when the frontier has not moved although a worker has something; `None` when none has.
    #[must_use]
    pub const fn stands_since(&self) -> Option<Instant> {
        if self.working == 0 { None } else { Some(self.moved) }
    }

    /// Whether no worker has anything of the slot any more.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.working == 0
    }

    /// Offsets that were handed out and are not known to be done.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        let open = self.open.iter().map(|block| match block.state {
            State::Working(done) => block.next.0.saturating_sub(done.0),
            State::Abandoned(_) | State::Done => 0,
        });
        open.sum::<i64>().unsigned_abs()
    }

    /// What is done of each block, from its first position to before the second; nothing is done
    /// of those that give the same twice.
    pub fn finished(&self) -> impl Iterator<Item = (Position, Position)> + '_ {
        let mut from = self.frontier.position;
        self.open.iter().map(move |block| {
            let to = match block.state {
                State::Working(done) | State::Abandoned(done) => done,
                State::Done => block.next,
            };
            (std::mem::replace(&mut from, block.next), to)
        })
    }

    /// Blocks that a worker has.
    #[must_use]
    pub const fn open_blocks(&self) -> usize {
        self.working
    }

    /// Bytes that those blocks pin.
    #[must_use]
    pub const fn open_bytes(&self) -> u64 {
        self.open_bytes
    }

    /// The frontier, if it moved since it was last taken here.
    pub fn take_moved(&mut self) -> Option<Frontier> {
        if self.frontier.position == self.told && !std::mem::take(&mut self.is_news) {
            return None;
        }
        self.told = self.frontier.position;
        Some(self.frontier)
    }

    /// The frontier is news although it stands where it began.
    pub const fn tell_again(&mut self) {
        self.is_news = true;
    }

    fn push(
        &mut self,
        next: Position,
        epoch: LeaderEpoch,
        bytes: u64,
        state: State,
    ) -> BlockNumber {
        let number = self.next;
        self.next += 1;
        self.open.push_back(Block { number, next, epoch, bytes, state });
        BlockNumber(number)
    }

    /// Where a block is that a worker has.
    fn find(&self, number: BlockNumber) -> Option<usize> {
        let index = self.open.binary_search_by_key(&number.0, |block| block.number).ok()?;
        let block = self.open.get(index)?;
        matches!(block.state, State::Working(_)).then_some(index)
    }

    /// A worker has the block no longer.
    fn leave(&mut self, number: BlockNumber, state: State) -> Result<usize, TrackerError> {
        let unknown = TrackerError::UnknownBlock { block: number.0 };
        let index = self.find(number).ok_or(unknown)?;
        let block = self.open.get_mut(index).ok_or(unknown)?;
        let bytes = std::mem::take(&mut block.bytes);
        block.state = match (state, block.state) {
            (State::Abandoned(at), State::Working(done)) => {
                State::Abandoned(at.min(block.next).max(done))
            }
            (state, _) => state,
        };
        self.open_bytes = self.open_bytes.saturating_sub(bytes);
        self.working = self.working.saturating_sub(1);
        Ok(index)
    }

    /// Makes one of a done block and its done neighbours; behind the front there may be many.
    fn merge(&mut self, index: usize) {
        if index == 0 {
            return;
        }
        let is_done = |block: Option<&Block>| block.is_some_and(|block| block.state == State::Done);
        if is_done(self.open.get(index + 1)) {
            self.open.remove(index);
        }
        if is_done(self.open.get(index - 1)) {
            self.open.remove(index - 1);
        }
    }

    fn advance(&mut self, now: Instant) {
        let before = self.frontier.position;
        if Mutant::DropGaps.lives()
            && let Some(done) = self.open.iter().rfind(|block| block.state == State::Done)
        {
            self.frontier = Frontier { position: done.next, epoch: done.epoch };
        }
        while let Some(block) = self.open.pop_front_if(|block| block.state == State::Done) {
            self.frontier = Frontier { position: block.next, epoch: block.epoch };
        }
        if let Some(Block { state: State::Working(done) | State::Abandoned(done), epoch, .. }) =
            self.open.front()
            && self.frontier.position < *done
        {
            self.frontier = Frontier { position: *done, epoch: *epoch };
        }
        if before < self.frontier.position {
            self.moved = now;
        }
    }
}

/// Why a word about a block was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TrackerError {
    /// Never opened, or ended already.
    #[error("no worker has block {block}")]
    UnknownBlock {
        /// Its number.
        block: u64,
    },
}

#[cfg(test)]
mod tests;
