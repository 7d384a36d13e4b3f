//! Clients that are started before their broker wait for it, and then work.

use std::time::Duration;

use forebay::BrokerId;
use tokio::time::sleep;

use crate::peer::Topic;
use crate::stage::Stage;
use crate::story::{Ending, Story};
use crate::traffic::Traffic;

pub(crate) const STORY: Story = Story {
    name: "cold-start",
    promise: "a producer and a consumer started while the broker is down work once it is up",
    tell: |stage| Box::pin(tell(stage)),
};

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let name = stage.topic("cold", 1).await?;
    let topic = Topic { bootstrap: stage.bootstrap(), name: &name };
    stage.machines().stop(BrokerId(1)).await?;
    let traffic = Traffic::start(topic, 1, &stage.name("group"))?;
    sleep(Duration::from_secs(1)).await;
    stage.machines().restart(BrokerId(1)).await?;
    traffic.flows(Duration::from_secs(15)).await?;
    traffic.end().await
}
