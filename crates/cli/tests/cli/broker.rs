//! Does the broker serve until it is told to end?

use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use rustix::process::Signal;

use crate::program::{forebay, start};

#[test]
fn it_prints_where_it_is_serves_and_ends_with_0_on_a_signal() {
    let mut running = start(&["broker", "--port", "0", "--nodes", "2"]);
    let mut servers = String::new();
    BufReader::new(running.stdout()).read_line(&mut servers).unwrap();
    let servers = servers.trim_end();
    assert_eq!(servers.split(',').count(), 2);
    let demo = forebay(&["demo", "--records", "2000", "--bootstrap-servers", servers]);
    assert_eq!(demo.code, Some(0), "{}", demo.stderr);
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn it_behaves_as_the_release_that_was_named() {
    let mut running =
        start(&["broker", "--port", "0", "--pose-as", "0.11.0.3", "--auto-create", "2"]);
    let mut servers = String::new();
    BufReader::new(running.stdout()).read_line(&mut servers).unwrap();
    let to =
        ["topic", "alter", "t", "--partitions", "4", "--bootstrap-servers", servers.trim_end()];
    let create = ["topic", "create", "t", "--bootstrap-servers", servers.trim_end()];
    assert_eq!(forebay(&create).code, Some(0));
    let ended = forebay(&to);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("needs brokers from 1.0 on"), "{}", ended.stderr);
    running.signal(Signal::INT);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = forebay(&["broker", "--port", &port]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&port) && ended.stderr.contains("--port"), "{}", ended.stderr);
}
