//! With which arguments does Java become a node? Never through Kafka's shell scripts: one
//! argument file holds all of them.

use crate::labs::kafka::kit::{Archives, Kit};
use crate::labs::kafka::logging;
use crate::model::{Node, Plan};
use crate::spec::Profile;

const BROKER: &str = "kafka.Kafka";
const ZOOKEEPER: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// Quick to start: the second compiler and a concurrent collector cost more than they give here.
const TEST: [&str; 4] =
    ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss512k"];
/// As Kafka's own scripts tune a broker.
const BENCH: [&str; 4] = [
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];
/// Nothing is ever collected, so nothing waits for a collector.
const LATENCY: [&str; 4] = [
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:+UseEpsilonGC",
    "-XX:+AlwaysPreTouch",
    "-XX:+ExitOnOutOfMemoryError",
];
/// Parts of the JDK that old brokers look into.
const OPENED: [&str; 3] = [
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// The name of a node's configuration file.
pub(crate) const fn configuration(node: Node) -> &'static str {
    match node {
        Node::ZooKeeper => "zoo.cfg",
        Node::Broker(_) => "server.properties",
    }
}

/// The whole argument file of `node`, one argument per line.
pub(crate) fn arguments(plan: &Plan, node: Node, kit: &Kit, archives: Archives) -> String {
    let mut arguments = memory(plan, node);
    let tuning = match profile(plan, node) {
        Profile::Test => &TEST,
        Profile::Bench => &BENCH,
        Profile::Latency => &LATENCY,
    };
    arguments.extend(tuning.iter().map(|flag| (*flag).to_owned()));
    arguments.extend(archive(node, kit, archives));
    if kit.era.opens_jdk {
        arguments.extend(OPENED.map(str::to_owned));
    }
    arguments.push("-Djava.awt.headless=true".to_owned());
    arguments.push("-Djava.net.preferIPv4Stack=true".to_owned());
    arguments.push("-Dzookeeper.jmx.log4j.disable=true".to_owned());
    arguments.push(logging::server(plan.version, &plan.directory).option);
    arguments.extend(["-cp".to_owned(), kit.class_path()]);
    arguments.push(if node == Node::ZooKeeper { ZOOKEEPER } else { BROKER }.to_owned());
    let configuration = plan.node_directory(node).join(configuration(node));
    arguments.push(configuration.display().to_string());
    file(&arguments)
}

/// An argument file for a short-lived tool of the same class path.
pub(crate) fn tool(kit: &Kit, logging: String, rest: Vec<String>) -> String {
    let mut arguments = vec!["-Xmx256m".to_owned()];
    arguments.extend(TEST.map(str::to_owned));
    arguments.extend([logging, "-cp".to_owned(), kit.class_path()]);
    arguments.extend(rest);
    file(&arguments)
}

fn profile(plan: &Plan, node: Node) -> Profile {
    if node == Node::ZooKeeper { Profile::Test } else { plan.profile }
}

fn memory(plan: &Plan, node: Node) -> Vec<String> {
    let heap = plan.heap.as_deref();
    let (first, most) = match (node, plan.profile) {
        (Node::ZooKeeper, _) => ("64m", "128m"),
        (_, Profile::Test) => (heap.unwrap_or("64m"), heap.unwrap_or("256m")),
        (_, Profile::Bench) => (heap.unwrap_or("1g"), heap.unwrap_or("1g")),
        (_, Profile::Latency) => (heap.unwrap_or("4g"), heap.unwrap_or("4g")),
    };
    vec![format!("-Xms{first}"), format!("-Xmx{most}")]
}

fn archive(node: Node, kit: &Kit, archives: Archives) -> Vec<String> {
    let path = kit.archive(node);
    let quiet = ["-Xlog:cds=off".to_owned(), "-Xlog:cds+dynamic=off".to_owned()];
    let first = match archives {
        _ if !kit.can_archive() => return Vec::new(),
        Archives::Use if !path.is_file() => return Vec::new(),
        Archives::Use => format!("-XX:SharedArchiveFile={}", path.display()),
        Archives::Record => format!("-XX:ArchiveClassesAtExit={}", path.display()),
    };
    [first, "-Xshare:auto".to_owned()].into_iter().chain(quiet).collect()
}

