//! How much to ask for: of one partition, and in one response.
//!
//! A broker cuts the last batch of a partition at the limit, and the cut part is fetched again.
//! Batches of one topic tend to be of one size, so the limit is made a whole number of the largest
//! batch seen: then nothing is cut. Where sizes differ, the limit grows until the waste is small.

/// Asks for a partition's bytes in whole batches.
#[derive(Clone, Copy, Debug)]
pub struct PartitionSize {
    target: u32,
    /// Largest batch of the last responses, in bytes; 0 when none is known.
    batch: u32,
    delivered: u64,
    wasted: u64,
}

/// What one partition of one response brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Brought {
    /// Bytes of whole batches.
    pub delivered: u64,
    /// Bytes of the cut batch at the end.
    pub wasted: u64,
    /// Largest whole batch, in bytes.
    pub largest: u32,
}

impl PartitionSize {
    /// First limit of a partition, in bytes.
    pub const START: u32 = 1 << 20;
    /// Highest limit of a partition, in bytes, one batch aside.
    pub const MAX: u32 = 4 << 20;
    /// Bytes after which the waste is judged.
    const JUDGED_EVERY: u64 = 8 << 20;
    /// Waste of one part in this many makes the limit grow.
    const WASTE_PART: u64 = 100;

    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { target: Self::START, batch: 0, delivered: 0, wasted: 0 }
    }

    /// What the limit should be, in bytes, when one partition may bring at most `share`.
    #[must_use]
    pub fn ask(&self, share: u32) -> u32 {
        let target = self.target.min(share).max(1);
        if self.batch == 0 {
            return target;
        }
        // One part in 256 more than the batches need, since sizes differ by a little.
        let batch = self.batch.saturating_add(self.batch >> 8);
        let batches = (target / batch).max(1);
        batch.saturating_mul(batches)
    }

    /// A response brought something.
    pub fn observe(&mut self, brought: Brought) {
        if 0 < brought.largest {
            let fading = self.batch - (self.batch >> 4);
            self.batch = brought.largest.max(fading);
        }
        self.delivered += brought.delivered;
        self.wasted += brought.wasted;
        if Self::JUDGED_EVERY <= self.delivered {
            if self.delivered / Self::WASTE_PART < self.wasted {
                self.target = self.target.saturating_mul(2).min(Self::MAX);
            }
            (self.delivered, self.wasted) = (0, 0);
        }
    }
}

impl Default for PartitionSize {
    fn default() -> Self {
        Self::new()
    }
}

/// The limit of a whole response: grows when responses come full, shrinks when the reservoir or
/// the budget stops a fetch.
#[derive(Clone, Copy, Debug)]
pub struct ResponseSize {
    current: u32,
    max: u32,
}

impl ResponseSize {
    /// Lowest limit, in bytes.
    pub const MIN: u32 = 256 << 10;
    /// First limit, in bytes.
    pub const START: u32 = 1 << 20;
    /// Highest limit, in bytes: larger responses cost cache misses and memory and win nothing.
    pub const MAX: u32 = 8 << 20;

    /// Starts at [`Self::START`], never above `max` bytes.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        let max = if max < Self::MIN { Self::MIN } else { max };
        let current = if Self::START < max { Self::START } else { max };
        Self { current, max }
    }

    /// The limit now, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.current
    }

    /// A response of `bytes` came; it doubles the limit when it was nearly full.
    pub fn observe(&mut self, bytes: u64) {
        if u64::from(self.current) * 3 / 4 <= bytes {
            self.current = self.current.saturating_mul(2).min(self.max);
        }
    }

    /// There was no room for a response of this size. Says whether it can be smaller.
    pub fn shrink(&mut self) -> bool {
        let before = self.current;
        self.current = (self.current / 2).max(Self::MIN).min(before);
        self.current < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a broker makes of a limit: whole batches, and what is cut of the next one.
    fn serve(
        limit: u32,
        batches: &mut impl Iterator<Item = u32>,
        carry: &mut Option<u32>,
    ) -> Brought {
        let mut brought = Brought::default();
        let mut room = limit;
        loop {
            let batch = carry.take().unwrap_or_else(|| batches.next().unwrap());
            let is_first = brought.delivered == 0;
            if room < batch && !is_first {
                brought.wasted = u64::from(room);
                *carry = Some(batch);
                return brought;
            }
            brought.delivered += u64::from(batch);
            brought.largest = brought.largest.max(batch);
            room = room.saturating_sub(batch);
        }
    }

    fn waste(batches: impl Iterator<Item = u32>) -> f64 {
        let (mut size, mut batches, mut carry) = (PartitionSize::new(), batches, None);
        let mut total = Brought::default();
        for round in 0..400 {
            let brought = serve(size.ask(u32::MAX), &mut batches, &mut carry);
            size.observe(brought);
            if 100 <= round {
                total.delivered += brought.delivered;
                total.wasted += brought.wasted;
            }
        }
        total.wasted as f64 / total.delivered as f64
    }

    #[test]
    fn batches_of_one_size_are_never_cut() {
        for batch in [16_000, 110_061, 1_010_100, 3_000_000] {
            assert!(waste(std::iter::repeat(batch)) < 0.005, "batches of {batch} bytes");
        }
    }

    #[test]
    fn batches_of_nearly_one_size_waste_little() {
        let mut rng = fastrand::Rng::with_seed(1);
        let sizes = std::iter::repeat_with(move || rng.u32(58_000..60_000));
        assert!(waste(sizes) < 0.02);
    }

    #[test]
    fn batches_of_any_size_waste_at_most_two_in_a_hundred() {
        let mut rng = fastrand::Rng::with_seed(2);
        let sizes = std::iter::repeat_with(move || rng.u32(100..120_000));
        assert!(waste(sizes) < 0.02);
    }

    #[test]
    fn a_limit_is_never_below_one_batch_nor_far_above_the_share() {
        let mut size = PartitionSize::new();
        assert_eq!(size.ask(50_000), 50_000);
        size.observe(Brought { delivered: 10, wasted: 0, largest: 2_000_000 });
        assert!(2_000_000 <= size.ask(50_000));
    }

    #[test]
    fn full_responses_grow_and_missing_room_shrinks() {
        let mut size = ResponseSize::new(ResponseSize::MAX);
        for _ in 0..10 {
            size.observe(u64::from(size.bytes()));
        }
        assert_eq!(size.bytes(), ResponseSize::MAX);
        let shrunk = (0..10).filter(|_| size.shrink()).count();
        assert_eq!(shrunk, 5, "8 MiB to 256 KiB, and no further");
        assert_eq!(size.bytes(), ResponseSize::MIN);
    }
}
