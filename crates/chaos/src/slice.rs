//! In which order does a slice go? Control, then storms with quiet and single deeds between them,
//! then rest, then judgement.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forebay_histcheck::{Notebook, Order, Terms, What};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::{Cluster, SESSION};
use crate::fault::Fault;
use crate::group::{Group, Manner, Writer, own_program};
use crate::marks::{Done, Marks};
use crate::nemesis::Nemesis;
use crate::options::{Client, Options, Protocol};
use crate::outcome::{self, Outcome};
use crate::pulse::Pulse;
use crate::{judge, report, truth};

/// What was seen on the wire, and what was done.
pub(crate) const WIRE: &str = "wire.events";

/// How long a fault is felt after its end.
const GRACE: Duration = Duration::from_secs(10);
/// The longest that a partition with backlog may stand still in a quiet window.
const STALL: Duration = Duration::from_secs(10);
/// A storm and what belongs to it.
const CYCLE: Duration = Duration::from_secs(150);
/// At the end, until all is done and committed.
const REST: Duration = Duration::from_secs(120);

/// Plays all slices; whether all were good.
pub(crate) async fn all(options: &Options) -> Result<bool, Fault> {
    let mut is_good = true;
    for seed in options.seed..options.seed.saturating_add(options.slices) {
        let (folder, passing) = folder_of(options, seed)?;
        if folder.join(outcome::FILE).exists() {
            println!("seed {seed} was played before, its outcome is in {}", folder.display());
            continue;
        }
        let outcome = match play(options, seed, &folder).await {
            Ok(outcome) => outcome,
            Err(fault) if options.slices == 1 => return Err(fault),
            // It has no outcome: the next call plays it again.
            Err(fault) => {
                println!("seed {seed} came to no verdict: {fault}");
                is_good = false;
                continue;
            }
        };
        report::tell(&outcome);
        is_good &= outcome.is_good();
        if outcome.is_good() && !options.keep {
            judge::forget(&folder)?;
        }
        if outcome.is_good() && passing {
            std::fs::remove_dir_all(&folder).map_err(Fault::file(&folder))?;
        } else if !outcome.is_good() {
            println!("its history is in {}", folder.display());
        }
    }
    Ok(is_good)
}

/// The folder of a slice, and whether it is to be removed.
fn folder_of(options: &Options, seed: u64) -> Result<(PathBuf, bool), Fault> {
    let name = format!("{}-{}-{seed}", options.client.name(), options.protocol.name());
    let passing = std::env::temp_dir().join(format!("forebay-chaos-{}", std::process::id()));
    let folder = options.into.clone().unwrap_or(passing).join(name);
    // One without an outcome was broken off.
    if folder.exists() && !folder.join(outcome::FILE).exists() {
        std::fs::remove_dir_all(&folder).map_err(Fault::file(&folder))?;
    }
    std::fs::create_dir_all(&folder).map_err(Fault::file(&folder))?;
    Ok((folder, options.into.is_none()))
}

async fn play(options: &Options, seed: u64, folder: &Path) -> Result<Outcome, Fault> {
    let (mut rng, commit) = (fastrand::Rng::with_seed(seed), outcome::commit());
    let wire = folder.join(WIRE);
    let notes = Arc::new(Notebook::open(&wire).map_err(Fault::file(&wire))?);
    let cluster = Cluster::start(options, Arc::clone(&notes)).await?;
    let manner = manner(options, &cluster, &mut rng)?;
    let said = format!("{}, {}", manner.sharing, manner.order);
    println!("seed {seed}: {} with {said} on Kafka {}", options.client.name(), options.kafka);
    let terms = terms(options, &manner);
    notes.note(What::Terms(terms)).map_err(Fault::io("the history"))?;
    let pulse = Pulse::start(Arc::clone(&notes), Marks::of(folder));
    let group = Group::new(manner, folder, (Arc::clone(&notes), pulse));
    let mut nemesis = Nemesis::new(&cluster, group, (Arc::clone(&notes), Marks::of(folder)), rng);
    let seconds = Duration::from_secs_f64(options.minutes.max(0.1) * 60.0);
    let lived = live(&cluster, &mut nemesis, (options, folder, seconds)).await;
    if lived.is_err() {
        cluster.keep_logs(folder).await;
    }
    let mut unmet = lived?;
    let reader = truth::tell(&cluster, &options.kafka, &notes).await?;
    unmet.append(&mut nemesis.group.unmet);
    unmet.extend(cluster.proxy.take_errors().iter().map(ToString::to_string));
    let mut counts = std::mem::take(&mut nemesis.counts);
    counts.insert("leader moves".to_owned(), nemesis.watch.moves());
    let mut outcome = Outcome {
        seed,
        kafka: options.kafka.clone(),
        protocol: options.protocol.name().to_owned(),
        client: options.client.name().to_owned(),
        manner: said,
        seconds: seconds.as_secs(),
        commit,
        machine: outcome::machine(),
        reader: reader.to_owned(),
        unmet,
        counts,
        ..Outcome::default()
    };
    judge::judge(folder, &mut outcome)?;
    outcome.save(folder)?;
    if !outcome.is_good() {
        cluster.keep_logs(folder).await;
    }
    Ok(outcome)
}

