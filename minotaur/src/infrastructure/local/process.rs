//! Which process is it, does it still live, and how is it signalled? A process is known by its id
//! *and* its start time, so that a stranger who was given a dead node's id is never touched.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde::{Deserialize, Serialize};

const POLL: Duration = Duration::from_millis(5);

/// A process of this machine, since it was last booted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    /// Clock ticks between the machine's boot and the process's start.
    started: u64,
}

/// What a process does now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProcessState {
    Running,
    /// Stopped by SIGSTOP.
    Frozen,
    Gone,
}

/// Two fields of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stat {
    state: char,
    started: u64,
}

impl ProcessId {
    /// The living process with this id.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = read_stat(pid)?;
        (stat.state != 'Z').then_some(Self { pid, started: stat.started })
    }

    /// A child that was not reaped yet, dead or alive.
    pub(crate) fn of_child(pid: i32) -> Option<Self> {
        Some(Self { pid, started: read_stat(pid)?.started })
    }

    /// The calling process.
    pub(crate) fn own() -> Option<Self> {
        Self::of(i32::try_from(std::process::id()).ok()?)
    }

    pub(crate) fn state(self) -> ProcessState {
        match read_stat(self.pid) {
            Some(stat) if stat.started != self.started => ProcessState::Gone,
            Some(Stat { state: 'Z' | 'X', .. }) => {
                self.reap();
                ProcessState::Gone
            }
            Some(Stat { state: 'T', .. }) => ProcessState::Frozen,
            Some(_) => ProcessState::Running,
            None => ProcessState::Gone,
        }
    }

    pub(crate) fn is_alive(self) -> bool {
        self.state() != ProcessState::Gone
    }

    /// Sends `signal`; a process that is gone already is no error.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            kill_process(pid, signal).ok();
        }
    }

    /// Waits until it is gone, without giving way to other tasks: for `Drop`.
    /// Whether it went before `limit`.
    pub(crate) fn wait_gone_blocking(self, limit: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() > limit {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }

    /// Waits until it is gone. Whether it went before `limit`. Cancel safe.
    pub(crate) async fn wait_gone(self, limit: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(self) -> Option<u64> {
        if !self.is_alive() {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    }

    /// Takes a dead child's exit status, so that it does not stay as a zombie. Children that
    /// another command started are not ours to reap, and the call fails.
    fn reap(self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            waitpid(Some(pid), WaitOptions::NOHANG).ok();
        }
    }
}

/// All processes that have `argument` on their command line.
pub(crate) fn find_by_argument(argument: &Path) -> Vec<ProcessId> {
    let wanted = format!("@{}", argument.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| has_argument(*pid, wanted.as_bytes()))
        .filter_map(ProcessId::of)
        .collect()
}

fn has_argument(pid: i32, wanted: &[u8]) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|argument| argument == wanted)
}

fn read_stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in brackets and may hold blanks and brackets itself.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of the line, the state being field 3.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn sleeper() -> (std::process::Child, ProcessId) {
        let child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        (child, id)
    }

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_confuse_the_fields() {
        let line = "42 (a) Z b) S 1 42 42 0 -1 4 1 0 0 0 5 6 0 0 20 0 33 0 987654 1 2";
        assert_eq!(parse_stat(line), Some(Stat { state: 'S', started: 987_654 }));
        assert_eq!(parse_stat("42 (sh) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_child_is_running_then_frozen_then_gone() {
        let (_child, id) = sleeper();
        assert_eq!(id.state(), ProcessState::Running);
        id.signal(Signal::STOP);
        let frozen = (0..200).any(|_| {
            std::thread::sleep(POLL);
            id.state() == ProcessState::Frozen
        });
        assert!(frozen);
        id.signal(Signal::KILL);
        assert!(id.wait_gone_blocking(Duration::from_secs(5)));
        assert!(read_stat(id.pid).is_none(), "the dead child was reaped");
    }

    #[test]
    fn another_start_time_is_another_process() {
        let (mut child, id) = sleeper();
        let stranger = ProcessId { started: id.started + 1, ..id };
        assert!(!stranger.is_alive());
        stranger.signal(Signal::KILL);
        std::thread::sleep(POLL);
        assert!(id.is_alive(), "the stranger's signal did not reach it");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_is_found_by_its_argument_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("java.args");
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60; :", "sh"])
            .arg(format!("@{}", file.display()))
            .spawn()
            .unwrap();
        // The system shows the arguments a moment after the program has begun.
        let found = (0..400).find_map(|_| {
            std::thread::sleep(POLL);
            Some(find_by_argument(&file)).filter(|found| !found.is_empty())
        });
        let found = found.unwrap_or_default();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            found.iter().map(|id| u32::try_from(id.pid).unwrap()).collect::<Vec<_>>(),
            [child.id()]
        );
    }

    #[test]
    fn our_own_memory_is_known() {
        assert!(ProcessId::own().unwrap().resident_bytes().unwrap() > 100_000);
    }
}
