//! The fast forms agree with the definition, and nothing that is no number is taken for one.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    reason = "the numbers of these tests are small, and what is not matched is a failure"
)]

use super::*;

fn by_definition(bytes: &[u8], most: usize) -> Option<(u128, usize)> {
    let mut value = 0_u128;
    for (at, byte) in bytes.iter().take(most).enumerate() {
        value |= u128::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn check(bytes: &[u8]) {
    let mut rest = bytes;
    let taken = take_unsigned(&mut rest).map(|value| (u128::from(value), bytes.len() - rest.len()));
    let expected = by_definition(bytes, 5).filter(|(value, _)| *value <= u128::from(u32::MAX));
    assert_eq!(taken, expected, "{bytes:02x?}");

    let mut rest = bytes;
    let taken = take_signed_long(&mut rest).map(|value| (value, bytes.len() - rest.len()));
    let expected = by_definition(bytes, 10).filter(|(value, _)| *value <= u128::from(u64::MAX));
    let expected = expected.map(|(value, length)| {
        let value = value as u64;
        ((value >> 1) as i64 ^ -((value & 1) as i64), length)
    });
    assert_eq!(taken, expected, "{bytes:02x?}");
}

#[test]
fn every_short_varint_reads_as_defined() {
    for first in 0..=255 {
        check(&[first]);
        for second in 0..=255 {
            check(&[first, second]);
            check(&[first, second, 0x81, 0x01]);
        }
    }
}

#[test]
fn varints_at_the_edges_of_their_range_read_as_defined() {
    for last in 0..=255 {
        check(&[0xff, 0xff, 0xff, 0xff, last]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, last]);
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, last, 0]);
    }
    check(&[]);
}
