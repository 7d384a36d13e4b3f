//! Questions about groups that change from the classic protocol to KIP-848 and back.

use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::members::{Voice, assignor, join, list, nobody};
use crate::modern::{beat, described, first, sort};
use crate::side::{Side, text};

const GROUP: &str = "x";

fn joining(id: &str) -> JoinGroupRequest {
    join(GROUP, id).with_rebalance_timeout_ms(30_000)
}

/// Joins again; what it had it has given up.
fn again(side: &mut Side, what: &str, voice: &Voice) -> Voice {
    let joined = side.note(what, 9, &joining(&voice.id));
    voice.in_generation(joined.map_or(-1, |answer| answer.generation_id))
}

pub(crate) fn mixed(side: &mut Side) {
    if side.newest(68) < 0 {
        return;
    }
    let Some(voice) = classic(side) else { return };
    side.note("first member of the newer kind", 1, &first(GROUP, "b"));
    side.note_in_order("members of both kinds", 1, &described(GROUP), sort);
    side.note("heartbeat to join again", 4, &voice.beat());
    side.note("sync before it joined again", 5, &voice.sync());
    side.note("commit before it joined again", 8, &voice.commit());
    let voice = again(side, "join beside the newer kind", &voice);
    side.note("sync beside the newer kind", 5, &voice.sync());
    side.note("sync by another assignor", 5, &voice.sync().with_protocol_name(Some(text("other"))));
    side.note("sync of another kind", 5, &voice.sync().with_protocol_type(Some(text("connect"))));
    side.note("heartbeat beside the newer kind", 4, &voice.beat());
    side.note("heartbeat of the generation before", 4, &voice.in_generation(1).beat());
    side.note("commit beside the newer kind", 8, &voice.commit());
    side.note("commit of the generation before", 8, &voice.in_generation(1).commit());
    side.note("newer kind beats", 1, &beat(GROUP, "b", voice.generation));
    strangers(side, &voice);
    back(side, &voice);
}

/// A member by the classic protocol, which has a part.
fn classic(side: &mut Side) -> Option<Voice> {
    let told = side.quietly(9, &joining(""))?;
    let joined: Option<JoinGroupResponse> = side.quietly(9, &joining(&told.member_id));
    let voice = Voice::of(GROUP, &joined?);
    side.quietly(5, &voice.plan());
    Some(voice)
}

/// Who cannot be in such a group, or is not.
fn strangers(side: &mut Side, voice: &Voice) {
    let other = joining("").with_protocols(vec![assignor("other")]);
    side.note("join without a common assignor", 9, &other);
    side.note("join of another kind", 9, &joining("").with_protocol_type(text("connect")));
    side.error_of("join without an id", 9, &joining(""), |answer| answer.error_code);
    side.note("join with a session of a moment", 9, &joining("").with_session_timeout_ms(1));
    let instance = joining("nobody").with_group_instance_id(Some(text("i")));
    side.note("join as nobody with an instance", 9, &instance);
    side.note("heartbeat as nobody", 4, &nobody(GROUP).beat());
    side.note("sync as nobody", 5, &nobody(GROUP).sync());
    side.note("commit as nobody", 8, &nobody(GROUP).commit());
    side.note("leave as nobody", 5, &nobody(GROUP).leave());
    side.note("heartbeat of the newer kind by the older word", 4, &voice.named("b").beat());
    side.note("sync of the newer kind by the older word", 5, &voice.named("b").sync());
}

/// The last member by KIP-848 leaves.
fn back(side: &mut Side, voice: &Voice) {
    side.note("last of the newer kind leaves", 1, &beat(GROUP, "b", -1));
    side.note("members of a group that is classic again", 1, &described(GROUP));
    side.note_in_order(
        "list of classic groups that wait for members",
        5,
        &list("PreparingRebalance", "classic"),
        |_| {},
    );
    side.note("heartbeat when the group is classic again", 4, &voice.beat());
    side.note("commit when the group is classic again", 8, &voice.commit());
    let voice = again(side, "join when the group is classic again", voice);
    side.note("sync when the group is classic again", 5, &voice.plan());
    side.note("heartbeat in a classic group again", 4, &voice.beat());
    side.note("leave a classic group again", 5, &voice.leave());
    side.note("newer kind alone", 1, &first(GROUP, "c"));
    side.note("newer kind leaves by the older word", 5, &voice.named("c").leave());
    side.note("newer kind that has left by the older word", 1, &beat(GROUP, "c", 4));
}
