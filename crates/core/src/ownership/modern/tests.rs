//! A member by KIP-848 as a talk with its coordinator.

use forebay_protocol::types::{BrokerId, LeaderEpoch};

use super::*;
use crate::backoff;
use crate::cluster::metadata::{Partition, Topic, Update};
use crate::orders::Address;
use crate::ownership::member::{Protocol, Wish};

const ID: Uuid = Uuid([1; 16]);

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn picture() -> Arc<Metadata> {
    let known = Partition { leader: Some(BrokerId(1)), epoch: LeaderEpoch(0) };
    let partitions = (0..4).map(|number| (number, known)).collect();
    let update = Update {
        brokers: [(BrokerId(1), Address { host: "b".into(), port: 1 })].into(),
        topics: [("t".into(), Topic { id: ID, error: 0, partitions, ..Topic::default() })].into(),
        ..Update::default()
    };
    Arc::new(Metadata::default().merge(update))
}

struct Talk {
    member: Modern,
    now: Instant,
    asked: Option<(Stamp, Beat)>,
    said: Vec<Output>,
}

impl Talk {
    fn start(protocol: Protocol) -> Self {
        Self::start_with(protocol, Wish::Topics(["t".into()].into()))
    }

    fn start_with(protocol: Protocol, wish: Wish) -> Self {
        Self::start_as(None, protocol, wish)
    }

    fn start_as(instance: Option<&str>, protocol: Protocol, wish: Wish) -> Self {
        let config = Config {
            protocol,
            remote_assignor: None,
            wish,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
            instance: instance.map(Into::into),
            rack: None,
            assignors: Vec::new(),
            retry: backoff::Config {
                first: Duration::from_millis(100),
                max: Duration::from_secs(1),
            },
        };
        let mut member = Modern::new(config, Rng::from_seed(3));
        member.handle_metadata(at(0), picture());
        let mut talk = Self { member, now: at(0), asked: None, said: Vec::new() };
        talk.hear();
        talk
    }

