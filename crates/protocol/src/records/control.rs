//! What does a control batch say? The end of a transaction, or something that only brokers need.
//!
//! The first record of the batch tells; its key is a version and a type. Whoever reads
//! `read_committed` needs it to know when a producer's aborted transaction is over.

use super::batch::Batch;
use super::codec::Codec;
use super::error::{BatchFault, Fault, Field, RecordsError};
use super::record::Records;

/// What a control batch says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Control {
    /// The producer's open transaction in this partition is aborted.
    Abort(EndTxn),
    /// The producer's open transaction in this partition is committed.
    Commit(EndTxn),
    /// A new leader of a metadata partition (`KRaft`).
    LeaderChange,
    /// Something else, by its type; consumers step over it.
    Other(i16),
}

/// What the marker of a transaction's end carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EndTxn {
    /// Whose transaction.
    pub producer_id: i64,
    /// The incarnation of that producer.
    pub producer_epoch: i16,
    /// The leadership of the transaction coordinator that wrote the marker; -1 when it is left
    /// out.
    pub coordinator_epoch: i32,
}

impl Control {
    /// Reads the marker of a control batch; `None` if compaction took its record.
    ///
    /// # Errors
    /// When the batch is no control batch that can be read.
    pub fn read(batch: &Batch<'_>) -> Result<Option<Self>, RecordsError> {
        let header = batch.header();
        let base_offset = header.base_offset.0;
        if !header.attributes.is_control() || header.codec != Codec::None {
            return Err(RecordsError::Batch { base_offset, fault: BatchFault::NotControl });
        }
        let Some(record) = Records::new(header, batch.section()).next().transpose()? else {
            return Ok(None);
        };
        let Some([_, _, kind @ ..]) = record.key.and_then(|key| key.first_chunk::<4>()) else {
            let (field, fault) = (Field::Key, Fault::Overrun);
            return Err(RecordsError::Record { base_offset, ordinal: 0, field, fault });
        };
        let end = EndTxn {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            coordinator_epoch: coordinator_epoch(record.value),
        };
        Ok(Some(match i16::from_be_bytes(*kind) {
            0 => Self::Abort(end),
            1 => Self::Commit(end),
            2 => Self::LeaderChange,
            other => Self::Other(other),
        }))
    }
}

/// Behind the version in the value of a transaction marker.
fn coordinator_epoch(value: Option<&[u8]>) -> i32 {
    match value.and_then(|value| value.first_chunk::<6>()) {
        Some([_, _, epoch @ ..]) => i32::from_be_bytes(*epoch),
        None => -1,
    }
}

#[cfg(test)]
mod tests;
