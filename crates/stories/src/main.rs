//! Which promise holds on which broker? Tells every story on every broker and prints the table.

#![forbid(unsafe_code)]

mod custody;
mod load;
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

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::report::Report;
use crate::runner::Wish;
use crate::stage::{Kafka, Releases};

/// Tells every story on every broker: in-process, the newest and the oldest Kafka promised, or all
/// releases of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only stories whose name contains this.
    #[arg(default_value = "")]
    filter: String,
    /// Only brokers whose name contains this.
    #[arg(long, default_value = "")]
    on: String,
    /// Which releases of Kafka.
    #[arg(long, value_enum, default_value_t)]
    kafka: Releases,
    /// A report in JSON of an earlier run: what it tells of is not told again.
    #[arg(long, value_name = "FILE")]
    after: Vec<PathBuf>,
    /// Print a table for people, JSON for programs, or Markdown for a page.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Fail when real Kafka cannot be started; else its stories are left out.
    #[arg(long, env = "FOREBAY_REQUIRE_KAFKA", value_parser = clap::builder::FalseyValueParser::new())]
    require_kafka: bool,
    /// Play a part of a story instead of telling it; the runner starts itself with this.
    #[arg(long, hide = true)]
    part: Option<String>,
}

impl Arguments {
    fn wish(&self) -> Wish<'_> {
        Wish {
            filter: &self.filter,
            on: &self.on,
            releases: self.kafka,
            kafka: if self.require_kafka { Kafka::Required } else { Kafka::IfThere },
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
    /// For a page of the documentation.
    Markdown,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(part) = &arguments.part {
        return stories::play(part).await;
    }
    let earlier = match Report::of_files(&arguments.after) {
        Ok(earlier) => earlier,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    let report = runner::run(&arguments.wish(), earlier).await;
    print(&report, arguments.output);
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report, output: Output) {
    match output {
        Output::Table => print!("{}", report.table()),
        Output::Json => println!("{}", report.json()),
        Output::Markdown => print!("{}", report.markdown()),
    }
}
