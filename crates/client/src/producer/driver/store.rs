//! The bytes of sealed batches until their results are told.
//!
//! A batch's bytes never change once they were given to a connection: under another stamp a copy is
//! sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::producer::{BatchId, Identity, Stamp};
use forebay_protocol::records::batch::{Batch, ProduceKind};
use forebay_protocol::records::builder::{
    BatchBuilder, ClosedBatch, NewRecord, Producer as Writer, restamped,
};
use forebay_protocol::records::codec::{Codec, Compressor, Decompressor, Levels, Scratch};
use forebay_protocol::records::error::RecordsError;
use forebay_protocol::records::header::Header;
use forebay_protocol::records::record::Records;

use super::super::append::{Accumulator, Closed};
use super::super::receipt::BatchResult;
use super::super::spare::Spares;

/// More than a batch of ours unpacks to: `batch.size` or one record, both below it.
const UNPACKED_MAX: usize = 2 << 30;

/// A sealed batch until its result is told.
#[derive(Debug)]
pub(super) struct Stored {
    body: Body,
    pub(super) result: Arc<BatchResult>,
    /// Ordinal, among the records that the result is for, of its first.
    pub(super) first: u32,
    pub(super) records: u32,
    /// Bytes of the pool that it holds.
    pub(super) reserved: usize,
    pub(super) accumulator: Arc<Accumulator>,
}

#[derive(Debug)]
enum Body {
    /// Nobody's yet.
    Closed(ClosedBatch),
    /// As it was sent.
    Sealed { stamp: Option<Stamp>, bytes: Bytes },
}

/// How large a packed batch is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) records: u32,
    pub(super) bytes: usize,
}

/// A batch whose codec was not built in.
#[derive(Debug)]
pub(super) struct Unpacked(pub(super) Box<Closed>);

/// All batches that are not through, and what packs them.
#[derive(Debug)]
pub(super) struct Store {
    batches: BTreeMap<BatchId, Stored>,
    codec: Codec,
    compressor: Compressor,
    decompressor: Decompressor,
}

impl Store {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            batches: BTreeMap::new(),
            codec,
            compressor: Compressor::new(Levels::default()),
            decompressor: Decompressor::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The batch that was handed in first of those that are not through.
    pub(super) fn oldest(&self) -> Option<BatchId> {
        self.batches.keys().next().copied()
    }

    /// Packs a batch and keeps it; yields its records and bytes, none for a batch without records.
    ///
    /// # Errors
    ///
    /// When the codec was not built in.
    pub(super) fn seal(
        &mut self,
        id: BatchId,
        closed: Closed,
        spares: &Spares,
    ) -> Result<Option<Size>, Unpacked> {
        let mut closed = closed;
        let packed = closed.builder.close(self.codec, ProduceKind::default(), &mut self.compressor);
        let Ok(packed) = packed else { return Err(Unpacked(Box::new(closed))) };
        let Closed { accumulator, builder, result, reserved, .. } = closed;
        spares.keep(builder.into_buffer());
        let Some(packed) = packed else { return Ok(None) };
        let (records, bytes) = (packed.count(), packed.size());
        let body = Body::Closed(packed);
        let stored = Stored { body, result, first: 0, records, reserved, accumulator };
        self.batches.insert(id, stored);
        Ok(Some(Size { records, bytes }))
    }

    /// The batch's bytes under this stamp.
    pub(super) fn stamped(&mut self, id: BatchId, stamp: Option<Stamp>) -> Option<Bytes> {
        let stored = self.batches.get_mut(&id)?;
        let kept = Body::Sealed { stamp, bytes: Bytes::new() };
        let bytes = match std::mem::replace(&mut stored.body, kept) {
            Body::Closed(closed) => closed.stamp(writer(stamp)).into_bytes(),
            Body::Sealed { stamp: sent, bytes } if sent == stamp => bytes,
            Body::Sealed { bytes, .. } => restamped(&bytes, writer(stamp)).into(),
        };
        stored.body = Body::Sealed { stamp, bytes: bytes.clone() };
        Some(bytes)
    }

    /// The batch's first `records` stay, those behind become the batch `rest`.
    ///
    /// # Errors
    ///
    /// When our own batch cannot be read, which would be a defect.
    pub(super) fn split(
        &mut self,
        id: BatchId,
        records: u32,
        rest: BatchId,
    ) -> Result<(), RecordsError> {
        let Some(bytes) = self.stamped(id, None) else { return Ok(()) };
        let ([first, second], size) = self.halves(&bytes, records)?;
        let Some(stored) = self.batches.get_mut(&id) else { return Ok(()) };
        let behind = Stored {
            body: second,
            result: Arc::clone(&stored.result),
            first: stored.first.saturating_add(records),
            records: stored.records.saturating_sub(records),
            reserved: stored.reserved / 2,
            accumulator: Arc::clone(&stored.accumulator),
        };
        stored.accumulator.split(size);
        stored.body = first;
        stored.records = records;
        stored.reserved = stored.reserved.saturating_sub(behind.reserved);
        self.batches.insert(rest, behind);
        Ok(())
    }

    /// The halves, and how many bytes they have together, not packed.
    fn halves(&mut self, bytes: &[u8], records: u32) -> Result<([Body; 2], usize), RecordsError> {
        let (batch, _) = Batch::split_first(bytes)?;
        let mut scratch = Scratch::default();
        let section = batch.unpack(&mut self.decompressor, UNPACKED_MAX, &mut scratch)?;
        let mut builders = [BatchBuilder::new(usize::MAX), BatchBuilder::new(usize::MAX)];
        let [first, second] = &mut builders;
        for record in Records::new(batch.header(), section) {
            let record = record?;
            // Written by us and checked by nobody since: they are what they were.
            let headers: Vec<Header<'_>> = record.headers.iter().map_while(Result::ok).collect();
            let new = NewRecord {
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            let half = if first.count() < records { &mut *first } else { &mut *second };
            // They were in one batch, so that each half has room for its own.
            half.append(&new).ok();
        }
        let size = first.size().saturating_add(second.size());
        let mut close = |builder: &mut BatchBuilder| {
            let closed = builder.close(self.codec, ProduceKind::default(), &mut self.compressor);
            closed.ok().flatten().map_or_else(|| sealed(Bytes::new()), Body::Closed)
        };
        Ok(([close(first), close(second)], size))
    }

    /// The batch is through.
    pub(super) fn remove(&mut self, id: BatchId, spares: &Spares) -> Option<Stored> {
        let mut stored = self.batches.remove(&id)?;
        if let Body::Sealed { bytes, .. } =
            std::mem::replace(&mut stored.body, sealed(Bytes::new()))
            // A packed batch is too small to gather records in.
            && self.codec == Codec::None
        {
            spares.keep_bytes(bytes);
        }
        Some(stored)
    }
}

const fn sealed(bytes: Bytes) -> Body {
    Body::Sealed { stamp: None, bytes }
}

/// Who writes, as the batch's header says it.
fn writer(stamp: Option<Stamp>) -> Writer {
    stamp.map_or_else(Writer::default, |Stamp { identity: Identity { id, epoch }, sequence }| {
        Writer { id, epoch, base_sequence: sequence }
    })
}
