//! A request as one frame: length, header, body.

use bytes::Bytes;

use crate::api::{Api, ApiKey, Request};
use crate::decode::DecodeError;
use crate::frame::framed;
use crate::wire::{EncodeError, Lengths, Reader, Str, Writer};

/// What stands before the body of every request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestHeader {
    /// The key of the API, known to us or not.
    pub api_key: i16,
    /// The version of the request, and of the response to it.
    pub version: i16,
    /// Comes back with the response.
    pub correlation_id: i32,
    /// How the client calls itself.
    pub client_id: Option<Str>,
}

impl RequestHeader {
    /// The header of a request of type `R`.
    #[must_use]
    pub const fn of<R: Request>(version: i16, correlation_id: i32, client_id: Option<Str>) -> Self {
        Self { api_key: R::API.code(), version, correlation_id, client_id }
    }

    /// The API, when we speak it.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        ApiKey::from_code(self.api_key).map(ApiKey::api)
    }

    /// Reads the header of a frame without its length; the body follows in `reader`.
    ///
    /// The header of an API that we do not speak is read as far as all have it.
    ///
    /// # Errors
    /// When the bytes are no header.
    pub fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.begin("RequestHeader", Lengths::Plain);
        let header = Self {
            api_key: reader.get("api_key", 1)?,
            version: reader.get("api_version", 1)?,
            correlation_id: reader.get("correlation_id", 1)?,
            client_id: reader.get("client_id", 1)?,
        };
        let flexible_from = header.api().map_or(i16::MAX, |api| api.flexible_from);
        // Even a flexible header has the client's name in the plain form.
        reader.begin("RequestHeader", Lengths::of(header.version, flexible_from));
        reader.skip_tags()?;
        Ok(header)
    }

    fn encode(&self, lengths: Lengths, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.begin("RequestHeader", self.version, Lengths::Plain);
        writer.i16(self.api_key);
        writer.i16(self.version);
        writer.i32(self.correlation_id);
        writer.put("client_id", &self.client_id, 1)?;
        writer.begin("RequestHeader", self.version, lengths);
        writer.tags(&[]);
        Ok(())
    }
}

/// The whole frame of a request, its length included, in one piece.
///
/// # Errors
/// When the request has a field set that `version` lacks, or null where it may not be.
pub fn encode<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&Str>,
) -> Result<Bytes, EncodeError> {
    Ok(write(request, version, correlation_id, client_id)?.into_bytes())
}

/// As [`encode`], in parts that follow each other: long byte fields are shared and not copied.
///
/// # Errors
/// As [`encode`].
pub fn encode_parts<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&Str>,
) -> Result<Vec<Bytes>, EncodeError> {
    Ok(write(request, version, correlation_id, client_id)?.into_parts())
}

fn write<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&Str>,
) -> Result<Writer, EncodeError> {
    let header = RequestHeader::of::<R>(version, correlation_id, client_id.cloned());
    framed(|writer| {
        header.encode(Lengths::of(version, R::FLEXIBLE_FROM), writer)?;
        request.encode(writer, version)
    })
}

#[cfg(test)]
mod tests;
