//! Do groups keep their promises under seeds that nobody has played before?

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, output_of, run as run_command};
use crate::fault::Fault;

/// As many are played for each commit.
const FRESH: u64 = 3_000;
/// Hexadecimal digits of a commit that make its first seed: short enough to be read aloud.
const DIGITS: usize = 7;

/// Plays seeds; the options are those of the simulator.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), Fault> {
    let mut cargo = cargo();
    cargo.current_dir(root).args(["run", "--quiet", "--release", "-p", "forebay-sim", "--"]);
    run_command(cargo.args(options))
}

/// Plays seeds that are this commit's own: other commits play others, the same one the same.
pub(crate) fn fresh(root: &Path) -> Result<(), Fault> {
    let commit = output_of(Command::new("git").current_dir(root).args(["rev-parse", "HEAD"]))?;
    let (count, from) = (FRESH.to_string(), first_seed(&commit).to_string());
    run(root, &["--seeds", &count, "--from", &from])
}

/// What the first digits of a commit's name say as a number.
fn first_seed(commit: &str) -> u64 {
    let digits = commit.get(..DIGITS).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::first_seed;

    #[test]
    fn a_commit_has_seeds_of_its_own() {
        assert_eq!(first_seed("1d92c8e0a7b1f6\n"), 0x01d9_2c8e);
        assert_ne!(first_seed("1d92c8e0a7b1f6\n"), first_seed("55224b5000000\n"));
    }
}
