//! What does a broker say, read by hand from the protocol's description?

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

const FETCH: i16 = 1;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

/// The answer to one request, without length and correlation id.
struct Answer(std::io::Cursor<Vec<u8>>);

impl Answer {
    fn to(address: &str, key: i16, version: i16, body: &[u8]) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut request = Vec::new();
        request.extend(key.to_be_bytes());
        request.extend(version.to_be_bytes());
        request.extend(99_i32.to_be_bytes());
        request.extend((-1_i16).to_be_bytes());
        request.extend(body);
        stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes())?;
        stream.write_all(&request)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer)?;
        let mut answer = Self(std::io::Cursor::new(answer));
        assert_eq!(answer.int(), 99, "the correlation id");
        Ok(answer)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.short()).ok()?;
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        Some(String::from_utf8(bytes).unwrap())
    }
}

/// Ids and addresses of the brokers that the one at `address` knows, by id.
pub(crate) fn brokers(address: &str) -> Vec<(i32, String)> {
    // Version 2, no topics.
    let mut answer = Answer::to(address, METADATA, 2, &[0; 4]).unwrap();
    let mut brokers = Vec::new();
    for _ in 0..answer.int() {
        let id = answer.int();
        let host = answer.string().unwrap();
        let port = answer.int();
        answer.string();
        brokers.push((id, format!("{host}:{port}")));
    }
    brokers.sort_unstable();
    brokers
}

/// The lowest and highest version of Fetch that the broker speaks.
pub(crate) fn fetch_versions(address: &str) -> (i16, i16) {
    let mut answer = Answer::to(address, API_VERSIONS, 0, &[]).unwrap();
    assert_eq!(answer.short(), 0, "the error code");
    let rows = answer.int();
    let row = (0..rows).map(|_| (answer.short(), answer.short(), answer.short()));
    let fetch = row.into_iter().find(|(key, ..)| *key == FETCH);
    fetch.map(|(_, min, max)| (min, max)).unwrap()
}

/// Whether it takes a connection and gives no answer.
pub(crate) fn is_silent(address: &str) -> bool {
    Answer::to(address, API_VERSIONS, 0, &[]).is_err()
}

/// Ids of the processes that have something below `directory` on their command line.
pub(crate) fn processes_of(directory: &Path) -> Vec<i32> {
    let wanted = directory.display().to_string();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&wanted)
    };
    pids.filter(has).collect()
}
