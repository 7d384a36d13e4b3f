//! How are the parts of a Fetch response read, when some of their bytes may not be there yet?
//!
//! A reader that lacks bytes says how many must be there, so that it is not asked again too early.

use super::error::StreamFault;

/// Why a reader stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The buffer must hold this many bytes in all.
    Need(usize),
    /// The bytes are not what they should be.
    Broken(StreamFault),
}

/// A reader over what is in the buffer, which knows how much the body still has.
pub(super) struct Head<'a> {
    bytes: &'a [u8],
    at: usize,
    left: usize,
    pub(super) version: i16,
}

impl<'a> Head<'a> {
    pub(super) const fn new(bytes: &'a [u8], left: usize, version: i16) -> Self {
        Self { bytes, at: 0, left, version }
    }

    /// Bytes read so far.
    pub(super) const fn taken(&self) -> usize {
        self.at
    }

    /// Reads tagged fields. Each is handed over as a reader of its own, which must be emptied.
    pub(super) fn tags(
        &mut self,
        mut read: impl FnMut(u32, &mut Head<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if !self.is_flexible() {
            return Ok(());
        }
        for _ in 0..self.unsigned("tagged fields")? {
            let tag = self.unsigned("tag")?;
            let size = self.unsigned("tagged field")? as usize;
            let bytes = self.slice("tagged field", size)?;
            let mut field = Head::new(bytes, size, self.version);
            read(tag, &mut field)?;
            if field.at != size {
                let left = size - field.at;
                return Err(Stop::Broken(StreamFault::TaggedField { tag, left }));
            }
        }
        Ok(())
    }

    pub(super) const fn skip_rest(&mut self) {
        self.at = self.left;
    }

    pub(super) const fn is_flexible(&self) -> bool {
        self.version >= 12
    }

    pub(super) fn fits(&self, field: &'static str, bytes: usize) -> Result<usize, Stop> {
        let needed = self.at.saturating_add(bytes);
        if needed > self.left {
            return Err(Stop::Broken(StreamFault::Overrun { field, needed, left: self.left }));
        }
        Ok(needed)
    }

    pub(super) fn peek(&self, field: &'static str, bytes: usize) -> Result<&'a [u8], Stop> {
        let end = self.fits(field, bytes)?;
        self.bytes.get(self.at..end).ok_or(Stop::Need(end))
    }

    pub(super) fn slice(&mut self, field: &'static str, bytes: usize) -> Result<&'a [u8], Stop> {
        let slice = self.peek(field, bytes)?;
        self.at += bytes;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Stop> {
        let slice = self.slice(field, N)?;
        slice.first_chunk().copied().ok_or(Stop::Need(self.at))
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, Stop> {
        self.array(field).map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, Stop> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64, Stop> {
        self.array(field).map(i64::from_be_bytes)
    }

    pub(super) fn unsigned(&mut self, field: &'static str) -> Result<u32, Stop> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array(field)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| out_of_range(field, -1));
            }
        }
        Err(out_of_range(field, -1))
    }

    /// A length or count that may be null; `width` is that of the number before version 12.
    pub(super) fn nullable_length(
        &mut self,
        field: &'static str,
        width: u8,
    ) -> Result<Option<usize>, Stop> {
        if self.is_flexible() {
            let raw = self.unsigned(field)?;
            return Ok(raw.checked_sub(1).map(|length| length as usize));
        }
        let raw = if width == 2 { self.i16(field)?.into() } else { self.i32(field)? };
        match usize::try_from(raw) {
            Ok(length) => Ok(Some(length)),
            Err(_) if raw == -1 => Ok(None),
            Err(_) => Err(out_of_range(field, raw.into())),
        }
    }

    pub(super) fn count(&mut self, field: &'static str) -> Result<u32, Stop> {
        let count = self.nullable_length(field, 4)?.ok_or_else(|| out_of_range(field, -1))?;
        // The shortest element has a byte; more cannot be there.
        self.fits(field, count)?;
        u32::try_from(count).map_err(|_| out_of_range(field, -1))
    }

    pub(super) fn nullable_text(&mut self, field: &'static str) -> Result<Option<&'a str>, Stop> {
        let Some(length) = self.nullable_length(field, 2)? else {
            return Ok(None);
        };
        let bytes = self.slice(field, length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Stop::Broken(StreamFault::NotText { field })),
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, Stop> {
        self.nullable_text(field)?.ok_or_else(|| out_of_range(field, -1))
    }
}

const fn out_of_range(field: &'static str, found: i64) -> Stop {
    Stop::Broken(StreamFault::OutOfRange { field, found })
}
