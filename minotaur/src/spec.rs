//! What did the user ask for? Texts become checked values here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::versions::{KafkaVersion, Mode, VersionError};

/// More brokers than this on one machine are a mistake.
const MAX_NODES: u32 = 9;
/// Cluster names become directory names.
const MAX_NAME: usize = 60;
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A cluster to start.
#[derive(Clone, Debug)]
pub struct LabSpec {
    pub(crate) system: System,
    pub(crate) name: Option<String>,
    pub(crate) nodes: u32,
    pub(crate) profile: Profile,
    pub(crate) heap: Option<String>,
    pub(crate) core: Option<String>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) ready_within: Duration,
}

/// Which server: `kafka@4.4.0`, or with the mode `kafka@3.9.2/zookeeper`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct System {
    /// The release.
    pub version: KafkaVersion,
    /// KRaft where the release has it, unless asked otherwise.
    pub mode: Mode,
}

/// What the brokers' Java is tuned for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Profile {
    /// Quick to start and small: first compiler only, 256 MiB of heap, few threads.
    #[default]
    Test,
    /// As in production: full compiler, G1, 1 GiB of heap, Kafka's own thread counts.
    Bench,
    /// As `Bench`, without a collector, so that no pause of the broker's is measured as somebody
    /// else's latency: 4 GiB of heap, and the broker ends when they are used up.
    Latency,
}

impl LabSpec {
    /// One broker of `system`, ready within 60 s, tuned for tests.
    #[must_use]
    pub fn new(system: System) -> Self {
        Self {
            system,
            name: None,
            nodes: 1,
            profile: Profile::Test,
            heap: None,
            core: None,
            settings: BTreeMap::new(),
            data_dir: None,
            ready_within: READY_WITHIN,
        }
    }

    /// One broker of what `text` names, like `kafka@4.4.0`.
    ///
    /// # Errors
    ///
    /// [`SpecError`] when it names no server that the lab can start.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        Ok(Self::new(text.parse()?))
    }

    /// Names the cluster; by default `kafka-<version>`, with a number when that is taken.
    ///
    /// # Errors
    ///
    /// [`SpecError::BadName`] for anything but letters, digits, `.`, `-` and `_`.
    pub fn named(mut self, name: impl Into<String>) -> Result<Self, SpecError> {
        let name = name.into();
        if !is_name(&name) {
            return Err(SpecError::BadName { name });
        }
        self.name = Some(name);
        Ok(self)
    }

    /// How many brokers; replication factors become the smaller of this and 3.
    ///
    /// # Errors
    ///
    /// [`SpecError::BadNodes`] for 0 and for more than 9.
    pub fn nodes(mut self, nodes: u32) -> Result<Self, SpecError> {
        if nodes == 0 || nodes > MAX_NODES {
            return Err(SpecError::BadNodes { nodes });
        }
        self.nodes = nodes;
        Ok(self)
    }

    /// What the brokers' Java is tuned for.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The brokers' heap as Java writes it: `512m`, `2g`.
    ///
    /// # Errors
    ///
    /// [`SpecError::BadHeap`] for anything else.
    pub fn heap(mut self, heap: impl Into<String>) -> Result<Self, SpecError> {
        let heap = heap.into();
        if !is_heap(&heap) {
            return Err(SpecError::BadHeap { heap });
        }
        self.heap = Some(heap);
        Ok(self)
    }

    /// Runs the brokers on these processor cores only: `0`, `0-1`, `0,2`. Needs `taskset`.
    ///
    /// # Errors
    ///
    /// [`SpecError::BadCore`] for anything else.
    pub fn core(mut self, core: impl Into<String>) -> Result<Self, SpecError> {
        let core = core.into();
        let plain = core.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '-');
        if !plain || !core.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(SpecError::BadCore { core });
        }
        self.core = Some(core);
        Ok(self)
    }

    /// Sets a broker property, in place of the lab's own value if there is one.
    ///
    /// # Errors
    ///
    /// [`SpecError::BadSetting`] for an empty key, or one with blanks, `=` or `:`.
    pub fn set(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, SpecError> {
        let key = key.into();
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == '=' || c == ':') {
            return Err(SpecError::BadSetting { text: key });
        }
        self.settings.insert(key, value.into());
        Ok(self)
    }

    /// Keeps the brokers' data below `directory`, for example on a tmpfs. `down` removes only the
    /// cluster's own folder in it.
    #[must_use]
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// How long the servers may take until they answer; fetching jars does not count. 60 s.
    #[must_use]
    pub const fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }
}

impl FromStr for System {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let Some((kind, rest)) = text.split_once('@') else {
            return Err(SpecError::NoVersion { text: text.to_owned() });
        };
        if kind != "kafka" {
            return Err(SpecError::UnknownSystem { kind: kind.to_owned() });
        }
        let (version, mode) = match rest.split_once('/') {
            Some((version, mode)) => (version.parse()?, Some(mode.parse()?)),
            None => (rest.parse()?, None),
        };
        Self::of(version, mode)
    }
}

impl System {
    fn of(version: KafkaVersion, mode: Option<Mode>) -> Result<Self, SpecError> {
        let modes = version.era().map_or(&[] as &[Mode], |era| era.modes);
        let mode = match (mode, modes) {
            (None, [first, ..]) => *first,
            (Some(mode), _) if modes.contains(&mode) => mode,
            (Some(mode), _) => return Err(VersionError::NoSuchMode { version, mode }.into()),
            (None, []) => return Err(VersionError::TooOld { version }.into()),
        };
        Ok(Self { version, mode })
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn is_heap(heap: &str) -> bool {
    let Some(number) = heap.strip_suffix(['k', 'm', 'g', 'K', 'M', 'G']) else { return false };
    number.parse::<u32>().is_ok_and(|n| n > 0)
}

/// Why a wish cannot be understood.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SpecError {
    /// No `@`.
    #[error("{text:?} names no version: expected kafka@VERSION, for example kafka@4.4.0")]
    NoVersion {
        /// What was given.
        text: String,
    },
    /// Something else than Kafka.
    #[error("the lab knows no {kind:?}: expected kafka@VERSION, for example kafka@4.4.0")]
    UnknownSystem {
        /// What stood before the `@`.
        kind: String,
    },
    /// The version or the mode.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A name that cannot be a directory.
    #[error("{name:?} is no cluster name: 1 to {MAX_NAME} letters, digits, '.', '-' or '_'")]
    BadName {
        /// What was given.
        name: String,
    },
    /// Too few or too many.
    #[error("{nodes} brokers: expected 1 to {MAX_NODES}")]
    BadNodes {
        /// What was given.
        nodes: u32,
    },
    /// Not what Java takes.
    #[error("{heap:?} is no heap size: expected a number and k, m or g, for example 512m")]
    BadHeap {
        /// What was given.
        heap: String,
    },
    /// Not a list of cores.
    #[error("{core:?} is no list of cores: expected one like 0 or 0-1 or 0,2")]
    BadCore {
        /// What was given.
        core: String,
    },
    /// Not `key=value`.
    #[error("{text:?} is no setting: expected key=value, for example num.partitions=6")]
    BadSetting {
        /// What was given.
        text: String,
    },
}

#[cfg(test)]
mod tests;
