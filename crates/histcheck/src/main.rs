//! `histcheck [needs] FILE…`: judges histories from files, as one. Exit code 0: good, 1: a rule was
//! broken, 2: it proves nothing or cannot be read.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use forebay_histcheck::{Checker, History, HistoryError, Needs, Verdict};

const USAGE: &str =
    "usage: histcheck [--json] [--records N] [--moves N] [--kills N] [--faults N] FILE…
  judges the events of all files together; each N is what must have happened at least";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(asked) = Asked::parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match judge(&asked) {
        Ok(verdict) => {
            print(&verdict, &asked);
            ExitCode::from(verdict.exit_code())
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// What the command line says.
#[derive(Debug, Default)]
struct Asked {
    is_json: bool,
    needs: Needs,
    files: Vec<String>,
}

impl Asked {
    fn parse(words: &[String]) -> Option<Self> {
        let mut asked = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix("--") else {
                asked.files.push(word.clone());
                continue;
            };
            if option == "json" {
                asked.is_json = true;
                continue;
            }
            let count = words.next()?.parse().ok()?;
            match option {
                "records" => asked.needs.records = count,
                "moves" => asked.needs.moves = count,
                "kills" => asked.needs.kills = count,
                "faults" => asked.needs.faults = count,
                _ => return None,
            }
        }
        (!asked.files.is_empty()).then_some(asked)
    }
}

fn judge(asked: &Asked) -> Result<Verdict, HistoryError> {
    let mut checker = Checker::new();
    for event in History::open(&asked.files)? {
        checker.hear(&event?);
    }
    Ok(checker.conclude(&asked.needs))
}

fn print(verdict: &Verdict, asked: &Asked) {
    match serde_json::to_string_pretty(verdict) {
        Ok(json) if asked.is_json => println!("{json}"),
        _ => println!("{verdict}"),
    }
}
