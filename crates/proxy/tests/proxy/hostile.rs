//! What becomes of bytes that are no requests?

use std::time::Duration;

use forebay_proxy::{Broker, Proxy, ProxyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clients::{World, values};

/// What comes back for these bytes until the connection ends.
async fn say(port: &str, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(port).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
    drop(read.expect("the connection ends"));
    answer
}

#[tokio::test]
async fn lengths_that_cannot_be_end_the_connection_and_are_told() {
    let world = World::new().await;
    let port = world.proxy.bootstrap_servers().split(',').next().unwrap().to_owned();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let cases: [&[u8]; 4] =
        [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff\x00\x12", b"HTTP/1.1 200 OK\r\n\r\n", tls];
    for bytes in cases {
        assert_eq!(say(&port, bytes).await, b"");
        let errors = world.proxy.take_errors();
        let is_told = matches!(errors[..], [ProxyError::FromClient { .. }]);
        assert!(is_told, "{bytes:?}: {errors:?}");
    }
    // Others do not notice.
    world.write(0, 30).await;
    let member = world.join("m1", forebay::GroupProtocol::Classic);
    world.committed(30).await;
    assert_eq!(member.handled(), values(30));
}

#[tokio::test]
async fn what_is_framed_and_makes_no_sense_is_the_brokers_to_judge() {
    let world = World::new().await;
    let port = world.proxy.bootstrap_servers().split(',').next().unwrap().to_owned();
    // A header that ends too early; an API that nobody knows.
    assert_eq!(say(&port, b"\x00\x00\x00\x03\x00\x12\x00").await, b"");
    assert_eq!(say(&port, b"\x00\x00\x00\x0a\x7f\x12\x00\x00\x00\x00\x00\x01\xff\xff").await, b"");
    world.is_at_ease();
}

#[tokio::test]
async fn one_that_asks_and_never_listens_is_cut_off() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let at = Broker { id: 1, host: "127.0.0.1".to_owned(), port };
    let proxy = Proxy::start(&[at], None).await.unwrap();
    let broker = tokio::spawn(async move {
        let (mut socket, _) = silent.accept().await.unwrap();
        drop(tokio::io::copy(&mut socket, &mut tokio::io::sink()).await);
    });
    let mut socket = TcpStream::connect(proxy.bootstrap_servers()).await.unwrap();
    for number in 0..=10_000_i32 {
        let header = [&[0, 0, 0, 10, 0, 12, 0, 0][..], &number.to_be_bytes(), &[0xff, 0xff]];
        if socket.write_all(&header.concat()).await.is_err() {
            break;
        }
    }
    broker.await.unwrap();
    let errors = proxy.take_errors();
    assert!(matches!(errors[..], [ProxyError::TooManyOpen { open: 10_000, .. }]), "{errors:?}");
}

#[tokio::test]
async fn a_broker_that_announces_too_much_is_cut_off_too() {
    let liar = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = liar.local_addr().unwrap().port();
    let at = Broker { id: 1, host: "127.0.0.1".to_owned(), port };
    let proxy = Proxy::start(&[at], None).await.unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = liar.accept().await.unwrap();
        socket.write_all(b"\x7f\xff\xff\xff\x00\x00").await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    });
    assert_eq!(say(proxy.bootstrap_servers(), b"").await, b"");
    let errors = proxy.take_errors();
    assert!(matches!(errors[..], [ProxyError::FromBroker { .. }]), "{errors:?}");
}
