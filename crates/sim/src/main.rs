//! `forebay-sim --seeds N --from S`: plays seeds, each twice. `--seed N` plays one and tells all.
//! `--mutant NAME` does it with a client that makes a mistake, and looks for the first seed that
//! shows it.

#![forbid(unsafe_code)]

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebay_sim::{Conduct, Mutant, Played, Seed, play};

const USAGE: &str =
    "usage: forebay-sim (--seeds N [--from S] | --seed N) [--mutant NAME] [--threads T]
  --seeds N      plays N seeds, each twice, and tells of those that went wrong
  --from S       the first of them; 0 when not said
  --seed N       plays one seed and prints its history, a line per event, and the verdict; 1:N as
                 it was in the first edition, when less could be drawn
  --mutant NAME  the client makes this mistake; with --seeds: looks for the first seed whose run is
                 refused, and tells by which rule. `all`: each mistake after another
  --threads T    as many seeds side by side; as many as there are cores when not said";

/// How often it is told how far it is.
const TELLS_EVERY: Duration = Duration::from_secs(10);

/// What is asked for.
struct Asked {
    from: u64,
    count: u64,
    seed: Option<Seed>,
    mutants: Vec<Mutant>,
    threads: usize,
}

impl Asked {
    fn parse(words: &[&str]) -> Option<Self> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut asked = Self { from: 0, count: 0, seed: None, mutants: Vec::new(), threads };
        for pair in words.chunks(2) {
            match *pair {
                ["--seeds", count] => asked.count = count.parse().ok()?,
                ["--from", from] => asked.from = from.parse().ok()?,
                ["--seed", seed] => asked.seed = Some(seed.parse().ok()?),
                ["--threads", count] => asked.threads = count.parse().ok()?,
                ["--mutant", "all"] => asked.mutants = Mutant::ALL.into(),
                ["--mutant", name] => asked.mutants = vec![name.parse().ok()?],
                _ => return None,
            }
        }
        (asked.seed.is_some() != (asked.count != 0)).then_some(asked)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(asked) = Asked::parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let is_good = match (asked.seed, asked.mutants.as_slice()) {
        (Some(seed), mutants) => replay(seed, mutants.first().copied()),
        (None, []) => many(&asked),
        (None, mutants) => {
            // All of them are hunted for, also behind one that is not found.
            let missed = mutants.iter().filter(|mutant| !hunt(&asked, **mutant)).count();
            missed == 0
        }
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: Seed, mutant: Option<Mutant>) -> bool {
    let played = match play(seed, mutant.map_or(Conduct::Honest, Conduct::Mistaken)) {
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
    println!("{}", told(seed, &played));
    played.is_good()
}

/// Plays each seed twice; whether all went well.
fn many(asked: &Asked) -> bool {
    let Asked { count, from, threads, .. } = asked;
    println!("{count} seeds from {from}, each twice, {threads} side by side; --seed N replays one");
    let tally = Tally::new(*count);
    side_by_side(asked, |seed| {
        tally.count(wrong(seed.into()));
        true
    });
    println!("{}", tally.told());
    tally.bad.into_inner() == 0
}

/// How far it is.
struct Tally {
    count: u64,
    played: AtomicU64,
    bad: AtomicU64,
    began: Instant,
    told: Mutex<Instant>,
}

impl Tally {
    fn new(count: u64) -> Self {
        let began = Instant::now();
        let (played, bad) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { count, played, bad, began, told: Mutex::new(began) }
    }

    /// One more is played, and this is wrong with it; tells how far it is, now and then.
    fn count(&self, wrong: Option<String>) {
        self.played.fetch_add(1, Ordering::Relaxed);
        if let Some(text) = wrong {
            self.bad.fetch_add(1, Ordering::Relaxed);
            println!("{text}");
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if TELLS_EVERY <= told.elapsed() {
            *told = Instant::now();
            eprintln!("{}", self.told());
        }
    }

    fn told(&self) -> String {
        let (played, bad) = (self.played.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed));
        let (count, seconds) = (self.count, self.began.elapsed().as_secs_f64());
        format!("{played} of {count} seeds, {bad} went wrong; {seconds:.1} s")
    }
}

/// What is wrong with a seed, if anything.
fn wrong(seed: Seed) -> Option<String> {
    match (play(seed, Conduct::Honest), play(seed, Conduct::Honest)) {
        (Ok(first), Ok(second)) if first.hash != second.hash => {
            Some(format!("seed {seed}: played twice, it went two ways"))
        }
        (Ok(first), Ok(_)) => (!first.is_good()).then(|| told(seed, &first)),
        (Err(error), _) | (_, Err(error)) => Some(format!("seed {seed}: {error}")),
    }
}

/// Looks for the first seed that shows a mistake; whether there is one.
fn hunt(asked: &Asked, mutant: Mutant) -> bool {
    let first: Mutex<Option<(u64, String)>> = Mutex::new(None);
    side_by_side(asked, |seed| {
        let why = match play(seed.into(), Conduct::Mistaken(mutant)) {
            // Without the mistake the same seed has to be good, or it shows nothing.
            Ok(played) => played.refusal().filter(|_| wrong(seed.into()).is_none()),
            Err(error) => Some(error.to_string()),
        };
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = why
            && first.as_ref().is_none_or(|(found, _)| seed < *found)
        {
            *first = Some((seed, why));
        }
        first.is_none()
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    match &first {
        Some((seed, why)) => println!("{mutant}: seed {seed}, {why}"),
        None => println!("{mutant}: not seen in {} seeds from {}", asked.count, asked.from),
    }
    first.is_some()
}

/// Takes all seeds, on several threads, in order, until one says that it is enough.
fn side_by_side(asked: &Asked, take: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(asked.from);
    let end = asked.from.saturating_add(asked.count);
    std::thread::scope(|scope| {
        for _ in 0..asked.threads.max(1) {
            scope.spawn(|| {
                let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                seeds.take_while(|seed| *seed < end && take(*seed)).for_each(drop);
            });
        }
    });
}

fn told(seed: Seed, played: &Played) -> String {
    let unmet = played.unmet.iter().map(|unmet| format!("unmet: {unmet}\n"));
    let unmet: String = unmet.collect();
    format!("seed {seed}: {}\n{unmet}{}", played.shape.text, played.verdict)
}
