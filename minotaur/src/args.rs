//! What can be typed? The verbs and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use minotaur::{LabSpec, Node, Profile, SpecError, System};

const AFTER: &str = "\
Examples:
  minotaur up kafka@4.4.0                    one broker, prints its bootstrap list
  minotaur up kafka@0.11.0.3 -n 3 --name old three brokers and a ZooKeeper
  minotaur status
  minotaur kill old 2 && minotaur start old 2
  minotaur down --all

Clusters and jars lie in $MINOTAUR_HOME, by default `minotaur` in the user's cache directory.
Java is $MINOTAUR_JAVA, $JAVA_HOME or the one on the path; Maven is $MINOTAUR_MVN or the one on the
path, and stays off the network when $MINOTAUR_OFFLINE is set.

Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted.";

const AFTER_UP: &str = "\
Examples:
  minotaur up kafka@4.4.0
  minotaur up kafka@3.9.2/zookeeper -n 3
  minotaur up kafka@4.4.0 --while-pid $$     ends with this shell
  minotaur up kafka@4.4.0 --set num.partitions=6 --set message.max.bytes=10485760
  minotaur up kafka@4.4.0 --profile bench --heap 2g --core 0 --data-dir /dev/shm";

const AFTER_EXEC: &str = "\
Examples:
  minotaur exec kafka-4.4.0 org.apache.kafka.tools.TopicCommand --bootstrap-server {bootstrap} --list
  minotaur exec kafka-0.11.0.3 kafka.admin.TopicCommand --zookeeper {zookeeper} --describe

The exit code is the program's own.";

/// Real Kafka brokers without containers, as Java processes on loopback.
#[derive(Debug, Parser)]
#[command(name = "minotaur", version, after_help = AFTER)]
pub(crate) struct Arguments {
    /// Text for people or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a cluster and print its bootstrap list when every broker answers
    #[command(after_help = AFTER_UP)]
    Up(Up),
    /// Show the clusters and their nodes
    Status,
    /// Print what the nodes logged
    Logs(Logs),
    /// End a cluster and remove its data and logs
    Down(Down),
    /// End a node at once, as kill -9 does
    Kill(Target),
    /// Ask a node to end in good order, and wait until it did
    Stop(Target),
    /// Start a stopped node with its old data and ports
    Start(Target),
    /// Freeze a node (SIGSTOP): it lives but gets no time
    Pause(Target),
    /// Let a frozen node go on (SIGCONT)
    Resume(Target),
    /// Fetch and prepare versions, so that later starts need no network
    Fetch(Fetch),
    /// Run one of Kafka's own Java programs against a cluster
    Exec(Exec),
    /// Show what works on this machine
    Doctor,
    /// Remove a cluster when a process ends
    #[command(hide = true)]
    Watch(Watch),
}

#[derive(Args, Debug)]
pub(crate) struct Up {
    /// kafka@VERSION, or kafka@VERSION/zookeeper where a version has both modes
    pub(crate) system: System,
    /// Number of brokers
    #[arg(short, long, default_value_t = 1)]
    nodes: u32,
    /// Name of the cluster [default: kafka-VERSION]
    #[arg(long)]
    name: Option<String>,
    /// End the cluster when this process ends
    #[arg(long, value_name = "PID")]
    pub(crate) while_pid: Option<i32>,
    /// What the brokers' Java is tuned for
    #[arg(long, value_enum, default_value_t = Tuning::Test)]
    profile: Tuning,
    /// Heap of each broker, like 512m or 2g
    #[arg(long)]
    heap: Option<String>,
    /// Run the brokers on these processor cores only, like 0 or 0-1
    #[arg(long)]
    core: Option<String>,
    /// A broker property, in place of the lab's own value; {node} becomes the broker's id; may be
    /// repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Keep the brokers' data below this directory, for example a tmpfs
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Seconds until all nodes must answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tuning {
    /// Quick to start and small
    Test,
    /// As in production: full compiler, G1, 1 GiB of heap
    Bench,
    /// As bench, without a collector: no pauses, and an end when 4 GiB of heap are used up
    Latency,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// Name of the cluster
    pub(crate) name: String,
    /// A broker's number or `zookeeper` [default: all nodes]
    pub(crate) node: Option<Node>,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    pub(crate) lines: Option<usize>,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  minotaur down kafka-4.4.0\n  minotaur down --all")]
pub(crate) struct Down {
    /// Name of the cluster
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) name: Option<String>,
    /// All clusters
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Name of the cluster
    pub(crate) name: String,
    /// A broker's number or `zookeeper`
    pub(crate) node: Node,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  minotaur fetch kafka@4.4.0 kafka@0.11.0.3\n  minotaur fetch")]
pub(crate) struct Fetch {
    /// kafka@VERSION [default: all versions that `doctor` lists]
    pub(crate) systems: Vec<System>,
}

#[derive(Args, Debug)]
#[command(after_help = AFTER_EXEC)]
pub(crate) struct Exec {
    /// Name of the cluster
    pub(crate) name: String,
    /// Full name of the class; from 3.0 on most are in org.apache.kafka.tools, before in
    /// kafka.tools and kafka.admin
    pub(crate) class: String,
    /// Arguments of the program; {bootstrap} and {zookeeper} become the cluster's addresses
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Watch {
    pub(crate) name: String,
    pub(crate) owner: i32,
}

impl Up {
    /// The checked wish.
    pub(crate) fn spec(self) -> Result<LabSpec, SpecError> {
        let mut spec = LabSpec::new(self.system)
            .nodes(self.nodes)?
            .profile(self.profile.into())
            .ready_within(Duration::from_secs(self.timeout));
        if let Some(name) = self.name {
            spec = spec.named(name)?;
        }
        if let Some(heap) = self.heap {
            spec = spec.heap(heap)?;
        }
        if let Some(core) = self.core {
            spec = spec.core(core)?;
        }
        if let Some(directory) = self.data_dir {
            spec = spec.data_dir(directory);
        }
        for setting in self.settings {
            let parts = setting.split_once('=');
            let (key, value) =
                parts.ok_or_else(|| SpecError::BadSetting { text: setting.clone() })?;
            spec = spec.set(key, value)?;
        }
        Ok(spec)
    }
}

impl From<Tuning> for Profile {
    fn from(tuning: Tuning) -> Self {
        match tuning {
            Tuning::Test => Self::Test,
            Tuning::Bench => Self::Bench,
            Tuning::Latency => Self::Latency,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_verbs_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn down_wants_a_name_or_all_but_not_both() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("minotaur down").is_err());
        assert!(parse("minotaur down a --all").is_err());
        assert!(parse("minotaur down a").is_ok());
        assert!(parse("minotaur down --all").is_ok());
    }

    #[test]
    fn a_setting_without_a_value_is_refused() {
        let line = "minotaur up kafka@4.4.0 --set a";
        let Verb::Up(up) = Arguments::parse_from(line.split(' ')).verb else { panic!() };
        assert!(matches!(up.spec(), Err(SpecError::BadSetting { .. })));
    }
}
