//! How does a node become a process? Its output goes to its log, it belongs to no terminal, and
//! nothing of the caller's environment reaches its Java.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::LabError;
use crate::infrastructure::local::process::ProcessId;
use crate::model::{Node, Plan};

/// Variables that would change what a JVM or Kafka does.
const FOREIGN: [&str; 8] = [
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "KAFKA_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_LOG4J_OPTS",
];

/// Starts `node` with its argument file, in the process group `group` or in one of its own.
///
/// # Errors
///
/// [`LabError::Io`], [`LabError::TasksetMissing`].
pub(crate) fn launch(
    plan: &Plan,
    node: Node,
    java: &Path,
    group: Option<i32>,
) -> Result<ProcessId, LabError> {
    let log = plan.node_log(node);
    let open = || OpenOptions::new().create(true).append(true).open(&log);
    let out = open().map_err(LabError::io("open", &log))?;
    let err = open().map_err(LabError::io("open", &log))?;
    let mut command = command(plan, java);
    command.arg(format!("@{}", plan.node_arguments(node).display()));
    command.current_dir(plan.node_directory(node));
    command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(group.unwrap_or(0));
    let spawned = command.spawn();
    // Reaped by its id, see `process`: it may outlive us.
    let child = spawned.map_err(|error| match (error.kind(), &plan.core) {
        (std::io::ErrorKind::NotFound, Some(_)) => LabError::TasksetMissing,
        _ => LabError::io("run", java)(error),
    })?;
    i32::try_from(child.id()).ok().and_then(ProcessId::of_child).ok_or_else(|| {
        LabError::NodeExited { cluster: plan.name.clone(), node, tail: String::new() }
    })
}

fn command(plan: &Plan, java: &Path) -> Command {
    let mut command = match &plan.core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core).arg(java);
            command
        }
        None => Command::new(java),
    };
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
}
