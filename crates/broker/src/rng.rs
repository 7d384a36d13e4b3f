//! Random numbers that a seed repeats (`SplitMix64`).

/// A seeded source of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 1 to `i32::MAX`.
    pub(crate) fn positive(&mut self) -> i32 {
        i32::try_from(self.next() >> 33).unwrap_or(i32::MAX).max(1)
    }

    /// An id as Java writes them, in five groups of digits.
    pub(crate) fn uuid_text(&mut self) -> String {
        let hex: String = self.uuid().iter().map(|byte| format!("{byte:02x}")).collect();
        let groups = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        let parts: Vec<&str> = groups.iter().filter_map(|(from, to)| hex.get(*from..*to)).collect();
        parts.join("-")
    }

    pub(crate) fn uuid(&mut self) -> [u8; 16] {
        let number = u128::from(self.next()) << 64 | u128::from(self.next());
        // Version 4, so that no client takes it for one of Kafka's reserved ids.
        let marked = number & !(0xf << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62);
        marked.to_be_bytes()
    }
}
