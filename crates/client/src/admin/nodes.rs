//! The cluster: its brokers, its controller, and what lies in the brokers' directories.

use forebay_core::cluster::Destination;
use forebay_core::orders::Address;
use forebay_protocol::messages as m;
use forebay_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use forebay_protocol::types::{BrokerId, TopicPartition};

use super::route::{offered, outcome};
use super::{Admin, Each};
use crate::error::Error;

/// A cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClusterDescription {
    /// Its id.
    pub id: Option<String>,
    /// The broker that takes changes to the cluster. With KRaft any broker passes them on, and
    /// names another one each time.
    pub controller: Option<BrokerId>,
    /// The brokers that are up, by id.
    pub brokers: Vec<Node>,
}

/// A broker.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// Its id.
    pub id: BrokerId,
    /// Where it listens.
    pub address: Address,
    /// In which rack it stands, if it says so.
    pub rack: Option<String>,
}

/// A directory with logs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogDir {
    /// Its path on the broker.
    pub path: String,
    /// Why it cannot be used, if it cannot.
    pub error: Option<Error>,
    /// Size of its volume in bytes; unknown with brokers before 3.3.
    pub total_bytes: Option<u64>,
    /// Free bytes of its volume; unknown with brokers before 3.3.
    pub usable_bytes: Option<u64>,
    /// What lies there.
    pub replicas: Vec<ReplicaSize>,
}

/// A replica in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReplicaSize {
    /// Of which partition.
    pub tp: TopicPartition,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many offsets it is behind the partition's high watermark; for a future replica, behind
    /// the one that it will replace.
    pub offset_lag: i64,
    /// Whether it moves here from another directory of the same broker.
    pub is_future: bool,
}

impl Admin {
    /// The cluster's id, controller and brokers.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when no broker answers.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        let attempt = || async {
            // Every release has this one, and it tells the same as DescribeCluster (2.8).
            let body = m::MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
            let answer = self.cluster.request(Destination::Any, body, i16::MAX).await?;
            let mut brokers: Vec<Node> = answer.brokers.iter().filter_map(node).collect();
            brokers.sort_by_key(|node| node.id);
            Ok(ClusterDescription {
                id: answer.cluster_id.map(|id| id.as_str().to_owned()),
                controller: (0 <= answer.controller_id).then_some(BrokerId(answer.controller_id)),
                brokers,
            })
        };
        self.retrying("describing the cluster", attempt).await
    }

    /// What lies in the log directories of brokers.
    ///
    /// # Errors
    ///
    /// For each broker [`Error::Timeout`] when it does not answer, [`Error::Broker`] with Kafka's
    /// reason, [`Error::NotOffered`] before 1.0.
    pub async fn describe_log_dirs(
        &self,
        brokers: &[BrokerId],
    ) -> Result<Each<BrokerId, Vec<LogDir>>, Error> {
        let attempt = |brokers: Vec<BrokerId>| async move {
            let asked = brokers.into_iter().map(|broker| {
                let make = |_| m::DescribeLogDirsRequest { topics: None };
                let to = Destination::Broker(broker);
                (broker, self.cluster.begin(to, make, (0, i16::MAX)))
            });
            let (mut each, until) = (Each::new(), self.half_time());
            for (broker, answer) in asked.collect::<Vec<_>>() {
                let answer = self.heard::<m::DescribeLogDirsRequest, _>(until, answer).await;
                let answer = answer.map_err(offered("describing log directories", "1.0"));
                each.insert(broker, answer.and_then(|answer| log_dirs(broker, &answer)));
            }
            Ok(each)
        };
        self.each("describing log directories", brokers.iter().copied(), attempt).await
    }
}

fn node(broker: &m::metadata_response::MetadataResponseBroker) -> Option<Node> {
    let port = u16::try_from(broker.port).ok()?;
    let host = broker.host.as_str().into();
    let rack = broker.rack.as_ref().map(|rack| rack.as_str().to_owned());
    Some(Node { id: BrokerId(broker.node_id), address: Address { host, port }, rack })
}

fn log_dirs(broker: BrokerId, answer: &m::DescribeLogDirsResponse) -> Result<Vec<LogDir>, Error> {
    outcome("DescribeLogDirs", broker, answer.error_code, None)?;
    Ok(answer.results.iter().map(log_dir).collect())
}

fn log_dir(result: &DescribeLogDirsResult) -> LogDir {
    let path = result.log_dir.as_str().to_owned();
    let replicas = result.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|it| ReplicaSize {
            tp: TopicPartition::new(topic.name.as_str(), it.partition_index),
            bytes: u64::try_from(it.partition_size).unwrap_or(0),
            offset_lag: it.offset_lag,
            is_future: it.is_future_key,
        })
    });
    LogDir {
        error: outcome("DescribeLogDirs", &path, result.error_code, None).err(),
        // -1 where it is not known.
        total_bytes: u64::try_from(result.total_bytes).ok(),
        usable_bytes: u64::try_from(result.usable_bytes).ok(),
        replicas: replicas.collect(),
        path,
    }
}
