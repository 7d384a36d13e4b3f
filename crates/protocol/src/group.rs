//! What members of a classic group tell each other inside of `JoinGroup` and `SyncGroup`: the bytes
//! of Kafka's consumer protocol, a version and a message.
//!
//! Brokers pass these bytes on unread. Written as Kafka's consumer writes them, so that a group may
//! have members of both kinds.

use bytes::Bytes;

use crate::decode::{DecodeError, Expected, Found};
use crate::messages::consumer_protocol_assignment::TopicPartition as Assigned;
use crate::messages::consumer_protocol_subscription::TopicPartition as Owned;
use crate::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use crate::types::{TopicName, TopicPartition};
use crate::wire::{EncodeError, Lengths, Message, Reader, Str, Writer};

/// The newest version that we write; older members understand it.
pub const VERSION: i16 = ConsumerProtocolSubscription::MAX_VERSION;

/// What a member tells the leader of its group when it joins.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subscription {
    /// The topics that it wants partitions of.
    pub topics: Vec<TopicName>,
    /// What its assignor adds, in a form of its own.
    pub user_data: Option<Bytes>,
    /// The partitions that it had before (since version 1).
    pub owned: Vec<TopicPartition>,
    /// The generation in which it had them; `None` for none (since version 2).
    pub generation: Option<i32>,
    /// The rack that it is in (since version 3).
    pub rack: Option<Str>,
}

/// What the leader of a group gives to a member.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Assignment {
    /// The member's partitions.
    pub partitions: Vec<TopicPartition>,
    /// What the leader's assignor adds, in a form of its own.
    pub user_data: Option<Bytes>,
}

impl Subscription {
    /// The bytes in `version`; what it lacks is left out. Topics and partitions come in order.
    ///
    /// # Errors
    /// When there is no such version, or a name is longer than its length field can say.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut topics: Vec<_> = self.topics.iter().map(|it| Str::from(it.as_str())).collect();
        topics.sort();
        let mut owned = self.owned.clone();
        owned.sort();
        let has = |since, it| if version >= since { it } else { Vec::new() };
        let message = ConsumerProtocolSubscription {
            topics,
            user_data: self.user_data.clone(),
            owned_partitions: has(1, owned_by_topic(&owned)),
            generation_id: self.generation.unwrap_or(-1),
            rack_id: self.rack.clone(),
        };
        encode(&message, version)
    }

    /// Reads the bytes of another member, of whatever version. What a version newer than ours adds
    /// at the end is passed over.
    ///
    /// # Errors
    /// When the bytes are no subscription.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let message: ConsumerProtocolSubscription = decode(bytes)?;
        let owned = message.owned_partitions.iter().map(|it| (&it.topic, &it.partitions));
        Ok(Self {
            topics: message.topics.iter().map(|it| TopicName::from(it.as_str())).collect(),
            user_data: message.user_data,
            owned: owned.flat_map(partitions).collect(),
            generation: Some(message.generation_id).filter(|it| *it >= 0),
            rack: message.rack_id,
        })
    }
}

impl Assignment {
    /// The bytes in `version`. Topics come in the order of their first partition.
    ///
    /// # Errors
    /// When there is no such version, or a name is longer than its length field can say.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let by_topic = by_topic(&self.partitions).into_iter();
        let message = ConsumerProtocolAssignment {
            assigned_partitions: by_topic
                .map(|(topic, partitions)| Assigned { topic, partitions })
                .collect(),
            user_data: self.user_data.clone(),
        };
        encode(&message, version)
    }

    /// Reads the bytes that a leader made, of whatever version. No bytes at all are an assignment
    /// of nothing, which is what a broker hands to members that a leader left out.
    ///
    /// # Errors
    /// When the bytes are no assignment.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let message: ConsumerProtocolAssignment = decode(bytes)?;
        let assigned = message.assigned_partitions.iter().map(|it| (&it.topic, &it.partitions));
        Ok(Self {
            partitions: assigned.flat_map(partitions).collect(),
            user_data: message.user_data,
        })
    }
}

fn owned_by_topic(owned: &[TopicPartition]) -> Vec<Owned> {
    let by_topic = by_topic(owned).into_iter();
    by_topic.map(|(topic, partitions)| Owned { topic, partitions }).collect()
}

/// Partitions under their topics, both in the order of their first appearance.
fn by_topic(partitions: &[TopicPartition]) -> Vec<(Str, Vec<i32>)> {
    let mut topics: Vec<(Str, Vec<i32>)> = Vec::new();
    for TopicPartition { topic, partition } in partitions {
        // The last topic first: partitions mostly come topic by topic.
        match topics.iter_mut().rev().find(|(name, _)| *name == *topic.as_str()) {
            Some((_, numbers)) => numbers.push(*partition),
            None => topics.push((Str::from(topic.as_str()), vec![*partition])),
        }
    }
    topics
}

fn partitions<'a>(
    (topic, numbers): (&Str, &'a Vec<i32>),
) -> impl Iterator<Item = TopicPartition> + use<'a> {
    let topic = TopicName::from(topic.as_str());
    numbers.iter().map(move |number| TopicPartition::new(topic.clone(), *number))
}

fn encode<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::with_capacity(message.encoded_len(version)? + size_of::<i16>());
    writer.i16(version);
    message.encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.begin(M::NAME, Lengths::Plain);
    let version: i16 = reader.get("version", 0)?;
    if version < 0 {
        let expected = Expected::Version(M::MIN_VERSION, i16::MAX);
        return Err(reader.error(expected, Found::Number(version.into())));
    }
    M::decode(&mut reader, version.min(M::MAX_VERSION))
}

#[cfg(test)]
mod tests;
