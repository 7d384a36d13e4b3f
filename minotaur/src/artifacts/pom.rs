//! Which jars make a broker? A POM that asks Maven for the whole closure of one Kafka version;
//! the list of jars is never kept by hand.

use std::fmt::Write as _;

use crate::versions::{Era, KafkaVersion, Logging};

/// The goal that copies the closure. Named in full: else Maven asks the network which plugin and
/// which version is meant.
pub(crate) const GOAL: &str =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// An artefact: group, name, version.
type Coordinate<'a> = (&'a str, &'a str, &'a str);

/// Left out of every dependency: other loggers than the one chosen below, what only command line
/// shells use, and an API jar that servers do not load and that is not published for each version.
const EXCLUDED: [(&str, &str); 7] = [
    ("ch.qos.logback", "logback-classic"),
    ("ch.qos.logback", "logback-core"),
    ("org.slf4j", "slf4j-log4j12"),
    ("log4j", "log4j"),
    ("jline", "jline"),
    ("junit", "junit"),
    ("org.apache.kafka", TOOLS_API),
];

const TOOLS_API: &str = "kafka-tools-api";

const JAXB: Coordinate<'_> = ("javax.xml.bind", "jaxb-api", "2.3.1");

/// The POM of a broker.
pub(crate) fn broker(version: KafkaVersion, era: &Era) -> String {
    let mut dependencies = String::new();
    let artefact = format!("kafka_{}", era.scala);
    let release = version.to_string();
    push(&mut dependencies, ("org.apache.kafka", &artefact, &release), &EXCLUDED);
    surroundings(&mut dependencies, era);
    project("broker", &dependencies)
}

/// The POM of the command line tools, which have an artefact of their own since 3.0.
pub(crate) fn tools(version: KafkaVersion, era: &Era) -> String {
    let mut dependencies = String::new();
    let release = version.to_string();
    let others: Vec<_> = EXCLUDED.into_iter().filter(|(_, name)| *name != TOOLS_API).collect();
    push(&mut dependencies, ("org.apache.kafka", "kafka-tools", &release), &others);
    surroundings(&mut dependencies, era);
    project("tools", &dependencies)
}

fn surroundings(dependencies: &mut String, era: &Era) {
    for coordinate in logging(era.logging) {
        push(dependencies, *coordinate, &[]);
    }
    if era.needs_jaxb {
        push(dependencies, JAXB, &[]);
    }
    if let Some(zookeeper) = era.zookeeper {
        push(dependencies, ("org.apache.zookeeper", "zookeeper", zookeeper), &EXCLUDED);
        push(dependencies, ("org.apache.zookeeper", "zookeeper-jute", zookeeper), &[]);
    }
}

fn project(name: &str, dependencies: &str) -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
         <modelVersion>4.0.0</modelVersion>\n\
         <groupId>minotaur</groupId>\n\
         <artifactId>{name}</artifactId>\n\
         <version>1</version>\n\
         <packaging>pom</packaging>\n\
         <dependencies>\n{dependencies}</dependencies>\n\
         </project>\n"
    )
}

/// Kafka is built against a logger but asks for none, and 3.x does not start without one.
const fn logging(logging: Logging) -> &'static [Coordinate<'static>] {
    match logging {
        Logging::Log4j1 => {
            &[("org.slf4j", "slf4j-log4j12", "1.7.25"), ("log4j", "log4j", "1.2.17")]
        }
        Logging::Reload4j => {
            &[("org.slf4j", "slf4j-reload4j", "1.7.36"), ("ch.qos.reload4j", "reload4j", "1.2.25")]
        }
        Logging::Log4j2 => &[
            ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3"),
            ("org.apache.logging.log4j", "log4j-core", "2.25.3"),
            ("org.apache.logging.log4j", "log4j-api", "2.25.3"),
        ],
    }
}

fn push(out: &mut String, (group, name, version): Coordinate<'_>, excluded: &[(&str, &str)]) {
    let mut exclusions = String::new();
    for (group, name) in excluded {
        let groups = format!("<groupId>{group}</groupId><artifactId>{name}</artifactId>");
        exclusions.push_str(&format!("<exclusion>{groups}</exclusion>"));
    }
    writeln!(
        out,
        "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
         <version>{version}</version><exclusions>{exclusions}</exclusions></dependency>"
    )
    .ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pom(text: &str) -> String {
        let version: KafkaVersion = text.parse().unwrap();
        broker(version, &version.era().unwrap())
    }

    #[test]
    fn each_version_asks_for_its_scala_build_and_one_logger() {
        for (version, artefact, logger) in [
            ("4.4.0", "kafka_2.13", "log4j-slf4j-impl"),
            ("3.9.2", "kafka_2.13", "slf4j-reload4j"),
            ("2.8.2", "kafka_2.13", "slf4j-reload4j"),
            ("1.1.1", "kafka_2.11", "slf4j-log4j12"),
        ] {
            let pom = pom(version);
            let wanted = format!("<artifactId>{artefact}</artifactId><version>{version}</version>");
            assert!(pom.contains(&wanted), "{pom}");
            let asked =
                |name: &str| pom.contains(&format!("<artifactId>{name}</artifactId><version>"));
            let loggers = ["log4j-slf4j-impl", "slf4j-reload4j", "slf4j-log4j12"];
            assert_eq!(
                loggers.into_iter().filter(|name| asked(name)).collect::<Vec<_>>(),
                [logger]
            );
        }
    }

    #[test]
    fn tools_bring_the_api_that_brokers_leave_out() {
        let version: KafkaVersion = "4.3.1".parse().unwrap();
        let tools = tools(version, &version.era().unwrap());
        assert!(tools.contains("<artifactId>kafka-tools</artifactId><version>4.3.1</version>"));
        assert!(!tools.contains(TOOLS_API));
        assert!(pom("4.3.1").contains(TOOLS_API));
    }

    #[test]
    fn only_the_oldest_get_jaxb_and_only_2_0_to_2_4_another_zookeeper() {
        assert!(pom("0.11.0.3").contains("jaxb-api"));
        assert!(!pom("1.1.1").contains("jaxb-api"));
        assert!(pom("2.3.1").contains("<artifactId>zookeeper</artifactId><version>3.5.7<"));
        assert!(!pom("2.8.2").contains("<artifactId>zookeeper</artifactId>"));
    }
}
