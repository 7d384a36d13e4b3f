//! What does producing cost beside the other clients, and how long do records take on their way?
//!
//! Everybody writes the same values to the same topic of a real broker, in turn, round after round.

mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use forebay::admin::NewTopic;
use forebay::{Admin, ClientConfig};
use serde::Serialize;

use crate::child::{self, Sample};
use crate::error::Error;
use crate::machine::Machine;
use crate::values::Values;

/// Partitions of every topic.
const PARTITIONS: i32 = 8;
/// Different values that are written in turn.
const VALUES: usize = 1024;
/// Milliseconds that a batch waits for more records, where cost is measured.
const LINGER_MS: u32 = 5;
/// Bytes at which a batch is full.
const BATCH_SIZE: u32 = 131_072;
/// Where other clients are.
const PEERS: &str = "bench/peers/target/peers";

/// What is measured, and how often.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Cells to run, by the start of their name; all by default.
    cells: Vec<String>,
    /// A real broker.
    #[arg(long)]
    live: String,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Records of every cell divided by this, for a quick look.
    #[arg(long, default_value_t = 1)]
    divide: u64,
    /// Core of the clients; the broker is pinned by whoever starts it.
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Folder with the jars of kafka-clients, for the Java client's latency.
    #[arg(long)]
    java: Option<PathBuf>,
    /// Where a JSON file of every run goes.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// One load.
#[derive(Clone, Copy, Debug, Serialize)]
struct Cell {
    name: &'static str,
    /// Bytes of each value.
    size: usize,
    codec: &'static str,
    records: u64,
    /// Records per second; `None` as fast as they are taken.
    rate: Option<u32>,
}

const fn cost(name: &'static str, size: usize, codec: &'static str, records: u64) -> Cell {
    Cell { name, size, codec, records, rate: None }
}

/// Twelve seconds' worth of records; without linger.
const fn echo(name: &'static str, rate: u32) -> Cell {
    Cell { name, size: 100, codec: "none", records: rate as u64 * 12, rate: Some(rate) }
}

const CELLS: [Cell; 9] = [
    cost("100-none", 100, "none", 2_000_000),
    cost("100-lz4", 100, "lz4", 1_000_000),
    cost("100-zstd", 100, "zstd", 1_000_000),
    cost("1k-none", 1000, "none", 400_000),
    cost("1k-lz4", 1000, "lz4", 200_000),
    cost("1k-zstd", 1000, "zstd", 200_000),
    echo("echo-1000", 1_000),
    echo("echo-10000", 10_000),
    echo("echo-50000", 50_000),
];

/// Who is measured; the first is ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Client {
    Forebay,
    Franz,
    Rdkafka,
    Java,
}

impl Client {
    const ALL: [Self; 4] = [Self::Forebay, Self::Franz, Self::Rdkafka, Self::Java];

    const fn name(self) -> &'static str {
        match self {
            Self::Forebay => "forebay",
            Self::Franz => "franz-go",
            Self::Rdkafka => "rdkafka",
            Self::Java => "java",
        }
    }

    /// The command; `None` where the client does not take part.
    fn command(self, cell: &Cell, topic: &str, options: &Options) -> Option<Vec<String>> {
        let live = &options.live;
        let common = format!(
            "--bootstrap-servers {live} --topic {topic} --records {} --record-size {}",
            cell.records, cell.size
        );
        let load = match cell.rate {
            None => format!(
                "--compression {} --linger-ms {LINGER_MS} --batch-size {BATCH_SIZE} --values {}",
                cell.codec,
                path_of_values(cell.size)
            ),
            Some(rate) => format!("--rate {rate} --linger-ms 0"),
        };
        let program = match (self, cell.rate) {
            (Self::Forebay, None) => "target/release/forebay perf produce --output json".to_owned(),
            (Self::Forebay, Some(_)) => "target/release/forebay-bench echo".to_owned(),
            (Self::Franz, None) => format!("{PEERS}/peer-franz-produce"),
            (Self::Franz, Some(_)) => format!("{PEERS}/peer-franz-produce --api echo"),
            (Self::Rdkafka, None) => format!("{PEERS}/peer-rdkafka-produce"),
            (Self::Rdkafka, Some(_)) => format!("{PEERS}/peer-rdkafka-produce --api echo"),
            (Self::Java, _) => return self.java(cell, topic, options),
        };
        let words = format!("{program} {common} {load}");
        Some(words.split_whitespace().map(str::to_owned).collect())
    }

    fn java(self, cell: &Cell, topic: &str, options: &Options) -> Option<Vec<String>> {
        let (rate, jars) = (cell.rate?, options.java.as_ref()?);
        let words = format!(
            "java -cp {}/* bench/peers/java/Echo.java {} {topic} {PARTITIONS} {} {rate} {} 0",
            jars.display(),
            options.live,
            cell.records,
            cell.size
        );
        Some(words.split_whitespace().map(str::to_owned).collect())
    }
}

