//! Groups and rights: what may not be read is told once and tried again, and the rest goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay::{GroupProtocol, OwnershipEvent, Right};
use forebay_broker::{ApiKey, BatchBuilder, Effect, ErrorCode, Fault, Release, TopicPartition};

use crate::group::{BOTH, Member, start};
use crate::world::{GROUP, Seen, World, close, until};

/// A topic beside `t`, and a member of a group that wants both and notes what it hears of rights.
struct Town {
    world: World,
    heard: Arc<Mutex<Vec<OwnershipEvent>>>,
    seen: Seen,
}

impl Town {
    fn new() -> Self {
        Self::posing(Release::V4_4)
    }

    fn posing(release: Release) -> Self {
        let world = World::posing(release, 1, 1);
        world.broker.with(|cluster| cluster.create_topic("u", 1).unwrap());
        Self { world, heard: Arc::default(), seen: Seen::default() }
    }

    fn fill(&self, topic: &str, records: i32) {
        let tp = TopicPartition::new(topic, 0);
        for _ in 0..records {
            let batch = BatchBuilder::at_time(0).record(None, Some(b"x")).build();
            self.world.broker.with(|cluster| cluster.append(&tp, &batch).unwrap());
        }
    }

    fn deny(&self, api: ApiKey, topic: Option<&str>) {
        let denied = Fault::new(Effect::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        let denied = denied.api(api).times(u32::MAX);
        let denied = match topic {
            Some(topic) => denied.partition(TopicPartition::new(topic, 0)),
            None => denied,
        };
        self.world.broker.with(|cluster| cluster.script(denied));
    }

    fn allow(&self) {
        self.world.broker.with(|cluster| cluster.clear_script());
    }

    fn member(&self, protocol: GroupProtocol) -> Member {
        let heard = Arc::clone(&self.heard);
        let listen = move |event: &OwnershipEvent| {
            if matches!(event, OwnershipEvent::Denied { .. } | OwnershipEvent::Granted { .. }) {
                heard.lock().unwrap().push(event.clone());
            }
        };
        let member = self.world.member().topics(["t", "u"]).group_protocol(protocol);
        start(member.on_ownership(listen), Duration::ZERO, &self.seen)
    }

    fn heard(&self) -> Vec<OwnershipEvent> {
        self.heard.lock().unwrap().clone()
    }

    fn committed(&self, topic: &str) -> Option<i64> {
        let tp = TopicPartition::new(topic, 0);
        let committed = self.world.broker.with(|cluster| cluster.committed(GROUP, &tp));
        committed.map(|committed| committed.offset)
    }

    fn asked(&self, api: ApiKey) -> usize {
        self.world.broker.with(|cluster| cluster.requests().filter(|seen| seen.api == api).count())
    }
}

fn denied(topic: &str, right: Right) -> OwnershipEvent {
    OwnershipEvent::Denied { topic: topic.into(), right }
}

fn granted(topic: &str, right: Right) -> OwnershipEvent {
    OwnershipEvent::Granted { topic: topic.into(), right }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_may_not_be_read_is_told_once_tried_again_and_holds_up_no_other() {
    for (api, right) in [(ApiKey::Fetch, Right::Read), (ApiKey::ListOffsets, Right::Describe)] {
        for protocol in BOTH {
            let town = Town::new();
            town.deny(api, Some("u"));
            let member = town.member(protocol);
            town.fill("u", 5);
            for round in 1..=20 {
                town.fill("t", 5);
                until(|| town.committed("t") == Some(5 * round)).await;
                tokio::time::sleep(Duration::from_secs(9)).await;
            }
            assert_eq!(town.heard(), [denied("u", right)], "{api}");
            assert_eq!(town.committed("u"), None);
            if api == ApiKey::ListOffsets {
                // Once for each topic at the start, then 5, 10, 20, 40, 60 seconds apart.
                assert!((5..=8).contains(&town.asked(api)), "{}", town.asked(api));
            }
            town.allow();
            until(|| town.committed("u") == Some(5)).await;
            until(|| town.heard() == [denied("u", right), granted("u", right)]).await;
            assert_eq!(
                (town.seen.count(), town.seen.repeated()),
                (105, 5),
                "{api}: u repeats numbers of t"
            );
            close(&member.handle).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_taken_away_and_given_back_is_told_at_each_change() {
    let town = Town::new();
    let member = town.member(GroupProtocol::Classic);
    let mut expected = Vec::new();
    for round in 1..=3 {
        town.fill("u", 2);
        until(|| town.committed("u") == Some(round * 3 - 1)).await;
        town.deny(ApiKey::Fetch, Some("u"));
        town.fill("u", 1);
        tokio::time::sleep(Duration::from_secs(100)).await;
        expected.push(denied("u", Right::Read));
        assert_eq!(town.heard(), expected);
        town.allow();
        until(|| town.committed("u") == Some(round * 3)).await;
        expected.push(granted("u", Right::Read));
        until(|| town.heard() == expected).await;
    }
    close(&member.handle).await;
}

#[tokio::test(start_paused = true)]
async fn commits_that_may_not_be_made_are_told_per_topic_and_made_when_they_may() {
    for protocol in BOTH {
        let town = Town::new();
        let member = town.member(protocol);
        town.deny(ApiKey::OffsetCommit, None);
        town.fill("t", 5);
        town.fill("u", 5);
        tokio::time::sleep(Duration::from_secs(100)).await;
        let mut heard = town.heard();
        heard.sort_by_key(|event| format!("{event:?}"));
        assert_eq!(heard, [denied("t", Right::Read), denied("u", Right::Read)]);
        assert!(town.asked(ApiKey::OffsetCommit) < 20, "{}", town.asked(ApiKey::OffsetCommit));
        town.allow();
        until(|| town.committed("t") == Some(5) && town.committed("u") == Some(5)).await;
        until(|| town.heard().len() == 4).await;
        assert_eq!(town.seen.count(), 10);
        close(&member.handle).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_may_not_be_looked_up_waits_for_the_right() {
    let town = Town::new();
    town.deny(ApiKey::OffsetFetch, None);
    town.fill("t", 5);
    let member = town.member(GroupProtocol::Classic);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!((town.seen.count(), town.heard().len()), (0, 2));
    town.allow();
    until(|| town.committed("t") == Some(5) && town.heard().len() == 4).await;
    close(&member.handle).await;
}

#[tokio::test(start_paused = true)]
async fn topics_that_may_not_be_known_are_joined_for_all_the_same_and_read_when_they_may() {
    // Later releases have a code for the whole answer, where the script's error would stand.
    let town = Town::posing(Release::V3_9);
    town.deny(ApiKey::Metadata, None);
    town.fill("t", 5);
    town.fill("u", 5);
    let member = town.member(GroupProtocol::Auto);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let both = |event: fn(&str, Right) -> OwnershipEvent| {
        [event("t", Right::Describe), event("u", Right::Describe)]
    };
    assert_eq!(town.heard(), both(denied));
    town.allow();
    until(|| town.committed("t") == Some(5) && town.committed("u") == Some(5)).await;
    assert_eq!(town.heard(), [both(denied), both(granted)].concat());
    close(&member.handle).await;
}
