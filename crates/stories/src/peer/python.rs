//! How is a newer librdkafka run than distributions have? By Confluent's package for Python, where it
//! is installed; the program is `python/member.py`.

use std::process::Stdio;

use tokio::process::Command;

use crate::member::Group;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/member.py");

/// Another Python than the one on the PATH, such as that of a virtual environment.
const PYTHON: &str = "FOREBAY_PYTHON";

/// Whether the package is there.
pub(crate) async fn is_there() -> bool {
    let mut command = python();
    command.args(["-c", "import confluent_kafka"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

/// A member of a group, which prints what it has handled and leaves at SIGTERM.
pub(crate) fn member(group: Group<'_>) -> Command {
    let Group { topic, name, how, client } = group;
    let mut command = python();
    command.args([PROGRAM, topic.bootstrap, topic.name, name, how, client]);
    command.stderr(Stdio::null());
    command
}

fn python() -> Command {
    Command::new(std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into()))
}
