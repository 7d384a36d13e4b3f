//! Goldens: the bytes that Kafka's own classes write, for every message and version of ours, its
//! errors, and the versions that each promised Kafka knows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::definition::Versions;
use super::jar::{self, Artifact, JarError};
use super::plan::{NEWEST, OLDER, Plan, Planned};

/// Where the programs are that make Kafka's classes write.
const PROGRAMS: &str = "crates/protocol/tests/java";

/// Where their words are kept.
const GOLDENS: &str = "crates/protocol/tests/goldens";

/// The Kafkas whose versions must meet ours.
const RELEASES: [&str; 5] = ["0.11.0.3", "1.1.1", "2.8.2", OLDER, NEWEST];

/// What some of Kafka's classes need when they are loaded.
const SLF4J: Artifact = Artifact { group: "org.slf4j", name: "slf4j-api", version: "1.7.36" };

/// Why no goldens could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GoldensError {
    #[error("`java` did not start ({0}): install a JDK, 17 or newer")]
    NoJava(io::Error),
    #[error("{program} failed: {words}")]
    Java { program: &'static str, words: String },
    #[error("{path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Jar(#[from] JarError),
}

/// Where the workspace is, and the jars that were given.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) root: &'a Path,
    pub(crate) jars: &'a [PathBuf],
}

impl Place<'_> {
    /// Writes all goldens.
    pub(crate) fn write(self, plan: &Plan) -> Result<(), GoldensError> {
        for (kafka, messages) in [
            (NEWEST, messages(plan, Planned::newest)),
            (OLDER, messages(plan, |planned| planned.older)),
        ] {
            let text = self.run("MessageGoldens.java", kafka, &messages)?;
            self.save(&format!("kafka-{kafka}.txt"), &text)?;
        }
        let text = self.run("GroupGoldens.java", NEWEST, &[])?;
        self.save(&format!("group-{NEWEST}.txt"), &text)?;
        let text = self.run("ErrorGoldens.java", NEWEST, &[])?;
        self.save(&format!("errors-{NEWEST}.txt"), &text)?;
        let mut text = Vec::new();
        for release in RELEASES {
            text.extend(self.run("VersionGoldens.java", release, &[release.to_owned()])?);
        }
        self.save("versions.txt", &text)
    }

    /// What a program prints beside the classes of a Kafka.
    fn run(
        self,
        program: &'static str,
        kafka: &'static str,
        words: &[String],
    ) -> Result<Vec<u8>, GoldensError> {
        let jars = [jar::find(self.root, kafka, self.jars)?, jar::artifact(self.root, SLF4J)?];
        let output = Command::new("java")
            .arg("-cp")
            .arg(jars.map(|jar| jar.display().to_string()).join(":"))
            .arg(self.root.join(PROGRAMS).join(program))
            .args(words)
            .output()
            .map_err(GoldensError::NoJava)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(GoldensError::Java { program, words });
        }
        Ok(output.stdout)
    }

    fn save(self, name: &str, text: &[u8]) -> Result<(), GoldensError> {
        let folder = self.root.join(GOLDENS);
        let path = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|source| GoldensError::Write { path, source })
    }
}

/// NAME:MIN-MAX of each message that has any of the versions.
fn messages(plan: &Plan, versions: fn(&Planned) -> Versions) -> Vec<String> {
    let messages = plan.messages.iter().map(|it| (&it.definition.name, versions(it)));
    let there = messages.filter(|(_, versions)| !versions.is_empty());
    there.map(|(name, Versions { min, max })| format!("{name}:{min}-{max}")).collect()
}
