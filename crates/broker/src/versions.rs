//! Table. Which versions of which API each release of Kafka offers.

use forebay_protocol::api::ApiKey;

/// A release of Kafka that this broker can pose as.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Release {
    /// 0.11.0: the oldest with record format v2.
    V0_11,
    /// 1.1: fetch sessions.
    V1_1,
    /// 2.8: flexible versions, leader epochs, topic ids in metadata.
    V2_8,
    /// 3.9: topic ids in Fetch, the last with ZooKeeper.
    V3_9,
    /// 4.4: the newest.
    V4_4,
}

impl Release {
    /// The release whose name begins so: "0.11.0.3" is [`Release::V0_11`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let known = [
            ("0.11", Self::V0_11),
            ("1.1", Self::V1_1),
            ("2.8", Self::V2_8),
            ("3.9", Self::V3_9),
            ("4.4", Self::V4_4),
        ];
        let is = |start: &str| {
            name.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        known.into_iter().find(|(start, _)| is(start)).map(|(_, release)| release)
    }
}

/// The newest versions, in the order 0.11, 1.1, 2.8, 3.9, 4.4; -1 where a release lacks the API.
type Row = (ApiKey, [i16; 5]);

/// Every API that this broker answers, as the releases' own tables have them. Where Kafka 4.4 goes
/// on with versions for brokers alone or for a feature that is not offered here (transactions of
/// KIP-890), the row stops before them.
const TABLE: [Row; 36] = [
    (ApiKey::Produce, [3, 5, 9, 11, 13]),
    (ApiKey::Fetch, [5, 7, 12, 17, 18]),
    (ApiKey::ListOffsets, [2, 2, 6, 9, 11]),
    (ApiKey::Metadata, [4, 5, 11, 12, 13]),
    (ApiKey::OffsetCommit, [3, 3, 8, 9, 10]),
    (ApiKey::OffsetFetch, [3, 3, 7, 9, 10]),
    (ApiKey::FindCoordinator, [1, 1, 3, 6, 6]),
    (ApiKey::JoinGroup, [2, 2, 7, 9, 9]),
    (ApiKey::Heartbeat, [1, 1, 4, 4, 4]),
    (ApiKey::LeaveGroup, [1, 1, 4, 5, 5]),
    (ApiKey::SyncGroup, [1, 1, 5, 5, 5]),
    (ApiKey::ConsumerGroupHeartbeat, [-1, -1, -1, -1, 1]),
    (ApiKey::ConsumerGroupDescribe, [-1, -1, -1, -1, 1]),
    (ApiKey::DescribeGroups, [1, 1, 5, 5, 6]),
    (ApiKey::ListGroups, [1, 1, 4, 5, 5]),
    (ApiKey::DeleteGroups, [-1, 0, 2, 2, 3]),
    (ApiKey::OffsetDelete, [-1, -1, 0, 0, 0]),
    (ApiKey::ApiVersions, [1, 1, 3, 4, 5]),
    (ApiKey::CreateTopics, [2, 2, 7, 7, 7]),
    (ApiKey::DeleteTopics, [1, 1, 6, 6, 6]),
    (ApiKey::DeleteRecords, [0, 0, 2, 2, 2]),
    (ApiKey::InitProducerId, [0, 0, 4, 5, 5]),
    (ApiKey::OffsetForLeaderEpoch, [0, 0, 4, 4, 4]),
    (ApiKey::AddPartitionsToTxn, [0, 0, 3, 3, 3]),
    (ApiKey::AddOffsetsToTxn, [0, 0, 3, 4, 4]),
    (ApiKey::EndTxn, [0, 0, 3, 4, 4]),
    (ApiKey::TxnOffsetCommit, [0, 0, 3, 4, 4]),
    (ApiKey::DescribeConfigs, [0, 1, 4, 4, 4]),
    (ApiKey::CreatePartitions, [-1, 0, 3, 3, 3]),
    (ApiKey::IncrementalAlterConfigs, [-1, -1, 1, 1, 1]),
    (ApiKey::AlterConfigs, [0, 0, 2, 2, 2]),
    (ApiKey::DescribeLogDirs, [-1, 0, 2, 4, 5]),
    (ApiKey::ElectLeaders, [-1, -1, 2, 2, 2]),
    (ApiKey::AlterPartitionReassignments, [-1, -1, 0, 0, 1]),
    (ApiKey::ListPartitionReassignments, [-1, -1, 0, 0, 0]),
    (ApiKey::DescribeCluster, [-1, -1, 0, 1, 2]),
];

/// Versions that Kafka 4 no longer offers, though this broker still speaks them: the oldest left.
const RAISED: [(ApiKey, i16); 3] =
    [(ApiKey::OffsetForLeaderEpoch, 2), (ApiKey::DescribeConfigs, 1), (ApiKey::DescribeLogDirs, 1)];

/// What a release offers of one API: the oldest and the newest version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Offer {
    pub(crate) api: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
}

/// All that a release offers, in the order of the keys.
pub(crate) fn offers(release: Release) -> Vec<Offer> {
    let mut offers: Vec<_> = TABLE.iter().filter_map(|row| row_offer(row, release)).collect();
    offers.sort_by_key(|offer| offer.api);
    offers
}

/// What a release offers of `api`, if it does.
pub(crate) fn offer(release: Release, api: ApiKey) -> Option<Offer> {
    let row = TABLE.iter().find(|(key, _)| *key == api)?;
    row_offer(row, release)
}

fn row_offer(&(api, [v0_11, v1_1, v2_8, v3_9, v4_4]): &Row, release: Release) -> Option<Offer> {
    let newest = match release {
        Release::V0_11 => v0_11,
        Release::V1_1 => v1_1,
        Release::V2_8 => v2_8,
        Release::V3_9 => v3_9,
        Release::V4_4 => v4_4,
    };
    let raised = RAISED.iter().find(|(key, _)| *key == api && release >= Release::V4_4);
    let min = raised.map_or_else(|| api.api().min, |(_, min)| *min);
    (newest >= min).then_some(Offer { api, min, max: newest })
}
