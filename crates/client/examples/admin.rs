//! Creates a topic, changes its settings, adds partitions, and looks at what is there.
//!
//! `cargo run -p forebay --example admin` starts a broker in this process;
//! `... --example admin -- localhost:9092 orders` uses yours, and leaves the topic there.

use std::collections::BTreeMap;

use forebay::admin::{ConfigChange, ConfigResource, ConfigSource, NewTopic, OffsetSpec};
use forebay::{Admin, BoxError, ClientConfig, Error, TopicName, TopicPartition};
use forebay_broker::Broker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(servers), Some(topic)) => administer(&servers, topic.as_str().into()).await,
        _ => {
            let broker = Broker::builder().nodes(3).start().await?;
            administer(broker.bootstrap_servers(), "orders".into()).await?;
            broker.shutdown().await;
            Ok(())
        }
    }
}

async fn administer(servers: &str, topic: TopicName) -> Result<(), BoxError> {
    let admin = Admin::new(&ClientConfig::from_servers(servers)?)?;
    let cluster = admin.describe_cluster().await?;
    println!("{} brokers, controller {:?}", cluster.brokers.len(), cluster.controller);

    // Calls about several things say of each what became of it.
    let new = NewTopic::new(topic.clone(), 2).config("retention.ms", "86400000");
    for (name, created) in admin.create_topics(&[new, NewTopic::new("no good name", 1)]).await? {
        match created {
            Ok(()) => println!("{name} is there"),
            Err(error) => println!("{error}"),
        }
    }

    // What is not named stays as it is.
    let resource = ConfigResource::Topic(topic.clone());
    let change = ("max.message.bytes".to_owned(), ConfigChange::Set("2000000".to_owned()));
    let changes = BTreeMap::from([(resource.clone(), vec![change])]);
    admin.alter_configs(&changes).await?.into_values().collect::<Result<(), Error>>()?;
    for entries in admin.describe_configs(&[resource]).await?.into_values() {
        for (key, entry) in entries? {
            if entry.source == ConfigSource::Topic {
                println!("{key} = {}", entry.value.unwrap_or_default());
            }
        }
    }

    match admin.create_partitions(&BTreeMap::from([(topic.clone(), 4)])).await {
        Ok(each) => each.into_values().collect::<Result<(), Error>>()?,
        // Brokers before 1.0: an error that programs can tell from others.
        Err(error @ Error::NotOffered { .. }) => println!("{error}"),
        Err(error) => return Err(error.into()),
    }
    let partitions = admin.describe_topic(&topic).await?.partitions;
    let partitions: Vec<_> =
        partitions.iter().map(|it| TopicPartition::new(topic.clone(), it.partition)).collect();
    for (tp, end) in admin.list_offsets(&partitions, OffsetSpec::Latest).await? {
        println!("{tp} ends at {}", end?.offset);
    }
    Ok(())
}
