//! Does a text speak of the product alone? No paths of a machine, no notes without a place.

use super::source::Source;

/// This list and its tests may say what nobody else may.
const OWN: &[&str] = &["xtask/src/tidy/words.rs", "xtask/src/tidy/tests.rs"];

/// What never stands in a file, and what to do instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("/work/", "a path of one machine; write it relative to the repository"),
    ("/home/", "a path of one machine; write it relative to the repository"),
    ("/Users/", "a path of one machine; write it relative to the repository"),
    ("/root/", "a path of one machine; write it relative to the repository"),
    ("FIXME", "a note without a place; fix it or link where it is followed"),
    ("XXX:", "a note without a place; fix it or link where it is followed"),
    ("dbg!(", "left from debugging"),
];

pub(crate) fn problems(source: &Source) -> Vec<String> {
    if OWN.contains(&source.path.as_str()) || source.is_generated() {
        return Vec::new();
    }
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            complaint(line).map(|why| format!("{}:{}: {why}", source.path, at + 1))
        })
        .collect()
}

/// Why the line may not stand as it is.
fn complaint(line: &str) -> Option<String> {
    let forbidden = FORBIDDEN.iter().find(|(word, _)| line.contains(word));
    if let Some((word, why)) = forbidden {
        return Some(format!("`{word}`: {why}"));
    }
    if line.contains("TODO") && !line.contains("TODO(https://") && !line.contains("`TODO") {
        return Some("`TODO` without a link: write TODO(https://…)".to_owned());
    }
    numbered_issue(line).then(|| "an issue's number says nothing later; say the reason".to_owned())
}

/// "issue 7" or "issue #7": numbers of a tracker that readers may not have. Kafka's own
/// (KAFKA-3160, KIP-227) are fine.
fn numbered_issue(line: &str) -> bool {
    let line = line.to_lowercase();
    line.split("issue ").skip(1).any(|rest| {
        let rest = rest.strip_prefix('#').unwrap_or(rest);
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}
