//! What is left over, and how does it go away for good?

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::error::LabError;
use crate::infrastructure::local::process::ProcessId;
use crate::model::Plan;
use crate::supervisor::home::{Home, remove_directory};
use crate::supervisor::journal::{self, Entry};

/// A killed process is gone in milliseconds unless the machine is in trouble.
const KILL_WITHIN: Duration = Duration::from_secs(10);

/// Removes every cluster whose owner is gone. Gives their names.
///
/// # Errors
///
/// [`LabError::Io`], [`LabError::Damaged`].
pub(crate) fn sweep(home: &Home) -> Result<Vec<String>, LabError> {
    for directory in journal::unfinished(home) {
        remove_directory(&directory)?;
    }
    let mut removed = Vec::new();
    for listed in journal::list(home)? {
        if let Some(entry) = still_left_over(home, &listed)? {
            destroy(home, &entry.plan)?;
            removed.push(entry.plan.name);
        }
    }
    Ok(removed)
}

/// The cluster as it stands now, when its owner is gone. An owner may have handed it on after it
/// was listed and have ended since: only what is read after its end is its last word.
fn still_left_over(home: &Home, listed: &Entry) -> Result<Option<Entry>, LabError> {
    if !listed.is_left_over() {
        return Ok(None);
    }
    Ok(journal::load(home, &listed.plan.name)?.filter(Entry::is_left_over))
}

/// Kills the cluster's processes and removes its files. Nothing is asked to end in good order:
/// what it would save is removed anyway.
///
/// # Errors
///
/// [`LabError::NotStopped`], [`LabError::Io`].
pub(crate) fn destroy(home: &Home, plan: &Plan) -> Result<(), LabError> {
    kill_all(plan)?;
    remove_directory(&plan.data)?;
    // Out of the way first: half a removed cluster must not look like a cluster.
    let removing = format!(".removing-{}-{}", plan.name, std::process::id());
    let removing = home.clusters().join(removing);
    match fs::rename(&plan.directory, &removing) {
        Ok(()) => remove_directory(&removing),
        // Another command was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(LabError::io("remove", &plan.directory)(error)),
    }
}

fn kill_all(plan: &Plan) -> Result<(), LabError> {
    let mut killed = Vec::new();
    for node in plan.nodes().into_iter().rev() {
        for process in journal::processes_of(plan, node) {
            process.signal(Signal::KILL);
            killed.push((node, process));
        }
    }
    let stays = |process: &ProcessId| !process.wait_gone_blocking(KILL_WITHIN);
    match killed.into_iter().find(|(_, process)| stays(process)) {
        None => Ok(()),
        Some((node, _)) => {
            Err(LabError::NotStopped { cluster: plan.name.clone(), node, waited: KILL_WITHIN })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::model::Node;
    use crate::spec::LabSpec;
    use crate::supervisor::home::make_directory;

    /// A process that looks like a node: its argument file stands on its command line.
    #[expect(clippy::zombie_processes, reason = "reaped by its id")]
    fn impostor(plan: &Plan) -> ProcessId {
        let argument = format!("@{}", plan.node_arguments(Node::Broker(1)).display());
        let child = Command::new("sh")
            .args(["-c", "sleep 60; :", "sh", &argument])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        // The system shows the arguments a moment after the program has begun.
        let shown = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            journal::processes_of(plan, Node::Broker(1)).contains(&id)
        });
        assert!(shown);
        id
    }

    fn entry(home: &Home, name: &str, owner: Option<ProcessId>) -> Entry {
        let spec = LabSpec::parse("kafka@4.4.0").unwrap();
        let plan = Plan::new(&spec, name, &home.clusters(), &[20_001, 20_002]).unwrap();
        let entry = Entry { plan, java: "java".into(), owner };
        entry.create(home).unwrap();
        make_directory(&entry.plan.node_directory(Node::Broker(1))).unwrap();
        entry
    }

    fn dead() -> Option<ProcessId> {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        id
    }

    #[test]
    fn only_clusters_of_dead_owners_are_swept() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).unwrap();
        let left_over = entry(&home, "left-over", dead());
        let owned = entry(&home, "owned", ProcessId::own());
        let free = entry(&home, "free", None);
        let node = impostor(&left_over.plan);
        let others = [impostor(&owned.plan), impostor(&free.plan)];
        journal::note_process(&left_over.plan, Node::Broker(1), node).unwrap();

        assert_eq!(sweep(&home).unwrap(), ["left-over"]);

        assert!(!node.is_alive());
        assert!(others.iter().all(|process| process.is_alive()));
        assert_eq!(journal::names(&home), ["free", "owned"]);
        for entry in [owned, free] {
            destroy(&home, &entry.plan).unwrap();
        }
        assert!(others.iter().all(|process| !process.is_alive()));
        assert_eq!(fs::read_dir(home.clusters()).unwrap().count(), 0);
    }

    #[test]
    fn a_cluster_handed_on_while_others_look_is_nobodys_to_sweep() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).unwrap();
        let listed = entry(&home, "handed-on", dead());
        listed.clone().set_owner(ProcessId::own()).unwrap();
        assert!(still_left_over(&home, &listed).unwrap().is_none());
        assert_eq!(sweep(&home).unwrap(), [""; 0]);
    }

    #[test]
    fn a_node_that_was_started_but_never_noted_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).unwrap();
        let left_over = entry(&home, "a", dead());
        let node = impostor(&left_over.plan);
        sweep(&home).unwrap();
        assert!(!node.is_alive());
    }

    #[test]
    fn data_kept_elsewhere_goes_too_and_its_directory_stays() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path()).unwrap();
        let spec = LabSpec::parse("kafka@4.4.0").unwrap().data_dir(elsewhere.path());
        let plan = Plan::new(&spec, "a", &home.clusters(), &[20_001, 20_002]).unwrap();
        let entry = Entry { plan, java: "java".into(), owner: None };
        entry.create(&home).unwrap();
        make_directory(&entry.plan.node_data(Node::Broker(1))).unwrap();
        destroy(&home, &entry.plan).unwrap();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
