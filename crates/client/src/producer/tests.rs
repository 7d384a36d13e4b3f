//! The producer over the in-process broker, in virtual time.

use std::collections::BTreeMap;

use forebay_broker::{Broker, Effect, ErrorCode, Fault as Script, Head, Release};
use forebay_protocol::api::ApiKey;
use forebay_protocol::records::header::Header;
use forebay_protocol::types::{BrokerId, Offset};

use super::*;
use crate::config::{Acks, Compression};
use crate::net::pipes::{Hostile, Manner, Pipes, client_at, client_of, eventually};

const TOPIC: &str = "orders";

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new(TOPIC, partition)
}

fn broker(release: Release, partitions: i32) -> Arc<Broker> {
    let broker = Broker::builder().nodes(2).pose_as(release).start_in_memory();
    broker.with(|cluster| cluster.create_topic(TOPIC, partitions)).unwrap();
    Arc::new(broker)
}

fn start(broker: &Arc<Broker>, change: impl FnOnce(&mut ProducerConfig)) -> Producer {
    let mut config = ProducerConfig { client: client_of(broker), ..ProducerConfig::default() };
    change(&mut config);
    let builder = Producer::builder().config(config).connector(Pipes::new(broker));
    builder.placement(Placement::Caller).build().unwrap()
}

/// How many records a partition holds.
fn stored(broker: &Broker, partition: i32) -> i64 {
    broker.with(|cluster| cluster.high_watermark(&tp(partition))).unwrap()
}

