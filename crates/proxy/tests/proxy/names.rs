//! What if a coordinator speaks of topics by ids whose names nobody was told yet?

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use forebay_histcheck::What;
use forebay_protocol::api::Request;
use forebay_protocol::messages as m;
use forebay_protocol::messages::consumer_group_heartbeat_response as told;
use forebay_protocol::messages::metadata_response::MetadataResponseTopic;
use forebay_protocol::types::Uuid;
use forebay_protocol::{request, response};
use forebay_proxy::{Ledger, Talk, Witness};

const ID: Uuid = Uuid([7; 16]);

#[derive(Default)]
struct Notes(Mutex<Vec<What>>);

impl Ledger for Notes {
    fn now(&self) -> u64 {
        0
    }

    fn note(&self, what: What) -> io::Result<()> {
        self.0.lock().unwrap().push(what);
        Ok(())
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.0.lock().unwrap());
        let told = all.iter().filter_map(|what| match what {
            What::Gained { epoch, tp, .. } => Some(format!("gained {tp} at {epoch}")),
            What::Released { tp, .. } => Some(format!("released {tp}")),
            What::Lost { tp, .. } => Some(format!("lost {tp}")),
            _ => None,
        });
        told.collect()
    }
}

/// A member's connection.
struct Line {
    witness: Witness,
    talk: Talk,
    notes: Arc<Notes>,
    number: i32,
}

impl Line {
    fn new() -> Self {
        let notes = Arc::new(Notes::default());
        let ledger: Arc<dyn Ledger> = Arc::clone(&notes) as Arc<dyn Ledger>;
        Self { witness: Witness::new(ledger), talk: Talk::default(), notes, number: 0 }
    }

    /// A question and its answer pass; what was written down.
    fn pass<R: Request>(&mut self, (ask, answer): (R, R::Response), version: i16) -> Vec<String> {
        self.number += 1;
        let body = |frame: Bytes| frame.slice(4..);
        let client = "m1".into();
        let ask = request::encode(&ask, version, self.number, Some(&client)).unwrap();
        self.witness.request(&mut self.talk, &body(ask)).unwrap();
        let answer = response::encode::<R>(&answer, version, self.number).unwrap();
        self.witness.response(&mut self.talk, &body(answer)).unwrap();
        self.notes.take()
    }

    /// The member says that it has `owned`, and is given `given`.
    fn beat(&mut self, owned: &[i32], given: &[i32]) -> Vec<String> {
        let partitions = |them: &[i32]| them.to_vec();
        let ask = m::ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: "one".into(),
            member_epoch: 3,
            topic_partitions: Some(vec![m::consumer_group_heartbeat_request::TopicPartitions {
                topic_id: ID,
                partitions: partitions(owned),
            }]),
            ..Default::default()
        };
        let given = told::TopicPartitions { topic_id: ID, partitions: partitions(given) };
        let answer = m::ConsumerGroupHeartbeatResponse {
            member_epoch: 3,
            assignment: Some(told::Assignment { topic_partitions: vec![given] }),
            ..Default::default()
        };
        self.pass((ask, answer), 1)
    }

    fn name(&mut self) -> Vec<String> {
        let topic =
            MetadataResponseTopic { name: Some("t".into()), topic_id: ID, ..Default::default() };
        let answer = m::MetadataResponse { topics: vec![topic], ..Default::default() };
        self.pass((m::MetadataRequest::default(), answer), 12)
    }
}

#[test]
fn what_is_given_by_an_id_is_told_when_the_name_is_known() {
    let mut line = Line::new();
    assert_eq!(line.beat(&[], &[0, 1]), [""; 0]);
    assert_eq!(line.name(), ["gained t-0 at 3", "gained t-1 at 3"]);
    assert_eq!(line.name(), [""; 0], "once");
    assert_eq!(line.beat(&[0, 1], &[0, 1, 2]), ["gained t-2 at 3"], "the name is known now");
    assert_eq!(line.beat(&[1, 2], &[1, 2]), ["released t-0"]);
}

#[test]
fn what_is_given_back_before_its_name_is_known_was_never_gained() {
    let mut line = Line::new();
    line.beat(&[], &[0, 1]);
    line.beat(&[1], &[1]);
    assert_eq!(line.name(), ["gained t-1 at 3"]);
}
