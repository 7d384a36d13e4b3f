//! Asks a real broker and the in-process one the same questions and prints where they differ:
//! `cargo run --example compare HOST:PORT [RELEASE]`. The real broker is right.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use forebay_broker::{BatchBuilder, Broker, Marker, Release};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, FetchRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(7);

/// One broker, asked over one connection.
struct Side {
    stream: TcpStream,
    newest: BTreeMap<i16, i16>,
    number: i32,
    lines: Vec<(String, String)>,
    /// The time of all records, in milliseconds since 1970.
    time: i64,
}

impl Side {
    fn connect(address: &str, time: i64) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut side = Self { stream, newest: BTreeMap::new(), number: 0, lines: Vec::new(), time };
        let versions = side.ask(0, &ApiVersionsRequest::default())?;
        side.newest = versions.api_keys.iter().map(|row| (row.api_key, row.max_version)).collect();
        Ok(side)
    }

    fn ask<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.number += 1;
        let mut out = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.number)
            .with_client_id(Some(text("compare")))
            .encode(&mut out, R::header_version(version))?;
        request.encode(&mut out, version)?;
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(out.len())?);
        frame.put(out);
        self.stream.write_all(&frame)?;
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len))?];
        self.stream.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        Ok(R::Response::decode(&mut answer, version)?)
    }

    /// A broker that did not answer may have closed the connection.
    fn reconnect(&mut self) {
        let address = self.stream.peer_addr();
        if let Ok(stream) = address.and_then(TcpStream::connect)
            && stream.set_read_timeout(Some(PATIENCE)).is_ok()
        {
            self.stream = stream;
        }
    }

    /// Asks, in the newest version up to `version`, and notes the answer under a name.
    fn note<R: Request>(&mut self, name: &str, version: i16, request: &R) -> Option<R::Response>
    where
        R::Response: std::fmt::Debug,
    {
        let version = version.min(self.newest.get(&R::KEY).copied().unwrap_or(-1));
        let answer = if version < 0 { None } else { Some(self.ask(version, request)) };
        let (line, answer) = match answer {
            None => ("not offered".to_owned(), None),
            Some(Ok(answer)) => (masked(&format!("v{version} {answer:?}")), Some(answer)),
            Some(Err(error)) => {
                self.reconnect();
                (format!("v{version} no answer: {error}"), None)
            }
        };
        self.lines.push((name.to_owned(), line));
        answer
    }
}

/// Hides what may differ: ids, times, addresses, words for people.
fn masked(line: &str) -> String {
    let hidden = [
        "session_id: ",
        "topic_id: ",
        "error_message: ",
        "batch_index_error_message: ",
        "producer_id: ",
        "port: ",
        "cluster_id: ",
        "host: ",
        "log_append_time_ms: ",
        "configs: ",
        "node_id: BrokerId(",
        "controller_id: BrokerId(",
        "leader_id: BrokerId(",
        "replica_nodes: [",
        "isr_nodes: [",
        "ErrorMessage { batch_index_error_message: ",
    ];
    let mut line = line.to_owned();
    for name in hidden {
        let mut from = 0;
        while let Some(at) = line.get(from..).and_then(|rest| rest.find(name)) {
            let start = from + at + name.len();
            let rest = line.get(start..).unwrap_or_default();
            let len = if rest.starts_with("Some(\"") {
                rest.find("\")").map_or(0, |end| end + 2)
            } else if rest.starts_with("Some([") {
                rest.find("])").map_or(0, |end| end + 2)
            } else {
                rest.find([',', '}', ')', ']']).unwrap_or(rest.len())
            };
            line.replace_range(start..start + len, "_");
            from = start;
        }
    }
    line.replace(", unknown_tagged_fields: {}", "")
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn topics(side: &mut Side) {
    let topic = |topic: &str, partitions, replicas| {
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
    };
    let config = |key: &str, value: &str| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    let cases = [
        ("create", topic("t", 2, 1).with_configs(vec![config("max.message.bytes", "2000")])),
        ("create again", topic("t", 2, 1)),
        (
            "create compacted",
            topic("c", 1, 1).with_configs(vec![config("cleanup.policy", "compact")]),
        ),
        ("create without partitions", topic("n", 0, 1)),
        ("create with too many replicas", topic("n", 1, 9)),
        ("create with a bad name", topic("a b", 1, 1)),
        (
            "create with a bad value",
            topic("n", 1, 1).with_configs(vec![config("retention.ms", "soon")]),
        ),
        (
            "create with an unknown setting",
            topic("n", 1, 1).with_configs(vec![config("no.such", "1")]),
        ),
        ("create with defaults", topic("d", -1, -1)),
    ];
    for (what, topic) in cases {
        side.note(
            what,
            7,
            &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000),
        );
    }
    std::thread::sleep(Duration::from_millis(1500));
    for topic in ["t", "nope", "a b"] {
        let asked = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false);
        side.note(&format!("metadata of {topic}"), 12, &request);
    }
    let grow = |count| {
        let topic = CreatePartitionsTopic::default()
            .with_name(name("d"))
            .with_count(count)
            .with_assignments(None);
        CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000)
    };
    side.note("fewer partitions", 3, &grow(1));
    side.note("more partitions", 3, &grow(3));
    let delete = |topic: &str| {
        DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(5000)
    };
    side.note("delete", 5, &delete("d"));
    side.note("delete what is not there", 5, &delete("nope"));
}

