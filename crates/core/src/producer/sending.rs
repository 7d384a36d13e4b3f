//! Which batches leave now, as whom and to whom?

use std::collections::BTreeMap;

use forebay_protocol::types::BrokerId;

use super::broker::Broker;
use super::partition::Partition;
use super::request::{Ready, Request};
use super::verdict::Fence;
use super::{Failure, Output, Producer, RequestId, Sent, Sequencing};
use crate::time::Instant;

impl Producer {
    pub(super) fn expire(&mut self, now: Instant) {
        for at in &self.waiting {
            let Some(partition) = self.partitions.get_mut(*at) else { continue };
            while let Some(batch) = partition.queue.pop_front_if(|batch| batch.deadline <= now) {
                partition.breaks_by(&batch, Fence::Open);
                let result = Err(batch.failure(Failure::Late { last: batch.last_code }));
                self.outputs.push_back(Output::Done { batch: batch.id, result });
            }
        }
    }

    /// Partitions whose sequence broke go on under a new identity, once nothing of them is on its
    /// way: what was surely not written is numbered anew, the rest is given up as unknown.
    pub(super) fn mend(&mut self) {
        for at in &self.waiting {
            let Some(partition) = self.partitions.get_mut(*at) else { continue };
            if !partition.is_broken() || !partition.in_flight.is_empty() {
                continue;
            }
            if let Some(identity) = partition.identity {
                self.identities.used_up(identity, partition.fence());
            }
            for batch in partition.mend() {
                let result = Err(Failure::Unknown { last: batch.last_code });
                self.outputs.push_back(Output::Done { batch: batch.id, result });
            }
        }
    }

    /// Asks for an identity when a batch needs one, and hands it to partitions without.
    pub(super) fn identify(&mut self, now: Instant) {
        if self.config.sequencing == Sequencing::None {
            return;
        }
        for at in &self.waiting {
            let Some(partition) = self.partitions.get_mut(*at) else { continue };
            if partition.identity.is_some() || partition.is_broken() || partition.queue.is_empty() {
                continue;
            }
            if let Some(identity) = self.identities.get() {
                partition.identity = Some(identity);
            } else if let Some(current) = self.identities.ask(now) {
                self.outputs.push_back(Output::InitProducerId { current });
            }
        }
    }

    /// Asks for another picture, once per picture, when a partition that wants to send has no
    /// leader in this one.
    pub(super) fn miss_leaders(&mut self) {
        let mut waiting = self.waiting.iter().filter_map(|at| self.partitions.get(*at));
        let lacks = |it: &Partition| !it.queue.is_empty() && self.metadata.leader(&it.tp).is_none();
        if !self.is_incomplete && waiting.any(lacks) {
            self.is_incomplete = true;
            self.outputs.push_back(Output::StaleMetadata);
        }
    }

    /// Sends what may leave, the oldest batches first; connects to leaders that have something to
    /// get.
    pub(super) fn send(&mut self, now: Instant) {
        loop {
            let mut ready = self.ready(now);
            if ready.is_empty() {
                return;
            }
            ready.sort_unstable_by_key(|ready| ready.batch);
            let mut requests: BTreeMap<BrokerId, Request> = BTreeMap::new();
            for Ready { at, bytes, leader, .. } in ready {
                let fresh = || Request::new(self.config.max_request_bytes);
                let request = requests.entry(leader.broker).or_insert_with(fresh);
                if !request.has_room(bytes) {
                    continue;
                }
                let Some(partition) = self.partitions.get_mut(at) else { continue };
                let Some(batch) = partition.send(leader) else { continue };
                request.add(at, partition.tp.clone(), &batch);
            }
            for (broker, request) in requests {
                self.dispatch(now, broker, request);
            }
        }
    }

    fn dispatch(&mut self, now: Instant, broker: BrokerId, request: Request) {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        self.broker(broker).sent();
        let patience = request.late_at.map_or(self.config.delivery_timeout, |at| at.since(now));
        self.requests.insert(id, Sent { broker, batches: request.batches });
        let batches = request.stamped;
        self.outputs.push_back(Output::Send { request: id, broker, batches, patience });
    }

    /// The first batches of all partitions that may send now over a connection that is up.
    fn ready(&mut self, now: Instant) -> Vec<Ready> {
        let most = self.config.max_in_flight;
        let mut ready = Vec::new();
        for at in &self.waiting {
            let Some(partition) = self.partitions.get(*at) else { continue };
            let is_known =
                self.config.sequencing == Sequencing::None || partition.identity.is_some();
            let Some(leader) = self.metadata.leader(&partition.tp) else { continue };
            let Some(batch) = partition.queue.front() else { continue };
            let of_broker = self.brokers.get(&leader.broker).map_or(most, |it| it.remembers(most));
            let in_flight = if partition.identity.is_some() { of_broker } else { most };
            if !is_known || !partition.may_send(now, in_flight, leader) {
                continue;
            }
            let reconnect = self.config.reconnect;
            let fresh = || Broker::new(reconnect);
            let broker = self.brokers.entry(leader.broker).or_insert_with(fresh);
            if broker.must_dial(now) {
                self.outputs.push_back(Output::Connect { broker: leader.broker });
            }
            if broker.may_send(most) {
                ready.push(Ready { batch: batch.id, at: *at, bytes: batch.bytes, leader });
            }
        }
        ready
    }
}
