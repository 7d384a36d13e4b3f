//! Goldens: the bytes that Kafka's own classes write, for every message and version of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::definition::Versions;
use super::plan::{NEWEST, OLDER, Plan};

/// The program that fills and writes Kafka's classes.
const PROGRAM: &str = "crates/protocol/tests/java/MessageGoldens.java";

/// Why no goldens could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoldensError {
    #[error("`java` did not start ({0}): install a JDK, 17 or newer")]
    NoJava(io::Error),
    #[error("{PROGRAM} failed: {words}")]
    Java { words: String },
    #[error("{path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Writes one file per Kafka.
pub(crate) fn write(
    root: &Path,
    plan: &Plan,
    newest: &Path,
    older: &Path,
) -> Result<(), GoldensError> {
    let wanted = |versions: fn(&super::plan::Planned) -> Versions| {
        let messages = plan.messages.iter().map(move |it| (&it.definition.name, versions(it)));
        let there = messages.filter(|(_, versions)| !versions.is_empty());
        there.map(|(name, it)| format!("{name}:{}-{}", it.min, it.max)).collect::<Vec<_>>()
    };
    run(root, NEWEST, newest, &wanted(|it| it.newest()))?;
    run(root, OLDER, older, &wanted(|it| it.older))
}

fn run(root: &Path, kafka: &str, jar: &Path, messages: &[String]) -> Result<(), GoldensError> {
    let output = Command::new("java")
        .arg("-cp")
        .arg(jar)
        .arg(root.join(PROGRAM))
        .args(messages)
        .output()
        .map_err(GoldensError::NoJava)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(GoldensError::Java { words });
    }
    let path = root.join(format!("crates/protocol/tests/goldens/kafka-{kafka}.txt"));
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, &output.stdout))
        .map_err(|source| GoldensError::Write { path, source })
}
