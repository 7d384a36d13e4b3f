//! Unsigned integers of variable length: seven bits a byte, the lowest first.
//!
//! The signed ones are those of records, and live there.

/// The most bytes that 32 bits take.
pub(super) const MAX_LEN: usize = 5;

/// The value, and how many bytes it took; `None` when the bytes end before it does, or it has more
/// than 32 bits.
pub(super) fn read(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((u32::try_from(value).ok()?, index + 1));
        }
    }
    None
}
