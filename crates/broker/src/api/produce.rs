//! Produce v3-v13: batches in, base offsets out.
//!
//! v5 adds the log start, v8 messages with the errors, v10 the current leader (KIP-951), v13 topic
//! ids. With acks=0 there is no answer. A batch that was appended before is answered with the
//! offset it has.

use bytes::Bytes;
use forebay_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use forebay_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use forebay_protocol::messages::{ProduceRequest, ProduceResponse};
use forebay_protocol::types::BrokerId;

use super::{Reply, encoded};
use crate::batch::{self, By, Head, Holes, Keys, Refusal, Rules};
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{BadRequest, Call};
use crate::log::Appended;
use crate::topic::{Topic, TopicRef};
use crate::versions::Release;

/// Codec 4, zstd, came with Produce v7.
const ZSTD: i16 = 4;

pub(super) fn produce(
    cluster: &mut Cluster,
    call: &Call,
    request: &ProduceRequest,
) -> Result<Reply, BadRequest> {
    hangs_up(cluster, request)?;
    let acks_known = matches!(request.acks, -1..=1);
    let mut leaders = Vec::new();
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let answers = topic.partition_data.iter().map(|data| {
            if !acks_known {
                let why = format!("acks is {}, but -1, 0 and 1 are all there is", request.acks);
                return refused(data.index, &Refusal::new(ErrorCode::INVALID_REQUIRED_ACKS, why));
            }
            let transactional = request.transactional_id.is_some();
            one(cluster, call, (topic, data, transactional), &mut leaders)
        });
        let partition_responses = answers.collect();
        let (name, topic_id) = (topic.name.clone(), topic.topic_id);
        responses.push(TopicProduceResponse { name, topic_id, partition_responses });
    }
    if request.acks == 0 {
        return Ok(Reply::Silent);
    }
    let response = ProduceResponse {
        responses,
        throttle_time_ms: call.throttle(),
        node_endpoints: if call.version >= 10 { endpoints(cluster, leaders) } else { vec![] },
    };
    Ok(Reply::Body(vec![encoded(&response, call.version)?]))
}

fn one(
    cluster: &mut Cluster,
    call: &Call,
    (topic, data, transactional): (&TopicProduceData, &PartitionProduceData, bool),
    leaders: &mut Vec<BrokerId>,
) -> PartitionProduceResponse {
    let place = TopicRef::of(&topic.name, topic.topic_id);
    let bytes = data.records.clone().unwrap_or_default();
    let asks_for_both = cluster.options.release > Release::V0_11;
    if asks_for_both
        && !transactional
        && Head::read(&bytes).is_some_and(|head| head.is_transactional())
    {
        let why = "a transactional batch needs a request with a transactional id";
        let code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        return refused(data.index, &Refusal::new(code, why));
    }
    match append(cluster, call, (&place, data.index), &bytes) {
        Ok((appended, log_start_offset)) => PartitionProduceResponse {
            index: data.index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.append_time,
            log_start_offset,
            ..Default::default()
        },
        Err(refusal) => {
            let mut answer = refused(data.index, &refusal);
            if refusal.code == ErrorCode::INVALID_RECORD && cluster.options.release <= Release::V1_1
            {
                // The newer code came with 2.4.
                answer.error_code = ErrorCode::CORRUPT_MESSAGE.0;
            }
            if refusal.by == By::Log {
                answer.log_start_offset = log_start(cluster, &place, data.index);
            }
            if refusal.code == ErrorCode::NOT_LEADER_OR_FOLLOWER && call.version >= 10 {
                answer.current_leader = hint(cluster, &place, data.index, leaders);
            }
            answer
        }
    }
}

fn refused(index: i32, refusal: &Refusal) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: refusal.code.0,
        base_offset: -1,
        error_message: Some(refusal.why.as_str().into()),
        record_errors: refusal.records.iter().map(|at| bad_record(*at)).collect(),
        ..Default::default()
    }
}

fn bad_record(batch_index: i32) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage { batch_index, batch_index_error_message: None }
}

fn log_start(cluster: &Cluster, place: &TopicRef, index: i32) -> i64 {
    let name = cluster.topics.name_of(place).unwrap_or_default();
    cluster.topics.partition(name, index).map_or(-1, |partition| partition.log.start())
}

