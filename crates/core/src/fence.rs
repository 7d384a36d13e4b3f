//! Which gain and which start of a partition a value belongs to.

/// Counts gains; control counts it up each time any partition becomes ours, so that no two gains
/// of one consumer are alike, not even of different partitions.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Gain(pub u32);

/// Counts the starts of fetching inside one gain; the shard counts it up with each seek, reset,
/// truncation and rewind.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Start(pub u32);

/// Carried by runs, progress and timers, compared once at a router's door: what does not match the
/// current fence belongs to the past and is dropped.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fence {
    /// Which ownership.
    pub gain: Gain,
    /// Which start inside it.
    pub start: Start,
}

impl Fence {
    /// The fence as one word, so that a lease cell can hold it.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        ((self.gain.0 as u64) << 32) | self.start.0 as u64
    }
}
