//! One broker and what it answered.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(7);

/// One broker, asked over one connection.
pub(crate) struct Side {
    stream: TcpStream,
    newest: BTreeMap<i16, i16>,
    number: i32,
    pub(crate) lines: Vec<(String, String)>,
    /// The time of all records, in milliseconds since 1970.
    pub(crate) time: i64,
}

impl Side {
    pub(crate) fn connect(address: &str, time: i64) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut side = Self { stream, newest: BTreeMap::new(), number: 0, lines: Vec::new(), time };
        let versions = side.ask(0, &ApiVersionsRequest::default())?;
        side.newest = versions.api_keys.iter().map(|row| (row.api_key, row.max_version)).collect();
        Ok(side)
    }

    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.number += 1;
        let mut out = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.number)
            .with_client_id(Some(text("compare")))
            .encode(&mut out, R::header_version(version))?;
        request.encode(&mut out, version)?;
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(out.len())?);
        frame.put(out);
        self.stream.write_all(&frame)?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len))?];
        self.stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        Ok(R::Response::decode(&mut answer, version)?)
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
        let version = version.min(self.newest.get(&R::KEY).copied().unwrap_or(-1));
        let answer = if version < 0 { None } else { Some(self.ask(version, request)) };
        let (line, answer) = match answer {
            None => ("not offered".to_owned(), None),
            Some(Ok(answer)) => (masked(&format!("v{version} {answer:?}")), Some(answer)),
            Some(Err(error)) => {
                self.reconnect();
                (format!("v{version} no answer: {error}"), None)
            }
        };
        self.lines.push((name.to_owned(), line));
        answer
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
    line.replace(", unknown_tagged_fields: {}", "")
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn name(name: &str) -> TopicName {
    TopicName(text(name))
}
