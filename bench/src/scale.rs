//! How do the costs of a group grow with its members? Ten times the members over ten times the
//! partitions may cost twelve times as much.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use clap::Args;
use forebay::Admin;
use forebay::admin::NewTopic;
use forebay::config::ClientConfig;
use serde::Serialize;

use crate::child;
use crate::error::Error;
use crate::herd::{Report, Sharing, Took};
use crate::machine::Machine;
use crate::meter::as_f64;

/// Ten times as much of everything, and a fifth more.
const LIMIT: f64 = 12.0;
/// A herd that takes longer is broken.
const OVERDUE: Duration = Duration::from_secs(600);

/// How many, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Members of the smaller group, over as many partitions; the larger one has ten times both.
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Only groups that share so; all by default.
    #[arg(long, value_enum)]
    sharing: Option<Sharing>,
    /// A real broker, and one group of this many members on it, in place of two on ours.
    #[arg(long, value_name = "HOST:PORT")]
    live: Option<String>,
    /// How long to measure while nothing happens.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Core of the broker in a process of its own.
    #[arg(long, default_value_t = 0)]
    broker_core: usize,
    /// Core of the members.
    #[arg(long, default_value_t = 1)]
    client_core: usize,
    /// Where a JSON file of every run goes.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// End with an error when a promise is missed.
    #[arg(long)]
    gate: bool,
}

#[derive(Debug, Serialize)]
struct Findings {
    machine: Machine,
    herds: Vec<Herd>,
}

#[derive(Debug, Serialize)]
struct Herd {
    sharing: &'static str,
    command: String,
    report: Report,
}

/// Runs the groups one after another and prints a table and a verdict for each pair.
///
/// # Errors
///
/// When a broker or a herd fails, and with `--gate` when a promise is missed.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut findings = Findings { machine: Machine::here()?, herds: Vec::new() };
    let broker = match options.live {
        Some(_) => None,
        None => Some(OwnBroker::start(options.broker_core)?),
    };
    let bootstrap = broker.as_ref().map(|it| it.bootstrap.clone()).or_else(|| options.live.clone());
    let bootstrap = bootstrap.unwrap_or_default();
    let sizes = match options.live {
        Some(_) => vec![options.members],
        None => vec![options.members, options.members * 10],
    };
    let mut missed = 0;
    println!("{HEAD}");
    for sharing in Sharing::ALL.into_iter().filter(|it| options.sharing.is_none_or(|s| s == *it)) {
        for members in &sizes {
            let herd = measure(options, &bootstrap, (sharing, *members))?;
            println!("{}", row(&herd));
            findings.herds.push(herd);
        }
        missed += verdict(&findings.herds, sharing);
    }
    let path = findings.machine.keep(&options.results, "group-scale", &findings)?;
    println!("results: {}", path.display());
    if options.gate && missed > 0 { Err(Error::Missed { missed }) } else { Ok(()) }
}

fn measure(
    options: &Options,
    bootstrap: &str,
    (sharing, members): (Sharing, usize),
) -> Result<Herd, Error> {
    let topic = format!("herd-{members}-{}-{}", sharing.name(), std::process::id());
    create(bootstrap, &topic, members)?;
    let words = format!(
        "target/release/forebay-bench herd --bootstrap-servers {bootstrap} --topic {topic} \
         --members {members} --partitions {members} --sharing {} --seconds {}",
        sharing.name(),
        options.seconds,
    );
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let said = child::said(&words, options.client_core, OVERDUE)?;
    let report = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|source| Error::Line { command: words.join(" "), source })?;
    Ok(Herd { sharing: sharing.name(), command: words.join(" "), report })
}

fn create(bootstrap: &str, topic: &str, partitions: usize) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let config = ClientConfig::from_servers(bootstrap).map_err(forebay::Error::from)?;
    runtime.map_err(Error::io("start a runtime"))?.block_on(async {
        let admin = Admin::new(&config)?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        Ok(admin.create_topic(&NewTopic::new(topic, partitions)).await?)
    })
}

