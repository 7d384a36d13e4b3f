//! What do the records say that are sent to measure sending? Texts that codecs can do something with.

use std::path::Path;

use crate::error::CliError;

/// Different values; more of them would only push the client out of its caches.
const COUNT: usize = 1024;

const WORDS: [&str; 8] =
    ["user", "order", "created", "amount", "currency", "status", "region", "item"];

/// Values of one size, sent in turn.
#[derive(Debug)]
pub(super) struct Payloads {
    bytes: Vec<u8>,
    size: usize,
}

impl Payloads {
    /// Texts like JSON, the same in every run.
    pub(super) fn generated(size: usize) -> Self {
        let mut state = 42;
        let mut bytes = Vec::with_capacity(size.saturating_mul(COUNT));
        for _ in 0..COUNT {
            text(&mut state, size, &mut bytes);
        }
        Self { bytes, size }
    }

    /// Values that lie end to end in a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or holds not one value.
    pub(super) fn from_file(path: &Path, size: usize) -> Result<Self, CliError> {
        let bytes = std::fs::read(path).map_err(CliError::system("read the file of values"))?;
        if bytes.len() < size {
            return Err(CliError::FewValues { path: path.to_owned(), bytes: bytes.len(), size });
        }
        Ok(Self { bytes, size })
    }

    /// The value of the record with this number.
    pub(super) fn get(&self, number: u64) -> &[u8] {
        let count = (self.bytes.len() / self.size.max(1)).max(1);
        let turn = number % u64::try_from(count).unwrap_or(1);
        let begin = usize::try_from(turn).unwrap_or(0) * self.size;
        self.bytes.get(begin..begin + self.size).unwrap_or_default()
    }
}

/// Appends a text of exactly `size` bytes.
fn text(state: &mut u64, size: usize, out: &mut Vec<u8>) {
    let end = out.len() + size;
    out.extend_from_slice(format!("{{\"id\":\"{:016x}\"", next(state)).as_bytes());
    while out.len() < end {
        let random = next(state);
        let word = WORDS.iter().cycle().nth(usize::try_from(random % 8).unwrap_or(0));
        let field = format!(",\"{}\":{}", word.copied().unwrap_or("item"), random % 1_000_000);
        out.extend_from_slice(field.as_bytes());
    }
    out.truncate(end);
}

/// `SplitMix64`: enough to make texts differ.
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_size_and_differ_until_they_come_in_turn_again() {
        for size in [1, 23, 100, 1000] {
            let payloads = Payloads::generated(size);
            assert!((0..3000).all(|number| payloads.get(number).len() == size));
            assert_eq!(payloads.get(5), payloads.get(5 + 1024));
        }
        let payloads = Payloads::generated(100);
        assert_ne!(payloads.get(0), payloads.get(1));
    }
}
