//! How does an answer arrive to which something happens?

use std::ops::Range;

use bytes::Bytes;
use forebay_protocol::api::ApiKey;
use forebay_protocol::messages::FetchRequest;
use forebay_protocol::records::batch::{Batch, HEADER_LEN};
use forebay_protocol::response;
use tokio::net::tcp::OwnedWriteHalf;

use super::{Ended, write};
use crate::routes::Answering;
use crate::script::Effect;

/// In front of each frame.
const PREFIX: usize = 4;

/// Delivers a whole frame as the effect has it.
pub(crate) async fn deliver(
    effect: &Effect,
    (what, whole): (Answering, Bytes),
    to: &mut OwnedWriteHalf,
) -> Result<(), Ended> {
    match effect {
        Effect::Delay(_) => write(to, &whole).await,
        Effect::DropAnswer => Ok(()),
        Effect::DoAndClose | Effect::Close => Err(None),
        Effect::Cut(bytes) => {
            write(to, whole.get(..*bytes).unwrap_or(&whole)).await?;
            Err(None)
        }
        Effect::Slice(bytes, pause) => {
            for piece in whole.chunks((*bytes).max(1)) {
                write(to, piece).await?;
                tokio::time::sleep(*pause).await;
            }
            Ok(())
        }
        Effect::Corrupt(at) => write(to, &turned(&whole, PREFIX.saturating_add(*at))).await,
        Effect::CorruptRecords => match records_in(what, &whole) {
            Some(within) => write(to, &turned(&whole, within.start.midpoint(within.end))).await,
            None => write(to, &whole).await,
        },
    }
}

/// The same bytes, but one bit.
fn turned(whole: &Bytes, at: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    bytes
}

/// Where the records of the first batch lie.
fn records_in(what: Answering, whole: &Bytes) -> Option<Range<usize>> {
    let frame = whole.slice(PREFIX.min(whole.len())..);
    if what.api != ApiKey::Fetch {
        return None;
    }
    let answer = response::decode::<FetchRequest>(frame, what.version, what.number).ok()?;
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let mut records = partitions.filter_map(|it| it.records.as_ref());
    let records = records.find(|it| !it.is_empty())?;
    let (batch, _) = Batch::split_first(records).ok()?;
    // Slices of one buffer: their distance is the place.
    let start = (records.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    Some(start + HEADER_LEN..start + batch.header().size)
}
