//! How does a chore run another program?

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, pipe};
use std::process::{Command, ExitStatus, Stdio};

use crate::fault::Fault;

/// How a program ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// With exit code 0.
    Good,
    /// In any other way.
    Bad,
}

impl Ending {
    pub(crate) fn of(status: ExitStatus) -> Self {
        if status.success() { Self::Good } else { Self::Bad }
    }
}

/// Runs to the end with the terminal's own output.
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let status = command.status().map_err(|source| not_started(command, source))?;
    if status.success() { Ok(()) } else { Err(Fault::Failed { command: text(command), status }) }
}

/// Runs to the end and hands back what it printed; its errors go to the terminal.
pub(crate) fn output_of(command: &mut Command) -> Result<String, Fault> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|source| not_started(command, source))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Fault::Failed { command: text(command), status: output.status })
    }
}

/// Runs to the end; each line of both its outputs is printed and shown to `look`, in order.
pub(crate) fn watch(command: &mut Command, mut look: impl FnMut(&str)) -> Result<Ending, Fault> {
    let io = |source| Fault::NotStarted { command: "pipe".to_owned(), source };
    let (reader, writer) = pipe().map_err(io)?;
    command.stdout(writer.try_clone().map_err(io)?).stderr(writer).stdin(Stdio::null());
    let mut child = command.spawn().map_err(|source| not_started(command, source))?;
    // The command keeps our ends of the pipe open; without this the reader would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in lossy_lines(reader) {
        println!("{line}");
        look(&line);
    }
    let status = child.wait().map_err(|source| not_started(command, source))?;
    Ok(Ending::of(status))
}

/// Whether the program can be started at all.
pub(crate) fn exists(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn lossy_lines(reader: impl Read) -> impl Iterator<Item = String> {
    let split = BufReader::new(reader).split(b'\n');
    split.map_while(Result::ok).map(|line| String::from_utf8_lossy(&line).into_owned())
}

fn not_started(command: &Command, source: std::io::Error) -> Fault {
    Fault::NotStarted { command: text(command), source }
}

fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut words = words.map(OsStr::to_string_lossy);
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    words.fold(program, |line, word| format!("{line} {word}"))
}
