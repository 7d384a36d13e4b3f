//! Where do jars, archives and clusters lie, and who may change them now?

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::LabError;
use crate::versions::KafkaVersion;

const POLL: Duration = Duration::from_millis(20);

/// The lab's directory: never inside a repository unless asked for.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

/// Held while it lives; the system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
}

impl Home {
    /// `$MINOTAUR_HOME`, else `minotaur` in the user's cache directory.
    ///
    /// # Errors
    ///
    /// [`LabError::NoHome`] when the environment names neither.
    pub(crate) fn from_env() -> Result<Self, LabError> {
        let named = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = named("MINOTAUR_HOME")
            .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("minotaur")))
            .or_else(|| named("HOME").map(|home| home.join(".cache").join("minotaur")))
            .ok_or(LabError::NoHome)?;
        Self::at(&root)
    }

    /// This directory, which is made when needed.
    ///
    /// # Errors
    ///
    /// [`LabError::Io`] when the path cannot be made absolute.
    pub(crate) fn at(root: &Path) -> Result<Self, LabError> {
        let root = std::path::absolute(root).map_err(LabError::io("find", root))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn clusters(&self) -> PathBuf {
        self.root.join("clusters")
    }

    /// What is kept per version: jars, formatted directory, class archives.
    pub(crate) fn kafka(&self, version: KafkaVersion) -> PathBuf {
        self.root.join("kafka").join(version.to_string())
    }

    /// The jars of a version's command line tools.
    pub(crate) fn tools(&self, version: KafkaVersion) -> PathBuf {
        self.root.join("tools").join(version.to_string())
    }

    /// Waits for the lock `name`. Cancel safe: nothing is held by a dropped call.
    ///
    /// # Errors
    ///
    /// [`LabError::Io`] when the lock file cannot be made.
    pub(crate) async fn lock(&self, name: &str) -> Result<HomeLock, LabError> {
        make_directory(&self.root)?;
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(LabError::io("create", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(HomeLock { _file: file }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL).await,
                Err(TryLockError::Error(error)) => return Err(LabError::io("lock", &path)(error)),
            }
        }
    }
}

/// Makes `path` and what leads to it.
pub(crate) fn make_directory(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(LabError::io("create", path))
}

/// Writes a whole file or leaves the old one: readers never see half of it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), LabError> {
    let half = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&half, content).map_err(LabError::io("write", &half))?;
    fs::rename(&half, path).map_err(LabError::io("rename to", path))
}

/// Removes a directory and all in it; that it is not there is fine.
pub(crate) fn remove_directory(path: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The last `lines` lines of a text file, empty when it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&bytes), lines)
}

/// The last `count` lines of `text`.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).unwrap();
        let held = home.lock("x").await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(100), home.lock("x"));
        assert!(waiting.await.is_err(), "the lock was given twice");
        drop(held);
        tokio::time::timeout(Duration::from_secs(5), home.lock("x")).await.unwrap().unwrap();
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 5), "a");
        assert_eq!(last_lines("", 5), "");
    }
}
