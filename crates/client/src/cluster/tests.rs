//! The cluster's task over in-memory pipes: hostile peers, brokers that come and go.

use forebay_broker::{Broker, Effect, Fault as Script};
use forebay_protocol::api::ApiKey;

use super::*;
use crate::net::pipes::{Hostile, Manner, Pipes, client_at, client_of, eventually};

fn cluster_at(connector: Arc<dyn Connector>, api_timeout: Duration) -> Cluster {
    let config = ClientConfig { api_timeout, ..client_at("broker:9092") };
    Cluster::spawn(&config, connector, Clock::virtual_time())
}

fn everything() -> m::MetadataRequest {
    m::MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() }
}

/// What a call ends with at a peer of this manner, and how often the peer was dialled meanwhile.
async fn call_at(manner: Manner) -> (Error, usize) {
    let peer = Hostile::new(manner);
    let cluster = cluster_at(Arc::clone(&peer) as Arc<dyn Connector>, Duration::from_secs(60));
    let called = cluster.request(Destination::Any, everything(), i16::MAX).await;
    (called.unwrap_err(), peer.dialled())
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_no_kafka_is_named_in_the_error() {
    for (manner, words) in [
        (Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "the port speaks HTTP"),
        (Manner::Says(&[0x15, 3, 3, 0, 2, 2, 80]), "the port speaks TLS"),
        (Manner::Says(&[0xff, 0xff, 0xff, 0xff]), "is this a Kafka port"),
        (Manner::Says(&[0x7f, 0xff, 0xff, 0xff]), "a frame of 2147483647 bytes"),
        (Manner::Says(&[0, 0, 0, 4, 0, 0, 0, 9]), "correlation id 9, expected 0"),
        (Manner::Says(&[0, 0, 0, 5, 0, 0, 0, 0, 0]), "cannot read the answer"),
        (Manner::Says(&[0, 0, 0, 90, 0, 0, 0, 0]), "not ready within 10000 ms"),
        (Manner::Silent, "not ready within 10000 ms"),
        (Manner::Closes, "the connection closed"),
        (Manner::Refuses, "cannot connect"),
    ] {
        let (error, dialled) = call_at(manner.clone()).await;
        let text = error.to_string();
        assert!(text.contains(words), "{manner:?}: {text}");
        assert!(text.contains("broker at broker:9092"), "{text}");
        assert!(dialled <= 120, "{manner:?}: dialled {dialled} times in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_for_an_hour_is_dialled_about_once_a_second_and_found_again() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let pipes = Pipes::new(&broker);
    let cluster = Cluster::spawn(
        &client_of(&broker),
        Arc::clone(&pipes) as Arc<dyn Connector>,
        Clock::virtual_time(),
    );
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    broker.with(|cluster| cluster.stop_node(BrokerId(1)));
    let before = pipes.dialled();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let dialled = pipes.dialled() - before;
    assert!((1800..=8000).contains(&dialled), "{dialled} times in an hour");
    broker.with(|cluster| cluster.start_node(BrokerId(1)));
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hostile_answers_cost_one_connection_each_and_never_the_client() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let cluster = Cluster::spawn(&client_of(&broker), Pipes::new(&broker), Clock::virtual_time());
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    for effect in [
        Effect::Cut(0),
        Effect::Cut(3),
        Effect::Cut(11),
        Effect::WrongCorrelationId,
        Effect::DropAnswer,
        Effect::DoAndClose,
        Effect::Close,
        Effect::Garbage(bytes::Bytes::from_static(&[0xff; 64])),
        Effect::Garbage(bytes::Bytes::from_static(&[0; 64])),
    ] {
        let fault = Script::new(effect.clone()).api(ApiKey::Metadata);
        broker.with(|cluster| cluster.script(fault));
        let failed = cluster.request(Destination::Any, everything(), i16::MAX).await;
        assert!(failed.is_err(), "{effect:?}");
        let error = failed.unwrap_err();
        assert!(matches!(error, Error::Connection { .. }), "{effect:?}: {error}");
        cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_twice_is_an_answer_and_closes() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let cluster = Cluster::spawn(&client_of(&broker), Pipes::new(&broker), Clock::virtual_time());
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    broker.with(|cluster| cluster.script(Script::new(Effect::Twice).api(ApiKey::Metadata)));
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_asks_for_quiet_is_left_alone_that_long() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let cluster = Cluster::spawn(&client_of(&broker), Pipes::new(&broker), Clock::virtual_time());
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    let quiet = Duration::from_secs(20);
    broker.with(|cluster| {
        cluster.script(Script::new(Effect::Throttle(quiet)).api(ApiKey::Metadata));
    });
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    let begun = tokio::time::Instant::now();
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    let waited = begun.elapsed();
    assert!(quiet <= waited && waited <= quiet + Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_before_a_load_balancer_drops_it() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let mut config = client_of(&broker);
    config.metadata_max_age = Duration::from_secs(80_000);
    let cluster = Cluster::spawn(&config, Pipes::new(&broker), Clock::virtual_time());
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    tokio::time::sleep(Duration::from_secs(170)).await;
    assert!(0 < broker.with(|cluster| cluster.connection_count()));
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(broker.with(|cluster| cluster.connection_count()), 0);
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_gone_leaves_no_connection_behind() {
    let broker = Arc::new(Broker::builder().start_in_memory());
    let cluster = Cluster::spawn(&client_of(&broker), Pipes::new(&broker), Clock::virtual_time());
    cluster.request(Destination::Any, everything(), i16::MAX).await.unwrap();
    drop(cluster);
    eventually("all connections are closed", || {
        broker.with(|cluster| cluster.connection_count()) == 0
    })
    .await;
}
