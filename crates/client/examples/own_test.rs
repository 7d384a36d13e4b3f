//! How to test a service of your own: a broker in the test's process, a fault where it matters, and
//! a look at what the service did.
//!
//! In your crate: `forebay-broker` among the dev-dependencies, and what `main` does here under
//! `#[tokio::test]`. `cargo run -p forebay --example own_test` runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay::{BoxError, Consumer, ConsumerHandle, Context, OffsetReset, Record, Summary};
use forebay_broker::{ApiKey, BatchBuilder, Broker, Effect, Fault, TopicPartition};

/// The service: adds up the amounts of orders.
struct Service {
    handle: ConsumerHandle,
    end: tokio::task::JoinHandle<Result<Summary, forebay::Error>>,
    total: Arc<AtomicU64>,
}

impl Service {
    fn start(servers: &str) -> Result<Self, forebay::Error> {
        let consumer = Consumer::builder()
            .bootstrap_servers(servers)
            .group_id("billing")
            .assign([("orders", 0)])
            .auto_offset_reset(OffsetReset::Earliest)
            .build()?;
        let (handle, total) = (consumer.handle(), Arc::new(AtomicU64::new(0)));
        let sum = Arc::clone(&total);
        let end = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            let sum = Arc::clone(&sum);
            async move {
                let amount: u64 =
                    std::str::from_utf8(record.value().unwrap_or_default())?.parse()?;
                sum.fetch_add(amount, Ordering::Relaxed);
                Ok::<_, BoxError>(())
            }
        }));
        Ok(Self { handle, end, total })
    }

    async fn stop(self) -> Result<u64, BoxError> {
        self.handle.shutdown(Duration::from_secs(10));
        self.end.await??;
        Ok(self.total.load(Ordering::Relaxed))
    }
}

/// The test: connections that break in mid-answer cost no order, and count none twice.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // Before: two orders, and a broker that cuts its first two answers to Fetch.
    let broker = Broker::builder().start().await?;
    let orders = TopicPartition::new("orders", 0);
    broker.with(|cluster| {
        cluster.create_topic("orders", 1)?;
        let batch = BatchBuilder::at_time(0).record(None, Some(b"20")).record(None, Some(b"22"));
        cluster.append(&orders, &batch.build())?;
        cluster.script(Fault::new(Effect::Cut(40)).api(ApiKey::Fetch).times(2));
        Ok::<_, forebay_broker::Refusal>(())
    })?;

    // The service under test, until it has committed both.
    let service = Service::start(broker.bootstrap_servers())?;
    let committed = || broker.with(|cluster| cluster.committed("billing", &orders));
    while committed().is_none_or(|committed| committed.offset < 2) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let total = service.stop().await?;

    // After: the sum is right, and both faults struck.
    assert_eq!(total, 42);
    assert_eq!(broker.with(|cluster| cluster.script_pending()), 0);
    println!("passed: {total}");
    broker.shutdown().await;
    Ok(())
}
