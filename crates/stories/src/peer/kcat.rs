//! How is librdkafka run? Through kcat, its command line.

use std::fmt::Write as _;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::member::Group;

use super::{Codec, Tool, Topic, judge, lines, run};
use crate::story::Ending;

const KCAT: Tool = Tool { what: "kcat", program: "kcat", package: "kcat" };

pub(crate) async fn write(to: Topic<'_>, codec: Codec, count: u32) -> Result<(), Ending> {
    let io = |source| KCAT.fault(source);
    let mut command = kcat(to);
    command.args(["-P", "-z", codec.name(), "-K", "|", "-H", "from=librdkafka"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(records(count).as_bytes()).await.map_err(io)?;
    }
    judge(child.wait_with_output().await.map_err(io)?, &KCAT).map(drop)
}

/// The reader checks our checksums too, which it would not by itself.
pub(crate) async fn read(from: Topic<'_>, count: u32) -> Result<Vec<String>, Ending> {
    let mut command = kcat(from);
    command.args(["-C", "-q", "-e", "-o", "0", "-c", &count.to_string()]);
    command.args(["-X", "check.crcs=true", "-f", "%o|%k|%s|%h\n"]);
    Ok(lines(&run(&mut command, &KCAT).await?))
}

/// Records from the beginning, in a format of kcat's letters.
pub(crate) async fn read_as(from: Topic<'_>, count: u32, format: &str) -> Result<String, Ending> {
    let mut command = kcat(from);
    command.args(["-C", "-q", "-e", "-o", "0", "-c", &count.to_string(), "-f", format]);
    let output = run(&mut command, &KCAT).await?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A member of a group, which prints what it has handled and leaves at SIGTERM.
pub(crate) fn member(group: Group<'_>) -> Command {
    let Group { topic, name, how } = group;
    let mut command = Command::new("kcat");
    command.args(["-b", topic.bootstrap, "-u", "-q", "-f", "%p %o\n"]);
    command.args(["-X", "auto.offset.reset=earliest"]);
    if how == "consumer" {
        command.args(["-X", "group.protocol=consumer"]);
    } else {
        command.args(["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500"]);
        command.args(["-X", &format!("partition.assignment.strategy={how}")]);
    }
    command.args(["-G", name, topic.name]).stderr(Stdio::null());
    command
}

fn kcat(topic: Topic<'_>) -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", topic.bootstrap, "-t", topic.name, "-p", "0"]);
    command
}

/// One line per record, key and value apart by a bar.
fn records(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "key-{i}|value-{i}");
    }
    text
}
