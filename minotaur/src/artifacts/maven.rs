//! Where are the jars of a version? In the cache; else Maven puts them there, once.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::artifacts::pom;
use crate::error::LabError;
use crate::supervisor::home::{Home, last_lines, make_directory, remove_directory, write_whole};
use crate::versions::{Era, KafkaVersion};

const TAIL: usize = 15;

/// How Maven is called.
#[derive(Clone, Debug)]
pub(crate) struct Maven {
    program: PathBuf,
    /// Asked to stay away from the network.
    offline: bool,
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

    /// Puts the closure of `pom` into `directory`.
    async fn copy(&self, version: KafkaVersion, fetch: &Fetch) -> Result<(), LabError> {
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

/// Files of one call.
struct Fetch {
    pom: PathBuf,
    jars: PathBuf,
    /// Where the jars will lie in the end.
    cache: PathBuf,
}

/// The jars of `version` in the order of the class path. The caller holds the version's lock.
///
/// Cancel safe: Maven is killed, and half a fetch is fetched anew.
///
/// # Errors
///
/// [`LabError::MavenMissing`], [`LabError::MavenOffline`], [`LabError::NoSuchRelease`],
/// [`LabError::MavenFailed`], [`LabError::Io`].
pub(crate) async fn closure(
    home: &Home,
    maven: &Maven,
    version: KafkaVersion,
    era: &Era,
) -> Result<Vec<PathBuf>, LabError> {
    let place = home.kafka(version);
    let wanted = pom::broker(version, era);
    if !is_cached(&place, &wanted) {
        let half = home.fetching(version);
        remove_directory(&half)?;
        make_directory(&half)?;
        write_whole(&half.join("pom.xml"), wanted.as_bytes())?;
        let fetch = Fetch { pom: half.join("pom.xml"), jars: half.join("jars"), cache: place };
        let fetched = maven.copy(version, &fetch).await;
        if fetched.is_err() {
            remove_directory(&half)?;
        }
        fetched?;
        remove_directory(&fetch.cache)?;
        fs::rename(&half, &fetch.cache).map_err(LabError::io("create", &fetch.cache))?;
    }
    jars_in(&home.kafka(version).join("jars"))
}

/// Whether the jars of `version` are here already.
pub(crate) fn is_fetched(home: &Home, version: KafkaVersion, era: &Era) -> bool {
    is_cached(&home.kafka(version), &pom::broker(version, era))
}

/// The POM is kept beside the jars: one that asks for other jars makes them stale.
fn is_cached(place: &Path, wanted: &str) -> bool {
    fs::read_to_string(place.join("pom.xml")).is_ok_and(|kept| kept == wanted)
}

fn jars_in(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let entries = fs::read_dir(directory).map_err(LabError::io("read", directory))?;
    let mut jars: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    // A class archive fits one order only.
    jars.sort_unstable();
    Ok(jars)
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

#[cfg(test)]
mod tests;
