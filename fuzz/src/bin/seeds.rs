//! The first corpora: the bytes that other clients wrote, as inputs of the targets that read such,
//! and frames of all lengths for `frames`.

use std::path::Path;
use std::{fs, io};

use forebay_protocol::api::{Api, ApiKey};
use forebay_protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, PartitionData,
};
use forebay_protocol::wire::{Message, Writer};

/// Larger goldens show a fuzzer nothing new, and make it slow.
const LONGEST: usize = 2_000;

/// The name of a target, and bytes for it.
type Input = (&'static str, Vec<u8>);

fn main() -> io::Result<()> {
    frames()?;
    lives()?;
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/protocol/tests/goldens");
    let files = fs::read_dir(goldens)?.map(|entry| fs::read_to_string(entry?.path()));
    for (number, text) in files.enumerate() {
        seeds(number, &text?)?;
    }
    Ok(())
}

fn seeds(file: usize, text: &str) -> io::Result<()> {
    for (line, text) in text.lines().enumerate() {
        let inputs = message(text).into_iter().chain(record_inputs(text));
        for (at, (target, input)) in inputs.enumerate() {
            keep(target, &format!("seed-{file}-{line:05}-{at}"), &input)?;
        }
    }
    Ok(())
}

fn keep(target: &str, name: &str, input: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), input)
}

fn frames() -> io::Result<()> {
    let stream = b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three\0\0\x01\0rest";
    let keep = |step: u8| keep("frames", &format!("seed-{step}"), &[&[step], &stream[..]].concat());
    [0, 2, 255].into_iter().try_for_each(keep)
}

/// One life for each deed, with records before and after it.
fn lives() -> io::Result<()> {
    let life = |deed: u8| {
        let deeds = [[0, 0, 5], [15, 5, 0], [deed, 255, 7], [0, 1, 5], [deed, 1, 2], [15, 50, 0]];
        keep("lives", &format!("seed-{deed}"), &[&[deed], deeds.as_flattened()].concat())
    };
    (0..16).try_for_each(life)
}

/// NAME VERSION [VARIANT] HEX.
fn message(line: &str) -> Option<Input> {
    let words: Vec<&str> = line.split(' ').collect();
    let (name, version, bytes) = (words.first()?, words.get(1)?, hex(words.last()?)?);
    let version: i16 = version.parse().ok()?;
    if name.starts_with(char::is_lowercase) {
        return Some(("group", bytes));
    }
    match name.strip_suffix("Request") {
        Some(name) => request(name, version, &bytes),
        None => response(name.strip_suffix("Response")?, version, &bytes),
    }
}

fn request(name: &str, version: i16, body: &[u8]) -> Option<Input> {
    let (_, api) = row(name)?;
    let mut input = api.key.code().to_be_bytes().to_vec();
    input.extend(version.to_be_bytes());
    input.extend(b"\0\0\0\x07\0\x02me");
    input.extend((version >= api.flexible_from).then_some(0));
    Some(("request", [&input, body].concat()))
}

fn response(name: &str, version: i16, body: &[u8]) -> Option<Input> {
    let (row, api) = row(name)?;
    let mut input = vec![u8::try_from(row).ok()?, u8::try_from(version).ok()?, 0, 0, 0, 7];
    let is_flexible = version >= api.flexible_from && api.key != ApiKey::ApiVersions;
    input.extend(is_flexible.then_some(0));
    Some(("response", [&input, body].concat()))
}

/// What the goldens of records and of Fetch responses are good for.
fn record_inputs(line: &str) -> Vec<Input> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["FetchResponse", version, .., bytes] => {
            fetch_response(version, bytes).into_iter().collect()
        }
        [name, bytes] if bytes.len() <= 2 * LONGEST => {
            hex(bytes).map(|it| of_records(name, &it)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn fetch_response(version: &str, bytes: &str) -> Option<Input> {
    let version = version.parse::<u8>().ok()?.checked_sub(4)?;
    Some(("fetch_stream", [vec![version, 6], hex(bytes)?].concat()))
}

fn of_records(name: &str, bytes: &[u8]) -> Vec<Input> {
    let mut inputs: Vec<_> = (4..=18).filter_map(|it| section(it, bytes)).collect();
    if name.starts_with("v0") || name.starts_with("v1") {
        let magic = u8::from(name.starts_with("v1"));
        let wrapped = (0..4).map(|codec| ("legacy", [&[codec + 4 * magic], bytes].concat()));
        inputs.extend(wrapped);
    } else {
        inputs.push(("records", bytes.to_vec()));
        let codec = bytes.get(22).copied().unwrap_or_default() & 7;
        let packed = bytes.get(61..).unwrap_or_default();
        inputs.push(("codecs", [&[codec], packed].concat()));
    }
    inputs
}

/// A response with those records, once whole and once cut off; only small ones.
fn section(version: i16, bytes: &[u8]) -> Option<Input> {
    if bytes.len() > 600 {
        return None;
    }
    let partition = |bytes: &[u8]| PartitionData {
        records: Some(bytes.to_vec().into()),
        ..PartitionData::default()
    };
    let partitions = vec![partition(bytes), partition(&bytes[..bytes.len() - 3])];
    let topic = FetchableTopicResponse { partitions, ..FetchableTopicResponse::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    let mut writer = Writer::with_capacity(bytes.len() * 2);
    response.encode(&mut writer, version).ok()?;
    let front = [u8::try_from(version - 4).ok()?, 50];
    Some(("fetch_stream", [&front[..], &writer.into_bytes()].concat()))
}

fn row(name: &str) -> Option<(usize, Api)> {
    let at = ApiKey::table().iter().position(|row| row.name == name)?;
    ApiKey::table().get(at).map(|row| (at, *row))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