    fn hear(&mut self) {
        while let Some(output) = self.member.poll_output() {
            if let Output::Ask(stamp, Request::Beat(beat)) = output {
                self.asked = Some((stamp, *beat));
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

    /// The coordinator agrees, with a new assignment when there is one.
    fn beaten(&mut self, epoch: i32, assignment: Option<&[i32]>) {
        let assignment = assignment.map(|partitions| vec![(ID, partitions.to_vec())]);
        let interval = Duration::from_secs(5);
        self.answer(Answer::Beaten(Beaten { epoch, interval, assignment, ..Beaten::default() }));
    }

    fn refused(&mut self, code: i16) {
        self.answer(Answer::Beaten(Beaten { code, ..Beaten::default() }));
    }

    fn sleep(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
        self.member.handle_timeout(self.now);
        self.hear();
    }

    /// A member in epoch 1 that has partitions 0 and 1 and has said so.
    fn settled() -> Self {
        let mut talk = Self::start(Protocol::Consumer);
        talk.beaten(1, Some(&[0, 1]));
        talk.beaten(1, None);
        talk.said.clear();
        talk
    }
}

#[test]
fn the_first_heartbeat_says_everything_and_a_quiet_one_nothing() {
    let mut talk = Talk::start(Protocol::Consumer);
    let (_, first) = talk.asked.clone().unwrap();
    assert_eq!(first.identity.generation, 0);
    assert_eq!(first.owned, Some(Vec::new()));
    assert!(first.topics.is_some() && first.rest.is_some());
    assert_eq!(first.identity.member.len(), 22);
    talk.beaten(1, Some(&[]));
    assert!(talk.asked.is_none());
    talk.sleep(5_000);
    let (_, quiet) = talk.asked.clone().unwrap();
    assert_eq!((quiet.topics, quiet.owned, quiet.rest), (None, None, None));
    assert_eq!(quiet.identity.generation, 1);
}

#[test]
fn what_is_gained_is_confirmed_at_once() {
    let mut talk = Talk::start(Protocol::Consumer);
    talk.beaten(1, Some(&[0, 1]));
    assert!(talk.said.contains(&Output::Gained(vec![tp(0), tp(1)])), "{:?}", talk.said);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.owned, Some(vec![(ID, vec![0, 1])]));
}

#[test]
fn who_joined_or_got_something_beats_sooner_for_a_while_to_hear_of_more() {
    let mut talk = Talk::settled();
    let mut waits = Vec::new();
    while waits.last() != Some(&Duration::from_secs(5)) {
        let due = talk.member.poll_timeout().unwrap();
        waits.push(due.since(talk.now));
        talk.now = due;
        talk.sleep(0);
        talk.beaten(1, None);
    }
    assert_eq!(waits[..3], [Duration::from_millis(500); 3]);
    assert_eq!(waits.len(), 16, "{waits:?}");
}

#[test]
fn what_is_taken_is_listed_as_ours_until_it_is_given_up() {
    let mut talk = Talk::settled();
    talk.sleep(5_000);
    talk.beaten(1, Some(&[1]));
    assert!(talk.said.contains(&Output::Revoked(vec![tp(0)])), "{:?}", talk.said);
    talk.sleep(5_000);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.owned, None, "nothing has changed yet");
    talk.beaten(1, None);
    talk.member.handle_released(talk.now);
    talk.hear();
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!((beat.owned, beat.identity.generation), (Some(vec![(ID, vec![1])]), 1));
}

#[test]
fn a_stale_epoch_is_a_race_and_a_fenced_one_a_loss() {
    let mut talk = Talk::settled();
    let by = talk.member.identity().unwrap();
    talk.member.handle_disowned(talk.now, &by, code::STALE_MEMBER_EPOCH);
    talk.hear();
    assert_eq!(talk.said, []);
    talk.member.handle_disowned(talk.now, &by, code::FENCED_MEMBER_EPOCH);
    talk.hear();
    assert!(talk.said.contains(&Output::Lost { code: code::FENCED_MEMBER_EPOCH }));
    assert_eq!(talk.member.identity(), None);
    talk.sleep(500);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!((beat.identity.generation, beat.owned), (0, Some(Vec::new())));
}

#[test]
fn after_a_heartbeat_without_answer_everything_is_said_again() {
    let mut talk = Talk::settled();
    talk.sleep(5_000);
    talk.answer(Answer::Unreachable);
    assert!(talk.said.contains(&Output::WrongCoordinator));
    talk.sleep(200);
    let (_, beat) = talk.asked.clone().unwrap();
    assert!(beat.topics.is_some() && beat.rest.is_some());
    assert_eq!(beat.owned, Some(vec![(ID, vec![0, 1])]));
    assert_eq!(beat.identity.generation, 1);
}

#[test]
fn nothing_of_an_earlier_plan_is_taken_up_while_a_heartbeat_says_that_we_do_not_have_it() {
    let mut talk = Talk::settled();
    // A partition of the plan whose topic was not known when we told what we have.
    talk.member.target = vec![(ID, vec![0, 1, 2])];
    talk.sleep(5_000);
    talk.member.handle_metadata(talk.now, picture());
    talk.hear();
    assert!(!talk.said.contains(&Output::Gained(vec![tp(2)])), "{:?}", talk.said);
    talk.beaten(1, None);
    assert!(talk.said.contains(&Output::Gained(vec![tp(2)])), "it was ours all the time");

    let mut talk = Talk::settled();
    talk.member.target = vec![(ID, vec![0, 1, 2])];
    talk.sleep(5_000);
    talk.answer(Answer::Unreachable);
    talk.member.handle_metadata(talk.now, picture());
    talk.hear();
    talk.sleep(1_000);
    assert!(!talk.said.contains(&Output::Gained(vec![tp(2)])), "{:?}", talk.said);
    talk.beaten(2, Some(&[0, 1]));
    assert!(!talk.said.contains(&Output::Gained(vec![tp(2)])), "somebody else has it by now");
}

#[test]
fn a_topic_that_is_not_known_by_its_id_is_waited_for() {
    let mut talk = Talk::start(Protocol::Consumer);
    let assignment = Some(vec![(Uuid([9; 16]), vec![0]), (ID, vec![2])]);
    let interval = Duration::from_secs(5);
    talk.answer(Answer::Beaten(Beaten { epoch: 1, interval, assignment, ..Beaten::default() }));
    assert!(talk.said.contains(&Output::StaleMetadata), "{:?}", talk.said);
    assert!(talk.said.contains(&Output::Gained(vec![tp(2)])), "{:?}", talk.said);
}

#[test]
fn about_a_topic_that_stays_unknown_the_cluster_is_asked_ever_more_rarely() {
    let mut talk = Talk::start(Protocol::Consumer);
    let interval = Duration::from_secs(5);
    let with = |ids: &[u8]| {
        let topics = ids.iter().map(|id| (Uuid([*id; 16]), vec![0]));
        let assignment = Some(topics.chain([(ID, vec![2])]).collect());
        Answer::Beaten(Beaten { epoch: 1, interval, assignment, ..Beaten::default() })
    };
    talk.answer(with(&[9]));
    let mut asked = Vec::new();
    for _ in 0..600 {
        if talk.said.contains(&Output::StaleMetadata) {
            asked.push(talk.now);
        }
        talk.said.clear();
        talk.sleep(1_000);
        if talk.asked.is_some() {
            talk.beaten(1, None);
        }
        talk.member.handle_metadata(talk.now, picture());
        talk.hear();
    }
    let waits: Vec<_> = asked.windows(2).map(|two| two[1].since(two[0]).as_secs()).collect();
    assert!((11..=18).contains(&asked.len()), "{waits:?}");
    assert!(waits[0] <= 2 && waits.iter().all(|wait| *wait <= 73), "{waits:?}");
    assert!(waits[7..].iter().all(|wait| 48 <= *wait), "{waits:?}");

    // The topics that are unknown are others: asked at once, and soon again, without any answer.
    talk.sleep(5_000);
    talk.said.clear();
    talk.answer(with(&[9, 8]));
    assert!(talk.said.contains(&Output::StaleMetadata), "{:?}", talk.said);
    talk.said.clear();
    let due = talk.member.poll_timeout().unwrap();
    assert!(due <= talk.now.after(Duration::from_millis(1_200)), "{due:?}");
    talk.now = due;
    talk.sleep(0);
    assert_eq!(talk.said, [Output::StaleMetadata]);
}

#[test]
fn a_coordinator_that_makes_no_plans_is_fallen_back_from_unless_it_was_demanded() {
    for code in [code::UNSUPPORTED_VERSION, code::GROUP_ID_NOT_FOUND] {
        let mut talk = Talk::start(Protocol::Auto);
        talk.refused(code);
        assert_eq!(talk.said, [Output::FallBack]);
    }
    for code in [code::UNSUPPORTED_VERSION, code::GROUP_ID_NOT_FOUND] {
        let mut talk = Talk::start(Protocol::Consumer);
        talk.refused(code);
        assert_eq!(talk.said, [Output::Fatal { code }]);
    }
}

#[test]
fn whoever_says_that_we_are_no_member_takes_everything_at_once() {
    for code in [
        code::UNKNOWN_MEMBER_ID,
        code::FENCED_MEMBER_EPOCH,
        code::ILLEGAL_GENERATION,
        code::GROUP_ID_NOT_FOUND,
    ] {
        let mut talk = Talk::settled();
        talk.sleep(5_000);
        talk.refused(code);
        assert_eq!(talk.said, [Output::Lost { code }]);
        assert_eq!(talk.member.identity(), None);
        talk.sleep(1_000);
        let (_, beat) = talk.asked.clone().unwrap();
        assert_eq!((beat.identity.generation, beat.owned), (0, Some(Vec::new())), "joins again");
    }
}

#[test]
fn errors_that_waiting_does_not_cure_end_the_membership() {
    for code in [
        code::FENCED_INSTANCE_ID,
        code::UNRELEASED_INSTANCE_ID,
        code::UNSUPPORTED_ASSIGNOR,
        code::GROUP_AUTHORIZATION_FAILED,
        code::INVALID_GROUP_ID,
        code::INVALID_REQUEST,
        code::GROUP_MAX_SIZE_REACHED,
        code::UNSUPPORTED_VERSION,
    ] {
        let mut talk = Talk::settled();
        talk.sleep(5_000);
        talk.refused(code);
        assert_eq!(talk.said, [Output::Lost { code }, Output::Fatal { code }]);
        talk.sleep(60_000);
        assert!(talk.asked.is_none() && talk.member.poll_timeout().is_none());
    }
}

#[test]
fn a_name_that_another_member_has_is_waited_for_until_its_session_must_be_over() {
    let code = code::UNRELEASED_INSTANCE_ID;
    let mut talk = Talk::start_as(Some("a"), Protocol::Consumer, Wish::Topics(["t".into()].into()));
    while talk.asked.is_some() {
        talk.refused(code);
        talk.sleep(1_200);
    }
    let told = Output::Trouble(Trouble::InstanceInUse { instance: "a".into() });
    assert_eq!(talk.said, [told, Output::Fatal { code }], "told once, and given up");
    assert!((at(49_000)..at(53_000)).contains(&talk.now), "after a session: {:?}", talk.now);
}

#[test]
fn who_leaves_says_so_with_the_epoch_for_it() {
    let mut talk = Talk::settled();
    talk.member.handle_leave();
    talk.hear();
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.identity.generation, -1);
    talk.answer(Answer::Unreachable);
    assert_eq!(talk.said, [Output::Left]);
}

