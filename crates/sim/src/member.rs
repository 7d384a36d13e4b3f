//! A member of the group: a real consumer with handlers that write down what they do.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use forebay::assignor::{Assignor, CooperativeSticky, Range, Sticky};
use forebay::mutant::Mutant;
use forebay::runtime::Placement;
use forebay::runtime::process::Process;
use forebay::{
    Consumer, ConsumerConfig, ConsumerHandle, Context, Error, GroupProtocol, OffsetReset,
    OwnershipEvent, PartitionSummary, Position, Record, TopicPartition,
};
use forebay_histcheck::{Parked, What};

use crate::link::Way;
use crate::plan::{Extra, Plan};
use crate::recorder::Recorder;
use crate::world::{GROUP, PATTERN, SESSION, World, value_of};

/// What a member may hold: the least there is.
const BUDGET: usize = 4 << 20;
/// Handlers of a member that may run at once.
const CONCURRENCY: usize = 8;

/// How the client and its handlers behave.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Conduct {
    /// As they should.
    #[default]
    Honest,
    /// The client makes this mistake.
    Mistaken(Mutant),
    /// They say that a record is done and go on with it in the background: to prove that this is
    /// seen.
    SaysDoneTooEarly,
}

/// How members share partitions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sharing {
    Range,
    Sticky,
    Cooperative,
    Coordinator,
}

impl Sharing {
    pub(crate) const ALL: [Self; 4] =
        [Self::Range, Self::Sticky, Self::Cooperative, Self::Coordinator];

    fn assignor(self) -> Option<Arc<dyn Assignor>> {
        match self {
            Self::Range => Some(Arc::new(Range)),
            Self::Sticky => Some(Arc::new(Sticky)),
            Self::Cooperative => Some(Arc::new(CooperativeSticky)),
            Self::Coordinator => None,
        }
    }
}

/// A consumer that runs.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Of a static member.
    pub(crate) instance: Option<String>,
    pub(crate) way: Way,
    /// Partitions of it may have less time for a drain than a record takes: by a directive, or since
    /// it was frozen.
    may_hurry: bool,
    /// All of its tasks.
    pub(crate) process: Process,
    pub(crate) handle: ConsumerHandle,
    pub(crate) recorder: Arc<Recorder>,
}

impl Member {
    /// Joins.
    pub(crate) fn start(
        world: &World,
        name: String,
        plan: &Plan,
        instance: Option<String>,
    ) -> Result<Self, Error> {
        let way = Way { is_buffered: plan.has(Extra::Freezes), ..world.way(Some(&name)) };
        let config = ConsumerConfig { client: world.client(&name)?, ..ConsumerConfig::default() };
        let builder = Consumer::builder()
            .config(config)
            .group_id(GROUP)
            .session_timeout(SESSION)
            .heartbeat_interval(Duration::from_secs(1))
            .rebalance_timeout(Duration::from_secs(30))
            .drain_timeout(plan.patience())
            .auto_offset_reset(OffsetReset::Earliest)
            .connector(Arc::new(way.clone()))
            .placement(Placement::Caller)
            .budget_bytes(BUDGET)
            .order(plan.order())
            .concurrency(CONCURRENCY)
            .workers(1)
            .on_ownership(tell_news(name.clone(), &world.recorder));
        let builder = match plan.has(Extra::Patterns) {
            true => builder.pattern(PATTERN),
            false => builder.topics(world.topics()),
        };
        let builder = match &instance {
            Some(instance) => builder.group_instance_id(instance.as_str()),
            None => builder,
        };
        let builder = match plan.sharing.assignor() {
            Some(assignor) => builder.assignors([assignor]).group_protocol(GroupProtocol::Classic),
            None => builder.group_protocol(GroupProtocol::Consumer),
        };
        let process = Process::default();
        let consumer = process.enter(|| builder.build())?;
        let handle = consumer.handle();
        let recorder = Arc::clone(&world.recorder);
        let (slowness, conduct) = (plan.slowness, plan.conduct);
        let work = Work { member: name.clone(), recorder: Arc::clone(&recorder), slowness };
        // Its end is told by the handle.
        let run =
            consumer.run(move |record: Record, _: Context| work.clone().handle(record, conduct));
        drop(tokio::spawn(process.clone().run(run)));
        let may_hurry = plan.has(Extra::Directives) || plan.has(Extra::Freezes);
        Ok(Self { name, instance, way, may_hurry, process, handle, recorder })
    }

    /// Leaves in good order, or by the deadline; whether all went well. A drain that
    /// was cut short is told in the end, however long ago.
    pub(crate) async fn leave(self) -> bool {
        self.tell_memory().await;
        let summary = self.handle.close(Duration::from_secs(20)).await;
        // A static member says nothing to the coordinator.
        let whole = |it: &PartitionSummary| it.is_drained && it.is_committed && it.error.is_none();
        let is_cut_short = self.may_hurry && summary.cause.is_none();
        let is_fine = summary.is_clean() || is_cut_short && summary.partitions.iter().all(whole);
        if (is_fine || is_cut_short) && self.instance.is_some() {
            self.has_left();
        }
        is_fine
    }