async fn send(producer: &Producer, value: &str) -> Receipt {
    let record = ProducerRecord::new(TOPIC, value.as_bytes()).partition(0);
    producer.send(record).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_receipt_tells_partition_and_offset() {
    for release in [Release::V0_11, Release::V1_1, Release::V2_8, Release::V3_9, Release::V4_4] {
        let broker = broker(release, 4);
        let producer = start(&broker, |_| {});
        let mut receipts = Vec::new();
        for _ in 0..3 {
            let record = ProducerRecord::new(TOPIC, b"value").key(b"foobar");
            receipts.push(producer.send(record).await.unwrap());
        }
        for (offset, receipt) in (0..).zip(receipts) {
            let delivery = receipt.delivered().await.unwrap();
            // murmur2("foobar") is -790332482.
            assert_eq!(delivery.tp, tp((-790_332_482_i32 & i32::MAX) % 4));
            assert_eq!(delivery.offset, Some(Offset(offset)), "{release:?}");
        }
        producer.close(Duration::from_secs(1)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_when_it_is_full_or_has_lingered_and_not_before() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.linger = Duration::from_millis(100);
        config.batch_size = 1000;
    });
    send(&producer, "first").await.delivered().await.unwrap();
    let begun = tokio::time::Instant::now();
    send(&producer, "lingers").await.delivered().await.unwrap();
    assert!(Duration::from_millis(100) <= begun.elapsed());
    let full = "x".repeat(600);
    let begun = tokio::time::Instant::now();
    let first = send(&producer, &full).await;
    send(&producer, &full).await;
    first.delivered().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn records_without_a_key_spread_over_partitions_batch_by_batch() {
    let broker = broker(Release::V4_4, 4);
    let producer = start(&broker, |config| config.batch_size = 1000);
    for _ in 0..400 {
        producer.send(ProducerRecord::new(TOPIC, &[7; 100])).await.unwrap();
    }
    producer.flush().await.unwrap();
    let counts: Vec<_> = (0..4).map(|partition| stored(&broker, partition)).collect();
    assert_eq!(counts.iter().sum::<i64>(), 400);
    assert!(counts.iter().all(|count| (80..=120).contains(count)), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_a_leader_answers_or_loses_records_are_stored_once_and_in_order() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::LEADER_NOT_AVAILABLE,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::NOT_ENOUGH_REPLICAS,
    ];
    let effects = codes.map(Effect::Error).into_iter().chain([
        Effect::DropAnswer,
        Effect::DoAndClose,
        Effect::Close,
        Effect::Cut(9),
        Effect::Twice,
        Effect::WrongCorrelationId,
        Effect::Garbage(bytes::Bytes::from_static(&[0xff; 8])),
        Effect::Throttle(Duration::from_secs(3)),
    ]);
    for effect in effects {
        let broker = broker(Release::V4_4, 1);
        let producer = start(&broker, |config| {
            config.batch_size = 200;
            config.linger = Duration::from_millis(1);
        });
        send(&producer, "warm").await.delivered().await.unwrap();
        broker.with(|cluster| {
            cluster.script(Script::new(effect.clone()).api(ApiKey::Produce).after(1).times(3));
        });
        let mut receipts = Vec::new();
        for number in 0..60 {
            receipts.push(send(&producer, &format!("{number:050}")).await);
        }
        producer.flush().await.unwrap();
        for (offset, receipt) in (1..).zip(receipts) {
            let delivery = receipt.result().unwrap().unwrap();
            assert!(delivery.offset.is_none_or(|at| at == Offset(offset)), "{effect:?}");
        }
        assert_eq!(stored(&broker, 0), 61, "{effect:?}: each once");
        assert_eq!(values(&broker), (0..60).collect::<Vec<_>>(), "{effect:?}: in order");
    }
}

/// The numbers that were sent, in the order of the log.
fn values(broker: &Broker) -> Vec<u32> {
    let batches = broker.with(|cluster| cluster.batches(&tp(0), 0));
    let mut numbers = Vec::new();
    for batch in batches {
        let text = String::from_utf8_lossy(&batch).into_owned();
        let is_digit = |c: char| c.is_ascii_digit();
        let runs = text.split(|c| !is_digit(c)).filter(|run| 50 <= run.len());
        numbers.extend(runs.map(|run| run[run.len() - 10..].parse::<u32>().unwrap()));
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_is_followed() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |_| {});
    for round in 0..6 {
        let to = BrokerId(1 + round % 2);
        broker.with(|cluster| cluster.move_leader(&tp(0), to)).unwrap();
        send(&producer, "value").await.delivered().await.unwrap();
    }
    assert_eq!(stored(&broker, 0), 6);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_for_a_minute_loses_nothing() {
    let broker = broker(Release::V4_4, 2);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| {
        cluster.stop_node(BrokerId(1));
        cluster.stop_node(BrokerId(2));
    });
    let receipt = send(&producer, "during").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(receipt.result().is_none());
    broker.with(|cluster| {
        cluster.start_node(BrokerId(1));
        cluster.start_node(BrokerId(2));
    });
    receipt.delivered().await.unwrap();
    assert_eq!(stored(&broker, 0), 2);
}

#[tokio::test(start_paused = true)]
async fn a_partition_without_leader_is_asked_for_until_it_has_one() {
    let broker = broker(Release::V4_4, 2);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    let leader = broker.with(|cluster| cluster.leader(&tp(0))).unwrap().0;
    broker.with(|cluster| cluster.stop_node(leader));
    let receipt = send(&producer, "during").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    broker.with(|cluster| cluster.start_node(leader));
    let begun = tokio::time::Instant::now();
    receipt.delivered().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_sent_fails_after_the_delivery_timeout() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.delivery_timeout = Duration::from_secs(40));
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| {
        cluster.stop_node(BrokerId(1));
        cluster.stop_node(BrokerId(2));
    });
    let begun = tokio::time::Instant::now();
    let failed = send(&producer, "never").await.delivered().await;
    assert!(begun.elapsed() < Duration::from_secs(41), "{:?}", begun.elapsed());
    assert!(matches!(failed, Err(Error::Timeout { .. })), "it never left: {failed:?}");
    assert!(producer.flush().await.is_err(), "a flush tells it too");
    assert!(producer.flush().await.is_ok(), "once");
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_fails_alone_and_the_next_is_stored() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| {
        let refusal = Effect::Error(ErrorCode::MESSAGE_TOO_LARGE);
        cluster.script(Script::new(refusal).api(ApiKey::Produce));
    });
    let refused = send(&producer, "refused").await.delivered().await;
    assert_eq!(refused.unwrap_err().broker_error(), Some(10));
    send(&producer, "after").await.delivered().await.unwrap();
    assert_eq!(stored(&broker, 0), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_forgot_the_producer_is_told_a_new_one() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| cluster.forget_producers(&tp(0))).unwrap();
    drop(send(&producer, "doubtful").await.delivered().await);
    send(&producer, "after").await.delivered().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_record_over_the_limits_is_refused_at_once() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.max_request_size = 2000);
    let refused = producer.send(ProducerRecord::new(TOPIC, &[0; 2000])).await;
    assert!(matches!(refused, Err(Error::RecordTooLarge { limit: 2000, .. })), "{refused:?}");
    let none = producer.send(ProducerRecord::new(TOPIC, b"x").partition(1)).await;
    assert!(matches!(none, Err(Error::UnknownPartition { partitions: 1, .. })), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn zstd_is_refused_before_sending_where_the_broker_cannot_read_it() {
    for (release, is_offered) in [(Release::V1_1, false), (Release::V2_8, true)] {
        let broker = broker(release, 1);
        let producer = start(&broker, |config| config.compression = Compression::Zstd);
        let sent = send(&producer, "value").await.delivered().await;
        match sent {
            Ok(_) => assert!(is_offered),
            Err(Error::NotOffered { since, .. }) => assert!(!is_offered && since == "2.1"),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(stored(&broker, 0), i64::from(is_offered));
        let asked =
            broker.with(|cluster| cluster.requests().any(|seen| seen.api == ApiKey::Produce));
        assert_eq!(asked, is_offered, "not one byte is sent");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_topic_is_told_after_the_api_timeout_and_a_new_one_is_found() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.client.api_timeout = Duration::from_secs(5));
    let begun = tokio::time::Instant::now();
    let unknown = producer.send(ProducerRecord::new("nowhere", b"x")).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic { .. })), "{unknown:?}");
    assert!(begun.elapsed() < Duration::from_secs(6));
    let (sent, ()) = tokio::join!(producer.send(ProducerRecord::new("late", b"x")), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        broker.with(|cluster| cluster.create_topic("late", 1)).unwrap();
    });
    sent.unwrap().delivered().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_makes_send_wait_until_records_are_through() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.buffer_memory = 4096;
        config.batch_size = 1024;
    });
    send(&producer, "warm").await.delivered().await.unwrap();
    let slow = Effect::Delay(Duration::from_secs(10));
    broker.with(|cluster| cluster.script(Script::new(slow).api(ApiKey::Produce).times(u32::MAX)));
    let begun = tokio::time::Instant::now();
    for _ in 0..20 {
        send(&producer, &"x".repeat(400)).await;
    }
    assert!(Duration::from_secs(10) <= begun.elapsed(), "{:?}", begun.elapsed());
    producer.flush().await.unwrap();
    assert_eq!(stored(&broker, 0), 21);
}

