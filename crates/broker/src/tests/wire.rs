//! The broker behind sockets and pipes: hostile bytes, limits, time, the end.

use std::time::Duration;

use kafka_protocol::messages::{FetchRequest, MetadataRequest};
use kafka_protocol::protocol::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::talk::{batch, fetch_request, frame, produce_request, read, t0, values};
use crate::{Broker, BrokerId, Effect, Fault};

async fn send<R: Request>(
    to: &mut (impl AsyncWriteExt + Unpin),
    version: i16,
    number: i32,
    request: &R,
) {
    let frame = frame(version, number, request);
    to.write_i32(i32::try_from(frame.len()).unwrap()).await.unwrap();
    to.write_all(&frame).await.unwrap();
}

async fn receive<R: Request>(
    from: &mut (impl AsyncReadExt + Unpin),
    version: i16,
    number: i32,
) -> R::Response {
    let len = from.read_i32().await.unwrap();
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    from.read_exact(&mut bytes).await.unwrap();
    read::<R>(version, number, bytes.into())
}

fn metadata() -> MetadataRequest {
    MetadataRequest::default().with_topics(None)
}

async fn connect(broker: &Broker) -> TcpStream {
    let first = broker.bootstrap_servers().split(',').next().unwrap().to_owned();
    TcpStream::connect(first).await.unwrap()
}

#[tokio::test]
async fn metadata_tells_the_addresses_that_are_listened_on() {
    let broker = Broker::builder().nodes(2).start().await.unwrap();
    let mut stream = connect(&broker).await;
    send(&mut stream, 5, 1, &metadata()).await;
    let answer = receive::<MetadataRequest>(&mut stream, 5, 1).await;
    let told: Vec<_> =
        answer.brokers.iter().map(|node| format!("{}:{}", node.host, node.port)).collect();
    assert_eq!(told.join(","), broker.bootstrap_servers());
    broker.shutdown().await;
}

#[tokio::test]
async fn large_batches_travel_whole_and_pipelined_requests_are_answered_in_order() {
    let broker = Broker::builder().start().await.unwrap();
    broker.with(|cluster| {
        cluster.create_topic("t", 1).unwrap();
        cluster.configure_topic("t", "max.message.bytes", "10000000").unwrap();
    });
    let mut stream = connect(&broker).await;
    let long = "x".repeat(5_000_000);
    send(&mut stream, 9, 1, &produce_request(&t0(), batch(&[&long], None), -1)).await;
    send(&mut stream, 9, 2, &produce_request(&t0(), batch(&["b"], None), -1)).await;
    let request = fetch_request(&[(t0(), 0)]);
    send(&mut stream, 11, 3, &request).await;
    let (mut reads, _writes) = stream.split();
    receive::<kafka_protocol::messages::ProduceRequest>(&mut reads, 9, 1).await;
    receive::<kafka_protocol::messages::ProduceRequest>(&mut reads, 9, 2).await;
    let answer = receive::<FetchRequest>(&mut reads, 11, 3).await;
    let got = values(&answer.responses[0].partitions[0]);
    assert_eq!((got[0].len(), got.len()), (5_000_000, 1));
}

#[tokio::test]
async fn hostile_bytes_close_their_connection_and_no_other() {
    let broker = Broker::builder().start().await.unwrap();
    let mut good = connect(&broker).await;
    let hostile: [&[u8]; 4] = [
        &[0x7f, 0xff, 0xff, 0xff, 0, 0],
        &[0xff; 64],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01],
    ];
    for bytes in hostile {
        let mut bad = connect(&broker).await;
        bad.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let end = timeout(Duration::from_secs(5), bad.read_to_end(&mut rest)).await;
        // A reset is as good an end as a close.
        drop(end.expect("the broker hangs up"));
        assert!(rest.is_empty());
    }
    send(&mut good, 5, 1, &metadata()).await;
    receive::<MetadataRequest>(&mut good, 5, 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_while_its_fetch_waits_is_forgotten() {
    let broker = Broker::builder().start().await.unwrap();
    broker.with(|cluster| cluster.create_topic("t", 1)).unwrap();
    let mut stream = connect(&broker).await;
    send(&mut stream, 11, 1, &fetch_request(&[(t0(), 0)]).with_max_wait_ms(600_000)).await;
    while broker.with(|cluster| cluster.poll_timeout()).is_none() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let gone = async {
        while broker.with(|cluster| cluster.connection_count()) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.expect("the connection is forgotten");
    assert_eq!(broker.with(|cluster| cluster.poll_timeout()), None);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let broker = Broker::builder().start().await.unwrap();
    let port = broker.bootstrap_servers().rsplit(':').next().unwrap().parse().unwrap();
    let error = Broker::builder().port(port).start().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    broker.shutdown().await;
    Broker::builder().port(port).start().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pipes_run_in_virtual_time() {
    let broker = Broker::builder().start_in_memory();
    broker.with(|cluster| cluster.create_topic("t", 1)).unwrap();
    assert_eq!(broker.bootstrap_servers(), "broker-1:9092");
    let mut pipe = broker.dial("broker-1", 9092).unwrap();
    let before = Instant::now();
    send(&mut pipe, 11, 1, &fetch_request(&[(t0(), 0)]).with_max_wait_ms(86_400_000)).await;
    receive::<FetchRequest>(&mut pipe, 11, 1).await;
    assert_eq!(before.elapsed(), Duration::from_hours(24));
}

#[tokio::test(start_paused = true)]
async fn an_append_wakes_a_fetch_that_waits_on_a_pipe() {
    let broker = Broker::builder().start_in_memory();
    broker.with(|cluster| cluster.create_topic("t", 1)).unwrap();
    let mut pipe = broker.pipe(BrokerId(1));
    send(&mut pipe, 11, 1, &fetch_request(&[(t0(), 0)]).with_max_wait_ms(60_000)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = Instant::now();
    broker.with(|cluster| cluster.append(&t0(), &batch(&["a"], None))).unwrap();
    let answer = receive::<FetchRequest>(&mut pipe, 11, 1).await;
    assert_eq!(values(&answer.responses[0].partitions[0]), ["a"]);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_is_scripted_later_is_kept_by_the_clock() {
    let broker = Broker::builder().start_in_memory();
    let mut pipe = broker.pipe(BrokerId(1));
    tokio::time::sleep(Duration::from_secs(5)).await;
    broker.with(|cluster| cluster.script(Fault::new(Effect::Delay(Duration::from_secs(3)))));
    let before = Instant::now();
    send(&mut pipe, 5, 1, &metadata()).await;
    receive::<MetadataRequest>(&mut pipe, 5, 1).await;
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_down_hangs_up_and_refuses() {
    let broker = Broker::builder().nodes(2).start_in_memory();
    let mut pipe = broker.pipe(BrokerId(2));
    tokio::task::yield_now().await;
    broker.with(|cluster| cluster.stop_node(BrokerId(2)));
    assert_eq!(pipe.read(&mut [0; 8]).await.unwrap(), 0);
    let refused = broker.dial("broker-2", 9092).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    broker.with(|cluster| cluster.start_node(BrokerId(2)));
    let mut again = broker.dial("broker-2", 9092).unwrap();
    send(&mut again, 5, 1, &metadata()).await;
    receive::<MetadataRequest>(&mut again, 5, 1).await;
}
