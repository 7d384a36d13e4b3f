//! What do the bytes of a partition say? The record formats, and the codecs they are packed with.
//!
//! [`batch`] looks at one batch of the current format (v2) without copying it, [`record`] walks
//! over its records, [`codec`] unpacks them, [`error`] says what was wrong and where.

pub mod batch;
pub mod codec;
pub mod error;
pub mod header;
pub mod record;

mod varint;
