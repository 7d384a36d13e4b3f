//! What do we cost beside the floor and the other clients? Builds what is measured, then measures.

use std::path::Path;
use std::process::Command;

use crate::command::{cargo, run as run_command};
use crate::fault::Fault;

/// `peers` builds the other clients; `produce`, `group-scale` and `rebalance` are verbs of
/// `forebay-bench`, anything else goes to its `rounds`.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), Fault> {
    if options == ["peers"] {
        return run_command(Command::new("bench/peers/build.sh").current_dir(root));
    }
    let (what, options) = match options {
        [what @ ("produce" | "group-scale" | "rebalance"), options @ ..] => (*what, options),
        options => ("rounds", options),
    };
    // `forebay` produces, and is the broker of `group-scale`, as users have it.
    let packages = ["-p", "forebay-bench", "-p", "forebay-cli"];
    run_command(cargo().current_dir(root).args(["build", "--release"]).args(packages))?;
    let mut bench = Command::new("target/release/forebay-bench");
    run_command(bench.current_dir(root).arg(what).args(options))
}
