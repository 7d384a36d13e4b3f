//! The first corpora: the bytes that Kafka's classes wrote, as inputs of `request`, `response` and
//! `group`, and frames of all lengths for `frames`.

use std::path::Path;
use std::{fs, io};

use forebay_protocol::api::{Api, ApiKey};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let goldens = root.join("../crates/protocol/tests/goldens");
    let mut number = 0;
    for entry in fs::read_dir(goldens)? {
        for line in fs::read_to_string(entry?.path())?.lines() {
            number += 1;
            if let Some((target, input)) = input(line) {
                let folder = root.join("corpus").join(target);
                fs::create_dir_all(&folder)?;
                fs::write(folder.join(format!("seed-{number:05}")), input)?;
            }
        }
    }
    let folder = root.join("corpus/frames");
    fs::create_dir_all(&folder)?;
    for step in [0, 2, 255] {
        let stream = b"\0\0\0\x03one\0\0\0\0\0\0\0\x05three\0\0\x01\0rest";
        fs::write(folder.join(format!("seed-{step}")), [&[step], &stream[..]].concat())?;
    }
    Ok(())
}

/// NAME VERSION [VARIANT] HEX.
fn input(line: &str) -> Option<(&'static str, Vec<u8>)> {
    let words: Vec<&str> = line.split(' ').collect();
    let (name, version, bytes) = (words.first()?, words.get(1)?, hex(words.last()?)?);
    let version: i16 = version.parse().ok()?;
    if name.starts_with(char::is_lowercase) {
        return Some(("group", bytes));
    }
    if let Some(api) = name.strip_suffix("Request").and_then(row) {
        let mut input = api.1.key.code().to_be_bytes().to_vec();
        input.extend(version.to_be_bytes());
        input.extend(b"\0\0\0\x07\0\x02me");
        input.extend((version >= api.1.flexible_from).then_some(0));
        return Some(("request", [input, bytes].concat()));
    }
    let (row, api) = name.strip_suffix("Response").and_then(row)?;
    let mut input = vec![u8::try_from(row).ok()?, u8::try_from(version).ok()?, 0, 0, 0, 7];
    let is_flexible = version >= api.flexible_from && api.key != ApiKey::ApiVersions;
    input.extend(is_flexible.then_some(0));
    Some(("response", [input, bytes].concat()))
}

fn row(name: &str) -> Option<(usize, Api)> {
    let at = ApiKey::table().iter().position(|row| row.name == name)?;
    ApiKey::table().get(at).map(|row| (at, *row))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
