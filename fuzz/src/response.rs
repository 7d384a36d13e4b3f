//! A response that can be read can be written, and is then read as the same.

use bytes::Bytes;
use forebay_protocol::api::{ApiKey, Request};
use forebay_protocol::for_each_api;
use forebay_protocol::messages::*;
use forebay_protocol::response;

/// A byte for the row of the API's table, a byte for the version, and a frame of the response
/// without its length.
///
/// # Panics
/// When a response that was read does not come back.
pub fn check(data: &[u8]) {
    let [row, version, frame @ ..] = data else { return };
    let frame = Bytes::copy_from_slice(frame);
    let rows = ApiKey::table();
    if let (Some(row), Ok(id)) = (rows.get(usize::from(*row)), response::correlation_id(&frame)) {
        // A refusal of the version is one of version 0, whatever was sent.
        let refused = row.key == ApiKey::ApiVersions && frame.get(4..6) == Some(&[0, 35]);
        let version = if refused { 0 } else { i16::from(*version) };
        body(row.key, Sent { version, id }, frame);
    }
}

/// The request that is answered.
#[derive(Clone, Copy)]
struct Sent {
    version: i16,
    id: i32,
}

macro_rules! bodies {
    ($(($request:ident $response:ident))*) => {
        fn body(key: ApiKey, sent: Sent, frame: Bytes) {
            $(if key == $request::API {
                return comes_back::<$request>(sent, frame);
            })*
        }
    };
}

for_each_api!(bodies);

fn comes_back<R: Request>(sent: Sent, frame: Bytes) {
    let Sent { version, id } = sent;
    let Ok(first) = response::decode::<R>(frame, version, id) else { return };
    let frame = response::encode::<R>(&first, version, id).expect("what was read can be written");
    let again = response::decode::<R>(frame.slice(4..), version, id);
    // Text, since a float that is no number does not equal itself.
    assert_eq!(again.map(|it| format!("{it:?}")), Ok(format!("{first:?}")));
}
