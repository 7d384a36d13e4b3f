//! What do the bytes of a partition say? The record formats, and the codecs they are packed with.
//!
//! [`batch`] looks at one batch of the current format (v2) without copying it, [`record`] walks
//! over its records, [`codec`] unpacks them, [`error`] says what was wrong and where.
//! [`builder`] makes batches. [`control`] reads the markers of transactions, [`legacy`] what clients
//! before 0.11 wrote.

pub mod batch;
pub mod builder;
pub mod codec;
pub mod control;
pub mod error;
pub mod header;
pub mod legacy;
pub mod record;

#[cfg(test)]
mod reference;
mod varint;