const HEAD: &str = "| sharing | members | join: s, CPU s, MB | at rest, a minute: CPU s, KB | \
                    one leaves: s, CPU s, KB | all close: s, CPU s | RSS MiB |\n\
                    |---|---|---|---|---|---|---|";

fn row(herd: &Herd) -> String {
    let Report { join, rest, leave, end, members, peak_rss_bytes, .. } = &herd.report;
    let minute = 60.0 / rest.wall_s;
    format!(
        "| {} | {members} | {:.2}, {:.2}, {:.2} | {:.2}, {:.0} | {:.2}, {:.3}, {:.0} | {:.2}, {:.2} | {:.0} |",
        herd.sharing,
        join.wall_s,
        join.cpu_s,
        as_f64(join.bytes) / 1e6,
        rest.cpu_s * minute,
        as_f64(rest.bytes) / 1e3 * minute,
        leave.wall_s,
        leave.cpu_s,
        as_f64(leave.bytes) / 1e3,
        end.wall_s,
        end.cpu_s,
        as_f64(*peak_rss_bytes) / 1_048_576.0,
    )
}

/// Prints the ratios between the two sizes; how many are too large.
fn verdict(herds: &[Herd], sharing: Sharing) -> usize {
    let mut of_sharing = herds.iter().filter(|herd| herd.sharing == sharing.name());
    let (Some(small), Some(large)) = (of_sharing.next(), of_sharing.next()) else { return 0 };
    let (small, large) = (&small.report, &large.report);
    let phases = [
        ("join", small.join, large.join),
        ("rest", small.rest, large.rest),
        ("leave", small.leave, large.leave),
        ("end", small.end, large.end),
        ("all", small.all(), large.all()),
    ];
    let mut missed = 0;
    for (phase, small, large) in phases {
        let cpu = large.cpu_s / small.cpu_s.max(1e-6);
        let bytes = as_f64(large.bytes) / as_f64(small.bytes.max(1));
        let is_met = cpu <= LIMIT && bytes <= LIMIT;
        missed += usize::from(!is_met);
        let mark = if is_met { "met   " } else { "MISSED" };
        println!(
            "{mark}  {} {phase}: at most x {LIMIT}, CPU x {cpu:.1}, bytes x {bytes:.1}",
            sharing.name()
        );
    }
    missed
}

impl Report {
    /// A life of a minute at rest, with its beginning, a change and its end.
    fn all(&self) -> Took {
        let phases = [self.join, self.rest, self.leave, self.end];
        let minute = 60.0 / self.rest.wall_s.max(1.0);
        let cpu: f64 = phases.iter().map(|it| it.cpu_s).sum();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "far below the 2^53 that a float holds exactly, and positive"
        )]
        let rest = (as_f64(self.rest.bytes) * (minute - 1.0)) as u64;
        Took {
            wall_s: phases.iter().map(|it| it.wall_s).sum(),
            cpu_s: cpu + self.rest.cpu_s * (minute - 1.0),
            bytes: phases.iter().map(|it| it.bytes).sum::<u64>() + rest,
        }
    }
}

/// `forebay broker` on a core of its own.
struct OwnBroker {
    child: Child,
    bootstrap: String,
}

impl OwnBroker {
    fn start(core: usize) -> Result<Self, Error> {
        let words = ["target/release/forebay", "broker", "--port", "0"].map(str::to_owned);
        let mut child = child::start(&words, core)?;
        let mut bootstrap = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output)
                .read_line(&mut bootstrap)
                .map_err(Error::io("hear of the broker; build it: cargo build --release"))?;
        }
        if bootstrap.trim().is_empty() {
            let status: ExitStatus = child.wait().map_err(Error::io("wait for the broker"))?;
            return Err(Error::Failed { status });
        }
        Ok(Self { child, bootstrap: bootstrap.trim().to_owned() })
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
