//! Where are the jars of a version? In the cache; else Maven puts them there, once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::artifacts::maven::{Fetch, Maven};
use crate::artifacts::pom;
use crate::error::LabError;
use crate::supervisor::home::{Home, make_directory, remove_directory, write_whole};
use crate::versions::{Era, KafkaVersion};

/// All jars that one thing of one version needs.
#[derive(Clone, Debug)]
pub(crate) struct Closure {
    version: KafkaVersion,
    /// Where the jars lie, in a folder `jars`.
    place: PathBuf,
    /// Kept beside the jars: one that asks for other jars makes them stale.
    pom: String,
}

impl Closure {
    /// What a broker needs.
    pub(crate) fn broker(home: &Home, version: KafkaVersion, era: &Era) -> Self {
        Self { version, place: home.kafka(version), pom: pom::broker(version, era) }
    }

    /// What the command line tools need. Up to 2.8 they are in the broker's own jars.
    pub(crate) fn tools(home: &Home, version: KafkaVersion, era: &Era) -> Self {
        if !version.is_at_least(3, 0) {
            return Self::broker(home, version, era);
        }
        let version = version.with_tools();
        Self { version, place: home.tools(version), pom: pom::tools(version, era) }
    }

    /// Whether the jars are here already.
    pub(crate) fn is_fetched(&self) -> bool {
        fs::read_to_string(self.place.join("pom.xml")).is_ok_and(|kept| kept == self.pom)
    }

    /// The jars in the order of the class path, fetched if need be. The caller holds the
    /// version's lock.
    ///
    /// Cancel safe: half a fetch is fetched anew.
    ///
    /// # Errors
    ///
    /// As [`Maven::copy`].
    pub(crate) async fn jars(&self, maven: &Maven) -> Result<Vec<PathBuf>, LabError> {
        if !self.is_fetched() {
            self.fetch(maven).await?;
        }
        jars_in(&self.place.join("jars"))
    }

    async fn fetch(&self, maven: &Maven) -> Result<(), LabError> {
        let name = self.place.file_name().unwrap_or_default().to_string_lossy();
        let half = self.place.with_file_name(format!(".fetching-{name}"));
        remove_directory(&half)?;
        make_directory(&half)?;
        let (pom, jars) = (half.join("pom.xml"), half.join("jars"));
        write_whole(&pom, self.pom.as_bytes())?;
        let fetch = Fetch { version: self.version, pom, jars, cache: self.place.clone() };
        let fetched = maven.copy(&fetch).await;
        if fetched.is_err() {
            remove_directory(&half)?;
        }
        fetched?;
        remove_directory(&self.place)?;
        fs::rename(&half, &self.place).map_err(LabError::io("create", &self.place))
    }
}

/// Jars as Java's `-cp` takes them.
pub(crate) fn class_path(jars: &[PathBuf]) -> String {
    let paths = jars.iter().map(|jar| jar.display().to_string());
    paths.collect::<Vec<_>>().join(":")
}

fn jars_in(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    let entries = fs::read_dir(directory).map_err(LabError::io("read", directory))?;
    let mut jars: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    // A class archive fits one order only.
    jars.sort_unstable();
    Ok(jars)
}

#[cfg(test)]
mod tests;
