//! What do many members of one group cost while they join, while nothing happens, and when one of
//! them leaves? All members live in this process, on one thread.

mod count;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use forebay::assignor::{CooperativeSticky, Range};
use forebay::config::{ClientConfig, ConsumerConfig};
use forebay::runtime::Placement;
use forebay::{
    Batch, Consumer, ConsumerHandle, Context, GroupProtocol, OffsetReset, OwnershipEvent,
};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::meter::{self, Meter};
use count::{Counted, Traffic};

/// How often the herd is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A herd that is not settled by then never will be.
const LIMIT: Duration = Duration::from_secs(240);
/// How long a fetch waits for records that never come: what is measured is not fetching.
const FETCH_WAIT: Duration = Duration::from_secs(25);
/// After a change members beat sooner for a while; then the group is at rest.
const CALMS_DOWN: Duration = Duration::from_secs(25);
const CLOSE: Duration = Duration::from_secs(20);

/// How the members share.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sharing {
    Range,
    CooperativeSticky,
    /// KIP-848.
    Consumer,
}

impl Sharing {
    pub(crate) const ALL: [Self; 3] = [Self::Range, Self::CooperativeSticky, Self::Consumer];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::CooperativeSticky => "cooperative-sticky",
            Self::Consumer => "consumer",
        }
    }
}

/// Who joins what.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    bootstrap_servers: String,
    /// A topic without records.
    #[arg(long)]
    topic: String,
    /// Its partitions.
    #[arg(long)]
    partitions: usize,
    #[arg(long)]
    members: usize,
    #[arg(long, value_enum)]
    sharing: Sharing,
    /// How long to measure while nothing happens.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Keep the process on this core.
    #[arg(long)]
    core: Option<usize>,
}

/// What a while took.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Took {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) bytes: u64,
}

/// The line of a herd.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) members: usize,
    pub(crate) partitions: usize,
    /// From the first start until every partition has one owner, and for a second longer.
    pub(crate) join: Took,
    /// Nothing happens.
    pub(crate) rest: Took,
    /// From the close of a member until its partitions have new owners.
    pub(crate) leave: Took,
    /// All others close.
    pub(crate) end: Took,
    pub(crate) peak_rss_bytes: u64,
}

/// Lets the herd live and prints one line of JSON.
///
/// # Errors
///
/// When a member cannot start, or the herd does not settle.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    if let Some(core) = options.core {
        meter::pin(core)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.map_err(Error::io("start a runtime"))?.block_on(live(options))?;
    let line = serde_json::to_string(&report);
    println!("{}", line.map_err(|source| Error::io("write the result")(source.into()))?);
    Ok(())
}

/// Who owns each partition, as members were told.
type Owners = Arc<Mutex<BTreeMap<i32, Vec<usize>>>>;

struct Herd<'a> {
    options: &'a Options,
    owners: Owners,
    traffic: Arc<Traffic>,
    members: Vec<ConsumerHandle>,
}

async fn live(options: &Options) -> Result<Report, Error> {
    let (owners, traffic) = (Owners::default(), Arc::new(Traffic::default()));
    let mut herd = Herd { options, owners, traffic, members: Vec::new() };
    let phase = Phase::begin(&herd);
    for number in 0..options.members {
        let member = herd.start(number)?;
        herd.members.push(member);
        // As processes do that are started together.
        tokio::task::yield_now().await;
    }
    herd.settled().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let join = phase.end(&herd);
    tokio::time::sleep(CALMS_DOWN).await;
    let phase = Phase::begin(&herd);
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let rest = phase.end(&herd);
    let phase = Phase::begin(&herd);
    if let Some(first) = herd.members.pop() {
        first.close(CLOSE).await;
    }
    herd.settled().await?;
    let leave = phase.end(&herd);
    let phase = Phase::begin(&herd);
    for member in &herd.members {
        member.shutdown(CLOSE);
    }
    for member in &herd.members {
        member.ended().await;
    }
    let (members, partitions) = (options.members, options.partitions);
    let (end, peak_rss_bytes) = (phase.end(&herd), meter::peak_rss());
    Ok(Report { members, partitions, join, rest, leave, end, peak_rss_bytes })
}

impl Herd<'_> {
    fn start(&self, number: usize) -> Result<ConsumerHandle, Error> {
        let Options { bootstrap_servers, topic, sharing, .. } = self.options;
        let client = ClientConfig::from_servers(bootstrap_servers).map_err(forebay::Error::from)?;
        let config = ConsumerConfig {
            client: ClientConfig { request_timeout: Duration::from_secs(60), ..client },
            fetch_max_wait: FETCH_WAIT,
            ..ConsumerConfig::default()
        };
        let (owners, traffic) = (Arc::clone(&self.owners), Arc::clone(&self.traffic));
        let builder = Consumer::builder()
            .config(config)
            .group_id(topic.as_str())
            .topics([topic.as_str()])
            .auto_offset_reset(OffsetReset::Earliest)
            .session_timeout(Duration::from_secs(45))
            .connector(Arc::new(Counted::new(traffic)))
            .placement(Placement::Caller)
            .budget_bytes(4 << 20)
            .workers(1)
            .on_ownership(move |event| note(&owners, number, event));
        let consumer = match sharing {
            Sharing::Range => builder.assignors([Arc::new(Range) as _]),
            Sharing::CooperativeSticky => builder.assignors([Arc::new(CooperativeSticky) as _]),
            Sharing::Consumer => builder.group_protocol(GroupProtocol::Consumer),
        };
        let consumer = consumer.build()?;
        let handle = consumer.handle();
        // Its end is told by the handle.
        drop(tokio::spawn(consumer.run_batches(async |_: Batch, _: Context| ())));
        Ok(handle)
    }

    /// Every partition has one owner, and nobody has two more than another.
    async fn settled(&self) -> Result<(), Error> {
        let settled = async {
            while !self.is_settled() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let settled = tokio::time::timeout(LIMIT, settled).await;
        settled.map_err(|_| Error::Overdue { limit: LIMIT })
    }

    fn is_settled(&self) -> bool {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loads: BTreeMap<usize, usize> = BTreeMap::new();
        owners.values().flatten().for_each(|owner| *loads.entry(*owner).or_default() += 1);
        let most = self.options.partitions.div_ceil(self.members.len().max(1));
        owners.len() == self.options.partitions
            && owners.values().all(|owners| owners.len() == 1)
            && loads.values().all(|load| *load <= most)
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "of many events three change who owns what")]
fn note(owners: &Owners, member: usize, event: &OwnershipEvent) {
    let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
    let mut gone = |partition: i32| owners.entry(partition).or_default().retain(|it| *it != member);
    match event {
        OwnershipEvent::Released { tp, .. } => gone(tp.partition),
        OwnershipEvent::Lost(tps) => tps.iter().for_each(|tp| gone(tp.partition)),
        OwnershipEvent::Gained(tps) => {
            tps.iter().for_each(|tp| owners.entry(tp.partition).or_default().push(member));
        }
        _ => {}
    }
}

/// What was used before it began.
struct Phase {
    meter: Meter,
    cpu: Duration,
    bytes: u64,
}

impl Phase {
    fn begin(herd: &Herd<'_>) -> Self {
        Self { meter: Meter::start(), cpu: meter::cpu(), bytes: herd.traffic.bytes() }
    }

    fn end(self, herd: &Herd<'_>) -> Took {
        Took {
            wall_s: self.meter.wall().as_secs_f64(),
            cpu_s: meter::cpu().saturating_sub(self.cpu).as_secs_f64(),
            bytes: herd.traffic.bytes().saturating_sub(self.bytes),
        }
    }
}
