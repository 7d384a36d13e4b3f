//! When did each partition flow, at whom, and how long did it not?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// What happened to a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    Join,
    Leave,
}

/// A record that a member has handled.
#[derive(Clone, Copy, Debug)]
struct Sight {
    at: Instant,
    member: usize,
    offset: i64,
}

/// All of a group, by partition, in the order in which it was heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<BTreeMap<i32, Vec<Sight>>>>);

/// What is to be said of a group; gaps in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    client: &'static str,
    /// The longest gap of each partition in each stretch as long as a change, before the first.
    before_p50: f64,
    before_p999: f64,
    /// Of partitions that stayed.
    kept: Vec<f64>,
    /// Of partitions that moved.
    moved: Vec<f64>,
    kept_p50: f64,
    kept_max: f64,
    moved_p50: f64,
    moved_p99: f64,
    /// Records that were handled again, and that nobody handled between the first and the last.
    repeated: usize,
    missing: i64,
}

impl Seen {
    /// `partition offset`.
    pub(super) fn note(&self, member: usize, line: &str) {
        let Some((partition, offset)) = line.split_once(' ') else { return };
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return };
        let sight = Sight { at: Instant::now(), member, offset };
        self.lock().entry(partition).or_default().push(sight);
    }

    /// Whether so many members have partitions, and all partitions flow.
    pub(super) fn is_shared(&self, members: usize, partitions: i32) -> bool {
        let seen = self.lock();
        let last = seen.values().filter_map(|sights| sights.last());
        let recent = last.filter(|it| it.at.elapsed() < Duration::from_millis(500));
        let owners: Vec<usize> = recent.map(|it| it.member).collect();
        let distinct: BTreeSet<usize> = owners.iter().copied().collect();
        i32::try_from(owners.len()) == Ok(partitions) && distinct.len() == members
    }

    pub(super) fn figures(
        &self,
        client: &'static str,
        (changes, before): (&[(Change, Instant)], Duration),
        window: Duration,
    ) -> Figures {
        let seen = self.lock();
        let (mut kept, mut moved, mut usual) = (Vec::new(), Vec::new(), Vec::new());
        for sights in seen.values() {
            for (_, at) in changes {
                let Some((gap, stays)) = longest(sights, *at, window) else { continue };
                let gaps = if stays == Stays::Here { &mut kept } else { &mut moved };
                gaps.push(gap.as_secs_f64() * 1e3);
            }
            let Some((_, first)) = changes.first() else { continue };
            let stretches = before.as_secs() / window.as_secs().max(1);
            for stretch in 1..=u32::try_from(stretches).unwrap_or(0) {
                let Some(from) = first.checked_sub(window * stretch) else { continue };
                let gap = longest(sights, from, window).map(|(gap, _)| gap.as_secs_f64() * 1e3);
                usual.extend(gap);
            }
        }
        for gaps in [&mut kept, &mut moved, &mut usual] {
            gaps.sort_by(f64::total_cmp);
        }
        Figures {
            client,
            before_p50: quantile(&usual, 500),
            before_p999: quantile(&usual, 999),
            kept_p50: quantile(&kept, 500),
            kept_max: quantile(&kept, 1000),
            moved_p50: quantile(&moved, 500),
            moved_p99: quantile(&moved, 990),
            repeated: seen.values().map(|sights| repeated(sights)).sum(),
            missing: seen.values().map(|sights| missing(sights)).sum(),
            kept,
            moved,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Vec<Sight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a partition is where it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stays {
    Here,
    Elsewhere,
}

/// The longest time without a record from the last one before `from` to the end of the window, and
/// whether another member handles the partition at its end. `None` where nothing was seen.
fn longest(sights: &[Sight], from: Instant, window: Duration) -> Option<(Duration, Stays)> {
    let until = from + window;
    let first = sights.partition_point(|it| it.at < from).saturating_sub(1);
    let last = sights.partition_point(|it| it.at < until);
    let inside = sights.get(first..last)?;
    let (begin, end) = (inside.first()?, inside.last()?);
    let steps = inside.iter().zip(inside.iter().skip(1));
    let steps = steps.map(|(one, other)| other.at.duration_since(one.at));
    // Silence up to the end of the window counts, too.
    let open = until.saturating_duration_since(end.at);
    let gap = steps.fold(open, Duration::max);
    Some((gap, if begin.member == end.member { Stays::Here } else { Stays::Elsewhere }))
}

/// In thousandths; of sorted values, 0 of none.
fn quantile(sorted: &[f64], thousandths: usize) -> f64 {
    let at = (sorted.len() * thousandths).div_ceil(1000).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0.0)
}

fn repeated(sights: &[Sight]) -> usize {
    let distinct: BTreeSet<i64> = sights.iter().map(|it| it.offset).collect();
    sights.len() - distinct.len()
}

fn missing(sights: &[Sight]) -> i64 {
    let distinct: BTreeSet<i64> = sights.iter().map(|it| it.offset).collect();
    let (Some(first), Some(last)) = (distinct.first(), distinct.last()) else { return 0 };
    last - first + 1 - i64::try_from(distinct.len()).unwrap_or(0)
}

/// A Markdown table, milliseconds.
pub(super) fn table(how: &str, figures: &[Figures]) -> String {
    let head = "| client | before: p50, p99.9 | kept: p50, longest | moved: p50, p99 | kept, moved \
                | repeated, missing |\n|---|---|---|---|---|---|";
    let rows = figures.iter().map(|it| {
        format!(
            "\n| {} | {:.0}, {:.0} | {:.0}, {:.0} | {:.0}, {:.0} | {}, {} | {}, {} |",
            it.client,
            it.before_p50,
            it.before_p999,
            it.kept_p50,
            it.kept_max,
            it.moved_p50,
            it.moved_p99,
            it.kept.len(),
            it.moved.len(),
            it.repeated,
            it.missing,
        )
    });
    format!(
        "\n### {how}: longest gap of a partition around a change, in ms\n\n{head}{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(start: Instant, millis: u64, member: usize) -> Sight {
        let offset = i64::try_from(millis).unwrap();
        Sight { at: start + Duration::from_millis(millis), member, offset }
    }

    #[test]
    fn the_longest_silence_of_a_window_counts_and_who_had_it_before() {
        let start = Instant::now();
        let sights: Vec<Sight> = [(0, 0), (10, 0), (20, 0), (150, 1), (160, 1), (995, 1)]
            .map(|(millis, member)| sight(start, millis, member))
            .into();
        let window = |from, length| {
            let from = start + Duration::from_millis(from);
            longest(&sights, from, Duration::from_millis(length))
        };
        let gap = |millis, stays| Some((Duration::from_millis(millis), stays));
        assert_eq!(window(15, 146), gap(130, Stays::Elsewhere));
        assert_eq!(window(5, 16), gap(10, Stays::Here));
        // Nothing more comes until the window ends.
        assert_eq!(window(152, 500), gap(492, Stays::Here));
        assert_eq!(longest(&[], start, Duration::from_secs(1)), None);
    }

    #[test]
    fn quantiles_of_few_values_are_values() {
        let of = |thousandths| format!("{}", quantile(&[1.0, 2.0, 3.0, 4.0], thousandths));
        assert_eq!([of(500), of(999), of(1000)], ["2", "4", "4"]);
        assert_eq!(format!("{}", quantile(&[], 500)), "0");
    }

    #[test]
    fn what_came_twice_and_what_never_came_is_counted() {
        let start = Instant::now();
        let sights: Vec<Sight> =
            [1, 2, 2, 5].map(|offset| Sight { offset, ..sight(start, 0, 0) }).into();
        assert_eq!((repeated(&sights), missing(&sights)), (1, 2));
    }
}
