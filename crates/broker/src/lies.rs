//! What does a broker say that lies? Answers that are well-formed and not true: wrong ids, rows
//! left out or told twice, offsets and leaders that cannot be, error codes at every level.

mod rows;

use bytes::{Bytes, BytesMut};
use forebay_protocol::api::ApiKey;
use forebay_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, ApiVersionsResponse,
    ConsumerGroupHeartbeatResponse, EndTxnResponse, FetchResponse, FindCoordinatorResponse,
    HeartbeatResponse, InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse,
    ListOffsetsResponse, MetadataResponse, OffsetCommitResponse, OffsetFetchResponse,
    OffsetForLeaderEpochResponse, ProduceResponse, SyncGroupResponse, TxnOffsetCommitResponse,
};
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::{Message, Reader, Str};

use crate::api::encoded;
use crate::connection::Call;
use crate::rng::Rng;

/// How often another lie is tried when one cannot be written in the answer's version.
const TRIES: usize = 4;

/// The body with lies in it; the same for the same seed and request.
pub(crate) fn told(call: &Call, body: &[Bytes], seed: u64) -> Bytes {
    let truth = Bytes::from(body.concat());
    let request = (u64::from(call.correlation.cast_unsigned()) << 16)
        ^ u64::from(call.api.code().cast_unsigned())
        ^ (call.connection.0 << 48);
    let mut liar = Liar { rng: Rng::new(seed ^ request) };
    for _ in 0..TRIES {
        if let Some(lie) = rewritten(call, &truth, &mut liar) {
            return liar.rot(lie);
        }
    }
    liar.rot(truth)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "of other answers some bytes rot")]
fn rewritten(call: &Call, truth: &Bytes, liar: &mut Liar) -> Option<Bytes> {
    let ask = (call.version, truth, liar);
    match call.api {
        ApiKey::Produce => lied::<ProduceResponse>(ask),
        ApiKey::Fetch => lied::<FetchResponse>(ask),
        ApiKey::ListOffsets => lied::<ListOffsetsResponse>(ask),
        ApiKey::Metadata => lied::<MetadataResponse>(ask),
        ApiKey::OffsetCommit => lied::<OffsetCommitResponse>(ask),
        ApiKey::OffsetFetch => lied::<OffsetFetchResponse>(ask),
        ApiKey::FindCoordinator => lied::<FindCoordinatorResponse>(ask),
        ApiKey::JoinGroup => lied::<JoinGroupResponse>(ask),
        ApiKey::Heartbeat => lied::<HeartbeatResponse>(ask),
        ApiKey::LeaveGroup => lied::<LeaveGroupResponse>(ask),
        ApiKey::SyncGroup => lied::<SyncGroupResponse>(ask),
        ApiKey::ApiVersions => lied::<ApiVersionsResponse>(ask),
        ApiKey::InitProducerId => lied::<InitProducerIdResponse>(ask),
        ApiKey::OffsetForLeaderEpoch => lied::<OffsetForLeaderEpochResponse>(ask),
        ApiKey::AddPartitionsToTxn => lied::<AddPartitionsToTxnResponse>(ask),
        ApiKey::AddOffsetsToTxn => lied::<AddOffsetsToTxnResponse>(ask),
        ApiKey::EndTxn => lied::<EndTxnResponse>(ask),
        ApiKey::TxnOffsetCommit => lied::<TxnOffsetCommitResponse>(ask),
        ApiKey::ConsumerGroupHeartbeat => lied::<ConsumerGroupHeartbeatResponse>(ask),
        _ => None,
    }
}

fn lied<M: Message + Lie>((version, truth, liar): (i16, &Bytes, &mut Liar)) -> Option<Bytes> {
    let mut message = M::decode(&mut Reader::new(truth.clone()), version).ok()?;
    message.lie(liar);
    encoded(&message, version).ok()
}

/// Something in an answer that can be wrong.
pub(crate) trait Lie {
    fn lie(&mut self, liar: &mut Liar);
}

/// Rows: each may lie, and be missing, told twice, or stand in another's place.
impl<T: Lie + Clone> Lie for Vec<T> {
    fn lie(&mut self, liar: &mut Liar) {
        self.iter_mut().for_each(|row| row.lie(liar));
        if self.is_empty() {
            return;
        }
        let (one, other) = (liar.below(self.len()), liar.below(self.len()));
        match liar.below(24) {
            0 => drop(self.remove(one)),
            1 => self.extend(self.get(one).cloned()),
            2 => self.swap(one, other),
            3 => self.clear(),
            _ => {}
        }
    }
}