fn manner(options: &Options, cluster: &Cluster, rng: &mut fastrand::Rng) -> Result<Manner, Fault> {
    let order = rng.choice(["partition", "unordered"]).unwrap_or("partition");
    let sharing = match (options.protocol, options.client) {
        (Protocol::Consumer, _) => "consumer",
        (Protocol::Classic, Client::Forebay) => {
            rng.choice(["cooperative-sticky", "range", "sticky"]).unwrap_or("range")
        }
        (Protocol::Classic, Client::Rdkafka) => {
            rng.choice(["cooperative-sticky", "range"]).unwrap_or("range")
        }
    };
    let (program, mut words) = match options.client {
        Client::Forebay => (own_program()?, vec!["member".to_owned()]),
        Client::Rdkafka => (options.peer.clone(), Vec::new()),
    };
    words.extend(options.dishonest.then(|| "--dishonest".to_owned()));
    // A stream of rdkafka is one record after another.
    let order = if options.client == Client::Rdkafka { "partition" } else { order };
    Ok(Manner {
        program,
        words,
        bootstrap: cluster.proxy.bootstrap_servers().to_owned(),
        sharing: sharing.to_owned(),
        order: order.to_owned(),
        slowness: options.slowness,
    })
}

fn terms(options: &Options, manner: &Manner) -> Terms {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let is_ours = options.client == Client::Forebay;
    Terms {
        session_ms: millis(SESSION),
        stall_ms: if is_ours { millis(STALL) } else { 0 },
        grace_ms: millis(GRACE),
        reaction_ms: 500,
        order: if manner.order == "partition" { Order::Key } else { Order::None },
        ..Terms::default()
    }
}

/// From the first record to rest. What was expected and did not happen.
async fn live(
    cluster: &Cluster,
    nemesis: &mut Nemesis<'_>,
    (options, folder, length): (&Options, &Path, Duration),
) -> Result<Vec<String>, Fault> {
    let writer = Writer::start(folder, cluster.proxy.bootstrap_servers(), options.rate)?;
    for _ in 0..3 {
        nemesis.join()?;
    }
    sleep(GRACE).await;
    let (begin, end) = (Instant::now(), Instant::now() + length);
    control(nemesis, begin + (length / 6).min(Duration::from_secs(60))).await?;
    tell(cluster, nemesis, "after the control").await;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        cycle(cluster, nemesis, if left < CYCLE.mul_f64(1.5) { left } else { CYCLE }).await?;
    }
    let mut unmet = Vec::new();
    nemesis.heal().await?;
    unmet.extend(writer.end().await);
    if !rest(cluster).await {
        unmet.push(format!("not all was done and committed within {REST:?}"));
    }
    tell(cluster, nemesis, "at rest").await;
    nemesis.group.end().await?;
    Ok(unmet)
}

/// Nothing happens, so that there is something to compare with.
async fn control(nemesis: &Nemesis<'_>, until: Instant) -> Result<(), Fault> {
    let from = forebay_histcheck::now();
    nemesis.note(What::QuietBegins)?;
    sleep_until(until).await;
    nemesis.note(What::QuietEnds)?;
    nemesis.marks.note_at(from, Done::Nothing { until: forebay_histcheck::now() })
}

/// A storm, healing, a quiet window with a member that is restarted, single deeds.
async fn cycle(
    cluster: &Cluster,
    nemesis: &mut Nemesis<'_>,
    length: Duration,
) -> Result<(), Fault> {
    let end = Instant::now() + length;
    nemesis.storm(Instant::now() + length.mul_f64(0.45)).await?;
    nemesis.heal().await?;
    tell(cluster, nemesis, "after a storm").await;
    sleep(GRACE + Duration::from_secs(2)).await;
    let left = end.saturating_duration_since(Instant::now());
    nemesis.note(What::QuietBegins)?;
    sleep(left / 6).await;
    nemesis.group.look()?;
    nemesis.leave()?;
    nemesis.join()?;
    sleep(left / 6).await;
    nemesis.note(What::QuietEnds)?;
    nemesis.solo(end).await
}

/// Waits until everything is committed.
async fn rest(cluster: &Cluster) -> bool {
    let by = Instant::now() + REST;
    while Instant::now() < by {
        let ends = truth::ends(&cluster.admin).await;
        if ends.is_ok_and(|ends| ends.iter().all(|(_, committed, end)| committed == end)) {
            return true;
        }
        sleep(Duration::from_millis(500)).await;
    }
    false
}

/// A line for those who wait.
async fn tell(cluster: &Cluster, nemesis: &Nemesis<'_>, when: &str) {
    let ends = truth::ends(&cluster.admin).await.unwrap_or_default();
    let (committed, end) =
        ends.iter().fold((0, 0), |sum, (_, committed, end)| (sum.0 + committed, sum.1 + end));
    let count = |what: &str| nemesis.counts.get(what).copied().unwrap_or(0);
    println!(
        "{when}: {end} written, {committed} committed; {} members; kills {} of members, {} of \
         brokers, {} leader moves, {} faults of the network",
        nemesis.group.members.len(),
        count("consumer kills"),
        count("broker kills"),
        nemesis.watch.moves(),
        count("faults of the network"),
    );
}
