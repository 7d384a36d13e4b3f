//! What does no compiler check? Layers, crate arrows, file docs and lengths, function lengths,
//! words, licences, and that each test named in the docs exists.

mod arrows;
mod errors;
mod files;
mod functions;
mod graph;
mod licence;
mod masked;
mod modules;
mod source;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::fault::Fault;
use source::Source;

/// Looks at the whole workspace; prints each problem on a line of its own.
pub(crate) fn run(root: &Path) -> Result<(), Fault> {
    let sources = source::rust(root)?;
    let texts = source::texts(root)?;
    let graph = graph::read(root)?;
    let mut problems = look_at_sources(&sources);
    problems.extend(texts.iter().flat_map(words::problems));
    problems.extend(arrows::problems(&graph));
    problems.extend(licence::problems(&graph));
    problems.extend(graph::problems(&graph));
    problems.extend(root_problems(&graph, root, &sources));
    problems.extend(errors::problems(&texts, &sources));
    conclude(&problems)
}

fn look_at_sources(sources: &[Source]) -> Vec<String> {
    let mut problems: Vec<String> = sources.iter().flat_map(files::problems).collect();
    problems.extend(sources.iter().flat_map(modules::problems));
    problems.extend(functions::problems(sources));
    problems
}

fn root_problems(graph: &graph::Graph, root: &Path, sources: &[Source]) -> Vec<String> {
    let roots = graph.crate_roots(root);
    let of = |path: &String| sources.iter().find(|source| source.path == *path);
    roots.iter().filter_map(of).filter_map(files::unsafe_problem).collect()
}

fn conclude(problems: &[String]) -> Result<(), Fault> {
    for problem in problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        println!("tidy: nothing to say");
        return Ok(());
    }
    Err(Fault::Problems { chore: "tidy", count: problems.len() })
}
