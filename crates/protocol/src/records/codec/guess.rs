//! How much room will packed data need? A guess from what came before, since most frames do not
//! say, and the most they could need is often eight times too much.

/// What is guessed before anything was seen: four to one.
const FIRST: usize = 4 * 1024;

/// How packed and unpacked sizes related lately.
#[derive(Debug)]
pub(super) struct Guess {
    /// Unpacked bytes per KiB of packed ones: the highest of late.
    per_kib: usize,
}

impl Default for Guess {
    fn default() -> Self {
        Self { per_kib: FIRST }
    }
}

impl Guess {
    /// Room that will probably do for `packed` bytes, with an eighth to spare.
    pub(super) fn room(&self, packed: usize) -> usize {
        let likely = packed.saturating_mul(self.per_kib) / 1024;
        likely.saturating_add(likely / 8).saturating_add(256)
    }

    /// Takes in what `packed` bytes came to. A higher ratio counts at once, a lower one slowly.
    pub(super) fn learn(&mut self, packed: usize, unpacked: usize) {
        let seen = unpacked.saturating_mul(1024) / packed.max(1);
        self.per_kib = seen.max(self.per_kib - self.per_kib / 16);
    }
}

#[cfg(test)]
mod tests;
