//! Carries out what the data plane's router wants, and polls its lanes.
//!
//! One task: the router, its lanes and their timers. Each turn takes in what has arrived, carries
//! out what the router says, lets the workers run, and only then lets the lanes read more: so that
//! what a read brought is worked on while it is still in cache.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use forebay_core::orders::{Order, Report};
use forebay_core::run::{Job, Progress};
use forebay_core::shard::output::{LaneOrder, Output};
use forebay_core::shard::slots::{Phase, Place, Until};
use forebay_core::shard::{Config, Shard};
use forebay_core::slot::Slot;
use forebay_core::time::Instant;
use forebay_core::work::WorkerId;
use forebay_protocol::types::BrokerId;
use tokio::sync::{oneshot, watch};
use tokio::time::Sleep;

use super::lease::{Lease, Leased};
use super::listener::Hearing;
use super::record::Partition;
use super::stats::{Holds, PartitionStats, Stats};
use super::worker::ToWorker;
use crate::budget::Budget;
use crate::link;
use crate::net::chunk::copy_out;
use crate::net::lane::{self, Addresses, LaneDriver, LaneEvent};
use crate::net::traffic::Traffic;
use crate::runtime::Clock;

/// How often slots that stand still are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a shard is made with.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) lane: lane::Setup,
    pub(crate) addresses: watch::Sender<Addresses>,
    pub(crate) orders: link::Receiver<Order>,
    pub(crate) reports: link::Sender<Report>,
    pub(crate) workers: Vec<link::Sender<ToWorker>>,
    pub(crate) progress: link::Receiver<Vec<Progress>>,
    pub(crate) questions: link::Receiver<Question>,
    pub(crate) hearing: Hearing,
}

/// Somebody wants to know how it stands.
pub(crate) type Question = oneshot::Sender<Stats>;

/// The data plane's driver; a future that ends after [`Order::Close`].
pub(crate) struct ShardDriver {
    machine: Shard,
    setup: Setup,
    lanes: Vec<OpenLane>,
    events: link::Receiver<LaneEvent>,
    event_tx: link::Sender<LaneEvent>,
    /// By slot.
    owned: Vec<Option<Owned>>,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    look_at: Option<Instant>,
    /// Since when there is nothing to work on; `None` while there is.
    empty_since: Option<Instant>,
    empty: Duration,
}

struct OpenLane {
    broker: BrokerId,
    orders: link::Sender<LaneOrder>,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What the driver holds of a slot.
struct Owned {
    lease: Lease,
    worker: WorkerId,
    partition: Arc<Partition>,
}

/// What a turn did.
#[derive(Default)]
struct Turn {
    /// Workers have something new: let them run before more is read.
    has_handed_out: bool,
    is_over: bool,
}

impl ShardDriver {
    pub(crate) fn new(setup: Setup) -> Self {
        let (event_tx, events) = link::channel();
        Self {
            machine: Shard::new(setup.config),
            setup,
            lanes: Vec::new(),
            events,
            event_tx,
            owned: Vec::new(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: None,
            look_at: None,
            empty_since: None,
            empty: Duration::ZERO,
        }
    }

    /// Serves until the control plane closes it or is gone.
    pub(crate) async fn run(mut self) {
        loop {
            let turn = std::future::poll_fn(|cx| self.poll_turn(cx)).await;
            if turn.is_over {
                break;
            }
            if turn.has_handed_out {
                tokio::task::yield_now().await;
            }
        }
        // What was said last is heard, too.
        std::future::poll_fn(|cx| {
            self.setup.hearing.poll(cx);
            Poll::Ready(())
        })
        .await;
        // Lanes and workers end when the senders to them are gone.
        self.lanes.clear();
        self.owned.clear();
        self.setup.reports.send(Report::Closed);
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let mut turn = Turn::default();
        let now = self.clock().now();
        self.setup.hearing.poll(cx);
        let mut heard = self.poll_orders(cx, now, &mut turn);
        heard |= self.poll_progress(cx, now);
        heard |= self.poll_events(cx, now);
        heard |= self.poll_timer(cx, now);
        self.poll_questions(cx, now);
        self.carry_out(&mut turn);
        if heard || turn.is_over {
            return Poll::Ready(turn);
        }
        for lane in &mut self.lanes {
            // A lane ends only when the sender to it is dropped.
            if lane.future.as_mut().poll(cx).is_ready() {
                tracing::error!(target: "forebay::fetch", broker = lane.broker.0, "a lane ended");
            }
        }
        if self.poll_events(cx, now) {
            self.carry_out(&mut turn);
            return Poll::Ready(turn);
        }
        Poll::Pending
    }

    fn clock(&self) -> Clock {
        self.setup.lane.clock
    }

    fn poll_orders(&mut self, cx: &mut Context<'_>, now: Instant, turn: &mut Turn) -> bool {
        let mut heard = false;
        while let Poll::Ready(order) = self.setup.orders.poll_recv(cx) {
            heard = true;
            match order {
                Some(Order::Brokers(brokers)) => {
                    self.setup.addresses.send_replace(brokers);
                }
                None | Some(Order::Close) => {
                    turn.is_over = true;
                    return true;
                }
                Some(order) => self.machine.handle_order(now, order),
            }
        }
        heard
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut heard = false;
        while let Poll::Ready(Some(progress)) = self.setup.progress.poll_recv(cx) {
            self.machine.handle_progress(now, progress);
            heard = true;
        }
        heard
    }

    fn poll_events(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut heard = false;
        while let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
            heard = true;
            match event {
                LaneEvent::Arrived(broker, runs) => self.machine.handle_arrived(now, broker, runs),
                LaneEvent::Returned(cursor, why) => self.machine.handle_returned(now, cursor, why),
                LaneEvent::State(broker, state) => self.machine.handle_lane_state(broker, state),
                LaneEvent::Down(broker, fault) => {
                    tracing::warn!(target: "forebay::fetch", %broker, %fault, "a lane is down");
                    self.machine.handle_lane_down(broker);
                }
            }
        }
        if heard && self.look_at.is_none() && !self.machine.reservoir().is_empty() {
            self.look_at = Some(now.after(LOOK_EVERY));
        }
        heard
    }

