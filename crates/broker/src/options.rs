//! What can be chosen when a cluster is made.

use std::time::Duration;

use crate::group::modern::Rules;
use crate::versions::Release;

/// How a cluster is made. All have defaults: `Options::default().nodes(3)`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(crate) nodes: u16,
    pub(crate) seed: u64,
    pub(crate) memory: usize,
    pub(crate) release: Release,
    pub(crate) auto_create: Option<i32>,
    pub(crate) default_partitions: i32,
    pub(crate) fetch_sessions: usize,
    pub(crate) wall_clock: i64,
    pub(crate) initial_rebalance_delay: Duration,
    pub(crate) consumer_groups: Rules,
    pub(crate) offsets_retention: Duration,
    pub(crate) cluster_id: String,
    pub(crate) racks: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            seed: 0,
            memory: 1 << 30,
            release: Release::V4_4,
            auto_create: None,
            default_partitions: 1,
            fetch_sessions: 1_000,
            wall_clock: 1_700_000_000_000,
            initial_rebalance_delay: Duration::ZERO,
            consumer_groups: Rules {
                session: Duration::from_secs(45),
                interval: Duration::from_secs(5),
            },
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            cluster_id: "forebay-broker".to_owned(),
            racks: Vec::new(),
        }
    }
}

impl Options {
    /// How many nodes there are, with ids from 1 on. Default 1; at least 1.
    #[must_use]
    pub fn nodes(mut self, nodes: u16) -> Self {
        self.nodes = nodes.max(1);
        self
    }

    /// Where the random numbers start: topic ids and session ids. Default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many bytes of records are kept, in bytes. Default 1 GiB.
    ///
    /// What would not fit is refused with `POLICY_VIOLATION` and a message; nothing that was
    /// accepted is dropped to make room.
    #[must_use]
    pub const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Which Kafka it behaves as, by the versions of the APIs that it offers. Default: the newest.
    #[must_use]
    pub const fn pose_as(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Lets clients that ask for it create topics by asking for their metadata, with so many
    /// partitions. Default: no.
    #[must_use]
    pub const fn auto_create(mut self, partitions: i32) -> Self {
        self.auto_create = Some(partitions);
        self
    }

    /// How many partitions a topic gets that is created without saying how many. Default 1.
    #[must_use]
    pub const fn default_partitions(mut self, partitions: i32) -> Self {
        self.default_partitions = partitions;
        self
    }

    /// `group.initial.rebalance.delay.ms`: how long the first members of a new classic group wait
    /// for others. Default 0; Kafka's is 3 s.
    #[must_use]
    pub const fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.initial_rebalance_delay = delay;
        self
    }

    /// `group.consumer.session.timeout.ms` and `group.consumer.heartbeat.interval.ms`: after how much
    /// silence a member by KIP-848 is dead, and how often it is to beat. Default 45 s and 5 s, as
    /// Kafka.
    #[must_use]
    pub const fn consumer_groups(mut self, session: Duration, interval: Duration) -> Self {
        self.consumer_groups = Rules { session, interval };
        self
    }

    /// `offsets.retention.minutes`: after how long [`Cluster::expire_offsets`] forgets what groups
    /// have committed. Default a week, as Kafka.
    ///
    /// [`Cluster::expire_offsets`]: crate::Cluster::expire_offsets
    #[must_use]
    pub const fn offsets_retention(mut self, age: Duration) -> Self {
        self.offsets_retention = age;
        self
    }

    /// `broker.rack` of the nodes, in the order of their ids, and `RackAwareReplicaSelector`: a leader
    /// names a replica in the rack of the client that fetches, and that replica serves it (KIP-392,
    /// Fetch 11). Replicas here are never behind. Default: no racks, and only leaders serve.
    #[must_use]
    pub fn racks<T: Into<String>>(mut self, racks: impl IntoIterator<Item = T>) -> Self {
        self.racks = racks.into_iter().map(Into::into).collect();
        self
    }

    /// How many fetch sessions each node remembers. Default 1,000, as Kafka.
    #[must_use]
    pub const fn fetch_sessions(mut self, slots: usize) -> Self {
        self.fetch_sessions = slots;
        self
    }

    /// What the clock on the wall shows at time zero, in milliseconds since 1970. It stamps
    /// records of topics with `message.timestamp.type=LogAppendTime`. Default: a day in 2023;
    /// a broker that is started takes today's.
    #[must_use]
    pub const fn wall_clock(mut self, millis: i64) -> Self {
        self.wall_clock = millis;
        self
    }
}
