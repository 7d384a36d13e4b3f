//! How is Kafka's Java client run? Its class path comes from Maven, the programs are
//! `java/Exchange.java` and `java/Member.java`, compiled once: to compile them with every start
//! doubled what a start costs.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use super::{Codec, Tool, Topic, lines, run};
use crate::member::Group;
use crate::stage::Brokers;
use crate::story::Ending;

/// Where `pom.xml` and the programs lie.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java");
const PROGRAMS: [&str; 2] = ["Exchange", "Member"];

const JDK: &str = "openjdk-17-jdk-headless";
const PRODUCER: Tool = Tool { what: "the Java producer", program: "java", package: JDK };
const CONSUMER: Tool = Tool { what: "the Java consumer", program: "java", package: JDK };
const ADMIN: Tool = Tool { what: "the Java admin client", program: "java", package: JDK };
const COMPILER: Tool = Tool { what: "the Java compiler", program: "javac", package: JDK };
const MAVEN: Tool = Tool { what: "Maven", program: "mvn", package: "maven" };

/// Kafka's client of one release.
#[derive(Debug)]
pub(crate) struct Java {
    class_path: String,
}

impl Java {
    /// Clients since 4.0 no longer speak with brokers before 2.1 (KIP-896).
    pub(crate) async fn for_broker(broker: Brokers) -> Result<Self, Ending> {
        let release = if broker < Brokers::V2_8 { "3.9.2" } else { "4.4.0" };
        let beside = std::env::current_exe().unwrap_or_default();
        let file = beside.with_file_name(format!("stories-java-{release}.classpath"));
        let classes = beside.with_file_name(format!("stories-java-{release}"));
        let _one_at_a_time = MAKING.lock().await;
        if !file.exists() {
            resolve(release, &file).await?;
        }
        let jars = std::fs::read_to_string(&file)
            .map_err(|source| Ending::Io { what: "the class path of Maven", source })?;
        let jars = jars.trim();
        if !PROGRAMS.iter().all(|program| is_fresh(&classes, program)) {
            compile(jars, &classes).await?;
        }
        Ok(Self { class_path: format!("{}:{jars}", classes.display()) })
    }

    pub(crate) async fn write(
        &self,
        to: Topic<'_>,
        codec: Codec,
        count: u32,
    ) -> Result<(), Ending> {
        let count = count.to_string();
        let mut command = self.exchange();
        command.args(["write", to.bootstrap, to.name, codec.name(), &count]);
        run(&mut command, &PRODUCER).await.map(drop)
    }

    pub(crate) async fn read(&self, from: Topic<'_>, count: u32) -> Result<Vec<String>, Ending> {
        let mut command = self.exchange();
        command.args(["read", from.bootstrap, from.name, &count.to_string()]);
        Ok(lines(&run(&mut command, &CONSUMER).await?))
    }

    /// A member of a group, which prints what it has handled and leaves when its input ends.
    pub(crate) fn member(&self, group: Group<'_>) -> Command {
        let Group { topic, name, how, client } = group;
        let how = how.split(',').map(class_of).collect::<Vec<_>>().join(",");
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp", &self.class_path]);
        command.args(["Member", topic.bootstrap, topic.name, name, &how, client]);
        command.stderr(std::process::Stdio::null());
        command
    }

    /// So many transactions of ten records.
    pub(crate) async fn transact(&self, to: Topic<'_>, count: u32) -> Result<(), Ending> {
        let mut command = self.exchange();
        command.args(["transact", to.bootstrap, to.name, &count.to_string()]);
        run(&mut command, &PRODUCER).await.map(drop)
    }

    /// So many bytes a second for who reads under this client id.
    pub(crate) async fn limit(
        &self,
        bootstrap: &str,
        client: &str,
        rate: u32,
    ) -> Result<(), Ending> {
        let mut command = self.exchange();
        command.args(["limit", bootstrap, client, &rate.to_string()]);
        run(&mut command, &ADMIN).await.map(drop)
    }

    fn exchange(&self) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp", &self.class_path, "Exchange"]);
        command
    }
}

/// Java names assignors by their classes.
fn class_of(assignor: &str) -> &str {
    match assignor {
        "range" => "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin" => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky" => "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky" => "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        other => other,
    }
}

/// Stories that are told at once would all make what lies beside the program.
static MAKING: Mutex<()> = Mutex::const_new(());

/// Whether a program was compiled since it was changed.
fn is_fresh(classes: &Path, program: &str) -> bool {
    let changed = |file: PathBuf| file.metadata().and_then(|it| it.modified()).ok();
    let compiled = changed(classes.join(format!("{program}.class")));
    let written = changed(source(program));
    compiled.zip(written).is_some_and(|(compiled, written)| written < compiled)
}

fn source(program: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{program}.java"))
}

async fn compile(jars: &str, classes: &Path) -> Result<(), Ending> {
    let mut command = Command::new(COMPILER.program);
    command.args(["-cp", jars, "-d"]).arg(classes).args(PROGRAMS.map(source));
    run(&mut command, &COMPILER).await.map(drop)
}

/// Asks Maven once; the answer stays beside the program.
async fn resolve(release: &str, file: &Path) -> Result<(), Ending> {
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-f"]).arg(PathBuf::from(FOLDER).join("pom.xml"));
    command.arg(format!("-Dkafka.version={release}")).arg("dependency:build-classpath");
    command.arg(format!("-Dmdep.outputFile={}", file.display()));
    run(&mut command, &MAVEN).await.map(drop)
}
