//! How are Kafka's primitive fields read and written, in both encodings?

/// Reads a request's fields in their order; `None` where the bytes end too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, flexible: false }
    }

    /// From here on lengths are compact and structures end with tagged fields.
    pub(super) fn flexible(mut self) -> Self {
        self.flexible = true;
        self
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*field)
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.fixed().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.fixed().map(i64::from_be_bytes)
    }

    pub(super) fn uuid(&mut self) -> Option<[u8; 16]> {
        self.fixed()
    }

    fn varint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.fixed()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The length of an array; a null one counts as empty.
    pub(super) fn array(&mut self) -> Option<usize> {
        if self.flexible {
            self.varint().map(|len| len.saturating_sub(1))
        } else {
            self.i32().map(|len| usize::try_from(len).unwrap_or(0))
        }
    }

    /// A string; a null one counts as empty.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        let len = if self.flexible {
            self.varint()?.saturating_sub(1)
        } else {
            usize::try_from(self.i16()?).unwrap_or(0)
        };
        self.take(len).and_then(|bytes| str::from_utf8(bytes).ok())
    }

    /// Bytes; null ones count as empty.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.array()?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// Passes over tagged fields, where the encoding has them.
    pub(super) fn tags(&mut self) -> Option<()> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                let len = self.varint()?;
                self.take(len)?;
            }
        }
        Some(())
    }
}

/// Writes a response's fields in their order.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// A response that starts with room for its length.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; 4], flexible: false }
    }

    /// From here on lengths are compact and structures end with tagged fields.
    pub(super) fn flexible(mut self) -> Self {
        self.flexible = true;
        self
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets what was written from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// The bytes with their length in front; `beyond` more bytes follow from elsewhere.
    pub(super) fn finish(mut self, beyond: usize) -> Vec<u8> {
        let len = i32::try_from(self.bytes.len() - 4 + beyond).unwrap_or(i32::MAX);
        if let Some(room) = self.bytes.first_chunk_mut::<4>() {
            *room = len.to_be_bytes();
        }
        self.bytes
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    fn varint(&mut self, value: usize) {
        let mut rest = value;
        while rest >= 0x80 {
            self.bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest.to_le_bytes()[0]);
    }

    /// The length of an array or of bytes, in front of them.
    pub(super) fn array(&mut self, len: usize) {
        if self.flexible {
            self.varint(len + 1);
        } else {
            self.i32(i32::try_from(len).unwrap_or(i32::MAX));
        }
    }

    /// An array without value.
    pub(super) fn null_array(&mut self) {
        if self.flexible {
            self.varint(0);
        } else {
            self.i32(-1);
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        if self.flexible {
            self.varint(text.len() + 1);
        } else {
            self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        }
        self.raw(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.array(bytes.len());
        self.raw(bytes);
    }

    pub(super) fn null_string(&mut self) {
        if self.flexible {
            self.varint(0);
        } else {
            self.i16(-1);
        }
    }

    /// No tagged fields, where the encoding has them.
    pub(super) fn tags(&mut self) {
        if self.flexible {
            self.varint(0);
        }
    }
}
