//! A member of a group in a process of its own: one of ours, Java's or librdkafka's, which says what
//! it has handled, leaves when it is asked to, and can be killed.

mod inside;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use forebay::{Consumer, ConsumerBuilder, Context, GroupProtocol, OffsetReset, Order, Record};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

pub(crate) use inside::Inside;

use crate::peer::Topic;
use crate::story::{Ending, expect};

/// Partition and offset of a record.
pub(crate) type Place = (i32, i64);

/// How long a member may take to leave.
const LEAVE: Duration = Duration::from_secs(30);
const WHAT: &str = "a member's process";

/// A member.
pub(crate) struct Member {
    child: Child,
    /// Its end asks ours and Java's to leave.
    stdin: Option<ChildStdin>,
    handled: Arc<Mutex<Vec<Place>>>,
}

/// The group that it is to be a member of, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) topic: Topic<'a>,
    pub(crate) name: &'a str,
    /// `consumer`, or names of classic assignors, the best first, apart by commas.
    pub(crate) how: &'a str,
    /// Its `client.id`.
    pub(crate) client: &'a str,
}

impl Member {
    /// One of ours; each of its handlers takes so long.
    pub(crate) fn ours(group: Group<'_>, takes: Duration) -> Result<Self, Ending> {
        let io = |source| Ending::Io { what: WHAT, source };
        let Group { topic: Topic { bootstrap, name: topic }, name, how, client } = group;
        let takes = takes.as_millis();
        let mut command = Command::new(std::env::current_exe().map_err(io)?);
        let part = format!("member {bootstrap} {topic} {name} {how} {client} {takes}");
        command.arg("--part").arg(part);
        Self::start(command)
    }

    /// Any program that prints partition and offset of what it has handled.
    pub(crate) fn start(mut command: Command) -> Result<Self, Ending> {
        let io = |source| Ending::Io { what: WHAT, source };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(io)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let handled = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&handled);
        if let Some(stdout) = stdout {
            let mut lines = BufReader::new(stdout).lines();
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    lock(&keep).extend(place(&line));
                }
            });
        }
        Ok(Self { child, stdin, handled })
    }

    /// What it has handled so far, in its order.
    pub(crate) fn handled(&self) -> Vec<Place> {
        lock(&self.handled).clone()
    }

    /// How many records it has handled so far.
    pub(crate) fn count(&self) -> usize {
        lock(&self.handled).len()
    }

    /// Leaves in good order; says what it had handled.
    pub(crate) async fn leave(mut self) -> Result<Vec<Place>, Ending> {
        drop(self.stdin.take());
        self.end().await
    }

    /// Asks by SIGTERM, for programs that do not look at their input.
    pub(crate) async fn terminate(self) -> Result<Vec<Place>, Ending> {
        if let Some(id) = self.child.id() {
            let asked = Command::new("kill").arg(id.to_string()).status().await;
            asked.map_err(|source| Ending::Io { what: "kill", source })?;
        }
        self.end().await
    }

    /// SIGKILL: it cannot commit, close or say goodbye.
    pub(crate) async fn kill(mut self) -> Result<Vec<Place>, Ending> {
        self.child.kill().await.map_err(|source| Ending::Io { what: WHAT, source })?;
        // What it had written is still on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(self.handled())
    }

    /// Waits until it has left by itself.
    pub(crate) async fn end(mut self) -> Result<Vec<Place>, Ending> {
        match tokio::time::timeout(LEAVE, self.child.wait()).await {
            Ok(status) => drop(status.map_err(|source| Ending::Io { what: WHAT, source })?),
            Err(_) => return Err(Ending::Broken(format!("{WHAT} did not end in 30 s"))),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(self.handled())
    }
}

/// Waits until all of `places` were handled by somebody.
pub(crate) async fn all_handled(
    places: &BTreeSet<Place>,
    before: &[Place],
    members: &[&Member],
    within: Duration,
) -> Result<(), Ending> {
    let by = tokio::time::Instant::now() + within;
    loop {
        let handled = members.iter().flat_map(|member| member.handled());
        let handled: BTreeSet<Place> = handled.chain(before.iter().copied()).collect();
        let missing: Vec<_> = places.difference(&handled).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if by < tokio::time::Instant::now() {
            let some: Vec<_> = missing.iter().take(5).collect();
            let count = missing.len();
            return Err(Ending::Broken(format!("{count} records were never handled: {some:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// That no record was handled more than once.
pub(crate) fn none_twice(handled: impl IntoIterator<Item = Place>) -> Result<(), Ending> {
    let mut seen = BTreeSet::new();
    let again: Vec<Place> = handled.into_iter().filter(|place| !seen.insert(*place)).collect();
    expect(again.is_empty().into(), || {
        format!("{} records were handled again: {:?}", again.len(), again.first())
    })
}

fn place(line: &str) -> Option<Place> {
    let (partition, offset) = line.split_once(' ')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

fn lock(places: &Mutex<Vec<Place>>) -> MutexGuard<'_, Vec<Place>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process of one of ours: handles until its input ends, and prints what is handled.
pub(crate) async fn play(words: &[&str]) -> Result<(), Ending> {
    let &[bootstrap, topic, group, how, client, takes] = words else {
        let words = "six words: bootstrap, topic, group, how, client id, time of a handler in ms";
        return Err(Ending::Broken(words.to_owned()));
    };
    let takes = Duration::from_millis(takes.parse().unwrap_or(0));
    let group = Group { topic: Topic { bootstrap, name: topic }, name: group, how, client };
    let consumer = builder(group)?.topics([topic]).concurrency(8).build()?;
    let handle = consumer.handle();
    std::thread::spawn(move || {
        let _rest = std::io::read_to_string(std::io::stdin());
        handle.shutdown(Duration::from_secs(20));
    });
    let run = consumer.run(move |record: Record, _: Context| async move {
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        println!("{} {}", record.partition(), record.offset());
    });
    run.await?;
    Ok(())
}

/// One of ours; what it reads is still to be said.
pub(crate) fn builder(group: Group<'_>) -> Result<ConsumerBuilder, Ending> {
    let builder = Consumer::builder()
        .bootstrap_servers(group.topic.bootstrap)
        .group_id(group.name)
        .client_id(group.client)
        .auto_offset_reset(OffsetReset::Earliest)
        .order(Order::Unordered)
        .session_timeout(Duration::from_secs(6))
        .heartbeat_interval(Duration::from_millis(500));
    if group.how == "consumer" {
        return Ok(builder.group_protocol(GroupProtocol::Consumer));
    }
    let assignors = group.how.split(',').map(assignor).collect::<Result<Vec<_>, _>>()?;
    Ok(builder.assignors(assignors))
}

/// The assignor of this name.
fn assignor(name: &str) -> Result<Arc<dyn forebay::assignor::Assignor>, Ending> {
    use forebay::assignor::{CooperativeSticky, Range, RoundRobin, Sticky};
    Ok(match name {
        "range" => Arc::new(Range),
        "roundrobin" => Arc::new(RoundRobin),
        "sticky" => Arc::new(Sticky),
        "cooperative-sticky" => Arc::new(CooperativeSticky),
        _ => return Err(Ending::Broken(format!("no assignor is called {name}"))),
    })
}
