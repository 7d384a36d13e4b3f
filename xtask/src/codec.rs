//! `cargo xtask codec`: Kafka's message definitions in, `crates/protocol/src/messages` out.
//!
//! Jars are found by [`jar`], read by [`definition`], chosen and merged by [`plan`], and written by
//! [`emit`]. Only facts are taken: names, types, versions, nullability, defaults.

mod definition;
mod emit;
mod files;
mod goldens;
mod jar;
mod names;
mod plan;

use std::path::{Path, PathBuf};

/// What the command was asked to do.
#[derive(Debug, Default)]
struct Args {
    task: Task,
    jars: Vec<PathBuf>,
}

/// Which of the three it was.
#[derive(Clone, Copy, Debug, Default)]
enum Task {
    #[default]
    Write,
    Check,
    Goldens,
}

/// Why no messages could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error(
        "unknown argument `{0}`; use: cargo xtask codec [--check | --goldens] [--jar PATH [--jar PATH]]"
    )]
    Argument(String),
    #[error(transparent)]
    Jar(#[from] jar::JarError),
    #[error(transparent)]
    Definition(#[from] definition::DefinitionError),
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    #[error(transparent)]
    Files(#[from] files::FilesError),
    #[error(transparent)]
    Goldens(#[from] goldens::GoldensError),
}

/// Writes the messages; with `--check` says which are not as they would be written; with `--goldens`
/// writes the bytes that Kafka's classes make of them, for the tests.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), CodecError> {
    let args = parse(options)?;
    let newest = jar::find(root, plan::NEWEST, &args.jars)?;
    let older = jar::find(root, plan::OLDER, &args.jars)?;
    let plan = plan::plan(&plan::Sources {
        newest: definition::parse_all(&jar::definitions(&newest)?)?,
        older: definition::parse_all(&jar::definitions(&older)?)?,
    })?;
    let files = || files::formatted(root, &emit::files(&plan));
    let target = root.join("crates/protocol/src");
    match args.task {
        Task::Write => files::write(&target, &files()?)?,
        Task::Check => files::compare(&target, &files()?)?,
        Task::Goldens => goldens::Place { root, jars: &args.jars }.write(&plan)?,
    }
    println!("codec: {} messages of {} APIs", plan.messages.len(), plan.apis());
    Ok(())
}

fn parse(options: &[&str]) -> Result<Args, CodecError> {
    let mut args = Args::default();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match (*option, rest.as_slice().first()) {
            ("--check", _) => args.task = Task::Check,
            ("--goldens", _) => args.task = Task::Goldens,
            ("--jar", Some(path)) => {
                args.jars.push(path.into());
                rest.next();
            }
            _ => return Err(CodecError::Argument((*option).to_owned())),
        }
    }
    Ok(args)
}
