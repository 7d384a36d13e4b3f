//! The cluster's task over in-memory pipes and, by hand, over a real broker.

use super::*;
use crate::config::parse_addresses;
use crate::net::connector::TcpConnector;

#[tokio::test]
#[ignore = "needs a real broker: FOREBAY_BOOTSTRAP=host:port"]
async fn a_real_broker_answers() {
    let bootstrap = std::env::var("FOREBAY_BOOTSTRAP").unwrap();
    let config = ClientConfig {
        bootstrap_servers: parse_addresses(&bootstrap).unwrap(),
        ..ClientConfig::default()
    };
    let cluster = Cluster::spawn(&config, Arc::new(TcpConnector::default()), Clock::start());
    let body = m::MetadataRequest { topics: None, ..Default::default() };
    let answer = cluster.request(Destination::Any, body, i16::MAX).await.unwrap();
    eprintln!("{answer:?}");
    assert!(!answer.body.brokers.is_empty());
    let group = CoordinatorKey::Group("g".into());
    let body = m::OffsetFetchRequest { group_id: "g".into(), topics: None, ..Default::default() };
    let answer = cluster.request(Destination::Coordinator(group), body, 7).await.unwrap();
    eprintln!("{answer:?}");
}