/// Every client once.
#[derive(Debug, Default, Serialize)]
struct Round {
    samples: Vec<(&'static str, Sample)>,
}

/// All rounds of a cell.
#[derive(Debug, Serialize)]
struct Measured {
    cell: Cell,
    commands: Vec<(&'static str, String)>,
    rounds: Vec<Round>,
}

#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    cells: Vec<Measured>,
}

/// Runs the cells and prints a table of each.
///
/// # Errors
///
/// When the broker cannot be reached, or no cell has such a name.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let named = |cell: &&Cell| {
        let by_name = |start: &String| cell.name.starts_with(start.as_str());
        options.cells.is_empty() || options.cells.iter().any(by_name)
    };
    let mut results = Results { machine: Machine::here()?, cells: Vec::new() };
    for cell in CELLS.iter().filter(named) {
        let cell = Cell { records: (cell.records / options.divide.max(1)).max(2000), ..*cell };
        write_values(cell.size)?;
        let measured = measure(cell, options)?;
        print!("{}", table::table(&measured));
        results.cells.push(measured);
    }
    if results.cells.is_empty() {
        let name = options.cells.join(" ");
        return Err(Error::UnknownCell { name });
    }
    let path = results.machine.keep(&options.results, "produce", &results)?;
    println!("\nresults: {}", path.display());
    Ok(())
}

fn path_of_values(size: usize) -> String {
    format!("target/values-{size}")
}

/// The same values for everybody, end to end in a file.
fn write_values(size: usize) -> Result<(), Error> {
    let mut values = Values::new();
    let bytes: Vec<u8> = (0..VALUES).flat_map(|_| values.next(size)).collect();
    std::fs::write(path_of_values(size), bytes).map_err(Error::io("write the values"))
}

fn measure(cell: Cell, options: &Options) -> Result<Measured, Error> {
    let topic = format!("bench-{}-{}", cell.name, std::process::id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start a runtime"))?;
    let admin = runtime.block_on(create(&options.live, &topic))?;
    let built = |client: &&Client| {
        let words = client.command(&cell, &topic, options).unwrap_or_default();
        words.first().is_some_and(|program| program == "java" || Path::new(program).exists())
    };
    let clients: Vec<&Client> = Client::ALL.iter().filter(built).collect();
    let mut rounds = Vec::new();
    for turn in 0..options.rounds {
        eprintln!("{}: round {}", cell.name, turn + 1);
        rounds.push(round(&cell, &clients, &topic, (turn, options)));
    }
    runtime.block_on(admin.delete_topic(&topic.as_str().into()))?;
    let commands = clients.iter().filter_map(|client| {
        Some((client.name(), client.command(&cell, "TOPIC", options)?.join(" ")))
    });
    Ok(Measured { cell, commands: commands.collect(), rounds })
}

async fn create(live: &str, topic: &str) -> Result<Admin, Error> {
    let config = ClientConfig::from_servers(live).map_err(forebay::Error::from)?;
    let admin = Admin::new(&config)?;
    let mut new = NewTopic::new(topic, PARTITIONS);
    new.configs.push(("file.delete.delay.ms".to_owned(), "1000".to_owned()));
    admin.create_topic(&new).await?;
    Ok(admin)
}

fn round(
    cell: &Cell,
    clients: &[&Client],
    topic: &str,
    (turn, options): (usize, &Options),
) -> Round {
    let mut round = Round::default();
    let start = turn % clients.len().max(1);
    for client in clients.iter().cycle().skip(start).take(clients.len()) {
        let Some(words) = client.command(cell, topic, options) else { continue };
        match child::run(&words, options.client_core, Duration::from_secs(120)) {
            Ok(sample) => round.samples.push((client.name(), sample)),
            Err(error) => eprintln!("{}: {} failed: {error}", cell.name, client.name()),
        }
    }
    round
}
