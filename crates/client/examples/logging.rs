//! Shows what the client logs, and how a program's own log lines stand beside it.
//!
//! `cargo run -p forebay --example logging` starts a broker in this process, which misbehaves a
//! little. `RUST_LOG=forebay=trace` shows more, `RUST_LOG=forebay::fetch=debug` one part alone.

use std::io::IsTerminal;
use std::time::Duration;

use forebay::{BoxError, Consumer, Context, OffsetReset, Record};
use forebay_broker::{ApiKey, BatchBuilder, Broker, Effect, ErrorCode, Fault, TopicPartition};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // The library only emits events; where they go is the program's choice.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,forebay=debug"));
    let colours = std::io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).init();

    let broker = Broker::builder().start().await?;
    let orders = TopicPartition::new("orders", 0);
    broker.with(|cluster| {
        cluster.create_topic("orders", 1)?;
        let batch =
            BatchBuilder::at_time(0).record(None, Some(b"first")).record(None, Some(b"last"));
        cluster.append(&orders, &batch.build())?;
        // Two commits are refused, which costs nothing but time.
        let busy = Fault::new(Effect::Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        cluster.script(busy.api(ApiKey::OffsetCommit).times(2));
        Ok::<_, forebay_broker::Refusal>(())
    })?;

    let consumer = Consumer::builder()
        .bootstrap_servers(broker.bootstrap_servers())
        .group_id("billing")
        .assign([("orders", 0)])
        .auto_offset_reset(OffsetReset::Earliest)
        .retries(1)
        .retry_backoff(Duration::from_millis(50))
        .build()?;
    let handle = consumer.handle();
    let summary = consumer
        .run(move |record: Record, context: Context| {
            let handle = handle.clone();
            async move {
                if context.attempt() == 1 {
                    warn!(offset = record.offset().0, "not yet");
                    return Err("not yet");
                }
                info!(offset = record.offset().0, "done");
                if record.value() == Some(b"last") {
                    handle.shutdown(Duration::from_secs(10));
                }
                Ok(())
            }
        })
        .await?;
    info!(is_clean = summary.is_clean(), "ended");
    broker.shutdown().await;
    Ok(())
}
