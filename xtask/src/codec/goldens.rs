//! Goldens: the bytes that Kafka's own classes write, for every message and version of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::definition::Versions;
use super::plan::{NEWEST, OLDER, Plan};

/// Where the programs are that make Kafka's classes write.
const PROGRAMS: &str = "crates/protocol/tests/java";

/// Why no goldens could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoldensError {
    #[error("`java` did not start ({0}): install a JDK, 17 or newer")]
    NoJava(io::Error),
    #[error("{program} failed: {words}")]
    Java { program: &'static str, words: String },
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
    let program = Program { name: "MessageGoldens.java", words: wanted(|it| it.newest()) };
    program.run(root, newest, &format!("kafka-{NEWEST}.txt"))?;
    let program = Program { name: "MessageGoldens.java", words: wanted(|it| it.older) };
    program.run(root, older, &format!("kafka-{OLDER}.txt"))?;
    let program = Program { name: "GroupGoldens.java", words: Vec::new() };
    program.run(root, newest, &format!("group-{NEWEST}.txt"))
}

struct Program {
    name: &'static str,
    words: Vec<String>,
}

impl Program {
    fn run(&self, root: &Path, jar: &Path, golden: &str) -> Result<(), GoldensError> {
        let output = Command::new("java")
            .arg("-cp")
            .arg(jar)
            .arg(root.join(PROGRAMS).join(self.name))
            .args(&self.words)
            .output()
            .map_err(GoldensError::NoJava)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(GoldensError::Java { program: self.name, words });
        }
        let path = root.join("crates/protocol/tests/goldens").join(golden);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, &output.stdout))
            .map_err(|source| GoldensError::Write { path, source })
    }
}