/// The picture with a second topic, which we may not know of.
fn picture_with_denied() -> Arc<Metadata> {
    let denied = Topic { error: code::TOPIC_AUTHORIZATION_FAILED, ..Topic::default() };
    let update = Update { topics: [("secret".into(), denied)].into(), ..Update::default() };
    Arc::new(picture().merge(update))
}

#[test]
fn a_topic_that_we_may_not_know_of_is_left_out_so_that_the_others_go_on() {
    let mut talk = Talk::start(Protocol::Consumer);
    talk.member.config.wish = Wish::Topics(["secret".into(), "t".into()].into());
    talk.refused(code::COORDINATOR_LOAD_IN_PROGRESS);
    talk.sleep(500);
    talk.refused(code::TOPIC_AUTHORIZATION_FAILED);
    assert_eq!(talk.said, [Output::StaleMetadata]);
    talk.sleep(1_000);
    assert!(talk.asked.is_none(), "the cluster is asked which topic it is");

    talk.member.handle_metadata(talk.now, picture_with_denied());
    talk.hear();
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.topics, Some(["t".into()].into()));
    talk.beaten(1, Some(&[0]));

    // The right was granted.
    talk.beaten(1, None);
    talk.member.handle_metadata(talk.now, picture());
    talk.hear();
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.topics, Some(["secret".into(), "t".into()].into()));
}

