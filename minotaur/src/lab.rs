//! How does a wish become a running cluster? Tools are found, what a version needs once is made,
//! and nodes start on ports that nobody has.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::artifacts::closure::{Closure, class_path};
use crate::artifacts::java::JavaSearch;
use crate::artifacts::maven::Maven;
use crate::cluster::Cluster;
use crate::error::LabError;
use crate::infrastructure::local::port;
use crate::infrastructure::local::process::ProcessId;
use crate::labs::kafka::kit::{Archives, Kit, Tools};
use crate::labs::kafka::{logging, storage};
use crate::model::Plan;
use crate::spec::{LabSpec, System};
use crate::supervisor::doctor::{self, Report};
use crate::supervisor::home::{Home, make_directory, write_whole};
use crate::supervisor::journal::{self, Entry};
use crate::supervisor::sweep;
use crate::versions::{KafkaVersion, Mode};

/// Starts before a taken port becomes an error.
const PORT_TRIES: usize = 4;
/// Writing an archive of classes takes a few seconds of processor time.
const ARCHIVE_WITHIN: Duration = Duration::from_secs(60);

/// Starts clusters and finds those that exist.
#[derive(Clone, Debug)]
pub struct Lab {
    home: Home,
    java: JavaSearch,
    maven: Maven,
    narrator: Narrator,
}

/// Who is told what takes long.
#[derive(Clone)]
struct Narrator(Arc<dyn Fn(&str) + Send + Sync>);

impl fmt::Debug for Narrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Narrator")
    }
}

impl Lab {
    /// The lab of this user: `$MINOTAUR_HOME` (by default `minotaur` in the user's cache
    /// directory), `$MINOTAUR_JAVA` or `$JAVA_HOME` or the `java` on the path, `$MINOTAUR_MVN` or
    /// the `mvn` on the path.
    ///
    /// # Errors
    ///
    /// [`LabError::NoHome`], [`LabError::Io`].
    pub fn from_env() -> Result<Self, LabError> {
        Ok(Self {
            home: Home::from_env()?,
            java: JavaSearch::from_env(),
            maven: Maven::from_env(),
            narrator: Narrator(Arc::new(|_| ())),
        })
    }

    /// Keeps everything in `directory`.
    ///
    /// # Errors
    ///
    /// [`LabError::Io`] when the path cannot be made absolute.
    pub fn with_home(mut self, directory: &Path) -> Result<Self, LabError> {
        self.home = Home::at(directory)?;
        Ok(self)
    }

    /// Runs servers with this program.
    #[must_use]
    pub fn with_java(mut self, program: impl Into<PathBuf>) -> Self {
        self.java = JavaSearch::at(program.into());
        self
    }

    /// Fetches jars with this program.
    #[must_use]
    pub fn with_maven(mut self, program: impl Into<PathBuf>) -> Self {
        self.maven = Maven::at(program.into());
        self
    }

    /// Tells `listener` what takes long, in words for people. By default nobody is told.
    #[must_use]
    pub fn narrate(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.narrator = Narrator(Arc::new(listener));
        self
    }

