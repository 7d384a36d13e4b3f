//! The producer, by hand over a real broker.

use super::*;
use crate::admin::{Admin, NewTopic, OffsetSpec};
use crate::config::{Compression, parse_addresses};

async fn lab() -> (String, String, Admin) {
    let bootstrap = std::env::var("FOREBAY_BOOTSTRAP").unwrap();
    let mut config = crate::config::ClientConfig::default();
    config.bootstrap_servers = parse_addresses(&bootstrap).unwrap();
    let admin = Admin::new(&config).unwrap();
    let topic = format!("produce-{}", fastrand::u32(..));
    admin.create_topic(&NewTopic::new(topic.as_str(), 4)).await.unwrap();
    (bootstrap, topic, admin)
}

#[tokio::test]
#[ignore = "needs a real broker: FOREBAY_BOOTSTRAP=host:port"]
async fn records_are_stored_where_their_receipts_say() {
    let (bootstrap, topic, admin) = lab().await;
    for compression in [Compression::None, Compression::Lz4, Compression::Gzip, Compression::Snappy]
    {
        let producer = Producer::builder()
            .bootstrap_servers(&bootstrap)
            .compression(compression)
            .build()
            .unwrap();
        let record = ProducerRecord::new(&topic, b"value").key(b"foobar");
        let receipt = producer.send(record).await.unwrap();
        let delivery = receipt.delivered().await.unwrap();
        eprintln!("{delivery:?}");
        assert_eq!(delivery.tp.partition, (-790_332_482_i32 & i32::MAX) % 4);
        producer.close(Duration::from_secs(5)).await.unwrap();
    }
    let tps: Vec<_> = (0..4).map(|number| TopicPartition::new(topic.as_str(), number)).collect();
    let ends = admin.list_offsets(&tps, OffsetSpec::Latest).await.unwrap();
    assert_eq!(ends.values().map(|it| it.offset.0).sum::<i64>(), 4, "{ends:?}");
}

#[tokio::test]
#[ignore = "needs a real broker: FOREBAY_BOOTSTRAP=host:port"]
async fn a_topic_is_filled_fast() {
    const RECORDS: u32 = 1_000_000;
    let (bootstrap, topic, admin) = lab().await;
    let producer = Producer::builder().bootstrap_servers(&bootstrap).build().unwrap();
    producer.send(ProducerRecord::new(&topic, b"warm")).await.unwrap().delivered().await.unwrap();
    let begun = std::time::Instant::now();
    let value = [7; 100];
    for _ in 0..RECORDS {
        producer.send(ProducerRecord::new(&topic, &value)).await.unwrap();
    }
    let appended = begun.elapsed();
    producer.flush().await.unwrap();
    eprintln!("appended in {appended:?}, stored in {:?}", begun.elapsed());
    let tps: Vec<_> = (0..4).map(|number| TopicPartition::new(topic.as_str(), number)).collect();
    let ends = admin.list_offsets(&tps, OffsetSpec::Latest).await.unwrap();
    eprintln!("{ends:?}");
    assert_eq!(ends.values().map(|it| it.offset.0).sum::<i64>(), i64::from(RECORDS) + 1);
}

#[tokio::test]
#[ignore = "needs a real broker: FOREBAY_BOOTSTRAP=host:port"]
async fn zstd_is_refused_before_sending_where_the_broker_cannot_read_it() {
    let (bootstrap, topic, _) = lab().await;
    let producer = Producer::builder()
        .bootstrap_servers(&bootstrap)
        .compression(Compression::Zstd)
        .build()
        .unwrap();
    let receipt = producer.send(ProducerRecord::new(&topic, b"value")).await.unwrap();
    eprintln!("{:?}", receipt.delivered().await);
}
