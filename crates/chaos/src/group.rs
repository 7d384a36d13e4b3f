//! The processes of a slice: members that come, go, are killed and frozen, and who writes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use forebay_histcheck::{Notebook, What, mend};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::pulse::Pulse;

/// How long a member may take to leave: its own deadline, and a busy machine.
const LEAVE: Duration = Duration::from_secs(40);

/// How members are to be.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) program: PathBuf,
    /// Words in front of all others.
    pub(crate) words: Vec<String>,
    pub(crate) bootstrap: String,
    pub(crate) sharing: String,
    pub(crate) order: String,
    pub(crate) slowness: u64,
}

/// All members.
pub(crate) struct Group {
    manner: Manner,
    folder: PathBuf,
    notes: Arc<Notebook>,
    born: u32,
    pub(crate) members: Vec<Member>,
    leaving: JoinSet<Option<String>>,
    pulse: Pulse,
    /// What should not have happened.
    pub(crate) unmet: Vec<String>,
}

/// A process.
pub(crate) struct Member {
    pub(crate) name: String,
    child: Child,
    /// Its end asks it to leave.
    stdin: Option<ChildStdin>,
    history: PathBuf,
    pub(crate) is_frozen: bool,
}

impl Group {
    pub(crate) fn new(
        manner: Manner,
        folder: &Path,
        (notes, pulse): (Arc<Notebook>, Pulse),
    ) -> Self {
        let folder = folder.to_owned();
        let (members, leaving, unmet) = (Vec::new(), JoinSet::new(), Vec::new());
        Self { manner, folder, notes, born: 0, members, leaving, pulse, unmet }
    }

    /// A new member joins.
    pub(crate) fn join(&mut self) -> Result<(), Fault> {
        self.born += 1;
        let name = format!("m{}", self.born);
        let history = self.folder.join(format!("{name}.events"));
        let Manner { program, words, bootstrap, sharing, order, slowness } = &self.manner;
        let mut command = Command::new(program);
        command.args(words).args(["--bootstrap", bootstrap, "--name", &name]);
        command.arg("--history").arg(&history).args(["--sharing", sharing, "--order", order]);
        command.args(["--slowness", &slowness.to_string()]);
        let said = self.folder.join(format!("{name}.log"));
        let (child, stdin) = start(command, &said)?;
        self.members.push(Member { name, child, stdin, history, is_frozen: false });
        Ok(())
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self, at: usize) -> Result<String, Fault> {
        let mut member = self.members.swap_remove(at);
        member.child.kill().await.map_err(Fault::io("kill -9 of a member"))?;
        // Not before it is dead: what it did until then it did alive.
        self.note(What::Killed { member: member.name.clone() })?;
        mend(&member.history).map_err(Fault::file(&member.history))?;
        Ok(member.name)
    }

    /// It leaves in good order, beside whatever else happens.
    pub(crate) fn leave(&mut self, at: usize) {
        let mut member = self.members.swap_remove(at);
        drop(member.stdin.take());
        let (pulse, before) = (self.pulse.clone(), self.pulse.count());
        self.leaving.spawn(async move {
            let name = &member.name;
            let left = match tokio::time::timeout(LEAVE, member.child.wait()).await {
                Ok(Ok(status)) if status.success() => None,
                Ok(Ok(status)) => Some(format!("{name} did not leave in good order: {status}")),
                Ok(Err(error)) => Some(format!("{name}: {error}")),
                Err(_) => Some(format!("{name} did not leave within {LEAVE:?}")),
            };
            // No deadline holds while nothing runs.
            left.filter(|_| pulse.count() == before)
        });
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&mut self, at: usize) -> Result<(), Fault> {
        let Some(member) = self.members.get_mut(at) else { return Ok(()) };
        member.is_frozen = true;
        self.notes.note(What::Paused { member: member.name.clone() }).map_err(history)?;
        member.signal(Signal::STOP)
    }

    /// SIGCONT, of all that are frozen.
    pub(crate) fn thaw(&mut self) -> Result<(), Fault> {
        for member in self.members.iter_mut().filter(|member| member.is_frozen) {
            member.is_frozen = false;
            self.notes.note(What::Resumed { member: member.name.clone() }).map_err(history)?;
            member.signal(Signal::CONT)?;
        }
        Ok(())
    }

    /// Looks for members that ended although nobody asked them to.
    pub(crate) fn look(&mut self) -> Result<(), Fault> {
        let ended = |member: &mut Member| member.child.try_wait().ok().flatten();
        let gone = self.members.iter_mut().map(ended).position(|status| status.is_some());
        let Some(at) = gone else { return Ok(()) };
        let member = self.members.swap_remove(at);
        self.unmet.push(format!("{} ended by itself, see its log", member.name));
        self.note(What::Killed { member: member.name })
    }

    /// All members leave; waits until they have.
    pub(crate) async fn end(&mut self) -> Result<(), Fault> {
        self.look()?;
        while !self.members.is_empty() {
            self.leave(0);
        }
        while let Some(left) = self.leaving.join_next().await {
            self.unmet.extend(left.ok().flatten());
        }
        Ok(())
    }

    fn note(&self, what: What) -> Result<(), Fault> {
        self.notes.note(what).map_err(history)
    }
}

impl Member {
    fn signal(&self, signal: Signal) -> Result<(), Fault> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let Some(pid) = pid else { return Ok(()) };
        let sent = kill_process(pid, signal).map_err(std::io::Error::from);
        sent.map_err(Fault::io("a signal to a member"))
    }
}

/// The process that writes.
pub(crate) struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Writer {
    pub(crate) fn start(folder: &Path, bootstrap: &str, rate: u32) -> Result<Self, Fault> {
        let mut command = Command::new(own_program()?);
        command.args(["writer", "--bootstrap", bootstrap, "--rate", &rate.to_string()]);
        command.arg("--history").arg(folder.join("writer.events"));
        let (child, stdin) = start(command, &folder.join("writer.log"))?;
        Ok(Self { child, stdin })
    }

    /// Ends in good order; what should not have happened.
    pub(crate) async fn end(mut self) -> Option<String> {
        drop(self.stdin.take());
        match tokio::time::timeout(Duration::from_secs(200), self.child.wait()).await {
            Ok(Ok(status)) if status.success() => None,
            Ok(Ok(status)) => Some(format!("the writer ended badly, see its log: {status}")),
            Ok(Err(error)) => Some(format!("the writer: {error}")),
            Err(_) => Some("the writer did not end".to_owned()),
        }
    }
}

fn start(mut command: Command, said: &Path) -> Result<(Child, Option<ChildStdin>), Fault> {
    let log = File::create(said).map_err(Fault::file(said))?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    let mut child = command.spawn().map_err(Fault::io("a process of its own"))?;
    let stdin = child.stdin.take();
    Ok((child, stdin))
}

/// This program.
pub(crate) fn own_program() -> Result<PathBuf, Fault> {
    std::env::current_exe().map_err(Fault::io("the path of this program"))
}

/// A process that its parent leaves behind, frozen perhaps, would stay for ever.
pub(crate) fn die_with_parent() {
    // Where the system does not know this it is only less tidy.
    set_parent_process_death_signal(Some(Signal::KILL)).ok();
}

fn history(source: std::io::Error) -> Fault {
    Fault::Io { what: "the history", source }
}
