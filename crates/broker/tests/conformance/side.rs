//! One broker, asked over one connection, and what it answered.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// One broker, asked over one connection.
pub(crate) struct Side {
    stream: TcpStream,
    newest: BTreeMap<i16, i16>,
    oldest: BTreeMap<i16, i16>,
    number: i32,
    kind: Kind,
    pub(crate) lines: Vec<(String, String)>,
}

/// Real brokers need a moment for some things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Real,
    InProcess,
}

/// The time of all records, in milliseconds since 1970.
pub(crate) const TIME: i64 = 1_700_000_000_000;

impl Side {
    pub(crate) fn connect(address: &str, kind: Kind) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (newest, oldest) = (BTreeMap::new(), BTreeMap::new());
        let mut side = Self { stream, newest, oldest, number: 0, kind, lines: Vec::new() };
        let versions = side.ask(0, &ApiVersionsRequest::default())?;
        side.newest = versions.api_keys.iter().map(|row| (row.api_key, row.max_version)).collect();
        side.oldest = versions.api_keys.iter().map(|row| (row.api_key, row.min_version)).collect();
        Ok(side)
    }

    /// The oldest version that is offered; -1 for none.
    pub(crate) fn oldest(&self, api: i16) -> i16 {
        self.oldest.get(&api).copied().unwrap_or(-1)
    }

    /// Waits where a real broker would not be ready.
    pub(crate) fn rest(&self, millis: u64) {
        if self.kind == Kind::Real {
            std::thread::sleep(Duration::from_millis(millis));
        }
    }

    /// The newest version that is offered; -1 for none.
    pub(crate) fn newest(&self, api: i16) -> i16 {
        self.newest.get(&api).copied().unwrap_or(-1)
    }

    /// The newest version up to `version`; -1 when the API is not offered.
    fn offered<R: Request>(&self, version: i16) -> i16 {
        version.min(self.newest(R::KEY))
    }

    /// Asks, in the newest version up to `version`, and notes nothing.
    pub(crate) fn quietly<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let answer = self.ask(self.offered::<R>(version), request);
        if answer.is_err() {
            self.reconnect();
        }
        answer.ok()
    }

    /// Asks until the answer is one of a broker that is ready.
    pub(crate) fn until<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        is_ready: impl Fn(&R::Response) -> bool,
    ) {
        for _ in 0..40 {
            match self.ask(self.offered::<R>(version), request) {
                Ok(answer) if is_ready(&answer) => return,
                Ok(_) => self.rest(250),
                Err(_) => self.reconnect(),
            }
        }
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.number += 1;
        let mut out = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.number)
            .with_client_id(Some(text("conformance")))
            .encode(&mut out, R::header_version(version))?;
        request.encode(&mut out, version)?;
        let mut answer = self.exchange(out)?;
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        Ok(R::Response::decode(&mut answer, version)?)
    }

    /// Sends a frame and waits for one.
    fn exchange(&mut self, out: BytesMut) -> Outcome<Bytes> {
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(out.len())?);
        frame.put(out);
        self.stream.write_all(&frame)?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len))?];
        self.stream.read_exact(&mut answer)?;
        Ok(Bytes::from(answer))
    }

    /// Asks with a head and nothing behind it, and notes the error code of an `ApiVersions` answer in
    /// version 0, and whether it lists versions.
    pub(crate) fn raw(&mut self, name: &str, (api, version): (i16, i16)) {
        self.number += 1;
        let line = match self.exchange(head(api, version, self.number)) {
            Ok(mut answer) if answer.len() >= 10 => {
                let (number, code, count) = (answer.get_i32(), answer.get_i16(), answer.get_i32());
                let rows: Vec<_> = (0..count).map(|_| take_row(&mut answer)).collect();
                let own = rows.iter().find(|row| row.0 == 18);
                let right = number == self.number;
                format!("{right}, error {code}, {} rows, {own:?}", rows.len().min(2))
            }
            Ok(answer) => format!("{} bytes", answer.len()),
            Err(error) => {
                self.reconnect();
                format!("no answer: {}", how(error.as_ref()))
            }
        };
        self.lines.push((name.to_owned(), line));
    }

    /// Asks as [`Self::note`] does, and notes the error code alone.
    pub(crate) fn error_of<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) {
        let version = self.offered::<R>(version);
        let line = match self.ask(version, request) {
            Ok(answer) => format!("v{version} error {}", code(&answer)),
            Err(error) => {
                self.reconnect();
                format!("v{version} no answer: {}", how(error.as_ref()))
            }
        };
        self.lines.push((name.to_owned(), line));
    }

    /// A broker that did not answer may have closed the connection.
    fn reconnect(&mut self) {
        let address = self.stream.peer_addr();
        if let Ok(stream) = address.and_then(TcpStream::connect)
            && stream.set_read_timeout(Some(PATIENCE)).is_ok()
        {
            self.stream = stream;
        }
    }

    /// Asks, in the newest version up to `version`, and notes the answer under a name.
    pub(crate) fn note<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: &R,
    ) -> Option<R::Response>
    where
        R::Response: std::fmt::Debug,
    {
        self.note_in_order(name, version, request, |_| {})
    }

    /// As [`Self::note`], after `order` has put in order what Kafka tells in any.
    pub(crate) fn note_in_order<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: &R,
        order: fn(&mut R::Response),
    ) -> Option<R::Response>
    where
        R::Response: std::fmt::Debug,
    {
        let version = self.offered::<R>(version);
        let answer = if version < 0 { None } else { Some(self.ask(version, request)) };
        let (line, answer) = match answer {
            None => ("not offered".to_owned(), None),
            Some(Ok(mut answer)) => {
                order(&mut answer);
                (masked(&format!("v{version} {answer:?}")), Some(answer))
            }
            Some(Err(error)) => {
                self.reconnect();
                (format!("v{version} no answer: {}", how(error.as_ref())), None)
            }
        };
        self.lines.push((name.to_owned(), line));
        answer
    }
}

