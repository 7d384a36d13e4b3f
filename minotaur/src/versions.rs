//! Table. Which Kafka versions the lab starts, and what each of them needs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The versions that are started and checked before a release, newest first.
/// Others from 0.11 on are accepted too.
pub const PROMISED: [KafkaVersion; 6] = [
    KafkaVersion([4, 4, 0, 0]),
    KafkaVersion([4, 3, 1, 0]),
    KafkaVersion([3, 9, 2, 0]),
    KafkaVersion([2, 8, 2, 0]),
    KafkaVersion([1, 1, 1, 0]),
    KafkaVersion([0, 11, 0, 3]),
];

/// A release of Apache Kafka: `4.4.0`, or with four numbers before 1.0: `0.11.0.3`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KafkaVersion([u16; 4]);

/// What keeps the cluster's metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "Kafka has had exactly these two")]
pub enum Mode {
    /// Kafka's own quorum; the brokers of a lab are controllers too.
    KRaft,
    /// A ZooKeeper node beside the brokers.
    ZooKeeper,
}

/// Which logging jars a broker must be given; none of them comes with Kafka's own POM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Logging {
    Log4j1,
    Reload4j,
    Log4j2,
}

/// What versions from `from` on need, until the next row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Era {
    from: KafkaVersion,
    /// The Scala suffix of the artefact `kafka_<suffix>`.
    pub(crate) scala: &'static str,
    pub(crate) logging: Logging,
    /// The first one is taken when none is named.
    pub(crate) modes: &'static [Mode],
    /// The oldest Java that runs it from an argument file.
    pub(crate) java: u32,
    /// These brokers look into the JDK's internals, which Java closed in 16.
    pub(crate) opens_jdk: bool,
    /// These brokers use `javax.xml.bind`, which Java dropped in 11.
    pub(crate) needs_jaxb: bool,
    /// The ZooKeeper that takes the place of the POM's: 3.4.13 to 3.5.6 never connect on Java 14
    /// and later (ZOOKEEPER-3779).
    pub(crate) zookeeper: Option<&'static str>,
}

const OLDEST: Era = Era {
    from: KafkaVersion([0, 11, 0, 0]),
    scala: "2.11",
    logging: Logging::Log4j1,
    modes: &[Mode::ZooKeeper],
    java: 11,
    opens_jdk: true,
    needs_jaxb: true,
    zookeeper: None,
};

const SINCE_1_1: Era = Era { from: KafkaVersion([1, 1, 0, 0]), needs_jaxb: false, ..OLDEST };

const SINCE_2_0: Era = Era {
    from: KafkaVersion([2, 0, 0, 0]),
    scala: "2.12",
    opens_jdk: false,
    zookeeper: Some("3.5.7"),
    ..SINCE_1_1
};

const SINCE_2_5: Era =
    Era { from: KafkaVersion([2, 5, 0, 0]), scala: "2.13", zookeeper: None, ..SINCE_2_0 };

const SINCE_2_8: Era =
    Era { from: KafkaVersion([2, 8, 0, 0]), logging: Logging::Reload4j, ..SINCE_2_5 };

const SINCE_3_3: Era =
    Era { from: KafkaVersion([3, 3, 0, 0]), modes: &[Mode::KRaft, Mode::ZooKeeper], ..SINCE_2_8 };

const SINCE_4_0: Era = Era {
    from: KafkaVersion([4, 0, 0, 0]),
    logging: Logging::Log4j2,
    modes: &[Mode::KRaft],
    java: 17,
    ..SINCE_3_3
};

/// Newest first.
const ERAS: [Era; 7] = [SINCE_4_0, SINCE_3_3, SINCE_2_8, SINCE_2_5, SINCE_2_0, SINCE_1_1, OLDEST];

impl KafkaVersion {
    /// Whether this is `major.minor.0` or later.
    #[must_use]
    pub fn is_at_least(self, major: u16, minor: u16) -> bool {
        self >= Self([major, minor, 0, 0])
    }

    /// Whether it is one of [`PROMISED`].
    #[must_use]
    pub fn is_promised(self) -> bool {
        PROMISED.contains(&self)
    }

    /// The version whose command line tools work with this one: 4.4.0 came to Maven without.
    pub(crate) fn with_tools(self) -> Self {
        if self == Self([4, 4, 0, 0]) { Self([4, 3, 1, 0]) } else { self }
    }

    /// What it needs; `None` before 0.11.
    pub(crate) fn era(self) -> Option<Era> {
        ERAS.into_iter().find(|era| era.from <= self)
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        if a == 0 { write!(f, "{a}.{b}.{c}.{d}") } else { write!(f, "{a}.{b}.{c}") }
    }
}

impl FromStr for KafkaVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::Malformed { text: text.to_owned() };
        let parts: Vec<u16> =
            text.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let version = match *parts.as_slice() {
            [a, b, c] if a > 0 => Self([a, b, c, 0]),
            [0, b, c, d] => Self([0, b, c, d]),
            _ => return Err(wrong()),
        };
        if version.era().is_none() {
            return Err(VersionError::TooOld { version });
        }
        Ok(version)
    }
}

impl TryFrom<String> for KafkaVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<KafkaVersion> for String {
    fn from(version: KafkaVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KRaft => "kraft",
            Self::ZooKeeper => "zookeeper",
        })
    }
}

impl FromStr for Mode {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "kraft" => Ok(Self::KRaft),
            "zookeeper" => Ok(Self::ZooKeeper),
            _ => Err(VersionError::UnknownMode { text: text.to_owned() }),
        }
    }
}

/// Why a text names no Kafka that the lab can start.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum VersionError {
    /// Not a version number.
    #[error("{text:?} is no Kafka version: expected one like {}", promised())]
    Malformed {
        /// What was given.
        text: String,
    },
    /// Before the oldest that the lab starts.
    #[error("Kafka {version} is older than 0.11, the oldest the lab starts; try {}", promised())]
    TooOld {
        /// What was given.
        version: KafkaVersion,
    },
    /// Neither of the two modes.
    #[error("{text:?} is no mode: expected kraft or zookeeper")]
    UnknownMode {
        /// What was given.
        text: String,
    },
    /// The version has only the other mode.
    #[error("Kafka {version} has no {mode} mode that the lab starts")]
    NoSuchMode {
        /// The version.
        version: KafkaVersion,
        /// The mode it lacks.
        mode: Mode,
    },
}

/// The promised versions as a sentence part: `4.4.0, 4.3.1, ...`.
pub(crate) fn promised() -> String {
    PROMISED.map(|version| version.to_string()).join(", ")
}

#[cfg(test)]
mod tests;
