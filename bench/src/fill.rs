//! How does a real broker come by the records of the live cells? The same bytes as in replay.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use forebay_protocol::api::Request;
use forebay_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use forebay_protocol::messages::produce_request::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use forebay_protocol::{request, response};

use crate::canned::{Canned, Shape};
use crate::cell::{self, CELLS, Cell, Source};
use crate::error::Error;

/// Versions that every broker from 2.8 to 4.4 knows, with topics by name.
const CREATE_TOPICS: i16 = 5;
const PRODUCE: i16 = 8;
const TOPIC_ALREADY_EXISTS: i16 = 36;
/// `UNKNOWN_TOPIC_OR_PARTITION` and `NOT_LEADER_OR_FOLLOWER`: what a new partition says at first.
const NOT_LED_YET: [i16; 2] = [3, 6];
const LED_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// Milliseconds until the broker gives up.
const TIMEOUT: i32 = 30_000;

/// Which topics to make.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A broker that leads everything, as in a cluster of one.
    #[arg(long)]
    bootstrap_servers: String,
    /// Live cells to fill; all of them by default. A topic that exists is left alone.
    cells: Vec<String>,
    /// Records of every cell divided by this.
    #[arg(long, default_value_t = 1)]
    divide: u64,
}

/// Makes the topics and writes their records.
///
/// # Errors
///
/// When a cell is unknown, or the broker cannot be reached or refuses.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut broker = Broker::connect(&options.bootstrap_servers)?;
    for cell in CELLS.iter().filter(|cell| cell.source == Source::Live) {
        if options.cells.is_empty() || options.cells.iter().any(|name| name == cell.name) {
            fill(&mut broker, &cell.divided(options.divide))?;
        }
    }
    let unknown = options.cells.iter().find(|name| cell::named(name).is_none());
    unknown.map_or(Ok(()), |name| Err(Error::UnknownCell { name: name.clone() }))
}

fn fill(broker: &mut Broker, cell: &Cell) -> Result<(), Error> {
    if !broker.create(cell)? {
        println!("{}: exists already", cell.name);
        return Ok(());
    }
    let canned = Canned::new(&Shape::of(cell))?;
    let mut base = 0;
    // A broker takes one batch of each partition in one request.
    while let Some(batch) = canned.at(base) {
        broker.produce(cell, &Bytes::copy_from_slice(batch))?;
        base = canned.after(base);
    }
    println!("{}: {} records in {} partitions", cell.name, cell.records, cell.partitions);
    Ok(())
}

/// One connection on which requests wait for their responses.
struct Broker {
    socket: TcpStream,
    correlation: i32,
}

impl Broker {
    fn connect(address: &str) -> Result<Self, Error> {
        let socket = TcpStream::connect(address).map_err(Error::io("connect to the broker"))?;
        socket.set_nodelay(true).map_err(Error::io("set TCP_NODELAY"))?;
        Ok(Self { socket, correlation: 0 })
    }

    fn ask<R: Request>(&mut self, version: i16, asked: &R) -> Result<R::Response, Error> {
        self.correlation += 1;
        let frame = request::encode(asked, version, self.correlation, None)?;
        self.socket.write_all(&frame).map_err(Error::io("send a request"))?;
        let mut len = [0; 4];
        self.socket.read_exact(&mut len).map_err(Error::io("read a response"))?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap_or(0)];
        self.socket.read_exact(&mut frame).map_err(Error::io("read a response"))?;
        Ok(response::decode::<R>(Bytes::from(frame), version, self.correlation)?)
    }

    /// Makes the topic; false if it was there.
    fn create(&mut self, cell: &Cell) -> Result<bool, Error> {
        // The records carry a date of long ago, and must stay all the same.
        let keep = CreatableTopicConfig { name: "retention.ms".into(), value: Some("-1".into()) };
        let topic = CreatableTopic {
            name: cell.name.into(),
            num_partitions: cell.partitions,
            replication_factor: 1,
            configs: vec![keep],
            ..Default::default()
        };
        let asked =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT, ..Default::default() };
        let answer = self.ask(CREATE_TOPICS, &asked)?;
        match answer.topics.first().map_or(-1, |topic| topic.error_code) {
            0 => Ok(true),
            TOPIC_ALREADY_EXISTS => Ok(false),
            code => Err(Error::Refused { what: "CreateTopics", code }),
        }
    }

    /// Appends the same batch to every partition; to those of a new topic as soon as they are led.
    fn produce(&mut self, cell: &Cell, batch: &Bytes) -> Result<(), Error> {
        let mut partitions: Vec<i32> = (0..cell.partitions).collect();
        let deadline = Instant::now() + LED_WITHIN;
        loop {
            let refused = self.append(cell, batch, &partitions)?;
            let Some((_, code)) = refused.first() else { return Ok(()) };
            let passes = NOT_LED_YET.contains(code) && Instant::now() < deadline;
            if !passes {
                return Err(Error::Refused { what: "Produce", code: *code });
            }
            partitions = refused.into_iter().map(|(partition, _)| partition).collect();
            std::thread::sleep(PAUSE);
        }
    }

    /// Appends once; the partitions that refused, with their error codes.
    fn append(
        &mut self,
        cell: &Cell,
        batch: &Bytes,
        partitions: &[i32],
    ) -> Result<Vec<(i32, i16)>, Error> {
        let data =
            |index: &i32| PartitionProduceData { index: *index, records: Some(batch.clone()) };
        let topic = TopicProduceData {
            name: cell.name.into(),
            partition_data: partitions.iter().map(data).collect(),
            ..Default::default()
        };
        let asked = ProduceRequest {
            acks: 1,
            timeout_ms: TIMEOUT,
            topic_data: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(PRODUCE, &asked)?;
        let said = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
        Ok(said.filter(|it| it.error_code != 0).map(|it| (it.index, it.error_code)).collect())
    }
}
