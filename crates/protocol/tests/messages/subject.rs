//! Every message of the crate under its name, so that a test can go over all of them.

use bytes::Bytes;
use forebay_protocol::decode::DecodeError;
use forebay_protocol::for_each_api;
use forebay_protocol::messages::*;
use forebay_protocol::wire::{EncodeError, Message, Reader, Writer};

/// One type of message, without its type.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    parse: fn(Bytes, i16) -> Result<Parsed, DecodeError>,
    try_decode: fn(Bytes, i16) -> bool,
    default: fn(i16) -> Result<Bytes, EncodeError>,
}

/// A message that was read.
pub(crate) struct Parsed {
    /// Its `Debug`, one field a line.
    pub(crate) text: String,
    /// What it is written as.
    pub(crate) written: Result<Bytes, EncodeError>,
    /// How long it said that it would be.
    pub(crate) announced: Result<usize, EncodeError>,
    /// How many bytes were left.
    pub(crate) left: usize,
}

impl Subject {
    fn of<M: Message>() -> Self {
        Self {
            name: M::NAME,
            min: M::MIN_VERSION,
            max: M::MAX_VERSION,
            parse: parse::<M>,
            try_decode: |bytes, version| M::decode(&mut Reader::new(bytes), version).is_ok(),
            default: |version| write(&M::default(), version),
        }
    }

    pub(crate) fn parse(self, bytes: &Bytes, version: i16) -> Result<Parsed, DecodeError> {
        (self.parse)(bytes.clone(), version)
    }

    pub(crate) fn decodes(self, bytes: Bytes, version: i16) -> bool {
        (self.try_decode)(bytes, version)
    }

    pub(crate) fn default(self, version: i16) -> Result<Bytes, EncodeError> {
        (self.default)(version)
    }
}

fn parse<M: Message>(bytes: Bytes, version: i16) -> Result<Parsed, DecodeError> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version)?;
    Ok(Parsed {
        text: format!("{message:#?}"),
        written: write(&message, version),
        announced: message.encoded_len(version),
        left: reader.remaining(),
    })
}

fn write<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::with_capacity(0);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

macro_rules! subjects {
    ($(($request:ident $response:ident))*) => {
        /// All of them.
        pub(crate) fn all() -> Vec<Subject> {
            vec![
                $(Subject::of::<$request>(), Subject::of::<$response>(),)*
                Subject::of::<ConsumerProtocolSubscription>(),
                Subject::of::<ConsumerProtocolAssignment>(),
            ]
        }
    };
}

for_each_api!(subjects);
