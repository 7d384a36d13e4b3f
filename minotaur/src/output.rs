//! How is it shown? Results on standard output, as text or JSON; progress and errors elsewhere.

use std::io::{self, Write};

use minotaur::{Cluster, Node, NodeStatus, Report};
use serde::Serialize;

use crate::args::Format;

/// A cluster as programs see it.
#[derive(Debug, Serialize)]
struct ClusterView<'a> {
    name: &'a str,
    version: String,
    mode: String,
    bootstrap_servers: String,
    directory: String,
    nodes: Vec<NodeStatus>,
}

impl<'a> From<&'a Cluster> for ClusterView<'a> {
    fn from(cluster: &'a Cluster) -> Self {
        Self {
            name: cluster.name(),
            version: cluster.version().to_string(),
            mode: cluster.mode().to_string(),
            bootstrap_servers: cluster.bootstrap_servers(),
            directory: cluster.directory().display().to_string(),
            nodes: cluster.status(),
        }
    }
}

/// The one line that scripts want.
pub(crate) fn bootstrap(format: Format, cluster: &Cluster) -> io::Result<()> {
    match format {
        Format::Text => print(&format!("{}\n", cluster.bootstrap_servers())),
        Format::Json => json(&ClusterView::from(cluster)),
    }
}

/// One cluster after something was done to it: nothing for people, who see no error.
pub(crate) fn done(format: Format, cluster: &Cluster) -> io::Result<()> {
    match format {
        Format::Text => Ok(()),
        Format::Json => json(&ClusterView::from(cluster)),
    }
}

/// The table of clusters and nodes.
pub(crate) fn status(format: Format, clusters: &[Cluster]) -> io::Result<()> {
    if format == Format::Json {
        return json(&clusters.iter().map(ClusterView::from).collect::<Vec<_>>());
    }
    let header = ["NAME", "VERSION", "MODE", "NODE", "STATE", "ADDRESS", "PID", "RSS"];
    let mut rows = vec![header.map(str::to_owned)];
    for cluster in clusters {
        rows.extend(cluster.status().iter().map(|node| row(cluster, node)));
    }
    print(&table(&rows))
}

/// What works here.
pub(crate) fn report(format: Format, report: &Report) -> io::Result<()> {
    if format == Format::Json {
        return json(report);
    }
    let word = |works: bool| if works { "ok" } else { "missing" }.to_owned();
    let mut rows = Vec::new();
    for check in &report.checks {
        rows.push([check.what.to_owned(), word(check.works), check.detail.clone()]);
    }
    for version in &report.versions {
        let modes: Vec<String> = version.modes.iter().map(ToString::to_string).collect();
        let state = if version.fetched { "fetched" } else { "not fetched yet" };
        let detail = format!("{}; {state}", modes.join(", "));
        rows.push([format!("kafka@{}", version.version), word(version.startable), detail]);
    }
    print(&table(&rows))
}

/// Log lines, under a heading when there are several nodes.
pub(crate) fn logs(format: Format, logs: &[(Node, String)]) -> io::Result<()> {
    if format == Format::Json {
        return json(&logs);
    }
    for (node, text) in logs {
        if logs.len() > 1 {
            print(&format!("==> {node} <==\n"))?;
        }
        print(&format!("{}\n", text.trim_end()))?;
    }
    Ok(())
}

fn row(cluster: &Cluster, node: &NodeStatus) -> [String; 8] {
    let dash = || "-".to_owned();
    let state = serde_json::to_value(node.state).ok();
    let state = state.and_then(|state| state.as_str().map(str::to_owned));
    [
        cluster.name().to_owned(),
        cluster.version().to_string(),
        cluster.mode().to_string(),
        node.node.to_string(),
        state.unwrap_or_else(dash),
        node.address.clone(),
        node.pid.map_or_else(dash, |pid| pid.to_string()),
        node.resident_bytes.map_or_else(dash, |bytes| format!("{} MiB", bytes >> 20)),
    ]
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    print(&(text + "\n"))
}

/// A reader that closed its end early, like `head`, is no failure.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let rows = [["a", "bb", "c"], ["aaa", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a    bb  c\naaa  b\n");
    }
}
