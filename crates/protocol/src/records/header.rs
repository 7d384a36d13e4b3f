//! What headers does a record carry? Read when asked for, in order, duplicates kept.
//!
//! A header's name is bytes: Kafka's clients write UTF-8, but nothing checks that they do.

use super::error::{Fault, HeaderError};
use super::varint::take_signed;

/// One header of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header<'a> {
    /// The name, as bytes.
    pub key: &'a [u8],
    /// The value; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// The name as text, if it is UTF-8.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        std::str::from_utf8(self.key).ok()
    }
}

/// The headers of one record, not read yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// What stands behind the value of a record: a count and the headers.
    #[inline(always)]
    pub(super) fn open(mut bytes: &'a [u8]) -> Result<Self, Fault> {
        // Most records have none, and then this is the whole of it.
        if matches!(bytes, [0]) {
            return Ok(Self::default());
        }
        let count = take_signed(&mut bytes).ok_or(Fault::Overrun)?;
        let count = u32::try_from(count).map_err(|_| Fault::OutOfRange)?;
        // The smallest header is two lengths of one byte each.
        if bytes.len() / 2 < count as usize {
            return Err(Fault::Overrun);
        }
        if count == 0 && !bytes.is_empty() {
            return Err(Fault::Trailing);
        }
        Ok(Self { count, bytes })
    }

    /// How many headers the record announces.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order.
    #[inline]
    #[must_use]
    pub const fn iter(&self) -> HeaderIter<'a> {
        HeaderIter { all: self.count, left: self.count, rest: self.bytes }
    }

    /// The value of the last header named `key`, as Kafka's `lastHeader` has it; the outer
    /// option says whether there is such a header.
    ///
    /// # Errors
    /// When the headers cannot be read.
    pub fn last(&self, key: &str) -> Result<Option<Option<&'a [u8]>>, HeaderError> {
        let mut found = None;
        for header in self.iter() {
            let header = header?;
            if header.key == key.as_bytes() {
                found = Some(header.value);
            }
        }
        Ok(found)
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Result<Header<'a>, HeaderError>;
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A walk over the headers of one record. Ends after the first error.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    all: u32,
    left: u32,
    rest: &'a [u8],
}

impl<'a> HeaderIter<'a> {
    fn take(&mut self) -> Result<Header<'a>, Fault> {
        let key = take_bytes(&mut self.rest)?.ok_or(Fault::OutOfRange)?;
        let value = take_bytes(&mut self.rest)?;
        if self.left == 1 && !self.rest.is_empty() {
            return Err(Fault::Trailing);
        }
        Ok(Header { key, value })
    }
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Result<Header<'a>, HeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let ordinal = self.all - self.left;
        let taken = self.take().map_err(|fault| HeaderError { ordinal, fault });
        self.left = if taken.is_ok() { self.left - 1 } else { 0 };
        Some(taken)
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
    let length = take_signed(rest).ok_or(Fault::Overrun)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| Fault::OutOfRange)?;
    let (part, tail) = rest.split_at_checked(length).ok_or(Fault::Overrun)?;
    *rest = tail;
    Ok(Some(part))
}
