//! Settings of a consumer.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{ClientConfig, ConfigError, span, within};

/// Settings of a consumer. Where a default differs from Kafka's, the safe one was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsumerConfig {
    /// What every client has.
    pub client: ClientConfig,
    /// `group.id`: under which name offsets are committed; without it nothing is committed and
    /// [`auto_offset_reset`](Self::auto_offset_reset) decides where to start.
    pub group_id: Option<Arc<str>>,
    /// `group.instance.id`: makes this a static member, which keeps its partitions through a
    /// restart that is shorter than the session timeout. Default: none.
    pub group_instance_id: Option<Arc<str>>,
    /// `group.protocol`: who makes the plan of who gets which partitions. Default
    /// [`GroupProtocol::Auto`].
    pub group_protocol: GroupProtocol,
    /// `group.remote.assignor`: how the coordinator is to make the plan (KIP-848), such as `uniform`
    /// or `range`. Default: as the coordinator likes.
    pub group_remote_assignor: Option<Arc<str>>,
    /// `client.rack`: where this consumer is, for leaders that send it to a replica in the same rack
    /// (KIP-392), and for assignors that look at it. Default: not told.
    pub client_rack: Option<Arc<str>>,
    /// `session.timeout.ms`: after this much silence the coordinator gives our partitions to
    /// others, and no record starts here any more. Default 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. Default 3 s.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms` or, as the protocol calls it, the rebalance timeout: how long the
    /// group waits for this member while partitions move. Default 300 s.
    pub rebalance_timeout: Duration,
    /// `auto.offset.reset`: where to start without a committed offset, and where to go on when the
    /// log no longer has the position. Default [`OffsetReset::None`]: an error, not a surprise.
    pub auto_offset_reset: OffsetReset,
    /// `auto.commit.interval.ms`: how often finished work is committed. Default 500 ms.
    pub auto_commit_interval: Duration,
    /// `isolation.level`: whether records of open and aborted transactions are seen. Default
    /// [`IsolationLevel::ReadCommitted`].
    pub isolation_level: IsolationLevel,
    /// `fetch.min.bytes`: a broker answers when it has this much, or after
    /// [`fetch_max_wait`](Self::fetch_max_wait). Default 1.
    pub fetch_min_bytes: i32,
    /// `fetch.max.wait.ms`: the longest a broker waits for records. Default 500 ms.
    pub fetch_max_wait: Duration,
    /// How long running records are awaited before the last commit, when a partition is given up
    /// and at a shutdown. Below the rebalance timeout. Default 20 s.
    pub drain_timeout: Duration,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            group_id: None,
            group_instance_id: None,
            group_protocol: GroupProtocol::Auto,
            group_remote_assignor: None,
            client_rack: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            auto_offset_reset: OffsetReset::None,
            auto_commit_interval: Duration::from_millis(500),
            isolation_level: IsolationLevel::ReadCommitted,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl ConsumerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used, by its Kafka name.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.client.check()?;
        if self.group_id.as_deref() == Some("") {
            return Err(ConfigError::new("group.id", "", "a name, or no group at all"));
        }
        self.check_group()?;
        span("auto.commit.interval.ms", self.auto_commit_interval)?;
        span("fetch.max.wait.ms", self.fetch_max_wait)?;
        within("fetch.min.bytes", &self.fetch_min_bytes, (1, 1 << 30), "1 byte to 1 GiB")?;
        if self.client.request_timeout <= self.fetch_max_wait {
            return Err(ConfigError::new(
                "fetch.max.wait.ms",
                self.fetch_max_wait.as_millis().to_string(),
                "less than request.timeout.ms, else every quiet fetch looks like a dead broker",
            ));
        }
        Ok(())
    }
}

impl ConsumerConfig {
    fn check_group(&self) -> Result<(), ConfigError> {
        let wrong = |key, value: Duration, expected| {
            Err(ConfigError::new(key, format!("{} ms", value.as_millis()), expected))
        };
        span("session.timeout.ms", self.session_timeout)?;
        span("heartbeat.interval.ms", self.heartbeat_interval)?;
        span("max.poll.interval.ms", self.rebalance_timeout)?;
        if self.group_instance_id.as_deref() == Some("") {
            return Err(ConfigError::new("group.instance.id", "", "a name, or none at all"));
        }
        if self.session_timeout < self.heartbeat_interval * 3 {
            let expected = "at most a third of session.timeout.ms, so that one may be lost";
            return wrong("heartbeat.interval.ms", self.heartbeat_interval, expected);
        }
        if self.rebalance_timeout <= self.drain_timeout {
            let expected = "less than max.poll.interval.ms, else the group goes on without us";
            return wrong("drain timeout", self.drain_timeout, expected);
        }
        Ok(())
    }
}

/// Where to start when there is no committed offset, or none that still exists.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// Stop the partition with an error.
    #[default]
    None,
    /// At the first record the log still has.
    Earliest,
    /// At the end: only what comes from now on.
    Latest,
    /// At the first record that is not older than this (KIP-1106).
    ByDuration(Duration),
}

impl FromStr for OffsetReset {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "none" => Ok(Self::None),
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => text
                .strip_prefix("by_duration:")
                .and_then(iso_duration)
                .map(Self::ByDuration)
                .ok_or_else(|| {
                    ConfigError::new(
                        "auto.offset.reset",
                        text,
                        "none, earliest, latest or by_duration:<ISO 8601, for example PT1H>",
                    )
                }),
        }
    }
}

/// Reads the ISO 8601 durations that Java prints: `P1DT2H3M4.5S`, days and smaller, not negative.
fn iso_duration(text: &str) -> Option<Duration> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let (days, rest) = take_unit(days, 'D')?;
    let (hours, time) = take_unit(time, 'H')?;
    let (minutes, time) = take_unit(time, 'M')?;
    let (seconds, time) = take_unit(time, 'S')?;
    let total =
        86_400.0f64.mul_add(days, 3_600.0f64.mul_add(hours, 60.0f64.mul_add(minutes, seconds)));
    (rest.is_empty() && time.is_empty()).then(|| Duration::try_from_secs_f64(total).ok())?
}

/// The number before `unit` and what follows it; 0 when the unit is absent.
fn take_unit(text: &str, unit: char) -> Option<(f64, &str)> {
    let Some((number, rest)) = text.split_once(unit) else { return Some((0.0, text)) };
    let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain { number.parse().ok().map(|number| (number, rest)) } else { None }
}

/// Who makes the plan of who gets which partitions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum GroupProtocol {
    /// The coordinator (KIP-848) where it can and no assignor was chosen, else a member.
    #[default]
    Auto,
    /// A member: `JoinGroup` and `SyncGroup`, as all brokers know them.
    Classic,
    /// The coordinator: Kafka 4.0 and newer.
    Consumer,
}

impl FromStr for GroupProtocol {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "classic" => Ok(Self::Classic),
            "consumer" => Ok(Self::Consumer),
            _ => Err(ConfigError::new("group.protocol", text, "auto, classic or consumer")),
        }
    }
}

/// Which records of transactions are seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// Every record, of aborted and open transactions too.
    ReadUncommitted,
    /// Only records of committed transactions, and those outside of any.
    #[default]
    ReadCommitted,
}

impl IsolationLevel {
    /// Kafka's number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}
