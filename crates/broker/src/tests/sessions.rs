//! Fetch sessions (KIP-227): does the broker's table stay equal to the client's, and does an
//! incremental answer tell what is new and nothing else?

use std::collections::BTreeMap;

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::fetch_response::FetchResponse;
use proptest::prelude::*;

use super::talk::{Talk, batch, fetch_request, t0, told, topic_name};
use crate::{BrokerId, ErrorCode, Options, TopicPartition};

/// A client's half of a session, kept the plain way.
struct Client {
    id: i32,
    epoch: i32,
    /// Partition number of topic "t" to position.
    table: BTreeMap<i32, i64>,
}

impl Client {
    const fn new() -> Self {
        Self { id: 0, epoch: 0, table: BTreeMap::new() }
    }

    fn request(&self, changed: &[(i32, i64)], forgotten: Vec<i32>) -> FetchRequest {
        let wanted: Vec<_> =
            changed.iter().map(|(index, at)| (TopicPartition::new("t", *index), *at)).collect();
        let topic = ForgottenTopic::default().with_topic(topic_name("t"));
        let topics =
            if forgotten.is_empty() { Vec::new() } else { vec![topic.with_partitions(forgotten)] };
        fetch_request(&wanted)
            .with_session_id(self.id)
            .with_session_epoch(self.epoch)
            .with_forgotten_topics_data(topics)
    }

    /// Opens a session over these partitions.
    fn open(&mut self, talk: &mut Talk, wanted: &[(i32, i64)]) -> FetchResponse {
        self.epoch = 0;
        self.table = wanted.iter().copied().collect();
        let answer = talk.ask(11, &self.request(wanted, Vec::new()));
        assert_eq!(answer.error_code, 0);
        self.id = answer.session_id;
        self.epoch = 1;
        answer
    }

    fn carry_on(
        &mut self,
        talk: &mut Talk,
        changed: &[(i32, i64)],
        forgotten: Vec<i32>,
    ) -> FetchResponse {
        let answer = talk.ask(11, &self.request(changed, forgotten.clone()));
        self.table.extend(changed.iter().copied());
        self.table.retain(|index, _| !forgotten.contains(index));
        self.epoch += 1;
        answer
    }
}

fn indexes(answer: &FetchResponse) -> Vec<i32> {
    told(answer).into_iter().map(|(_, index, _)| index).collect()
}

fn start(partitions: i32) -> (Talk, Client) {
    let mut talk = Talk::with(Options::default());
    talk.cluster.create_topic("t", partitions).unwrap();
    (talk, Client::new())
}

#[test]
fn the_first_answer_tells_all_and_the_next_only_what_is_new() {
    let (mut talk, mut client) = start(3);
    let first = client.open(&mut talk, &[(0, 0), (1, 0), (2, 0)]);
    assert_eq!(indexes(&first), [0, 1, 2]);
    assert_ne!(first.session_id, 0);
    assert!(indexes(&client.carry_on(&mut talk, &[], vec![])).is_empty());
    talk.produce(&TopicPartition::new("t", 1), &["a"]);
    let news = client.carry_on(&mut talk, &[], vec![]);
    assert_eq!(told(&news), [("t".to_owned(), 1, vec!["a".to_owned()])]);
    assert_eq!(news.session_id, first.session_id);
    // Until the position moves, the same records come again.
    assert_eq!(indexes(&client.carry_on(&mut talk, &[], vec![])), [1]);
    assert!(indexes(&client.carry_on(&mut talk, &[(1, 1)], vec![])).is_empty());
}

#[test]
fn a_new_partition_is_told_once_even_when_it_is_empty() {
    let (mut talk, mut client) = start(2);
    client.open(&mut talk, &[(0, 0)]);
    assert_eq!(indexes(&client.carry_on(&mut talk, &[(1, 0)], vec![])), [1]);
    assert!(indexes(&client.carry_on(&mut talk, &[], vec![])).is_empty());
}

#[test]
fn a_forgotten_partition_is_not_told_of() {
    let (mut talk, mut client) = start(2);
    client.open(&mut talk, &[(0, 0), (1, 0)]);
    client.carry_on(&mut talk, &[], vec![0]);
    talk.produce(&TopicPartition::new("t", 0), &["a"]);
    assert!(indexes(&client.carry_on(&mut talk, &[], vec![])).is_empty());
}

