//! How does a story get real Kafka, and what can it do to its nodes? Through the lab, started as the program that users start.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use forebay::BrokerId;
use tokio::process::Command;

use super::Absence;
use crate::story::Ending;

/// Broker properties without which stories would wait for minutes, and a rack for each broker.
const SETTINGS: [&str; 12] = [
    "log.cleaner.backoff.ms=100",
    "log.retention.check.interval.ms=1000",
    "auto.create.topics.enable=false",
    "replica.lag.time.max.ms=4000",
    "group.initial.rebalance.delay.ms=0",
    "group.consumer.min.session.timeout.ms=6000",
    "group.consumer.session.timeout.ms=6000",
    "group.consumer.min.heartbeat.interval.ms=500",
    "group.consumer.heartbeat.interval.ms=500",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
    "broker.rack=rack-{node}",
    "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
];

/// A cluster that the lab ends when this process ends, however it does.
pub(crate) struct Lab {
    name: String,
    bootstrap: String,
}

/// What is of use in the lab's status.
#[derive(serde::Deserialize)]
struct ClusterStatus {
    name: String,
    directory: PathBuf,
}

impl Lab {
    pub(crate) async fn start(release: &str, nodes: u16) -> Result<Self, Absence> {
        for (program, argument) in [("java", "-version"), ("mvn", "--version")] {
            needs(program, argument).await?;
        }
        let (system, pid) = (format!("kafka@{release}"), std::process::id().to_string());
        let name = format!("stories-{}-{nodes}-{pid}", release.replace('.', "-"));
        let nodes = nodes.to_string();
        let mut words = vec!["up", &system, "-n", &nodes, "--name", &name, "--while-pid", &pid];
        words.extend(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        let output = minotaur(&words).await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Absence::Start { reason });
        }
        let bootstrap = last_line(&output);
        Ok(Self { name, bootstrap })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// One of the lab's verbs about a node.
    pub(crate) async fn verb(&self, verb: &str, node: BrokerId) -> Result<(), Ending> {
        self.run(&[verb, &self.name, &node.to_string()]).await.map(drop)
    }

    /// Where a node keeps its logs.
    pub(crate) async fn data(&self, node: BrokerId) -> Result<PathBuf, Ending> {
        Ok(self.directory().await?.join("data").join(node.to_string()))
    }

    /// Gives a stopped node another port, in place of the one that it has.
    pub(crate) async fn set_port(&self, node: BrokerId, port: u16) -> Result<(), Ending> {
        let file = self.directory().await?.join(node.to_string()).join("server.properties");
        let io = |source| Ending::Io { what: "the configuration of a broker", source };
        let text = std::fs::read_to_string(&file).map_err(io)?;
        let line = |line: &str| match line.split_once("PLAINTEXT://") {
            Some((key, rest)) if key.ends_with("listeners=") => {
                let others = rest.split_once(',').map_or(String::new(), |(_, it)| format!(",{it}"));
                format!("{key}PLAINTEXT://127.0.0.1:{port}{others}\n")
            }
            _ => format!("{line}\n"),
        };
        std::fs::write(&file, text.lines().map(line).collect::<String>()).map_err(io)
    }

    /// Starts a node without waiting for it. What is returned must live until it is up.
    pub(crate) fn launch(&self, node: BrokerId) -> Result<tokio::process::Child, Ending> {
        let mut command = Command::new(beside("minotaur"));
        command.args(["start", &self.name, &node.to_string()]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|source| Ending::Io { what: "minotaur", source })
    }

    async fn directory(&self) -> Result<PathBuf, Ending> {
        let said = self.run(&["--output", "json", "status"]).await?;
        let clusters: Vec<ClusterStatus> = serde_json::from_str(&said)
            .map_err(|fault| Ending::Broken(format!("the status of the lab: {fault}")))?;
        let found = clusters.into_iter().find(|it| it.name == self.name);
        found
            .map(|it| it.directory)
            .ok_or_else(|| Ending::Broken(format!("the lab knows no {}", self.name)))
    }

    /// One of Kafka's own programs; `{bootstrap}` and `{zookeeper}` become addresses.
    pub(crate) async fn tool(&self, class: &str, words: &[&str]) -> Result<String, Ending> {
        let mut all = vec!["exec", &self.name, class];
        all.extend(words);
        self.run(&all).await
    }

    async fn run(&self, words: &[&str]) -> Result<String, Ending> {
        let broken = |what: String| Ending::Broken(format!("minotaur {}: {what}", words.join(" ")));
        let output = minotaur(words).await.map_err(|absence| broken(absence.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(broken(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    pub(crate) async fn stop(self) {
        match minotaur(&["down", &self.name]).await {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(absence) => eprintln!("{absence}"),
        }
    }
}

/// The bootstrap list stands on the last line.
fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

async fn needs(program: &'static str, argument: &str) -> Result<(), Absence> {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(Absence::Tool { program }),
    }
}

async fn minotaur(arguments: &[&str]) -> Result<Output, Absence> {
    let mut command = Command::new(beside("minotaur"));
    let output = command.args(arguments).stdin(Stdio::null()).output().await;
    output.map_err(|source| Absence::Start {
        reason: format!("minotaur: {source}; build it first: cargo build --package minotaur"),
    })
}

/// Programs of the workspace are built into one folder.
pub(crate) fn beside(program: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name(program)
}
