//! `AlterConfigs` v0-v2: all settings of a topic at once; what is not named goes back to its default.

use std::collections::BTreeMap;

use forebay_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use forebay_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use forebay_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::configs;
use crate::batch::Refusal;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;
use crate::topic::TopicRef;

pub(super) fn alter_configs(
    cluster: &mut Cluster,
    call: &Call,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let responses = request.resources.iter().map(|asked| {
        let altered = all(cluster, call, asked).map(|configs| {
            if let Some(topic) = cluster.topics.get_mut(&asked.resource_name)
                && !request.validate_only
            {
                topic.configs = configs;
            }
        });
        let (error_code, error_message) = Refusal::outcome(altered);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
        }
    });
    let responses = responses.collect();
    AlterConfigsResponse { throttle_time_ms: call.throttle(), responses }
}

/// The settings as they are to be.
fn all(
    cluster: &Cluster,
    call: &Call,
    asked: &AlterConfigsResource,
) -> Result<BTreeMap<String, String>, Refusal> {
    if let Some(code) = call.forced() {
        return Err(Refusal::new(code, "a fault script says so"));
    }
    if asked.resource_type != configs::TOPIC {
        return Err(configs::no_such_resource(asked.resource_type));
    }
    if cluster.topics.get(&asked.resource_name).is_none() {
        return Err(Cluster::no_partition(&TopicRef::Name(
            asked.resource_name.as_str().to_owned(),
        )));
    }
    let values = asked.configs.iter().map(|AlterableConfig { name, value }| {
        let value = value.as_ref().ok_or_else(|| {
            let why = format!("{name:?} has no value: leave it out to have its default");
            Refusal::new(ErrorCode::INVALID_REQUEST, why)
        })?;
        configs::check(name, Some(value))?;
        Ok((name.as_str().to_owned(), value.as_str().to_owned()))
    });
    values.collect()
}
