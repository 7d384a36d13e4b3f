//! Keeps the last record of each key, as Kafka's cleaner does: with holes, and with an empty batch
//! where a producer's last sequence number must not be forgotten.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

use super::{HEAD, Head, Log, OVERHEAD, Stored};
use crate::batch::{self, Refusal};

/// Which record of a key, or of a producer, is the last.
#[derive(Default)]
struct Last {
    by_key: BTreeMap<Vec<u8>, i64>,
    by_producer: BTreeMap<i64, i64>,
}

impl Log {
    /// Cleans all but the last batch, which Kafka would not touch either while it is written to.
    /// Transactional batches, markers and formats before v2 stay as they are.
    pub(crate) fn compact(&mut self) -> Result<(), Refusal> {
        let last = self.last_of_each()?;
        let newest = self.batches.back().map(|stored| stored.base);
        let before = std::mem::take(&mut self.batches);
        for stored in before {
            match stored.fields {
                Some(fields) if newest != Some(stored.base) && !fields.is_transactional() => {
                    self.batches.extend(cleaned(&stored, fields, &last)?);
                }
                _ => self.batches.push_back(stored),
            }
        }
        self.bytes = self.batches.iter().map(|stored| stored.len() + OVERHEAD).sum();
        Ok(())
    }

    fn last_of_each(&self) -> Result<Last, Refusal> {
        let mut last = Last::default();
        for stored in &self.batches {
            let Some(fields) = &stored.fields else { continue };
            last.by_producer.insert(fields.producer_id, fields.base_offset);
            batch::walk(&stored.whole(), fields, |record| {
                let offset = fields.base_offset.saturating_add(record.offset_delta.into());
                if let Some(key) = record.key {
                    last.by_key.insert(key.to_vec(), offset);
                }
            })?;
        }
        Ok(last)
    }
}

/// What is left of a batch, if anything: uncompressed, with its offsets and times.
fn cleaned(stored: &Stored, fields: Head, last: &Last) -> Result<Option<Stored>, Refusal> {
    let mut kept = BytesMut::new();
    let mut count = 0;
    batch::walk(&stored.whole(), &fields, |record| {
        let offset = fields.base_offset.saturating_add(record.offset_delta.into());
        if record.key.is_some_and(|key| last.by_key.get(key) == Some(&offset)) {
            kept.put_slice(record.raw);
            count += 1;
        }
    })?;
    let remembers = fields.producer_id >= 0
        && last.by_producer.get(&fields.producer_id) == Some(&fields.base_offset);
    if count == 0 && !remembers {
        return Ok(None);
    }
    let length = HEAD - batch::LENGTH_ENDS + kept.len();
    let mut fields = Head {
        record_count: count,
        batch_length: i32::try_from(length).unwrap_or(i32::MAX),
        attributes: fields.attributes & !batch::COMPRESSION,
        ..fields
    };
    fields.crc = batch::checksum_of(&fields.write(), &kept);
    let mut head = fields.write();
    head.put(kept);
    Ok(Some(Stored {
        base: stored.base,
        last: stored.last,
        max_timestamp: stored.max_timestamp,
        fields: Some(fields),
        head: head.freeze(),
        body: Bytes::new(),
    }))
}
