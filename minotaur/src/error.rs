//! What can go wrong in the lab, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::model::Node;
use crate::versions::{KafkaVersion, promised};

/// Why the lab could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    /// No `java` program.
    #[error(
        "Java is missing (looked for {tried}); install a JDK {needed} or later \
         (Debian and Ubuntu: apt-get install openjdk-{needed}-jre-headless) \
         or set MINOTAUR_JAVA to a java program"
    )]
    JavaMissing {
        /// Where it was looked for.
        tried: String,
        /// The lowest major version that would do.
        needed: u32,
    },
    /// A program that is no Java we understand.
    #[error("{program} does not work as Java: {detail}; set MINOTAUR_JAVA to a java program")]
    JavaUnusable {
        /// What was run.
        program: PathBuf,
        /// What it said.
        detail: String,
    },
    /// Java too old for this Kafka.
    #[error(
        "Kafka {version} needs Java {needed} or later, but {program} is Java {found}; \
         set MINOTAUR_JAVA to a newer java program"
    )]
    JavaTooOld {
        /// The Kafka to start.
        version: KafkaVersion,
        /// The lowest major version that would do.
        needed: u32,
        /// The major version found.
        found: u32,
        /// Where it was found.
        program: PathBuf,
    },
    /// No `mvn` program, and the jars are not in the cache.
    #[error(
        "Maven is missing (looked for {tried}), and the jars of Kafka {version} are not in {cache}; \
         install it (Debian and Ubuntu: apt-get install maven) or set MINOTAUR_MVN to a mvn program"
    )]
    MavenMissing {
        /// Where it was looked for.
        tried: PathBuf,
        /// The Kafka whose jars are wanted.
        version: KafkaVersion,
        /// Where the jars would lie.
        cache: PathBuf,
    },
    /// Maven reached no repository.
    #[error(
        "Maven cannot reach a repository, and the jars of Kafka {version} are not in {cache}; \
         run `minotaur fetch kafka@{version}` once while online, \
         or name a mirror in Maven's settings.xml. Maven said: {detail}"
    )]
    MavenOffline {
        /// The Kafka whose jars are wanted.
        version: KafkaVersion,
        /// Where the jars would lie.
        cache: PathBuf,
        /// The line of Maven's output that tells.
        detail: String,
    },
    /// Maven was online but has no such Kafka.
    #[error("Maven has no Kafka {version}; versions checked with this lab: {}", promised())]
    NoSuchRelease {
        /// What was asked for.
        version: KafkaVersion,
    },
    /// Maven failed in another way.
    #[error("Maven could not fetch Kafka {version}; its last lines:\n{tail}")]
    MavenFailed {
        /// The Kafka whose jars are wanted.
        version: KafkaVersion,
        /// The end of Maven's output.
        tail: String,
    },
    /// `taskset` is needed for a core and is not there.
    #[error(
        "`taskset` is missing, which --core needs (Debian and Ubuntu: apt-get install util-linux)"
    )]
    TasksetMissing,
    /// Preparing the data directory of a KRaft broker failed.
    #[error("Kafka {version} could not format a data directory; its last lines:\n{tail}")]
    FormatFailed {
        /// The Kafka that was asked to.
        version: KafkaVersion,
        /// The end of its output.
        tail: String,
    },
    /// Another program has taken the node's port meanwhile.
    #[error("port {port} of node {node} was taken by another program; try again")]
    PortTaken {
        /// The node that wanted it.
        node: Node,
        /// The port.
        port: u16,
    },
    /// No port could be bound.
    #[error("found no {needed} free TCP ports between {first} and {last} on 127.0.0.1")]
    NoFreePort {
        /// How many are needed.
        needed: usize,
        /// Start of the range.
        first: u16,
        /// End of the range.
        last: u16,
    },
    /// A server ended instead of becoming ready.
    #[error("node {node} of {cluster} ended while starting; its last lines:\n{tail}")]
    NodeExited {
        /// Its cluster.
        cluster: String,
        /// Which one.
        node: Node,
        /// The end of its log.
        tail: String,
    },
    /// A server runs but did not answer as expected in time.
    #[error(
        "node {node} of {cluster} was not ready within {waited:.1?}: {last}; its last lines:\n{tail}"
    )]
    NotReady {
        /// Its cluster.
        cluster: String,
        /// The first node that was not ready.
        node: Node,
        /// The limit.
        waited: Duration,
        /// What the last check found.
        last: String,
        /// The end of its log.
        tail: String,
    },
    /// A server would not end.
    #[error("node {node} of {cluster} did not end within {waited:.1?}; `minotaur kill` ends it")]
    NotStopped {
        /// Its cluster.
        cluster: String,
        /// Which one.
        node: Node,
        /// The limit.
        waited: Duration,
    },
    /// The name is in use.
    #[error("a cluster named {name} exists; `minotaur down {name}` removes it")]
    ClusterExists {
        /// The name.
        name: String,
    },
    /// Another lab's data lies where this cluster's would.
    #[error("{path} exists; remove it, or take another --data-dir or --name")]
    DataExists {
        /// The directory.
        path: PathBuf,
    },
    /// No cluster has the name.
    #[error("there is no cluster named {name}; clusters: {known}")]
    ClusterUnknown {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The cluster has no such node.
    #[error("{cluster} has no node {node}; nodes: {known}")]
    NodeUnknown {
        /// The cluster.
        cluster: String,
        /// What was asked for.
        node: Node,
        /// The nodes there are.
        known: String,
    },
    /// The node is not in the state that the action needs.
    #[error("node {node} of {cluster} is {found}, expected {expected}")]
    NodeState {
        /// The cluster.
        cluster: String,
        /// The node.
        node: Node,
        /// Its state.
        found: &'static str,
        /// The state the action needs.
        expected: &'static str,
    },
    /// There is no process with that id to watch.
    #[error("there is no process {pid} to tie the cluster to")]
    NoSuchProcess {
        /// The process id given.
        pid: i32,
    },
    /// No directory to work in.
    #[error("no home directory is known; set MINOTAUR_HOME to a directory for jars and clusters")]
    NoHome,
    /// A file or program could not be used.
    #[error("could not {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of ours holds something else than what we wrote.
    #[error("{path} is damaged: {source}; remove its directory")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        source: serde_json::Error,
    },
}

impl LabError {
    /// Whether the machine lacks what real Kafka needs: Java, Maven or its repository. Nothing is
    /// wrong with the lab or with Kafka then.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::JavaMissing { .. }
                | Self::JavaTooOld { .. }
                | Self::MavenMissing { .. }
                | Self::MavenOffline { .. }
        )
    }

    /// For `map_err`: the same words for every file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
