//! Memory stays within the budget however large the records and however many the partitions.

use std::process::Stdio;

use tokio::process::Command;

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::Stage;
use crate::story::{Ending, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "large-records",
    promise: "1 MB records on 50 partitions are consumed within a budget of 32 MiB",
    tell: |stage| Box::pin(tell(stage)),
};

const PARTITIONS: i32 = 50;
/// Per partition.
const RECORDS: u32 = 2;
/// As large as the oldest broker takes with what stands around it: 1,000,012 bytes.
const RECORD_BYTES: usize = 999_000;
const BUDGET_BYTES: usize = 32 << 20;
/// The budget and a quarter: what a whole process may grow by.
const GROWTH_KIB_MAX: u64 = 40 << 10;

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("large", PARTITIONS).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    ours::produce(topic, Codec::None, (0..RECORDS).flat_map(one_each)).await?;

    let io = |source| Ending::Io { what: "the consumer's process", source };
    let program = std::env::current_exe().map_err(io)?;
    let part = format!("large-records {} {name} {}", topic.bootstrap, stage.name("group"));
    let mut command = Command::new(program);
    command.arg("--part").arg(part).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.kill_on_drop(true).output().await.map_err(io)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let &[records, growth_kib] = numbers.as_slice() else {
        return Err(Ending::Broken(format!("the consumer's process said {said:?}")));
    };
    let total = u64::from(RECORDS) * u64::from(PARTITIONS.unsigned_abs());
    expect((records == total).into(), || format!("{records} records of {total}"))?;
    expect((growth_kib <= GROWTH_KIB_MAX).into(), || {
        format!("the process grew by {growth_kib} KiB, at most {GROWTH_KIB_MAX}")
    })
}

fn one_each(i: u32) -> impl Iterator<Item = Fresh> {
    (0..PARTITIONS).map(move |partition| Fresh {
        partition: Some(partition),
        key: Some(i.to_be_bytes().to_vec()),
        value: Some(vec![b'x'; RECORD_BYTES]),
        headers: Vec::new(),
    })
}

/// The consumer's process: prints how many whole records it saw and by how many KiB it grew.
pub(crate) async fn play(words: &[&str]) -> Result<(), Ending> {
    let &[bootstrap, name, group] = words else {
        return Err(Ending::Broken("three words: bootstrap, topic, group".to_owned()));
    };
    let before = status_kib("VmRSS")?;
    let consumer = ours::consumer(Topic { bootstrap, name }, PARTITIONS, group);
    let consumer = consumer.budget_bytes(BUDGET_BYTES).build()?;
    let total = RECORDS as usize * PARTITIONS.unsigned_abs() as usize;
    let whole = ours::count(consumer, total, |record| {
        record.value().is_some_and(|value| value.len() == RECORD_BYTES)
    });
    let whole = whole.await?;
    let growth = status_kib("VmHWM")?.saturating_sub(before);
    println!("{whole} {growth}");
    Ok(())
}

/// A line of this process's status, in KiB.
fn status_kib(field: &str) -> Result<u64, Ending> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|source| Ending::Io { what: "/proc/self/status", source })?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| Ending::Broken(format!("no {field} in /proc/self/status")))
}
