//! A response as one frame: length, correlation id, body.

use bytes::Bytes;

use crate::api::{ApiKey, Request};
use crate::decode::{DecodeError, Expected, Found};
use crate::error_code::ErrorCode;
use crate::frame::framed;
use crate::wire::{EncodeError, Lengths, Message, Reader, Writer};

/// The correlation id of a frame without its length: which request it answers.
///
/// # Errors
/// When the frame is too short to have one.
pub fn correlation_id(frame: &Bytes) -> Result<i32, DecodeError> {
    let mut reader = Reader::new(frame.clone());
    reader.begin("ResponseHeader", Lengths::Plain);
    reader.get("correlation_id", 0)
}

/// The response to a request of type `R` that was sent in `version` under `correlation_id`, out of
/// a frame without its length.
///
/// A broker that does not know the version of an `ApiVersions` request answers in version 0, and
/// says so by its error code; the response is read accordingly.
///
/// # Errors
/// When the frame answers another request, or is no such response.
pub fn decode<R: Request>(
    frame: Bytes,
    version: i16,
    correlation_id: i32,
) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(frame);
    reader.begin("ResponseHeader", Lengths::Plain);
    let found: i32 = reader.get("correlation_id", 0)?;
    if found != correlation_id {
        let expected = Expected::CorrelationId(correlation_id);
        return Err(reader.error(expected, Found::Number(found.into())));
    }
    reader.begin("ResponseHeader", header_lengths::<R>(version));
    reader.skip_tags()?;
    let version = if refuses_version::<R>(&reader) { 0 } else { version };
    R::Response::decode(&mut reader, version)
}

/// The whole frame of a response, its length included, in one piece.
///
/// # Errors
/// When the response has a field set that `version` lacks, or null where it may not be.
pub fn encode<R: Request>(
    response: &R::Response,
    version: i16,
    correlation_id: i32,
) -> Result<Bytes, EncodeError> {
    let writer = framed(|writer: &mut Writer| {
        writer.begin("ResponseHeader", version, header_lengths::<R>(version));
        writer.i32(correlation_id);
        writer.tags(&[]);
        response.encode(writer, version)
    })?;
    Ok(writer.into_bytes())
}

/// Responses of `ApiVersions` have no tagged fields in the header: a client reads them before it
/// knows what the broker speaks.
fn header_lengths<R: Request>(version: i16) -> Lengths {
    let flexible_from =
        if R::API == ApiKey::ApiVersions { i16::MAX } else { R::Response::FLEXIBLE_FROM };
    Lengths::of(version, flexible_from)
}

fn refuses_version<R: Request>(body: &Reader) -> bool {
    R::API == ApiKey::ApiVersions
        && body.clone().get("error_code", 0) == Ok(ErrorCode::UNSUPPORTED_VERSION.0)
}

#[cfg(test)]
mod tests;
