//! A Fetch response says the same however it arrives, and what the generated reader reads.

use bytes::{Bytes, BytesMut};
use forebay_protocol::fetch_stream::{Event, FetchStream, StreamError};
use forebay_protocol::messages::FetchResponse;
use forebay_protocol::wire::{Message, Reader};

/// A byte for the version, one for the size of the pieces, and the body of a response.
///
/// # Panics
/// When the pieces change what is said, or the generated reader does not agree.
pub fn check(data: &[u8]) {
    let [version, step, body @ ..] = data else { return };
    let version = 4 + i16::from(version % 15);
    let whole = said(version, body, body.len().max(1));
    assert_eq!(said(version, body, usize::from(*step) + 1), whole);

    let mut reader = Reader::new(Bytes::copy_from_slice(body));
    let oracle = FetchResponse::decode(&mut reader, version).ok();
    let oracle = oracle.filter(|_| reader.remaining() == 0);
    assert_eq!(oracle.is_some(), whole.is_ok());
    let Some((oracle, whole)) = oracle.zip(whole.ok()) else { return };
    let partitions = oracle.responses.iter().flat_map(|topic| &topic.partitions);
    let records = partitions.map(|it| it.records.as_ref().map_or(0, Bytes::len));
    assert_eq!(records.collect::<Vec<_>>(), whole.sections);
}

/// What the stream said: each event as text, batches one by one, and the sizes of the sections.
#[derive(Debug, Default, PartialEq)]
struct Said {
    words: Vec<String>,
    sections: Vec<usize>,
}

fn said(version: i16, body: &[u8], step: usize) -> Result<Said, StreamError> {
    let mut stream = FetchStream::new(version, body.len())?;
    let (mut buf, mut said) = (BytesMut::new(), Said::default());
    let mut pieces = body.chunks(step);
    loop {
        match stream.next(&mut buf)? {
            Event::NeedMore { at_least } => {
                assert!(at_least > buf.len());
                buf.extend_from_slice(pieces.next().expect("asks for no more than the body has"));
            }
            Event::Batches(cut) => {
                for head in stream.heads() {
                    let bytes = cut.bytes.slice(head.range());
                    said.words.push(format!("{:?} {:?} {:?}", head.next, head.format, bytes));
                }
            }
            Event::ResponseEnd(end) => {
                assert!(buf.is_empty() && pieces.next().is_none());
                said.words.push(format!("{end:?}"));
                return Ok(said);
            }
            Event::PartitionHead(head) => {
                said.sections.push(head.records_len);
                said.words.push(format!("{head:?}"));
            }
            Event::ResponseHead(head) => said.words.push(format!("{head:?}")),
            Event::Corrupt(error) => said.words.push(format!("{error:?}")),
            Event::PartitionTail(tail) => said.words.push(format!("{tail:?}")),
            _ => unreachable!("an event that this check does not know"),
        }
    }
}
