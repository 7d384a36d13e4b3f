//! What does a KRaft broker find in its data directory at its first start? Formatting takes a
//! JVM, so it is done once per version; each broker gets a copy with ids of its own.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::error::LabError;
use crate::labs::kafka::config;
use crate::labs::kafka::jvm;
use crate::labs::kafka::kit::Kit;
use crate::labs::kafka::logging;
use crate::labs::kafka::properties::Properties;
use crate::model::{Node, Plan};
use crate::spec::{LabSpec, System};
use crate::supervisor::home::{last_lines, make_directory, remove_directory, write_whole};
use crate::versions::Mode;

const TOOL: &str = "kafka.tools.StorageTool";
const META: &str = "meta.properties";
const TAIL: usize = 20;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes the formatted directory of a version unless it is there. The caller holds the version's
/// lock. Cancel safe: half a format is made anew.
///
/// # Errors
///
/// [`LabError::FormatFailed`], [`LabError::Io`].
pub(crate) async fn format(kit: &Kit) -> Result<(), LabError> {
    if kit.formatted().join(META).is_file() {
        return Ok(());
    }
    let scratch = kit.formatting();
    remove_directory(&scratch)?;
    let spec = LabSpec::new(System { version: kit.version, mode: Mode::KRaft });
    // The ports do not matter: nothing of them is stored.
    let Some(plan) = Plan::new(&spec, "plan", &scratch, &[1, 2]) else { return Ok(()) };
    run_tool(kit, &plan).await?;
    let formatted = kit.formatted();
    remove_directory(&formatted)?;
    fs::rename(plan.node_data(Node::Broker(1)), &formatted)
        .map_err(LabError::io("create", &formatted))?;
    remove_directory(&scratch)
}

async fn run_tool(kit: &Kit, plan: &Plan) -> Result<(), LabError> {
    let Some(broker) = plan.broker(1) else { return Ok(()) };
    make_directory(&plan.directory)?;
    let properties = plan.directory.join("server.properties");
    write_whole(&properties, config::broker(plan, broker).to_string().as_bytes())?;
    let logging = logging::tool(plan.version, &plan.directory);
    write_whole(&logging.file, logging.content.as_bytes())?;
    let properties = properties.display().to_string();
    let command = [TOOL, "format", "-t", &uuid(), "-c", &properties].map(str::to_owned);
    let arguments = plan.directory.join("java.args");
    write_whole(&arguments, jvm::tool(kit, logging.option, command.to_vec()).as_bytes())?;
    let output = Command::new(&kit.java.program)
        .arg(format!("@{}", arguments.display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(LabError::io("run", &kit.java.program))?;
    if output.status.success() {
        return Ok(());
    }
    let out = String::from_utf8_lossy(&output.stdout);
    let said = format!("{out}\n{}", String::from_utf8_lossy(&output.stderr));
    Err(LabError::FormatFailed { version: kit.version, tail: last_lines(said.trim(), TAIL) })
}

/// Gives each broker of `plan` a formatted directory of one new cluster.
///
/// # Errors
///
/// [`LabError::Io`].
pub(crate) fn clone_for(plan: &Plan, kit: &Kit) -> Result<(), LabError> {
    let template = kit.formatted();
    let meta = template.join(META);
    let meta = fs::read_to_string(&meta).map_err(LabError::io("read", &meta))?;
    let cluster = uuid();
    for broker in &plan.brokers {
        let data = plan.node_data(Node::Broker(broker.id));
        copy_tree(&template, &data)?;
        write_whole(&data.join(META), identity(&meta, &cluster, broker.id).as_bytes())?;
    }
    Ok(())
}

/// `meta.properties` with ids of its own; the lines follow the template's version.
fn identity(template: &str, cluster: &str, node: u32) -> String {
    let mut properties = Properties::default();
    let entries = template.lines().filter(|line| !line.starts_with('#'));
    for (key, value) in entries.filter_map(|line| line.split_once('=')) {
        match key {
            "cluster.id" => properties.set(key, cluster),
            "node.id" => properties.set(key, node),
            "directory.id" => properties.set(key, uuid()),
            _ => properties.set(key, value),
        };
    }
    properties.to_string()
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), LabError> {
    make_directory(to)?;
    let entries = fs::read_dir(from).map_err(LabError::io("read", from))?;
    for entry in entries {
        let entry = entry.map_err(LabError::io("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(LabError::io("copy", &source))?;
        }
    }
    Ok(())
}

/// A random id as Kafka writes it: 16 bytes in 22 letters, the first one never a dash, which
/// command lines would take for an option.
fn uuid() -> String {
    loop {
        let bits = fastrand::u128(..);
        // 22 letters hold 132 bits: the last one has four zero bits at its end.
        let letter = |at: u32| {
            let shift = 128_u32.saturating_sub(at.saturating_add(1).saturating_mul(6));
            let bits = if at == 21 { bits << 4 } else { bits >> shift };
            let index = usize::try_from(bits & 63).unwrap_or_default();
            BASE64.get(index).copied().map_or('A', char::from)
        };
        let text: String = (0..22).map(letter).collect();
        if !text.starts_with('-') {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_look_like_kafkas() {
        let ids: BTreeSet<String> = (0..1_000).map(|_| uuid()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in &ids {
            assert_eq!(id.len(), 22);
            assert!(!id.starts_with('-'));
            assert!(id.bytes().all(|byte| BASE64.contains(&byte)), "{id}");
            // Two bits remain for the last letter: A, Q, g or w.
            assert!(id.ends_with(['A', 'Q', 'g', 'w']), "{id}");
        }
    }

    #[test]
    fn a_copy_gets_its_own_ids_and_keeps_the_rest() {
        let template = "#Sat\nversion=1\ncluster.id=old\nnode.id=1\ndirectory.id=old\n";
        let written = identity(template, "new", 2);
        assert!(written.starts_with("version=1\ncluster.id=new\nnode.id=2\ndirectory.id="));
        assert!(!written.contains("old"), "{written}");
        assert!(!identity("version=1\nnode.id=1\n", "new", 2).contains("directory.id"));
    }

    #[test]
    fn a_tree_is_copied_with_its_folders() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        make_directory(&from.join("inner")).unwrap();
        fs::write(from.join("inner").join("file"), "x").unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("inner").join("file")).unwrap(), "x");
    }
}
