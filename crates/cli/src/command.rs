//! The commands, one file each, and how they are started.

use crate::args::{Arguments, Command, Perf, Shared};
use crate::error::CliError;
use crate::signals::Stop;

pub(crate) mod broker;
mod connect;
pub(crate) mod consume;
pub(crate) mod demo;
pub(crate) mod group;
mod leftovers;
pub(crate) mod pages;
pub(crate) mod perf;
pub(crate) mod produce;
mod runtime;
pub(crate) mod topic;
mod watch;

/// How a command ended that did not fail with an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Done,
    /// It said itself what was wrong.
    Failed,
    Interrupted,
}

/// What every command is told.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) shared: Shared,
    pub(crate) stop: Stop,
}

pub(crate) fn run(arguments: Arguments, stop: Stop) -> Result<Ending, CliError> {
    let around = Surroundings { shared: arguments.shared, stop };
    match arguments.command {
        Command::Demo(options) => demo::run(&options, &around),
        Command::Broker(options) => broker::run(&options, &around),
        Command::Topic(verb) => topic::run(&verb, &around),
        Command::Group(verb) => group::run(&verb, &around),
        Command::Produce(options) => produce::run(&options, &around),
        Command::Consume(options) => consume::run(&options, &around),
        Command::Completions(options) => pages::completions(&options),
        Command::Man(options) => pages::man(&options),
        Command::Perf(Perf::Consume(options)) => perf::run(&options, &around),
        Command::Perf(Perf::Produce(options)) => perf::produce::run(&options, &around),
    }
}
