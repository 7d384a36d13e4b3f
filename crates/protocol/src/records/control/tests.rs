//! Markers as brokers write them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use super::*;
use crate::records::batch::{Attributes, HEADER_LEN};
use crate::records::builder::{Deltas, NewRecord, Summary, body_len, put_crc, put_record};

fn control(key: &[u8], value: &[u8], attributes: i16, records: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    for offset in 0..records {
        let record = NewRecord { key: Some(key), value: Some(value), ..NewRecord::default() };
        let deltas = Deltas { timestamp: 0, offset };
        put_record(&mut bytes, &record, deltas, body_len(&record, deltas));
    }
    let summary = Summary {
        base_offset: 70,
        attributes: Attributes(attributes),
        last_offset_delta: records.saturating_sub(1),
        base_timestamp: 1,
        max_timestamp: 1,
        count: records,
    };
    summary.write(&mut bytes);
    bytes[43..51].copy_from_slice(&5_i64.to_be_bytes());
    bytes[51..53].copy_from_slice(&2_i16.to_be_bytes());
    put_crc(&mut bytes);
    bytes
}

fn read(bytes: &[u8]) -> Result<Option<Control>, RecordsError> {
    Control::read(&Batch::split_first(bytes).expect("batch").0)
}

const CONTROL: i16 = 0b11_0000;

#[test]
fn markers_are_told_by_the_key_of_the_first_record() {
    let end = EndTxn { producer_id: 5, producer_epoch: 2, coordinator_epoch: 9 };
    let value = [0, 0, 0, 0, 0, 9];
    let marker = |key: &[u8]| read(&control(key, &value, CONTROL, 1)).expect("reads");
    assert_eq!(marker(&[0, 0, 0, 0]), Some(Control::Abort(end)));
    assert_eq!(marker(&[0, 0, 0, 1]), Some(Control::Commit(end)));
    assert_eq!(marker(&[0, 0, 0, 2]), Some(Control::LeaderChange));
    assert_eq!(marker(&[0, 0, 0, 6]), Some(Control::Other(6)));
    assert_eq!(marker(&[0, 1, 0, 0, 7]), Some(Control::Abort(end)), "a later version of the key");
}

#[test]
fn a_marker_without_record_says_nothing() {
    assert_eq!(read(&control(&[], &[], CONTROL, 0)), Ok(None));
}

#[test]
fn what_is_no_marker_is_refused() {
    assert!(matches!(
        read(&control(&[0, 0, 0, 1], &[], 0, 1)),
        Err(RecordsError::Batch { base_offset: 70, fault: BatchFault::NotControl })
    ));
    assert!(matches!(
        read(&control(&[0, 0, 0], &[], CONTROL, 1)),
        Err(RecordsError::Record { field: Field::Key, .. })
    ));
}

#[test]
fn a_marker_without_coordinator_epoch_is_read() {
    let short = read(&control(&[0, 0, 0, 1], &[0], CONTROL, 1)).expect("reads");
    assert!(matches!(short, Some(Control::Commit(end)) if end.coordinator_epoch == -1));
}
