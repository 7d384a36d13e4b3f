//! Groups inside the cluster: their time, and the answers that had to wait.

use super::Group;
use super::classic::{Classic, Waited, World};
use crate::api;
use crate::cluster::Cluster;
use crate::connection::{Busy, Call};

impl Cluster {
    /// Does something in a group if there is one, and notes when it wants to be looked at again.
    pub(crate) fn in_group<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Classic, &mut World<'_>) -> T,
    ) -> Option<T> {
        let result = self.on_group(name, |group, world| act(&mut group.classic, world))?;
        self.arm(name);
        Some(result)
    }

    /// The group and the world around it, if there is one.
    pub(super) fn on_group<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Group, &mut World<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(name)?;
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
            answers: &mut self.waited,
            initial_delay: self.options.initial_rebalance_delay,
            release: self.options.release,
        };
        Some(act(group, &mut world))
    }

    /// Notes when the group wants to be looked at next.
    pub(super) fn arm(&mut self, name: &str) {
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

    /// A group's deadline has come.
    pub(crate) fn group_due(&mut self, name: &str) {
        let now = self.now;
        if let Some(group) = self.groups.get_mut(name) {
            group.modern.handle_timeout(now);
        }
        self.maybe_downgrade(name);
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
