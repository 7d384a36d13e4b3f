//! The binary under test, and a broker for it.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forebay::config::parse_addresses;
use forebay::{Admin, ClientConfig, Producer, ProducerRecord};
use forebay_broker::{ApiKey, BatchBuilder, Broker};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

/// No test takes longer unless something hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) after: Duration,
}

/// A run that goes on.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    since: Instant,
}

/// Runs the binary to its end.
pub(crate) fn forebay(arguments: &[&str]) -> Ended {
    start(arguments).end()
}

/// Runs the binary to its end with this on its standard input.
pub(crate) fn fed(arguments: &[&str], input: &[u8]) -> Ended {
    let mut running = spawn(arguments, Stdio::piped());
    running.child.stdin.take().unwrap().write_all(input).unwrap();
    running.end()
}

pub(crate) fn start(arguments: &[&str]) -> Running {
    spawn(arguments, Stdio::null())
}

fn spawn(arguments: &[&str], input: Stdio) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running { child, since: Instant::now() }
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The pipe that it writes results to.
    pub(crate) fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().unwrap()
    }

    pub(crate) fn end(mut self) -> Ended {
        while self.child.try_wait().unwrap().is_none() {
            if LIMIT < self.since.elapsed() {
                self.child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let after = self.since.elapsed();
        let Output { status, stdout, stderr } = self.child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr), after }
    }
}

/// A broker with a topic.
pub(crate) struct Cluster {
    runtime: Runtime,
    broker: Broker,
}

impl Cluster {
    /// With `records` values of 10 bytes, round the partitions of the topic `t`.
    pub(crate) fn with_records(partitions: i32, records: i32) -> Self {
        let runtime = Runtime::new().unwrap();
        let broker = runtime.block_on(Broker::builder().start()).unwrap();
        broker.with(|cluster| cluster.create_topic("t", partitions)).unwrap();
        let cluster = Self { runtime, broker };
        cluster.runtime.block_on(cluster.fill(partitions, records));
        cluster
    }

    pub(crate) fn servers(&self) -> &str {
        self.broker.bootstrap_servers()
    }

    /// What a group has committed, summed over the partitions of the topic.
    pub(crate) fn committed(&self, group: &str, partitions: i32) -> i64 {
        let offset = |partition| {
            let tp = forebay_broker::TopicPartition::new("t", partition);
            self.broker.with(|cluster| cluster.committed(group, &tp).map_or(0, |it| it.offset))
        };
        (0..partitions).map(offset).sum()
    }

    /// The offset and the leader epoch that a group has committed for partition 0 of the topic.
    pub(crate) fn committed_with_epoch(&self, group: &str) -> Option<(i64, i32)> {
        let tp = forebay_broker::TopicPartition::new("t", 0);
        let committed = self.broker.with(|cluster| cluster.committed(group, &tp))?;
        Some((committed.offset, committed.leader_epoch))
    }

    /// Elects the leader of partition 0 of the topic again: a new epoch, which is told.
    pub(crate) fn elect_again(&self) -> i32 {
        let tp = forebay_broker::TopicPartition::new("t", 0);
        self.broker.with(|cluster| {
            let (leader, _) = cluster.leader(&tp).unwrap();
            cluster.move_leader(&tp, leader).unwrap();
            cluster.leader(&tp).unwrap().1
        })
    }

    /// The names of all topics.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let bootstrap_servers = parse_addresses(self.servers()).unwrap();
            let config = ClientConfig { bootstrap_servers, ..ClientConfig::default() };
            let topics = Admin::new(&config).unwrap().list_topics().await.unwrap();
            topics.iter().map(|topic| topic.name.as_str().to_owned()).collect()
        })
    }

    /// Waits until somebody has asked for this.
    pub(crate) fn wait_for(&self, api: ApiKey) {
        let since = Instant::now();
        while !self.broker.with(|cluster| cluster.requests().any(|seen| seen.api == api)) {
            assert!(since.elapsed() < LIMIT, "nobody asked for {api:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Forgets who has asked for what.
    pub(crate) fn forget_requests(&self) {
        self.broker.with(forebay_broker::Cluster::clear_requests);
    }

    /// Appends a record that is so old to the first partition.
    pub(crate) fn append_aged(&self, age: Duration, value: &str) {
        let written = SystemTime::now().checked_sub(age).unwrap().duration_since(UNIX_EPOCH);
        let written = i64::try_from(written.unwrap().as_millis()).unwrap();
        let batch = BatchBuilder::at_time(written).record(None, Some(value.as_bytes())).build();
        let tp = forebay_broker::TopicPartition::new("t", 0);
        self.broker.with(|cluster| cluster.append(&tp, &batch)).unwrap();
    }

    async fn fill(&self, partitions: i32, records: i32) {
        let producer = Producer::builder().bootstrap_servers(self.servers()).build().unwrap();
        for number in 0..records {
            let record = ProducerRecord::new("t", b"0123456789").partition(number % partitions);
            producer.send(record).await.unwrap();
        }
        producer.flush().await.unwrap();
    }
}
