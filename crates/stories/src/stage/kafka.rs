//! How does a story get real Kafka? Through the lab, started as the program that users start.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::Absence;

/// A cluster of one broker, which the lab ends when this process ends, however it does.
pub(crate) struct Lab {
    name: String,
    bootstrap: String,
}

impl Lab {
    pub(crate) async fn start(release: &str) -> Result<Self, Absence> {
        for (program, argument) in [("java", "-version"), ("mvn", "--version")] {
            needs(program, argument).await?;
        }
        let (system, pid) = (format!("kafka@{release}"), std::process::id().to_string());
        let name = format!("stories-{}-{pid}", release.replace('.', "-"));
        let output = minotaur(&["up", &system, "--name", &name, "--while-pid", &pid]).await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Absence::Start { reason });
        }
        let bootstrap = last_line(&output);
        Ok(Self { name, bootstrap })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) async fn stop(self) {
        match minotaur(&["down", &self.name]).await {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(absence) => eprintln!("{absence}"),
        }
    }
}

/// The bootstrap list stands on the last line.
fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

async fn needs(program: &'static str, argument: &str) -> Result<(), Absence> {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(Absence::Tool { program }),
    }
}

async fn minotaur(arguments: &[&str]) -> Result<Output, Absence> {
    let mut command = Command::new(beside("minotaur"));
    let output = command.args(arguments).stdin(Stdio::null()).output().await;
    output.map_err(|source| Absence::Start {
        reason: format!("minotaur: {source}; build it first: cargo build --package minotaur"),
    })
}

/// Programs of the workspace are built into one folder.
pub(crate) fn beside(program: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name(program)
}
