//! One seed, one run, one verdict.

use std::time::Duration;

use forebay::{Error, mutant};
use forebay_histcheck::{Checker, Event, Needs, Order, Terms, Verdict, What};

use crate::member::{Conduct, Sharing};
use crate::nemesis::Nemesis;
use crate::plan::{Extra, Plan, Seed};
use crate::world::{SESSION, World};

/// Records written while harm is done, and after it.
const RECORDS: u64 = 600;
const RECORDS_AFTER: u64 = 100;

/// What a seed means, told before it is played.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shape {
    /// How members share partitions, how many partitions, calm or not.
    pub text: String,
}

/// A run that is over.
#[derive(Debug)]
pub struct Played {
    /// What the seed meant.
    pub shape: Shape,
    /// The judgement over the history; `None` when the run did not come to its end.
    pub verdict: Verdict,
    /// What else was expected and did not happen: liveness, clean ends.
    pub unmet: Vec<String>,
    /// One number for every byte on the wire and every event, with their times.
    pub hash: u64,
    /// The history.
    pub events: Vec<Event>,
}

impl Played {
    /// Whether all was as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.unmet.is_empty() && self.verdict.is_good()
    }

    /// The rule that was broken first, in a word, or why nothing can be said.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let rule = self.verdict.breaks.first().map(|first| format!("{:?}", first.rule));
        rule.or_else(|| self.verdict.refused.clone())
    }
}

/// Plays a seed to its end, on this thread, in virtual time.
///
/// # Errors
///
/// When a client cannot be made or the runtime does not start.
pub fn play(seed: Seed, conduct: Conduct) -> Result<Played, Error> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|source| Error::Start { source: source.into() })?;
    mutant::let_live(match conduct {
        Conduct::Mistaken(mutant) => Some(mutant),
        Conduct::Honest | Conduct::SaysDoneTooEarly => None,
    });
    let played = runtime.block_on(run(seed, conduct));
    mutant::let_live(None);
    played
}

async fn run(seed: Seed, conduct: Conduct) -> Result<Played, Error> {
    let mut rng = fastrand::Rng::with_seed(seed.number);
    let partitions = rng.i32(1..=6);
    let slowness = Duration::from_millis(rng.choice([0, 20, 300, 2_000]).unwrap_or(0));
    let sharing = rng.choice(Sharing::ALL).unwrap_or(Sharing::Range);
    let is_calm = rng.u8(..3) == 0;
    let plan = Plan { seed, sharing, conduct, slowness, is_calm, extras: Extra::draw(seed) };
    let partitions = plan.partitions(partitions);
    let text = format!("{partitions:?} partitions, {plan:?}");
    let world = World::new(seed.number, &partitions, plan.bulk());
    world.recorder.note(What::Terms(terms(&plan)));
    let mut nemesis = Nemesis::new(&world, plan, rng);
    let unmet = live(&world, &mut nemesis).await?;
    world.tell_truth();
    let (events, hash) = world.recorder.take();
    let mut checker = Checker::new();
    events.iter().for_each(|event| checker.hear(event));
    let verdict = checker.conclude(&Needs { records: 1, ..Needs::default() });
    Ok(Played { shape: Shape { text }, verdict, unmet, hash, events })
}

fn terms(plan: &Plan) -> Terms {
    let is_ordered = plan.order() == forebay::Order::Partition;
    Terms {
        order: if is_ordered { Order::Key } else { Order::None },
        session_ms: u64::try_from(SESSION.as_millis()).unwrap_or(0),
        stall_ms: 15_000,
        grace_ms: 30_000,
        reaction_ms: 1,
        ..Terms::default()
    }
}

/// Harm, healing, a quiet time, the end. What was expected and did not happen.
async fn live(world: &World, nemesis: &mut Nemesis<'_>) -> Result<Vec<String>, Error> {
    let mut unmet = Vec::new();
    let producer = world.producer()?;
    nemesis.join()?;
    nemesis.join()?;
    let writing = world.write(&producer, 0..RECORDS, Duration::from_millis(100));
    let (written, raged) = tokio::join!(writing, nemesis.rage(30));
    written?;
    raged?;
    nemesis.heal().await;
    nemesis.calm_down().await;
    if nemesis.members.is_empty() {
        nemesis.join()?;
    }
    settle(world, "after the faults", &mut unmet).await;
    // Those who died last are missed for a session and a rebalance.
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.recorder.note(What::QuietBegins);
    nemesis.hold_something();
    let more = RECORDS..RECORDS + RECORDS_AFTER;
    world.write(&producer, more, Duration::from_millis(100)).await?;
    settle(world, "in quiet", &mut unmet).await;
    world.recorder.note(What::QuietEnds);
    for leaving in nemesis.leaving.drain(..) {
        drop(leaving.await);
    }
    for member in nemesis.members.drain(..) {
        let name = member.name.clone();
        if !member.leave().await {
            unmet.push(format!("{name} did not end in good order"));
        }
    }
    drop(producer.close(Duration::from_secs(20)).await);
    Ok(unmet)
}

/// Waits, up to twenty minutes, until all is committed.
async fn settle(world: &World, when: &str, unmet: &mut Vec<String>) {
    for _ in 0..12_000 {
        if world.is_all_committed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    unmet.push(format!("not all was committed {when}, within twenty minutes"));
}
