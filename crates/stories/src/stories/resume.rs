//! A consumer that is killed and started again leaves no gap, and does not begin from the start.

use std::collections::BTreeSet;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "resume-after-kill",
    promise: "after kill -9 nothing is missing and what was committed is not repeated",
    tell: |stage| Box::pin(tell(stage)),
};

const RECORDS: u32 = 20_000;
const PARTITIONS: i32 = 4;
/// Records handled when the first consumer is killed: some commits have happened, more not.
const KILLED_AFTER: usize = 6_000;

type Place = (i32, i64);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("resume", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    let places = ours::produce(topic, Codec::None, (0..RECORDS).map(Fresh::numbered)).await?;
    let group = stage.name("group");

    let mut first = start(topic, &group, "5")?;
    let mut handled: BTreeSet<Place> = BTreeSet::new();
    while handled.len() < KILLED_AFTER {
        handled.insert(first.next().await?);
    }
    first.kill().await?;

    let mut second = start(topic, &group, "0")?;
    let mut again = 0;
    while handled.len() < places.len() {
        again += usize::from(!handled.insert(second.next().await?));
    }
    second.kill().await?;

    let missing = places.iter().filter(|place| !handled.contains(place)).count();
    expect((missing == 0).into(), || format!("{missing} records were never handled"))?;
    let from_start = KILLED_AFTER <= again;
    expect((!from_start).into(), || format!("all {again} records came again: no commit counted"))
}

/// A consumer in a process of its own, which says what it has handled.
struct Consumer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

const WHAT: &str = "the consumer's process";

fn start(topic: Topic<'_>, group: &str, wait_ms: &str) -> Result<Consumer, Ending> {
    let io = |source| Ending::Io { what: WHAT, source };
    let program = std::env::current_exe().map_err(io)?;
    let part = format!("resume {} {} {group} {wait_ms}", topic.bootstrap, topic.name);
    let mut command = Command::new(program);
    command.arg("--part").arg(part).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(io)?;
    let Some(stdout) = child.stdout.take() else {
        return Err(Ending::Broken(format!("{WHAT} has no output")));
    };
    Ok(Consumer { child, lines: BufReader::new(stdout).lines() })
}

impl Consumer {
    async fn next(&mut self) -> Result<Place, Ending> {
        let line = self.lines.next_line().await;
        let line = line.map_err(|source| Ending::Io { what: WHAT, source })?;
        let place = line.as_deref().and_then(|line| {
            let (partition, offset) = line.split_once(' ')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        });
        place.ok_or_else(|| Ending::Broken(format!("{WHAT} ended or said {line:?}")))
    }

    /// SIGKILL: it cannot commit, close or say goodbye.
    async fn kill(&mut self) -> Result<(), Ending> {
        self.child.kill().await.map_err(|source| Ending::Io { what: WHAT, source })
    }
}

/// The consumer's process: handles for ever, and prints what is handled.
pub(crate) async fn play(words: &[&str]) -> Result<(), Ending> {
    let &[bootstrap, name, group, wait_ms] = words else {
        return Err(Ending::Broken("four words: bootstrap, topic, group, wait in ms".to_owned()));
    };
    let wait = std::time::Duration::from_millis(wait_ms.parse().unwrap_or(0));
    let consumer = ours::consumer(Topic { bootstrap, name }, PARTITIONS, group).concurrency(16);
    let handler = move |record: forebay::Record, _context| async move {
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        println!("{} {}", record.partition(), record.offset());
    };
    consumer.build()?.run(handler).await?;
    Ok(())
}
