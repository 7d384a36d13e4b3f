//! How long does a partition stand still when a member joins or leaves: one that stays where it is,
//! and one that moves? Ours, Java's and librdkafka's members, in groups of their own, read the same
//! topic of a real broker at the same time; each prints what it has handled, and this program notes
//! when it reads that.

mod gaps;
mod load;
mod member;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::error::Error;
use crate::machine::Machine;
use gaps::{Change, Figures, Seen};
use load::Load;
use member::{Client, Member, Team};

/// Members of each group before one more joins.
const MEMBERS: usize = 3;
/// From a change until it is over for everybody, with room for a member that has to start a JVM.
const WINDOW: Duration = Duration::from_secs(8);
/// Groups get so long to share.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured, and on which broker.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A real broker.
    #[arg(long, value_name = "HOST:PORT")]
    live: String,
    /// `cooperative-sticky`, or `consumer` for KIP-848.
    #[arg(long, default_value = "cooperative-sticky")]
    how: String,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 12)]
    partitions: i32,
    /// Records a second, over all partitions.
    #[arg(long, default_value_t = 6_000)]
    rate: u32,
    /// Seconds before the first change, to compare with.
    #[arg(long, default_value_t = 60)]
    before: u64,
    /// How often one more member joins and leaves, in each group.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// A file with the class path of kafka-clients; without it Java's take no part.
    #[arg(long, value_name = "FILE")]
    java: Option<PathBuf>,
    /// librdkafka's, by kcat, take part where it knows the protocol.
    #[arg(long)]
    kcat: bool,
    /// Where a JSON file of every gap goes.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

#[derive(Debug, Serialize)]
struct Findings {
    machine: Machine,
    how: String,
    figures: Vec<Figures>,
}

/// Lets the groups live, changes them, and prints a table.
///
/// # Errors
///
/// When the broker or a client fails, or a group does not share.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let machine = Machine::here()?;
    let topic = format!("rebalance-{}", std::process::id());
    let load = Load::start(options, &topic)?;
    let mut groups: Vec<Group> = clients(options)?
        .into_iter()
        .map(|client| Group::start(options, &topic, client))
        .collect::<Result<_, _>>()?;
    for group in &groups {
        group.shared(options.partitions)?;
    }
    std::thread::sleep(Duration::from_secs(options.before));
    for _ in 0..options.rounds {
        for group in &mut groups {
            group.joins()?;
            std::thread::sleep(WINDOW);
        }
        for group in &mut groups {
            group.leaves()?;
            std::thread::sleep(WINDOW);
        }
    }
    load.stop()?;
    let before = Duration::from_secs(options.before);
    let figures = groups.into_iter().map(|group| group.end(before)).collect::<Result<_, _>>()?;
    let findings = Findings { machine, how: options.how.clone(), figures };
    println!("{}", gaps::table(&findings.how, &findings.figures));
    let path = findings.machine.keep(&options.results, "rebalance", &findings)?;
    println!("results: {}", path.display());
    Ok(())
}

fn clients(options: &Options) -> Result<Vec<Client>, Error> {
    let mut clients = vec![Client::Forebay];
    if let Some(path) = &options.java {
        let class_path = std::fs::read_to_string(path).map_err(Error::io("read a class path"))?;
        clients.push(Client::Java { class_path: class_path.trim().to_owned() });
    }
    if options.kcat {
        clients.push(Client::Kcat);
    }
    Ok(clients)
}

/// One client's group.
struct Group {
    team: Team,
    seen: Seen,
    members: Vec<Member>,
    changes: Vec<(Change, Instant)>,
    started: usize,
}

impl Group {
    fn start(options: &Options, topic: &str, client: Client) -> Result<Self, Error> {
        let team = Team::new(options, topic, client)?;
        let (seen, members) = (Seen::default(), Vec::new());
        let mut group = Self { team, seen, members, changes: Vec::new(), started: 0 };
        for _ in 0..MEMBERS {
            group.add()?;
        }
        Ok(group)
    }

    fn add(&mut self) -> Result<(), Error> {
        let member = self.team.member(self.started, &self.seen)?;
        self.started += 1;
        self.members.push(member);
        Ok(())
    }

    /// Waits until each member has handled something of late, and all partitions flow.
    fn shared(&self, partitions: i32) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        while !self.seen.is_shared(self.members.len(), partitions) {
            if until < Instant::now() {
                return Err(Error::Overdue { limit: PATIENCE });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn joins(&mut self) -> Result<(), Error> {
        self.changes.push((Change::Join, Instant::now()));
        self.add()
    }

    /// The first one, so that not the newest always goes.
    fn leaves(&mut self) -> Result<(), Error> {
        self.changes.push((Change::Leave, Instant::now()));
        if self.members.is_empty() {
            return Ok(());
        }
        self.members.remove(0).leave(&self.team)
    }

    fn end(mut self, before: Duration) -> Result<Figures, Error> {
        while let Some(member) = self.members.pop() {
            member.leave(&self.team)?;
        }
        Ok(self.seen.figures(self.team.name(), (&self.changes, before), WINDOW))
    }
}