#[test]
fn with_no_topic_that_we_may_know_of_the_coordinator_is_asked_every_five_seconds() {
    let mut talk = Talk::start(Protocol::Consumer);
    talk.member.config.wish = Wish::Topics(["secret".into()].into());
    talk.refused(code::TOPIC_AUTHORIZATION_FAILED);
    talk.member.handle_metadata(talk.now, picture_with_denied());
    talk.hear();
    talk.asked = None;
    talk.member.awaiting = None;
    for _ in 0..3 {
        talk.sleep(4_999);
        assert!(talk.asked.is_none());
        talk.sleep(1);
        talk.refused(code::TOPIC_AUTHORIZATION_FAILED);
        talk.member.handle_metadata(talk.now, picture_with_denied());
        talk.hear();
    }
}

#[test]
fn a_coordinator_that_agrees_in_an_older_epoch_takes_everything() {
    for told in [1, 0, -1, i32::MIN] {
        let mut talk = Talk::settled();
        talk.sleep(5_000);
        talk.beaten(2, None);
        talk.sleep(5_000);
        talk.said.clear();
        talk.beaten(told, Some(&[0, 1, 2]));
        let lost = Output::Lost { code: code::FENCED_MEMBER_EPOCH };
        let trouble = Output::Trouble(Trouble::OldGeneration { told, known: 2 });
        assert_eq!(talk.said, [trouble, lost]);
        assert_eq!(talk.member.identity(), None);
        talk.sleep(500);
        let (_, beat) = talk.asked.clone().unwrap();
        assert_eq!(beat.identity.generation, 0, "it joins again");
    }
}