fn produce_to(topic: &str, partition: i32, records: Option<Bytes>, acks: i16) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(acks)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![topic])
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

fn batch(time: i64, records: i32) -> BatchBuilder {
    (0..records)
        .fold(BatchBuilder::at_time(time), |batch, _| batch.record(Some(b"k"), Some(b"value")))
}

fn produce(side: &mut Side) {
    let time = side.time;
    let good = batch(time, 2).build();
    let mut flipped = BytesMut::from(good.as_ref());
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    let mut old = BytesMut::from(good.as_ref());
    if let Some(magic) = old.get_mut(16) {
        *magic = 1;
    }
    let two = [good.as_ref(), good.as_ref()].concat();
    let large = BatchBuilder::at_time(time).record(Some(b"k"), Some(&[7; 3_000])).build();
    let cases = [
        ("produce", "t", 0, Some(good.clone()), -1),
        ("produce more", "t", 0, Some(batch(time, 3).build()), 1),
        ("produce a flipped bit", "t", 0, Some(flipped.freeze()), -1),
        ("produce an old format", "t", 0, Some(old.freeze()), -1),
        ("produce two batches", "t", 0, Some(two.into()), -1),
        ("produce nothing", "t", 0, Some(Bytes::new()), -1),
        ("produce half", "t", 0, Some(good.slice(..40)), -1),
        ("produce no records", "t", 0, Some(BatchBuilder::at_time(time).build()), -1),
        ("produce too much", "t", 0, Some(large), -1),
        (
            "produce with a hole",
            "t",
            0,
            Some(batch(time, 1).hole(2).record(None, None).build()),
            -1,
        ),
        ("produce a marker", "t", 0, Some(BatchBuilder::marker(time, (1, 0), Marker::Abort)), -1),
        ("produce with acks 2", "t", 0, Some(good.clone()), 2),
        ("produce to no partition", "t", 7, Some(good.clone()), -1),
        ("produce to no topic", "nope", 0, Some(good), -1),
        (
            "produce without key",
            "c",
            0,
            Some(BatchBuilder::at_time(time).record(None, Some(b"v")).build()),
            -1,
        ),
    ];
    for (what, topic, partition, records, acks) in cases {
        side.note(what, 9, &produce_to(topic, partition, records, acks));
    }
}

