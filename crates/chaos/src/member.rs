//! A member in a process of its own, whose handlers write down what they do.

use std::sync::Arc;
use std::time::Duration;

use forebay::assignor::{Assignor, CooperativeSticky, Range, RoundRobin, Sticky};
use forebay::{
    Consumer, ConsumerBuilder, ConsumerConfig, Context, GroupProtocol, OffsetReset, Order,
    OwnershipEvent, Record,
};
use forebay_histcheck::{Notebook, What};
use forebay_proxy::value_of;

use crate::cluster::{GROUP, SESSION, TOPIC, hurried};
use crate::fault::Fault;
use crate::options::MemberOptions;

/// How long it may take to leave.
const LEAVE: Duration = Duration::from_secs(20);

/// Handles until its input ends; whether it left in good order.
pub(crate) async fn play(options: &MemberOptions) -> Result<bool, Fault> {
    crate::group::die_with_parent();
    let notes = Notebook::open(&options.history).map_err(Fault::file(&options.history))?;
    let work =
        Work { member: options.name.clone(), notes: Arc::new(notes), slowness: options.slowness };
    let consumer = build(options, &work).map_err(Fault::client("a consumer"))?;
    let handle = consumer.handle();
    std::thread::spawn(move || {
        drop(std::io::read_to_string(std::io::stdin()));
        handle.shutdown(LEAVE);
    });
    let is_honest = !options.dishonest;
    let run = consumer.run(move |record: Record, _: Context| {
        let work = work.clone().handle(record);
        async move {
            match is_honest {
                true => work.await,
                false => drop(tokio::spawn(work)),
            }
        }
    });
    let run = run.await;
    let summary = run.map_err(Fault::client("consuming"))?;
    if !summary.is_clean() {
        eprintln!("{summary:?}");
    }
    Ok(summary.is_clean())
}

fn build(options: &MemberOptions, work: &Work) -> Result<Consumer, forebay::Error> {
    let client = hurried(&options.bootstrap, &options.name)?;
    let order = if options.order == "unordered" { Order::Unordered } else { Order::Partition };
    let hearing = work.clone();
    let builder = Consumer::builder()
        .config(ConsumerConfig { client, ..ConsumerConfig::default() })
        .group_id(GROUP)
        .topics([TOPIC])
        .session_timeout(SESSION)
        .heartbeat_interval(Duration::from_millis(500))
        .rebalance_timeout(Duration::from_secs(30))
        .drain_timeout(Duration::from_secs(5))
        // Every partition has a committed offset: a reset is never right.
        .auto_offset_reset(OffsetReset::Earliest)
        .order(order)
        .concurrency(16)
        .budget_bytes(32 << 20)
        .on_ownership(move |event| hearing.hear(event));
    sharing(builder, &options.sharing).build()
}

fn sharing(builder: ConsumerBuilder, name: &str) -> ConsumerBuilder {
    let assignor: Arc<dyn Assignor> = match name {
        "consumer" => return builder.group_protocol(GroupProtocol::Consumer),
        "range" => Arc::new(Range),
        "roundrobin" => Arc::new(RoundRobin),
        "sticky" => Arc::new(Sticky),
        _ => Arc::new(CooperativeSticky),
    };
    builder.assignors([assignor]).group_protocol(GroupProtocol::Classic)
}

/// What handlers do.
#[derive(Clone, Debug)]
struct Work {
    member: String,
    notes: Arc<Notebook>,
    /// In milliseconds.
    slowness: u64,
}

impl Work {
    async fn handle(self, record: Record) {
        let value = record.value().and_then(value_of);
        let (key, seq) = value.unwrap_or((u64::MAX, u64::MAX));
        let run = Run::start(self, &record, (key, seq));
        // Different for each record, most of them short.
        let part = key.wrapping_mul(31).wrapping_add(seq.wrapping_mul(17)) % 100;
        tokio::time::sleep(Duration::from_micros(run.work.slowness * part * part / 10)).await;
        run.end();
    }

    /// Only what is seen nowhere else: a position that was chosen.
    fn hear(&self, event: &OwnershipEvent) {
        if let OwnershipEvent::Reset { tp, from, to } = event {
            let (member, tp) = (self.member.clone(), crate::cluster::name_of(tp.partition));
            let cause = format!("from {from:?}");
            self.note(What::Reset { member, tp, to: to.0, cause });
        }
    }

    /// A process that cannot say what it does must not do it.
    fn note(&self, what: What) {
        if let Err(error) = self.notes.note(what) {
            eprintln!("the history: {error}");
            std::process::exit(3);
        }
    }
}

/// A handler at work; dropped before its end, it was given up.
struct Run {
    work: Work,
    tp: String,
    offset: i64,
    is_done: bool,
}

impl Run {
    fn start(work: Work, record: &Record, (key, seq): (u64, u64)) -> Self {
        let (tp, offset) = (crate::cluster::name_of(record.partition()), record.offset().0);
        let (member, name) = (work.member.clone(), tp.clone());
        work.note(What::Started { member, tp: name, offset, key, seq });
        Self { work, tp, offset, is_done: false }
    }

    fn end(mut self) {
        self.is_done = true;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let (member, tp, offset) = (self.work.member.clone(), self.tp.clone(), self.offset);
        self.work.note(match self.is_done {
            true => What::Done { member, tp, offset },
            false => What::GivenUp { member, tp, offset },
        });
    }
}
