//! Table. Which fields of which answers can be lied about, and what kind of thing each is?

use forebay_protocol::messages::{
    add_offsets_to_txn_response, add_partitions_to_txn_response, api_versions_response,
    consumer_group_heartbeat_response, end_txn_response, fetch_response, find_coordinator_response,
    heartbeat_response, init_producer_id_response, join_group_response, leave_group_response,
    list_offsets_response, metadata_response, offset_commit_response, offset_fetch_response,
    offset_for_leader_epoch_response, produce_response, sync_group_response,
    txn_offset_commit_response,
};

use super::{Liar, Lie};

/// One row of the table: a struct, and its fields by kind, which is a function of [`Liar`];
/// `rows` lie themselves.
macro_rules! fields {
    ($($module:ident::$name:ident { $($kind:ident: $($field:ident)+;)* })*) => {
        $(
            impl Lie for $module::$name {
                fn lie(&mut self, liar: &mut Liar) {
                    $($(fields!(@$kind liar, self.$field);)+)*
                }
            }
        )*
    };
    (@rows $liar:ident, $self:ident.$field:ident) => { $self.$field.lie($liar) };
    (@$kind:ident $liar:ident, $self:ident.$field:ident) => { $liar.$kind(&mut $self.$field) };
}

fields! {
    api_versions_response::ApiVersionsResponse {
        throttle: throttle_time_ms; code: error_code; rows: api_keys;
    }
    api_versions_response::ApiVersion { short: api_key min_version max_version; }

    metadata_response::MetadataResponse {
        throttle: throttle_time_ms; rows: brokers topics; maybe_name: cluster_id;
        int: controller_id;
    }
    metadata_response::MetadataResponseBroker { int: node_id port; name: host; }
    metadata_response::MetadataResponseTopic {
        code: error_code; maybe_name: name; id: topic_id; rows: partitions;
    }
    metadata_response::MetadataResponsePartition {
        code: error_code; int: partition_index leader_id leader_epoch;
        ints: replica_nodes isr_nodes;
    }

    find_coordinator_response::FindCoordinatorResponse {
        throttle: throttle_time_ms; code: error_code; int: node_id port; name: host;
        rows: coordinators;
    }
    find_coordinator_response::Coordinator { name: key host; int: node_id port; code: error_code; }

    fetch_response::FetchResponse {
        throttle: throttle_time_ms; code: error_code; int: session_id; rows: responses;
    }
    fetch_response::FetchableTopicResponse { name: topic; id: topic_id; rows: partitions; }
    fetch_response::PartitionData {
        int: partition_index; code: error_code;
        long: high_watermark last_stable_offset log_start_offset;
        rows: diverging_epoch current_leader aborted_transactions records;
    }
    fetch_response::EpochEndOffset { int: epoch; long: end_offset; }
    fetch_response::LeaderIdAndEpoch { int: leader_id leader_epoch; }
    fetch_response::AbortedTransaction { long: producer_id first_offset; }

    list_offsets_response::ListOffsetsResponse { throttle: throttle_time_ms; rows: topics; }
    list_offsets_response::ListOffsetsTopicResponse { name: name; rows: partitions; }
    list_offsets_response::ListOffsetsPartitionResponse {
        int: partition_index leader_epoch; code: error_code; long: timestamp offset;
    }
    offset_for_leader_epoch_response::OffsetForLeaderEpochResponse {
        throttle: throttle_time_ms; rows: topics;
    }
    offset_for_leader_epoch_response::OffsetForLeaderTopicResult { name: topic; rows: partitions; }
    offset_for_leader_epoch_response::EpochEndOffset {
        code: error_code; int: partition leader_epoch; long: end_offset;
    }

    offset_commit_response::OffsetCommitResponse { throttle: throttle_time_ms; rows: topics; }
    offset_commit_response::OffsetCommitResponseTopic { name: name; id: topic_id; rows: partitions; }
    offset_commit_response::OffsetCommitResponsePartition {
        int: partition_index; code: error_code;
    }
    offset_fetch_response::OffsetFetchResponse {
        throttle: throttle_time_ms; rows: topics groups; code: error_code;
    }
    offset_fetch_response::OffsetFetchResponseTopic { name: name; rows: partitions; }
    offset_fetch_response::OffsetFetchResponsePartition {
        int: partition_index committed_leader_epoch; long: committed_offset; code: error_code;
    }
    offset_fetch_response::OffsetFetchResponseGroup {
        name: group_id; rows: topics; code: error_code;
    }
    offset_fetch_response::OffsetFetchResponseTopics { name: name; id: topic_id; rows: partitions; }
    offset_fetch_response::OffsetFetchResponsePartitions {
        int: partition_index committed_leader_epoch; long: committed_offset; code: error_code;
    }

    produce_response::ProduceResponse { throttle: throttle_time_ms; rows: responses; }
    produce_response::TopicProduceResponse { name: name; id: topic_id; rows: partition_responses; }
    produce_response::PartitionProduceResponse {
        int: index; code: error_code; long: base_offset log_append_time_ms log_start_offset;
        rows: current_leader;
    }
    produce_response::LeaderIdAndEpoch { int: leader_id leader_epoch; }
    init_producer_id_response::InitProducerIdResponse {
        throttle: throttle_time_ms; code: error_code; long: producer_id; short: producer_epoch;
    }

    add_partitions_to_txn_response::AddPartitionsToTxnResponse {
        throttle: throttle_time_ms; rows: results_by_topic_v3_and_below;
    }
    add_partitions_to_txn_response::AddPartitionsToTxnTopicResult {
        name: name; rows: results_by_partition;
    }
    add_partitions_to_txn_response::AddPartitionsToTxnPartitionResult {
        int: partition_index; code: partition_error_code;
    }
    add_offsets_to_txn_response::AddOffsetsToTxnResponse {
        throttle: throttle_time_ms; code: error_code;
    }
    end_txn_response::EndTxnResponse { throttle: throttle_time_ms; code: error_code; }
    txn_offset_commit_response::TxnOffsetCommitResponse {
        throttle: throttle_time_ms; rows: topics;
    }
    txn_offset_commit_response::TxnOffsetCommitResponseTopic { name: name; rows: partitions; }
    txn_offset_commit_response::TxnOffsetCommitResponsePartition {
        int: partition_index; code: error_code;
    }

    join_group_response::JoinGroupResponse {
        throttle: throttle_time_ms; code: error_code; int: generation_id;
        maybe_name: protocol_type protocol_name; name: leader member_id; rows: members;
    }
    join_group_response::JoinGroupResponseMember { name: member_id; bytes: metadata; }
    sync_group_response::SyncGroupResponse {
        throttle: throttle_time_ms; code: error_code; maybe_name: protocol_type protocol_name;
        bytes: assignment;
    }
    heartbeat_response::HeartbeatResponse { throttle: throttle_time_ms; code: error_code; }
    leave_group_response::LeaveGroupResponse {
        throttle: throttle_time_ms; code: error_code; rows: members;
    }
    leave_group_response::MemberResponse { name: member_id; code: error_code; }
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse {
        throttle: throttle_time_ms; code: error_code; maybe_name: member_id;
        int: member_epoch heartbeat_interval_ms; rows: assignment;
    }
    consumer_group_heartbeat_response::Assignment { rows: topic_partitions; }
    consumer_group_heartbeat_response::TopicPartitions { id: topic_id; ints: partitions; }
}
