//! What is to be played? The words on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Plays a group on three real brokers under faults drawn from a seed, and judges its history.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// How long a slice lasts, without start and end.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) minutes: f64,
    /// The release of Kafka.
    #[arg(long, default_value = "4.4.0")]
    pub(crate) kafka: String,
    /// How members share partitions.
    #[arg(long, value_enum, default_value_t = Protocol::Consumer)]
    pub(crate) protocol: Protocol,
    /// Whose members.
    #[arg(long, value_enum, default_value_t = Client::Forebay)]
    pub(crate) client: Client,
    /// The program of a member of another client.
    #[arg(long, default_value = "bench/peers/target/peers/chaos-rdkafka")]
    pub(crate) peer: PathBuf,
    /// The seed of the first slice; the next have the next ones.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many slices. Those whose outcome is in the folder already are not played again.
    #[arg(long, default_value_t = 1)]
    pub(crate) slices: u64,
    /// The folder of histories and outcomes, a folder per slice; by default one that is removed.
    #[arg(long)]
    pub(crate) into: Option<PathBuf>,
    /// Keep the histories of good slices too.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where brokers keep their data, in place of the lab's own folder.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Records written per second.
    #[arg(long, default_value_t = 300)]
    pub(crate) rate: u32,
    /// The longest that a handler takes, in milliseconds; a third of that in the mean.
    #[arg(long, default_value_t = 24)]
    pub(crate) slowness: u64,
    /// Members say that a record is done before it is: to prove that this is seen.
    #[arg(long, hide = true)]
    pub(crate) dishonest: bool,
    /// Add up the slices in this folder instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) sum: Option<PathBuf>,
    /// A process of its own, which this program starts.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// How members share partitions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Protocol {
    /// A member makes the plan.
    Classic,
    /// The coordinator does (KIP-848).
    Consumer,
}

/// Whose members.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Client {
    /// Ours.
    Forebay,
    /// rdkafka's `StreamConsumer`.
    Rdkafka,
}

impl Protocol {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

impl Client {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forebay => "forebay",
            Self::Rdkafka => "rdkafka",
        }
    }
}

/// What a process of its own does.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Part {
    /// A member of the group.
    #[command(hide = true)]
    Member(MemberOptions),
    /// Writes the records.
    #[command(hide = true)]
    Writer(WriterOptions),
}

/// What a member is told; other clients' programs take the same words.
#[derive(Clone, Debug, Parser)]
pub(crate) struct MemberOptions {
    /// Where the brokers are.
    #[arg(long)]
    pub(crate) bootstrap: String,
    /// Its name, and its `client.id`.
    #[arg(long)]
    pub(crate) name: String,
    /// The file of its events.
    #[arg(long)]
    pub(crate) history: PathBuf,
    /// `consumer`, or the name of a classic assignor.
    #[arg(long)]
    pub(crate) sharing: String,
    /// `partition` or `unordered`.
    #[arg(long)]
    pub(crate) order: String,
    /// The longest that a handler takes, in milliseconds.
    #[arg(long)]
    pub(crate) slowness: u64,
    /// It says that a record is done before it is.
    #[arg(long, hide = true)]
    pub(crate) dishonest: bool,
}

/// What the writer is told.
#[derive(Clone, Debug, Parser)]
pub(crate) struct WriterOptions {
    /// Where the brokers are.
    #[arg(long)]
    pub(crate) bootstrap: String,
    /// The file of its events.
    #[arg(long)]
    pub(crate) history: PathBuf,
    /// Records per second.
    #[arg(long)]
    pub(crate) rate: u32,
}
