//! Sends records with keys and headers, and learns where each is stored.
//!
//! `cargo run -p forebay --example producer` starts a broker in this process;
//! `... --example producer -- localhost:9092 orders` uses yours.

use std::time::Duration;

use forebay::admin::NewTopic;
use forebay::{Admin, BoxError, ClientConfig, Compression, Header, Producer, ProducerRecord};
use forebay_broker::Broker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(servers), Some(topic)) => produce(&servers, &topic).await,
        _ => {
            let broker = Broker::builder().start().await?;
            let servers = broker.bootstrap_servers();
            let admin = Admin::new(&ClientConfig::from_servers(servers)?)?;
            admin.create_topic(&NewTopic::new("orders", 4)).await?;
            produce(servers, "orders").await?;
            broker.shutdown().await;
            Ok(())
        }
    }
}

async fn produce(servers: &str, topic: &str) -> Result<(), BoxError> {
    let producer = Producer::builder()
        .bootstrap_servers(servers)
        .compression(Compression::Lz4)
        .linger(Duration::from_millis(5))
        .build()?;

    // `send` waits only for room; the receipt says later what became of the record.
    let mut receipts = Vec::new();
    for number in 0..10 {
        let (key, value) = (format!("customer-{}", number % 3), format!("order {number}"));
        let headers = [Header { key: b"source", value: Some(b"example") }];
        let record =
            ProducerRecord::new(topic, value.as_bytes()).key(key.as_bytes()).headers(&headers);
        let receipt = producer.send(record).await?;
        receipts.push((key, receipt));
    }
    for (key, receipt) in receipts {
        let delivery = receipt.delivered().await?;
        println!("{key}: {} at {:?}", delivery.tp, delivery.offset);
    }
    // Whoever does not look at receipts learns of failures here.
    producer.flush().await?;
    Ok(producer.close(Duration::from_secs(10)).await?)
}
