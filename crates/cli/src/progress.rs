//! How far is it? A bar on a terminal, a line now and then elsewhere; always on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Shows how one step of some work goes on.
#[derive(Debug)]
pub(crate) struct Progress {
    step: &'static str,
    total: u64,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    pub(crate) fn new(step: &'static str, total: u64) -> Self {
        let shown = if io::stderr().is_terminal() {
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style());
            bar.set_message(step);
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: Instant::now() }
        };
        Self { step, total, shown }
    }

    /// So many are done now.
    pub(crate) fn at(&mut self, done: u64) {
        match &mut self.shown {
            Shown::Bar(bar) => bar.set_position(done.min(self.total)),
            Shown::Lines { last } if LINE_EVERY <= last.elapsed() => {
                *last = Instant::now();
                let (done, total) = (output::count(done), output::count(self.total));
                writeln!(io::stderr(), "{}: {done} of {total} records", self.step).ok();
            }
            Shown::Lines { .. } => {}
        }
    }
}

impl Drop for Progress {
    /// What comes next begins on a clean line.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{msg:8} {wide_bar} {human_pos:>11} of {human_len:11} {per_sec:>16}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
