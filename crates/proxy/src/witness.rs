//! What do clients say and hear that a history must tell? Read off frames as they pass.

mod member;
mod topics;
mod writes;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use forebay_histcheck::{Notebook, What};
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::messages as m;
use forebay_protocol::request::RequestHeader;
use forebay_protocol::response;
use forebay_protocol::wire::{Message, Reader};

use member::Member;
use topics::Topics;
use writes::Written;
pub use writes::value_of;

/// Where a history is written.
pub trait Ledger: Send + Sync {
    /// The time of the history, in nanoseconds.
    fn now(&self) -> u64;

    /// Writes down that this happens now.
    ///
    /// # Errors
    ///
    /// When it could not be written.
    fn note(&self, what: What) -> io::Result<()>;
}

impl Ledger for Notebook {
    fn now(&self) -> u64 {
        forebay_histcheck::now()
    }

    fn note(&self, what: What) -> io::Result<()> {
        Self::note(self, what)
    }
}

/// The most answers that one connection may wait for: clients have a handful.
pub(crate) const OPEN_MOST: usize = 10_000;

/// One connection, as far as it was read: the requests that wait for their answers.
#[derive(Debug, Default)]
pub struct Talk {
    open: BTreeMap<i32, Question>,
    client: Option<Arc<str>>,
}

impl Talk {
    /// How many requests wait for their answers.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Whose connection it is, once it has said.
    pub(crate) fn client(&self) -> Option<Arc<str>> {
        self.client.clone()
    }

    /// Takes note of a request; what it is, unless it cannot be told.
    pub(crate) fn ask(&mut self, frame: &Bytes) -> Option<(i32, Question, Reader)> {
        let mut reader = Reader::new(frame.clone());
        let header = RequestHeader::decode(&mut reader).ok()?;
        let client: Arc<str> = header.client_id.as_ref().map_or("", |it| it.as_str()).into();
        self.client = Some(Arc::clone(&client));
        let (api, version) = (ApiKey::from_code(header.api_key)?, header.version);
        Some((
            header.correlation_id,
            Question { api, version, client, about: About::Other },
            reader,
        ))
    }

    pub(crate) fn wait_for(&mut self, number: i32, question: Question) {
        self.open.insert(number, question);
    }

    /// The request that this answers, with its number.
    pub(crate) fn answered(&mut self, frame: &Bytes) -> Option<(i32, Question)> {
        let number = response::correlation_id(frame).ok()?;
        Some((number, self.open.remove(&number)?))
    }
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) client: Arc<str>,
    pub(crate) about: About,
}

/// What must be known of a request to understand its answer.
#[derive(Clone, Debug)]
pub(crate) enum About {
    /// Nothing.
    Other,
    /// Nobody will answer.
    NoAnswer,
    /// A membership: when it was sent, under which generation or member epoch.
    Membership { sent: u64, epoch: i32 },
    /// A commit: its number, and the generation or member epoch.
    Commit { number: u64, epoch: i32 },
    /// Writes.
    Writes(Written),
}

/// Reads along what clients say, and writes it down.
pub struct Witness {
    ledger: Arc<dyn Ledger>,
    members: BTreeMap<Arc<str>, Member>,
    topics: Topics,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("members", &self.members).finish_non_exhaustive()
    }
}

impl Witness {
    /// Writes into `ledger`.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, members: BTreeMap::new(), topics: Topics::default() }
    }

    /// A request passes: a frame without its length.
    ///
    /// # Errors
    ///
    /// When the history could not be written.
    pub fn request(&mut self, talk: &mut Talk, frame: &Bytes) -> io::Result<()> {
        let Some((number, mut question, body)) = talk.ask(frame) else { return Ok(()) };
        self.look(&mut question, body)?;
        if !matches!(question.about, About::NoAnswer) {
            talk.wait_for(number, question);
        }
        Ok(())
    }

    /// An answer passes: a frame without its length.
    ///
    /// # Errors
    ///
    /// When the history could not be written.
    pub fn response(&mut self, talk: &mut Talk, frame: &Bytes) -> io::Result<()> {
        let Some((number, question)) = talk.answered(frame) else { return Ok(()) };
        self.hear(&question, (frame.clone(), number))
    }

    /// What a request says.
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs seven matter here")]
    pub(crate) fn look(&mut self, question: &mut Question, mut body: Reader) -> io::Result<()> {
        let version = question.version;
        match question.api {
            ApiKey::Produce => {
                if let Ok(request) = m::ProduceRequest::decode(&mut body, version) {
                    question.about = writes::of(&request, &self.topics);
                }
                Ok(())
            }
            ApiKey::OffsetCommit
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::ConsumerGroupHeartbeat => {
                let client = Arc::clone(&question.client);
                let member = self.members.entry(client).or_default();
                member.says(question, &mut body, (&*self.ledger, &self.topics))
            }
            _ => Ok(()),
        }
    }

    /// What the client hears.
    #[allow(clippy::wildcard_enum_match_arm, reason = "of eighty APIs seven matter here")]
    pub(crate) fn hear(&mut self, question: &Question, answer: (Bytes, i32)) -> io::Result<()> {
        match question.api {
            ApiKey::Metadata => {
                if let Some(answer) = read::<m::MetadataRequest>(question, answer) {
                    self.topics.learn(&answer);
                }
                let desk = (&*self.ledger, &self.topics);
                self.members.iter_mut().try_for_each(|(client, it)| it.hears_names(client, desk))
            }
            ApiKey::Produce => match (&question.about, read::<m::ProduceRequest>(question, answer))
            {
                (About::Writes(written), Some(answer)) => {
                    written.acked(&answer, (&*self.ledger, &self.topics))
                }
                _ => Ok(()),
            },
            _ => match self.members.get_mut(&question.client) {
                Some(member) => member.hears(question, answer, (&*self.ledger, &self.topics)),
                None => Ok(()),
            },
        }
    }
}

pub(crate) fn read<R: Request>(
    question: &Question,
    (frame, number): (Bytes, i32),
) -> Option<R::Response> {
    response::decode::<R>(frame, question.version, number).ok()
}
