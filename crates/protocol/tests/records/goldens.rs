//! Batches and messages of the Java client and of librdkafka, in every codec (see `../README.md`).

use std::collections::BTreeMap;

use forebay_protocol::records::batch::{Batch, Batches};
use forebay_protocol::records::codec::{Codec, Compressor, Decompressor, Scratch};
use forebay_protocol::records::control::{Control, EndTxn};
use forebay_protocol::records::error::RecordsError;
use forebay_protocol::records::legacy::LegacyReader;
use forebay_protocol::records::record::Records;

const LIMIT: usize = 1 << 20;

/// A record with everything copied out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Read {
    pub(crate) offset: i64,
    timestamp: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The lines of a goldens file: name and bytes.
pub(crate) fn lines(file: &'static str) -> BTreeMap<&'static str, Vec<u8>> {
    let lines = file.lines().map(|line| line.split_once(' ').expect("name and hex"));
    lines.map(|(name, hex)| (name, unhex(hex))).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

pub(crate) fn java() -> BTreeMap<&'static str, Vec<u8>> {
    lines(include_str!("../goldens/records-4.4.0.txt"))
}

pub(crate) fn java_message_sets() -> BTreeMap<&'static str, Vec<u8>> {
    lines(include_str!("../goldens/message-sets-0.11.0.3.txt"))
}

fn librdkafka() -> BTreeMap<&'static str, Vec<u8>> {
    lines(include_str!("../goldens/records-librdkafka-2.16.0.txt"))
}

/// All records of whole batches, or the first error.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Read>, RecordsError> {
    let (mut decompressor, mut scratch) = (Decompressor::new(), Scratch::new());
    let mut all = Vec::new();
    for batch in Batches::new(bytes) {
        let batch = batch?;
        batch.check_crc()?;
        let section = batch.unpack(&mut decompressor, LIMIT, &mut scratch)?;
        for record in Records::new(batch.header(), section) {
            let record = record?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = record.headers.iter().map(|header| {
                let header = header.expect("goldens have good headers");
                (text(header.key), header.value.map(<[u8]>::to_vec))
            });
            all.push(Read {
                offset: record.offset.0,
                timestamp: record.timestamp,
                key: record.key.map(text),
                value: record.value.map(text),
                headers: headers.collect(),
            });
        }
    }
    Ok(all)
}

/// What the programs that wrote the goldens put into record `at`.
fn written(at: usize, size: usize, last_header: &str) -> Read {
    let piece = format!("value {at} of {size}; ");
    let headers = [
        ("größe", Some(vec![(at % 256) as u8, 0xff])),
        ("größe", None),
        (last_header, Some(Vec::new())),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value));
    Read {
        offset: at as i64,
        timestamp: 1_700_000_000_000 + 7 * at as i64 - at as i64 % 4,
        key: (!at.is_multiple_of(3)).then(|| format!("key-{at}")),
        value: (at % 5 != 4).then(|| piece.repeat(size / piece.len() + 1)[..size].to_owned()),
        headers: if at.is_multiple_of(2) { Vec::new() } else { headers.to_vec() },
    }
}

fn sizes(name: &str) -> (usize, usize) {
    if name.starts_with("small") { (20, 40) } else { (400, 600) }
}

#[test]
fn what_the_java_client_wrote_is_read_in_every_codec() {
    let goldens = java();
    for codec in Codec::ALL {
        for size in ["small", "large"] {
            let name = format!("{size}-{codec}");
            let Some(bytes) = goldens.get(name.as_str()) else {
                assert_eq!(name, "large-none", "left out for its size");
                continue;
            };
            let (batch, _) = Batch::split_first(bytes).expect("batch");
            let header = batch.header();
            assert_eq!(header.codec, codec);
            assert_eq!(
                (header.producer_id, header.producer_epoch, header.base_sequence),
                (4_000, 2, 17)
            );
            assert_eq!((header.base_offset.0, header.leader_epoch.0), (100, 3));
            let (count, size) = sizes(&name);
            let expected: Vec<_> = (0..count).map(|at| written(at, size, "")).collect();
            let shifted = |record: Read| Read { offset: record.offset + 100, ..record };
            let expected: Vec<_> = expected.into_iter().map(shifted).collect();
            assert!(read(bytes).expect("reads") == expected, "{name}");
            assert_eq!(header.next_position().0, 100 + count as i64);
        }
    }
}

