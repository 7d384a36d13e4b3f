//! Asks a real broker and the in-process one the same questions and prints where they differ:
//! `cargo run --example compare -- HOST:PORT [RELEASE]`. The real broker is right.

mod fetch;
mod offsets;
mod produce;
mod side;
mod topics;

use std::time::Duration;

use forebay_broker::{Broker, Release};
use kafka_protocol::messages::DeleteTopicsRequest;

use crate::side::{Outcome, Side, name};

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default()
}

fn all(side: &mut Side) {
    // What a run before this one left.
    let old = ["t", "c", "d"].map(name).to_vec();
    let request = DeleteTopicsRequest::default().with_topic_names(old).with_timeout_ms(5_000);
    drop(side.ask(1, &request));
    std::thread::sleep(Duration::from_millis(1_500));
    topics::topics(side);
    produce::produce(side);
    produce::sequences(side);
    fetch::fetch(side);
    offsets::offsets(side);
    offsets::groups(side);
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