#[tokio::test(start_paused = true)]
async fn close_returns_by_its_deadline_and_fails_what_is_not_through() {
    let peer = Hostile::new(Manner::Silent);
    let config = ProducerConfig { client: client_at("broker:9092"), ..ProducerConfig::default() };
    let builder = Producer::builder().config(config).connector(peer);
    let producer = builder.placement(Placement::Caller).build().unwrap();
    let begun = tokio::time::Instant::now();
    producer.close(Duration::from_secs(2)).await.unwrap();

    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    let silent = Script::new(Effect::DropAnswer).api(ApiKey::Produce).times(u32::MAX);
    broker.with(|cluster| cluster.script(silent));
    let receipt = send(&producer, "during").await;
    let clone = producer.clone();
    let closed = producer.close(Duration::from_secs(2)).await;
    let left = matches!(closed, Err(Error::Undelivered { records: 1, unknown: 1, .. }));
    assert!(left, "{closed:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let failed = receipt.delivered().await;
    assert!(matches!(failed, Err(Error::Unknown { .. })), "{failed:?}");
    let refused = clone.send(ProducerRecord::new(TOPIC, b"late").partition(0)).await;
    assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    assert!(matches!(clone.flush().await, Err(Error::Closed)));
}

#[test]
fn a_thread_closes_a_producer_without_a_runtime_when_all_is_stored_or_the_time_is_over() {
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = threads.unwrap();
    let broker = runtime.block_on(async { broker(Release::V4_4, 1) });
    let config = ProducerConfig { client: client_of(&broker), ..ProducerConfig::default() };
    let builder = || Producer::builder().config(config.clone()).connector(Pipes::new(&broker));

    let producer = builder().build().unwrap();
    let receipt = runtime.block_on(send(&producer, "value"));
    producer.close_blocking(Duration::from_secs(10)).unwrap();
    assert_eq!(stored(&broker, 0), 1);
    assert!(runtime.block_on(receipt.delivered()).is_ok());

    let producer = builder().build().unwrap();
    let silent = Script::new(Effect::DropAnswer).api(ApiKey::Produce).times(u32::MAX);
    broker.with(|cluster| cluster.script(silent));
    drop(runtime.block_on(send(&producer, "never acknowledged")));
    let begun = std::time::Instant::now();
    let closed = producer.close_blocking(Duration::from_millis(300));
    assert!(matches!(closed, Err(Error::Undelivered { records: 1, .. })), "{closed:?}");
    assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_still_delivers_what_was_sent() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.linger = Duration::from_secs(10));
    send(&producer, "value").await;
    drop(producer);
    eventually("it is stored", || stored(&broker, 0) == 1).await;
    eventually("all is closed", || broker.with(|cluster| cluster.connection_count()) == 0).await;
}

#[tokio::test(start_paused = true)]
async fn without_idempotence_the_leader_alone_may_acknowledge() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.acks = Acks::Leader;
        config.idempotence = false;
    });
    send(&producer, "value").await.delivered().await.unwrap();
    let asked =
        broker.with(|cluster| cluster.requests().any(|seen| seen.api == ApiKey::InitProducerId));
    assert!(!asked);
}

#[tokio::test(start_paused = true)]
async fn each_codec_and_each_part_of_a_record_arrives() {
    let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }];
    let mut sizes = BTreeMap::new();
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let broker = broker(Release::V4_4, 1);
        let producer = start(&broker, |config| config.compression = compression);
        let value = [b'v'; 10_000];
        let record = ProducerRecord::new(TOPIC, &value).headers(&headers).timestamp(1234);
        producer.send(record).await.unwrap().delivered().await.unwrap();
        let tombstone = ProducerRecord { value: None, ..ProducerRecord::new(TOPIC, b"") };
        producer.send(tombstone.key(b"k")).await.unwrap().delivered().await.unwrap();
        let batches = broker.with(|cluster| cluster.batches(&tp(0), 0));
        let head = Head::read(&batches[0]).unwrap();
        sizes.insert(format!("{compression:?}"), head.size().unwrap());
        assert_eq!(stored(&broker, 0), 2);
    }
    let plain = sizes.remove("None").unwrap();
    assert!(sizes.values().all(|size| size * 5 < plain), "{sizes:?} of {plain}");
}

mod means;
