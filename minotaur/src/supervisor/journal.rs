//! Which clusters exist, who owns them, and which processes are their nodes?
//!
//! ```text
//!   clusters/<name>/cluster.json    the plan, the Java, the owner: there before anything runs
//!   clusters/<name>/<node>/process  id and start time of the node's last process
//!   clusters/.<...>                 being made, or being removed
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::infrastructure::local::process::{ProcessId, find_by_argument};
use crate::model::{Node, Plan};
use crate::supervisor::home::{Home, make_directory, remove_directory, write_whole};

const ENTRY: &str = "cluster.json";

/// One cluster on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) plan: Plan,
    /// The program that runs its nodes.
    pub(crate) java: PathBuf,
    /// When this process is gone the cluster is left over. `None`: it stays until `down`.
    pub(crate) owner: Option<ProcessId>,
}

impl Entry {
    /// Writes the cluster down under a name that nobody has.
    ///
    /// # Errors
    ///
    /// [`LabError::ClusterExists`], [`LabError::Io`].
    pub(crate) fn create(&self, home: &Home) -> Result<(), LabError> {
        let name = &self.plan.name;
        let making = home.clusters().join(format!(".making-{name}-{}", std::process::id()));
        make_directory(&making)?;
        self.write(&making)?;
        let directory = &self.plan.directory;
        // A directory never takes the place of one that has something in it.
        fs::rename(&making, directory).map_err(|error| {
            remove_directory(&making).ok();
            let taken = [io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::AlreadyExists];
            if taken.contains(&error.kind()) {
                return LabError::ClusterExists { name: name.clone() };
            }
            LabError::io("create", directory)(error)
        })
    }

    /// Changes who the cluster lives for.
    ///
    /// # Errors
    ///
    /// [`LabError::Io`].
    pub(crate) fn set_owner(&mut self, owner: Option<ProcessId>) -> Result<(), LabError> {
        self.owner = owner;
        self.write(&self.plan.directory)
    }

    /// Whether it belongs to a process that is gone.
    pub(crate) fn is_left_over(&self) -> bool {
        self.owner.is_some_and(|owner| !owner.is_alive())
    }

    fn write(&self, directory: &Path) -> Result<(), LabError> {
        let path = directory.join(ENTRY);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| LabError::Damaged { path: path.clone(), source })?;
        write_whole(&path, &text)
    }
}

/// All clusters, by name.
///
/// # Errors
///
/// [`LabError::Damaged`] for an entry that cannot be read.
pub(crate) fn list(home: &Home) -> Result<Vec<Entry>, LabError> {
    let mut entries = Vec::new();
    for name in names(home) {
        entries.extend(load(home, &name)?);
    }
    Ok(entries)
}

/// The cluster of that name, if there is one.
///
/// # Errors
///
/// [`LabError::Damaged`] for an entry that cannot be read.
pub(crate) fn load(home: &Home, name: &str) -> Result<Option<Entry>, LabError> {
    let path = home.clusters().join(name).join(ENTRY);
    match fs::read(&path) {
        Ok(text) => {
            let damaged = |source| LabError::Damaged { path, source };
            serde_json::from_slice(&text).map(Some).map_err(damaged)
        }
        // Gone since it was listed, or never there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LabError::io("read", &path)(error)),
    }
}

/// Names of all clusters, sorted.
pub(crate) fn names(home: &Home) -> Vec<String> {
    let mut names = directories(home);
    names.retain(|name| !name.starts_with('.'));
    names
}

/// Directories of clusters that were being made or removed when the process with the number at
/// the end of their name ended.
pub(crate) fn unfinished(home: &Home) -> Vec<PathBuf> {
    let is_abandoned = |name: &String| {
        let pid = name.rsplit('-').next().and_then(|pid| pid.parse().ok());
        name.starts_with('.') && pid.is_none_or(|pid| ProcessId::of(pid).is_none())
    };
    let names = directories(home).into_iter();
    names.filter(is_abandoned).map(|name| home.clusters().join(name)).collect()
}

/// All ports that clusters of this home have, running or not.
pub(crate) fn claimed_ports(entries: &[Entry]) -> BTreeSet<u16> {
    entries.iter().flat_map(|entry| entry.plan.ports()).collect()
}

/// Notes which process a node is.
///
/// # Errors
///
/// [`LabError::Io`].
pub(crate) fn note_process(plan: &Plan, node: Node, process: ProcessId) -> Result<(), LabError> {
    let path = process_file(plan, node);
    let text = serde_json::to_vec(&process)
        .map_err(|source| LabError::Damaged { path: path.clone(), source })?;
    write_whole(&path, &text)
}

/// The node's living process.
pub(crate) fn process_of(plan: &Plan, node: Node) -> Option<ProcessId> {
    let text = fs::read(process_file(plan, node)).ok()?;
    serde_json::from_slice(&text).ok().filter(|process: &ProcessId| process.is_alive())
}

/// Every living process of a node: the noted one, and those that were started but not noted
/// because their starter died in between.
pub(crate) fn processes_of(plan: &Plan, node: Node) -> Vec<ProcessId> {
    let noted = process_of(plan, node);
    let mut processes = find_by_argument(&plan.node_arguments(node));
    processes.retain(|process| Some(*process) != noted);
    processes.extend(noted);
    processes
}

fn process_file(plan: &Plan, node: Node) -> PathBuf {
    plan.node_directory(node).join("process")
}

fn directories(home: &Home) -> Vec<String> {
    let Ok(entries) = fs::read_dir(home.clusters()) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