#[test]
fn an_error_is_told_until_it_is_gone_and_then_the_partition_again() {
    let (mut talk, mut client) = start(1);
    client.open(&mut talk, &[(0, 9)]);
    for _ in 0..2 {
        let answer = client.carry_on(&mut talk, &[], vec![]);
        let code = answer.responses[0].partitions[0].error_code;
        assert_eq!(ErrorCode(code), ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let healed = client.carry_on(&mut talk, &[(0, 0)], vec![]);
    assert_eq!(healed.responses[0].partitions[0].error_code, 0);
    assert!(indexes(&client.carry_on(&mut talk, &[], vec![])).is_empty());
}

#[test]
fn partitions_take_turns_when_not_all_fit() {
    let (mut talk, mut client) = start(3);
    client.open(&mut talk, &[(0, 0), (1, 0), (2, 0)]);
    for index in 0..3 {
        talk.produce(&TopicPartition::new("t", index), &["x".repeat(100).as_str(), "b"]);
    }
    let mut with_records = Vec::new();
    for _ in 0..3 {
        let request = client.request(&[], vec![]).with_max_bytes(1);
        let answer = talk.ask(11, &request);
        client.epoch += 1;
        let full = told(&answer).into_iter().filter(|(_, _, values)| !values.is_empty());
        with_records.extend(full.map(|(_, index, _)| index));
    }
    assert_eq!(with_records, [0, 1, 2]);
}

#[test]
fn wrong_ids_and_epochs_are_errors_of_the_whole_answer() {
    let (mut talk, mut client) = start(1);
    client.open(&mut talk, &[(0, 0)]);
    let mut code = |id, epoch| {
        let wrong = client.request(&[], vec![]).with_session_id(id).with_session_epoch(epoch);
        ErrorCode(talk.ask(11, &wrong).error_code)
    };
    assert_eq!(code(client.id, 7), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(code(client.id ^ 1, 1), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(code(client.id, 1), ErrorCode::NONE);
    talk.cluster.evict_fetch_sessions(BrokerId(1));
    client.epoch += 1;
    let gone = talk.ask(11, &client.request(&[], vec![]));
    assert_eq!(ErrorCode(gone.error_code), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_session_by_name_cannot_go_on_by_id() {
    let (mut talk, mut client) = start(1);
    client.open(&mut talk, &[(0, 0)]);
    let answer = talk.ask(13, &client.request(&[], vec![]));
    assert_eq!(ErrorCode(answer.error_code), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
}

#[test]
fn a_session_belongs_to_its_node() {
    let mut talk = Talk::with(Options::default().nodes(2));
    talk.cluster.create_topic("t", 1).unwrap();
    let mut client = Client::new();
    client.open(&mut talk, &[(0, 0)]);
    talk.reconnect(2);
    let answer = talk.ask(11, &client.request(&[], vec![]));
    assert_eq!(ErrorCode(answer.error_code), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_full_cache_gives_no_session_until_one_is_idle() {
    let mut talk = Talk::with(Options::default().fetch_sessions(1));
    talk.cluster.create_topic("t", 1).unwrap();
    let first = Client::new().open(&mut talk, &[(0, 0)]);
    assert_ne!(first.session_id, 0);
    assert_eq!(Client::new().open(&mut talk, &[(0, 0)]).session_id, 0);
    talk.wait(120_000);
    assert_ne!(Client::new().open(&mut talk, &[(0, 0)]).session_id, 0);
    assert_eq!(talk.cluster.fetch_session(first.session_id), None);
}

#[test]
fn epoch_minus_one_closes_the_session() {
    let (mut talk, mut client) = start(1);
    let id = client.open(&mut talk, &[(0, 0)]).session_id;
    let answer = talk.ask(11, &client.request(&[(0, 0)], vec![]).with_session_epoch(-1));
    assert_eq!((answer.error_code, answer.session_id), (0, 0));
    assert_eq!(talk.cluster.fetch_session(id), None);
    assert!(talk.cluster.sessions.is_empty());
}

#[test]
fn a_session_that_wants_nothing_is_dropped() {
    let (mut talk, mut client) = start(1);
    client.open(&mut talk, &[(0, 0)]);
    let answer = client.carry_on(&mut talk, &[], vec![0]);
    assert_eq!((answer.error_code, answer.session_id), (0, 0));
    assert!(talk.cluster.sessions.is_empty());
}

#[test]
fn an_idle_session_looks_at_no_partition() {
    let (mut talk, mut client) = start(2_000);
    let all: Vec<_> = (0..2_000).map(|index| (index, 0)).collect();
    client.open(&mut talk, &all);
    let session = |talk: &Talk| talk.cluster.sessions.values().next().unwrap().news().count();
    assert_eq!(session(&talk), 0);
    talk.produce(&TopicPartition::new("t", 777), &["a"]);
    assert_eq!(session(&talk), 1);
}

#[test]
fn a_topic_that_is_made_anew_is_seen_by_name() {
    let (mut talk, mut client) = start(1);
    client.open(&mut talk, &[(0, 0)]);
    talk.cluster.delete_topic("t").unwrap();
    let gone = client.carry_on(&mut talk, &[], vec![]);
    let code = gone.responses[0].partitions[0].error_code;
    assert_eq!(ErrorCode(code), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    talk.cluster.create_topic("t", 1).unwrap();
    talk.cluster.append(&t0(), &batch(&["new"], None)).unwrap();
    let back = client.carry_on(&mut talk, &[], vec![]);
    assert_eq!(told(&back), [("t".to_owned(), 0, vec!["new".to_owned()])]);
}

/// One thing a client, a producer or a test may do.
#[derive(Clone, Debug)]
enum Step {
    Append(i32),
    Fetch { moved: Vec<(i32, i64)>, forgotten: Vec<i32> },
    Reopen,
    Evict,
    Elect(i32),
    Delete(i32),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0..6i32;
    prop_oneof![
        4 => index.clone().prop_map(Step::Append),
        6 => (
            prop::collection::btree_map(index.clone(), 0..5i64, 0..3),
            prop::collection::btree_set(index.clone(), 0..2),
        )
            .prop_map(|(moved, forgotten)| {
                let moved = moved.into_iter().filter(|(at, _)| !forgotten.contains(at));
                Step::Fetch { moved: moved.collect(), forgotten: forgotten.into_iter().collect() }
            }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Evict),
        1 => index.clone().prop_map(Step::Elect),
        1 => index.prop_map(Step::Delete),
    ]
}

/// What a client that knows everything would expect of one partition now: error and records.
fn truth(talk: &Talk, index: i32, position: i64) -> (ErrorCode, bool) {
    let tp = TopicPartition::new("t", index);
    let (start, end) = (talk.cluster.log_start(&tp), talk.cluster.high_watermark(&tp));
    let (Some(start), Some(end)) = (start, end) else { panic!("no partition") };
    let in_range = (start..=end).contains(&position);
    let code = if in_range { ErrorCode::NONE } else { ErrorCode::OFFSET_OUT_OF_RANGE };
    (code, in_range && position < end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn both_tables_stay_equal_and_no_news_is_missed(steps in prop::collection::vec(step(), 1..60)) {
        let (mut talk, mut client) = start(6);
        client.open(&mut talk, &[(0, 0), (1, 0)]);
        // What the client was told last: high watermark and log start.
        let mut known: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Append(index) => {
                    let tp = TopicPartition::new("t", index);
                    talk.cluster.append(&tp, &batch(&["v"], None)).unwrap();
                }
                Step::Elect(index) => {
                    talk.cluster.move_leader(&TopicPartition::new("t", index), BrokerId(1)).unwrap();
                }
                Step::Delete(index) => {
                    let tp = TopicPartition::new("t", index);
                    let start = talk.cluster.log_start(&tp).unwrap();
                    talk.cluster.delete_records(&tp, start + 1).unwrap();
                }
                Step::Evict => talk.cluster.evict_fetch_sessions(BrokerId(1)),
                Step::Reopen => {
                    let all: Vec<_> = client.table.iter().map(|(at, pos)| (*at, *pos)).collect();
                    if !all.is_empty() {
                        client.open(&mut talk, &all);
                        known.clear();
                    }
                }
                Step::Fetch { moved, forgotten } => {
                    for index in forgotten.iter().chain(moved.iter().map(|(at, _)| at)) {
                        if forgotten.contains(index) || !client.table.contains_key(index) {
                            known.remove(index);
                        }
                    }
                    let answer = client.carry_on(&mut talk, &moved, forgotten);
                    if answer.error_code != 0 || answer.session_id == 0 {
                        let all: Vec<_> = client.table.iter().map(|(a, p)| (*a, *p)).collect();
                        client.open(&mut talk, &all);
                        known.clear();
                        continue;
                    }
                    check_news(&talk, &client, &answer, &mut known)?;
                }
            }
            if let Some(rows) = talk.cluster.fetch_session(client.id) {
                let ours = client.table.iter().map(|(at, pos)| ("t".to_owned(), *at, *pos));
                prop_assert_eq!(rows, ours.collect::<Vec<_>>());
            }
        }
    }
}

/// Every partition with records or an error is told; every other one only if its watermarks moved.
fn check_news(
    talk: &Talk,
    client: &Client,
    answer: &FetchResponse,
    known: &mut BTreeMap<i32, (i64, i64)>,
) -> Result<(), TestCaseError> {
    let rows = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let rows: BTreeMap<i32, _> = rows.map(|row| (row.partition_index, row)).collect();
    for (index, position) in &client.table {
        let (code, has_records) = truth(talk, *index, *position);
        let tp = TopicPartition::new("t", *index);
        let marks = talk.cluster.high_watermark(&tp).zip(talk.cluster.log_start(&tp)).unwrap();
        match rows.get(index) {
            Some(row) => {
                prop_assert_eq!(ErrorCode(row.error_code), code);
                prop_assert_eq!(row.records.as_ref().is_some_and(|r| !r.is_empty()), has_records);
                if code == ErrorCode::NONE {
                    known.insert(*index, marks);
                } else {
                    known.remove(index);
                }
            }
            None => {
                prop_assert_eq!(code, ErrorCode::NONE);
                prop_assert!(!has_records, "records of {} were not told", index);
                if let Some(known) = known.get(index) {
                    prop_assert_eq!(*known, marks);
                }
            }
        }
    }
    Ok(())
}
