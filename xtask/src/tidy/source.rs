//! Which files are looked at, and what is known of each before any check?

use std::fs;
use std::path::{Path, PathBuf};

use super::masked::{mask, without_tests};
use crate::fault::Fault;

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", ".git", ".lab", "corpus", "node_modules"];

/// Endings of files that people write.
const TEXTS: &[&str] = &["rs", "md", "toml", "java", "go", "mod", "sh", "py", "yml", "xml", "run"];

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the workspace's root, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Comments and literals blanked, `#[cfg(test)]` items too; same length as `text`.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = without_tests(&mask(text));
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// Rows of facts or generated code: length means nothing there.
    pub(crate) fn is_table(&self) -> bool {
        self.text.starts_with("//! Table.") || self.is_generated()
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.text.starts_with("//! Generated")
    }

    /// Tests, fuzz targets, benches and examples: read by people, but not shipped.
    pub(crate) fn is_test(&self) -> bool {
        let mut folders = self.path.split('/').rev().skip(1);
        let apart = folders.any(|name| matches!(name, "tests" | "fuzz" | "benches" | "examples"));
        apart || self.name() == "tests.rs"
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folder in front of `/src/`: the crate, from the workspace's root.
    pub(crate) fn krate(&self) -> &str {
        self.path.split_once("/src/").map_or("", |(krate, _)| krate)
    }
}

/// All Rust files of the workspace, in order.
pub(crate) fn rust(root: &Path) -> Result<Vec<Source>, Fault> {
    Ok(texts(root)?.into_iter().filter(|source| source.name().ends_with(".rs")).collect())
}

/// All files that people write, in order.
pub(crate) fn texts(root: &Path) -> Result<Vec<Source>, Fault> {
    let mut paths = Vec::new();
    walk(root, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| read(root, path)).collect()
}

fn read(root: &Path, path: &Path) -> Result<Source, Fault> {
    let bytes = fs::read(path).map_err(|source| Fault::File { path: path.into(), source })?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    Ok(Source::new(&name, &String::from_utf8_lossy(&bytes)))
}

fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let fault = |source| Fault::File { path: dir.into(), source };
    for entry in fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, paths)?;
            }
        } else if TEXTS.contains(&name.rsplit('.').next().unwrap_or_default()) {
            paths.push(path);
        }
    }
    Ok(())
}
