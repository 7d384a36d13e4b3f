//! How does a simulator stop a process, all of it at once, while the clock goes on?
//!
//! What is spawned inside a [`Process`] belongs to it, and so does what that spawns: none of it is
//! polled while the process is frozen. Timers of it run out and answers to it arrive meanwhile, and
//! it finds them all when it goes on, as one that was sent SIGSTOP and SIGCONT.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

thread_local! {
    static CURRENT: RefCell<Option<Process>> = const { RefCell::new(None) };
}

/// Tasks that stop and go on together.
#[derive(Clone, Debug, Default)]
pub struct Process {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_frozen: bool,
    /// Those that had something to do meanwhile.
    waiting: Vec<Waker>,
}

impl Process {
    /// The process inside which this is called.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Does this inside the process: what is spawned belongs to it.
    pub fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let done = act();
        CURRENT.set(before);
        done
    }

    /// Nothing of it is polled from now on.
    pub fn freeze(&self) {
        self.state().is_frozen = true;
    }

    /// It goes on. Whoever had something to do first does it at the place that `turn` says, and the
    /// others after it: nothing says in which order they come to it.
    pub fn thaw(&self, turn: usize) {
        let mut state = self.state();
        state.is_frozen = false;
        let mut waiting = std::mem::take(&mut state.waiting);
        drop(state);
        let at = turn.checked_rem(waiting.len()).unwrap_or(0);
        waiting.rotate_left(at);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.state().is_frozen
    }

    /// `future` as a part of the process.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| self.poll(future.as_mut(), cx)).await
    }

    fn poll<F: Future>(&self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut state = self.state();
        if state.is_frozen {
            state.waiting.push(cx.waker().clone());
            return Poll::Pending;
        }
        drop(state);
        self.enter(|| future.poll(cx))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_frozen_process_spawned_does_nothing_until_it_goes_on() {
        let process = Process::default();
        let began = Instant::now();
        let wait = move |seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            began.elapsed()
        };
        let parent = async move {
            let grandchild = crate::runtime::spawn(wait(1));
            let elapsed = wait(20).await;
            (grandchild.await, elapsed)
        };
        let child = process.enter(|| crate::runtime::spawn(parent));
        tokio::task::yield_now().await;
        process.freeze();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(process.is_frozen() && !child.is_finished());
        process.thaw(1);
        let (grandchild, child) = child.await.unwrap();
        assert_eq!(grandchild.unwrap(), Duration::from_secs(10), "its timer had run out");
        assert_eq!(child, Duration::from_secs(20), "the clock had gone on");
    }
}
