//! Which batches of a partition's records are for us, and which of them travel as one run?

use bytes::Bytes;
use forebay_protocol::fetch_stream::{BatchHead, Format};
use forebay_protocol::types::{LeaderEpoch, Position};

use crate::fetch::aborted::{BatchMark, Filter};
use crate::fetch::cursor::Cursor;
use crate::run::BatchRun;

/// Whether all batches can go as they are: no transactions, nothing below the position.
pub(super) fn is_plain(heads: &[BatchHead], position: Position) -> bool {
    heads.iter().all(|head| {
        position < head.next
            && match &head.format {
                Format::Batch(header) => {
                    let flags = header.attributes;
                    !flags.is_transactional() && !flags.is_control() && 0 < header.count
                }
                Format::Message { .. } => true,
            }
    })
}

/// Leaves out what is not for us, batch by batch; neighbours that stay make one run.
pub(super) fn pick(
    cursor: &mut Cursor,
    mut filter: Option<&mut Filter>,
    bytes: &Bytes,
    heads: &[BatchHead],
    runs: &mut Vec<BatchRun>,
) {
    let mut open: Option<(usize, usize, u32)> = None;
    for head in heads {
        if head.next <= cursor.position {
            continue;
        }
        let end = head.start + head.size;
        let keeps = keeps(filter.as_deref_mut(), head);
        open = match open {
            Some((start, stop, count)) if keeps && stop == head.start => {
                extend(cursor, runs, head);
                Some((start, end, count + head.count().unwrap_or(0)))
            }
            _ if keeps => {
                let run = run(cursor, head.next, epoch_of(head), Bytes::new(), head.count());
                runs.push(run);
                Some((head.start, end, head.count().unwrap_or(0)))
            }
            Some(_) => {
                extend(cursor, runs, head);
                None
            }
            None => {
                skip(cursor, runs, head);
                None
            }
        };
        if let (Some((start, end, count)), Some(run)) = (open, runs.last_mut()) {
            run.bytes = bytes.slice(start..end);
            run.count = run.count.map(|_| count);
        }
    }
}

pub(super) fn keeps(filter: Option<&mut Filter>, head: &BatchHead) -> bool {
    let Format::Batch(header) = &head.format else { return true };
    let mark = BatchMark {
        base: header.base_offset,
        producer_id: header.producer_id,
        is_transactional: header.attributes.is_transactional(),
        is_control: header.attributes.is_control(),
    };
    let is_kept = filter.map_or(!mark.is_control, |filter| filter.keeps(mark));
    is_kept && 0 < header.count
}

/// Lets the last run reach over `head` too.
pub(super) fn extend(cursor: &mut Cursor, runs: &mut [BatchRun], head: &BatchHead) {
    if let Some(run) = runs.last_mut() {
        run.next = head.next;
        run.epoch = epoch_of(head);
    }
    (cursor.position, cursor.position_epoch) = (head.next, epoch_of(head));
}

/// Nothing before `head` is open to reach over it: a run without bytes does.
pub(super) fn skip(cursor: &mut Cursor, runs: &mut Vec<BatchRun>, head: &BatchHead) {
    match runs.last() {
        Some(last) if last.slot == cursor.slot && last.is_empty() => extend(cursor, runs, head),
        _ => runs.push(run(cursor, head.next, epoch_of(head), Bytes::new(), Some(0))),
    }
}

/// A run of these bytes; the cursor moves behind it.
pub(super) fn run(
    cursor: &mut Cursor,
    next: Position,
    epoch: LeaderEpoch,
    bytes: Bytes,
    count: Option<u32>,
) -> BatchRun {
    let from = cursor.position;
    (cursor.position, cursor.position_epoch) = (next, epoch);
    BatchRun {
        slot: cursor.slot,
        fence: cursor.fence,
        from,
        next,
        epoch,
        bytes,
        watermarks: cursor.watermarks,
        count,
    }
}

pub(super) const fn epoch_of(head: &BatchHead) -> LeaderEpoch {
    match &head.format {
        Format::Batch(header) => header.leader_epoch,
        Format::Message { .. } => LeaderEpoch::UNKNOWN,
    }
}
