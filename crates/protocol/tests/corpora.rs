//! The corpora of the fuzz targets, run over once on the stable compiler.

use std::fs;
use std::path::Path;

#[cfg(test)]
#[allow(unreachable_pub, reason = "public in the crate of the fuzz targets, which owns the file")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

/// Runs every input of a packed corpus: a row of inputs, each behind its length in four bytes.
#[cfg(test)]
fn replay(target: &str, check: fn(&[u8])) {
    replay_with(target, check, 0);
}

/// As `replay`, for targets that may take `more` bytes whatever the input.
#[cfg(test)]
fn replay_with(target: &str, check: fn(&[u8]), more: u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bytes = fs::read(root.join(format!("../../fuzz/corpora/{target}.bin"))).unwrap();
    let (mut rest, mut inputs) = (bytes.as_slice(), 0);
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap();
        let (input, after) = after.split_at(len);
        let asked = allocation_counter::measure(|| check(input));
        // Checks read twice, write, and print.
        let most = more + 4 * (64 * input.len() as u64 + 64 * 1024);
        assert!(asked.bytes_max <= most, "{target}: {asked:?} for {input:?}");
        inputs += 1;
        rest = after;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn frames_hold_on_their_corpus() {
    replay("frames", targets::frames::check);
}

#[test]
fn requests_hold_on_their_corpus() {
    replay("request", targets::request::check);
}

#[test]
fn responses_hold_on_their_corpus() {
    replay("response", targets::response::check);
}

#[test]
fn groups_hold_on_their_corpus() {
    replay("group", targets::group::check);
}

#[test]
fn fetch_streams_hold_on_their_corpus() {
    replay("fetch_stream", targets::fetch_stream::check);
}

/// Contexts of codecs, and what is unpacked up to the limit of the target, three times.
#[cfg(test)]
const CODECS: u64 = 4 << 20;

#[test]
fn records_hold_on_their_corpus() {
    replay_with("records", targets::records::check, CODECS);
}

#[test]
fn old_messages_hold_on_their_corpus() {
    replay_with("legacy", targets::legacy::check, CODECS);
}

#[test]
fn codecs_hold_on_their_corpus() {
    replay_with("codecs", targets::codecs::check, CODECS);
}
