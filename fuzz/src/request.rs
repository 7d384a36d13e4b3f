//! A request that can be read can be written, and is then read as the same.

use bytes::Bytes;
use forebay_protocol::api::Request;
use forebay_protocol::for_each_api;
use forebay_protocol::messages::*;
use forebay_protocol::request::{self, RequestHeader};
use forebay_protocol::wire::Reader;

/// A frame of a request, without its length.
///
/// # Panics
/// When a request that was read does not come back.
pub fn check(data: &[u8]) {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    if let Ok(header) = RequestHeader::decode(&mut reader) {
        body(&header, &mut reader);
    }
}

macro_rules! bodies {
    ($(($request:ident $response:ident))*) => {
        fn body(header: &RequestHeader, reader: &mut Reader) {
            $(if header.api_key == $request::API.code() {
                comes_back::<$request>(header, reader);
            })*
        }
    };
}

for_each_api!(bodies);

fn comes_back<R: Request>(header: &RequestHeader, reader: &mut Reader) {
    let Ok(request) = R::decode(reader, header.version) else { return };
    let (version, id) = (header.version, header.correlation_id);
    let frame = request::encode(&request, version, id, header.client_id.as_ref());
    let frame = frame.expect("what was read can be written");
    let mut reader = Reader::new(frame.slice(4..));
    assert_eq!(RequestHeader::decode(&mut reader).as_ref(), Ok(header));
    let again = R::decode(&mut reader, version).expect("what was written can be read");
    // Text, since a float that is no number does not equal itself.
    assert_eq!(format!("{again:?}"), format!("{request:?}"));
    assert_eq!(reader.remaining(), 0);
}
