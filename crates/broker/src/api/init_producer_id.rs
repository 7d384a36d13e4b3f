//! `InitProducerId` v0-v5: a producer's id and epoch.
//!
//! Without a transactional id each request gets a new id. With one, the id stays, the epoch rises,
//! and what was open is aborted. v3 says which id and epoch the client has.

use std::time::Duration;

use forebay_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::Call;

pub(super) fn init_producer_id(
    cluster: &mut Cluster,
    call: &Call,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let had = (request.producer_id, request.producer_epoch);
    let millis = u64::try_from(request.transaction_timeout_ms).unwrap_or_default();
    let timeout = Duration::from_millis(millis);
    match init(cluster, call, request.transactional_id.as_deref(), (had, timeout)) {
        Ok((producer_id, producer_epoch)) => InitProducerIdResponse {
            throttle_time_ms: call.throttle(),
            error_code: 0,
            producer_id,
            producer_epoch,
        },
        Err(code) => InitProducerIdResponse {
            throttle_time_ms: call.throttle(),
            error_code: code.0,
            producer_id: -1,
            producer_epoch: -1,
        },
    }
}

fn init(
    cluster: &mut Cluster,
    call: &Call,
    transactional_id: Option<&str>,
    (had, timeout): ((i64, i16), Duration),
) -> Result<(i64, i16), ErrorCode> {
    if let Some(code) = call.forced() {
        return Err(code);
    }
    let Some(id) = transactional_id else {
        return Ok((cluster.coordinator.new_producer(), 0));
    };
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if cluster.coordinator_of(id) != Some(call.node) {
        return Err(ErrorCode::NOT_COORDINATOR);
    }
    // Kafka's default of `transaction.max.timeout.ms`.
    if timeout.is_zero() || timeout > Duration::from_mins(15) {
        return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    cluster.begin_producer(id, had, timeout)
}
