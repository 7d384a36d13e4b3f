//! Which loads are measured, and what must hold for them? The tables are the suite's contents.

use forebay_protocol::records::codec::Codec;
use serde::{Serialize, Serializer};

/// Where a cell's records come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The replay broker, started for the cell.
    Replay,
    /// A real broker, named on the command line; the topic has the cell's name.
    Live,
}

/// One load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cell {
    /// Its name, and its topic's.
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    /// Bytes of each value.
    pub(crate) record_size: usize,
    pub(crate) records_per_batch: i32,
    #[serde(serialize_with = "name_of")]
    pub(crate) codec: Codec,
    pub(crate) partitions: i32,
    /// Records that each client reads in each round.
    pub(crate) records: u64,
    /// Part of the suite that runs when no cell is named.
    pub(crate) standard: bool,
}

impl Cell {
    /// The same load with fewer records.
    pub(crate) fn divided(self, by: u64) -> Self {
        Self { records: self.records / by.max(1), ..self }
    }
}

fn name_of<S: Serializer>(codec: &Codec, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(codec.name())
}

/// A cell with 8 partitions that is part of the standard suite.
const fn standard(
    name: &'static str,
    source: Source,
    (record_size, records_per_batch): (usize, i32),
    codec: Codec,
    records: u64,
) -> Cell {
    let partitions = 8;
    Cell {
        name,
        source,
        record_size,
        records_per_batch,
        codec,
        partitions,
        records,
        standard: true,
    }
}

/// The same cell with another share of the suite.
const fn extra(mut cell: Cell, partitions: i32) -> Cell {
    cell.partitions = partitions;
    cell.standard = false;
    cell
}

const SMALL: (usize, i32) = (100, 1_000);
const LARGE: (usize, i32) = (1_000, 100);
/// 1 KB records in batches of 16 KB, as producers that do not linger write them.
const LARGE_FEW: (usize, i32) = (1_000, 16);
/// 100 B records in batches of 1 KB.
const SMALL_FEW: (usize, i32) = (100, 10);

/// Every load there is.
pub(crate) const CELLS: [Cell; 15] = [
    standard("replay-100-none", Source::Replay, SMALL, Codec::None, 8_000_000),
    standard("replay-100-lz4", Source::Replay, SMALL, Codec::Lz4, 6_000_000),
    standard("replay-100-zstd", Source::Replay, SMALL, Codec::Zstd, 3_000_000),
    standard("replay-1k-none", Source::Replay, LARGE, Codec::None, 2_000_000),
    standard("replay-1k-lz4", Source::Replay, LARGE, Codec::Lz4, 1_000_000),
    standard("replay-1k-zstd", Source::Replay, LARGE, Codec::Zstd, 500_000),
    extra(standard("replay-100-snappy", Source::Replay, SMALL, Codec::Snappy, 6_000_000), 8),
    extra(standard("replay-100-gzip", Source::Replay, SMALL, Codec::Gzip, 2_000_000), 8),
    extra(standard("replay-100-none-x1", Source::Replay, SMALL, Codec::None, 8_000_000), 1),
    extra(standard("replay-100-none-x64", Source::Replay, SMALL, Codec::None, 8_000_000), 64),
    extra(standard("replay-100-none-b10", Source::Replay, SMALL_FEW, Codec::None, 6_000_000), 8),
    extra(standard("replay-1k-none-b16", Source::Replay, LARGE_FEW, Codec::None, 2_000_000), 8),
    standard("live-100-none", Source::Live, SMALL, Codec::None, 20_000_000),
    standard("live-100-lz4", Source::Live, SMALL, Codec::Lz4, 20_000_000),
    standard("live-1k-none", Source::Live, LARGE, Codec::None, 5_000_000),
];

/// The cell of this name.
pub(crate) fn named(name: &str) -> Option<&'static Cell> {
    CELLS.iter().find(|cell| cell.name == name)
}

/// What must hold between the figures of one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Median of CPU per record over the floor's of the same round.
    TimesFloor(f64),
    /// CPU per record over that of the cheapest of the clients whose name starts so, in the same
    /// round.
    TimesPeer(&'static str, f64),
    /// No peer is faster by wall time by more than a twentieth in six of seven rounds.
    Unbeaten,
    /// Bytes that came over the wire by bytes handed over.
    FetchedOverDelivered(f64),
}

/// A promise about one client in the cells whose name starts so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) cells: &'static str,
    pub(crate) client: &'static str,
    pub(crate) bound: Bound,
}

const fn target(cells: &'static str, client: &'static str, bound: Bound) -> Target {
    Target { cells, client, bound }
}

const BATCHES: &str = "forebay batches";
const RECORDS: &str = "forebay records";
/// The same as a member of a group.
const MEMBER_BATCHES: &str = "forebay member batches";
const MEMBER_RECORDS: &str = "forebay member records";

/// The promises. A missed one is printed as missed and stays in the table.
pub(crate) const TARGETS: [Target; 15] = [
    target("replay-100-none", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-100-lz4", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-100-zstd", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-1k-none", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-1k-lz4", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-1k-zstd", BATCHES, Bound::TimesFloor(1.3)),
    target("replay-100-none", RECORDS, Bound::TimesFloor(2.5)),
    target("replay-100-none", MEMBER_BATCHES, Bound::TimesFloor(1.3)),
    target("replay-100-none", MEMBER_RECORDS, Bound::TimesFloor(2.5)),
    target("replay-100-none", BATCHES, Bound::TimesPeer("rdkafka", 1.0 / 6.0)),
    target("live-100-none", BATCHES, Bound::TimesPeer("franz-go pooled", 0.4)),
    target("live-100-lz4", BATCHES, Bound::TimesPeer("franz-go pooled", 0.4)),
    target("live-1k-none", BATCHES, Bound::TimesPeer("franz-go pooled", 0.65)),
    target("live-", BATCHES, Bound::Unbeaten),
    target("", BATCHES, Bound::FetchedOverDelivered(1.02)),
];