fn sequences(side: &mut Side) {
    let time = side.time;
    let init = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(5000);
    let init = init.with_producer_id((-1).into()).with_producer_epoch(-1);
    for _ in 0..20 {
        // A fresh broker needs a moment for its first producer.
        if side.ask(1, &init).is_ok_and(|answer| answer.error_code == 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    side.note("producer id", 4, &init);
    // Any id will do, and the same one keeps the records alike.
    let id = 4_242;
    let steps = [
        ("sequence 0", 0, 0),
        ("sequence 1", 0, 1),
        ("sequence 1 again", 0, 1),
        ("sequence 5", 0, 5),
        ("epoch 1 from 3", 1, 3),
        ("epoch 1 from 0", 1, 0),
        ("epoch 0 again", 0, 2),
    ];
    for (what, epoch, sequence) in steps {
        let records = batch(time, 1).producer(id, epoch, sequence).build();
        side.note(what, 9, &produce_to("t", 1, Some(records), -1));
    }
    let records = batch(time, 1).producer(id + 1_000, 0, 9).build();
    side.note("unknown producer from 9", 9, &produce_to("t", 1, Some(records), -1));
    side.note("empty transactional id", 4, &init.with_transactional_id(Some(text("").into())));
}

fn fetch_of(wanted: &[(&str, i32, i64)]) -> FetchRequest {
    let topics = wanted.iter().map(|(topic, partition, offset)| {
        let partition = FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_current_leader_epoch(-1)
            .with_partition_max_bytes(1 << 20);
        FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_max_wait_ms(50)
        .with_topics(topics.collect())
}

fn fetch(side: &mut Side) {
    for (what, partition, offset) in [
        ("fetch at 0", 0, 0),
        ("fetch inside a batch", 0, 1),
        ("fetch at the end", 0, 5),
        ("fetch past the end", 0, 6),
        ("fetch before the start", 0, -5),
        ("fetch of no partition", 7, 0),
    ] {
        side.note(what, 12, &fetch_of(&[("t", partition, offset)]));
    }
    side.note("fetch of no topic", 12, &fetch_of(&[("nope", 0, 0)]));
    for (what, epoch) in [("fetch in epoch 9", 9), ("fetch in epoch 0", 0)] {
        let mut request = fetch_of(&[("t", 0, 0)]);
        request
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
            .for_each(|p| p.current_leader_epoch = epoch);
        side.note(what, 12, &request);
    }
    for (what, epoch) in [("fetch after epoch 0", 0), ("fetch after epoch 5", 5)] {
        let mut request = fetch_of(&[("t", 0, 2)]);
        request
            .topics
            .iter_mut()
            .flat_map(|topic| &mut topic.partitions)
            .for_each(|p| p.last_fetched_epoch = epoch);
        side.note(what, 12, &request);
    }
    side.note("fetch of 1 byte", 12, &fetch_of(&[("t", 0, 0), ("t", 1, 0)]).with_max_bytes(1));
    side.note("fetch committed", 12, &fetch_of(&[("t", 0, 0)]).with_isolation_level(1));
    sessions(side);
}

fn sessions(side: &mut Side) {
    let open = fetch_of(&[("t", 0, 5), ("t", 1, 0)]).with_session_epoch(0);
    let id = side.note("session", 12, &open).map_or(0, |answer| answer.session_id);
    let next = |epoch| fetch_of(&[]).with_session_id(id).with_session_epoch(epoch);
    side.note("session goes on", 12, &next(1));
    let moved = fetch_of(&[("t", 1, 3)]).with_session_id(id);
    side.note("session moves on", 12, &moved.with_session_epoch(2));
    side.note("session is quiet", 12, &next(3));
    side.note("session out of turn", 12, &next(3));
    side.note("session that is not", 12, &next(4).with_session_id(id ^ 1));
    let added = fetch_of(&[("nope", 0, 0)]).with_session_id(id);
    side.note("session with no topic", 12, &added.with_session_epoch(4));
    side.note("session still with no topic", 12, &next(5));
    let forget = |topic: &str, partitions: Vec<i32>| {
        ForgottenTopic::default().with_topic(name(topic)).with_partitions(partitions)
    };
    let one = next(6).with_forgotten_topics_data(vec![forget("nope", vec![0])]);
    side.note("session forgets", 12, &one);
    let all = next(7).with_forgotten_topics_data(vec![forget("t", vec![0, 1])]);
    side.note("session forgets all", 12, &all);
    side.note("session after that", 12, &next(8));
}

fn offsets(side: &mut Side) {
    for (what, partition, epoch, time) in [
        ("latest", 0, -1, -1),
        ("earliest", 0, -1, -2),
        ("largest time", 1, -1, -3),
        ("time 0", 0, -1, 0),
        ("far future", 0, -1, i64::MAX),
        ("latest of no partition", 7, -1, -1),
        ("latest in epoch 9", 0, 9, -1),
    ] {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(epoch)
            .with_timestamp(time);
        let topic =
            ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        let request =
            ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer = side.note(what, 7, &request);
        drop(answer);
    }
    for epoch in [-1, 0, 1, 5] {
        let partition = OffsetForLeaderPartition::default()
            .with_current_leader_epoch(-1)
            .with_leader_epoch(epoch);
        let topic =
            OffsetForLeaderTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        side.note(&format!("end of epoch {epoch}"), 4, &request);
    }
    for (what, partition, offset) in [
        ("delete past the end", 0, 99),
        ("delete one", 0, 1),
        ("delete below the start", 0, 0),
        ("delete all", 1, -1),
        ("delete of no partition", 7, 0),
        ("delete below zero", 0, -5),
    ] {
        let partition =
            DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
        side.note(
            what,
            2,
            &DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000),
        );
    }
    side.note("fetch what is deleted", 12, &fetch_of(&[("t", 0, 0)]));
    side.note("fetch from the new start", 12, &fetch_of(&[("t", 0, 1)]));
}

fn groups(side: &mut Side) {
    let group = text(&format!("g{}", now()));
    let find = FindCoordinatorRequest::default().with_key(group.clone());
    for _ in 0..20 {
        // A fresh broker needs a moment for its first group.
        if side.ask(1, &find).is_ok_and(|answer| answer.error_code == 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(Duration::from_secs(2));
    side.note("coordinator", 3, &find);
    let commit = |topic: &str, partition, member: &str, generation, metadata: &str| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(3)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text(metadata)));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(name(topic))
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(GroupId(group.clone()))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic])
    };
    let long = "m".repeat(5_000);
    let cases = [
        ("commit as a member of nothing", 8, commit("t", 0, "m", 3, "")),
        ("commit as a member of nothing, v9", 9, commit("t", 0, "m", 3, "")),
        ("commit", 8, commit("t", 0, "", -1, "x")),
        ("commit as a member", 8, commit("t", 0, "m", 3, "")),
        ("commit as a member without generation", 8, commit("t", 0, "m", -1, "")),
        ("commit in a generation", 8, commit("t", 0, "", 3, "")),
        ("commit of no topic", 8, commit("nope", 0, "", -1, "")),
        ("commit of no partition", 8, commit("t", 7, "", -1, "")),
        ("commit with a long story", 8, commit("t", 0, "", -1, &long)),
    ];
    for (what, version, request) in cases {
        side.note(what, version, &request);
    }
    let topic = |topic: &str, partitions: Vec<i32>| {
        OffsetFetchRequestTopic::default().with_name(name(topic)).with_partition_indexes(partitions)
    };
    let fetch = OffsetFetchRequest::default().with_group_id(GroupId(group.clone()));
    let some =
        fetch.clone().with_topics(Some(vec![topic("t", vec![0, 1, 7]), topic("nope", vec![0])]));
    side.note("committed", 7, &some);
    side.note("all that is committed", 7, &fetch.with_topics(None));
    let nobody =
        OffsetFetchRequest::default().with_group_id(GroupId(text("nobody"))).with_topics(None);
    side.note("committed by nobody", 7, &nobody);
}