    /// One timer for the router's deadlines and for slots that stand still.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let next = [self.machine.poll_timeout(), self.look_at].into_iter().flatten().min();
        let Some(at) = next else { return false };
        if now < at {
            if self.timer_at != Some(at) {
                self.timer.as_mut().reset(tokio::time::Instant::now() + at.since(now));
                self.timer_at = Some(at);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        self.timer_at = None;
        self.machine.handle_timeout(now.max(at));
        if self.look_at.is_some_and(|look| look <= now.max(at)) {
            self.look(now);
        }
        true
    }

    /// Small runs of slots that stand still are copied out of the chunks they pin.
    fn look(&mut self, now: Instant) {
        let budget = self.setup.lane.budget.clone();
        self.machine.copy_out_still(now, |bytes| copy_out(bytes, &budget));
        let is_empty = self.machine.reservoir().is_empty();
        self.look_at = (!is_empty).then(|| now.after(LOOK_EVERY));
    }

    fn carry_out(&mut self, turn: &mut Turn) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Lane(broker, order) => self.order_lane(broker, order),
                Output::Jobs(worker, jobs) => {
                    turn.has_handed_out = true;
                    self.hand_out(worker, jobs);
                }
                Output::Gained { slot, tp, worker, token, .. } => {
                    self.gained(slot, Partition::new(tp), (worker, Lease::grant(token)));
                }
                Output::Fenced(slot, _) => self.change(slot, Lease::restart),
                Output::Draining(slot) => self.change(slot, |lease| lease.drain()),
                Output::Gone { slot, worker } => self.gone(slot, worker),
                Output::Healed(tp) => tracing::warn!(
                    target: "forebay::fetch", %tp,
                    "no fetch has asked for this partition for a while: begins anew with it; please report this"
                ),
                Output::Report(report) => {
                    self.setup.reports.send(report);
                }
            }
        }
    }

    fn order_lane(&mut self, broker: BrokerId, order: LaneOrder) {
        if let Some(lane) = self.lanes.iter().find(|lane| lane.broker == broker) {
            lane.orders.send(order);
            return;
        }
        let (orders, receiver) = link::channel();
        orders.send(order);
        let mut setup = self.setup.lane.clone();
        setup.seed = setup.seed.wrapping_add(u64::from(broker.0.unsigned_abs()));
        let driver = LaneDriver::new(broker, setup, receiver, self.event_tx.clone());
        self.lanes.push(OpenLane { broker, orders, future: Box::pin(driver.run()) });
    }

    fn hand_out(&self, worker: WorkerId, jobs: Vec<Job>) {
        let owned = &self.owned;
        let traffic: &Traffic = &self.setup.lane.traffic;
        let leased = |job: Job| {
            let lease = &owned.get(job.run.slot.index())?.as_ref()?.lease;
            traffic.delivered(job.run.bytes.len(), job.run.count.unwrap_or(0));
            Some((job, lease.leased()))
        };
        let jobs: Vec<(Job, Leased)> = jobs.into_iter().filter_map(leased).collect();
        self.tell_worker(worker, ToWorker::Jobs(jobs));
    }

    fn tell_worker(&self, worker: WorkerId, message: ToWorker) {
        if let Some(worker) = self.setup.workers.get(worker.0) {
            worker.send(message);
        }
    }

    fn gained(&mut self, slot: Slot, partition: Partition, (worker, lease): (WorkerId, Lease)) {
        let partition = Arc::new(partition);
        self.tell_worker(worker, ToWorker::Gained(slot, Arc::clone(&partition)));
        if self.owned.len() <= slot.index() {
            self.owned.resize_with(slot.index() + 1, || None);
        }
        if let Some(place) = self.owned.get_mut(slot.index()) {
            *place = Some(Owned { lease, worker, partition });
        }
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Lease)) {
        let Some(Some(owned)) = self.owned.get_mut(slot.index()) else { return };
        change(&mut owned.lease);
        let worker = owned.worker;
        self.tell_worker(worker, ToWorker::Look(slot));
    }

    fn gone(&mut self, slot: Slot, worker: WorkerId) {
        if let Some(place) = self.owned.get_mut(slot.index()) {
            *place = None;
        }
        self.tell_worker(worker, ToWorker::Gone(slot));
    }

    fn poll_questions(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.note_empty(now);
        while let Poll::Ready(Some(question)) = self.setup.questions.poll_recv(cx) {
            drop(question.send(self.stats(now)));
        }
    }

    /// How long the workers had nothing to do and nothing lay ready for them.
    fn note_empty(&mut self, now: Instant) {
        let traffic = &self.setup.lane.traffic;
        let is_empty = self.machine.is_idle() && 0 < traffic.bytes_delivered();
        match (is_empty, self.empty_since) {
            (true, None) => self.empty_since = Some(now),
            (false, Some(since)) => {
                self.empty += now.since(since);
                self.empty_since = None;
            }
            _ => {}
        }
    }

    fn stats(&self, now: Instant) -> Stats {
        let traffic = &self.setup.lane.traffic;
        let budget: &Budget = &self.setup.lane.budget;
        let waiting = self.empty_since.map_or(Duration::ZERO, |since| now.since(since));
        Stats {
            partitions: self.partition_stats(now),
            buffered_bytes: self.machine.reservoir().bytes(),
            budget_bytes: budget.total() as u64,
            held_bytes: budget.used() as u64,
            reserved_bytes: budget.reserved() as u64,
            held_bytes_peak: budget.peak() as u64,
            bytes_read: traffic.bytes_read(),
            bytes_delivered: traffic.bytes_delivered(),
            records_delivered: traffic.records_delivered(),
            fetches: traffic.fetches(),
            reservoir_empty: self.empty + waiting,
            watchdog_heals: self.machine.heals(),
        }
    }

    fn partition_stats(&self, now: Instant) -> Vec<PartitionStats> {
        let entries = self.machine.slots().iter();
        entries
            .map(|(slot, entry)| {
                let frontier = entry.tracker.frontier().position;
                let end = entry.watermarks.last_stable.0.max(entry.watermarks.high.0.min(0));
                let lag = (0 <= end).then(|| end.saturating_sub(frontier.0).max(0));
                let owned = self.owned.get(slot.index()).and_then(Option::as_ref);
                PartitionStats {
                    tp: entry.tp.clone(),
                    position: frontier,
                    lag: lag.and_then(|lag| u64::try_from(lag).ok()),
                    frontier_age: entry.tracker.stands_since().map(|since| now.since(since)),
                    in_flight: owned.map_or(0, |owned| owned.partition.in_flight()),
                    oldest_in_flight: owned.and_then(|owned| owned.partition.oldest(now)),
                    buffered_bytes: self.machine.reservoir().slot_bytes(slot),
                    open_bytes: entry.tracker.open_bytes(),
                    held_by: self.held_by(slot, entry),
                }
            })
            .collect()
    }

    fn held_by(&self, slot: Slot, entry: &forebay_core::shard::slots::Entry) -> Holds {
        match (&entry.phase, &entry.place) {
            (Phase::Stopped, _) => Holds::Stopped,
            (Phase::Draining { .. }, _) => Holds::Draining,
            _ if entry.is_paused => Holds::Paused,
            (_, Place::Resting { until: Until::UserSeek, .. }) => Holds::Stopped,
            (_, Place::Resting { until: Until::Right, .. }) => Holds::Denied,
            (_, Place::Resting { .. }) => Holds::Leader,
            _ if self.machine.reservoir().is_held(slot) => Holds::Work,
            _ => Holds::Nothing,
        }
    }
}
