//! How does Maven fetch jars, and what does it mean when it does not?

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::artifacts::pom;
use crate::error::LabError;
use crate::supervisor::home::last_lines;
use crate::versions::KafkaVersion;

const TAIL: usize = 15;

/// How Maven is called.
#[derive(Clone, Debug)]
pub(crate) struct Maven {
    program: PathBuf,
    /// Asked to stay away from the network.
    offline: bool,
}

/// One call: the closure of `pom` goes into `jars`.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) version: KafkaVersion,
    pub(crate) pom: PathBuf,
    pub(crate) jars: PathBuf,
    /// Where the jars will lie in the end.
    pub(crate) cache: PathBuf,
}

/// What Maven's output says about a failure.
#[derive(Debug, Eq, PartialEq)]
enum Failure {
    Offline { detail: String },
    NoSuchRelease,
    Other,
}

impl Maven {
    /// `$MINOTAUR_MVN`, else `mvn` on the path; with `$MINOTAUR_OFFLINE` set it is told not to use
    /// the network.
    pub(crate) fn from_env() -> Self {
        let named = |key| env::var_os(key).filter(|value| !value.is_empty());
        Self {
            program: named("MINOTAUR_MVN").map_or_else(|| PathBuf::from("mvn"), PathBuf::from),
            offline: named("MINOTAUR_OFFLINE").is_some(),
        }
    }

    /// This program.
    pub(crate) const fn at(program: PathBuf) -> Self {
        Self { program, offline: false }
    }

    /// The first line of `mvn -v`.
    pub(crate) async fn version(&self) -> Option<String> {
        let output = Command::new(&self.program)
            .args(["-B", "-v"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find(|line| line.contains("Maven")).map(plain)
    }

    /// Does what `fetch` says. Cancel safe: Maven is killed when the call is dropped.
    ///
    /// # Errors
    ///
    /// [`LabError::MavenMissing`], [`LabError::MavenOffline`], [`LabError::NoSuchRelease`],
    /// [`LabError::MavenFailed`], [`LabError::Io`].
    pub(crate) async fn copy(&self, fetch: &Fetch) -> Result<(), LabError> {
        let version = fetch.version;
        let output = match self.command(fetch).output().await {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let tried = self.program.clone();
                return Err(LabError::MavenMissing { tried, version, cache: fetch.cache.clone() });
            }
            Err(error) => return Err(LabError::io("run", &self.program)(error)),
        };
        if output.status.success() {
            return Ok(());
        }
        let said = text_of(&output);
        Err(match judge(&said) {
            Failure::Offline { detail } => {
                LabError::MavenOffline { version, cache: fetch.cache.clone(), detail }
            }
            Failure::NoSuchRelease => LabError::NoSuchRelease { version },
            Failure::Other => LabError::MavenFailed { version, tail: last_lines(&said, TAIL) },
        })
    }

    fn command(&self, fetch: &Fetch) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-B", "-q", "-f"]).arg(&fetch.pom).arg(pom::GOAL);
        command.arg("-DincludeScope=runtime");
        command.arg(format!("-DoutputDirectory={}", fetch.jars.display()));
        if self.offline {
            command.arg("-o");
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

fn text_of(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    out.lines().chain(err.lines()).map(plain).collect::<Vec<_>>().join("\n")
}

/// A line without the colours that some Mavens print even into pipes.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}

/// Words by which Maven 3 tells that it reached no repository.
const OFFLINE: [&str; 7] = [
    "offline mode",
    "Unknown host",
    "Temporary failure in name resolution",
    "Connection refused",
    "Connect timed out",
    "Network is unreachable",
    "Could not transfer",
];

fn judge(said: &str) -> Failure {
    let offline = |line: &&str| OFFLINE.iter().any(|words| line.contains(words));
    if let Some(line) = said.lines().find(offline) {
        return Failure::Offline { detail: line.trim_start_matches("[ERROR] ").to_owned() };
    }
    let missing = |line: &str| {
        (line.contains("Could not find artifact") || line.contains("was not found in"))
            && line.contains("org.apache.kafka:kafka_")
    };
    if said.lines().any(missing) { Failure::NoSuchRelease } else { Failure::Other }
}
