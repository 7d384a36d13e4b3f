//! `cargo xtask codec`: Kafka's message definitions in, `crates/protocol/src/messages` out.
//!
//! Jars are found by [`jar`], read by [`definition`], chosen and merged by [`plan`], and written by
//! [`emit`]. Only facts are taken: names, types, versions, nullability, defaults.

mod definition;
mod emit;
mod files;
mod jar;
mod names;
mod plan;

use std::path::{Path, PathBuf};

/// What the command was asked to do.
#[derive(Debug, Default)]
struct Args {
    check: bool,
    jars: Vec<PathBuf>,
}

/// Why no messages could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("unknown argument `{0}`; use: cargo xtask codec [--check] [--jar PATH [--jar PATH]]")]
    Argument(String),
    #[error(transparent)]
    Jar(#[from] jar::JarError),
    #[error(transparent)]
    Definition(#[from] definition::DefinitionError),
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
    #[error(transparent)]
    Files(#[from] files::FilesError),
}

/// Writes the messages, or with `--check` says which are not as they would be written.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), CodecError> {
    let args = parse(options)?;
    let sources = sources(root, &args.jars)?;
    let plan = plan::plan(&sources)?;
    let files = files::formatted(root, &emit::files(&plan))?;
    let target = root.join("crates/protocol/src");
    if args.check {
        files::compare(&target, &files)?
    } else {
        files::write(&target, &files)?
    }
    println!("{} messages of {} APIs, {} files", plan.messages.len(), plan.apis(), files.len());
    Ok(())
}

fn parse(options: &[&str]) -> Result<Args, CodecError> {
    let mut args = Args::default();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match (*option, rest.as_slice().first()) {
            ("--check", _) => args.check = true,
            ("--jar", Some(path)) => {
                args.jars.push(path.into());
                rest.next();
            }
            _ => return Err(CodecError::Argument((*option).to_owned())),
        }
    }
    Ok(args)
}

/// The definitions of the newest Kafka and of the last one that still had the old versions.
fn sources(root: &Path, given: &[PathBuf]) -> Result<plan::Sources, CodecError> {
    let newest = jar::find(root, plan::NEWEST, given)?;
    let older = jar::find(root, plan::OLDER, given)?;
    Ok(plan::Sources {
        newest: definition::parse_all(&jar::definitions(&newest)?)?,
        older: definition::parse_all(&jar::definitions(&older)?)?,
    })
}
