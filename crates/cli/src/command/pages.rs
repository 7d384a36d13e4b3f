//! What do shells and `man` need to know of the commands? Made from the same table as the help.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Ending;
use crate::args::Arguments;
use crate::error::CliError;
use crate::output;

pub(crate) const COMPLETIONS: &str = "\
Examples:
  forebay completions bash > ~/.local/share/bash-completion/completions/forebay
  forebay completions zsh > ~/.zfunc/_forebay
  forebay completions fish > ~/.config/fish/completions/forebay.fish";

pub(crate) const MAN: &str = "\
Examples:
  forebay man > forebay.1
  forebay man topic create | man --local-file -";

#[derive(Clone, Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Man {
    /// The command, as topic create [default: forebay itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn completions(options: &Completions) -> Result<Ending, CliError> {
    // Into memory first: a shell that stops reading must not end this with a panic.
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "forebay", &mut text);
    output::bytes_of(&text)?;
    Ok(Ending::Done)
}

pub(crate) fn man(options: &Man) -> Result<Ending, CliError> {
    let mut command = Arguments::command();
    command.build();
    for name in &options.command {
        let found = command.find_subcommand(name);
        command = found.cloned().ok_or_else(|| CliError::NoPage { name: name.clone() })?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    output::bytes_of(&text)?;
    Ok(Ending::Done)
}
