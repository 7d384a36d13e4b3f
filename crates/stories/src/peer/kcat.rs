//! How is librdkafka run? Through kcat, its command line.

use std::fmt::Write as _;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::member::Group;

use super::{Codec, Tool, Topic, judge, lines, run};
use crate::story::Ending;

const KCAT: Tool = Tool { what: "kcat", program: "kcat", package: "kcat" };

const KILL: Tool = Tool { what: "kill", program: "kill", package: "procps" };

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

/// One transaction with these values. kcat commits at the end of its input and aborts at a signal.
/// It reads its input a megabyte at a time: values of an aborted one are padded with spaces, so that
/// most of them are written before the signal.
pub(crate) async fn transact(
    to: Topic<'_>,
    values: &[String],
    end: TransactionEnd,
) -> Result<(), Ending> {
    let io = |source| KCAT.fault(source);
    let mut command = kcat(to);
    let id = format!("transactional.id=kcat-{}", to.name);
    command.args(["-P", "-X", &id, "-X", "linger.ms=1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(io)?;
    let Some(mut stdin) = child.stdin.take() else { return Ok(()) };
    let width = if end == TransactionEnd::Abort { PADDED } else { 0 };
    let line = |text: String, value: &String| text + value + &" ".repeat(width) + "\n";
    let text = values.iter().fold(String::new(), line);
    stdin.write_all(text.as_bytes()).await.map_err(io)?;
    stdin.flush().await.map_err(io)?;
    if end == TransactionEnd::Abort {
        // Until they are written: what never left needs no abort.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let pid = child.id().unwrap_or_default().to_string();
        run(Command::new("kill").args(["-INT", &pid]), &KILL).await?;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    drop(stdin);
    let output = child.wait_with_output().await.map_err(io)?;
    let has_aborted = end == TransactionEnd::Abort;
    if has_aborted { Ok(()) } else { judge(output, &KCAT).map(drop) }
}

/// Spaces behind a value of an aborted transaction.
const PADDED: usize = 300_000;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TransactionEnd {
    Commit,
    Abort,
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

/// A member of a group, which prints what it has handled, and leaves after so many records or at
/// SIGTERM. At SIGTERM kcat may drop a record that it has already counted as handled, so that it is
/// asked by signal only when none are on their way.
pub(crate) fn member(group: Group<'_>, records: usize) -> Command {
    let Group { topic, name, how, client } = group;
    let mut command = Command::new("kcat");
    command.args(["-b", topic.bootstrap, "-u", "-q", "-f", "%p %o\n"]);
    command.args(["-X", "auto.offset.reset=earliest", "-X", &format!("client.id={client}")]);
    command.args(["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500"]);
    command.args(["-X", &format!("partition.assignment.strategy={how}")]);
    command.args(["-c", &records.to_string(), "-G", name, topic.name]).stderr(Stdio::null());
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
