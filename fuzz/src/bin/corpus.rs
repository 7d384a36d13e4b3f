//! Corpora as one file per target: `corpus unpack TARGET` writes the inputs for a run,
//! `corpus pack TARGET` reads back what the run found worth keeping.
//!
//! A packed corpus is a row of inputs, each behind its length in four bytes, shortest first.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["unpack", target] => unpack(target),
        ["pack", target] => pack(target),
        _ => Err(io::Error::other("use: corpus unpack|pack TARGET")),
    }
}

fn packed(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpora/{target}.bin"))
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/{target}"))
}

fn unpack(target: &str) -> io::Result<()> {
    let inputs = split(&fs::read(packed(target))?)?;
    fs::create_dir_all(folder(target))?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(folder(target).join(format!("packed-{number:05}")), input)?;
    }
    println!("{} inputs", inputs.len());
    Ok(())
}

fn split(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    while let Some((len, after)) = bytes.split_first_chunk() {
        let len = u32::from_be_bytes(*len) as usize;
        let (input, after) = after.split_at_checked(len).ok_or(io::ErrorKind::UnexpectedEof)?;
        inputs.push(input.to_vec());
        bytes = after;
    }
    Ok(inputs)
}

fn pack(target: &str) -> io::Result<()> {
    let entries = fs::read_dir(folder(target))?.map(|entry| fs::read(entry?.path()));
    let mut inputs = entries.collect::<io::Result<Vec<_>>>()?;
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    let bytes = joined(&inputs)?;
    println!("{} inputs, {} bytes", inputs.len(), bytes.len());
    fs::write(packed(target), &bytes)
}

fn joined(inputs: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for input in inputs {
        let len = u32::try_from(input.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(input);
    }
    Ok(bytes)
}
