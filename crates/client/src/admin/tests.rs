//! Admin over the in-process broker, in virtual time: per-item results, routing, what older
//! releases lack.

use std::collections::BTreeMap;

use forebay_broker::{BatchBuilder, Broker, Effect, ErrorCode as Code, Fault, Release};
use forebay_protocol::api::ApiKey;
use forebay_protocol::types::{BrokerId, LeaderEpoch, Offset, Position, TopicName, TopicPartition};

use super::*;
use crate::net::pipes::{Hostile, Manner, Pipes, client_at, client_of};

fn broker(release: Release) -> Arc<Broker> {
    let broker = Broker::builder().nodes(3).pose_as(release).start_in_memory();
    broker.with(|cluster| cluster.create_topic("t", 3)).unwrap();
    Arc::new(broker)
}

fn admin(broker: &Arc<Broker>) -> Admin {
    let pipes = Pipes::new(broker);
    Admin::with_connector(&client_of(broker), pipes, Clock::virtual_time()).unwrap()
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn name(name: &str) -> TopicName {
    name.into()
}

fn topic(topic: &str) -> ConfigResource {
    ConfigResource::Topic(topic.into())
}

fn code<T>(result: &Result<T, Error>) -> Option<Code> {
    result.as_ref().err().and_then(Error::broker_error).map(Code)
}

const ALL: [Release; 5] =
    [Release::V0_11, Release::V1_1, Release::V2_8, Release::V3_9, Release::V4_4];

#[tokio::test(start_paused = true)]
async fn each_topic_has_its_own_result() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        let topics = [
            NewTopic::new("new", 2).config("retention.ms", "60000"),
            NewTopic::new("t", 1),
            NewTopic::new("bad name", 1),
        ];
        let created = admin.create_topics(&topics).await.unwrap();
        assert!(created[&name("new")].is_ok(), "{release:?} {created:?}");
        assert_eq!(code(&created[&name("t")]), Some(Code::TOPIC_ALREADY_EXISTS));
        assert_eq!(code(&created[&name("bad name")]), Some(Code::INVALID_TOPIC_EXCEPTION));

        let names = [name("new"), name("t"), name("none")];
        let described = admin.describe_topics(&names).await.unwrap();
        assert_eq!(described[&names[0]].as_ref().unwrap().partitions.len(), 2);
        assert_eq!(described[&names[1]].as_ref().unwrap().partitions.len(), 3);
        assert!(matches!(described[&names[2]], Err(Error::UnknownTopic { .. })));

        let deleted = admin.delete_topics(&names).await.unwrap();
        assert!(deleted[&names[0]].is_ok() && deleted[&names[1]].is_ok());
        assert!(matches!(deleted[&names[2]], Err(Error::UnknownTopic { .. })));
        assert_eq!(admin.list_topics().await.unwrap(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_knows_is_believed_to_be_none_after_two_seconds() {
    let broker = broker(Release::V4_4);
    let admin = admin(&broker);
    let begun = tokio::time::Instant::now();
    let told = admin.describe_topic(&name("none")).await;
    assert!(matches!(told, Err(Error::UnknownTopic { .. })), "{told:?}");
    let took = begun.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn partitions_are_added_and_never_taken_away() {
    for release in ALL {
        let broker = broker(release);
        broker.with(|cluster| cluster.create_topic("u", 1)).unwrap();
        let admin = admin(&broker);
        let totals = [("t", 2), ("u", 4), ("none", 1)].map(|(topic, total)| (name(topic), total));
        let grown = admin.create_partitions(&totals.into()).await;
        if release == Release::V0_11 {
            assert!(matches!(grown, Err(Error::NotOffered { since: "1.0", .. })), "{grown:?}");
            continue;
        }
        let grown = grown.unwrap();
        assert_eq!(code(&grown[&name("t")]), Some(Code::INVALID_PARTITIONS));
        assert!(grown[&name("u")].is_ok());
        assert!(matches!(grown[&name("none")], Err(Error::UnknownTopic { .. })));
        let u = admin.describe_topic(&name("u")).await.unwrap();
        assert_eq!(u.partitions.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn changes_go_to_the_controller_and_follow_it() {
    let broker = broker(Release::V1_1);
    let admin = admin(&broker);
    admin.describe_cluster().await.unwrap();
    let no_longer = Fault::new(Effect::Error(Code::NOT_CONTROLLER)).api(ApiKey::CreateTopics);
    broker.with(|cluster| cluster.script(no_longer.times(2)));
    admin.create_topic(&NewTopic::new("a", 1)).await.unwrap();
    assert_eq!(broker.with(|cluster| cluster.script_pending()), 0);
    // Another node controls the cluster from now on.
    broker.with(|cluster| cluster.stop_node(BrokerId(1)));
    admin.create_topic(&NewTopic::new("b", 1)).await.unwrap();
    let to = |cluster: &mut forebay_broker::Cluster| {
        let last = cluster.requests().filter(|seen| seen.api == ApiKey::CreateTopics).last();
        last.map(|seen| seen.node)
    };
    assert_eq!(broker.with(to), Some(BrokerId(2)));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_ends_the_call_at_its_time() {
    let config = ClientConfig { api_timeout: Duration::from_secs(5), ..client_at("nobody:1") };
    for manner in [Manner::Silent, Manner::Refuses] {
        let peer = Hostile::new(manner);
        let admin = Admin::with_connector(&config, peer, Clock::virtual_time()).unwrap();
        let begun = tokio::time::Instant::now();
        let told = admin.create_topics(&[NewTopic::new("a", 1)]).await;
        assert!(matches!(told, Err(Error::Timeout { .. })), "{told:?}");
        let told = admin.describe_topic(&name("a")).await;
        assert!(matches!(told, Err(Error::Timeout { .. })), "{told:?}");
        assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_stops_in_the_middle_holds_no_call_beyond_its_time() {
    let broker = Broker::builder().start_in_memory();
    broker.with(|cluster| cluster.create_topic("t", 1)).unwrap();
    let broker = Arc::new(broker);
    let config = ClientConfig { api_timeout: Duration::from_secs(5), ..client_of(&broker) };
    let pipes = Pipes::new(&broker);
    let admin = Admin::with_connector(&config, pipes, Clock::virtual_time()).unwrap();
    admin.describe_topic(&name("t")).await.unwrap();
    broker.with(|cluster| cluster.freeze_node(BrokerId(1)));
    let begun = tokio::time::Instant::now();
    let told = admin.describe_topics(&[name("t")]).await;
    assert!(matches!(told, Err(Error::Timeout { .. })), "{told:?}");
    let told = admin.list_topics().await;
    assert!(matches!(told, Err(Error::Timeout { .. })), "{told:?}");
    let took = begun.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&took), "{took:?}");
    broker.with(|cluster| cluster.thaw_node(BrokerId(1)));
    admin.describe_topic(&name("t")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_in_the_middle_costs_only_its_partitions() {
    let broker = broker(Release::V4_4);
    let config = ClientConfig { api_timeout: Duration::from_secs(10), ..client_of(&broker) };
    let pipes = Pipes::new(&broker);
    let admin = Admin::with_connector(&config, pipes, Clock::virtual_time()).unwrap();
    let all = [tp(0), tp(1), tp(2)];
    admin.list_offsets(&all, OffsetSpec::Latest).await.unwrap();
    broker.with(|cluster| cluster.freeze_node(BrokerId(3)));
    let begun = tokio::time::Instant::now();
    let listed = admin.list_offsets(&all, OffsetSpec::Latest).await.unwrap();
    assert!(listed[&tp(0)].is_ok() && listed[&tp(1)].is_ok(), "{listed:?}");
    let lost = listed[&tp(2)].as_ref().unwrap_err().to_string();
    assert!(lost.contains("no answer to ListOffsets"), "{lost}");
    let ids = [1, 2, 3].map(BrokerId);
    let dirs = admin.describe_log_dirs(&ids).await.unwrap();
    assert!(dirs[&ids[0]].is_ok() && dirs[&ids[1]].is_ok() && dirs[&ids[2]].is_err(), "{dirs:?}");
    assert!(begun.elapsed() < Duration::from_secs(21), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn single_settings_change_and_others_stay_on_every_release() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        let set = |key: &str, value: &str| (key.to_owned(), ConfigChange::Set(value.to_owned()));
        let first = BTreeMap::from([
            (topic("t"), vec![set("retention.ms", "60000"), set("segment.bytes", "2000000")]),
            (topic("none"), vec![set("retention.ms", "1")]),
        ]);
        let altered = admin.alter_configs(&first).await.unwrap();
        assert!(altered[&topic("t")].is_ok(), "{release:?}: {altered:?}");
        assert_eq!(code(&altered[&topic("none")]), Some(Code::UNKNOWN_TOPIC_OR_PARTITION));

        let second = vec![
            ("segment.bytes".to_owned(), ConfigChange::Delete),
            set("max.message.bytes", "1000"),
        ];
        let second = BTreeMap::from([(topic("t"), second)]);
        admin.alter_configs(&second).await.unwrap()[&topic("t")].as_ref().unwrap();
        let wrong = BTreeMap::from([(topic("t"), vec![set("retention.ms", "soon")])]);
        let told = admin.alter_configs(&wrong).await.unwrap();
        assert_eq!(code(&told[&topic("t")]), Some(Code::INVALID_CONFIG), "{release:?}");

        let all = admin.describe_configs(&[topic("t")]).await.unwrap();
        let entries = all[&topic("t")].as_ref().unwrap();
        let told =
            |key: &str| (entries[key].value.clone().unwrap_or_default(), entries[key].source);
        assert_eq!(told("retention.ms"), ("60000".to_owned(), ConfigSource::Topic), "{release:?}");
        assert_eq!(told("max.message.bytes"), ("1000".to_owned(), ConfigSource::Topic));
        assert_eq!(told("segment.bytes").1, ConfigSource::Default);
        // What older brokers do not know was asked for in the way that they do.
        let asked = |api| broker.with(|it| it.requests().filter(|seen| seen.api == api).count());
        let is_old = matches!(release, Release::V0_11 | Release::V1_1);
        assert_eq!(asked(ApiKey::AlterConfigs) != 0, is_old, "{release:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_brokers_own_settings_are_asked_of_it_and_not_replaced_by_old_ones() {
    let broker = broker(Release::V0_11);
    let admin = admin(&broker);
    let two = ConfigResource::Broker(BrokerId(2));
    let told = admin.describe_configs(std::slice::from_ref(&two)).await.unwrap();
    assert!(told[&two].as_ref().unwrap().contains_key("message.max.bytes"));
    let asked = |cluster: &mut forebay_broker::Cluster| {
        let mut asked = cluster.requests().filter(|seen| seen.api == ApiKey::DescribeConfigs);
        asked.all(|seen| seen.node == BrokerId(2))
    };
    assert!(broker.with(asked));
    let change = vec![("message.max.bytes".to_owned(), ConfigChange::Set("1".to_owned()))];
    let told = admin.alter_configs(&BTreeMap::from([(two.clone(), change)])).await.unwrap();
    assert!(matches!(told[&two], Err(Error::NotOffered { since: "2.3", .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn records_are_deleted_and_offsets_listed_where_they_are_led() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        for partition in 0..3 {
            for number in 0..10 {
                let at = 1_577_836_800_000 + 1_000 * number;
                let batch = BatchBuilder::at_time(at).record(None, Some(b"v")).build();
                broker.with(|cluster| cluster.append(&tp(partition), &batch)).unwrap();
            }
        }
        let before = BTreeMap::from([
            (tp(0), DeleteBefore::Offset(Offset(4))),
            (tp(1), DeleteBefore::End),
            (tp(2), DeleteBefore::Offset(Offset(11))),
            (tp(7), DeleteBefore::End),
        ]);
        let deleted = admin.delete_records(&before).await.unwrap();
        assert_eq!(deleted[&tp(0)].as_ref().unwrap(), &Offset(4), "{release:?}");
        assert_eq!(deleted[&tp(1)].as_ref().unwrap(), &Offset(10));
        assert_eq!(code(&deleted[&tp(2)]), Some(Code::OFFSET_OUT_OF_RANGE));
        assert_eq!(code(&deleted[&tp(7)]), Some(Code::UNKNOWN_TOPIC_OR_PARTITION));

        let offsets = async |spec| {
            let partitions = [tp(0), tp(1), tp(2)];
            let listed = admin.list_offsets(&partitions, spec).await.unwrap();
            partitions.map(|tp| listed[&tp].as_ref().unwrap().offset.0)
        };
        assert_eq!(offsets(OffsetSpec::Earliest).await, [4, 10, 0], "{release:?}");
        assert_eq!(offsets(OffsetSpec::Latest).await, [10, 10, 10]);
        assert_eq!(offsets(OffsetSpec::At(1_577_836_805_500)).await, [6, -1, 6]);
        let newest = admin.list_offsets(&[tp(2)], OffsetSpec::MaxTimestamp).await.unwrap();
        if release < Release::V3_9 {
            assert!(matches!(newest[&tp(2)], Err(Error::NotOffered { since: "3.0", .. })));
        } else {
            let newest = newest[&tp(2)].as_ref().unwrap();
            assert_eq!((newest.offset.0, newest.timestamp), (9, Some(1_577_836_809_000)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_carries_the_leader_epoch_that_is_known_for_it() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        for node in [2, 3, 2] {
            broker.with(|cluster| cluster.move_leader(&tp(0), BrokerId(node))).unwrap();
        }
        let end = admin.list_offsets(&[tp(0)], OffsetSpec::Latest).await.unwrap();
        let end = end[&tp(0)].as_ref().unwrap();
        let known = CommittedOffset::new(Position(end.offset.0), end.epoch);
        let of_other = CommittedOffset::new(Position(5), LeaderEpoch(2));
        let offsets =
            BTreeMap::from([(tp(0), known), (tp(1), of_other), (tp(2), Position(7).into())]);
        admin.commit_offsets("g", &offsets).await.unwrap();
        let told = admin.committed_offsets("g", &[tp(0), tp(1), tp(2)]).await.unwrap();
        let told = told.values().map(|it| (it.position.0, it.epoch.0));
        let tells_epochs = Release::V2_8 <= release;
        let epochs = if tells_epochs { [end.epoch.0, 2, -1] } else { [-1; 3] };
        assert!(!tells_epochs || 3 <= end.epoch.0, "{end:?}");
        let expected = [(0, epochs[0]), (5, epochs[1]), (7, epochs[2])];
        assert_eq!(told.collect::<Vec<_>>(), expected, "{release:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moved_is_found_and_one_that_is_gone_costs_only_its_partitions() {
    let broker = broker(Release::V4_4);
    let mut config = client_of(&broker);
    config.api_timeout = Duration::from_secs(5);
    let pipes = Pipes::new(&broker);
    let admin = Admin::with_connector(&config, pipes, Clock::virtual_time()).unwrap();
    let moved = Fault::new(Effect::Error(Code::NOT_LEADER_OR_FOLLOWER)).partition(tp(1));
    broker.with(|cluster| cluster.script(moved.times(2)));
    let listed = admin.list_offsets(&[tp(0), tp(1), tp(2)], OffsetSpec::Latest).await.unwrap();
    assert!(listed.values().all(Result::is_ok), "{listed:?}");

    let (leader, _) = broker.with(|cluster| cluster.leader(&tp(2))).unwrap();
    broker.with(|cluster| cluster.stop_node(leader));
    let listed = admin.list_offsets(&[tp(0), tp(1), tp(2)], OffsetSpec::Latest).await.unwrap();
    assert!(listed[&tp(0)].is_ok() && listed[&tp(1)].is_ok(), "{listed:?}");
    let lost = listed[&tp(2)].as_ref().unwrap_err();
    assert!(matches!(lost, Error::Timeout { last: Some(_), .. }), "{lost:?}");
    assert!(lost.to_string().contains("has no leader"), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn the_cluster_and_its_directories_are_described() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        let cluster = admin.describe_cluster().await.unwrap();
        let ids: Vec<_> = cluster.brokers.iter().map(|node| node.id.0).collect();
        assert_eq!((ids, cluster.controller), (vec![1, 2, 3], Some(BrokerId(1))));
        assert!(cluster.id.is_some_and(|id| !id.is_empty()));
        let told = admin.describe_log_dirs(&[BrokerId(1), BrokerId(3)]).await.unwrap();
        assert_eq!(told.len(), 2);
        for (broker, dirs) in told {
            if release == Release::V0_11 {
                assert!(matches!(dirs, Err(Error::NotOffered { since: "1.0", .. })), "{dirs:?}");
                continue;
            }
            let dirs = dirs.unwrap();
            assert_eq!(dirs.len(), 1);
            assert_eq!(dirs[0].total_bytes.is_some(), Release::V3_9 <= release, "{release:?}");
            let here: Vec<_> = dirs[0].replicas.iter().map(|it| it.tp.clone()).collect();
            assert_eq!(here, [tp(broker.0 - 1)], "one partition for each node");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_move_and_leaders_are_elected_where_that_is_offered() {
    for release in ALL {
        let broker = broker(release);
        let admin = admin(&broker);
        let targets = BTreeMap::from([
            (tp(0), Some(vec![BrokerId(3), BrokerId(1)])),
            (tp(1), Some(vec![BrokerId(9)])),
            (tp(2), None),
        ]);
        let moved = admin.alter_partition_reassignments(&targets).await;
        let elected = admin.elect_leaders(Election::Preferred, &[tp(0), tp(2)]).await;
        if release < Release::V2_8 {
            assert!(matches!(moved, Err(Error::NotOffered { since: "2.4", .. })), "{moved:?}");
            assert!(matches!(elected, Err(Error::NotOffered { since: "2.2", .. })));
            let unclean = admin.elect_leaders(Election::Unclean, &[tp(0)]).await;
            assert!(matches!(unclean, Err(Error::NotOffered { since: "2.4", .. })));
            let moving = admin.list_partition_reassignments(None).await;
            assert!(matches!(moving, Err(Error::NotOffered { .. })));
            continue;
        }
        let moved = moved.unwrap();
        assert!(moved[&tp(0)].is_ok(), "{moved:?}");
        assert_eq!(code(&moved[&tp(1)]), Some(Code::INVALID_REPLICA_ASSIGNMENT));
        assert_eq!(code(&moved[&tp(2)]), Some(Code::NO_REASSIGNMENT_IN_PROGRESS));
        assert_eq!(admin.list_partition_reassignments(None).await.unwrap(), BTreeMap::new());
        // The old leader stayed, since it is one of the new replicas.
        let elected = elected.unwrap();
        assert_eq!(elected[&tp(0)].as_ref().unwrap(), &Elected::Now);
        assert_eq!(elected[&tp(2)].as_ref().unwrap(), &Elected::NotNeeded);
        let t = admin.describe_topic(&name("t")).await.unwrap();
        assert_eq!(t.partitions[0].leader, Some(BrokerId(3)));
        assert_eq!(t.partitions[0].replicas, [BrokerId(3), BrokerId(1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_answers_are_errors_and_never_panics() {
    let broker = broker(Release::V4_4);
    let mut config = client_of(&broker);
    config.api_timeout = Duration::from_secs(3);
    let pipes = Pipes::new(&broker);
    let admin = Admin::with_connector(&config, pipes, Clock::virtual_time()).unwrap();
    for effect in [
        Effect::Cut(7),
        Effect::Twice,
        Effect::WrongCorrelationId,
        Effect::Body(bytes::Bytes::from_static(&[0, 0, 0, 0, 0x7f, 0xff])),
        Effect::Body(bytes::Bytes::from_static(&[0xff; 40])),
    ] {
        for api in [ApiKey::DescribeConfigs, ApiKey::DescribeLogDirs, ApiKey::ListOffsets] {
            let always = Fault::new(effect.clone()).api(api).times(u32::MAX);
            broker.with(|cluster| cluster.script(always));
        }
        drop(admin.describe_configs(&[topic("t")]).await);
        drop(admin.describe_log_dirs(&[BrokerId(1)]).await);
        drop(admin.list_offsets(&[tp(0)], OffsetSpec::Latest).await);
        broker.with(forebay_broker::Cluster::clear_script);
        let listed = admin.list_offsets(&[tp(0)], OffsetSpec::Latest).await.unwrap();
        assert!(listed[&tp(0)].is_ok(), "{effect:?}: {listed:?}");
    }
}
