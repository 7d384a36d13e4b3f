//! How a consumer ended, in the user's words.

use std::sync::Arc;

use forebay_core::consumer::{Cause, Ending, Outcome, Trouble};
use forebay_core::offsets::start::Failure;
use forebay_core::orders::ResetCause;
use forebay_protocol::error_code::ErrorCode;
use forebay_protocol::types::{Position, TopicPartition};

use super::control::{PartitionSummary, Summary};
use crate::error::Error;

/// The summary of a consumer that committed under `group`.
pub(super) fn summary(outcome: Outcome, group: &Arc<str>) -> Summary {
    let partitions: Vec<_> = outcome.partitions.into_iter().map(partition).collect();
    let cause = outcome.cause.and_then(|cause| match cause {
        Cause::NothingLeft => partitions.iter().find_map(|it| it.error.clone()),
        Cause::Commit { code } => Some(commit_error(group, code)),
        Cause::Group { code } => Some(group_error(group, code)),
        Cause::ShardLost => Some(Error::Closed),
    });
    Summary { partitions, unfinished: outcome.unfinished, cause }
}

fn partition((tp, ending): (TopicPartition, Ending)) -> PartitionSummary {
    let error = ending.trouble.map(|why| trouble(&tp, why));
    let Ending { frontier, committed, is_drained, is_committed, .. } = ending;
    PartitionSummary { tp, frontier, committed, is_drained, is_committed, error }
}

/// Why we cannot be a member of the group, and what to do.
fn group_error(group: &Arc<str>, code: i16) -> Error {
    let error = Error::broker("the membership", Arc::clone(group), code);
    let advice = match ErrorCode(code) {
        ErrorCode::GROUP_AUTHORIZATION_FAILED => "an ACL has to allow Read on the group",
        ErrorCode::FENCED_INSTANCE_ID | ErrorCode::UNRELEASED_INSTANCE_ID => {
            "another member has this group.instance.id; give each a name of its own"
        }
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL => {
            "its members name no assignor of ours, or are no consumers; set \
             partition.assignment.strategy, or take another group.id"
        }
        ErrorCode::GROUP_ID_NOT_FOUND => {
            "its members make the plan themselves; take group.protocol=auto or classic"
        }
        ErrorCode::UNSUPPORTED_VERSION => {
            "the brokers are too old for what is set: group.protocol=consumer needs 4.0, \
             group.instance.id 2.3"
        }
        ErrorCode::UNSUPPORTED_ASSIGNOR => "the coordinator has no such group.remote.assignor",
        ErrorCode::INVALID_SESSION_TIMEOUT => {
            "session.timeout.ms is outside of what the brokers allow"
        }
        ErrorCode::GROUP_MAX_SIZE_REACHED => "the group has as many members as brokers allow",
        _ => return error,
    };
    error.with_message(Some(advice.into()))
}

/// A commit that no member of the group may make, or that may not be made at all.
fn commit_error(group: &Arc<str>, code: i16) -> Error {
    let has_members = matches!(
        ErrorCode(code),
        ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::FENCED_MEMBER_EPOCH
            | ErrorCode::STALE_MEMBER_EPOCH
    );
    if has_members {
        return Error::GroupHasMembers { group: Arc::clone(group) };
    }
    Error::broker("OffsetCommit", Arc::clone(group), code)
}

/// Why a partition stopped.
pub(super) fn trouble(tp: &TopicPartition, why: Trouble) -> Error {
    let subject = || -> Arc<str> { tp.to_string().into() };
    match why {
        Trouble::Start(Failure::NoOffset) => Error::NoOffset { tp: tp.clone() },
        Trouble::Start(Failure::Gone { position, cause }) => gone(tp, position, cause),
        Trouble::Start(Failure::Refused { code }) => {
            Error::broker("finding the start offset", subject(), code)
        }
        Trouble::Shard(fault) => Error::PartitionStopped { tp: tp.clone(), fault },
        Trouble::Commit { code } => Error::broker("OffsetCommit", subject(), code),
        Trouble::Recreated => Error::TopicRecreated { topic: tp.topic.clone() },
        Trouble::UnknownTopic => Error::UnknownTopic { topic: tp.topic.clone() },
        Trouble::UnknownPartition { partitions } => {
            Error::UnknownPartition { tp: tp.clone(), partitions }
        }
        Trouble::Topic { code } => Error::broker("Metadata", tp.topic.as_str(), code),
    }
}

fn gone(tp: &TopicPartition, position: Position, cause: ResetCause) -> Error {
    let tp = tp.clone();
    match cause {
        ResetCause::OutOfRange { log_start, high_watermark: end } => {
            Error::OffsetOutOfRange { tp, position, log_start, end }
        }
        ResetCause::Truncated { end: safe, .. } => Error::LogTruncation { tp, position, safe },
    }
}
