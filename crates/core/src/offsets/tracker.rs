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

use crate::run::BlockNumber;

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
    open: VecDeque<Block>,
    /// Number of the first block in `open`.
    first: u64,
    open_bytes: u64,
    frontier: Frontier,
    told: Position,
}

#[derive(Debug)]
struct Block {
    next: Position,
    epoch: LeaderEpoch,
    bytes: u64,
    /// `None` when all of it is done.
    done: Option<Position>,
    is_abandoned: bool,
}

impl Tracker {
    /// Starts at `start`, which the coordinator already has or a reset decided.
    #[must_use]
    pub fn new(start: Frontier) -> Self {
        let told = start.position;
        Self { open: VecDeque::new(), first: 0, open_bytes: 0, frontier: start, told }
    }

    /// A run up to `next` goes to a worker; `bytes` is what it pins.
    pub fn open(&mut self, next: Position, epoch: LeaderEpoch, bytes: u64) -> BlockNumber {
        let number = BlockNumber(self.first + self.open.len() as u64);
        let start = self.open.back().map_or(self.frontier.position, |block| block.next);
        self.open.push_back(Block { next, epoch, bytes, done: Some(start), is_abandoned: false });
        self.open_bytes += bytes;
        number
    }

    /// Everything up to `next` holds no record for us.
    pub fn skip(&mut self, next: Position, epoch: LeaderEpoch) {
        self.open.push_back(Block { next, epoch, bytes: 0, done: None, is_abandoned: false });
        self.advance();
    }

    /// Everything of the block is done.
    ///
    /// # Errors
    ///
    /// [`TrackerError::UnknownBlock`] when the block is not open.
    pub fn finish(&mut self, number: BlockNumber) -> Result<(), TrackerError> {
        let block = self.block(number)?;
        block.done = None;
        let bytes = std::mem::take(&mut block.bytes);
        self.open_bytes = self.open_bytes.saturating_sub(bytes);
        self.advance();
        Ok(())
    }

    /// Everything of the block before `position` is done.
    ///
    /// # Errors
    ///
    /// [`TrackerError::UnknownBlock`] when the block is not open.
    pub fn progress(&mut self, number: BlockNumber, to: Position) -> Result<(), TrackerError> {
        let block = self.block(number)?;
        let end = block.next;
        if let Some(done) = block.done.as_mut() {
            *done = to.min(end).max(*done);
        }
        self.advance();
        Ok(())
    }

    /// The block's worker let go of it before its end: it stops the frontier for good, but no
    /// longer counts as open work.
    pub fn abandon(&mut self, number: BlockNumber) {
        if let Ok(block) = self.block(number) {
            block.is_abandoned = true;
            let bytes = std::mem::take(&mut block.bytes);
            self.open_bytes = self.open_bytes.saturating_sub(bytes);
        }
    }

    /// What may be committed now.
    #[must_use]
    pub const fn frontier(&self) -> Frontier {
        self.frontier
    }

    /// Whether no worker has anything of the slot any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.iter().all(|block| block.is_abandoned || block.done.is_none())
    }

    /// Blocks that are open or wait behind an open one.
    #[must_use]
    pub fn open_blocks(&self) -> usize {
        self.open.len()
    }

    /// Bytes that open blocks pin.
    #[must_use]
    pub const fn open_bytes(&self) -> u64 {
        self.open_bytes
    }

    /// The frontier, if it moved since it was last taken here.
    pub fn take_moved(&mut self) -> Option<Frontier> {
        if self.frontier.position == self.told {
            return None;
        }
        self.told = self.frontier.position;
        Some(self.frontier)
    }

    fn block(&mut self, number: BlockNumber) -> Result<&mut Block, TrackerError> {
        number
            .0
            .checked_sub(self.first)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| self.open.get_mut(index))
            .ok_or(TrackerError::UnknownBlock { block: number.0 })
    }

    fn advance(&mut self) {
        while let Some(block) = self.open.pop_front_if(|block| block.done.is_none()) {
            self.first += 1;
            self.frontier = Frontier { position: block.next, epoch: block.epoch };
        }
        if let Some(done) = self.open.front().and_then(|block| block.done)
            && self.frontier.position < done
        {
            self.frontier = Frontier { position: done, epoch: self.first_epoch() };
        }
    }

    fn first_epoch(&self) -> LeaderEpoch {
        self.open.front().map_or(self.frontier.epoch, |block| block.epoch)
    }
}

/// Why a word about a block was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TrackerError {
    /// Never opened, or ended already.
    #[error("block {block} is not open")]
    UnknownBlock {
        /// Its number.
        block: u64,
    },
}

#[cfg(test)]
mod tests;
