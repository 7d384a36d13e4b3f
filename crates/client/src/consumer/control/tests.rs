//! The control plane with a shard played by hand, over a real broker.

use std::collections::BTreeMap;

use super::*;
use crate::admin::{Admin, NewTopic};
use crate::config::{OffsetReset, parse_addresses};
use crate::net::connector::TcpConnector;
use forebay_protocol::types::LeaderEpoch;

struct Lab {
    config: ConsumerConfig,
    admin: Admin,
    topic: String,
}

impl Lab {
    async fn start() -> Self {
        let bootstrap = std::env::var("FOREBAY_BOOTSTRAP").unwrap();
        let mut config = ConsumerConfig::default();
        config.client.bootstrap_servers = parse_addresses(&bootstrap).unwrap();
        config.auto_offset_reset = OffsetReset::Earliest;
        let admin = Admin::new(&config.client).unwrap();
        let topic = format!("control-{}", fastrand::u32(..));
        admin.create_topic(&NewTopic::new(topic.as_str(), 2)).await.unwrap();
        config.group_id = Some(topic.as_str().into());
        Self { config, admin, topic }
    }

    fn tps(&self) -> Vec<TopicPartition> {
        (0..2).map(|number| TopicPartition::new(self.topic.as_str(), number)).collect()
    }

    fn spawn(&self) -> (ControlHandle, link::Receiver<Order>, link::Sender<Report>) {
        let (orders, order_rx) = link::channel();
        let (reports, report_rx) = link::channel();
        let setup = Setup {
            config: self.config.clone(),
            connector: Arc::new(TcpConnector::default()),
            assignment: self.tps(),
            clock: Clock::start(),
            placement: Placement::OwnThread,
        };
        (spawn(setup, orders, report_rx).unwrap(), order_rx, reports)
    }
}

#[tokio::test]
#[ignore = "needs a real broker: FOREBAY_BOOTSTRAP=host:port"]
async fn what_is_done_is_committed_and_is_where_the_next_run_starts() {
    let lab = Lab::start().await;
    let (handle, mut orders, reports) = lab.spawn();
    let mut gained = BTreeMap::new();
    while gained.len() < 2 {
        let order = orders.recv().await.unwrap();
        eprintln!("{order:?}");
        if let Order::Gain { tp, gain, position, leader, .. } = order {
            assert_eq!(position, Position(0));
            assert!(leader.is_some());
            gained.insert(tp, gain);
        }
    }
    let tps = lab.tps();
    for (tp, gain) in &gained {
        reports.send(Report::Frontier {
            tp: tp.clone(),
            gain: *gain,
            position: Position(7),
            position_epoch: LeaderEpoch(0),
        });
    }
    for tp in &tps {
        while handle.committed(tp.clone()).await.unwrap() != Some(Position(7)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    handle.shutdown(Duration::from_secs(5));
    while let Some(order) = orders.recv().await {
        eprintln!("{order:?}");
        match order {
            Order::Drain { tp, gain, .. } => {
                let position = Position(9);
                let position_epoch = LeaderEpoch(0);
                reports.send(Report::Drained { tp, gain, position, position_epoch, unfinished: 0 });
            }
            Order::Close => {
                reports.send(Report::Closed);
            }
            _ => {}
        }
    }
    let summary = handle.ended().await;
    eprintln!("{summary:?}");
    assert!(summary.is_clean());
    let committed = lab.admin.committed_offsets(&lab.topic, &tps).await.unwrap();
    assert!(committed.values().all(|it| it.position == Position(9)), "{committed:?}");
    assert_eq!(committed.len(), 2);

    let (handle, mut orders, _reports) = lab.spawn();
    let mut started = 0;
    while started < 2 {
        if let Some(Order::Gain { position, .. }) = orders.recv().await {
            assert_eq!(position, Position(9));
            started += 1;
        }
    }
    // A shard that never answers again does not hold up the end.
    let begun = std::time::Instant::now();
    let summary = handle.close(Duration::from_millis(400)).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert!(!summary.is_clean());
}
