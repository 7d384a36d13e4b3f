//! Serves a broker on loopback until it is interrupted: `cargo run --example serve [PORT [NODES [RELEASE]]]`.

use forebay_broker::{Broker, Release};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = || args.next().and_then(|arg| arg.parse().ok());
    let (port, nodes) = (number().unwrap_or(9092), number().unwrap_or(1));
    let release = args.next().and_then(|name| Release::named(&name)).unwrap_or(Release::V4_4);
    let builder = Broker::builder().port(port).nodes(nodes).pose_as(release).auto_create(4);
    let broker = builder.start().await?;
    println!("{}", broker.bootstrap_servers());
    std::future::pending::<()>().await;
    Ok(())
}
