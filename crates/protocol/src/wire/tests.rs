//! What the encodings of Kafka's types promise, by examples and by properties.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::decode::{Expected, Found};

fn reader(bytes: &[u8], lengths: Lengths) -> Reader {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    reader.begin("Test", lengths);
    reader
}

#[test]
fn text_is_a_slice_of_the_frame() {
    let frame = Bytes::from_static(b"\x00\x02hi");
    let text: Str = Reader::new(frame.clone()).get("text", 0).unwrap();
    assert_eq!(text, "hi");
    assert_eq!(text.as_bytes().as_ptr(), frame[2..].as_ptr());
}

#[test]
fn null_is_refused_where_a_value_must_stand() {
    let error = reader(b"\xff\xff", Lengths::Plain).get::<Str>("name", 0).unwrap_err();
    assert_eq!((error.expected, error.found), (Expected::NotNull, Found::Null));
    assert_eq!(reader(b"\xff\xff", Lengths::Plain).get::<Option<Str>>("name", 0), Ok(None));
    assert_eq!(reader(b"\x00", Lengths::Compact).get::<Option<Str>>("name", 0), Ok(None));
}

#[test]
fn lengths_below_null_and_beyond_the_frame_are_refused() {
    let negative = reader(b"\xff\xfe", Lengths::Plain).get::<Str>("name", 0).unwrap_err();
    assert_eq!((negative.expected, negative.found), (Expected::AtMost(0), Found::Number(-2)));
    let huge =
        reader(b"\x7f\xff\xff\xff\x00", Lengths::Plain).get::<Vec<i32>>("ids", 0).unwrap_err();
    assert_eq!((huge.field, huge.at), ("ids", 4));
    assert_eq!((huge.expected, huge.found), (Expected::AtMost(1), Found::Number(0x7fff_ffff)));
}

#[test]
fn an_array_needs_its_elements_bytes_before_anything_is_reserved() {
    let error =
        reader(b"\x00\x00\x00\x03\0\0\0\0\0\0\0\0", Lengths::Plain).get::<Vec<i32>>("ids", 0);
    let error = error.unwrap_err();
    assert_eq!((error.expected, error.found), (Expected::AtMost(2), Found::Number(3)));
}

#[test]
fn unknown_tagged_fields_are_passed_over_by_their_size() {
    let mut reader = reader(b"\x02\x05\x03abc\x09\x00!", Lengths::Compact);
    reader.skip_tags().unwrap();
    assert_eq!(&reader.rest()[..], b"!");
}

#[test]
fn a_tagged_field_that_is_larger_than_the_frame_is_refused() {
    let error = reader(b"\x01\x05\x7f..", Lengths::Compact).skip_tags().unwrap_err();
    assert_eq!((error.expected, error.found), (Expected::Bytes(0x7f), Found::Bytes(2)));
}

#[test]
fn a_tagged_field_that_does_not_fill_its_size_is_refused() {
    let mut reader = reader(b"\x02\x00\x05\0\0\0\x01\0\x01\0", Lengths::Compact);
    let mut tags = reader.tags().unwrap();
    assert_eq!(reader.next_tag(&mut tags), Ok(Some(0)));
    assert_eq!(reader.get::<i32>("id", 0), Ok(1));
    let error = reader.next_tag(&mut tags).unwrap_err();
    assert_eq!((error.expected, error.at), (Expected::FieldEnd(8), 7));
}

#[test]
fn varints_that_are_too_long_are_refused() {
    assert!(reader(&[0x80; 6], Lengths::Compact).uvarint().is_err(), "six bytes");
    assert_eq!(
        reader(&[0x80, 0x80], Lengths::Compact).uvarint().unwrap_err().expected,
        Expected::Varint(5)
    );
    assert_eq!(reader(b"\xff\xff\xff\xff\x0f", Lengths::Compact).uvarint(), Ok(u32::MAX));
    assert!(reader(b"\xff\xff\xff\xff\x1f", Lengths::Compact).uvarint().is_err(), "33 bits");
}

#[test]
fn text_that_its_length_field_cannot_say_is_refused_on_writing() {
    let mut writer = Writer::counting();
    writer.begin("Test", 3, Lengths::Plain);
    let error = writer.put("name", &Str::from("x".repeat(40_000)), 3).unwrap_err();
    assert_eq!(error.problem, EncodeProblem::TooLong(40_000));
    assert_eq!((error.message, error.field, error.version), ("Test", "name", 3));
}

proptest! {
    #[test]
    fn unsigned_varints_are_read_as_they_were_written(value: u32) {
        let mut writer = Writer::with_capacity(5);
        writer.uvarint(value);
        let bits = u32::BITS - value.leading_zeros();
        prop_assert_eq!(writer.len(), bits.div_ceil(7).max(1) as usize);
        prop_assert_eq!(Reader::new(writer.into_bytes()).uvarint(), Ok(value));
    }

    #[test]
    fn text_bytes_and_arrays_come_back(
        text in proptest::option::of(".{0,9}"),
        numbers: Vec<i16>,
        flexible: bool,
    ) {
        let lengths = if flexible { Lengths::Compact } else { Lengths::Plain };
        let text = text.map(Str::from);
        let mut writer = Writer::with_capacity(64);
        writer.begin("Test", 0, lengths);
        writer.put("text", &text, 0).unwrap();
        writer.put("numbers", &numbers, 0).unwrap();
        let mut reader = reader(&writer.into_bytes(), lengths);
        prop_assert_eq!(reader.get::<Option<Str>>("text", 0).unwrap(), text);
        prop_assert_eq!(reader.get::<Vec<i16>>("numbers", 0).unwrap(), numbers);
        prop_assert_eq!(reader.remaining(), 0);
    }
}
