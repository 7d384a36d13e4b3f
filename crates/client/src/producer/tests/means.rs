//! What the producer does with brokers' answers and with its own means, in virtual time.

use super::*;
use crate::Admin;

fn produced(broker: &Broker) -> Vec<Duration> {
    broker.with(|cluster| {
        let seen = cluster.requests().filter(|seen| seen.api == ApiKey::Produce);
        seen.map(|seen| seen.at).collect()
    })
}

/// Nothing of `buffer.memory` is lost, whatever happened.
fn room(producer: &Producer) -> usize {
    producer.shared.pool.room().available_permits()
}

#[tokio::test(start_paused = true)]
async fn a_batch_too_large_for_its_broker_is_split_until_its_records_fit() {
    for (compression, limit) in [(Compression::None, "500"), (Compression::Lz4, "170")] {
        let broker = broker(Release::V4_4, 1);
        broker.with(|cluster| cluster.configure_topic(TOPIC, "max.message.bytes", limit)).unwrap();
        let producer = start(&broker, |config| config.compression = compression);
        let mut receipts = Vec::new();
        for number in 0..40 {
            let value = format!("{number:050}");
            let headers = [Header { key: b"h", value: Some(b"1") }];
            let record = ProducerRecord::new(TOPIC, value.as_bytes()).headers(&headers);
            receipts.push(producer.send(record.key(value.as_bytes())).await.unwrap());
        }
        producer.flush().await.unwrap();
        for (offset, receipt) in (0..).zip(&receipts) {
            let delivery = receipt.result().unwrap().unwrap();
            assert_eq!(delivery.offset, Some(Offset(offset)), "{compression:?}");
        }
        let batches = broker.with(|cluster| cluster.batches(&tp(0), 0));
        assert!(4 < batches.len() && batches.len() < 40, "{compression:?}: {}", batches.len());
        assert_eq!(stored(&broker, 0), 40);
        assert_eq!(room(&producer), 32 << 20);

        let mut rng = Rng::from_seed(1);
        let noise: Vec<u8> = (0..125).flat_map(|_| rng.any().to_be_bytes()).collect();
        let refused = producer.send(ProducerRecord::new(TOPIC, &noise)).await.unwrap();
        let error = refused.delivered().await.unwrap_err();
        assert_eq!(error.broker_error(), Some(10), "one record cannot be split");
        send(&producer, "after").await.delivered().await.unwrap();
        assert_eq!(stored(&broker, 0), 41);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_refused_once_is_not_tried_again() {
    let broker = broker(Release::V4_4, 1);
    let limit = |bytes| {
        broker.with(|cluster| cluster.configure_topic(TOPIC, "max.message.bytes", bytes)).unwrap();
    };
    let producer = start(&broker, |_| {});
    // How many requests it takes to write this, and how many batches that makes.
    let burst = async || {
        let (before, had) =
            (produced(&broker).len(), broker.with(|it| it.batches(&tp(0), 0).len()));
        for number in 0..200 {
            send(&producer, &format!("{number:0100}")).await;
        }
        producer.flush().await.unwrap();
        let batches = broker.with(|it| it.batches(&tp(0), 0).len()) - had;
        (produced(&broker).len() - before, batches)
    };
    let (requests, batches) = burst().await;
    assert_eq!(requests, batches, "nothing is refused");
    limit("1000");
    let (requests, batches) = burst().await;
    assert!(batches < requests, "{batches} batches in {requests} requests: some are refused");
    let (requests, batches) = burst().await;
    assert_eq!(requests, batches, "what is too large is known");
    assert!(batches < 100, "records still share batches: {batches}");
    // A single record may be as large as the broker takes it.
    limit("20000");
    send(&producer, &"x".repeat(10_000)).await.delivered().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn try_send_gives_the_record_back_when_it_would_have_to_wait() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.buffer_memory = 4096;
        config.linger = Duration::from_secs(60);
    });
    let value = [b'v'; 1000];
    let record = ProducerRecord::new(TOPIC, &value).key(b"key");
    let early = producer.try_send(record).unwrap_err();
    assert!(matches!(*early.error, Error::TopicNotKnownYet { .. }), "{early}");
    assert!(early.error.is_retriable());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut receipts = Vec::new();
    let full = loop {
        match producer.try_send(record) {
            Ok(receipt) => receipts.push(receipt),
            Err(full) => break full,
        }
    };
    assert!(matches!(*full.error, Error::BufferFull { limit: 4096, .. }), "{full}");
    assert_eq!((full.record.key, full.record.value), (record.key, record.value));
    assert_eq!(receipts.len(), 3);
    // The refusal hurried what lingered.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(receipts.iter().all(|receipt| matches!(receipt.result(), Some(Ok(_)))));
    receipts.push(producer.try_send(full.record).unwrap());
    producer.flush().await.unwrap();
    assert_eq!(stored(&broker, 0), 4);
    assert_eq!(room(&producer), 4096);
    let huge = vec![0; 2 << 20];
    let refused = producer.try_send(ProducerRecord::new(TOPIC, &huge)).unwrap_err();
    assert!(matches!(*refused.error, Error::RecordTooLarge { .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_waits_for_the_brokers_and_not_for_linger() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.buffer_memory = 4096;
        config.linger = Duration::from_secs(60);
    });
    let begun = tokio::time::Instant::now();
    for _ in 0..100 {
        send(&producer, &"x".repeat(400)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // A send that is given up takes nothing.
    let waits = async {
        loop {
            send(&producer, &"x".repeat(400)).await;
        }
    };
    broker.with(|cluster| cluster.freeze_node(BrokerId(1)));
    broker.with(|cluster| cluster.freeze_node(BrokerId(2)));
    assert!(tokio::time::timeout(Duration::from_secs(2), waits).await.is_err());
    broker.with(|cluster| cluster.thaw_node(BrokerId(1)));
    broker.with(|cluster| cluster.thaw_node(BrokerId(2)));
    producer.flush().await.unwrap();
    assert_eq!(room(&producer), 4096);
}

#[tokio::test(start_paused = true)]
async fn new_partitions_of_a_topic_are_written_to_when_they_are_asked_for_and_soon_anyway() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| {
        config.batch_size = 300;
        config.client.metadata_max_age = Duration::from_secs(30);
    });
    send(&producer, "before").await.delivered().await.unwrap();
    let admin =
        Admin::with_connector(&client_of(&broker), Pipes::new(&broker), Clock::virtual_time());
    admin.unwrap().create_partitions(&[(TOPIC.into(), 3)].into()).await.unwrap();
    let asked = producer.send(ProducerRecord::new(TOPIC, b"asked").partition(2)).await.unwrap();
    assert_eq!(asked.delivered().await.unwrap().tp, tp(2));
    let none = producer.send(ProducerRecord::new(TOPIC, b"none").partition(3)).await;
    assert!(matches!(none, Err(Error::UnknownPartition { partitions: 3, .. })), "{none:?}");
    tokio::time::sleep(Duration::from_secs(40)).await;
    for _ in 0..100 {
        producer.send(ProducerRecord::new(TOPIC, &[7; 100])).await.unwrap();
    }
    producer.flush().await.unwrap();
    assert!((0..3).all(|partition| 5 < stored(&broker, partition)));
}

#[tokio::test(start_paused = true)]
async fn a_question_about_the_cluster_does_not_wait_behind_batches() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |_| {});
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| cluster.create_topic("other", 1)).unwrap();
    let slow = Effect::Delay(Duration::from_secs(20));
    broker.with(|cluster| cluster.script(Script::new(slow).api(ApiKey::Produce)));
    let stuck = send(&producer, "slow").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = tokio::time::Instant::now();
    producer.send(ProducerRecord::new("other", b"x")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    stuck.delivered().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn records_gather_in_one_batch_while_earlier_ones_are_on_their_way() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.linger = Duration::ZERO);
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| cluster.clear_requests());
    let slow = Effect::Delay(Duration::from_millis(100));
    broker.with(|cluster| cluster.script(Script::new(slow).api(ApiKey::Produce).times(u32::MAX)));
    for _ in 0..1000 {
        send(&producer, "value").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    producer.flush().await.unwrap();
    assert_eq!(stored(&broker, 0), 1001);
    let requests = produced(&broker).len();
    assert!(requests < 100, "{requests} requests for a second at 100 ms each");
}