#[test]
fn what_librdkafka_wrote_is_read_in_every_codec() {
    let goldens = librdkafka();
    assert_eq!(goldens.len(), 9);
    for (name, bytes) in goldens {
        let (count, size) = sizes(name);
        let expected: Vec<_> = (0..count).map(|at| written(at, size, "h")).collect();
        assert!(read(&bytes).expect("reads") == expected, "{name}");
    }
}

#[test]
fn the_time_of_appending_counts_for_all_records_of_its_batch() {
    let goldens = java();
    let times: Vec<_> =
        read(&goldens["append-time"]).expect("reads").iter().map(|it| it.timestamp).collect();
    assert_eq!(times, [1_700_000_000_005; 3]);
}

#[test]
fn compacted_batches_keep_their_gaps_and_their_end() {
    let goldens = java();
    let bytes = &goldens["sparse"];
    let offsets: Vec<_> = read(bytes).expect("reads").iter().map(|it| it.offset).collect();
    assert_eq!(offsets, [100, 103, 106, 109, 112, 115, 118]);
    assert_eq!(Batch::split_first(bytes).expect("batch").0.header().next_position().0, 126);

    let bytes = &goldens["empty"];
    assert_eq!(read(bytes), Ok(Vec::new()));
    let (batch, _) = Batch::split_first(bytes).expect("batch");
    assert_eq!(batch.header().next_position().0, 140);
    assert!(batch.header().attributes.is_transactional());
}

#[test]
fn markers_of_transactions_and_of_leaders_are_told_apart() {
    let goldens = java();
    let control = |name: &str| {
        let (batch, _) = Batch::split_first(&goldens[name]).expect("batch");
        batch.check_crc().expect("crc");
        Control::read(&batch).expect("marker")
    };
    let end = EndTxn { producer_id: 4_000, producer_epoch: 2, coordinator_epoch: 9 };
    assert_eq!(control("abort"), Some(Control::Abort(end)));
    assert_eq!(control("commit"), Some(Control::Commit(end)));
    assert_eq!(control("leader-change"), Some(Control::LeaderChange));
}

#[test]
fn message_sets_of_old_java_clients_are_read_in_every_codec() {
    let goldens = java_message_sets();
    assert_eq!(goldens.len(), 21);
    for (name, bytes) in goldens {
        let size = if name.contains("large") { 9_000 } else { 40 };
        let step = if name.contains("sparse") { 3 } else { 1 };
        let expected = (0..20).step_by(step).map(|at| Read {
            offset: 100 + at as i64,
            timestamp: match name {
                _ if name.starts_with("v0") => -1,
                "v1-append-time" => 1_400_000_000_005,
                _ => 1_400_000_000_000 + 7 * at as i64 - at as i64 % 4,
            },
            headers: Vec::new(),
            ..written(at, size, "")
        });
        let mut converted = Vec::new();
        let read_bytes = LegacyReader::new()
            .convert(&bytes, &mut Decompressor::new(), LIMIT, &mut converted)
            .expect("converts");
        assert_eq!(read_bytes, bytes.len());
        assert_eq!(read(&converted).expect("reads"), expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn the_wrong_checksum_of_old_lz4_frames_is_really_in_the_goldens() {
    let goldens = java_message_sets();
    let mut strict = Scratch::new();
    let lz4 = |name: &str, at: usize| goldens[name][at..].to_vec();
    // Behind offset, size, checksum, magic, attributes, key and value lengths; and a timestamp.
    let (v0, v1) = (lz4("v0-lz4", 26), lz4("v1-lz4", 34));
    let mut decompressor = Decompressor::new();
    assert!(decompressor.decompress(Codec::Lz4, &v0, LIMIT, &mut strict).is_err());
    assert!(decompressor.decompress(Codec::Lz4, &v1, LIMIT, &mut strict).is_ok());
}

#[test]
fn packed_again_the_goldens_keep_their_records() {
    let (mut decompressor, mut compressor) = (Decompressor::new(), Compressor::default());
    let (mut scratch, mut again) = (Scratch::new(), Scratch::new());
    for bytes in java().values().chain(librdkafka().values()) {
        let (batch, _) = Batch::split_first(bytes).expect("batch");
        let section = batch.unpack(&mut decompressor, LIMIT, &mut scratch).expect("unpacks");
        for codec in Codec::ALL {
            let mut packed = Vec::new();
            compressor.compress(codec, section, &mut packed).expect("packs");
            Decompressor::new().decompress(codec, &packed, LIMIT, &mut again).expect("unpacks");
            assert!(again.as_slice() == section);
        }
    }
}
