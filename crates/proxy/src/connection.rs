//! How does one connection pass through? Frame by frame, in both directions, until either side or
//! we end it.

mod harm;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use forebay_protocol::frame::{DEFAULT_LIMIT, FrameError, Frames};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::ProxyError;
use crate::proxy::{Broker, Shared};
use crate::routes::Answering;
use crate::script::{Effect, Passing};
use crate::witness::{About, OPEN_MOST, Question, Talk};

/// The way to one broker.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) broker: Broker,
    pub(crate) shared: Arc<Shared>,
}

/// A connection is to end; the reason, when nobody wanted it.
type Ended = Option<ProxyError>;

/// Takes connections until it is aborted, and they with it.
pub(crate) async fn serve(listener: TcpListener, way: Way) {
    let mut inside = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    inside.spawn(pass(client, way.clone()));
                }
            }
            Some(_) = inside.join_next() => {}
        }
    }
}

/// Passes one connection through to its end.
async fn pass(client: TcpStream, way: Way) {
    let mut cuts = way.shared.gate.listen();
    let at = (way.broker.host.as_str(), way.broker.port);
    let Ok(broker) = TcpStream::connect(at).await else { return };
    // Answers are small and waited for; where it cannot be set nothing is lost.
    drop((client.set_nodelay(true), broker.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let connection = Connection { way, talk: Arc::default() };
    let ended = tokio::select! {
        ended = connection.ask(from_client, to_broker) => ended,
        ended = connection.answer(from_broker, to_client) => ended,
        () = cuts.heard(|| connection.client(), connection.way.broker.id) => None,
    };
    if let Some(error) = ended {
        connection.way.shared.failed(error);
    }
}

#[derive(Debug)]
struct Connection {
    way: Way,
    talk: Arc<Mutex<Talk>>,
}

/// From the client to the broker.
impl Connection {
    async fn ask(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Ended {
        let mut frames = Frames::new(DEFAULT_LIMIT);
        loop {
            match next(&mut frames, &mut from).await {
                Ok(Some(frame)) => {
                    if let Err(ended) = self.pass_request(frame, &mut to).await {
                        return ended;
                    }
                }
                Ok(None) => return None,
                Err(source) => return Some(ProxyError::FromClient { source }),
            }
        }
    }

    async fn pass_request(&self, frame: Bytes, to: &mut OwnedWriteHalf) -> Result<(), Ended> {
        let asked = self.talk().ask(&frame);
        self.gate().await;
        if let Some((number, mut question, body)) = asked {
            if self.way.shared.script().before(&self.passing(&question)) {
                return Err(None);
            }
            if let Some(mut witness) = self.way.shared.witness() {
                let noted = witness.look(&mut question, body);
                noted.map_err(|source| Some(ProxyError::Ledger { source }))?;
            }
            self.wait_for(number, question)?;
        }
        send(to, &frame).await
    }

    fn wait_for(&self, number: i32, question: Question) -> Result<(), Ended> {
        let mut talk = self.talk();
        if matches!(question.about, About::NoAnswer) {
            return Ok(());
        }
        let (open, limit) = (talk.open(), OPEN_MOST);
        if limit <= open {
            return Err(Some(ProxyError::TooManyOpen { open, limit }));
        }
        talk.wait_for(number, question);
        Ok(())
    }
}

/// From the broker to the client.
impl Connection {
    async fn answer(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Ended {
        let mut frames = Frames::new(DEFAULT_LIMIT);
        loop {
            match next(&mut frames, &mut from).await {
                Ok(Some(frame)) => {
                    if let Err(ended) = self.pass_answer(frame, &mut to).await {
                        return ended;
                    }
                }
                Ok(None) => return None,
                Err(source) => return Some(ProxyError::FromBroker { source }),
            }
        }
    }

    async fn pass_answer(&self, frame: Bytes, to: &mut OwnedWriteHalf) -> Result<(), Ended> {
        let answered = self.talk().answered(&frame);
        let Some((number, question)) = answered else {
            self.gate().await;
            return send(to, &frame).await;
        };
        let effect = self.way.shared.script().after(&self.passing(&question));
        if let Some(Effect::Delay(time)) = &effect {
            tokio::time::sleep(*time).await;
        }
        self.gate().await;
        let what = Answering { api: question.api, version: question.version, number };
        let whole = self.way.shared.routes.rewrite(what, &frame);
        let whole = whole.unwrap_or_else(|| with_length(&frame));
        if effect.as_ref().is_none_or(|effect| effect.is_heard(whole.len()))
            && let Some(mut witness) = self.way.shared.witness()
        {
            let noted = witness.hear(&question, (frame.clone(), number));
            noted.map_err(|source| Some(ProxyError::Ledger { source }))?;
        }
        match effect {
            Some(effect) => harm::deliver(&effect, (what, whole), to).await,
            None => write(to, &whole).await,
        }
    }
}

impl Connection {
    /// Returns when this connection may go on.
    async fn gate(&self) {
        let client = self.client();
        self.way.shared.gate.pass(client.as_deref(), self.way.broker.id).await;
    }

    fn client(&self) -> Option<String> {
        self.talk().client().map(|client| client.to_string())
    }

    fn passing<'a>(&self, question: &'a Question) -> Passing<'a> {
        Passing { api: question.api, client: &question.client, node: self.way.broker.id }
    }

    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next frame; `None` when the other side has ended.
async fn next(frames: &mut Frames, from: &mut OwnedReadHalf) -> Result<Option<Bytes>, FrameError> {
    loop {
        if let Some(frame) = frames.next_frame()? {
            return Ok(Some(frame));
        }
        match from.read_buf(frames.room()).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

/// A frame, behind its length.
async fn send(to: &mut OwnedWriteHalf, frame: &Bytes) -> Result<(), Ended> {
    write(to, &with_length(frame)).await
}

fn with_length(frame: &Bytes) -> Bytes {
    // Frames are no longer than the limit.
    let len = u32::try_from(frame.len()).unwrap_or_default();
    [&len.to_be_bytes(), frame.as_ref()].concat().into()
}

async fn write(to: &mut OwnedWriteHalf, bytes: &[u8]) -> Result<(), Ended> {
    to.write_all(bytes).await.map_err(|_| None)
}
