//! What becomes of a batch that was answered?

use super::partition::{Batch, BatchId, Place};
use super::verdict::{Fence, Verdict};
use super::{Failure, Output, Producer};
use crate::time::Instant;

impl Producer {
    /// Books the answer about one batch.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        (at, id): (usize, BatchId),
        verdict: Verdict,
        code: i16,
    ) {
        let Some(partition) = self.partitions.get_mut(at) else { return };
        let Some((mut batch, place)) = partition.settle(id) else { return };
        batch.last_code = if code == 0 { batch.last_code } else { code };
        let again = match verdict {
            Verdict::Stored(offset) => {
                partition.stored();
                self.outputs.push_back(Output::Done { batch: id, result: Ok(offset) });
                None
            }
            Verdict::TooLarge => self.split(at, &batch, code),
            Verdict::Failed(failure) => self.fail(at, &batch, failure),
            Verdict::OutOfOrder(fence) => self.out_of_order(now, (at, batch, place), (fence, code)),
            Verdict::Again { in_doubt } => {
                batch.in_doubt |= in_doubt;
                self.postpone(now, at, batch)
            }
            Verdict::Moved => {
                self.outputs.push_back(Output::StaleMetadata);
                batch.in_doubt = true;
                self.postpone(now, at, batch)
            }
        };
        if let (Some(batch), Some(partition)) = (again, self.partitions.get_mut(at)) {
            partition.put_back(batch);
        }
        self.list(at);
    }

    /// A batch that a broker finds too large goes on in two, while it has two records.
    fn split(&mut self, at: usize, batch: &Batch, code: i16) -> Option<Batch> {
        let Some([first, rest]) = batch.split() else {
            return self.fail(at, batch, Failure::Refused { code });
        };
        let (records, rest_id) = (first.records, rest.id);
        self.outputs.push_back(Output::Split { batch: batch.id, records, rest: rest_id });
        self.partitions.get_mut(at)?.put_back(rest);
        Some(first)
    }

    /// A batch whose sequence the broker did not expect.
    fn out_of_order(
        &mut self,
        now: Instant,
        (at, mut batch, place): (usize, Batch, Place),
        (fence, code): (Fence, i16),
    ) -> Option<Batch> {
        let partition = self.partitions.get_mut(at)?;
        if place == Place::Behind || partition.is_broken() {
            // A gap before it is being filled, or a broken sequence mended: it was not written.
            batch.in_doubt = false;
            return Some(batch);
        }
        partition.breaks_by(&batch, fence);
        if batch.in_doubt || batch.stamp.is_none() {
            return self.fail(at, &batch, Failure::Unknown { last: code });
        }
        // Each attempt was answered, with a no: it goes on under the next epoch.
        self.postpone(now, at, batch)
    }

    /// Once more, after a while.
    fn postpone(&mut self, now: Instant, at: usize, batch: Batch) -> Option<Batch> {
        let partition = self.partitions.get_mut(at)?;
        partition.not_before = now.after(partition.backoff.fail(&mut self.rng));
        Some(batch)
    }

    /// Ends a batch without success; nothing of it is left to send.
    fn fail(&mut self, at: usize, batch: &Batch, failure: Failure) -> Option<Batch> {
        if let Some(partition) = self.partitions.get_mut(at) {
            partition.breaks_by(batch, Fence::Open);
        }
        let result = Err(batch.failure(failure));
        self.outputs.push_back(Output::Done { batch: batch.id, result });
        None
    }
}
