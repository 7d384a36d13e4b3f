//! What does one connection ask, and who answers?

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;

use super::Stage;
use super::answers;
use super::fetch::{self, Session};
use super::wire::{Reader, Writer};
use crate::error::Error;

/// No request to this broker is larger: 10,000 partitions take 400 KiB.
const REQUEST_LIMIT: usize = 16 << 20;

/// The APIs offered: key, lowest and highest version, first flexible version.
pub(super) const APIS: [Api; 12] = [
    Api { key: key::PRODUCE, min: 3, max: 8, flexible: 9 },
    Api { key: key::FETCH, min: 4, max: 18, flexible: 12 },
    Api { key: key::LIST_OFFSETS, min: 1, max: 10, flexible: 6 },
    Api { key: key::METADATA, min: 0, max: 13, flexible: 9 },
    Api { key: key::OFFSET_COMMIT, min: 2, max: 9, flexible: 8 },
    Api { key: key::OFFSET_FETCH, min: 1, max: 9, flexible: 6 },
    Api { key: key::FIND_COORDINATOR, min: 0, max: 6, flexible: 3 },
    Api { key: key::JOIN_GROUP, min: 2, max: 2, flexible: 6 },
    Api { key: key::HEARTBEAT, min: 1, max: 1, flexible: 4 },
    Api { key: key::LEAVE_GROUP, min: 1, max: 1, flexible: 4 },
    Api { key: key::SYNC_GROUP, min: 1, max: 1, flexible: 4 },
    Api { key: key::API_VERSIONS, min: 0, max: 4, flexible: 3 },
];

/// Kafka's numbers for the APIs spoken here.
pub(super) mod key {
    pub(crate) const PRODUCE: i16 = 0;
    pub(crate) const FETCH: i16 = 1;
    pub(crate) const LIST_OFFSETS: i16 = 2;
    pub(crate) const METADATA: i16 = 3;
    pub(crate) const OFFSET_COMMIT: i16 = 8;
    pub(crate) const OFFSET_FETCH: i16 = 9;
    pub(crate) const FIND_COORDINATOR: i16 = 10;
    pub(crate) const JOIN_GROUP: i16 = 11;
    pub(crate) const HEARTBEAT: i16 = 12;
    pub(crate) const LEAVE_GROUP: i16 = 13;
    pub(crate) const SYNC_GROUP: i16 = 14;
    pub(crate) const API_VERSIONS: i16 = 18;
}

/// One row of the table of APIs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) min: i16,
    pub(super) max: i16,
    pub(super) flexible: i16,
}

/// A request whose header has been read.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) version: i16,
    /// Whether the version is one of those offered.
    pub(super) known: bool,
    pub(super) body: Reader<'a>,
}

/// Answers until the client closes.
pub(super) fn serve(stage: &Stage, socket: &TcpStream) -> Result<(), Error> {
    socket.set_nodelay(true).map_err(Error::io("set TCP_NODELAY"))?;
    let mut input = BufReader::with_capacity(64 << 10, socket);
    let mut session = Session::default();
    let mut frame = Vec::new();
    while read_frame(&mut input, &mut frame) {
        let cut = Error::Cut { what: "request" };
        let (api, request, reply) = open(&frame).ok_or(cut)?;
        let answered = match api {
            key::FETCH => fetch::answer(stage, &mut session, request, reply, socket)?,
            _ => answers::write(stage, api, request, reply)
                .map(|reply| send(socket, &mut [IoSlice::new(&reply.finish(0))]))
                .transpose()?,
        };
        answered.ok_or(Error::Malformed { what: "request", partition: -1, offset: 0 })?;
    }
    Ok(())
}

/// The next request into `frame`; false when the client is gone.
fn read_frame(input: &mut impl Read, frame: &mut Vec<u8>) -> bool {
    let mut len = [0; 4];
    if input.read_exact(&mut len).is_err() {
        return false;
    }
    let len = usize::try_from(i32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > REQUEST_LIMIT {
        return false;
    }
    frame.resize(len, 0);
    input.read_exact(frame).is_ok()
}

/// Reads the header and starts the response with its own.
fn open(frame: &[u8]) -> Option<(i16, Request<'_>, Writer)> {
    let mut header = Reader::new(frame);
    let (api, version, correlation) = (header.i16()?, header.i16()?, header.i32()?);
    header.string()?;
    let row = APIS.iter().find(|row| row.key == api)?;
    let flexible = version >= row.flexible;
    let mut body = if flexible { header.flexible() } else { header };
    body.tags()?;
    let known = (row.min..=row.max).contains(&version);
    let reply = Writer::new();
    let mut reply = if flexible && known { reply.flexible() } else { reply };
    reply.i32(correlation);
    // Clients read this one answer before they know what the broker speaks.
    if api != key::API_VERSIONS {
        reply.tags();
    }
    (known || api == key::API_VERSIONS).then_some((api, Request { version, known, body }, reply))
}

/// Sends all of `slices`. A client that has seen enough and left is no error: the next read ends
/// the connection.
pub(super) fn send(mut socket: &TcpStream, mut slices: &mut [IoSlice<'_>]) -> Result<(), Error> {
    while !slices.is_empty() {
        match socket.write_vectored(slices) {
            Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
            Err(error) if gone(&error) => return Ok(()),
            Err(error) => return Err(Error::io("send a response")(error)),
        }
    }
    Ok(())
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
