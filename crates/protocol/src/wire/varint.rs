//! Variable-length integers: seven bits a byte, the lowest first, signed ones zigzagged.

/// Reads an unsigned varint of at most 32 bits: the value and how many bytes it took.
pub(super) fn read_uvarint(bytes: &[u8]) -> Option<(u32, usize)> {
    let (value, len) = read_bits(bytes, 5)?;
    Some((u32::try_from(value).ok()?, len))
}

/// Reads a zigzagged varint of at most 32 bits: the value and how many bytes it took. `None` when
/// the bytes end before it does, or it is too long.
#[must_use]
#[inline]
pub fn read_varint(bytes: &[u8]) -> Option<(i32, usize)> {
    // Lengths and deltas of records mostly take one byte.
    if let Some(&first @ 0..0x80) = bytes.first() {
        let value = i32::from(first);
        return Some(((value >> 1) ^ -(value & 1), 1));
    }
    let (value, len) = read_bits(bytes, 5)?;
    let value = u32::try_from(value).ok()?;
    Some((i32::try_from(unzigzag(value.into())).ok()?, len))
}

/// Reads a zigzagged varint of at most 64 bits: the value and how many bytes it took. `None` when
/// the bytes end before it does, or it is too long.
#[must_use]
#[inline]
pub fn read_varlong(bytes: &[u8]) -> Option<(i64, usize)> {
    let (value, len) = read_bits(bytes, 10)?;
    Some((unzigzag(value), len))
}

/// How many bytes an unsigned varint takes.
#[must_use]
pub const fn uvarint_len(value: u32) -> usize {
    bits_len(32 - value.leading_zeros())
}

/// How many bytes a zigzagged varint of 32 bits takes.
#[must_use]
pub const fn varint_len(value: i32) -> usize {
    uvarint_len(((value << 1) ^ (value >> 31)).cast_unsigned())
}

/// How many bytes a zigzagged varint of 64 bits takes.
#[must_use]
pub const fn varlong_len(value: i64) -> usize {
    bits_len(64 - ((value << 1) ^ (value >> 63)).cast_unsigned().leading_zeros())
}

const fn bits_len(bits: u32) -> usize {
    (if bits == 0 { 1 } else { bits.div_ceil(7) }) as usize
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// At most `most` bytes of seven bits each; the tenth byte has room for one bit only.
fn read_bits(bytes: &[u8], most: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(most).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}
