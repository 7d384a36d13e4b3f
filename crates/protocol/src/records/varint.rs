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
        _ => {
            let (wide, tail) = take_long_form(rest, 5)?;
            *rest = tail;
            u32::try_from(wide).ok()
        }
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
        _ => {
            let (wide, tail) = take_long_form(rest, 10)?;
            *rest = tail;
            wide
        }
    };
    Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
}

/// Any length up to `longest` bytes, and what follows it. More bytes, or bits beyond the 64th, are
/// no number. It takes and gives values: a borrow of `rest` would keep the hot path's in memory.
#[cold]
#[inline(never)]
fn take_long_form(mut rest: &[u8], longest: u32) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (bytes, shift) in (0..longest).zip((0_u32..).step_by(7)) {
        let (&byte, tail) = rest.split_first()?;
        rest = tail;
        let low = u64::from(byte & 0x7f);
        if bytes == 9 && low > 1 {
            return None;
        }
        value |= low << shift;
        if byte < 0x80 {
            return Some((value, rest));
        }
    }
    None
}

/// Appends small numbers to a buffer, gathering up to eight bytes in a register.
///
/// Bytes pushed one by one each ask for room; a record has six numbers in front of its value.
#[derive(Debug)]
pub(crate) struct Numbers<'a> {
    out: &'a mut Vec<u8>,
    gathered: u64,
    /// How many bytes were gathered.
    len: usize,
}

impl<'a> Numbers<'a> {
    /// A writer to the end of `out`.
    #[inline(always)]
    pub(crate) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, gathered: 0, len: 0 }
    }

    /// Adds one byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.gather(byte.into(), 1);
    }

    /// Adds a zigzag varint.
    #[inline(always)]
    pub(crate) fn signed(&mut self, value: i64) {
        self.unsigned(zigzag(value));
    }

    /// Adds a length or count as a zigzag varint.
    #[inline(always)]
    pub(crate) fn length(&mut self, length: usize) {
        self.unsigned((length as u64) << 1);
    }

    /// Adds bytes as they are.
    #[inline(always)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.flush();
        self.out.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn unsigned(&mut self, value: u64) {
        if value < 0x80 {
            self.gather(value, 1);
        } else if value < 0x4000 {
            self.gather(value & 0x7f | 0x80 | value >> 7 << 8, 2);
        } else {
            self.long(value);
        }
    }

    #[inline(never)]
    fn long(&mut self, value: u64) {
        let mut left = value;
        while left >= 0x80 {
            self.gather(left & 0x7f | 0x80, 1);
            left >>= 7;
        }
        self.gather(left, 1);
    }

    #[inline(always)]
    fn gather(&mut self, bits: u64, len: usize) {
        if self.len + len > 8 {
            self.flush();
        }
        self.gathered |= bits << (8 * self.len);
        self.len += len;
    }

    /// Writes what was gathered. To be called at the end.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        // A copy of a fixed size is one instruction, one of a varying size is a call.
        let end = self.out.len() + self.len;
        self.out.extend_from_slice(&self.gathered.to_le_bytes());
        self.out.truncate(end);
        self.gathered = 0;
        self.len = 0;
    }
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
    // The number of bits divided by 7 and rounded up, without a division.
    (((63 - (value | 1).leading_zeros()) * 9 + 73) / 64) as usize
}

#[inline]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests;