impl<T: Lie> Lie for Option<T> {
    fn lie(&mut self, liar: &mut Liar) {
        if let Some(known) = self {
            known.lie(liar);
        }
    }
}

impl Lie for Bytes {
    fn lie(&mut self, liar: &mut Liar) {
        liar.bytes(self);
    }
}

/// Draws what is wrong and how.
pub(crate) struct Liar {
    rng: Rng,
}

impl Liar {
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.rng.next().checked_rem(limit).unwrap_or(0)).unwrap_or(0)
    }

    /// Whether to lie about the next thing.
    fn wants(&mut self) -> bool {
        self.below(16) == 0
    }

    /// An error code, or another one, or none.
    pub(crate) fn code(&mut self, code: &mut i16) {
        if self.wants() {
            *code = match self.below(8) {
                0 => 0,
                1 => i16::MAX,
                2 => i16::MIN,
                _ => i16::try_from(self.below(136)).unwrap_or(0) - 1,
            };
        }
    }

    /// An offset, a time, a producer's id.
    pub(crate) fn long(&mut self, number: &mut i64) {
        if self.wants() {
            *number = match self.below(8) {
                0 => -1,
                1 => -2,
                2 => i64::MAX,
                3 => i64::MIN,
                4 => 0,
                5 => number.wrapping_add(1),
                6 => number.wrapping_sub(1),
                _ => self.rng.next().cast_signed(),
            };
        }
    }

    /// A partition, a node, an epoch, a count.
    pub(crate) fn int(&mut self, number: &mut i32) {
        if self.wants() {
            *number = match self.below(8) {
                0 => -1,
                1 => -2,
                2 => i32::MAX,
                3 => i32::MIN,
                4 => 0,
                5 => number.wrapping_add(1),
                6 => number.wrapping_sub(1),
                _ => self.rng.positive(),
            };
        }
    }

    pub(crate) fn short(&mut self, number: &mut i16) {
        let mut wide = i32::from(*number);
        self.int(&mut wide);
        *number = i16::try_from(wide).unwrap_or(i16::MAX);
    }

    /// For how long the client is told to be silent: at most 30 s, else no test would end.
    pub(crate) fn throttle(&mut self, millis: &mut i32) {
        if self.wants() {
            *millis = i32::try_from(self.below(30_000)).unwrap_or(0) - 100;
        }
    }

    /// A name; one that is missing stays so, for versions that have no place for it.
    pub(crate) fn name(&mut self, name: &mut Str) {
        if !name.is_empty() && self.wants() {
            *name = match self.below(3) {
                0 => Str::default(),
                1 => Str::from("t\u{0}\u{fffd}"),
                _ => Str::from("nowhere"),
            };
        }
    }

    pub(crate) fn maybe_name(&mut self, name: &mut Option<Str>) {
        if let Some(name) = name {
            self.name(name);
        }
    }

    /// An id, where the version has one.
    pub(crate) fn id(&mut self, id: &mut Uuid) {
        if !id.is_zero() && self.wants() {
            *id = if self.below(2) == 0 { Uuid::ZERO } else { Uuid(self.rng.uuid()) };
        }
    }

    pub(crate) fn ints(&mut self, numbers: &mut Vec<i32>) {
        numbers.iter_mut().for_each(|number| self.int(number));
        if self.wants() {
            numbers.extend(numbers.clone());
        }
    }

    /// Records, or an assignment: cut, told twice, gone, or with a wrong byte.
    pub(crate) fn bytes(&mut self, bytes: &mut Bytes) {
        if !bytes.is_empty() && self.wants() {
            *bytes = match self.below(4) {
                0 => bytes.slice(..self.below(bytes.len())),
                1 => [bytes.as_ref(), bytes.as_ref()].concat().into(),
                2 => Bytes::new(),
                _ => self.spoilt(bytes),
            };
        }
    }

    /// Now and then a byte of the whole is another one.
    fn rot(&mut self, body: Bytes) -> Bytes {
        if !body.is_empty() && self.below(64) == 0 { self.spoilt(&body) } else { body }
    }

    fn spoilt(&mut self, bytes: &Bytes) -> Bytes {
        let mut bytes = BytesMut::from(bytes.as_ref());
        let at = self.below(bytes.len());
        let other = u8::try_from(self.below(255)).unwrap_or(0) + 1;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= other;
        }
        bytes.freeze()
    }
}
