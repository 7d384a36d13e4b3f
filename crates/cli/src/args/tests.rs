//! Are all examples understood, those of the help and those of the pages?

use super::*;

const PAGES: [&str; 3] = [
    include_str!("../../../../README.md"),
    include_str!("../../../../docs/command-line.md"),
    include_str!("../../../../docs/configuration.md"),
];

/// The words of a line as a shell sees them, up to where another program or a file begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '|' | '>' | '<') => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ') if !word.is_empty() => words.push(std::mem::take(&mut word)),
            (None, ' ') => {}
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The commands of a text: what stands after `forebay` where a line or a pipe's part begins.
fn examples(text: &str) -> Vec<Vec<String>> {
    let whole = text.split("\\\n").map(str::trim_start).collect::<Vec<_>>().join(" ");
    let lines = whole.lines().map(str::trim).filter(|line| line.contains("forebay "));
    let starts = lines.filter_map(|line| {
        let parts = line.split(" | ").map(str::trim);
        parts.into_iter().find(|part| part.starts_with("forebay ")).map(str::to_owned)
    });
    // Two blanks begin a remark.
    starts.map(|line| words(line.split("    ").next().unwrap_or_default())).collect()
}

fn helps(command: &clap::Command, found: &mut Vec<String>) {
    found.extend(command.get_after_help().map(ToString::to_string));
    command.get_subcommands().for_each(|inner| helps(inner, found));
}

#[test]
fn every_example_of_the_help_and_the_pages_is_understood() {
    let mut texts: Vec<_> = PAGES.map(str::to_owned).into();
    helps(&Arguments::command(), &mut texts);
    let examples: Vec<_> = texts.iter().flat_map(|text| examples(text)).collect();
    assert!(40 <= examples.len(), "{}", examples.len());
    for example in examples {
        let understood = Arguments::try_parse_from(&example).map(|it| it.check());
        assert!(matches!(understood, Ok(Ok(()))), "{example:?}: {understood:?}");
    }
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let mut command = Arguments::command();
    command.build();
    let mut open: Vec<_> = command.get_subcommands().cloned().collect();
    while let Some(inner) = open.pop() {
        if inner.get_name() == "help" {
            continue;
        }
        open.extend(inner.get_subcommands().cloned());
        if inner.get_name() != "perf" {
            let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("  forebay "), "{} has no example", inner.get_name());
        }
    }
}

#[test]
fn the_table_of_options_is_sound() {
    Arguments::command().debug_assert();
}
