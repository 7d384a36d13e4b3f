//! News in any order: what the picture may and may not believe.

use super::*;

const TOPIC: &str = "orders";

fn address(port: u16) -> Address {
    Address { host: "broker".into(), port }
}

fn update(id: u8, leader: Option<i32>, epoch: i32) -> Update {
    let partition = Partition { leader: leader.map(BrokerId), epoch: LeaderEpoch(epoch) };
    let topic = Topic {
        id: Uuid([id; 16]),
        error: 0,
        partitions: BTreeMap::from([(0, partition)]),
        ..Topic::default()
    };
    Update {
        cluster_id: None,
        controller: None,
        brokers: BTreeMap::from([(BrokerId(1), address(1)), (BrokerId(2), address(2))]),
        topics: BTreeMap::from([(TOPIC.into(), topic)]),
        is_whole: false,
    }
}

fn leader_of(metadata: &Metadata) -> Option<(i32, i32)> {
    let leader = metadata.leader(&TopicPartition::new(TOPIC, 0))?;
    Some((leader.broker.0, leader.epoch.0))
}

#[test]
fn a_leader_epoch_never_goes_back() {
    let picture = Metadata::default().merge(update(1, Some(1), 5));
    assert_eq!(leader_of(&picture.merge(update(1, Some(2), 4))), Some((1, 5)));
    assert_eq!(leader_of(&picture.merge(update(1, Some(2), 6))), Some((2, 6)));
}

#[test]
fn another_leader_under_the_same_epoch_is_believed() {
    let picture = Metadata::default().merge(update(1, Some(1), 5));
    assert_eq!(leader_of(&picture.merge(update(1, Some(2), 5))), Some((2, 5)));
}

#[test]
fn a_new_topic_id_is_a_new_log_whatever_its_epoch() {
    let picture = Metadata::default().merge(update(1, Some(1), 5));
    assert_eq!(leader_of(&picture.merge(update(2, Some(2), 0))), Some((2, 0)));
}

#[test]
fn brokers_that_tell_no_epoch_and_no_id_are_believed() {
    let picture = Metadata::default().merge(update(0, Some(1), -1));
    assert_eq!(leader_of(&picture.merge(update(0, Some(2), -1))), Some((2, -1)));
}

#[test]
fn a_topic_that_one_stale_broker_does_not_know_keeps_its_partitions() {
    let picture = Metadata::default().merge(update(1, Some(1), 5));
    let mut gone = update(1, None, 0);
    gone.topics.insert(TOPIC.into(), Topic { error: 3, ..Topic::default() });
    let next = picture.merge(gone);
    assert_eq!(leader_of(&next), Some((1, 5)));
    assert_eq!(next.topics[TOPIC].error, 3);
}

#[test]
fn a_hint_counts_only_when_it_is_newer_and_its_broker_has_an_address() {
    let tp = TopicPartition::new(TOPIC, 0);
    let picture = Metadata::default().merge(update(1, Some(1), 5));
    let hint = |broker, epoch, address| LeaderHint {
        leader: Leader { broker: BrokerId(broker), epoch: LeaderEpoch(epoch) },
        address,
    };

    assert_eq!(picture.with_hint(&tp, &hint(2, 5, None)), None);
    assert_eq!(picture.with_hint(&tp, &hint(3, 6, None)), None);
    let next = picture.with_hint(&tp, &hint(3, 6, Some(address(3)))).unwrap();
    assert_eq!(leader_of(&next), Some((3, 6)));
}

#[test]
fn a_topic_that_is_missing_among_all_of_them_does_not_exist() {
    let topic = |name: &str| (TopicName::from(name), Topic::default());
    let both = Update { topics: [topic("a"), topic("b")].into(), ..Update::default() };
    let known = Metadata::default().merge(both);
    let one = |is_whole| Update { topics: [topic("a")].into(), is_whole, ..Update::default() };
    let errors = |it: &Metadata| [it.topics["a"].error, it.topics["b"].error];
    assert_eq!(errors(&known.merge(one(false))), [0, 0]);
    assert_eq!(errors(&known.merge(one(true))), [0, 3]);
}
