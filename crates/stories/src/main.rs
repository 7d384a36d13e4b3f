//! Which promise holds on which broker? Tells every story on every broker and prints the table.

#![forbid(unsafe_code)]

mod member;
mod ours;
mod peer;
mod proxy;
mod reader;
mod report;
mod runner;
mod stage;
mod stories;
mod story;
mod traffic;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::report::Report;
use crate::stage::Kafka;

/// Tells every story on every broker: in-process, the newest and the oldest Kafka promised.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only stories whose name contains this.
    #[arg(default_value = "")]
    filter: String,
    /// Only brokers whose name contains this.
    #[arg(long, default_value = "")]
    on: String,
    /// Print a table for people or JSON for programs.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Fail when real Kafka cannot be started; else its stories are left out.
    #[arg(long, env = "FOREBAY_REQUIRE_KAFKA", value_parser = clap::builder::FalseyValueParser::new())]
    require_kafka: bool,
    /// Play a part of a story instead of telling it; the runner starts itself with this.
    #[arg(long, hide = true)]
    part: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(part) = &arguments.part {
        return stories::play(part).await;
    }
    let kafka = if arguments.require_kafka { Kafka::Required } else { Kafka::IfThere };
    let report = runner::run(&arguments.filter, &arguments.on, kafka).await;
    print(&report, arguments.output);
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report, output: Output) {
    match output {
        Output::Table => print!("{}", report.table()),
        Output::Json => println!("{}", report.json()),
    }
}
