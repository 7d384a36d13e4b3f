//! Who is measured, and with which command?

use std::path::Path;

use crate::cell::{CELLS, Cell, Source};

/// Who builds the program of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Program {
    /// This one.
    Bench,
    /// The product's command line, `forebay`.
    Forebay,
    /// One of `bench/peers`.
    Peer(&'static str),
}

/// A command that reads a topic and prints one line of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    program: Program,
    /// What it is told beside the broker, the topic, the partitions and the records.
    arguments: &'static [&'static str],
}

/// The name of the client that all others are compared with.
pub(crate) const FLOOR: &str = "floor";

const fn client(
    name: &'static str,
    program: Program,
    arguments: &'static [&'static str],
) -> Client {
    Client { name, program, arguments }
}

const RDKAFKA: Program = Program::Peer("peer-rdkafka");
const KACRAB: Program = Program::Peer("peer-kacrab");
const FRANZ: Program = Program::Peer("peer-franz");
const PERF: [&str; 4] = ["perf", "consume", "--output", "json"];

/// Everybody.
pub(crate) const CLIENTS: [Client; 13] = [
    client(FLOOR, Program::Bench, &["floor"]),
    client("forebay batches", Program::Forebay, &["--api", "batches"]),
    client("forebay records", Program::Forebay, &["--api", "records"]),
    client("forebay stream", Program::Forebay, &["--api", "stream"]),
    client("forebay batches x2", Program::Forebay, &["--api", "batches", "--workers", "2"]),
    client("forebay records x2", Program::Forebay, &["--api", "records", "--workers", "2"]),
    client("rdkafka batches", RDKAFKA, &["--api", "batches"]),
    client("rdkafka batches tuned", RDKAFKA, &["--api", "batches", "--tuned"]),
    client("rdkafka stream tuned", RDKAFKA, &["--api", "stream", "--tuned"]),
    client("kacrab", KACRAB, &[]),
    client("kacrab tuned", KACRAB, &["--tuned"]),
    client("franz-go pooled", FRANZ, &["--api", "pooled"]),
    client("franz-go pooled tuned", FRANZ, &["--api", "pooled", "--tuned"]),
];

impl Client {
    /// The program and its arguments; `group` is one that nobody has used before.
    pub(crate) fn command(&self, cell: &Cell, bootstrap: &str, group: &str) -> Vec<String> {
        let mut words = vec![self.program.path()];
        if self.program == Program::Forebay {
            words.extend(PERF.map(str::to_owned));
        }
        words.extend(self.arguments.iter().map(|word| (*word).to_owned()));
        let records = cell.records.to_string();
        let common =
            ["--bootstrap-servers", bootstrap, "--topic", cell.name, "--records", &records];
        words.extend(common.map(str::to_owned));
        match (self.program, cell.source) {
            (Program::Bench, _) => {
                words.extend(["--partitions".to_owned(), cell.partitions.to_string()]);
            }
            // On a real broker the others do what they are made for: join a group.
            (Program::Peer(_), Source::Live) => {
                words.extend(["--group".to_owned(), group.to_owned()]);
            }
            (Program::Forebay | Program::Peer(_), _) => {
                let partitions = format!("0-{}", cell.partitions - 1);
                words.extend(["--partitions".to_owned(), partitions]);
            }
        }
        words
    }

    /// The command with words in place of what differs from cell to cell.
    pub(crate) fn pattern(&self) -> String {
        let words = ["TOPIC", "HOST:PORT"];
        let [topic, bootstrap] = words;
        let cell = Cell { name: topic, ..CELLS[0] };
        self.command(&cell, bootstrap, "GROUP").join(" ")
    }

    /// The product and its rivals are compared; the floor is neither.
    pub(crate) fn is_rival(&self) -> bool {
        matches!(self.program, Program::Peer(_))
    }

    /// Whether the program has been built.
    pub(crate) fn is_built(&self) -> bool {
        Path::new(&self.program.path()).exists()
    }
}

impl Program {
    /// Where the build put it, seen from the workspace's root.
    fn path(self) -> String {
        match self {
            Self::Bench => "target/release/forebay-bench".to_owned(),
            Self::Forebay => "target/release/forebay".to_owned(),
            Self::Peer(name) => format!("bench/peers/target/peers/{name}"),
        }
    }
}
