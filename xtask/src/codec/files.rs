//! Generated files on disk: format, write, compare.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why the files are not on disk as they should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("rustfmt did not accept the generated files: {words}")]
    Format { words: String },
    #[error("not as `cargo xtask codec` writes them, run it and commit: {}", names.join(", "))]
    Differ { names: Vec<String> },
}

/// Paths under `crates/protocol/src`, and texts.
pub(crate) type Files = BTreeMap<String, String>;

/// The files as rustfmt writes them.
pub(crate) fn formatted(root: &Path, files: &Files) -> Result<Files, FilesError> {
    let folder = root.join("target/codec");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
    }
    write_all(&folder, files)?;
    let output = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .args(files.keys().map(|name| folder.join(name)))
        .output()
        .map_err(|source| FilesError::Format { words: source.to_string() })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(FilesError::Format { words });
    }
    let read = |name: &String| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        Ok((name.clone(), text))
    };
    files.keys().map(read).collect()
}

/// Writes the files, and removes generated ones that are no longer made.
pub(crate) fn write(target: &Path, files: &Files) -> Result<(), FilesError> {
    for name in strays(target, files) {
        let path = target.join(name);
        fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
    }
    write_all(target, files)
}

/// Fails when a file on disk is not as it would be written.
pub(crate) fn compare(target: &Path, files: &Files) -> Result<(), FilesError> {
    let differs = |(name, text): (&String, &String)| {
        let same = fs::read_to_string(target.join(name)).is_ok_and(|there| there == *text);
        (!same).then(|| name.clone())
    };
    let mut names: Vec<String> = files.iter().filter_map(differs).collect();
    names.extend(strays(target, files));
    if names.is_empty() { Ok(()) } else { Err(FilesError::Differ { names }) }
}

/// Messages on disk that are not among `files`.
fn strays(target: &Path, files: &Files) -> Vec<String> {
    let entries = fs::read_dir(target.join("messages")).into_iter().flatten().flatten();
    let names = entries.map(|entry| format!("messages/{}", entry.file_name().to_string_lossy()));
    names.filter(|name| !files.contains_key(name)).collect()
}

fn write_all(target: &Path, files: &Files) -> Result<(), FilesError> {
    for (name, text) in files {
        let path = target.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
        }
        fs::write(&path, text).map_err(|source| io_error(&path, source))?;
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> FilesError {
    FilesError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    //! What `--check` sees.

    use super::*;

    fn target() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/protocol/src")
    }

    fn there() -> Files {
        let entries = fs::read_dir(target().join("messages")).unwrap().flatten();
        let file = |path: PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (format!("messages/{name}"), fs::read_to_string(path).unwrap())
        };
        entries.map(|entry| file(entry.path())).collect()
    }

    fn differing(files: &Files) -> Vec<String> {
        match compare(&target(), files) {
            Err(FilesError::Differ { names }) => names,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_texts_are_the_same() {
        assert!(compare(&target(), &there()).is_ok());
    }

    #[test]
    fn a_changed_a_missing_and_a_left_over_file_are_named() {
        let name = "messages/fetch_response.rs";
        let mut files = there();
        files.get_mut(name).unwrap().push('\n');
        assert_eq!(differing(&files), [name], "changed");
        files.remove(name);
        assert_eq!(differing(&files), [name], "left over");
        let mut files = there();
        files.insert("messages/new.rs".to_owned(), String::new());
        assert_eq!(differing(&files), ["messages/new.rs"], "missing");
    }
}
