//! Joins a group and says what it handles: `member BOOTSTRAP GROUP TOPIC [SECONDS]`.

use std::time::Duration;

use forebay::{Consumer, Context, OffsetReset, Order, Record};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, group, topic, rest @ ..] = words.as_slice() else {
        return Err("member BOOTSTRAP GROUP TOPIC [SECONDS]".into());
    };
    let consumer = Consumer::builder()
        .bootstrap_servers(bootstrap)
        .group_id(group.as_str())
        .topics([topic.as_str()])
        .auto_offset_reset(OffsetReset::Earliest)
        .order(Order::Unordered)
        .build()?;
    let handle = consumer.handle();
    if let Some(seconds) = rest.first() {
        let seconds = seconds.parse()?;
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            handle.close(Duration::from_secs(20)).await;
        });
    }
    let summary = consumer
        .run(|record: Record, _: Context| async move {
            println!("{} {}", record.partition(), record.offset());
        })
        .await?;
    println!("{summary:#?}");
    Ok(())
}
