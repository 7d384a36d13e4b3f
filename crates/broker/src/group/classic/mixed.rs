//! How a classic group becomes one by KIP-848, and is one again when only members by the classic
//! protocol are left.

use std::time::Duration;

use super::member::{Member, dismiss};
use super::{Classic, State, World};
use crate::code::ErrorCode;
use crate::group::CONSUMER;
use crate::group::modern::{Modern, Topics, told};

impl Classic {
    /// Whoever waits is to join again: the group is another one now.
    pub(in crate::group) fn dissolve(&mut self, world: &mut World<'_>) {
        for member in self.members.values_mut() {
            let calls = (member.join.take(), member.sync.take());
            dismiss(calls, world, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        *self = Self::default();
    }

    /// The group of these members, all by the classic protocol, which are to join again.
    pub(in crate::group) fn of(modern: &Modern, world: &mut World<'_>, topics: &Topics) -> Self {
        let mut group = Self {
            state: State::Stable,
            generation: modern.epoch(),
            protocol_type: CONSUMER.to_owned(),
            ..Self::default()
        };
        for (id, member) in modern.members() {
            let Some(old) = &member.old else { continue };
            let said = old.protocols.first().map(|(_, said)| said.clone()).unwrap_or_default();
            let fresh = Member {
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                session: old.session,
                rebalance: member.rebalance,
                protocols: old.protocols.clone(),
                assignment: told(modern.target(id), topics, &said).unwrap_or_default(),
                expires: Duration::ZERO,
                join: None,
                sync: None,
            };
            if let Some(instance) = &member.instance {
                group.statics.insert(instance.clone(), id.clone());
            }
            group.members.insert(id.clone(), fresh);
        }
        group.members.values_mut().for_each(|member| member.beat(world.now));
        group.protocol = group.choose();
        group.prepare(world);
        group
    }
}
