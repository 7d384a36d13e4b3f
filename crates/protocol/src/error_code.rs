//! Table. What each error code of Kafka is called, whether trying again can help, and what to ask
//! anew before that.

use std::fmt;

/// An error code as it stands in responses. Codes that are not in the table are kept as they came.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ErrorCode(pub i16);

/// What a client holds that an error shows to be out of date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refresh {
    /// Nothing.
    Nothing,
    /// Which brokers there are and who leads which partition.
    Metadata,
    /// Which broker coordinates the group or the transaction.
    Coordinator,
    /// Which broker is the controller.
    Controller,
    /// The fetch session: start a new one with a full request.
    FetchSession,
    /// The share session: start a new one with a full request.
    ShareSession,
    /// The membership of the group: member id, generation or epoch.
    Membership,
    /// Everything: start again from the bootstrap addresses.
    Bootstrap,
}

/// Whether the same request can succeed later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hope {
    Retry,
    Final,
}

struct Row {
    code: i16,
    name: &'static str,
    hope: Hope,
    refresh: Refresh,
}

impl ErrorCode {
    /// Whether this is no error.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Nothing for code 0, the error for every other.
    ///
    /// # Errors
    /// When the code is not 0.
    pub const fn check(self) -> Result<(), Self> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }

    /// Kafka's name; `UNKNOWN` for a code that is not in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("UNKNOWN", |row| row.name)
    }

    /// Whether Kafka calls the error retriable: the same request can succeed later.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        self.row().is_some_and(|row| row.hope == Hope::Retry)
    }

    /// What to ask anew before trying again.
    #[must_use]
    pub fn refresh(self) -> Refresh {
        self.row().map_or(Refresh::Nothing, |row| row.refresh)
    }

    fn row(self) -> Option<&'static Row> {
        let at = TABLE.binary_search_by_key(&self.0, |row| row.code).ok()?;
        TABLE.get(at)
    }
}

impl std::error::Error for ErrorCode {}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

macro_rules! errors {
    ($($code:literal, $name:ident, $hope:ident, $refresh:ident;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Kafka's error ", $code, ".")]
                pub const $name: Self = Self($code);
            )*
        }

        /// In the order of the codes.
        static TABLE: &[Row] = &[$(Row {
            code: $code,
            name: stringify!($name),
            hope: Hope::$hope,
            refresh: Refresh::$refresh,
        }),*];
    };
}