fn file(arguments: &[String]) -> String {
    arguments.iter().map(|argument| quote(argument) + "\n").collect()
}

/// Blanks, `#` and quotes have a meaning in argument files, and so have backslashes in quotes.
fn quote(argument: &str) -> String {
    format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::artifacts::java::Java;
    use crate::labs::kafka::kit::Tools;
    use crate::spec::LabSpec;
    use crate::supervisor::home::Home;

    fn kit(home: &Path, spec: &LabSpec, major: u32) -> Kit {
        let version = spec.system.version;
        let java = Java { program: "java".into(), major, build: "b".to_owned() };
        let jars = vec![PathBuf::from("/jars/a b.jar"), PathBuf::from("/jars/c.jar")];
        let tools = Tools { era: version.era().unwrap(), java, jars };
        Kit::new(&Home::at(home).unwrap(), version, spec.system.mode, tools)
    }

    fn written(spec: &LabSpec, major: u32, archives: Archives) -> String {
        let home = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = (20_000..20_010).collect();
        let plan = Plan::new(spec, "c", Path::new("/h"), &ports).unwrap();
        arguments(&plan, Node::Broker(1), &kit(home.path(), spec, major), archives)
    }

    #[test]
    fn arguments_with_blanks_and_quotes_stay_whole() {
        assert_eq!(quote("a b"), "\"a b\"");
        assert_eq!(quote("a\\\"b"), "\"a\\\\\\\"b\"");
        let text = written(&LabSpec::parse("kafka@4.4.0").unwrap(), 17, Archives::Use);
        assert!(
            text.contains("\"-cp\"\n\"/jars/a b.jar:/jars/c.jar\"\n\"kafka.Kafka\"\n"),
            "{text}"
        );
    }

    #[test]
    fn only_old_brokers_look_into_the_jdk() {
        let opens = |text: &str| {
            let spec = LabSpec::parse(text).unwrap();
            written(&spec, 17, Archives::Use).contains("--add-opens")
        };
        assert!(opens("kafka@0.11.0.3"));
        assert!(opens("kafka@1.1.1"));
        assert!(!opens("kafka@2.8.2"));
        assert!(!opens("kafka@4.4.0"));
    }

    #[test]
    fn a_bench_broker_has_the_full_compiler_and_a_fixed_heap() {
        let spec = LabSpec::parse("kafka@4.4.0").unwrap().profile(Profile::Bench);
        let text = written(&spec, 17, Archives::Use);
        assert!(!text.contains("TieredStopAtLevel"), "{text}");
        assert!(text.contains("-Xms1g") && text.contains("-Xmx1g"), "{text}");
        let text = written(&spec.heap("2g").unwrap(), 17, Archives::Use);
        assert!(text.contains("-Xms2g") && text.contains("-Xmx2g"), "{text}");
    }

    #[test]
    fn a_broker_for_latency_has_no_collector_that_could_stop_it() {
        let spec = LabSpec::parse("kafka@4.4.0").unwrap().profile(Profile::Latency);
        let text = written(&spec, 17, Archives::Use);
        assert!(text.contains("UseEpsilonGC") && !text.contains("UseG1GC"), "{text}");
        assert!(text.contains("-Xms4g") && text.contains("-Xmx4g"), "{text}");
    }

    #[test]
    fn archives_are_recorded_only_by_a_java_that_can() {
        let spec = LabSpec::parse("kafka@2.8.2").unwrap();
        assert!(written(&spec, 17, Archives::Record).contains("ArchiveClassesAtExit"));
        assert!(!written(&spec, 11, Archives::Record).contains("ArchiveClassesAtExit"));
        assert!(!written(&spec, 17, Archives::Use).contains("SharedArchiveFile"), "none was made");
    }
}
