//! Does each way in which Maven fails become the error that says what to do?

use std::os::unix::fs::PermissionsExt;

use super::*;

const VERSION: &str = "4.4.0";

struct Place {
    directory: tempfile::TempDir,
    home: Home,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(&directory.path().join("home")).unwrap();
        Self { directory, home }
    }

    /// A program in place of Maven.
    fn maven(&self, script: &str) -> Maven {
        let program = self.directory.path().join("mvn");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Maven::at(program)
    }

    async fn closure(&self, maven: &Maven) -> Result<Vec<PathBuf>, LabError> {
        let version: KafkaVersion = VERSION.parse().unwrap();
        Closure::broker(&self.home, version, &version.era().unwrap()).jars(maven).await
    }

    fn has_nothing(&self) -> bool {
        fs::read_dir(self.home.root().join("kafka"))
            .map_or(true, |mut entries| entries.next().is_none())
    }
}

/// Does what the goal does: two jars in the directory of the property.
const COPIES: &str = r#"for a; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done
mkdir -p "$d" && touch "$d/b.jar" "$d/a.jar""#;

#[tokio::test]
async fn jars_are_fetched_once_and_come_in_one_order() {
    let place = Place::new();
    let names = |jars: Vec<PathBuf>| {
        jars.iter().map(|jar| jar.file_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let fetched = place.closure(&place.maven(COPIES)).await.unwrap();
    assert_eq!(names(fetched), ["a.jar", "b.jar"]);
    let cached = place.closure(&place.maven("exit 1")).await.unwrap();
    assert_eq!(names(cached), ["a.jar", "b.jar"]);
}

#[tokio::test]
async fn another_pom_makes_the_jars_stale() {
    let place = Place::new();
    place.closure(&place.maven(COPIES)).await.unwrap();
    let version: KafkaVersion = VERSION.parse().unwrap();
    fs::write(place.home.kafka(version).join("pom.xml"), "<project/>").unwrap();
    assert!(place.closure(&place.maven("exit 1")).await.is_err());
}

#[tokio::test]
async fn a_missing_maven_says_how_to_get_one() {
    let place = Place::new();
    let error = place.closure(&Maven::at("/nowhere/mvn".into())).await.unwrap_err();
    assert!(matches!(error, LabError::MavenMissing { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("MINOTAUR_MVN") && text.contains("apt-get install maven"), "{text}");
    assert!(place.has_nothing());
}

#[tokio::test]
async fn an_offline_maven_is_told_from_other_failures() {
    for said in [
        "[ERROR] Cannot access central (https://repo) in offline mode and the artifact x",
        "[ERROR] Could not transfer artifact x from/to central: Unknown host repo",
        "[ERROR] transfer failed for x: Connection refused",
    ] {
        let place = Place::new();
        let maven = place.maven(&format!("echo '{said}'; exit 1"));
        let error = place.closure(&maven).await.unwrap_err();
        assert!(matches!(error, LabError::MavenOffline { .. }), "{error}");
        assert!(error.to_string().contains("minotaur fetch kafka@4.4.0"), "{error}");
        assert!(place.has_nothing(), "no half fetch stays");
    }
}

#[tokio::test]
async fn a_release_that_does_not_exist_is_named_with_those_that_do() {
    let place = Place::new();
    let maven = place.maven(
        "echo '[ERROR] Could not find artifact org.apache.kafka:kafka_2.13:jar:4.4.0 in central'; exit 1",
    );
    let error = place.closure(&maven).await.unwrap_err();
    assert!(matches!(error, LabError::NoSuchRelease { .. }), "{error}");
    assert!(error.to_string().contains("3.9.2"), "{error}");
}

#[tokio::test]
async fn any_other_failure_shows_what_maven_said_last() {
    let place = Place::new();
    let maven = place.maven("printf '\\033[1mdisk is full\\033[m\\n' >&2; exit 1");
    let error = place.closure(&maven).await.unwrap_err();
    assert!(matches!(error, LabError::MavenFailed { .. }), "{error}");
    assert!(error.to_string().ends_with("disk is full"), "{error}");
}
