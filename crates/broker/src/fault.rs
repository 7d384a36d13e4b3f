//! The fault script: what goes wrong, with which requests, how often.

use std::time::Duration;

use forebay_protocol::api::ApiKey;
use forebay_protocol::types::{BrokerId, TopicPartition};

use crate::code::ErrorCode;

/// What goes wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// The answer carries this code and nothing is done. Where an API has a code for the whole
    /// answer it stands there, else with every partition; bound to a partition
    /// ([`Fault::partition`]) it stands with that one alone.
    Error(ErrorCode),
    /// The request is done at once and its answer comes so much later.
    Delay(Duration),
    /// The request is done; its answer never comes, and the next one is served.
    DropAnswer,
    /// The request is done and the connection is closed without an answer.
    DoAndClose,
    /// The connection is closed; nothing is done.
    Close,
    /// The answer ends after so many bytes, and the connection is closed.
    Cut(usize),
    /// The answer comes twice.
    Twice,
    /// The answer names another request's correlation id.
    WrongCorrelationId,
    /// The answer tells the client to be silent for so long.
    Throttle(Duration),
    /// In place of an answer come these bytes; a length prefix is not added.
    Garbage(bytes::Bytes),
    /// The answer is framed and numbered rightly, but its body is these bytes.
    Body(bytes::Bytes),
    /// The answer is well-formed and not true: wrong ids, rows left out or told twice, offsets and
    /// leaders that cannot be, error codes at every level. The number is a seed; the same request
    /// on the same connection is answered with the same lies.
    Lies(u64),
    /// The answer says nothing of the last partition of each topic. Of `OffsetFetch` only.
    LeaveOut,
}

/// One line of the script: with the next request that fits, this goes wrong.
///
/// ```
/// use forebay_broker::{ApiKey, Effect, ErrorCode, Fault};
///
/// let busy = Fault::new(Effect::Error(ErrorCode::NOT_COORDINATOR)).api(ApiKey::OffsetCommit).times(3);
/// # let _ = busy;
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    effect: Effect,
    api: Option<ApiKey>,
    node: Option<BrokerId>,
    client_id: Option<String>,
    partition: Option<TopicPartition>,
    skip: u32,
    times: u32,
}

impl Fault {
    /// This goes wrong with the next request, once.
    #[must_use]
    pub const fn new(effect: Effect) -> Self {
        Self { effect, api: None, node: None, client_id: None, partition: None, skip: 0, times: 1 }
    }

    /// Only with requests of this API.
    #[must_use]
    pub const fn api(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only at this node.
    #[must_use]
    pub const fn node(mut self, node: BrokerId) -> Self {
        self.node = Some(node);
        self
    }

    /// Only for the client with this id.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Only for this partition: [`Effect::Error`] stands with it alone. Other effects do not look
    /// into requests and ignore this.
    #[must_use]
    pub fn partition(mut self, partition: TopicPartition) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Leaves the first `requests` that fit alone. Default 0.
    #[must_use]
    pub const fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// How often. Default once; [`u32::MAX`] is always.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, asked: &Asked<'_>) -> bool {
        self.api.is_none_or(|api| api == asked.api)
            && self.node.is_none_or(|node| node == asked.node)
            && self.client_id.as_deref().is_none_or(|id| Some(id) == asked.client_id)
    }

    /// Whether it strikes now; counts.
    const fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.times == 0 {
            return false;
        }
        if self.times < u32::MAX {
            self.times -= 1;
        }
        true
    }

    /// The error of one partition, when that is what this fault is.
    fn partition_error(&self) -> Option<(&TopicPartition, ErrorCode)> {
        match (&self.partition, &self.effect) {
            (Some(partition), Effect::Error(code)) => Some((partition, *code)),
            _ => None,
        }
    }
}

/// What a fault looks at.
pub(crate) struct Asked<'a> {
    pub(crate) api: ApiKey,
    pub(crate) node: BrokerId,
    pub(crate) client_id: Option<&'a str>,
}

/// All that goes wrong with one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mischief {
    pub(crate) error: Option<ErrorCode>,
    pub(crate) throttle: Duration,
    pub(crate) delay: Duration,
    /// What happens to the answer, in the order of the script.
    pub(crate) to_answer: Vec<Effect>,
}

impl Mischief {
    /// Whether the connection is to be closed before anything is done.
    pub(crate) fn closes_first(&self) -> bool {
        self.to_answer.contains(&Effect::Close)
    }

    fn add(&mut self, effect: &Effect) {
        match effect {
            Effect::Error(code) => self.error = Some(*code),
            Effect::Delay(delay) => self.delay += *delay,
            Effect::Throttle(throttle) => self.throttle = *throttle,
            Effect::DropAnswer
            | Effect::DoAndClose
            | Effect::Close
            | Effect::Cut(_)
            | Effect::Twice
            | Effect::WrongCorrelationId
            | Effect::Garbage(_)
            | Effect::Body(_)
            | Effect::Lies(_)
            | Effect::LeaveOut => self.to_answer.push(effect.clone()),
        }
    }
}

/// The script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    faults: Vec<Fault>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// How many faults have not struck as often as they should.
    pub(crate) fn pending(&self) -> usize {
        self.faults.iter().filter(|fault| fault.times > 0).count()
    }

    /// What goes wrong with this request.
    pub(crate) fn strike(&mut self, asked: &Asked<'_>) -> Mischief {
        let mut mischief = Mischief::default();
        for fault in &mut self.faults {
            if fault.partition_error().is_none() && fault.fits(asked) && fault.strikes() {
                mischief.add(&fault.effect);
            }
        }
        self.faults.retain(|fault| fault.times > 0);
        mischief
    }

    /// The error that this partition answers with, if a script says so.
    pub(crate) fn strike_partition(
        &mut self,
        asked: &Asked<'_>,
        (topic, partition): (&str, i32),
    ) -> Option<ErrorCode> {
        for fault in &mut self.faults {
            let Some((bound, code)) = fault.partition_error() else { continue };
            let is_it = bound.topic.as_str() == topic && bound.partition == partition;
            if is_it && fault.fits(asked) && fault.strikes() {
                return Some(code);
            }
        }
        None
    }
}
