//! What does the log hold in the end? Read by somebody else's client, past the proxy.

use std::process::Stdio;

use forebay::Admin;
use forebay::admin::OffsetSpec;
use forebay_histcheck::{Notebook, What};
use forebay_proxy::value_of;
use minotaur::{KafkaVersion, Lab};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::cluster::{Cluster, GROUP, TOPIC, name_of, partitions};
use crate::fault::Fault;

/// How far the log goes, and how far the group is: by partition.
pub(crate) type Ends = Vec<(i32, i64, i64)>;

/// Partition, committed offset, end.
pub(crate) async fn ends(admin: &Admin) -> Result<Ends, Fault> {
    let all = partitions();
    let ends = admin.list_offsets(&all, OffsetSpec::Latest).await;
    let ends = ends.map_err(Fault::client("the ends of the log"))?;
    let committed = admin.group_offsets(GROUP).await;
    let committed = committed.map_err(Fault::client("what is committed"))?;
    let mut found = Ends::new();
    for (tp, end) in ends {
        let end = end.map_err(Fault::client("the end of a partition"))?.offset.0;
        let at = committed.get(&tp).map_or(0, |it| it.position.0);
        found.push((tp.partition, at, end));
    }
    Ok(found)
}

/// Notes what the log holds, and what is committed; who read it.
pub(crate) async fn tell(
    cluster: &Cluster,
    version: &str,
    notes: &Notebook,
) -> Result<&'static str, Fault> {
    let ends = ends(&cluster.admin).await?;
    let count: i64 = ends.iter().map(|(_, _, end)| end).sum();
    let who = match kcat(&cluster.bootstrap, notes).await {
        Err(Fault::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            java(&cluster.bootstrap, (version, count), notes).await.map(|()| "java")
        }
        told => told.map(|()| "librdkafka (kcat)"),
    }?;
    for (partition, committed, end) in ends {
        let what = What::Final { tp: name_of(partition), committed, end };
        notes.note(what).map_err(Fault::io("the history"))?;
    }
    Ok(who)
}

async fn kcat(bootstrap: &str, notes: &Notebook) -> Result<(), Fault> {
    let mut command = Command::new("kcat");
    command.args(["-b", bootstrap, "-t", TOPIC, "-C", "-q", "-e", "-o", "beginning"]);
    command.args(["-X", "check.crcs=true", "-f", "%p %o %s\n"]);
    read(command, "kcat", notes).await
}

/// Kafka's own program, which every lab has.
async fn java(
    bootstrap: &str,
    (version, count): (&str, i64),
    notes: &Notebook,
) -> Result<(), Fault> {
    let said = |error: &dyn std::fmt::Display| Fault::Reader {
        program: "the Java console consumer",
        said: error.to_string(),
    };
    let version: KafkaVersion = version.parse().map_err(|error| said(&error))?;
    let class = match version.is_at_least(4, 0) {
        true => "org.apache.kafka.tools.consumer.ConsoleConsumer",
        false => "kafka.tools.ConsoleConsumer",
    };
    let tool = Lab::from_env()?.tool(version, class).await?;
    let mut command = Command::from(tool);
    command.args(["--bootstrap-server", bootstrap, "--topic", TOPIC, "--from-beginning"]);
    command.args(["--max-messages", &count.to_string()]);
    command.args(["--property", "print.partition=true", "--property", "print.offset=true"]);
    read(command, "the Java console consumer", notes).await
}

/// A line per record: partition, offset, value.
async fn read(mut command: Command, program: &'static str, notes: &Notebook) -> Result<(), Fault> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(Fault::io(program))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    if let Some(stdout) = stdout {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.map_err(Fault::io(program))? {
            let bad = || Fault::Reader { program, said: format!("{line:?} is no record") };
            let (tp, offset, (key, seq)) = record(&line).ok_or_else(bad)?;
            let what = What::Truth { tp, offset, key, seq };
            notes.note(what).map_err(Fault::io("the history"))?;
        }
    }
    let status = child.wait().await.map_err(Fault::io(program))?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(mut stderr) = stderr {
        stderr.read_to_string(&mut said).await.map_err(Fault::io(program))?;
    }
    Err(Fault::Reader { program, said })
}

/// `3 17 4:12` of kcat, or `Partition:3⇥Offset:17⇥4:12` of Java.
fn record(line: &str) -> Option<(String, i64, (u64, u64))> {
    let mut words = line.split([' ', '\t']);
    let number = |word: &str| word.rsplit(':').next().map(str::to_owned);
    let partition = number(words.next()?)?.parse().ok()?;
    let offset = number(words.next()?)?.parse().ok()?;
    Some((name_of(partition), offset, value_of(words.next()?.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_kcat_and_as_java_print_them() {
        let found = Some(("t-3".to_owned(), 17, (4, 12)));
        assert_eq!(record("3 17 4:12"), found);
        assert_eq!(record("Partition:3\tOffset:17\t4:12"), found);
        assert_eq!(record("Processed a total of 5 messages"), None);
    }
}