    /// Where jars and clusters lie.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.root()
    }

    /// Starts a cluster and waits until every broker knows every other. Clusters whose owner died
    /// are removed first. The first start of a version fetches jars and makes what later starts
    /// reuse, which takes up to a minute.
    ///
    /// Cancel safe: what was started ends when the call is dropped.
    ///
    /// # Errors
    ///
    /// Java or Maven that are missing or do not do, a node that ends or does not answer, a name
    /// that is taken: see [`LabError`]. What was started is removed then.
    pub async fn up(&self, spec: &LabSpec) -> Result<Cluster, LabError> {
        self.sweep()?;
        let kit = self.prepare(spec.system).await?;
        self.boot(spec, &kit, Archives::Use).await
    }

    /// Fetches and makes what the first start of a version would.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Java or Maven that are missing or do not do: see [`LabError`].
    pub async fn fetch(&self, system: System) -> Result<(), LabError> {
        self.prepare(system).await.map(|_| ())
    }

    /// A Java program of Kafka's own, ready to run: `class` with the jars of the command line tools
    /// of `version`, its warnings on standard error. Arguments are to be added. Fetches the jars
    /// when they are not there.
    ///
    /// The tools of 4.4.0 are those of 4.3.1: it came to Maven without.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Java or Maven that are missing or do not do: see [`LabError`].
    pub async fn tool(&self, version: KafkaVersion, class: &str) -> Result<Command, LabError> {
        let era = version.era().ok_or(LabError::NoSuchRelease { version })?;
        let java = self.java.find(version, era.java).await?;
        let lock = self.home.lock(&format!("kafka-{version}")).await?;
        let jars = self.jars(&Closure::tools(&self.home, version, &era), version).await?;
        let logging = logging::tool(version, &self.home.kafka(version));
        make_directory(&self.home.kafka(version))?;
        write_whole(&logging.file, logging.content.as_bytes())?;
        drop(lock);
        let mut command = Command::new(&java.program);
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        command.arg(logging.option).arg("-cp").arg(class_path(&jars)).arg(class);
        Ok(command)
    }

    /// All clusters, by name.
    ///
    /// # Errors
    ///
    /// [`LabError::Damaged`], [`LabError::Io`].
    pub fn clusters(&self) -> Result<Vec<Cluster>, LabError> {
        let entries = journal::list(&self.home)?.into_iter();
        Ok(entries.map(|entry| Cluster::found(self.home.clone(), entry)).collect())
    }

    /// The cluster of that name. It does not end when the value is dropped.
    ///
    /// # Errors
    ///
    /// [`LabError::ClusterUnknown`], [`LabError::Damaged`], [`LabError::Io`].
    pub fn find(&self, name: &str) -> Result<Cluster, LabError> {
        match journal::load(&self.home, name)? {
            Some(entry) => Ok(Cluster::found(self.home.clone(), entry)),
            None => {
                let names = journal::names(&self.home);
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                Err(LabError::ClusterUnknown { name: name.to_owned(), known })
            }
        }
    }

    /// Removes every cluster whose owner is gone. Gives their names.
    ///
    /// # Errors
    ///
    /// [`LabError::NotStopped`], [`LabError::Damaged`], [`LabError::Io`].
    pub fn sweep(&self) -> Result<Vec<String>, LabError> {
        let removed = sweep::sweep(&self.home)?;
        for name in &removed {
            self.tell(&format!("removed {name}, whose owner is gone"));
        }
        Ok(removed)
    }

    /// What works on this machine.
    pub async fn doctor(&self) -> Report {
        doctor::examine(&self.home, &self.java, &self.maven).await
    }

    fn tell(&self, line: &str) {
        (self.narrator.0)(line);
    }

    async fn prepare(&self, system: System) -> Result<Kit, LabError> {
        let version = system.version;
        let era = version.era().ok_or(LabError::NoSuchRelease { version })?;
        if !version.is_promised() {
            self.tell(&format!("Kafka {version} is not among the versions checked with this lab"));
        }
        let java = self.java.find(version, era.java).await?;
        let _lock = self.home.lock(&format!("kafka-{version}")).await?;
        let jars = self.jars(&Closure::broker(&self.home, version, &era), version).await?;
        let kit = Kit::new(&self.home, version, system.mode, Tools { era, java, jars });
        if system.mode == Mode::KRaft {
            storage::format(&kit).await?;
        }
        self.archive(system, &kit).await?;
        Ok(kit)
    }

    async fn jars(
        &self,
        closure: &Closure,
        version: KafkaVersion,
    ) -> Result<Vec<PathBuf>, LabError> {
        if !closure.is_fetched() {
            self.tell(&format!("fetching Kafka {version} with Maven (once)"));
        }
        closure.jars(&self.maven).await
    }

    /// Starts and ends one broker so that its JVMs write down which classes they loaded.
    async fn archive(&self, system: System, kit: &Kit) -> Result<(), LabError> {
        if !kit.can_archive() || kit.is_archived() {
            return Ok(());
        }
        self.tell(&format!("archiving the classes of Kafka {} (once)", kit.version));
        let name = format!("first-start-{}-{}", kit.version, std::process::id());
        let Ok(spec) = LabSpec::new(system).named(name) else { return Ok(()) };
        let cluster = self.boot(&spec, kit, Archives::Record).await?;
        for node in cluster.nodes().into_iter().rev() {
            end(&cluster, node).await;
        }
        if !kit.is_archived() {
            self.tell("this Java wrote no archive: brokers will start slower");
        }
        Ok(())
    }

    async fn boot(
        &self,
        spec: &LabSpec,
        kit: &Kit,
        archives: Archives,
    ) -> Result<Cluster, LabError> {
        with_other_ports(
            async || self.try_boot(spec, kit, archives).await,
            |port| self.tell(&format!("port {port} was taken meanwhile, trying others")),
        )
        .await
    }

    async fn try_boot(
        &self,
        spec: &LabSpec,
        kit: &Kit,
        archives: Archives,
    ) -> Result<Cluster, LabError> {
        let mut cluster = self.reserve(spec, kit).await?;
        cluster.write_files(kit, archives)?;
        cluster.boot(spec.ready_within).await?;
        Ok(cluster)
    }

    /// Takes a name and ports, and writes both down before anything runs.
    async fn reserve(&self, spec: &LabSpec, kit: &Kit) -> Result<Cluster, LabError> {
        let _lock = self.home.lock("ports").await?;
        let entries = journal::list(&self.home)?;
        let needed = Plan::ports_needed(spec);
        let ports = port::pick(needed, &journal::claimed_ports(&entries))?;
        let name = spec.name.clone().unwrap_or_else(|| free_name(spec.system.version, &entries));
        let plan = Plan::new(spec, &name, &self.home.clusters(), &ports);
        let Some(plan) = plan else { return Err(port::too_few(needed)) };
        check_unused(&plan)?;
        make_directory(&self.home.clusters())?;
        let entry = Entry { plan, java: kit.java.program.clone(), owner: ProcessId::own() };
        entry.create(&self.home)?;
        Cluster::held(self.home.clone(), entry)
    }
}