#[test]
fn an_answer_to_another_member_changes_nothing() {
    let mut talk = Talk::settled();
    talk.sleep(5_000);
    let beaten = Beaten { member: "somebody".into(), epoch: 7, ..Beaten::default() };
    talk.answer(Answer::Beaten(beaten));
    assert!(matches!(talk.said[..], [Output::Trouble(Trouble::WrongMember { .. })]));
    assert_eq!(talk.member.identity().map(|it| it.generation), Some(1));
    talk.sleep(500);
    assert!(talk.asked.is_some(), "it is asked again soon");
}

#[test]
fn partitions_told_twice_below_zero_or_of_no_topic_of_ours_are_survived() {
    let mut talk = Talk::settled();
    let other = Topic { id: Uuid([2; 16]), ..Topic::default() };
    let update = Update { topics: [("u".into(), other)].into(), ..Update::default() };
    talk.member.handle_metadata(talk.now, Arc::new(picture().merge(update)));
    talk.sleep(5_000);
    let target = vec![(ID, vec![0, 0, -1, 2]), (Uuid([2; 16]), vec![5]), (ID, vec![2, 1])];
    let interval = Duration::from_secs(5);
    let beaten = Beaten { epoch: 1, interval, assignment: Some(target), ..Beaten::default() };
    talk.answer(Answer::Beaten(beaten));
    let unasked = Trouble::Unasked { tp: TopicPartition::new("u", 5) };
    assert_eq!(
        talk.said,
        [
            Output::ValidUntil(talk.now.after(Duration::from_secs(45))),
            Output::Trouble(unasked),
            Output::Gained(vec![tp(2)]),
        ]
    );
}

#[test]
fn an_interval_that_cannot_be_is_brought_within_the_session() {
    for (told, waits) in [(1, 50), (u64::MAX, 22_500)] {
        let mut talk = Talk::settled();
        // Long enough for nothing to be expected.
        talk.sleep(120_000);
        let interval = Duration::from_millis(told);
        talk.answer(Answer::Beaten(Beaten { epoch: 1, interval, ..Beaten::default() }));
        talk.sleep(waits - 1);
        assert!(talk.asked.is_none());
        talk.sleep(1);
        assert!(talk.asked.is_some());
    }
}

#[test]
fn once_a_minute_everything_is_said_so_that_a_wrong_part_is_set_right() {
    let mut talk = Talk::settled();
    let mut whole = 0;
    for _ in 0..24 {
        talk.sleep(5_000);
        let (_, beat) = talk.asked.clone().unwrap();
        let is_whole = beat.rest.is_some();
        assert_eq!(is_whole, beat.topics.is_some() && beat.owned.is_some());
        whole += u32::from(is_whole);
        talk.beaten(1, is_whole.then_some(&[0, 2]));
        if is_whole && whole == 1 {
            assert!(talk.said.contains(&Output::Revoked(vec![tp(1)])), "{:?}", talk.said);
            talk.beaten(1, None);
        }
    }
    assert_eq!(whole, 2, "in two minutes");
}

