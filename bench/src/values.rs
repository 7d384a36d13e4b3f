//! What do the records say, so that codecs find what they find in real topics?

use fastrand::Rng;

/// The words of the pretended events.
const WORDS: [&str; 12] = [
    "user",
    "order",
    "created",
    "amount",
    "currency",
    "EUR",
    "status",
    "shipped",
    "pending",
    "region",
    "eu-west-1",
    "item",
];

/// Texts like JSON, the same in every run: lz4 halves them, zstd leaves a third.
#[derive(Debug)]
pub(crate) struct Values {
    rng: Rng,
}

impl Values {
    pub(crate) fn new() -> Self {
        Self { rng: Rng::with_seed(42) }
    }

    /// The next text of exactly `size` bytes.
    pub(crate) fn next(&mut self, size: usize) -> Vec<u8> {
        let mut text = format!("{{\"id\":\"{:016x}\"", self.rng.u64(..));
        while text.len() < size {
            let word = self.rng.choice(WORDS).unwrap_or("item");
            text += &format!(",\"{word}\":{}", self.rng.u32(..1_000_000));
        }
        let mut bytes = text.into_bytes();
        bytes.truncate(size);
        bytes
    }
}
