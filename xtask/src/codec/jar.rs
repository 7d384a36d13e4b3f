//! Where the kafka-clients jars come from, and the definitions inside.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why the definitions could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JarError {
    #[error(
        "Maven is missing, which fetches {name} {version}: install it (package `maven`), \
         or name the jar with --jar {name}-{version}.jar"
    )]
    NoMaven { name: &'static str, version: &'static str },
    #[error(
        "Maven could not fetch {name} {version} (offline?); its first words: {words}. \
         Name the jar with --jar {name}-{version}.jar to do without"
    )]
    Maven { name: &'static str, version: &'static str, words: String },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is no jar: {source}")]
    Zip { path: PathBuf, source: zip::result::ZipError },
    #[error("{path} holds no message definitions (kafka-clients has them since 2.4)")]
    Empty { path: PathBuf },
}

/// A definition's file name and text.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The kafka-clients jar of `version`: one that was given, one fetched before, or one fetched now.
pub(crate) fn find(
    root: &Path,
    version: &'static str,
    given: &[PathBuf],
) -> Result<PathBuf, JarError> {
    let name = format!("kafka-clients-{version}.jar");
    match given.iter().find(|path| path.ends_with(&name)) {
        Some(path) => Ok(path.clone()),
        None => {
            artifact(root, Artifact { group: "org.apache.kafka", name: "kafka-clients", version })
        }
    }
}

/// What Maven fetches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Artifact {
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// A jar fetched before, or one fetched now.
pub(crate) fn artifact(root: &Path, artifact: Artifact) -> Result<PathBuf, JarError> {
    let Artifact { name, version, .. } = artifact;
    let folder = root.join(".lab/jars");
    let path = folder.join(format!("{name}-{version}.jar"));
    if !path.is_file() {
        fetch(artifact, &folder)?;
    }
    Ok(path)
}

fn fetch(artifact: Artifact, folder: &Path) -> Result<(), JarError> {
    let Artifact { group, name, version } = artifact;
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy"])
        .arg(format!("-Dartifact={group}:{name}:{version}:jar"))
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .output()
        .map_err(|_| JarError::NoMaven { name, version })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.lines().find(|line| line.contains("ERROR")).unwrap_or("none").to_owned();
    Err(JarError::Maven { name, version, words })
}

/// All message definitions in a jar, in the order of their names.
pub(crate) fn definitions(path: &Path) -> Result<Vec<Source>, JarError> {
    let reading = |source| JarError::Read { path: path.to_owned(), source };
    let broken = |source| JarError::Zip { path: path.to_owned(), source };
    let file = File::open(path).map_err(reading)?;
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let mut sources = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if name.starts_with("common/message/") && name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(reading)?;
            sources.push(Source { name, text });
        }
    }
    if sources.is_empty() {
        return Err(JarError::Empty { path: path.to_owned() });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}
