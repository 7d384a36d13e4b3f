//! How often is a batch that cannot be read asked for again?
//!
//! Bits go wrong on the way as well as on a disk, and what comes from the way is whole the next
//! time, or the time after: only a batch that stays broken for seconds stops its partition.

use std::time::Duration;

use forebay_protocol::types::Offset;

/// How often the same batch is asked for again.
pub(super) const AGAIN_MOST: u32 = 8;
/// Before the first time; each rest is twice as long as the one before.
const FIRST_REST: Duration = Duration::from_millis(50);
/// The longest rest: shorter than what the watchdog takes for standing still.
const REST_MOST: Duration = Duration::from_millis(500);

/// The batch that could not be read last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken {
    base: Offset,
    times: u32,
}

impl Broken {
    /// One could not be read: again, as long as work has not come past the one before. Tells how
    /// long to rest before it is asked for again; `None` when that was often enough.
    pub(super) fn again(
        before: &mut Option<Self>,
        (base, frontier): (Offset, Offset),
    ) -> Option<Duration> {
        let times = before.filter(|it| frontier <= it.base).map_or(0, |it| it.times);
        *before = Some(Self { base, times: times.saturating_add(1) });
        let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
        (times < AGAIN_MOST).then(|| FIRST_REST.saturating_mul(factor).min(REST_MOST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(broken: &mut Option<Broken>, base: i64, frontier: i64) -> Option<Duration> {
        Broken::again(broken, (Offset(base), Offset(frontier)))
    }

    #[test]
    fn a_batch_is_asked_for_again_for_seconds_and_then_no_more() {
        let mut broken = None;
        let rests: Vec<_> = std::iter::from_fn(|| again(&mut broken, 7, 7)).collect();
        let rests: Vec<_> = rests.iter().map(Duration::as_millis).collect();
        assert_eq!(rests, [50, 100, 200, 400, 500, 500, 500, 500]);
    }

    #[test]
    fn a_batch_behind_work_that_went_on_is_another_matter() {
        let mut broken = None;
        for base in [7, 8, 9] {
            assert_eq!(again(&mut broken, base, base), Some(FIRST_REST), "{base}");
        }
    }

    #[test]
    fn two_that_take_turns_are_not_asked_for_for_ever() {
        let mut broken = None;
        let turns = [7, 8].into_iter().cycle().take(100);
        let asked = turns.filter(|base| again(&mut broken, *base, 7).is_some()).count();
        assert_eq!(asked, 8);
    }
}
