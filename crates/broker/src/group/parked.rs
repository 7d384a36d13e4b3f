//! Groups inside the cluster: their time, and the answers that had to wait.

use super::classic::{Classic, Waited, World};
use crate::api;
use crate::cluster::Cluster;
use crate::connection::{Busy, Call};

impl Cluster {
    /// Does something in a group, and notes when it wants to be looked at again.
    pub(crate) fn in_group<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Classic, &mut World<'_>) -> T,
    ) -> T {
        let group = self.groups.entry(name.to_owned()).or_default();
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
            answers: &mut self.waited,
            initial_delay: self.options.initial_rebalance_delay,
        };
        let result = act(&mut group.classic, &mut world);
        let (due, armed) = (group.classic.due(), group.timer.take());
        if let Some(key) = armed {
            self.cancel_timer(key);
        }
        let timer = due.map(|at| self.group_timer(at, name));
        if let Some(group) = self.groups.get_mut(name) {
            group.timer = timer;
        }
        result
    }

    /// A group's deadline has come.
    pub(crate) fn group_due(&mut self, name: &str) {
        self.in_group(name, |classic, world| classic.handle_timeout(world));
    }

    /// The coordinators of these groups are on other nodes now.
    pub(crate) fn groups_moved(&mut self, names: &[String]) {
        for name in names {
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
