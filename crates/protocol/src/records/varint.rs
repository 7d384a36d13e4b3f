//! How are the small numbers inside a record read? Varints over a slice, one and two bytes first.
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

#[cfg(test)]
mod tests;
