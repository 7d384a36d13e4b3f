//! All brokers come back under other ports: clients begin again with the addresses that they were
//! given, and go on.

use std::time::Duration;

use forebay::BrokerId;
use forebay::config::ClientConfig;
use forebay::net::connector::TcpConnector;
use tokio::time::sleep;

use crate::proxy::Door;
use crate::stage::{Lab, Machines, Stage};
use crate::story::{Ending, Story};
use crate::traffic::{Traffic, hurried};

pub(crate) const STORY: Story = Story {
    name: "new-ports",
    promise: "when all brokers move to other ports clients bootstrap again and lose nothing",
    tell: |stage| Box::pin(tell(stage)),
};

const NODE: BrokerId = BrokerId(1);
const WITHIN: Duration = Duration::from_secs(20);

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("ports", 2).await?;
    let port = port_of(stage.bootstrap())?;
    // The name that clients are given stays, whoever is behind it.
    let name_of_cluster = Door::open(port).await?;
    let mut site = Site::new(stage, port).await?;

    let client = ClientConfig {
        rebootstrap_after: Duration::from_secs(1),
        ..hurried(&format!("127.0.0.1:{}", name_of_cluster.port()))?
    };
    let group = stage.name("group");
    let connector = std::sync::Arc::new(TcpConnector::default());
    let traffic = Traffic::with(client, connector, (&name, 2, &group))?;
    let told = async {
        traffic.flows(WITHIN).await?;
        let port = site.move_away().await?;
        name_of_cluster.lead_to(port);
        traffic.flows(WITHIN).await?;
        traffic.end().await
    };
    let told = told.await;
    // Also when it did not go well: others use this broker.
    site.move_back().await?;
    told
}

/// Where the one broker is.
enum Site<'a> {
    /// Ours listens where it is; doors stand for its ports.
    Ours {
        broker: &'a forebay_broker::Broker,
        port: u16,
        door: Door,
    },
    Kafka {
        lab: &'a Lab,
        machines: &'a Machines,
        port: u16,
    },
}

impl<'a> Site<'a> {
    async fn new(stage: &'a Stage, port: u16) -> Result<Self, Ending> {
        let machines = stage.machines();
        match machines {
            Machines::Ours(broker) => {
                let door = Door::open(port).await?;
                broker.with(|cluster| cluster.set_address(NODE, "127.0.0.1", door.port()));
                Ok(Self::Ours { broker, port, door })
            }
            Machines::Kafka(lab) => Ok(Self::Kafka { lab, machines, port }),
        }
    }

    /// The old port is closed; says where the broker is now.
    async fn move_away(&mut self) -> Result<u16, Ending> {
        match self {
            Self::Ours { broker, port, door } => {
                // The old door closes as it is dropped.
                *door = Door::open(*port).await?;
                broker.with(|cluster| cluster.set_address(NODE, "127.0.0.1", door.port()));
                Ok(*port)
            }
            Self::Kafka { lab, machines, .. } => {
                let free = free_port().await?;
                machines.stop(NODE).await?;
                lab.set_port(NODE, free).await?;
                // The lab would wait for it at its old port.
                let starting = lab.launch(NODE)?;
                wait_for(free).await?;
                drop(starting);
                Ok(free)
            }
        }
    }

    async fn move_back(self) -> Result<(), Ending> {
        match self {
            Self::Ours { broker, port, .. } => {
                broker.with(|cluster| cluster.set_address(NODE, "127.0.0.1", port));
                Ok(())
            }
            Self::Kafka { lab, machines, port } => {
                machines.stop(NODE).await?;
                lab.set_port(NODE, port).await?;
                machines.restart(NODE).await
            }
        }
    }
}

fn port_of(bootstrap: &str) -> Result<u16, Ending> {
    let port = bootstrap.rsplit(':').next().and_then(|port| port.parse().ok());
    port.ok_or_else(|| Ending::Broken(format!("{bootstrap} has no port")))
}

async fn free_port() -> Result<u16, Ending> {
    let io = |source| Ending::Io { what: "a free port", source };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
    Ok(listener.local_addr().map_err(io)?.port())
}

async fn wait_for(port: u16) -> Result<(), Ending> {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(Ending::Broken(format!("the broker did not come up at port {port}")))
}
