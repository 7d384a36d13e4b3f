//! Who is measured, and with which command?

use std::path::Path;

use crate::cell::{CELLS, Cell};

/// Who builds the program of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Program {
    /// This one: the floor, and the product through its public API.
    Bench,
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

/// Everybody.
pub(crate) const CLIENTS: [Client; 16] = [
    client(FLOOR, Program::Bench, &["floor"]),
    client("forebay batches", Program::Bench, &["ours", "--api", "batches"]),
    client("forebay records", Program::Bench, &["ours", "--api", "records"]),
    client("forebay stream", Program::Bench, &["ours", "--api", "stream"]),
    client("forebay local", Program::Bench, &["ours", "--api", "local"]),
    client("forebay member batches", Program::Bench, &["ours", "--api", "batches", "--member"]),
    client("forebay member records", Program::Bench, &["ours", "--api", "records", "--member"]),
    client("forebay x2 batches", Program::Bench, &["ours", "--api", "batches", "--workers", "2"]),
    client("forebay x2 records", Program::Bench, &["ours", "--api", "records", "--workers", "2"]),
    client("rdkafka batches", RDKAFKA, &["--api", "batches"]),
    client("rdkafka batches tuned", RDKAFKA, &["--api", "batches", "--tuned"]),
    client("rdkafka stream tuned", RDKAFKA, &["--api", "stream", "--tuned"]),
    client("kacrab", KACRAB, &[]),
    client("kacrab tuned", KACRAB, &["--tuned"]),
    client("franz-go pooled", FRANZ, &["--api", "pooled"]),
    client("franz-go pooled tuned", FRANZ, &["--api", "pooled", "--tuned"]),
];

impl Client {
    /// The program and its arguments. Everybody is given the same partitions, members aside:
    /// joining a group would add seconds to some and nothing to others.
    pub(crate) fn command(&self, cell: &Cell, bootstrap: &str) -> Vec<String> {
        let partitions = match self.program {
            Program::Bench => cell.partitions.to_string(),
            Program::Peer(_) => format!("0-{}", cell.partitions - 1),
        };
        let records = cell.records.to_string();
        let common = [
            ["--bootstrap-servers", bootstrap],
            ["--topic", cell.name],
            ["--records", &records],
            ["--partitions", &partitions],
        ];
        let words = self.arguments.iter().chain(common.as_flattened());
        std::iter::once(self.program.path()).chain(words.map(|word| (*word).to_owned())).collect()
    }

    /// The command with words in place of what differs from cell to cell.
    pub(crate) fn pattern(&self) -> String {
        let words = ["TOPIC", "HOST:PORT"];
        let [topic, bootstrap] = words;
        let cell = Cell { name: topic, ..CELLS[0] };
        self.command(&cell, bootstrap).join(" ")
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
            Self::Peer(name) => format!("bench/peers/target/peers/{name}"),
        }
    }
}
