//! What works on this machine, and how does one get what does not?

use serde::Serialize;
use tokio::process::Command;

use crate::artifacts::closure::Closure;
use crate::artifacts::java::JavaSearch;
use crate::artifacts::maven::Maven;
use crate::infrastructure::local::process::ProcessId;
use crate::supervisor::home::Home;
use crate::versions::{KafkaVersion, Mode, PROMISED};

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// One line per tool.
    pub checks: Vec<Check>,
    /// One line per promised version.
    pub versions: Vec<VersionReport>,
}

/// One tool.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was looked for.
    pub what: &'static str,
    /// Whether it is there and does.
    pub works: bool,
    /// What was found, or how to get it.
    pub detail: String,
}

/// One version of Kafka.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VersionReport {
    /// The release.
    pub version: KafkaVersion,
    /// Its modes, the one that is taken first.
    pub modes: Vec<Mode>,
    /// Whether its jars are here, so that it starts without Maven.
    pub fetched: bool,
    /// Whether it can be started, now or after fetching.
    pub startable: bool,
}

impl Report {
    /// Whether every promised version can be started.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.versions.iter().all(|version| version.startable)
    }
}

pub(crate) async fn examine(home: &Home, java: &JavaSearch, maven: &Maven) -> Report {
    let [newest, ..] = PROMISED;
    let found = java.find(newest, 0).await;
    let major = found.as_ref().map_or(0, |java| java.major);
    let java = match found {
        Ok(java) => Check::ok("java", format!("{} is {}", java.program.display(), java.build)),
        Err(error) => Check::missing("java", error.to_string()),
    };
    let maven = match maven.version().await {
        Some(version) => Check::ok("maven", version),
        None => Check::missing("maven", "install maven, or set MINOTAUR_MVN to a mvn program"),
    };
    let report = |version| VersionReport::of(version, home, major, &maven);
    let versions = PROMISED.into_iter().filter_map(report).collect();
    let checks = vec![java, maven.clone(), processes(), taskset().await, place(home)];
    Report { checks, versions }
}

impl VersionReport {
    fn of(version: KafkaVersion, home: &Home, major: u32, maven: &Check) -> Option<Self> {
        let era = version.era()?;
        let fetched = Closure::broker(home, version, &era).is_fetched();
        let startable = major >= era.java && (fetched || maven.works);
        Some(Self { version, modes: era.modes.to_vec(), fetched, startable })
    }
}

impl Check {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, works: true, detail: detail.into() }
    }

    fn missing(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, works: false, detail: detail.into() }
    }
}

fn processes() -> Check {
    match ProcessId::own() {
        Some(_) => Check::ok("processes", "/proc tells ids and start times"),
        None => Check::missing("processes", "no /proc: the lab runs on Linux only"),
    }
}

async fn taskset() -> Check {
    match Command::new("taskset").arg("-V").output().await {
        Ok(_) => Check::ok("taskset", "for up --core"),
        Err(_) => Check::missing("taskset", "install util-linux to use up --core"),
    }
}

fn place(home: &Home) -> Check {
    let root = home.root().display();
    match std::fs::create_dir_all(home.clusters()) {
        Ok(()) => Check::ok("home", root.to_string()),
        Err(error) => Check::missing("home", format!("{root}: {error}; set MINOTAUR_HOME")),
    }
}
