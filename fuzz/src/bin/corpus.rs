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
    let bytes = fs::read(packed(target))?;
    let folder = folder(target);
    fs::create_dir_all(&folder)?;
    let mut rest = bytes.as_slice();
    let mut number = 0;
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = u32::from_be_bytes(*len) as usize;
        let (input, after) = after.split_at_checked(len).ok_or(io::ErrorKind::UnexpectedEof)?;
        fs::write(folder.join(format!("packed-{number:05}")), input)?;
        number += 1;
        rest = after;
    }
    println!("{number} inputs");
    Ok(())
}

fn pack(target: &str) -> io::Result<()> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder(target))? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    let mut bytes = Vec::new();
    for input in &inputs {
        let len = u32::try_from(input.len()).map_err(io::Error::other)?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(input);
    }
    fs::write(packed(target), &bytes)?;
    println!("{} inputs, {} bytes", inputs.len(), bytes.len());
    Ok(())
}