    /// It gave everything back, and said nothing of it.
    pub(crate) fn has_left(&self) {
        if let Some(witness) = &self.way.witness {
            witness.lock().unwrap_or_else(PoisonError::into_inner).leave();
        }
    }

    /// Notes the most memory that it has held.
    pub(crate) async fn tell_memory(&self) {
        // Who is frozen answers nothing, and holds nothing new.
        if self.process.is_frozen() {
            return;
        }
        if let Ok(stats) = self.handle.stats().await {
            let (member, most) = (self.name.clone(), BUDGET as u64 + BUDGET as u64 / 4);
            let what = What::Held { member, bytes: stats.held_bytes_peak, most };
            self.recorder.note_of(&self.name, what);
        }
    }

    /// Its user wants the last records again, if the partition is its own. Noted before, since the
    /// client may act on it at once, and after, since until then it may not have.
    pub(crate) async fn go_back(&self, of: &TopicPartition, by: i64, start: i64) {
        if self.process.is_frozen() {
            return;
        }
        let Ok(Some(position)) = self.handle.position(of.clone()).await else { return };
        let to = Position(position.0 - by);
        if to.0 < start {
            return;
        }
        let (member, tp) = (self.name.clone(), of.to_string());
        let sought = What::Sought { member, tp, to: to.0 };
        self.recorder.note_of(&self.name, sought.clone());
        drop(self.handle.seek(of.clone(), to).await);
        self.recorder.note_of(&self.name, sought);
    }

    /// Its user wants no records of this partition for a while, or wants them again.
    pub(crate) async fn pause(&self, of: &TopicPartition, wish: Wish) {
        if self.process.is_frozen() && wish == Wish::Pause {
            return;
        }
        let tps = vec![of.clone()];
        // It may have other partitions: then it refuses.
        drop(match wish {
            Wish::Pause => self.handle.pause(tps).await,
            Wish::Resume => self.handle.resume(tps).await,
        });
    }

    /// Dies: says nothing more, hears nothing more.
    pub(crate) fn kill(self) {
        self.recorder.kill(&self.name);
        self.way.cut();
        self.handle.shutdown(Duration::ZERO);
    }
}

/// What a user may want of a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wish {
    Pause,
    Resume,
}

/// Notes positions that were replaced, and what is parked.
fn tell_news(
    name: String,
    recorder: &Arc<Recorder>,
) -> impl Fn(&OwnershipEvent) + Send + Sync + 'static {
    let recorder = Arc::clone(recorder);
    move |event| {
        let member = name.clone();
        if let OwnershipEvent::Reset { tp, from, to } = event {
            let (tp, cause) = (tp.to_string(), format!("from {from}"));
            recorder.note_of(&name, What::Reset { member, tp, to: to.0, cause });
        } else if let OwnershipEvent::Parked { tp, position, is_clean } = event {
            let parked = Parked { position: position.map(|at| at.0), is_clean: *is_clean };
            recorder.note_of(&name, What::Parked { member, tp: tp.to_string(), parked });
        }
    }
}

/// What handlers do.
#[derive(Clone, Debug)]
struct Work {
    member: String,
    recorder: Arc<Recorder>,
    /// The longest that a record takes.
    slowness: Duration,
}

impl Work {
    async fn handle(self, record: Record, conduct: Conduct) {
        let run = Run::start(self, &record);
        match conduct {
            Conduct::Honest | Conduct::Mistaken(_) => run.end().await,
            Conduct::SaysDoneTooEarly => drop(tokio::spawn(run.end())),
        }
    }
}

/// A handler at work; dropped before its end, it was given up.
#[derive(Debug)]
struct Run {
    work: Work,
    tp: String,
    offset: i64,
    takes: Duration,
    is_done: bool,
}

impl Run {
    fn start(work: Work, record: &Record) -> Self {
        let (key, seq) = value_of(record.value().unwrap_or_default());
        let (tp, offset) = (record.topic_partition().to_string(), record.offset().0);
        let (member, name) = (work.member.clone(), tp.clone());
        work.recorder.note_of(&work.member, What::Started { member, tp: name, offset, key, seq });
        // Different for each record, the same in every run.
        let part = (key.wrapping_mul(31).wrapping_add(seq.wrapping_mul(17)) % 100) as f64 / 100.0;
        let takes = work.slowness.mul_f64(part * part);
        Self { work, tp, offset, takes, is_done: false }
    }

    async fn end(mut self) {
        tokio::time::sleep(self.takes).await;
        self.is_done = true;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let (member, tp, offset) = (self.work.member.clone(), self.tp.clone(), self.offset);
        let what = match self.is_done {
            true => What::Done { member, tp, offset },
            false => What::GivenUp { member, tp, offset },
        };
        self.work.recorder.note_of(&self.work.member, what);
    }
}