/// All topics that begin with t.
#[derive(Debug)]
struct BeginsWithT;

impl crate::ownership::member::Matches for BeginsWithT {
    fn wants(&self, topic: &str) -> bool {
        topic.starts_with('t')
    }

    fn followed(&self) -> Option<Followed> {
        Some(Followed { regex: "t.*".into(), named: ["u".into()].into() })
    }
}

#[test]
fn a_regular_expression_is_the_coordinators_to_follow_until_it_refuses_it() {
    let wish = Wish::Matching(Arc::new(BeginsWithT));
    let mut talk = Talk::start_with(Protocol::Consumer, wish);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!((beat.regex, beat.topics), (Some("t.*".into()), Some(["u".into()].into())));
    talk.beaten(1, Some(&[0]));
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!((beat.regex, beat.topics), (None, None), "it is said once");

    talk.refused(code::INVALID_REGULAR_EXPRESSION);
    talk.sleep(500);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!((beat.regex, beat.topics), (None, Some(["t".into()].into())));
}

#[derive(Debug)]
struct Like(&'static str);

impl crate::ownership::member::Matches for Like {
    fn wants(&self, topic: &str) -> bool {
        topic.starts_with(self.0)
    }

    fn followed(&self) -> Option<Followed> {
        Some(Followed { regex: self.0.into(), named: BTreeSet::new() })
    }
}

#[test]
fn what_is_wanted_no_more_is_given_up_at_once_and_the_coordinator_is_told_at_once() {
    let mut talk = Talk::settled();
    talk.member.handle_wish(talk.now, Wish::Topics(["u".into()].into()));
    talk.hear();
    assert_eq!(talk.said, [Output::Revoked(vec![tp(0), tp(1)])]);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.topics, Some(["u".into()].into()));
    assert_eq!(beat.owned, None, "they are ours until they are given up");
    // The coordinator still means what it was told before: nothing comes back, nobody complains.
    talk.said.clear();
    talk.beaten(2, Some(&[0, 1]));
    talk.member.handle_released(talk.now);
    talk.hear();
    assert_eq!(talk.asked.clone().unwrap().1.owned, Some(Vec::new()));
    talk.beaten(3, Some(&[]));
    let odd = |it: &Output| matches!(it, Output::Gained(_) | Output::Trouble(_));
    assert!(!talk.said.iter().any(odd), "{:?}", talk.said);
}

#[test]
fn a_wish_that_comes_while_a_heartbeat_is_on_its_way_is_told_right_after() {
    let mut talk = Talk::settled();
    talk.sleep(5_000);
    assert!(talk.asked.is_some());
    talk.member.handle_wish(talk.now, Wish::Topics(["t".into(), "u".into()].into()));
    talk.hear();
    talk.beaten(1, None);
    let (_, beat) = talk.asked.clone().unwrap();
    assert_eq!(beat.topics, Some(["t".into(), "u".into()].into()));
}

#[test]
fn who_names_topics_after_an_expression_tells_that_it_is_to_be_forgotten() {
    let mut talk = Talk::start_with(Protocol::Consumer, Wish::Matching(Arc::new(Like("t"))));
    let regex = |talk: &Talk| talk.asked.clone().unwrap().1.regex;
    assert_eq!(regex(&talk).as_deref(), Some("t"));
    talk.beaten(1, Some(&[0, 1]));
    talk.beaten(1, None);
    talk.member.handle_wish(talk.now, Wish::Topics(["t".into()].into()));
    talk.hear();
    assert_eq!(regex(&talk).as_deref(), Some(""));
    talk.beaten(2, None);
    talk.sleep(5_000);
    assert_eq!(regex(&talk), None, "once is enough");
}
