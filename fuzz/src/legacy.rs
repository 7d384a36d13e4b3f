//! Messages that can be read become batches that can be read.

use crc_fast::{CrcAlgorithm, checksum};
use forebay_protocol::records::batch::Batches;
use forebay_protocol::records::codec::{Codec, Compressor, Decompressor};
use forebay_protocol::records::legacy::{LegacyReader, is_legacy};

/// The most that a message may unpack to.
const LIMIT: usize = 1 << 20;

/// A byte for the format and the codec of a wrapper, and messages without good checksums: those
/// are put right, else nothing would come behind them.
///
/// # Panics
/// When a message becomes something that cannot be read.
pub fn check(data: &[u8]) {
    let Some((&how, messages)) = data.split_first() else { return };
    let mut messages = messages.to_vec();
    put_checksums(&mut messages);
    convert(&messages);
    if let Some(codec) = Codec::from_id(how % 4).filter(|codec| *codec != Codec::None) {
        let mut packed = Vec::new();
        Compressor::default().compress(codec, &messages, &mut packed).expect("packs");
        convert(&wrap(how / 4, codec, &packed));
    }
}

fn put_checksums(messages: &mut [u8]) {
    let mut rest = messages;
    while let Some((front, body)) = rest.split_first_chunk_mut::<16>() {
        let size = i32::from_be_bytes([front[8], front[9], front[10], front[11]]);
        let Some(size) = usize::try_from(size).ok().and_then(|size| size.checked_sub(4)) else {
            return;
        };
        let Some((body, after)) = body.split_at_mut_checked(size) else { return };
        front[12..].copy_from_slice(&crc(body));
        rest = after;
    }
}

fn wrap(how: u8, codec: Codec, packed: &[u8]) -> Vec<u8> {
    let mut body = vec![how & 1, codec.id() | how & 8];
    if how & 1 == 1 {
        body.extend_from_slice(&1_400_000_000_000_i64.to_be_bytes());
    }
    body.extend_from_slice(&[0xff; 4]);
    body.extend_from_slice(&u32::try_from(packed.len()).expect("small").to_be_bytes());
    body.extend_from_slice(packed);
    let mut message = 1_000_000_i64.to_be_bytes().to_vec();
    message.extend_from_slice(&u32::try_from(body.len() + 4).expect("small").to_be_bytes());
    message.extend_from_slice(&crc(&body));
    message.extend_from_slice(&body);
    message
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let [.., a, b, c, d] = checksum(CrcAlgorithm::Crc32IsoHdlc, bytes).to_be_bytes();
    [a, b, c, d]
}

fn convert(messages: &[u8]) {
    let (mut reader, mut decompressor) = (LegacyReader::new(), Decompressor::new());
    let mut rest = messages;
    while is_legacy(rest) {
        let mut out = Vec::new();
        let Ok(read) = reader.convert(rest, &mut decompressor, LIMIT, &mut out) else {
            assert!(out.is_empty());
            return;
        };
        assert!(read > 0);
        can_be_read(&out);
        rest = rest.get(read..).expect("no more than there was");
    }
}

fn can_be_read(batches: &[u8]) {
    let mut next = 0;
    for batch in Batches::new(batches) {
        let batch = batch.expect("what was made is a batch");
        batch.check_crc().expect("its checksum is right");
        assert!(batch.header().base_offset.0 >= next);
        next = batch.header().next_position().0;
        for record in batch.records().expect("plain") {
            record.expect("a record that can be read");
        }
    }
}
