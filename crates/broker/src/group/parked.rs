//! Groups inside the cluster: their time, and the answers that had to wait.

use forebay_protocol::messages::ConsumerGroupHeartbeatRequest;

use super::classic::{Classic, Waited, World};
use super::modern::{Told, Topics};
use crate::api;
use crate::cluster::Cluster;
use crate::code::ErrorCode;
use crate::connection::{Busy, Call};

impl Cluster {
    /// Does something in a group if there is one, and notes when it wants to be looked at again.
    pub(crate) fn in_group<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Classic, &mut World<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(name)?;
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
            answers: &mut self.waited,
            initial_delay: self.options.initial_rebalance_delay,
            release: self.options.release,
        };
        let result = act(&mut group.classic, &mut world);
        self.arm(name);
        Some(result)
    }

    /// Notes when the group wants to be looked at next.
    fn arm(&mut self, name: &str) {
        let now = self.wall_clock();
        let Some(group) = self.groups.get_mut(name) else { return };
        group.note_members(now);
        let dues = [group.classic.due(), group.modern.due()];
        let (due, armed) = (dues.into_iter().flatten().min(), group.timer.take());
        if let Some(key) = armed {
            self.cancel_timer(key);
        }
        let timer = due.map(|at| self.group_timer(at, name));
        if let Some(group) = self.groups.get_mut(name) {
            group.timer = timer;
        }
    }

    /// A heartbeat by KIP-848. A group has members of one kind at a time.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        call: &Call,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Told, ErrorCode> {
        let topics = self.topics.iter().map(|(name, topic)| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (name.to_owned(), (topic.id, count))
        });
        let topics: Topics = topics.collect();
        let name = request.group_id.as_str();
        let rules = self.options.consumer_groups;
        let joins = request.member_epoch == 0;
        let is_new = joins && !self.groups.contains_key(name);
        if joins {
            self.groups.entry(name.to_owned()).or_default();
        }
        let group = self.groups.get_mut(name).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        if !group.classic.is_empty() || !(joins || group.is_modern()) {
            return Err(ErrorCode::GROUP_ID_NOT_FOUND);
        }
        // Who comes to an empty group decides what it is.
        group.classic = Classic::default();
        let client = call.client_id.as_deref().unwrap_or_default();
        let told = group.modern.heartbeat((self.now, rules), client, request, &topics);
        if is_new && told.is_err() {
            self.groups.remove(name);
        }
        self.arm(name);
        told
    }

    /// A group's deadline has come.
    pub(crate) fn group_due(&mut self, name: &str) {
        let now = self.now;
        if let Some(group) = self.groups.get_mut(name) {
            group.modern.handle_timeout(now);
        }
        self.in_group(name, |classic, world| classic.handle_timeout(world));
    }

    /// The coordinators of these groups are on other nodes now.
    pub(crate) fn groups_moved(&mut self, names: &[String]) {
        let (now, rules) = (self.now, self.options.consumer_groups);
        for name in names {
            if let Some(group) = self.groups.get_mut(name) {
                group.modern.moved(now, rules);
            }
            self.in_group(name, |classic, world| classic.moved(world));
        }
    }

    /// Sends the answers that groups have made.
    pub(crate) fn answer_waited(&mut self) {
        while !self.waited.is_empty() {
            for (call, waited) in std::mem::take(&mut self.waited) {
                self.unpark(&call, &waited);
            }
        }
    }

    fn unpark(&mut self, call: &Call, waited: &Waited) {
        let Some(connection) = self.connections.get_mut(&call.connection) else { return };
        let is_this = |busy: &mut Busy| matches!(busy, Busy::Parked { correlation } if *correlation == call.correlation);
        // Whoever hung up or asked something else since then is not told.
        if connection.busy.take_if(is_this).is_none() {
            return;
        }
        let body = match waited {
            Waited::Join(body) => api::encoded(body, call.version),
            Waited::Sync(body) => api::encoded(body, call.version),
        };
        match body {
            Ok(body) => self.finish(call, vec![body]),
            Err(reason) => self.close(call.connection, Some(reason.into())),
        }
        self.serve(call.connection);
    }
}
