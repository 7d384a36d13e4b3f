//! Serves a broker on loopback until it is interrupted: `cargo run --example serve [PORT] [NODES]`.

use forebay_broker::Broker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1).map_while(|arg| arg.parse().ok());
    let port = args.next().unwrap_or(9092);
    let nodes = args.next().unwrap_or(1);
    let broker = Broker::builder().port(port).nodes(nodes).auto_create(4).start().await?;
    println!("{}", broker.bootstrap_servers());
    std::future::pending::<()>().await;
    Ok(())
}
