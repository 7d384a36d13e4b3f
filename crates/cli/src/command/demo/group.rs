//! What happens while members come and go? Records flow, members join, leave and are killed, and
//! what passed on the wire and in handlers is judged at the end.

mod churn;
mod judge;
mod member;
mod story;
mod truth;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_histcheck::{Needs, Verdict};
use forebay_proxy::{Broker, Proxy};

use self::churn::Cast;
use self::judge::Judge;
use super::{Options, Stage};
use crate::args::Servers;
use crate::command::{Ending, Surroundings};
use crate::error::CliError;

/// How long what was written last may take until it is committed: members that were killed are
/// missed for a session, 45 s where brokers have Kafka's defaults.
const CATCH_UP: Duration = Duration::from_secs(90);
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// What all of the group's demo share.
struct Scene<'a> {
    options: &'a Options,
    stage: &'a Stage,
    around: &'a Surroundings,
    judge: Arc<Judge>,
    proxy: Proxy,
    /// The way through the proxy.
    servers: Servers,
    began: Instant,
}

/// Plays it to its end and judges it.
pub(super) async fn acts(
    options: &Options,
    stage: &Stage,
    around: &Surroundings,
) -> Result<Ending, CliError> {
    let scene = Scene::set(options, stage, around).await?;
    story::opening(&scene)?;
    let mut cast = Cast::new(&scene);
    let played = tokio::select! {
        played = play(&scene, &mut cast) => played.map(Some),
        () = around.stop.requested() => Ok(None),
    };
    let leaving = cast.leave().await;
    let Some(written) = played? else { return Ok(Ending::Interrupted) };
    let records = truth::tell(&scene).await?;
    let verdict = scene.verdict(records);
    let outcome = story::Outcome::new(&scene, (written, records), (&verdict, leaving));
    outcome.show(around.shared.output)?;
    Ok(if outcome.has_passed() { Ending::Done } else { Ending::Failed })
}

/// How many records were acknowledged.
async fn play(scene: &Scene<'_>, cast: &mut Cast<'_>) -> Result<u64, CliError> {
    let watched = story::watch(scene);
    let work = async {
        cast.open().await?;
        let (written, ()) = tokio::try_join!(write::write(scene), cast.churn())?;
        scene.story("all is written; what is left is worked through");
        settle(scene).await?;
        Ok(written)
    };
    tokio::select! {
        worked = work => worked,
        error = watched => Err(error),
    }
}

/// Waits until everything is committed; what is missing by then the verdict will name.
async fn settle(scene: &Scene<'_>) -> Result<(), CliError> {
    let until = Instant::now() + CATCH_UP;
    while Instant::now() < until && !truth::is_all_committed(scene.stage).await? {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl<'a> Scene<'a> {
    async fn set(
        options: &'a Options,
        stage: &'a Stage,
        around: &'a Surroundings,
    ) -> Result<Self, CliError> {
        let brokers = stage.admin.describe_cluster().await?.brokers;
        let brokers: Vec<Broker> = brokers
            .into_iter()
            .map(|it| Broker {
                id: it.id.0,
                host: it.address.host.to_string(),
                port: it.address.port,
            })
            .collect();
        let judge = Arc::new(Judge::new());
        let ledger = Arc::clone(&judge);
        let proxy = Proxy::start(&brokers, Some(ledger)).await?;
        let servers = Servers {
            bootstrap_servers: Some(proxy.bootstrap_servers().to_owned()),
            ..stage.servers.clone()
        };
        Ok(Self { options, stage, around, judge, proxy, servers, began: Instant::now() })
    }

    /// A line of the story, with its time.
    fn story(&self, text: &str) {
        self.judge.tell(text);
    }

    fn verdict(&self, records: u64) -> Verdict {
        let churns = self.options.churn;
        let (moves, kills) = if churns { (1, u64::from(self.kills())) } else { (0, 0) };
        self.judge.conclude(&Needs { records, moves, kills, ..Needs::default() })
    }

    /// How many members die, when members come and go.
    fn kills(&self) -> u32 {
        churn::kills(self.options.time())
    }

    /// How a partition is called.
    fn partitions(&self) -> BTreeSet<i32> {
        self.stage.partitions.iter().map(|tp| tp.partition).collect()
    }
}