#[tokio::test(start_paused = true)]
async fn a_lone_record_that_may_not_linger_leaves_at_once() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.linger = Duration::ZERO);
    send(&producer, "before").await.delivered().await.unwrap();
    let begun = tokio::time::Instant::now();
    send(&producer, "at once").await.delivered().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_that_the_old_one_names_gets_the_batch_at_once() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.linger = Duration::ZERO);
    send(&producer, "before").await.delivered().await.unwrap();
    for round in 0..4 {
        let (leader, _) = broker.with(|cluster| cluster.leader(&tp(0))).unwrap();
        broker.with(|cluster| cluster.move_leader(&tp(0), BrokerId(3 - leader.0))).unwrap();
        let begun = tokio::time::Instant::now();
        send(&producer, "value").await.delivered().await.unwrap();
        assert!(begun.elapsed() < Duration::from_millis(20), "{round}: {:?}", begun.elapsed());
    }
    assert_eq!(stored(&broker, 0), 5);
}

#[tokio::test(start_paused = true)]
async fn a_sequence_that_broke_goes_on_under_another_identity_and_nothing_is_given_up() {
    for code in [
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode::UNKNOWN_PRODUCER_ID,
        ErrorCode::INVALID_PRODUCER_EPOCH,
    ] {
        let broker = broker(Release::V4_4, 1);
        let producer = start(&broker, |_| {});
        send(&producer, "before").await.delivered().await.unwrap();
        broker.with(|cluster| {
            cluster.script(Script::new(Effect::Error(code)).api(ApiKey::Produce));
        });
        let receipts = [send(&producer, "first").await, send(&producer, "second").await];
        for (offset, receipt) in (1..).zip(receipts) {
            let delivery = receipt.delivered().await.unwrap();
            assert_eq!(delivery.offset, Some(Offset(offset)), "{code:?}");
        }
        let asked = broker.with(|cluster| {
            cluster.requests().filter(|seen| seen.api == ApiKey::InitProducerId).count()
        });
        assert_eq!(asked, 2, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_asks_for_quiet_gets_it() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.linger = Duration::ZERO);
    send(&producer, "before").await.delivered().await.unwrap();
    let quiet = Effect::Throttle(Duration::from_secs(5));
    broker.with(|cluster| cluster.script(Script::new(quiet).api(ApiKey::Produce)));
    send(&producer, "throttled").await.delivered().await.unwrap();
    broker.with(|cluster| cluster.clear_requests());
    let begun = tokio::time::Instant::now();
    send(&producer, "after").await.delivered().await.unwrap();
    assert!(Duration::from_secs(5) <= begun.elapsed(), "{:?}", begun.elapsed());
    assert_eq!(produced(&broker).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_the_broker_said_last() {
    let broker = broker(Release::V4_4, 1);
    let producer = start(&broker, |config| config.delivery_timeout = Duration::from_secs(40));
    send(&producer, "before").await.delivered().await.unwrap();
    let refusal = Effect::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    broker
        .with(|cluster| cluster.script(Script::new(refusal).api(ApiKey::Produce).times(u32::MAX)));
    let failed = send(&producer, "never").await.delivered().await.unwrap_err();
    assert!(matches!(failed, Error::Timeout { .. }), "surely not written: {failed}");
    assert!(failed.to_string().contains("NOT_ENOUGH_REPLICAS"), "{failed}");
    let requests = produced(&broker).len();
    assert!(requests < 100, "{requests} requests in 40 s are no hot loop");
}

#[tokio::test(start_paused = true)]
async fn while_a_broker_is_away_it_is_dialled_with_patience_and_then_found_again() {
    let broker = broker(Release::V4_4, 1);
    let pipes = Pipes::new(&broker);
    let config = ProducerConfig { client: client_of(&broker), ..ProducerConfig::default() };
    let builder = Producer::builder().config(config).connector(Arc::<Pipes>::clone(&pipes));
    let producer = builder.placement(Placement::Caller).build().unwrap();
    send(&producer, "before").await.delivered().await.unwrap();
    broker.with(|cluster| {
        cluster.stop_node(BrokerId(1));
        cluster.stop_node(BrokerId(2));
    });
    let before = pipes.dialled();
    let receipt = send(&producer, "during").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let dialled = pipes.dialled() - before;
    assert!(5 < dialled && dialled < 300, "{dialled} dials in a minute");
    broker.with(|cluster| {
        cluster.start_node(BrokerId(1));
        cluster.start_node(BrokerId(2));
    });
    let begun = tokio::time::Instant::now();
    receipt.delivered().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
