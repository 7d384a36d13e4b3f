//! What does every cluster of a version share? A Java, the jars, a formatted directory, and
//! archives of loaded classes.

use std::path::PathBuf;

use crate::artifacts::closure::class_path;
use crate::artifacts::java::Java;
use crate::model::Node;
use crate::supervisor::home::Home;
use crate::versions::{Era, KafkaVersion, Mode};

/// The oldest Java that can archive the classes of an application as it ends.
const ARCHIVES_SINCE: u32 = 13;

/// Ready to start nodes of one version in one mode.
#[derive(Clone, Debug)]
pub(crate) struct Kit {
    pub(crate) version: KafkaVersion,
    pub(crate) era: Era,
    pub(crate) java: Java,
    /// The class path, in order.
    pub(crate) jars: Vec<PathBuf>,
    place: PathBuf,
    mode: Mode,
}

/// What a JVM does about the classes it loads: reading and checking them is most of a broker's
/// start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Archives {
    /// Loads them from the archive, if there is one.
    Use,
    /// Writes the archive when it ends.
    Record,
}

impl Kit {
    pub(crate) fn new(home: &Home, version: KafkaVersion, mode: Mode, tools: Tools) -> Self {
        let Tools { era, java, jars } = tools;
        Self { version, era, java, jars, place: home.kafka(version), mode }
    }

    /// The directory that new brokers get a copy of, in KRaft mode.
    pub(crate) fn formatted(&self) -> PathBuf {
        self.place.join("formatted")
    }

    /// A scratch directory beside it.
    pub(crate) fn formatting(&self) -> PathBuf {
        self.place.join(".formatting")
    }

    /// The class archive for `node`. It fits one Java build and one class path in one order, so
    /// it lies beside the jars under the build's name; the JVM ignores one that does not fit.
    pub(crate) fn archive(&self, node: Node) -> PathBuf {
        let what = match node {
            Node::ZooKeeper => "zookeeper".to_owned(),
            Node::Broker(_) => format!("broker-{}", self.mode),
        };
        self.place.join(format!("{what}-{}.jsa", self.java.build))
    }

    /// Whether this Java can make archives.
    pub(crate) const fn can_archive(&self) -> bool {
        self.java.major >= ARCHIVES_SINCE
    }

    /// Whether the archives have been made.
    pub(crate) fn is_archived(&self) -> bool {
        let zookeeper = || self.archive(Node::ZooKeeper).is_file();
        self.archive(Node::Broker(1)).is_file() && (self.mode == Mode::KRaft || zookeeper())
    }

    pub(crate) fn class_path(&self) -> String {
        class_path(&self.jars)
    }
}

/// What was found for a [`Kit`].
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) era: Era,
    pub(crate) java: Java,
    pub(crate) jars: Vec<PathBuf>,
}
