//! What does a seed mean, told before it is played?

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use forebay::Order;

use crate::member::{Conduct, Sharing};

/// The name of a run, as `96` or `1:96`: a number, and how much was drawn from numbers when it was
/// first played. What is drawn grows; a seed that is kept goes on meaning what it meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Seed {
    /// What is drawn from it: of the [`NEWEST`](Self::NEWEST) edition, all there is.
    pub edition: u8,
    /// What is drawn from.
    pub number: u64,
}

impl Seed {
    /// All that can be drawn today.
    pub const NEWEST: u8 = 4;

    /// A stream of draws of its own: what was drawn before stays as it was.
    fn stream(self, name: u64) -> fastrand::Rng {
        let mixed = name.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        fastrand::Rng::with_seed(self.number.rotate_left(17) ^ mixed)
    }

    /// What later editions do, and when.
    pub(crate) fn later(self) -> fastrand::Rng {
        self.stream(u64::MAX / 2)
    }

    /// What shape things have that later editions brought.
    fn shapes(self) -> fastrand::Rng {
        self.stream(u64::MAX / 4)
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self { edition: Self::NEWEST, number }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.edition, self.number)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((edition, number)) => {
                Ok(Self { edition: edition.parse()?, number: number.parse()? })
            }
            None => text.parse::<u64>().map(Self::from),
        }
    }
}

/// What some runs have and others have not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Extra {
    /// Records of a partition run side by side.
    Unordered,
    /// Records are large, and more than a member may hold.
    Bulky,
    /// Members are static: who comes back takes the place of one that was there.
    Static,
    /// Retention deletes records, read or not.
    Retention,
    /// Leaders say that positions are out of range which are not.
    StaleLeaders,
    /// The coordinator forgets to answer about a partition.
    LeftOut,
    /// Users pause partitions.
    Pauses,
    /// Ways fall silent without an end.
    Stalls,
    /// Fetch sessions are forgotten.
    Sessions,
    /// Users go back to do some records again.
    Seeks,
    /// Somebody else than the group holds partitions, drains them and hands them over.
    Directives,
    /// Users want no topics for a while, or fewer.
    Wishes,
    /// There are two or three topics.
    Topics,
    /// Members want what matches a pattern.
    Patterns,
    /// Processes stop and go on, also past their session.
    Freezes,
}

impl Extra {
    /// Of the first edition.
    const FIRST: [Self; 10] = [
        Self::Unordered,
        Self::Bulky,
        Self::Static,
        Self::Retention,
        Self::StaleLeaders,
        Self::LeftOut,
        Self::Pauses,
        Self::Stalls,
        Self::Sessions,
        Self::Seeks,
    ];

    /// What came later, and with which edition.
    const LATER: [(u8, Self); 5] = [
        (2, Self::Directives),
        (2, Self::Wishes),
        (3, Self::Topics),
        (3, Self::Patterns),
        (4, Self::Freezes),
    ];

    /// A third of all runs have none of the first, and each of the later ones a quarter.
    pub(crate) fn draw(seed: Seed) -> BTreeSet<Self> {
        let rng = &mut fastrand::Rng::with_seed(!seed.number);
        let has_any = rng.u8(..3) != 0;
        let first = Self::FIRST.into_iter().filter(|_| rng.u8(..3) == 0 && has_any);
        let mut drawn: BTreeSet<_> = first.collect();
        let later = (0_u64..)
            .zip(Self::LATER)
            .filter(|(at, (since, _))| *since <= seed.edition && seed.stream(*at).u8(..4) == 0);
        drawn.extend(later.map(|(_, (_, extra))| extra));
        drawn
    }

    /// Whether it does its harm in its turn with everything else.
    fn is_of_first(self) -> bool {
        Self::FIRST.contains(&self)
    }
}

/// What may happen in a run, and how members are.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: Seed,
    pub(crate) sharing: Sharing,
    pub(crate) conduct: Conduct,
    /// The longest that a record takes.
    pub(crate) slowness: Duration,
    /// Nothing goes wrong: members come and go, that is all.
    pub(crate) is_calm: bool,
    pub(crate) extras: BTreeSet<Extra>,
}

impl Plan {
    pub(crate) fn has(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }

    /// Those of the first edition.
    pub(crate) fn first(&self) -> impl ExactSizeIterator<Item = &Extra> {
        let first: Vec<_> = self.extras.iter().filter(|extra| extra.is_of_first()).collect();
        first.into_iter()
    }

    pub(crate) fn order(&self) -> Order {
        if self.has(Extra::Unordered) { Order::Unordered } else { Order::Partition }
    }

    /// How long a member tries to give partitions up in good order. A static one that left in the
    /// middle of a rebalance is missed for a session, and nobody can commit meanwhile.
    pub(crate) fn patience(&self) -> Duration {
        let outlasts_session = self.has(Extra::Static) && 1 < self.seed.edition;
        Duration::from_secs(if outlasts_session { 15 } else { 5 })
    }

    /// How many partitions each topic has, when the first has so many.
    pub(crate) fn partitions(&self, first: i32) -> Vec<i32> {
        let mut rng = self.seed.shapes();
        let others = if self.has(Extra::Topics) { rng.usize(1..=2) } else { 0 };
        let others = std::iter::repeat_with(|| rng.i32(1..=3)).take(others);
        std::iter::once(first).chain(others).collect()
    }

    /// What a record has beside its name, in bytes.
    pub(crate) fn bulk(&self) -> usize {
        if self.has(Extra::Bulky) { 16 << 10 } else { 0 }
    }
}