/// A request's frame without its body, after the length.
fn head(api: i16, version: i16, number: i32) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_i16(api);
    out.put_i16(version);
    out.put_i32(number);
    out.put_slice(b"\0\x01c");
    if version > 2 {
        // The header of flexible versions has room for more.
        out.put_u8(0);
    }
    out
}

/// An API, its oldest and its newest version.
fn take_row(answer: &mut Bytes) -> (i16, i16, i16) {
    if answer.len() < 6 {
        return (-1, -1, -1);
    }
    (answer.get_i16(), answer.get_i16(), answer.get_i16())
}

/// How an answer stayed away: the words differ from one system to the next.
fn how(error: &(dyn std::error::Error + 'static)) -> &'static str {
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => "silence",
        Some(_) => "the connection was closed",
        None => "not in this version",
    }
}

/// Hides what may differ: ids, times, addresses, words for people.
fn masked(line: &str) -> String {
    let hidden = [
        "session_id: ",
        "topic_id: ",
        "error_message: ",
        "batch_index_error_message: ",
        "producer_id: ",
        "port: ",
        "cluster_id: ",
        "host: ",
        "heartbeat_interval_ms: ",
        "log_append_time_ms: ",
        "configs: ",
        "node_id: BrokerId(",
        "controller_id: BrokerId(",
        "leader_id: BrokerId(",
        "replica_nodes: [",
        "isr_nodes: [",
        "ErrorMessage { batch_index_error_message: ",
    ];
    let mut line = line.to_owned();
    for name in hidden {
        let mut from = 0;
        while let Some(at) = line.get(from..).and_then(|rest| rest.find(name)) {
            let start = from + at + name.len();
            let rest = line.get(start..).unwrap_or_default();
            let len = if rest.starts_with("Some(\"") {
                rest.find("\")").map_or(0, |end| end + 2)
            } else if rest.starts_with("Some([") {
                rest.find("])").map_or(0, |end| end + 2)
            } else {
                rest.find([',', '}', ')', ']']).unwrap_or(rest.len())
            };
            line.replace_range(start..start + len, "_");
            from = start;
        }
    }
    without_uuids(&line.replace(", unknown_tagged_fields: {}", ""))
}

/// Hides the ids that brokers make up.
fn without_uuids(line: &str) -> String {
    let is_uuid = |word: &str| {
        let parts: Vec<usize> = word.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12] && word.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit())
    };
    let mut out = line.to_owned();
    let mut from = 0;
    while let Some(word) = out.get(from..from + 36) {
        if is_uuid(word) {
            out.replace_range(from..from + 36, "_");
        }
        from += 1;
        while !out.is_char_boundary(from) {
            from += 1;
        }
    }
    out
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn name(name: &str) -> TopicName {
    TopicName(text(name))
}
