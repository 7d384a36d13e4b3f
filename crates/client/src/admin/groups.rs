//! Groups: which there are, who is a member of them, what they have committed, and their end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use forebay_core::cluster::Destination;
use forebay_core::cluster::coordinator::CoordinatorKey;
use forebay_core::connection::Fault;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::group::Assignment;
use forebay_protocol::messages as m;
use forebay_protocol::messages::consumer_group_describe_response as modern;
use forebay_protocol::messages::describe_groups_response as classic;
use forebay_protocol::types::{LeaderEpoch, Position, TopicPartition};

use super::route::{offered, outcome};
use super::{Admin, CommittedOffset};
use crate::consumer::translate;
use crate::error::Error;

/// The first `OffsetFetch` that can ask for all that a group has committed.
const ALL_OFFSETS_FROM: i16 = 2;

/// A group as its coordinator lists it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct GroupListing {
    /// The group.
    pub group: String,
    /// What kind of members it has: `consumer` for consumers, empty when it never had any.
    pub protocol_type: String,
    /// Kafka's name of its state; `None` with brokers before 2.6.
    pub state: Option<String>,
    /// `classic` or `consumer` (KIP-848); `None` with brokers before 3.8.
    pub kind: Option<String>,
}

/// What a coordinator knows of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// The group.
    pub group: String,
    /// Kafka's name of its state.
    pub state: String,
    /// Whether the coordinator makes the plan (KIP-848).
    pub is_consumer_protocol: bool,
    /// The assignor that the group agreed on; empty while it has none.
    pub assignor: String,
    /// Its members, by id.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GroupMember {
    /// Its member id.
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from, as the coordinator sees it.
    pub host: String,
    /// What it has; empty for members whose bytes are not those of consumers.
    pub partitions: BTreeSet<TopicPartition>,
}

impl Admin {
    /// All groups, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] with Kafka's reason for the first broker that refuses, [`Error::Timeout`].
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, Error> {
        let brokers = self.describe_cluster().await?.brokers;
        let mut groups = BTreeSet::new();
        for broker in brokers {
            let attempt = || async {
                let to = Destination::Broker(broker.id);
                let body = m::ListGroupsRequest::default();
                let answer = self.cluster.request(to, body, i16::MAX).await?;
                outcome("ListGroups", broker.id, answer.error_code, None)?;
                Ok(answer.groups)
            };
            let listed = self.retrying("listing groups", attempt).await?;
            groups.extend(listed.into_iter().map(|it| GroupListing {
                group: it.group_id.as_str().to_owned(),
                protocol_type: it.protocol_type.as_str().to_owned(),
                state: Some(it.group_state.as_str().to_owned()).filter(|it| !it.is_empty()),
                kind: Some(it.group_type.as_str().to_owned()).filter(|it| !it.is_empty()),
            }));
        }
        Ok(groups.into_iter().collect())
    }

    /// Who is a member of `group`, and what each has.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] with `GROUP_ID_NOT_FOUND` when there is no such group, or with another
    /// reason of Kafka's; [`Error::Timeout`].
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, Error> {
        let what = "describing the group";
        match self.retrying(what, || self.try_modern(group)).await {
            Ok(Some(described)) => Ok(described),
            Ok(None) => self.retrying(what, || self.try_classic(group)).await,
            Err(error) => Err(error),
        }
    }

