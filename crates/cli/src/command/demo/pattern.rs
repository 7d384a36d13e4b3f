//! What is in a record? Its place, then bytes that only this place has, so that damage and mix-ups
//! show. Made from a seed: writer and checker need not share memory.

/// Bytes of the partition and the sequence number at the front of a value.
const PLACE: usize = 12;
/// Bytes that fillers are cut from, beside their own length.
const BLOCK: usize = 1 << 16;

/// Writes and checks values.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    block: Vec<u8>,
    size: usize,
}

/// Which record of its partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) partition: u32,
    pub(super) sequence: u64,
}

impl Pattern {
    /// For values of `size` bytes.
    pub(super) fn new(seed: u64, size: u32) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX).max(PLACE);
        let words = (BLOCK + size).div_ceil(8);
        let mut state = seed;
        let block = (0..words).flat_map(|_| next(&mut state).to_le_bytes()).collect();
        Self { block, size }
    }

    /// Writes the value of a place over `value`.
    pub(super) fn write(&self, place: Place, value: &mut Vec<u8>) {
        value.clear();
        value.extend_from_slice(&place.partition.to_be_bytes());
        value.extend_from_slice(&place.sequence.to_be_bytes());
        value.extend_from_slice(self.filler(place));
    }

    /// The place that a value names, if all of the value is as it was written.
    #[inline]
    pub(super) fn read(&self, value: &[u8]) -> Option<Place> {
        let (partition, rest) = value.split_first_chunk()?;
        let (sequence, filler) = rest.split_first_chunk()?;
        let place = Place {
            partition: u32::from_be_bytes(*partition),
            sequence: u64::from_be_bytes(*sequence),
        };
        (filler == self.filler(place)).then_some(place)
    }

    /// The bytes that stand after a place.
    #[inline]
    fn filler(&self, place: Place) -> &[u8] {
        let mut state = place.sequence ^ u64::from(place.partition).rotate_left(40);
        let from = usize::from(u16::try_from(next(&mut state) >> 48).unwrap_or(0));
        self.block.get(from..from + self.size - PLACE).unwrap_or_default()
    }
}

/// `SplitMix64`: small, seeded, well mixed.
#[inline]
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &Pattern, place: Place) -> Vec<u8> {
        let mut value = Vec::new();
        pattern.write(place, &mut value);
        value
    }

    #[test]
    fn a_value_names_its_place_and_has_the_size_that_was_asked_for() {
        let pattern = Pattern::new(1, 100);
        for place in [(0, 0), (7, 1), (999, 1 << 40)] {
            let place = Place { partition: place.0, sequence: place.1 };
            let value = written(&pattern, place);
            assert_eq!((value.len(), pattern.read(&value)), (100, Some(place)));
        }
    }

    #[test]
    fn every_flipped_bit_shows() {
        let pattern = Pattern::new(1, 40);
        let value = written(&pattern, Place { partition: 3, sequence: 77 });
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(pattern.read(&damaged), None, "bit {bit}");
        }
        assert_eq!(pattern.read(&value[..39]), None);
        assert_eq!(pattern.read(b""), None);
    }

    #[test]
    fn another_seed_makes_other_values() {
        let place = Place { partition: 0, sequence: 5 };
        let value = written(&Pattern::new(1, 100), place);
        assert_eq!(Pattern::new(2, 100).read(&value), None);
    }
}
