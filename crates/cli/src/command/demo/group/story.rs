//! What is shown while members come and go, and what in the end?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use forebay_histcheck::Verdict;
use serde::Serialize;

use super::Scene;
use super::churn::Leaving;
use super::judge::Glance;
use crate::args::Format;
use crate::command::demo::verdict::Promise;
use crate::error::CliError;
use crate::output::{self, count};

/// How often it is looked at what has changed.
const LOOK: Duration = Duration::from_millis(50);
/// A share is shown when nothing has moved for so long.
const CALM: Duration = Duration::from_millis(200);
/// A line comes at least so often.
const RARELY: Duration = Duration::from_secs(5);
/// The most broken rules that are shown.
const SHOWN: usize = 5;

/// Before anything is done.
pub(super) fn opening(scene: &Scene<'_>) -> Result<(), CliError> {
    let Format::Text = scene.around.shared.output else { return Ok(()) };
    let options = scene.options;
    let (records, size) = (count(options.records), options.record_size);
    let (members, partitions) = (options.members(), options.partitions);
    let whose = if scene.stage.own.is_some() { "in this process, at" } else { "at" };
    output::line(&format!(
        "{records} records of {size} bytes over {:.0} s, {partitions} partitions, {members} members\n\
         broker  {whose} {}\n",
        options.time().as_secs_f64(),
        scene.stage.servers.shown(),
    ))
}

/// Shows what happens for as long as it is polled; returns when it cannot.
pub(super) async fn watch(scene: &Scene<'_>) -> CliError {
    let (mut shown, mut seen) = (Glance::default(), Glance::default());
    let (mut moved, mut printed) = (Instant::now(), Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        let now = scene.judge.glance();
        if scene.around.shared.output != Format::Text {
            continue;
        }
        for line in &now.lines {
            if let Err(error) = output::line(line) {
                return error;
            }
        }
        if now.holdings != seen.holdings {
            moved = Instant::now();
        }
        let is_new = now.holdings != shown.holdings && CALM < moved.elapsed();
        if is_new || RARELY < printed.elapsed() {
            if let Err(error) = output::line(&share(scene, &now)) {
                return error;
            }
            (shown, printed) = (now.clone(), Instant::now());
        }
        seen = now;
    }
}

/// Who holds what.
fn share(scene: &Scene<'_>, glance: &Glance) -> String {
    let seconds = scene.judge.elapsed().as_secs_f64();
    let held: BTreeSet<i32> = glance.holdings.values().flatten().copied().collect();
    let nobody: BTreeSet<i32> = scene.partitions().difference(&held).copied().collect();
    let mut parts: Vec<String> = glance
        .holdings
        .iter()
        .map(|(member, partitions)| format!("{member}: {}", ranges(partitions)))
        .collect();
    if !nobody.is_empty() {
        parts.push(format!("nobody: {}", ranges(&nobody)));
    }
    format!("{seconds:6.1} s    {}  ({} done)", parts.join("  "), count(glance.done))
}

/// `0-3,7`.
fn ranges(partitions: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for partition in partitions {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *partition => *last = *partition,
            _ => ranges.push((*partition, *partition)),
        }
    }
    let word = |(first, last): &(i32, i32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(word).collect::<Vec<_>>().join(",")
}

/// The result for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    records: u64,
    acknowledged: u64,
    partitions: u16,
    members: u16,
    seconds: f64,
    moves: u64,
    kills: u64,
    commits: u64,
    repeated: u64,
    promises: Vec<Promise>,
    /// The first rules that were broken, or why nothing can be said.
    broken: Vec<String>,
    passed: bool,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Outcome {
    pub(super) fn new(
        scene: &Scene<'_>,
        (acknowledged, records): (u64, u64),
        (verdict, leaving): (&Verdict, Leaving),
    ) -> Self {
        let figures = &verdict.figures;
        let broken = verdict.breaks.iter().map(|it| format!("{:?}: {}", it.rule, it.text));
        let refused = verdict.refused.iter().cloned();
        let promises = promises(verdict, (acknowledged, records), leaving);
        Self {
            records,
            acknowledged,
            partitions: scene.options.partitions,
            members: scene.options.members(),
            seconds: scene.began.elapsed().as_secs_f64(),
            moves: figures.moves,
            kills: figures.kills,
            commits: figures.commits,
            repeated: figures.duplicates,
            passed: verdict.is_good() && promises.iter().all(|it| it.is_kept),
            promises,
            broken: refused.chain(broken.take(SHOWN)).collect(),
            lines: scene.judge.glance().lines,
        }
    }

    pub(super) const fn has_passed(&self) -> bool {
        self.passed
    }

    pub(super) fn show(&self, format: Format) -> Result<(), CliError> {
        if format == Format::Json {
            return output::json(self);
        }
        for line in &self.lines {
            output::line(line)?;
        }
        output::line("")?;
        let promises = self.promises.iter().map(|it| {
            let mark = if it.is_kept { "kept  " } else { "BROKEN" };
            (it.name, format!("{mark}  {}", it.found))
        });
        output::rows(&promises.collect::<Vec<_>>())?;
        for text in &self.broken {
            output::line(&format!("  {text}"))?;
        }
        output::line(&format!("\nverdict: {}", if self.passed { "passed" } else { "FAILED" }))
    }
}

fn promises(
    verdict: &Verdict,
    (acknowledged, records): (u64, u64),
    leaving: Leaving,
) -> Vec<Promise> {
    let it = &verdict.figures;
    let promise = |name, is_kept, found| Promise { name, is_kept, found };
    let causes = it.explained_by.iter().map(|(cause, count)| format!("{count} since {cause}"));
    let causes: Vec<String> = causes.collect();
    let repeated = match causes.as_slice() {
        [] => format!("{} repeated", it.duplicates),
        causes => format!("{} repeated: {}", it.duplicates, causes.join(", ")),
    };
    vec![
        promise(
            "nothing lost",
            it.lost == 0 && it.done == records && acknowledged == records,
            format!("{} of {} done", count(it.done), count(acknowledged)),
        ),
        promise("nothing twice without a reason", it.unexplained == 0, repeated),
        promise(
            "no commit ahead of its work",
            it.unsafe_commits == 0 && it.regressions == 0,
            format!("{} commits seen on the wire", count(it.commits)),
        ),
        promise(
            "one owner at a time",
            it.zombies == 0,
            format!("{} moves, {} killed", it.moves, it.kills),
        ),
        promise(
            "order within each partition",
            it.order_breaks == 0,
            format!("{} out of place", it.order_breaks),
        ),
        promise(
            "an end in order",
            leaving == Leaving::InOrder,
            "everybody who left gave all back".to_owned(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_shown_as_a_range() {
        let shown = |partitions: &[i32]| ranges(&partitions.iter().copied().collect());
        assert_eq!(shown(&[0, 1, 2, 7]), "0-2,7");
        assert_eq!(shown(&[3]), "3");
        assert_eq!(shown(&[]), "");
    }
}
