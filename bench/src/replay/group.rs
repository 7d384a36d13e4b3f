//! What does a group of one member cost? Its coordinator says yes to everything.

use super::connection::{Request, key};
use super::wire::{Reader, Writer};

/// The one member of any group.
const MEMBER: &str = "member";
const GENERATION: i32 = 1;

/// The answer to a request about a group's members, none of which is flexible here.
pub(super) fn write(api: i16, request: &mut Request<'_>, reply: &mut Writer) -> Option<()> {
    // No throttle, no error.
    reply.i32(0);
    reply.i16(0);
    match api {
        key::JOIN_GROUP => join(&mut request.body, reply),
        key::SYNC_GROUP => sync(&mut request.body, reply),
        _ => Some(()),
    }
}

/// The member leads, with the first assignor that it names.
fn join(asked: &mut Reader<'_>, reply: &mut Writer) -> Option<()> {
    asked.string()?;
    asked.i32()?;
    asked.i32()?;
    asked.string()?;
    asked.string()?;
    asked.array().filter(|protocols| 0 < *protocols)?;
    let (protocol, subscription) = (asked.string()?, asked.bytes()?);
    reply.i32(GENERATION);
    for text in [protocol, MEMBER, MEMBER] {
        reply.string(text);
    }
    reply.array(1);
    reply.string(MEMBER);
    reply.bytes(subscription);
    Some(())
}

/// What the member planned for itself.
fn sync(asked: &mut Reader<'_>, reply: &mut Writer) -> Option<()> {
    asked.string()?;
    asked.i32()?;
    asked.string()?;
    asked.array().filter(|parts| 0 < *parts)?;
    asked.string()?;
    reply.bytes(asked.bytes()?);
    Some(())
}