fn hint(
    cluster: &Cluster,
    place: &TopicRef,
    index: i32,
    leaders: &mut Vec<BrokerId>,
) -> LeaderIdAndEpoch {
    let name = cluster.topics.name_of(place).unwrap_or_default();
    let Some(partition) = cluster.topics.partition(name, index) else {
        return LeaderIdAndEpoch::default();
    };
    leaders.extend(partition.leader);
    let leader_id = partition.leader.map_or(-1, |leader| leader.0);
    LeaderIdAndEpoch { leader_id, leader_epoch: partition.epoch }
}

fn endpoints(cluster: &Cluster, leaders: Vec<BrokerId>) -> Vec<NodeEndpoint> {
    let endpoint = |(id, host, port): (BrokerId, &str, u16)| NodeEndpoint {
        node_id: id.0,
        host: host.into(),
        port: i32::from(port),
        rack: cluster.rack(id).map(Into::into),
    };
    cluster.addresses(leaders).map(endpoint).collect()
}

/// Appends what was sent for one partition; returns where it is and where the log starts.
fn append(
    cluster: &mut Cluster,
    call: &Call,
    (place, index): (&TopicRef, i32),
    bytes: &Bytes,
) -> Result<(Appended, i64), Refusal> {
    let name = cluster.led_here(call, place, (index, -1))?;
    let topic = cluster.topics.get(&name);
    let is_first = cluster.options.release == Release::V0_11;
    let holes = if is_first { Holes::Allowed } else { Holes::Refused };
    let head = checked(topic, bytes, holes)?;
    if head.codec() == ZSTD && call.version < 7 {
        let why = "zstd needs Produce v7 or later";
        return Err(Refusal::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, why));
    }
    knows(cluster, (&name, index), &head)?;
    // Since KIP-890 brokers ask the coordinator; before, whoever wrote was believed.
    if head.is_transactional() && cluster.options.release >= Release::V3_9 {
        cluster.coordinator.may_write(&head, &name, index).map_err(|code| {
            let id = head.producer_id;
            let why = format!("no open transaction of producer {id} has this partition");
            Refusal::new(code, why)
        })?;
    }
    cluster.has_room(bytes.len())?;
    let stamp = topic.is_some_and(Topic::stamps).then(|| cluster.wall_clock());
    let appended = cluster.topics.change(&name, index, |partition| {
        let appended = partition.log.produce(bytes, head, (partition.epoch, stamp))?;
        Ok((appended, partition.log.start()))
    });
    cluster.changed(&name, index);
    appended.unwrap_or_else(|| Err(Cluster::no_partition(place)))
}

/// Records that are not one batch make releases up to 1.1 hang up, whatever else is in the request.
fn hangs_up(cluster: &Cluster, request: &ProduceRequest) -> Result<(), BadRequest> {
    if cluster.options.release > Release::V1_1 {
        return Ok(());
    }
    for data in request.topic_data.iter().flat_map(|topic| &topic.partition_data) {
        let records = data.records.clone().unwrap_or_default();
        if let Err(refusal) = checked(None, &records, Holes::Allowed)
            && refusal.by == By::Shape
        {
            return Err(BadRequest::Refused(refusal.why));
        }
    }
    Ok(())
}

/// Releases up to 1.1 do not take up a producer in the middle of its sequence numbers.
fn knows(cluster: &Cluster, (name, index): (&str, i32), head: &Head) -> Result<(), Refusal> {
    let code = match cluster.options.release {
        Release::V0_11 => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Release::V1_1 => ErrorCode::UNKNOWN_PRODUCER_ID,
        Release::V2_8 | Release::V3_9 | Release::V4_4 => return Ok(()),
    };
    let id = head.producer_id;
    let known = cluster.topics.partition(name, index).is_none_or(|it| it.log.knows_producer(id));
    if id < 0 || head.base_sequence == 0 || known {
        return Ok(());
    }
    let why = format!("nothing is known of producer {id}, which begins at {}", head.base_sequence);
    Err(Refusal::new(code, why).by_log())
}

fn checked(topic: Option<&Topic>, bytes: &Bytes, holes: Holes) -> Result<Head, Refusal> {
    let anything = Rules { max_message_bytes: 0, keys: Keys::Optional, holes };
    let rules = topic.map_or(anything, |topic| Rules {
        max_message_bytes: topic.max_message_bytes(),
        keys: if topic.is_compacted() { Keys::Required } else { Keys::Optional },
        holes,
    });
    batch::check(bytes, rules)
}
