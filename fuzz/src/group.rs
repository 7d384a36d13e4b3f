//! Subscriptions and assignments that can be read can be written, and are then read as the same.

use bytes::Bytes;
use forebay_protocol::group::{Assignment, Subscription, VERSION};

/// The bytes of either.
///
/// # Panics
/// When what was read does not come back.
pub fn check(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(mut first) = Subscription::decode(bytes.clone()) {
        first.topics.sort();
        first.owned.sort();
        let written = first.encode(VERSION).expect("what was read can be written");
        assert_eq!(Subscription::decode(written), Ok(first));
    }
    if let Ok(first) = Assignment::decode(bytes) {
        // Partitions of one topic move together.
        let written = first.encode(VERSION).expect("what was read can be written");
        let again = Assignment::decode(written.clone()).expect("what was written can be read");
        assert_eq!(again.encode(VERSION), Ok(written));
        assert_eq!(again.partitions.len(), first.partitions.len());
    }
}