/// Tries again while ports are taken between our look and the broker's bind.
async fn with_other_ports<T>(
    mut attempt: impl AsyncFnMut() -> Result<T, LabError>,
    taken: impl Fn(u16),
) -> Result<T, LabError> {
    for _ in 1..PORT_TRIES {
        match attempt().await {
            Err(LabError::PortTaken { port, .. }) => taken(port),
            result => return result,
        }
    }
    attempt().await
}

/// A data directory outside of the home may be another home's.
fn check_unused(plan: &Plan) -> Result<(), LabError> {
    if !plan.data.starts_with(&plan.directory) && plan.data.exists() {
        return Err(LabError::DataExists { path: plan.data.clone() });
    }
    Ok(())
}

async fn end(cluster: &Cluster, node: crate::model::Node) {
    if let Some(process) = journal::process_of(cluster.plan(), node) {
        process.signal(Signal::TERM);
        process.wait_gone(ARCHIVE_WITHIN).await;
    }
}

/// `kafka-4.4.0`, then `kafka-4.4.0-2` and so on.
fn free_name(version: KafkaVersion, entries: &[Entry]) -> String {
    let first = format!("kafka-{version}");
    let is_free = |name: &String| entries.iter().all(|entry| entry.plan.name != *name);
    let numbered = (2_u32..).map(|number| format!("{first}-{number}"));
    std::iter::once(first.clone()).chain(numbered).find(is_free).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Node;

    fn taken() -> LabError {
        LabError::PortTaken { node: Node::Broker(1), port: 9 }
    }

    #[tokio::test]
    async fn a_taken_port_is_tried_elsewhere_but_not_for_ever() {
        let mut tries = 0;
        let second = async || {
            tries += 1;
            if tries == 1 { Err(taken()) } else { Ok(tries) }
        };
        assert_eq!(with_other_ports(second, |port| assert_eq!(port, 9)).await.unwrap(), 2);

        let mut tries = 0;
        let never = async || {
            tries += 1;
            Err::<(), _>(taken())
        };
        let error = with_other_ports(never, |_| ()).await.unwrap_err();
        assert!(matches!(error, LabError::PortTaken { .. }), "{error}");
        assert_eq!(tries, PORT_TRIES);
    }

    #[tokio::test]
    async fn other_failures_are_not_tried_again() {
        let mut tries = 0;
        let broken = async || {
            tries += 1;
            Err::<(), _>(LabError::NoHome)
        };
        with_other_ports(broken, |_| ()).await.unwrap_err();
        assert_eq!(tries, 1);
    }
}
