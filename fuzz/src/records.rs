//! Records that can be read can be written, and are then read as the same.

use forebay_protocol::records::batch::{Attributes, Batch, BatchHeader, Batches, ProduceKind};
use forebay_protocol::records::builder::{BatchBuilder, NewRecord};
use forebay_protocol::records::codec::{Codec, Compressor, Decompressor, Scratch};
use forebay_protocol::records::control::Control;
use forebay_protocol::records::header::Header;
use forebay_protocol::records::record::{RecordRef, Records};

/// The most that a batch may unpack to.
const LIMIT: usize = 1 << 20;

/// Whole batches, one behind the other. Their checksums are not looked at.
///
/// # Panics
/// When the walk and its places differ, or records do not come back.
pub fn check(data: &[u8]) {
    let (mut decompressor, mut scratch) = (Decompressor::new(), Scratch::new());
    for batch in Batches::new(data).map_while(Result::ok) {
        let header = batch.header();
        assert!(header.next_position().0 > header.base_offset.0);
        let marker = Control::read(&batch);
        assert!(marker.is_err() || header.attributes.is_control());
        let Ok(section) = batch.unpack(&mut decompressor, LIMIT, &mut scratch) else { continue };
        assert!(section.len() <= LIMIT.max(data.len()));
        agree(header, section);
    }
}

/// The walk and the places it gives say the same; if all is good, it can be written again.
fn agree(header: &BatchHeader, section: &[u8]) {
    let mut places = Records::new(header, section);
    let mut good = Vec::new();
    for record in Records::new(header, section) {
        let place = places.next_at().expect("as many");
        let Ok(record) = record else {
            assert_eq!(place.err(), record.err());
            return;
        };
        let again = place.expect("good as well").read(header, section).expect("a record");
        assert_eq!((again.offset, again.timestamp), (record.offset, record.timestamp));
        assert_eq!((again.key, again.value), (record.key, record.value));
        assert!(again.headers.iter().eq(record.headers.iter()));
        good.push(record);
    }
    assert!(places.next_at().is_none());
    assert_eq!(good.len(), header.count as usize);
    comes_back(&good);
}

fn comes_back(records: &[RecordRef<'_>]) {
    let mut builder = BatchBuilder::new(usize::MAX);
    let mut written = Vec::new();
    for record in records {
        let Ok(headers) = record.headers.iter().collect::<Result<Vec<Header<'_>>, _>>() else {
            return;
        };
        let RecordRef { timestamp, key, value, .. } = *record;
        let new = NewRecord { timestamp, key, value, headers: &headers };
        if builder.append(&new).is_err() {
            return;
        }
        written.push((timestamp, key, value, headers));
    }
    let sealed = builder.seal(Codec::None, ProduceKind::Plain, &mut Compressor::default());
    let Some(sealed) = sealed.expect("nothing to pack") else { return };
    let (batch, rest) = Batch::split_first(sealed.bytes()).expect("what was built is a batch");
    batch.check_crc().expect("its checksum is right");
    assert!(rest.is_empty() && batch.header().attributes == Attributes(0));
    let again = batch.records().expect("plain").map(|record| {
        let record = record.expect("what was written can be read");
        let headers = record.headers.iter().map(|header| header.expect("and its headers"));
        (record.timestamp, record.key, record.value, headers.collect::<Vec<_>>())
    });
    assert_eq!(again.collect::<Vec<_>>(), written);
}
