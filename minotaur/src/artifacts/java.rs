//! Which Java runs the servers?

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::LabError;
use crate::versions::KafkaVersion;

/// A Java program that works.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    pub(crate) program: PathBuf,
    /// The major version: 17.
    pub(crate) major: u32,
    /// The build as Java tells it, in letters that fit a file name.
    pub(crate) build: String,
}

/// Places to look at, best first.
#[derive(Clone, Debug)]
pub(crate) struct JavaSearch {
    programs: Vec<PathBuf>,
}

impl JavaSearch {
    /// `$MINOTAUR_JAVA` alone when it is set; else the one in `$JAVA_HOME`, then the one on the
    /// path.
    pub(crate) fn from_env() -> Self {
        let named = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(program) = named("MINOTAUR_JAVA") {
            return Self::at(program);
        }
        let home = named("JAVA_HOME").map(|home| home.join("bin").join("java"));
        Self { programs: home.into_iter().chain([PathBuf::from("java")]).collect() }
    }

    /// This program.
    pub(crate) fn at(program: PathBuf) -> Self {
        Self { programs: vec![program] }
    }

    /// The first one that is there, if it is new enough for `version`. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`LabError::JavaMissing`], [`LabError::JavaUnusable`], [`LabError::JavaTooOld`].
    pub(crate) async fn find(&self, version: KafkaVersion, needed: u32) -> Result<Java, LabError> {
        for program in &self.programs {
            let Some(java) = ask(program).await? else { continue };
            if java.major < needed {
                let (found, program) = (java.major, java.program);
                return Err(LabError::JavaTooOld { version, needed, found, program });
            }
            return Ok(java);
        }
        let tried: Vec<_> = self.programs.iter().map(|path| path.display().to_string()).collect();
        Err(LabError::JavaMissing { tried: tried.join(", "), needed: needed.max(17) })
    }
}

/// Runs `java -version`; `None` when there is no such program.
async fn ask(program: &Path) -> Result<Option<Java>, LabError> {
    let output = Command::new(program)
        .args(["-XX:TieredStopAtLevel=1", "-version"])
        .env_remove("JAVA_TOOL_OPTIONS")
        .env_remove("JDK_JAVA_OPTIONS")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LabError::io("run", program)(error)),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match parse(&said) {
        Some((major, build)) => Ok(Some(Java { program: program.to_owned(), major, build })),
        None => {
            let detail = said.lines().next().unwrap_or("it says no version").to_owned();
            Err(LabError::JavaUnusable { program: program.to_owned(), detail })
        }
    }
}

/// Finds major version and build in lines like these:
///
/// ```text
/// openjdk version "17.0.15" 2025-04-15
/// OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)
/// ```
fn parse(said: &str) -> Option<(u32, String)> {
    let (_, rest) = said.split_once("version \"")?;
    let (version, _) = rest.split_once('"')?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let first: u32 = numbers.next()?.parse().ok()?;
    // Java 8 calls itself 1.8.
    let major = if first == 1 { numbers.next()?.parse().ok()? } else { first };
    let build = said.split_once("(build ").and_then(|(_, rest)| rest.split_once(')'));
    let build = build.map_or(version, |(build, _)| build);
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    Some((major, build.chars().map(safe).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "openjdk version \"17.0.15\" 2025-04-15\n\
        OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)\n";

    fn version() -> KafkaVersion {
        "4.4.0".parse().unwrap()
    }

    #[test]
    fn old_and_new_ways_to_tell_a_version_are_read() {
        assert_eq!(parse(DEBIAN), Some((17, "17.0.15_6_Debian_1deb12u1".to_owned())));
        assert_eq!(parse("java version \"1.8.0_412\"").unwrap().0, 8);
        assert_eq!(parse("openjdk version \"25-ea\"").unwrap().0, 25);
        assert_eq!(parse("command not understood"), None);
        assert_eq!(parse(""), None);
    }

    #[tokio::test]
    async fn a_missing_java_says_how_to_get_one() {
        let search = JavaSearch::at("/nowhere/java".into());
        let error = search.find(version(), 17).await.unwrap_err();
        assert!(matches!(error, LabError::JavaMissing { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("/nowhere/java") && text.contains("MINOTAUR_JAVA"), "{text}");
        assert!(text.contains("openjdk-17"), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_is_no_java_is_named() {
        let error = JavaSearch::at("true".into()).find(version(), 17).await.unwrap_err();
        assert!(matches!(error, LabError::JavaUnusable { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_java_that_is_too_old_is_named_with_what_is_needed() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("java");
        std::fs::write(&program, "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search = JavaSearch::at(program);
        let error = search.find(version(), 17).await.unwrap_err();
        assert!(matches!(error, LabError::JavaTooOld { found: 11, needed: 17, .. }), "{error}");
        assert_eq!(search.find(version(), 11).await.unwrap().major, 11);
    }
}
