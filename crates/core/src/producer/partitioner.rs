//! Which partition a record goes to, as Kafka's Java client decides it.

/// The partition of a record with `key` in a topic of `partitions`: `murmur2(key)` without its
/// sign, modulo the count. `None` for a topic without partitions.
#[must_use]
pub fn for_key(key: &[u8], partitions: usize) -> Option<usize> {
    usize::try_from(murmur2(key) & 0x7fff_ffff).ok()?.checked_rem(partitions)
}

/// Austin Appleby's `MurmurHash2` in 32 bits, with the seed that Kafka chose.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    let mut hash = SEED ^ length;
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> R;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// One of the partitions with these numbers of waiting batches, `None` for those that are out of
/// the question. `draw` is any number: the fewer batches wait, the likelier is a partition
/// (KIP-794); equal numbers make all equally likely. `None` when there is no partition.
#[must_use]
pub fn by_load(loads: &[Option<usize>], draw: u64) -> Option<usize> {
    let most = loads.iter().flatten().max()?;
    let weight = |load: &Option<usize>| load.map_or(0, |load| 1 + most.saturating_sub(load));
    let total: usize = loads.iter().map(weight).fold(0, usize::saturating_add);
    let draw = (u128::from(draw) * u128::try_from(total).unwrap_or(1)) >> u64::BITS;
    let mut left = usize::try_from(draw).unwrap_or(0);
    for (at, load) in loads.iter().enumerate() {
        let weight = weight(load);
        if left < weight {
            return Some(at);
        }
        left = left.saturating_sub(weight);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that Kafka's own test of its partitioner expects.
    #[test]
    fn hashes_are_those_of_the_java_client() {
        for (text, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }

    /// Keys, hashes and partitions as the Java client's own classes print them.
    #[test]
    fn partitions_are_those_of_the_java_client_for_every_length_of_key() {
        let goldens = include_str!("../../tests/goldens/partitions-4.4.0.txt");
        for line in goldens.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [key, hash, partitions @ ..] = words.as_slice() else { panic!("{line}") };
            let key: Vec<_> = key
                .as_bytes()
                .chunks_exact(2)
                .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            assert_eq!(murmur2(&key).cast_signed().to_string(), *hash, "{line}");
            let found = [1, 2, 3, 8, 12, 100, 1000].map(|count| for_key(&key, count).unwrap());
            assert_eq!(found.map(|it| it.to_string()).as_slice(), partitions, "{line}");
        }
        assert!(100 < goldens.lines().count());
    }

    #[test]
    fn keys_spread_over_all_partitions_and_no_partition_means_none() {
        let mut seen = [0; 12];
        for number in 0..1200 {
            seen[for_key(format!("key-{number}").as_bytes(), 12).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (50..150).contains(count)), "{seen:?}");
        assert_eq!(for_key(b"key", 0), None);
    }

    #[test]
    fn a_partition_is_likelier_the_less_waits_for_it() {
        let share = |loads: &[Option<usize>]| {
            let mut counts = vec![0; loads.len()];
            for step in 0..9000_u64 {
                counts[by_load(loads, step * (u64::MAX / 9000)).unwrap()] += 1;
            }
            counts
        };
        let near = |found: Vec<i32>, expected: &[i32]| {
            let off = found.iter().zip(expected).any(|(one, other)| 2 < one.abs_diff(*other));
            assert!(!off, "{found:?} is not {expected:?}");
        };
        near(share(&[Some(0), Some(0), Some(0)]), &[3000, 3000, 3000]);
        // Weights 1, 4 and 4.
        near(share(&[Some(3), Some(0), Some(0)]), &[1000, 4000, 4000]);
        near(share(&[None, Some(7), None]), &[0, 9000, 0]);
        assert_eq!(by_load(&[None, None], 5), None);
        assert_eq!(by_load(&[Some(1), Some(1)], u64::MAX), Some(1));
    }
}