    /// Deletes `group` and what it has committed; it must have no live members.
    ///
    /// # Errors
    ///
    /// [`Error::GroupHasMembers`]; [`Error::Broker`] with `GROUP_ID_NOT_FOUND` when there is no such
    /// group; [`Error::NotOffered`] with brokers before 1.1; [`Error::Timeout`].
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let attempt = || async {
            let body = m::DeleteGroupsRequest { groups_names: vec![group.into()] };
            let answer = self.cluster.request(self.at(group), body, 2).await;
            let answer = answer.map_err(offered("deleting groups", "1.1"))?;
            for result in answer.results {
                if result.error_code == ErrorCode::NON_EMPTY_GROUP.0 {
                    return Err(Error::GroupHasMembers { group: group.into() });
                }
                self.settled(group, "DeleteGroups", result.error_code)?;
            }
            Ok(())
        };
        self.retrying("deleting the group", attempt).await
    }

    /// All that `group` has committed.
    ///
    /// # Errors
    ///
    /// [`Error::Broker`] with Kafka's reason, [`Error::Timeout`].
    pub async fn group_offsets(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, Error> {
        let attempt = || async {
            let body = m::OffsetFetchRequest {
                group_id: group.into(),
                topics: None,
                ..Default::default()
            };
            let most = translate::OFFSET_FETCH_AT_MOST;
            let make = move |_| body.clone();
            let accepts = (ALL_OFFSETS_FROM, most);
            let answer = self.cluster.begin(self.at(group), make, accepts).await?;
            self.settled(group, "OffsetFetch", answer.error_code)?;
            let told = answer
                .topics
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|it| (topic.name.as_str(), it)));
            let mut committed = BTreeMap::new();
            for (topic, it) in told {
                self.settled(group, "OffsetFetch", it.error_code)?;
                let tp = TopicPartition::new(topic, it.partition_index);
                let position = Position(it.committed_offset);
                let epoch = LeaderEpoch(it.committed_leader_epoch);
                committed.insert(tp, CommittedOffset { position, epoch });
            }
            committed.retain(|_, it| 0 <= it.position.0);
            Ok(committed)
        };
        self.retrying("fetching committed offsets", attempt).await
    }

    fn at(&self, group: &str) -> Destination {
        Destination::Coordinator(CoordinatorKey::Group(group.into()))
    }

    /// Nothing for code 0; a coordinator that is elsewhere is looked for again.
    fn settled(&self, group: &str, api: &'static str, code: i16) -> Result<(), Error> {
        if matches!(
            ErrorCode(code),
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE
        ) {
            self.cluster.wrong_coordinator(CoordinatorKey::Group(group.into()));
        }
        outcome(api, group, code, None)
    }

    /// By KIP-848; `None` when it is no such group, or the brokers know none.
    async fn try_modern(&self, group: &str) -> Result<Option<GroupDescription>, Error> {
        let body = m::ConsumerGroupDescribeRequest {
            group_ids: vec![group.into()],
            include_authorized_operations: false,
        };
        let answer = match self.cluster.request(self.at(group), body, i16::MAX).await {
            Ok(answer) => answer,
            Err(Error::Connection { fault: Fault::Unsupported { .. }, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(found) = answer.groups.into_iter().next() else { return Ok(None) };
        if found.error_code == ErrorCode::GROUP_ID_NOT_FOUND.0 {
            return Ok(None);
        }
        self.settled(group, "ConsumerGroupDescribe", found.error_code)?;
        Ok(Some(GroupDescription {
            group: group.to_owned(),
            state: found.group_state.as_str().to_owned(),
            is_consumer_protocol: true,
            assignor: found.assignor_name.as_str().to_owned(),
            members: found.members.into_iter().map(modern_member).collect(),
        }))
    }

    async fn try_classic(&self, group: &str) -> Result<GroupDescription, Error> {
        let body = m::DescribeGroupsRequest {
            groups: vec![group.into()],
            include_authorized_operations: false,
        };
        let answer = self.cluster.request(self.at(group), body, i16::MAX).await?;
        let not_found = || Error::broker("DescribeGroups", group, ErrorCode::GROUP_ID_NOT_FOUND.0);
        let found = answer.groups.into_iter().next().ok_or_else(not_found)?;
        self.settled(group, "DescribeGroups", found.error_code)?;
        // What brokers before 4.0 say of a group that they do not know.
        if found.group_state == *"Dead" {
            return Err(not_found());
        }
        Ok(GroupDescription {
            group: group.to_owned(),
            state: found.group_state.as_str().to_owned(),
            is_consumer_protocol: false,
            assignor: found.protocol_data.as_str().to_owned(),
            members: found.members.into_iter().map(classic_member).collect(),
        })
    }
}

fn modern_member(member: modern::Member) -> GroupMember {
    let topics = member.assignment.topic_partitions.iter();
    let partitions = topics.flat_map(|topic| {
        let name = topic.topic_name.as_str();
        topic.partitions.iter().map(move |number| TopicPartition::new(name, *number))
    });
    GroupMember {
        id: member.member_id.as_str().to_owned(),
        instance: member.instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.as_str().to_owned(),
        host: member.client_host.as_str().to_owned(),
        partitions: partitions.collect(),
    }
}

fn classic_member(member: classic::DescribedGroupMember) -> GroupMember {
    let read = |bytes: Bytes| Assignment::decode(bytes).map(|it| it.partitions);
    let partitions = read(member.member_assignment).unwrap_or_default();
    GroupMember {
        id: member.member_id.as_str().to_owned(),
        instance: member.group_instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.as_str().to_owned(),
        host: member.client_host.as_str().to_owned(),
        partitions: partitions.into_iter().collect(),
    }
}
