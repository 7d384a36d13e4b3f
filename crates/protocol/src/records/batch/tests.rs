//! What a header may say, and what is refused.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use super::*;

fn empty_batch() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    bytes[7] = 40;
    bytes[11] = 49;
    bytes[16] = 2;
    bytes[26] = 9;
    let crc = crc_of(&bytes);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn fault(bytes: &[u8]) -> BatchFault {
    match Batch::split_first(bytes).expect_err("a fault") {
        RecordsError::Batch { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_batch_without_records_still_moves_the_position() {
    let bytes = empty_batch();
    let (batch, _) = Batch::split_first(&bytes).expect("batch");
    batch.check_crc().expect("crc");
    assert_eq!(batch.header().next_position(), Position(50));
    assert_eq!(batch.header().last_offset(), Offset(49));
    assert_eq!(batch.records().expect("plain").count(), 0);
}

#[test]
fn the_checksum_is_that_of_the_castagnoli_polynomial() {
    let mut bytes = vec![0; CRC_FROM];
    bytes.extend_from_slice(b"123456789");
    assert_eq!(crc_of(&bytes), 0xe306_9283);
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let change = |at: usize, byte: u8| {
        let mut bytes = empty_batch();
        bytes[at] = byte;
        fault(&bytes)
    };
    assert_eq!(change(16, 1), BatchFault::Magic { found: 1 });
    assert_eq!(change(11, 48), BatchFault::Length { found: 48, least: 49 });
    assert!(matches!(change(8, 0x80), BatchFault::Length { .. }));
    assert_eq!(change(11, 50), BatchFault::Truncated { needed: 62, found: 61 });
    assert!(matches!(change(0, 0x80), BatchFault::Header { field: HeaderField::BaseOffset, .. }));
    assert!(matches!(
        change(23, 0x80),
        BatchFault::Header { field: HeaderField::LastOffsetDelta, .. }
    ));
    assert!(matches!(change(57, 0x80), BatchFault::Header { field: HeaderField::Count, .. }));
    assert_eq!(change(22, 5), BatchFault::UnknownCodec { found: 5 });
    assert_eq!(fault(&[0; 60]), BatchFault::Truncated { needed: 61, found: 60 });
}

#[test]
fn batches_stop_after_the_first_that_cannot_be_read() {
    let mut bytes = empty_batch();
    bytes.extend(empty_batch());
    bytes.truncate(100);
    let all: Vec<_> = Batches::new(&bytes).collect();
    assert_eq!(all.len(), 2);
    assert!(all[0].is_ok() && all[1].is_err());
}
