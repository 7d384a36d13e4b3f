//! What does a partition hold, as this broker's own reader finds it?

use bytes::Bytes;
use forebay_protocol::types::TopicPartition;

use super::Cluster;
use crate::batch::{Head, Refusal, walk};

impl Cluster {
    /// The values of a partition and their offsets, in order, as this broker's own reader finds
    /// them; control batches are left out.
    ///
    /// # Errors
    /// When a batch is damaged.
    pub fn values(&self, of: &TopicPartition) -> Result<Vec<(i64, Option<Bytes>)>, Refusal> {
        let mut values = Vec::new();
        for batch in self.batches(of, 0) {
            let head = Head::read(&batch).filter(|head| !head.is_control());
            let Some(head) = head else { continue };
            walk(&batch, &head, |record| {
                let offset = head.base_offset.saturating_add(record.offset_delta.into());
                values.push((offset, record.value.map(Bytes::copy_from_slice)));
            })?;
        }
        Ok(values)
    }
}
