//! Where each plane runs, and what time it is there.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use forebay_core::time::Instant;

#[cfg(test)]
pub(crate) use self::hands::Hands;
pub(crate) use self::validity::{Gate, Validity};

#[cfg(test)]
mod hands;
#[cfg(feature = "mutants")]
#[doc(hidden)]
pub mod process;
mod validity;

/// Where the control plane runs. The data plane always runs where the caller is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Placement {
    /// On a thread of its own, so that a handler that blocks its executor costs no commit and no
    /// membership.
    #[default]
    OwnThread,
    /// As a task of the caller's runtime, beside the data plane: for simulators and tests that
    /// pause the clock.
    Caller,
}

/// One clock for both planes, so that their instants can be compared.
///
/// Timers run on Tokio's clock, which tests can pause and which stands still while the machine is
/// suspended. [`Clock::boot`] counts suspension too and answers "how long has nobody looked?".
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: tokio::time::Instant,
    boot: Boot,
}

impl Clock {
    /// A clock that starts now, counting suspension where the system tells it.
    #[must_use]
    pub fn start() -> Self {
        Self { started: tokio::time::Instant::now(), boot: Boot::start() }
    }

    /// A clock for Tokio's paused time: suspension is not looked at.
    #[must_use]
    pub fn virtual_time() -> Self {
        Self { started: tokio::time::Instant::now(), boot: Boot::None }
    }

    /// The time for timers.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::default().after(self.started.elapsed())
    }

    /// The time for "is this still valid?": runs on while the machine is suspended.
    #[must_use]
    pub fn boot(&self) -> Instant {
        self.boot.now().unwrap_or_else(|| self.now())
    }

    /// The kernel's tick: a number that grows while the machine runs, by a step of at most
    /// [`TICK`], and that costs a quarter of [`boot`](Self::boot) to read. `None` where there is
    /// none.
    pub(crate) fn tick(&self) -> Option<u64> {
        self.boot.tick()
    }

    /// The wall clock, in milliseconds since 1970: for record timestamps, never for timers.
    /// In virtual time it begins at a fixed date and runs with the timers.
    #[must_use]
    pub fn wall_millis(&self) -> i64 {
        /// 2020-01-01T00:00:00Z.
        const VIRTUAL_START: u64 = 1_577_836_800_000;
        if matches!(self.boot, Boot::System { .. }) {
            return system_millis();
        }
        let millis = u128::from(VIRTUAL_START) + self.started.elapsed().as_millis();
        i64::try_from(millis).unwrap_or(i64::MAX)
    }

    /// Waits until `deadline`; for ever when there is none. Cancel safe.
    pub async fn sleep_until(&self, deadline: Option<Instant>) {
        match deadline.and_then(|at| self.started.checked_add(at.since(Instant::default()))) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// The longest step of [`Clock::tick`]: one of a kernel with a hundred ticks a second, and as much
/// again for one that comes late.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// The clock that counts suspension.
#[derive(Clone, Copy, Debug)]
enum Boot {
    /// There is none: the timers' clock stands in.
    None,
    /// `CLOCK_BOOTTIME`, and how it stood when the clock started.
    System { started: u64 },
    /// Turned by a test.
    #[cfg(test)]
    Hands(&'static Hands),
}

impl Boot {
    fn start() -> Self {
        boot_nanos().map_or(Self::None, |started| Self::System { started })
    }

    fn now(self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::System { started } => {
                let nanos = boot_nanos().unwrap_or(started);
                Some(Instant::from_nanos(nanos.saturating_sub(started)))
            }
            #[cfg(test)]
            Self::Hands(hands) => Some(hands.boot()),
        }
    }

    fn tick(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::System { .. } => tick_nanos(),
            #[cfg(test)]
            Self::Hands(hands) => Some(hands.tick()),
        }
    }
}

/// The system's wall clock. Records are stamped with it one by one, so it is asked directly.
#[cfg(target_os = "linux")]
fn system_millis() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(not(target_os = "linux"))]
fn system_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(target_os = "linux")]
fn boot_nanos() -> Option<u64> {
    nanos_of(rustix::time::ClockId::Boottime)
}

#[cfg(target_os = "linux")]
fn tick_nanos() -> Option<u64> {
    nanos_of(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(target_os = "linux")]
#[inline]
fn nanos_of(clock: rustix::time::ClockId) -> Option<u64> {
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u64::try_from(time.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(not(target_os = "linux"))]
const fn boot_nanos() -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
const fn tick_nanos() -> Option<u64> {
    None
}

/// Starts `plane` where `placement` says; it runs until it ends by itself.
///
/// # Errors
///
/// When the system gives no thread or no event queue, or when [`Placement::Caller`] is asked for
/// outside a Tokio runtime.
pub(crate) fn start(
    placement: Placement,
    name: &str,
    plane: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    match placement {
        Placement::OwnThread => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || runtime.block_on(plane))?;
        }
        Placement::Caller => {
            tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
            drop(spawn(plane));
        }
    }
    Ok(())
}

/// Spawns a task of a client. For a simulator it belongs to the process inside which this is called.
#[cfg(feature = "mutants")]
pub(crate) fn spawn<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match process::Process::current() {
        Some(process) => tokio::spawn(process.run(task)),
        None => tokio::spawn(task),
    }
}

#[cfg(not(feature = "mutants"))]
pub(crate) use tokio::spawn;

/// Waits for `future` with the thread that calls, for `most` at the longest; `None` when it was not
/// ready by then. Needs no runtime, and does not mind one: it blocks the thread either way.
pub(crate) fn block_on<T>(most: Duration, future: impl Future<Output = T>) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let began = std::time::Instant::now();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    // Within a task of Tokio its budget for the task would run dry and turn the wait into a spin.
    let mut future = std::pin::pin!(tokio::task::unconstrained(future));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = most.checked_sub(began.elapsed())?;
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_for_a_future_until_it_is_ready_or_the_time_is_over() {
        let (tx, rx) = tokio::sync::oneshot::channel();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            tx.send(42).unwrap();
        });
        assert_eq!(block_on(Duration::from_secs(60), rx), Some(Ok(42)));
        sender.join().unwrap();
        let began = std::time::Instant::now();
        assert_eq!(block_on(Duration::from_millis(30), std::future::pending::<()>()), None);
        assert!(Duration::from_millis(30) <= began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_met_in_virtual_time() {
        let clock = Clock::virtual_time();
        let deadline = clock.now().after(Duration::from_secs(3600));
        clock.sleep_until(Some(deadline)).await;
        assert!(deadline <= clock.now());
    }

    #[test]
    fn the_boot_clock_runs() {
        let clock = Clock::start();
        std::thread::sleep(Duration::from_millis(5));
        assert!(Duration::from_millis(5) <= clock.boot().since(Instant::default()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_tick_moves_within_its_longest_step() {
        let clock = Clock::start();
        let before = clock.tick().unwrap();
        std::thread::sleep(TICK);
        assert!(before < clock.tick().unwrap());
    }

    #[test]
    fn a_plane_on_its_own_thread_needs_no_runtime_of_the_caller() {
        let (tx, rx) = std::sync::mpsc::channel();
        start(Placement::OwnThread, "forebay-test", async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tx.send(std::thread::current().name().map(str::to_owned)).unwrap();
        })
        .unwrap();
        assert_eq!(rx.recv().unwrap().as_deref(), Some("forebay-test"));
    }
}