errors! {
    -1, UNKNOWN_SERVER_ERROR, Final, Nothing;
    0, NONE, Final, Nothing;
    1, OFFSET_OUT_OF_RANGE, Final, Nothing;
    2, CORRUPT_MESSAGE, Retry, Nothing;
    3, UNKNOWN_TOPIC_OR_PARTITION, Retry, Metadata;
    4, INVALID_FETCH_SIZE, Final, Nothing;
    5, LEADER_NOT_AVAILABLE, Retry, Metadata;
    6, NOT_LEADER_OR_FOLLOWER, Retry, Metadata;
    7, REQUEST_TIMED_OUT, Retry, Nothing;
    8, BROKER_NOT_AVAILABLE, Final, Nothing;
    9, REPLICA_NOT_AVAILABLE, Retry, Metadata;
    10, MESSAGE_TOO_LARGE, Final, Nothing;
    11, STALE_CONTROLLER_EPOCH, Final, Controller;
    12, OFFSET_METADATA_TOO_LARGE, Final, Nothing;
    13, NETWORK_EXCEPTION, Retry, Metadata;
    14, COORDINATOR_LOAD_IN_PROGRESS, Retry, Nothing;
    15, COORDINATOR_NOT_AVAILABLE, Retry, Coordinator;
    16, NOT_COORDINATOR, Retry, Coordinator;
    17, INVALID_TOPIC_EXCEPTION, Final, Nothing;
    18, RECORD_LIST_TOO_LARGE, Final, Nothing;
    19, NOT_ENOUGH_REPLICAS, Retry, Nothing;
    20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, Retry, Nothing;
    21, INVALID_REQUIRED_ACKS, Final, Nothing;
    22, ILLEGAL_GENERATION, Final, Membership;
    23, INCONSISTENT_GROUP_PROTOCOL, Final, Nothing;
    24, INVALID_GROUP_ID, Final, Nothing;
    25, UNKNOWN_MEMBER_ID, Final, Membership;
    26, INVALID_SESSION_TIMEOUT, Final, Nothing;
    27, REBALANCE_IN_PROGRESS, Final, Membership;
    28, INVALID_COMMIT_OFFSET_SIZE, Final, Nothing;
    29, TOPIC_AUTHORIZATION_FAILED, Final, Nothing;
    30, GROUP_AUTHORIZATION_FAILED, Final, Nothing;
    31, CLUSTER_AUTHORIZATION_FAILED, Final, Nothing;
    32, INVALID_TIMESTAMP, Final, Nothing;
    33, UNSUPPORTED_SASL_MECHANISM, Final, Nothing;
    34, ILLEGAL_SASL_STATE, Final, Nothing;
    35, UNSUPPORTED_VERSION, Final, Nothing;
    36, TOPIC_ALREADY_EXISTS, Final, Nothing;
    37, INVALID_PARTITIONS, Final, Nothing;
    38, INVALID_REPLICATION_FACTOR, Final, Nothing;
    39, INVALID_REPLICA_ASSIGNMENT, Final, Nothing;
    40, INVALID_CONFIG, Final, Nothing;
    41, NOT_CONTROLLER, Retry, Controller;
    42, INVALID_REQUEST, Final, Nothing;
    43, UNSUPPORTED_FOR_MESSAGE_FORMAT, Final, Nothing;
    44, POLICY_VIOLATION, Final, Nothing;
    45, OUT_OF_ORDER_SEQUENCE_NUMBER, Final, Nothing;
    46, DUPLICATE_SEQUENCE_NUMBER, Final, Nothing;
    47, INVALID_PRODUCER_EPOCH, Final, Nothing;
    48, INVALID_TXN_STATE, Final, Nothing;
    49, INVALID_PRODUCER_ID_MAPPING, Final, Nothing;
    50, INVALID_TRANSACTION_TIMEOUT, Final, Nothing;
    51, CONCURRENT_TRANSACTIONS, Retry, Nothing;
    52, TRANSACTION_COORDINATOR_FENCED, Final, Nothing;
    53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Final, Nothing;
    54, SECURITY_DISABLED, Final, Nothing;
    55, OPERATION_NOT_ATTEMPTED, Final, Nothing;
    56, KAFKA_STORAGE_ERROR, Retry, Metadata;
    57, LOG_DIR_NOT_FOUND, Final, Nothing;
    58, SASL_AUTHENTICATION_FAILED, Final, Nothing;
    59, UNKNOWN_PRODUCER_ID, Final, Nothing;
    60, REASSIGNMENT_IN_PROGRESS, Final, Nothing;
    61, DELEGATION_TOKEN_AUTH_DISABLED, Final, Nothing;
    62, DELEGATION_TOKEN_NOT_FOUND, Final, Nothing;
    63, DELEGATION_TOKEN_OWNER_MISMATCH, Final, Nothing;
    64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, Final, Nothing;
    65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, Final, Nothing;
    66, DELEGATION_TOKEN_EXPIRED, Final, Nothing;
    67, INVALID_PRINCIPAL_TYPE, Final, Nothing;
    68, NON_EMPTY_GROUP, Final, Nothing;
    69, GROUP_ID_NOT_FOUND, Final, Nothing;
    70, FETCH_SESSION_ID_NOT_FOUND, Retry, FetchSession;
    71, INVALID_FETCH_SESSION_EPOCH, Retry, FetchSession;
    72, LISTENER_NOT_FOUND, Retry, Metadata;
    73, TOPIC_DELETION_DISABLED, Final, Nothing;
    74, FENCED_LEADER_EPOCH, Retry, Metadata;
    75, UNKNOWN_LEADER_EPOCH, Retry, Metadata;
    76, UNSUPPORTED_COMPRESSION_TYPE, Final, Nothing;
    77, STALE_BROKER_EPOCH, Final, Nothing;
    78, OFFSET_NOT_AVAILABLE, Retry, Nothing;
    79, MEMBER_ID_REQUIRED, Final, Membership;
    80, PREFERRED_LEADER_NOT_AVAILABLE, Retry, Metadata;
    81, GROUP_MAX_SIZE_REACHED, Final, Nothing;
    82, FENCED_INSTANCE_ID, Final, Nothing;
    83, ELIGIBLE_LEADERS_NOT_AVAILABLE, Retry, Metadata;
    84, ELECTION_NOT_NEEDED, Retry, Metadata;
    85, NO_REASSIGNMENT_IN_PROGRESS, Final, Nothing;
    86, GROUP_SUBSCRIBED_TO_TOPIC, Final, Nothing;
    87, INVALID_RECORD, Final, Nothing;
    88, UNSTABLE_OFFSET_COMMIT, Retry, Nothing;
    89, THROTTLING_QUOTA_EXCEEDED, Retry, Nothing;
    90, PRODUCER_FENCED, Final, Nothing;
    91, RESOURCE_NOT_FOUND, Final, Nothing;
    92, DUPLICATE_RESOURCE, Final, Nothing;
    93, UNACCEPTABLE_CREDENTIAL, Final, Nothing;
    94, INCONSISTENT_VOTER_SET, Final, Nothing;
    95, INVALID_UPDATE_VERSION, Final, Nothing;
    96, FEATURE_UPDATE_FAILED, Final, Nothing;
    97, PRINCIPAL_DESERIALIZATION_FAILURE, Final, Nothing;
    98, SNAPSHOT_NOT_FOUND, Final, Nothing;
    99, POSITION_OUT_OF_RANGE, Final, Nothing;
    100, UNKNOWN_TOPIC_ID, Retry, Metadata;
    101, DUPLICATE_BROKER_REGISTRATION, Final, Nothing;
    102, BROKER_ID_NOT_REGISTERED, Final, Nothing;
    103, INCONSISTENT_TOPIC_ID, Retry, Metadata;
    104, INCONSISTENT_CLUSTER_ID, Final, Nothing;
    105, TRANSACTIONAL_ID_NOT_FOUND, Final, Nothing;
    106, FETCH_SESSION_TOPIC_ID_ERROR, Retry, FetchSession;
    107, INELIGIBLE_REPLICA, Final, Nothing;
    108, NEW_LEADER_ELECTED, Final, Nothing;
    109, OFFSET_MOVED_TO_TIERED_STORAGE, Final, Nothing;
    110, FENCED_MEMBER_EPOCH, Final, Membership;
    111, UNRELEASED_INSTANCE_ID, Final, Nothing;
    112, UNSUPPORTED_ASSIGNOR, Final, Nothing;
    113, STALE_MEMBER_EPOCH, Final, Membership;
    114, MISMATCHED_ENDPOINT_TYPE, Final, Nothing;
    115, UNSUPPORTED_ENDPOINT_TYPE, Final, Nothing;
    116, UNKNOWN_CONTROLLER_ID, Final, Nothing;
    117, UNKNOWN_SUBSCRIPTION_ID, Final, Nothing;
    118, TELEMETRY_TOO_LARGE, Final, Nothing;
    119, INVALID_REGISTRATION, Final, Nothing;
    120, TRANSACTION_ABORTABLE, Final, Nothing;
    121, INVALID_RECORD_STATE, Final, Nothing;
    122, SHARE_SESSION_NOT_FOUND, Retry, ShareSession;
    123, INVALID_SHARE_SESSION_EPOCH, Retry, ShareSession;
    124, FENCED_STATE_EPOCH, Final, Nothing;
    125, INVALID_VOTER_KEY, Final, Nothing;
    126, DUPLICATE_VOTER, Final, Nothing;
    127, VOTER_NOT_FOUND, Final, Nothing;
    128, INVALID_REGULAR_EXPRESSION, Final, Nothing;
    129, REBOOTSTRAP_REQUIRED, Final, Bootstrap;
    130, STREAMS_INVALID_TOPOLOGY, Final, Nothing;
    131, STREAMS_INVALID_TOPOLOGY_EPOCH, Final, Nothing;
    132, STREAMS_TOPOLOGY_FENCED, Final, Nothing;
    133, SHARE_SESSION_LIMIT_REACHED, Retry, Nothing;
    134, GROUP_DELETION_FAILED, Final, Nothing;
    135, STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED, Final, Nothing;
    136, CONTROLLER_ID_NOT_REGISTERED, Final, Nothing;
}

#[cfg(test)]
mod tests {
    //! What the table promises as a whole.

    use super::*;

    /// What Kafka's classes say (`cargo xtask codec --goldens`): CODE NAME final|retry|metadata.
    const GOLDENS: &str = include_str!("../tests/goldens/errors-4.4.0.txt");

    #[test]
    fn codes_names_and_what_may_be_tried_again_are_kafkas() {
        assert_eq!(GOLDENS.lines().count(), TABLE.len());
        for (line, row) in GOLDENS.lines().zip(TABLE) {
            let hope = match (row.hope, row.refresh) {
                (Hope::Final, _) => "final",
                // Metadata tells whether the broker is behind or no longer the leader.
                _ if row.code == ErrorCode::UNKNOWN_LEADER_EPOCH.0 => "retry",
                (Hope::Retry, Refresh::Metadata) => "metadata",
                (Hope::Retry, _) => "retry",
            };
            assert_eq!(format!("{} {} {hope}", row.code, row.name), line);
        }
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(ErrorCode(999).to_string(), "UNKNOWN (999)");
        assert!(!ErrorCode(999).is_retriable());
        assert_eq!(ErrorCode::NOT_COORDINATOR.to_string(), "NOT_COORDINATOR (16)");
    }
}
