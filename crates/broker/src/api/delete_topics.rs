//! `DeleteTopics` v1-v6: by name, from v6 on by name or id.

use forebay_protocol::messages::delete_topics_response::DeletableTopicResult;
use forebay_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::Str;

use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;
use crate::versions::Release;

pub(super) fn delete_topics(
    cluster: &mut Cluster,
    call: &Call,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::ZERO));
    let either = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let asked: Vec<_> = by_name.chain(either).collect();
    let responses = once_each(cluster, asked)
        .into_iter()
        .map(|(name, id, is_double)| {
            if !is_double {
                return result(cluster, call, name, id);
            }
            DeletableTopicResult {
                name,
                topic_id: id,
                error_code: ErrorCode::INVALID_REQUEST.0,
                error_message: Some("the topic is named twice".into()),
            }
        })
        .collect();
    DeleteTopicsResponse { throttle_time_ms: call.throttle(), responses }
}

/// Each topic once, and whether it was named more often: the first releases took that for once.
fn once_each(cluster: &Cluster, asked: Vec<(Option<Str>, Uuid)>) -> Vec<(Option<Str>, Uuid, bool)> {
    let mut rows: Vec<(Option<Str>, Uuid, bool)> = Vec::new();
    for (name, id) in asked {
        match rows.iter_mut().find(|row| row.0 == name && row.1 == id) {
            Some(row) => row.2 = cluster.options.release > Release::V1_1,
            None => rows.push((name, id, false)),
        }
    }
    rows
}

fn result(cluster: &mut Cluster, call: &Call, name: Option<Str>, id: Uuid) -> DeletableTopicResult {
    let place = match &name {
        Some(name) => TopicRef::Name(name.as_str().to_owned()),
        None => TopicRef::Id(id),
    };
    let found = cluster.topics.name_of(&place).map(str::to_owned);
    let topic_id = found.as_deref().and_then(|name| cluster.topic_id(name)).unwrap_or(id);
    let deleted = delete(cluster, call, &place, found.as_deref());
    let (error_code, error_message) = Refusal::outcome(deleted);
    let name = name.or_else(|| found.map(Str::from));
    let topic_id = if call.version >= 6 { topic_id } else { Uuid::ZERO };
    DeletableTopicResult { name, topic_id, error_code, error_message }
}

fn delete(
    cluster: &mut Cluster,
    call: &Call,
    place: &TopicRef,
    name: Option<&str>,
) -> Result<(), Refusal> {
    if let Some(code) = call.forced() {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    cluster.controls(call)?;
    cluster.delete_topic(name.ok_or_else(|| Cluster::no_partition(place))?)
}
