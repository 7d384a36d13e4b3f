//! What ends a cluster whose owner died without a word?
//!
//! The guard is a shell that leads the process group of the cluster's nodes and reads from a pipe
//! whose other end the owner holds. When the owner dies, by whatever signal, the system closes
//! the pipe, and the guard kills its group. No polling, and no id that could have been reused: the
//! group lives as long as its leader.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

const SCRIPT: &str = r#"read -r word; [ "$word" = leave ] || kill -9 0"#;

/// Ends its process group when it is dropped or its process dies.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the shell.
    ///
    /// # Errors
    ///
    /// What starting `sh` gives.
    pub(crate) fn start() -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// The process group that nodes are to join; `None` once the guard is gone.
    pub(crate) fn group(&mut self) -> Option<i32> {
        match self.child.try_wait() {
            Ok(None) => i32::try_from(self.child.id()).ok(),
            _ => None,
        }
    }

    /// Lets the group live on without a guard.
    pub(crate) fn leave(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(b"leave\n").ok();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::infrastructure::local::process::ProcessId;

    #[expect(clippy::zombie_processes, reason = "reaped by its id")]
    fn member(guard: &mut Guard) -> ProcessId {
        let group = guard.group().unwrap();
        let child = Command::new("sleep").arg("60").process_group(group).spawn().unwrap();
        ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap()
    }

    #[test]
    fn the_group_dies_with_its_guard() {
        let mut guard = Guard::start().unwrap();
        let member = member(&mut guard);
        drop(guard);
        assert!(member.wait_gone_blocking(Duration::from_secs(5)));
    }

    #[test]
    fn the_group_outlives_a_guard_that_left() {
        let mut guard = Guard::start().unwrap();
        let member = member(&mut guard);
        guard.leave();
        std::thread::sleep(Duration::from_millis(50));
        assert!(member.is_alive());
        member.signal(rustix::process::Signal::KILL);
        assert!(member.wait_gone_blocking(Duration::from_secs(5)));
    }
}
