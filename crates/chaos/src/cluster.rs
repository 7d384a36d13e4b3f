//! Three brokers, a proxy before them, a topic: what a slice is played on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::config::ClientConfig;
use forebay::{Admin, Position, TopicPartition};
use forebay_histcheck::Notebook;
use forebay_proxy::{Broker, Proxy};
use minotaur::{Lab, LabSpec};
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::options::Options;

/// The topic.
pub(crate) const TOPIC: &str = "t";
/// Its partitions.
pub(crate) const PARTITIONS: i32 = 12;
/// The group.
pub(crate) const GROUP: &str = "chaos";
/// The brokers, counted from 1.
pub(crate) const NODES: u32 = 3;
/// How long the coordinator waits for a sign of life.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

/// Broker properties: the dead are noticed in seconds.
const SETTINGS: [(&str, &str); 7] = [
    ("auto.create.topics.enable", "false"),
    ("replica.lag.time.max.ms", "4000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.consumer.min.session.timeout.ms", "6000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "500"),
    ("group.consumer.heartbeat.interval.ms", "500"),
];

/// The brokers and the ways to them.
pub(crate) struct Cluster {
    /// Starting a node needs it alone, for seconds.
    pub(crate) lab: Arc<Mutex<minotaur::Cluster>>,
    pub(crate) proxy: Proxy,
    /// Knows the brokers themselves.
    pub(crate) admin: Admin,
    /// The brokers themselves, for those who are not judged.
    pub(crate) bootstrap: String,
}

impl Cluster {
    pub(crate) async fn start(options: &Options, notes: Arc<Notebook>) -> Result<Self, Fault> {
        let mut spec = LabSpec::parse(&format!("kafka@{}", options.kafka))?.nodes(NODES)?;
        for (key, value) in SETTINGS {
            spec = spec.set(key, value)?;
        }
        if let Some(data) = &options.data {
            spec = spec.data_dir(data);
        }
        let spec = spec.ready_within(Duration::from_secs(120));
        let lab = Lab::from_env()?.narrate(|line| eprintln!("{line}")).up(&spec).await?;
        let bootstrap = lab.bootstrap_servers();
        let proxy = Proxy::start(&brokers(&bootstrap)?, Some(notes)).await?;
        let admin = hurried(&bootstrap, "admin").and_then(|config| Admin::new(&config));
        let admin = admin.map_err(Fault::client("an admin client"))?;
        let lab = Arc::new(Mutex::new(lab));
        let cluster = Self { lab, proxy, admin, bootstrap };
        cluster.prepare().await?;
        Ok(cluster)
    }

    /// The topic, and a group that begins at its start: whatever chooses a position otherwise is
    /// then seen.
    async fn prepare(&self) -> Result<(), Fault> {
        let topic = NewTopic::new(TOPIC, PARTITIONS).replication_factor(3);
        self.admin.create_topic(&topic).await.map_err(Fault::client("creating the topic"))?;
        let start = partitions().into_iter().map(|tp| (tp, Position(0))).collect();
        let committed = self.admin.commit_offsets(GROUP, &start).await;
        committed.map_err(Fault::client("committing the start"))
    }

    /// Where a node writes what it has to say.
    pub(crate) async fn keep_logs(&self, folder: &Path) {
        let lab = self.lab.lock().await;
        for node in lab.nodes() {
            if let Ok(log) = lab.read_log(node) {
                // Only for people who look for a reason.
                std::fs::write(folder.join(format!("broker-{node}.log")), log).ok();
            }
        }
    }
}

/// All partitions of the topic.
pub(crate) fn partitions() -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition::new(TOPIC, partition)).collect()
}

/// How histories call a partition.
pub(crate) fn name_of(partition: i32) -> String {
    format!("{TOPIC}-{partition}")
}

/// Settings of a client that notices in seconds what it would notice in minutes.
pub(crate) fn hurried(bootstrap: &str, name: &str) -> Result<ClientConfig, forebay::Error> {
    let config = ClientConfig::from_servers(bootstrap).map_err(forebay::Error::from)?;
    Ok(ClientConfig {
        client_id: name.into(),
        request_timeout: Duration::from_secs(4),
        connection_setup_timeout: Duration::from_secs(3),
        metadata_max_age: Duration::from_secs(10),
        reconnect_backoff_max: Duration::from_secs(1),
        ..config
    })
}

fn brokers(bootstrap: &str) -> Result<Vec<Broker>, Fault> {
    let broker = |(id, address): (i32, &str)| {
        let no = || Fault::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(no)?;
        let port = port.parse().map_err(|_| no())?;
        Ok(Broker { id, host: host.to_owned(), port })
    };
    (1..).zip(bootstrap.split(',')).map(broker).collect()
}
