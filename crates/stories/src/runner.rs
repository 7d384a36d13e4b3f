//! In which order are stories told? Broker by broker, so that each is started once and only one
//! runs at a time. There in lanes beside each other, since most stories wait for most of their time;
//! those that disturb others, or are disturbed, come last. The report is sorted story by story.

use std::time::{Duration, Instant};

use crate::report::{Cell, Report, Verdict};
use crate::stage::{Absence, Brokers, Kafka, Releases, Stage};
use crate::stories::{self, Lane, STORIES};
use crate::story::{Ending, Story};

/// Longest a story may take on one broker.
const STORY_TIME_MAX: Duration = Duration::from_secs(180);

/// What is to be told, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// Part of the names of stories.
    pub(crate) filter: &'a str,
    /// Part of the names of brokers.
    pub(crate) on: &'a str,
    pub(crate) releases: Releases,
    pub(crate) kafka: Kafka,
}

/// Tells what `earlier` does not tell of yet.
pub(crate) async fn run(wish: &Wish<'_>, earlier: Report) -> Report {
    let Report { mut cells } = earlier;
    for broker in wish.releases.brokers().filter(|broker| broker.name().contains(wish.on)) {
        let is_told = |story: &Story| {
            cells.iter().any(|it| it.story == story.name && it.broker == broker.name())
        };
        let is_wanted = |story: &&Story| story.name.contains(wish.filter) && !is_told(story);
        let stories: Vec<&Story> = STORIES.iter().copied().filter(is_wanted).collect();
        if !stories.is_empty() {
            cells.extend(on_broker(broker, &stories, wish.kafka).await);
        }
    }
    let story = |cell: &Cell| STORIES.iter().position(|story| story.name == cell.story);
    let broker = |cell: &Cell| Brokers::ALL.iter().position(|it| it.name() == cell.broker);
    cells.sort_by_key(|cell| (story(cell), broker(cell)));
    Report { cells }
}

async fn on_broker(broker: Brokers, stories: &[&Story], kafka: Kafka) -> Vec<Cell> {
    eprintln!("starting {}", broker.name());
    match Stage::set(broker).await {
        Ok(stage) => {
            let told = |lane| {
                let stories = stories.iter().copied().filter(move |it| stories::lane(it) == lane);
                tell_all(stories, &stage, kafka)
            };
            let (main, groups, nodes, blocked) = tokio::join!(
                told(Lane::Main),
                told(Lane::Groups),
                told(Lane::Nodes),
                told(Lane::Blocked)
            );
            let cells = [main, groups, nodes, blocked, told(Lane::Alone).await].concat();
            stage.clear().await;
            cells
        }
        Err(absence) => {
            eprintln!("{}: {absence}", broker.name());
            stories.iter().map(|story| absent(story, broker, &absence, kafka)).collect()
        }
    }
}

async fn tell_all<'a>(
    stories: impl Iterator<Item = &'a Story>,
    stage: &Stage,
    kafka: Kafka,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    for story in stories {
        cells.push(tell(story, stage, kafka).await);
    }
    cells
}

async fn tell(story: &Story, stage: &Stage, kafka: Kafka) -> Cell {
    let start = Instant::now();
    let told = tokio::time::timeout(STORY_TIME_MAX, (story.tell)(stage)).await;
    let (verdict, detail) = match told {
        Ok(Ok(())) => (Verdict::Pass, String::new()),
        Ok(Err(Ending::Client(error @ forebay::Error::NotOffered { .. }))) => {
            (Verdict::NotOffered, error.to_string())
        }
        Ok(Err(Ending::NotOffered(what))) => (Verdict::NotOffered, what),
        Ok(Err(ending @ Ending::Missing { .. })) if kafka == Kafka::IfThere => {
            (Verdict::LeftOut, ending.to_string())
        }
        Ok(Err(ending)) => (Verdict::Fail, with_promise(story, &ending.to_string())),
        Err(_) => (Verdict::Fail, with_promise(story, "it took longer than 180 s")),
    };
    let cell = Cell::new(story.name, stage.broker().name(), verdict, detail);
    let cell = cell.lasting(start.elapsed());
    eprintln!(
        "  {} on {}: {:?} {:.1} s {}",
        cell.story, cell.broker, verdict, cell.seconds, cell.detail
    );
    cell
}

/// A failure is read together with what was promised.
fn with_promise(story: &Story, what: &str) -> String {
    format!("{what} (promised: {})", story.promise)
}

/// A broker that could not start: a failure, unless it only lacks what nobody demanded.
fn absent(story: &Story, broker: Brokers, absence: &Absence, kafka: Kafka) -> Cell {
    let verdict = match (absence, kafka) {
        (Absence::Tool { .. }, Kafka::IfThere) => Verdict::LeftOut,
        (Absence::Tool { .. }, Kafka::Required) | (Absence::Start { .. }, _) => Verdict::Fail,
    };
    Cell::new(story.name, broker.name(), verdict, absence.to_string())
}
