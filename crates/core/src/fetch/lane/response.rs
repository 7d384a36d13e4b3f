//! What does an answer to Fetch bring, piece by piece as it arrives?

use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::fetch_stream::{
    BatchHead, CutBatches, NodeEndpoint, PartitionHead, PartitionTail, ResponseEnd, ResponseHead,
};
use forebay_protocol::records::error::RecordsError;
use forebay_protocol::types::LeaderEpoch;

use super::answering::{Answering, aborted};
use super::pick::{epoch_of, is_plain, pick, run};
use super::{Lane, Records, fetching};
use crate::fetch::aborted::Filter;
use crate::fetch::cursor::Returned;
use crate::fetch::size::Brought;
use crate::orders::{Address, Fault, LeaderHint, ResetCause};
use crate::run::Watermarks;
use crate::time::Instant;

/// No broker's word silences a lane for longer.
const THROTTLE_MAX_MS: u64 = 30_000;

impl Lane {
    /// The front of a response.
    pub fn handle_response_head(&mut self, head: &ResponseHead) {
        self.response_bytes = 0;
        self.doubt.begin(head.error_code);
        let millis = u64::try_from(head.throttle_ms).unwrap_or(0);
        self.throttle = Duration::from_millis(millis.min(THROTTLE_MAX_MS));
        self.session = if head.error_code == 0 {
            self.session.answered(head.session_id)
        } else {
            self.session.broken()
        };
    }

    /// A partition's answer begins.
    pub fn handle_partition(&mut self, now: Instant, head: PartitionHead) -> Records {
        self.answering = None;
        self.doubt.told_something();
        let Some(slot) = self.names.slot(&head.topic, head.partition) else { return Records::Skip };
        let Some(fetching) = fetching(&mut self.slots, slot) else { return Records::Skip };
        // An answer to what was asked before the cursor came, went or moved is not for us.
        let asked = self.table.believed(slot).map(|asked| asked.position);
        if asked != Some(fetching.cursor.position) {
            return Records::Skip;
        }
        fetching.cursor.watermarks = Watermarks {
            high: head.high_watermark.offset(),
            last_stable: head.last_stable_offset.offset(),
            log_start: head.log_start_offset,
        };
        if head.error_code == 0 && self.is_sent_on(now, slot, head.preferred_read_replica) {
            self.doubt.was_of_use();
            return Records::Skip;
        }
        let is_elsewhere = head.error_code != 0 && self.refused(now, slot, head.error_code);
        if head.error_code != 0 {
            self.doubt.was_of_use();
        }
        if head.error_code != 0 && !is_elsewhere {
            return Records::Skip;
        }
        let filter = self.config.is_read_committed.then(|| Filter::new(aborted(&head)));
        self.answering = Some(Answering {
            slot,
            filter,
            records: head.records_len as u64,
            brought: Brought::default(),
            corrupt: None,
            too_large: None,
            is_elsewhere,
        });
        if is_elsewhere { Records::Skip } else { Records::Read }
    }

    /// Whole batches of the partition whose head came last; `bytes` are those of `cut`, pinned as
    /// the driver likes.
    pub fn handle_batches(&mut self, cut: &CutBatches, bytes: &Bytes, heads: &[BatchHead]) {
        let Some(answering) = self.answering.as_mut() else { return };
        let Some(fetching) = fetching(&mut self.slots, answering.slot) else { return };
        answering.brought.delivered += bytes.len() as u64;
        self.response_bytes += bytes.len() as u64;
        let largest = heads.iter().map(|head| head.size).max().unwrap_or(0);
        let largest = u32::try_from(largest).unwrap_or(u32::MAX);
        answering.brought.largest = answering.brought.largest.max(largest);
        let cursor = &mut fetching.cursor;
        let before = cursor.position;
        if is_plain(heads, cursor.position) {
            let epoch = heads.last().map_or(LeaderEpoch::UNKNOWN, epoch_of);
            let count = cut.count.and_then(|count| u32::try_from(count).ok());
            self.runs.push(run(cursor, cut.next, epoch, bytes.clone(), count));
        } else {
            pick(cursor, answering.filter.as_mut(), bytes, heads, &mut self.runs);
        }
        if cursor.position != before {
            self.doubt.was_of_use();
        }
    }

    /// The partition's next batch has `bytes` bytes, more than the `limit`: what follows of the
    /// partition is to be skipped. Says whether a partition was being read at all.
    pub fn handle_too_large(&mut self, bytes: u64, limit: u64) -> bool {
        let answering = self.answering.as_mut();
        answering.is_some_and(|answering| answering.too_large.replace((bytes, limit)).is_none())
    }

    /// A batch header of the partition could not be read.
    pub fn handle_corrupt(&mut self, error: RecordsError) {
        if let Some(answering) = self.answering.as_mut() {
            answering.corrupt = Some(error);
        }
    }

    /// A partition's answer ends.
    pub fn handle_tail(&mut self, tail: &PartitionTail) {
        let Some(answering) = self.answering.take() else { return };
        let slot = answering.slot;
        let Some(fetching) = fetching(&mut self.slots, slot) else { return };
        fetching.size.observe(answering.judge(tail));
        if answering.is_elsewhere {
            return self.elsewhere(slot, tail);
        }
        // A log cannot part before its start: such a word tells nothing, and is doubted as useless.
        if let Some(diverging) = tail.diverging_epoch.filter(|it| 0 <= it.end_offset.0) {
            let cause = ResetCause::Truncated { end: diverging.end_offset, epoch: diverging.epoch };
            return self.give_back(slot, Returned::NeedsReset(cause));
        }
        if let Some((bytes, limit)) = answering.too_large {
            let position = fetching.cursor.position;
            let fault = Fault::TooLarge { position, bytes, limit };
            return self.give_back(slot, Returned::Fault(fault));
        }
        if let Some(error) = answering.corrupt {
            return self.unreadable(slot, &error);
        }
        self.want(slot);
    }

    /// The response ends: the next request may leave.
    pub fn handle_response_end(&mut self, end: &ResponseEnd) {
        self.in_flight = false;
        self.size.observe(self.response_bytes);
        if let Some(pause) = self.doubt.end() {
            self.throttle = self.throttle.max(pause);
            self.session = self.session.broken();
        }
        self.give_back_hinted(&end.node_endpoints);
    }

    pub(super) fn give_back_hinted(&mut self, endpoints: &[NodeEndpoint]) {
        for (cursor, leader) in std::mem::take(&mut self.hinted) {
            let node = endpoints.iter().find(|node| node.broker == leader.broker);
            let address = node.and_then(|node| {
                let port = u16::try_from(node.port).ok()?;
                Some(Address { host: node.host.as_str().into(), port })
            });
            let hint = LeaderHint { leader, address };
            self.returned.push_back((cursor, Returned::LeaderStale(Some(hint))));
        }
    }
}