fn all(side: &mut Side) {
    // What a run before this one left.
    let old = ["t", "c", "d"].map(name).to_vec();
    let request = DeleteTopicsRequest::default().with_topic_names(old).with_timeout_ms(5_000);
    drop(side.ask(1, &request));
    std::thread::sleep(Duration::from_millis(1_500));
    topics(side);
    produce(side);
    sequences(side);
    fetch(side);
    offsets(side);
    groups(side);
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let real = args.next().ok_or("the address of a real broker is missing")?;
    let release = args.next().and_then(|name| Release::named(&name)).unwrap_or(Release::V4_4);
    let broker = Broker::builder().pose_as(release).start().await?;
    let ours = broker.bootstrap_servers().to_owned();
    let different =
        tokio::task::spawn_blocking(move || compare(&real, &ours).map_err(|e| e.to_string()));
    let different = different.await??;
    println!("{different} differ");
    Ok(())
}

fn compare(real: &str, ours: &str) -> Outcome<usize> {
    let time = now();
    let (mut real, mut ours) = (Side::connect(real, time)?, Side::connect(ours, time)?);
    all(&mut real);
    all(&mut ours);
    let mut different = 0;
    for ((name, real), (_, ours)) in real.lines.iter().zip(&ours.lines) {
        if real != ours {
            different += 1;
            println!("--- {name}\nreal {real}\nours {ours}");
        }
    }
    println!("{} questions", real.lines.len());
    Ok(different)
}
