//! `forebay-sim --seeds N --from S`: plays seeds, each twice. `--seed N` plays one and tells all.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use forebay_sim::{Conduct, Played, play};

const USAGE: &str = "usage: forebay-sim (--seeds N [--from S] | --seed N)
  --seeds N   plays N seeds, each twice, and tells of those that went wrong
  --from S    the first of them; 0 when not said
  --seed N    plays one seed and prints its history, a line per event, and the verdict";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().ok();
    let good = match words.as_slice() {
        ["--seed", seed] => number(seed).map(replay),
        ["--seeds", count] => number(count).map(|count| many(0, count)),
        ["--seeds", count, "--from", from] | ["--from", from, "--seeds", count] => {
            number(count).zip(number(from)).map(|(count, from)| many(from, count))
        }
        _ => None,
    };
    match good {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn replay(seed: u64) -> bool {
    let played = match play(seed, Conduct::Honest) {
        Ok(played) => played,
        Err(error) => {
            eprintln!("seed {seed}: {error}");
            return false;
        }
    };
    for (number, event) in (1_u64..).zip(&played.events) {
        match serde_json::to_string(event) {
            Ok(line) => println!("{number:>6} {line}"),
            Err(error) => eprintln!("event {number}: {error}"),
        }
    }
    tell(seed, &played);
    played.is_good()
}

fn many(from: u64, count: u64) -> bool {
    let (mut bad, began) = (0_u64, std::time::Instant::now());
    for seed in from..from.saturating_add(count) {
        match (play(seed, Conduct::Honest), play(seed, Conduct::Honest)) {
            (Ok(first), Ok(second)) if first.hash == second.hash => {
                if !first.is_good() {
                    bad += 1;
                    tell(seed, &first);
                }
            }
            (Ok(_), Ok(_)) => {
                bad += 1;
                println!("seed {seed}: played twice, it went two ways");
            }
            (Err(error), _) | (_, Err(error)) => {
                bad += 1;
                println!("seed {seed}: {error}");
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{count} seeds from {from}, each twice: {bad} went wrong; {seconds:.1} s");
    bad == 0
}

fn tell(seed: u64, played: &Played) {
    println!("seed {seed}: {}", played.shape.text);
    played.unmet.iter().for_each(|unmet| println!("unmet: {unmet}"));
    println!("{}", played.verdict);
}
