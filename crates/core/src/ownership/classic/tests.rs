//! A member as a talk with its coordinator.

use std::time::Duration;

use bytes::Bytes;
use forebay_protocol::group::{Assignment, Subscription, VERSION};
use forebay_protocol::types::{BrokerId, LeaderEpoch, Uuid};

use super::*;
use crate::backoff;
use crate::cluster::metadata::{Partition, Topic, Update};
use crate::orders::Address;
use crate::ownership::assignor::{
    AssignError, Assignor, CooperativeSticky, Member, Plan, Range, Sticky, Topics,
};
use crate::ownership::member::{JoinedMember, Protocol, Trouble, Wish};

const OK: i16 = 0;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn config(assignor: impl Assignor + 'static) -> Config {
    Config {
        protocol: Protocol::Classic,
        remote_assignor: None,
        wish: Wish::Topics(["t".into()].into()),
        session_timeout: Duration::from_secs(45),
        heartbeat_interval: Duration::from_secs(3),
        rebalance_timeout: Duration::from_secs(300),
        instance: None,
        rack: None,
        assignors: vec![Arc::new(assignor)],
        retry: backoff::Config { first: Duration::from_millis(100), max: Duration::from_secs(1) },
    }
}

fn picture(partitions: i32) -> Arc<Metadata> {
    let known = Partition { leader: Some(BrokerId(1)), epoch: LeaderEpoch(0) };
    let partitions = (0..partitions).map(|number| (number, known)).collect();
    let topic = Topic { id: Uuid([1; 16]), error: 0, partitions, ..Topic::default() };
    let update = Update {
        brokers: [(BrokerId(1), Address { host: "b".into(), port: 1 })].into(),
        topics: [("t".into(), topic)].into(),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

/// A member and what it asked last.
struct Talk {
    member: Classic,
    now: Instant,
    asked: Option<(Stamp, Request)>,
    said: Vec<Output>,
}

impl Talk {
    fn start(assignor: impl Assignor + 'static) -> Self {
        let mut member = Classic::new(config(assignor), Rng::from_seed(3));
        member.handle_metadata(at(0), picture(4));
        let mut talk = Self { member, now: at(0), asked: None, said: Vec::new() };
        talk.hear();
        talk
    }

    fn hear(&mut self) {
        while let Some(output) = self.member.poll_output() {
            if let Output::Ask(stamp, request) = output {
                self.asked = Some((stamp, request));
            } else {
                self.said.push(output);
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        let (stamp, _) = self.asked.take().expect("something was asked");
        self.member.handle_answer(self.now, self.now, stamp, answer);
        self.hear();
    }

    fn joined(&mut self, generation: i32, leader: &str, members: Vec<JoinedMember>) {
        let protocol = self.member.config.assignors[0].name().into();
        let (leader, member) = (leader.into(), "me".into());
        let joined =
            Joined { code: OK, generation, protocol, leader, member, members, keeps_plan: false };
        self.answer(Answer::Joined(joined));
    }

    fn synced(&mut self, partitions: impl IntoIterator<Item = i32>) {
        let partitions = partitions.into_iter().map(tp).collect();
        let assignment = Assignment { partitions, user_data: None };
        let assignment = assignment.encode(VERSION).unwrap();
        self.answer(Answer::Synced(Synced { code: OK, assignment }));
    }

    /// A follower in this generation, with these partitions.
    fn stable(assignor: impl Assignor + 'static, partitions: &[i32]) -> Self {
        let mut talk = Self::start(assignor);
        talk.joined(1, "other", Vec::new());
        talk.synced(partitions.iter().copied());
        talk.said.clear();
        talk
    }

    fn sleep(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
        self.member.handle_timeout(self.now);
        self.hear();
    }

    fn beat(&mut self, code: i16) {
        self.sleep(3_000);
        assert!(matches!(self.asked, Some((_, Request::Heartbeat(_)))), "{:?}", self.asked);
        self.answer(Answer::Beat(code));
    }

    fn joins(&self) -> bool {
        matches!(self.asked, Some((_, Request::Join(_))))
    }

    fn subscription(&self) -> Subscription {
        let Some((_, Request::Join(join))) = &self.asked else { panic!("{:?}", self.asked) };
        Subscription::decode(join.protocols[0].1.clone()).unwrap()
    }
}

fn other(subscription: impl Into<Bytes>) -> JoinedMember {
    JoinedMember { id: "other".into(), instance: None, subscription: subscription.into() }
}

fn me() -> JoinedMember {
    let subscription = Subscription { topics: vec!["t".into()], ..Subscription::default() };
    let subscription = subscription.encode(VERSION).unwrap();
    JoinedMember { id: "me".into(), instance: None, subscription }
}

#[test]
fn what_it_had_is_told_with_the_generation_of_that_plan_even_if_a_later_one_was_joined() {
    let mut talk = Talk::stable(Sticky, &[0, 1]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    talk.said.clear();
    talk.member.handle_released(talk.now);
    talk.hear();
    // The second generation is over before its plan is told: others may have what was ours.
    talk.joined(2, "other", Vec::new());
    let again = Synced { code: code::REBALANCE_IN_PROGRESS, assignment: Bytes::new() };
    talk.answer(Answer::Synced(again));
    let said = talk.subscription().user_data.unwrap();
    // Kafka's form: one topic, `t`, two partitions, 0 and 1, of generation 1.
    let expected = b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\x01";
    assert_eq!(said, expected.as_slice());
}

#[test]
fn an_id_that_is_demanded_is_used_at_once() {
    let mut talk = Talk::start(Range);
    let code = code::MEMBER_ID_REQUIRED;
    talk.answer(Answer::Joined(Joined { code, member: "mine".into(), ..Joined::default() }));
    let Some((_, Request::Join(join))) = &talk.asked else { panic!("{:?}", talk.asked) };
    assert_eq!(&*join.member, "mine");
}

#[test]
fn an_eager_member_gives_up_everything_before_it_joins_again() {
    let mut talk = Talk::stable(Range, &[0, 1]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    assert!(talk.said.contains(&Output::Revoked(vec![tp(0), tp(1)])), "{:?}", talk.said);
    assert!(!talk.joins());
    // Commits may still leave, and heartbeats do.
    assert_eq!(talk.member.identity().map(|it| it.generation), Some(1));
    talk.beat(code::REBALANCE_IN_PROGRESS);
    talk.member.handle_released(talk.now);
    talk.hear();
    assert_eq!(talk.subscription().owned, []);
}

#[test]
fn a_cooperative_member_joins_with_what_it_has_and_gives_up_what_goes() {
    let mut talk = Talk::stable(CooperativeSticky, &[0, 1]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    assert_eq!(talk.subscription().owned, [tp(0), tp(1)]);
    talk.joined(2, "other", Vec::new());
    talk.synced([1, 2]);
    assert!(talk.said.contains(&Output::Gained(vec![tp(2)])), "{:?}", talk.said);
    assert!(talk.said.contains(&Output::Revoked(vec![tp(0)])), "{:?}", talk.said);
    assert_eq!(talk.member.identity().map(|it| it.generation), Some(2));
    talk.member.handle_released(talk.now);
    talk.hear();
    assert_eq!(talk.subscription().owned, [tp(1), tp(2)]);
}

#[test]
fn after_a_plan_a_cooperative_member_beats_soon_to_hear_that_others_join_once_more() {
    let mut talk = Talk::stable(CooperativeSticky, &[0]);
    talk.sleep(50);
    talk.answer(Answer::Beat(OK));
    talk.sleep(49);
    assert!(talk.asked.is_none(), "{:?}", talk.asked);
    talk.sleep(1);
    talk.answer(Answer::Beat(code::REBALANCE_IN_PROGRESS));
    assert!(talk.joins());
}

#[test]
fn after_a_plan_an_eager_member_beats_as_it_always_does() {
    let mut talk = Talk::stable(Range, &[0]);
    talk.sleep(2_999);
    assert!(talk.asked.is_none(), "{:?}", talk.asked);
    talk.sleep(1);
    assert!(matches!(talk.asked, Some((_, Request::Heartbeat(_)))), "{:?}", talk.asked);
}

#[test]
fn who_joins_with_partitions_goes_on_beating() {
    let mut talk = Talk::stable(CooperativeSticky, &[0]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    assert!(talk.joins());
    talk.sleep(3_000);
    assert!(matches!(talk.asked, Some((_, Request::Heartbeat(_)))), "{:?}", talk.asked);
    // The generation went on: the answer to the join says the rest.
    talk.answer(Answer::Beat(code::ILLEGAL_GENERATION));
    assert!(!talk.said.iter().any(|it| matches!(it, Output::Lost { .. })), "{:?}", talk.said);
}

#[test]
fn a_join_whose_answer_is_lost_is_asked_again_when_a_commit_is_refused() {
    let mut talk = Talk::stable(CooperativeSticky, &[0]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    let (lost, _) = talk.asked.take().unwrap();
    let by = talk.member.identity().unwrap();
    talk.member.handle_disowned(talk.now, &by, code::ILLEGAL_GENERATION);
    talk.hear();
    assert!(!talk.joins(), "the answer may be about to come");
    talk.sleep(500);
    assert_eq!(talk.subscription().owned, [tp(0)]);
    // What comes late after all is of a question that counts no more.
    let late = Joined { generation: 2, member: "me".into(), ..Joined::default() };
    talk.member.handle_answer(talk.now, talk.now, lost, Answer::Joined(late));
    talk.joined(2, "other", Vec::new());
    talk.synced([0]);
    assert_eq!(talk.member.identity().map(|it| it.generation), Some(2));
    assert!(!talk.said.iter().any(|it| matches!(it, Output::Lost { .. })), "{:?}", talk.said);
}

#[test]
fn whoever_says_that_we_are_no_member_takes_everything_at_once() {
    for code in [code::UNKNOWN_MEMBER_ID, code::ILLEGAL_GENERATION] {
        let mut talk = Talk::stable(Range, &[0, 1]);
        talk.beat(code);
        assert!(talk.said.contains(&Output::Lost { code }), "{:?}", talk.said);
        assert!(talk.joins() && talk.member.identity().is_none());
        // The same from a commit.
        let mut talk = Talk::stable(Range, &[0, 1]);
        let by = talk.member.identity().unwrap();
        talk.member.handle_disowned(talk.now, &by, code);
        talk.hear();
        assert!(talk.said.contains(&Output::Lost { code }), "{:?}", talk.said);
    }
}

#[test]
fn a_commit_of_an_older_generation_says_nothing_about_this_one() {
    let mut talk = Talk::stable(CooperativeSticky, &[0]);
    let old = Identity { generation: 0, ..talk.member.identity().unwrap() };
    talk.member.handle_disowned(talk.now, &old, code::ILLEGAL_GENERATION);
    talk.hear();
    assert_eq!(talk.said, []);
}

#[test]
fn a_beat_of_an_older_generation_says_nothing_about_this_one() {
    let mut talk = Talk::stable(CooperativeSticky, &[0]);
    talk.beat(code::REBALANCE_IN_PROGRESS);
    let join = talk.asked.take();
    talk.sleep(3_000);
    let Some((beat, Request::Heartbeat(_))) = talk.asked.take() else { panic!("no beat") };
    talk.asked = join;
    talk.joined(2, "other", Vec::new());
    talk.synced([0]);
    // It waited behind something slow, and was looked at when the generation had passed.
    let refused = Answer::Beat(code::ILLEGAL_GENERATION);
    talk.member.handle_answer(talk.now, talk.now, beat, refused);
    talk.hear();
    assert!(!talk.said.iter().any(|it| matches!(it, Output::Lost { .. })), "{:?}", talk.said);
    // And it does not keep the next one back.
    talk.beat(OK);
}

#[test]
fn an_answer_to_a_request_of_the_past_is_dropped() {
    let mut talk = Talk::stable(Range, &[0]);
    let joined = Joined { generation: 9, member: "x".into(), ..Joined::default() };
    talk.member.handle_answer(talk.now, talk.now, Stamp(1), Answer::Joined(joined));
    talk.hear();
    assert_eq!(talk.member.identity().map(|it| it.generation), Some(1));
}

#[test]
fn a_leader_hands_out_a_plan_and_a_strange_subscription_gets_nothing() {
    let mut talk = Talk::start(Range);
    talk.joined(1, "me", vec![me(), other(vec![0, 9, 255, 255, 255, 255])]);
    let bad = |it: &Output| matches!(it, Output::Trouble(Trouble::BadSubscription { .. }));
    assert_eq!(talk.said.iter().filter(|it| bad(it)).count(), 1, "{:?}", talk.said);
    let Some((_, Request::Sync(sync))) = &talk.asked else { panic!("{:?}", talk.asked) };
    let parts = sync
        .plan
        .iter()
        .map(|(id, bytes)| (&**id, Assignment::decode(bytes.clone()).unwrap().partitions.len()));
    assert_eq!(parts.collect::<Vec<_>>(), [("me", 4), ("other", 0)]);
}

#[test]
fn a_leader_waits_a_little_for_topics_of_others_and_then_plans_without_them() {
    let mut talk = Talk::start(Range);
    let subscription =
        Subscription { topics: vec!["u".into()], ..Subscription::default() }.encode(VERSION);
    talk.joined(1, "me", vec![me(), other(subscription.unwrap())]);
    let wanted = talk.said.iter().any(|it| matches!(it, Output::WantTopics(_)));
    assert!(wanted && talk.asked.is_none(), "{:?}", talk.said);
    talk.sleep(2_000);
    assert!(matches!(talk.asked, Some((_, Request::Sync(_)))), "{:?}", talk.asked);
}

#[test]
fn a_part_that_is_malformed_foreign_or_doubled_is_survived() {
    let mut talk = Talk::start(Range);
    talk.joined(1, "other", Vec::new());
    let assignment = Bytes::from_static(&[0, 1, 255, 255]);
    talk.answer(Answer::Synced(Synced { code: OK, assignment }));
    let bad = |it: &Output| matches!(it, Output::Trouble(Trouble::BadAssignment { .. }));
    assert!(talk.said.iter().any(bad), "{:?}", talk.said);

    let mut talk = Talk::start(Range);
    talk.joined(1, "other", Vec::new());
    let foreign = TopicPartition::new("u", 0);
    let partitions = vec![tp(0), tp(0), tp(-1), foreign.clone()];
    let assignment = Assignment { partitions, user_data: None }.encode(VERSION).unwrap();
    talk.answer(Answer::Synced(Synced { code: OK, assignment }));
    assert!(talk.said.contains(&Output::Gained(vec![tp(0)])), "{:?}", talk.said);
    assert!(talk.said.contains(&Output::Trouble(Trouble::Unasked { tp: foreign })));
}

#[test]
fn a_part_without_a_byte_is_a_part_of_nothing() {
    let mut talk = Talk::stable(CooperativeSticky, &[0, 1]);
    talk.member.handle_metadata(talk.now, picture(4));
    talk.sleep(3_000);
    talk.answer(Answer::Beat(code::REBALANCE_IN_PROGRESS));
    talk.said.clear();
    talk.joined(2, "other", Vec::new());
    talk.answer(Answer::Synced(Synced { code: OK, assignment: Bytes::new() }));
    assert!(talk.said.contains(&Output::Revoked(vec![tp(0), tp(1)])), "{:?}", talk.said);
}

/// A member in generation 5 with partitions that it joins again with, and the answer to that.
fn joined_again(joined: Joined) -> Talk {
    let mut talk = Talk::start(CooperativeSticky);
    talk.joined(5, "other", Vec::new());
    talk.synced([0]);
    talk.sleep(3_000);
    talk.answer(Answer::Beat(code::REBALANCE_IN_PROGRESS));
    assert!(talk.joins());
    talk.said.clear();
    talk.answer(Answer::Joined(joined));
    talk
}

#[test]
fn a_coordinator_that_agrees_in_the_past_takes_everything_and_one_that_mistakes_us_too() {
    let sound = Joined {
        generation: 6,
        protocol: "cooperative-sticky".into(),
        leader: "other".into(),
        member: "me".into(),
        ..Joined::default()
    };
    for (told, known) in [(4, 5), (-1, 5), (i32::MIN, 5)] {
        let mut talk = joined_again(Joined { generation: told, ..sound.clone() });
        let trouble = Output::Trouble(Trouble::OldGeneration { told, known });
        assert_eq!(talk.said, [trouble, Output::Lost { code: code::ILLEGAL_GENERATION }]);
        assert_eq!(talk.member.identity(), None);
        talk.sleep(200);
        assert!(talk.joins());
        // By now the past is all there is.
        talk.joined(told.max(1), "other", Vec::new());
        assert!(matches!(talk.asked, Some((_, Request::Sync(_)))));
    }
    for member in ["you", ""] {
        let mut talk = joined_again(Joined { member: member.into(), ..sound.clone() });
        assert!(matches!(talk.said[0], Output::Trouble(Trouble::WrongMember { .. })));
        assert_eq!(talk.said[1], Output::Lost { code: code::UNKNOWN_MEMBER_ID });
        talk.sleep(200);
        assert!(talk.joins());
    }
}

#[test]
fn a_protocol_that_was_not_offered_and_a_lead_without_us_are_told_and_joined_again_after() {
    let sound = Joined {
        generation: 6,
        protocol: "cooperative-sticky".into(),
        leader: "me".into(),
        member: "me".into(),
        members: vec![me()],
        ..Joined::default()
    };
    let lies = [
        Joined { protocol: "own".into(), leader: "other".into(), ..sound.clone() },
        Joined { members: vec![other(me().subscription)], ..sound.clone() },
        Joined { members: Vec::new(), ..sound.clone() },
    ];
    for lie in lies {
        let mut talk = joined_again(lie);
        assert!(matches!(talk.said[..], [Output::Trouble(_)]), "{:?}", talk.said);
        talk.sleep(200);
        assert!(talk.joins());
        talk.answer(Answer::Joined(sound.clone()));
        assert!(matches!(talk.asked, Some((_, Request::Sync(_)))));
    }
}

#[test]
fn an_assignor_that_errs_or_gives_twice_lets_the_group_join_again_after_a_while() {
    #[derive(Debug)]
    struct Own(bool);
    impl Assignor for Own {
        fn name(&self) -> &str {
            "own"
        }
        fn assign(&self, _: &Topics, _: &[Member]) -> Result<Plan, AssignError> {
            if self.0 {
                return Err(AssignError::new("own", "no idea"));
            }
            Ok([("me".into(), vec![tp(0)]), ("other".into(), vec![tp(0)])].into())
        }
    }
    for errs in [true, false] {
        let mut talk = Talk::start(Own(errs));
        talk.joined(1, "me", vec![me(), other(me().subscription)]);
        let told = |it: &Output| matches!(it, Output::Trouble(Trouble::NoPlan { .. }));
        assert!(talk.said.iter().any(told) && talk.asked.is_none(), "{:?}", talk.said);
        talk.sleep(200);
        assert!(talk.joins());
    }
}

#[test]
fn errors_that_waiting_does_not_cure_end_the_membership() {
    for code in [
        code::GROUP_AUTHORIZATION_FAILED,
        code::INCONSISTENT_GROUP_PROTOCOL,
        code::INVALID_SESSION_TIMEOUT,
        code::GROUP_MAX_SIZE_REACHED,
        code::FENCED_INSTANCE_ID,
    ] {
        let mut talk = Talk::start(Range);
        talk.answer(Answer::Joined(Joined { code, ..Joined::default() }));
        assert_eq!(talk.said, [Output::Fatal { code }]);
        talk.sleep(60_000);
        assert!(talk.asked.is_none());
    }
}

#[test]
fn a_grown_topic_makes_the_leader_join_again_and_a_deleted_one_only_after_a_while() {
    let mut talk = Talk::start(Range);
    talk.joined(1, "me", vec![me()]);
    talk.synced(0..4);
    talk.member.handle_metadata(talk.now, picture(5));
    talk.hear();
    assert!(talk.said.iter().any(|it| matches!(it, Output::Revoked(_))), "{:?}", talk.said);

    let mut talk = Talk::start(Range);
    talk.joined(1, "me", vec![me()]);
    talk.synced(0..4);
    let gone = Topic { error: UNKNOWN_TOPIC_OR_PARTITION, ..Topic::default() };
    let update = Update { topics: [("t".into(), gone)].into(), ..Update::default() };
    talk.member.handle_metadata(talk.now, Arc::new(picture(4).merge(update)));
    talk.sleep(4_000);
    assert!(!talk.said.iter().any(|it| matches!(it, Output::Revoked(_))), "{:?}", talk.said);
    talk.sleep(1_000);
    assert!(talk.said.iter().any(|it| matches!(it, Output::Revoked(_))), "{:?}", talk.said);
}

fn wish(topic: &str) -> Wish {
    Wish::Topics([topic.into()].into())
}

#[test]
fn what_is_wanted_no_more_is_given_up_before_the_member_joins_with_what_is() {
    for rebalance in [Rebalance::Eager, Rebalance::Cooperative] {
        let mut talk = match rebalance {
            Rebalance::Eager => Talk::stable(Range, &[0, 1]),
            Rebalance::Cooperative => Talk::stable(CooperativeSticky, &[0, 1]),
        };
        talk.member.handle_wish(talk.now, wish("u"));
        talk.hear();
        assert!(talk.said.contains(&Output::Revoked(vec![tp(0), tp(1)])), "{:?}", talk.said);
        assert!(!talk.joins(), "{rebalance:?}: the last commit needs the generation");
        talk.member.handle_released(talk.now);
        talk.hear();
        let subscription = talk.subscription();
        assert_eq!(subscription.topics, ["u".into()]);
        assert!(subscription.owned.is_empty(), "{:?}", subscription.owned);
    }
}

#[test]
fn with_cooperation_what_is_still_wanted_is_kept_while_the_member_joins_for_more() {
    let mut talk = Talk::stable(CooperativeSticky, &[0, 1]);
    talk.member.handle_wish(talk.now, Wish::Topics(["t".into(), "u".into()].into()));
    talk.hear();
    assert_eq!(talk.said, [], "nothing is revoked");
    let subscription = talk.subscription();
    assert_eq!(subscription.topics, ["t".into(), "u".into()]);
    assert_eq!(subscription.owned, [tp(0), tp(1)]);
}

#[test]
fn a_wish_that_comes_while_a_plan_is_made_takes_nothing_of_it_and_asks_for_another() {
    let mut talk = Talk::start(Range);
    talk.joined(1, "other", Vec::new());
    talk.member.handle_wish(talk.now, wish("u"));
    talk.hear();
    assert!(!talk.joins(), "the plan is awaited");
    talk.said.clear();
    talk.synced([0, 1]);
    let gains = |it: &Output| matches!(it, Output::Gained(_) | Output::Trouble(_));
    assert!(!talk.said.iter().any(gains), "{:?}", talk.said);
    assert_eq!(talk.subscription().topics, ["u".into()]);
}
