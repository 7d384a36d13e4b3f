//! How is Kafka's Java client run? Its class path comes from Maven, the program is
//! `java/Exchange.java`.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{Codec, Topic, lines, run};
use crate::stage::Brokers;
use crate::story::Ending;

/// Where `pom.xml` and `Exchange.java` lie.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java");

/// Kafka's client of one release.
#[derive(Debug)]
pub(crate) struct Java {
    class_path: String,
}

impl Java {
    /// Clients since 4.0 no longer speak with brokers before 2.1 (KIP-896).
    pub(crate) async fn for_broker(broker: Brokers) -> Result<Self, Ending> {
        let release = if broker == Brokers::Oldest { "3.9.2" } else { "4.4.0" };
        let beside = std::env::current_exe().unwrap_or_default();
        let file = beside.with_file_name(format!("stories-java-{release}.classpath"));
        if !file.exists() {
            resolve(release, &file).await?;
        }
        let class_path = std::fs::read_to_string(&file)
            .map_err(|source| Ending::Io { what: "the class path of Maven", source })?;
        Ok(Self { class_path: class_path.trim().to_owned() })
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
        run(&mut command, "the Java producer").await.map(drop)
    }

    pub(crate) async fn read(&self, from: Topic<'_>, count: u32) -> Result<Vec<String>, Ending> {
        let mut command = self.exchange();
        command.args(["read", from.bootstrap, from.name, &count.to_string()]);
        Ok(lines(&run(&mut command, "the Java consumer").await?))
    }

    fn exchange(&self) -> Command {
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp", &self.class_path]);
        command.arg(PathBuf::from(FOLDER).join("Exchange.java"));
        command
    }
}

/// Asks Maven once; the answer stays beside the program.
async fn resolve(release: &str, file: &Path) -> Result<(), Ending> {
    let mut command = Command::new("mvn");
    command.args(["-q", "-B", "-f"]).arg(PathBuf::from(FOLDER).join("pom.xml"));
    command.arg(format!("-Dkafka.version={release}")).arg("dependency:build-classpath");
    command.arg(format!("-Dmdep.outputFile={}", file.display()));
    run(&mut command, "Maven").await.map(drop)
}
