//! How much of the machine has this process used so far?

use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Started before that which is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    wall: Instant,
    cpu: Duration,
}

/// What was used since a [`Meter`] was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) wall: Duration,
    /// User and system time of all threads of this process.
    pub(crate) cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    pub(crate) fn used(&self) -> Used {
        Used { wall: self.wall.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

/// User and system time of all threads of this process since it began.
fn cpu() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// A clock's answer; zero for what no clock of processor time says.
pub(crate) fn duration(time: Timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The high-water mark of resident memory in bytes; 0 where `/proc` does not tell.
pub(crate) fn peak_rss() -> u64 {
    status("VmHWM:")
}

/// Resident memory in bytes; 0 where `/proc` does not tell.
pub(crate) fn rss() -> u64 {
    status("VmRSS:")
}

fn status(row: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(row));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}
