//! How are the small numbers inside a record read and written? Varints, short ones first.
//!
//! A record has five or more of them, so this is the innermost loop of a consumer. Nearly all fit
//! in two bytes; the rest leaves the hot path.

/// Takes an unsigned varint of at most 32 bits from the front, or nothing if it is not one.
#[inline(always)]
pub(crate) fn take_unsigned(rest: &mut &[u8]) -> Option<u32> {
    match *rest {
        [a, tail @ ..] if *a < 0x80 => {
            *rest = tail;
            Some(u32::from(*a))
        }
        [a, b, tail @ ..] if *b < 0x80 => {
            *rest = tail;
            Some(u32::from(*a & 0x7f) | u32::from(*b) << 7)
        }
        _ => take_long_form(rest, 5).and_then(|wide| u32::try_from(wide).ok()),
    }
}

/// Takes a zigzag varint of at most 32 bits from the front.
#[inline(always)]
pub(crate) fn take_signed(rest: &mut &[u8]) -> Option<i32> {
    let raw = take_unsigned(rest)?;
    Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// Takes a zigzag varint of at most 64 bits from the front.
#[inline(always)]
pub(crate) fn take_signed_long(rest: &mut &[u8]) -> Option<i64> {
    let raw = match *rest {
        [a, tail @ ..] if *a < 0x80 => {
            *rest = tail;
            u64::from(*a)
        }
        [a, b, tail @ ..] if *b < 0x80 => {
            *rest = tail;
            u64::from(*a & 0x7f) | u64::from(*b) << 7
        }
        _ => take_long_form(rest, 10)?,
    };
    Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// Any length up to `longest` bytes. More bytes, or bits beyond the 64th, are no number.
#[cold]
#[inline(never)]
fn take_long_form(rest: &mut &[u8], longest: u32) -> Option<u64> {
    let mut value = 0_u64;
    for (bytes, shift) in (0..longest).zip((0_u32..).step_by(7)) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        let low = u64::from(byte & 0x7f);
        if bytes == 9 && low > 1 {
            return None;
        }
        value |= low << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends an unsigned varint.
#[inline]
fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    let mut left = value;
    while left >= 0x80 {
        out.push(low_seven(left) | 0x80);
        left >>= 7;
    }
    out.push(low_seven(left));
}

/// Appends a zigzag varint.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, zigzag(value));
}

/// Appends a length or count as a zigzag varint.
#[inline]
pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_unsigned(out, (length as u64) << 1);
}

/// How many bytes the zigzag varint of `value` takes.
#[inline]
pub(crate) const fn signed_len(value: i64) -> usize {
    unsigned_len(zigzag(value))
}

/// How many bytes the zigzag varint of a length or count takes.
#[inline]
pub(crate) const fn length_len(length: usize) -> usize {
    unsigned_len((length as u64) << 1)
}

#[inline]
const fn unsigned_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

#[inline]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
const fn low_seven(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}

#[cfg(test)]
mod tests;
