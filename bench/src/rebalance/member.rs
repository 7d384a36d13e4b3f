//! How is a member of each client started, heard and asked to leave?

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Options;
use super::gaps::Seen;
use crate::error::Error;

/// How long a member may take to leave.
const LEAVE: Duration = Duration::from_secs(20);

/// Whose members.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// Ours, as users have it: `forebay consume --group`.
    Forebay,
    /// `crates/stories/java/Member.java`.
    Java { class_path: String },
    /// librdkafka.
    Kcat,
}

/// What all members of a group are told.
#[derive(Debug)]
pub(super) struct Team {
    client: Client,
    bootstrap: String,
    topic: String,
    group: String,
    how: String,
    /// Ours reads its settings from a file, as the JVM client has them.
    settings: PathBuf,
}

/// A process that prints partition and offset of what it has handled.
#[derive(Debug)]
pub(super) struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Team {
    pub(super) fn new(options: &Options, topic: &str, client: Client) -> Result<Self, Error> {
        let how = options.how.clone();
        let protocol = match how.as_str() {
            "consumer" => "group.protocol=consumer\n".to_owned(),
            assignor => format!(
                "group.protocol=classic\npartition.assignment.strategy={assignor}\n\
                 session.timeout.ms=6000\nheartbeat.interval.ms=500\n"
            ),
        };
        let settings = std::env::temp_dir().join(format!("{topic}.properties"));
        let text = format!("auto.offset.reset=latest\n{protocol}");
        std::fs::write(&settings, text).map_err(Error::io("write settings"))?;
        let bootstrap = options.live.clone();
        let mut team = Self {
            client,
            bootstrap,
            topic: topic.to_owned(),
            group: String::new(),
            how,
            settings,
        };
        team.group = format!("{topic}-{}", team.name());
        Ok(team)
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.client {
            Client::Forebay => "forebay",
            Client::Java { .. } => "java",
            Client::Kcat => "librdkafka",
        }
    }

    /// Starts one more; what it prints is noted in `seen` under its number.
    pub(super) fn member(&self, number: usize, seen: &Seen) -> Result<Member, Error> {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(Error::io("start a member"))?;
        let (stdin, stdout, seen) = (child.stdin.take(), child.stdout.take(), seen.clone());
        if let Some(stdout) = stdout {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    seen.note(number, &line);
                }
            });
        }
        Ok(Member { child, stdin })
    }

    fn command(&self) -> Command {
        let Self { bootstrap, topic, group, how, .. } = self;
        match &self.client {
            Client::Forebay => {
                let mut command = Command::new("target/release/forebay");
                command.args(["consume", topic, "--group", group, "--from", "end"]);
                command.args(["--format", "%p %o\\n", "--bootstrap-servers", bootstrap]);
                command.arg("--config").arg(&self.settings);
                command
            }
            Client::Java { class_path } => {
                let how = match how.as_str() {
                    "cooperative-sticky" => {
                        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
                    }
                    other => other,
                };
                let mut command = Command::new("java");
                command.args(["-XX:TieredStopAtLevel=1", "-cp", class_path]);
                command.args([
                    "crates/stories/java/Member.java",
                    bootstrap,
                    topic,
                    group,
                    how,
                    "java",
                ]);
                command
            }
            Client::Kcat => {
                let mut command = Command::new("kcat");
                command.args(["-b", bootstrap, "-u", "-q", "-f", "%p %o\\n"]);
                command.args(["-X", "auto.offset.reset=latest", "-X", "session.timeout.ms=6000"]);
                command.args(["-X", "heartbeat.interval.ms=500"]);
                command.args(["-X", &format!("partition.assignment.strategy={how}")]);
                command.args(["-G", group, topic]);
                command
            }
        }
    }
}

impl Member {
    /// Asks it to leave and waits until it has.
    pub(super) fn leave(mut self, team: &Team) -> Result<(), Error> {
        drop(self.stdin.take());
        // Java's looks at its input; a signal would end it without a word to the group.
        if !matches!(team.client, Client::Java { .. }) {
            let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
            kill(pid, Signal::SIGTERM)
                .map_err(|errno| Error::io("ask a member to leave")(errno.into()))?;
        }
        let until = Instant::now() + LEAVE;
        while self.child.try_wait().map_err(Error::io("wait for a member"))?.is_none() {
            if until < Instant::now() {
                self.child.kill().map_err(Error::io("end a member"))?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It has left, or the measurement is over.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
