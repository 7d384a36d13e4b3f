//! What is wrong between clients and brokers? The proxy does it.

use std::time::Duration;

use forebay_histcheck::What;
use forebay_proxy::{ApiKey, Effect, Fault as Harm};
use tokio::time::sleep;

use super::Nemesis;
use crate::fault::Fault;

const APIS: [ApiKey; 12] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupHeartbeat,
];

impl Nemesis<'_> {
    pub(super) async fn harm_network(&mut self) -> Result<(), Fault> {
        self.count("faults of the network");
        let time = Duration::from_millis(self.rng.u64(300..3_000));
        let fault = self.strike();
        self.note(What::FaultBegins { fault: fault.clone() })?;
        sleep(time).await;
        self.cluster.proxy.heal();
        self.note(What::FaultEnds { fault })
    }

    /// Something goes wrong; what.
    fn strike(&mut self) -> String {
        let node = i32::from(self.rng.u8(1..=3));
        let (members, proxy) = (&self.group.members, &self.cluster.proxy);
        let member = members.get(self.rng.usize(..members.len().max(1)));
        let name = member.map(|member| member.name.clone());
        match self.rng.u8(..8) {
            0 => {
                proxy.cut(None, None);
                "all connections end".to_owned()
            }
            1 => {
                proxy.cut(name.as_deref(), None);
                format!("all connections of {name:?} end")
            }
            2 => {
                proxy.block(name.as_deref(), None);
                format!("{name:?} reaches nobody")
            }
            3 => {
                proxy.block(None, Some(node));
                format!("nobody reaches broker {node}")
            }
            _ => self.spoil_answers(),
        }
    }

    fn spoil_answers(&mut self) -> String {
        let effect = self.effect();
        let drawn = APIS.get(self.rng.usize(..APIS.len())).copied();
        // Only these have records.
        let drawn = drawn.filter(|_| effect != Effect::CorruptRecords);
        let api = drawn.unwrap_or(ApiKey::Fetch);
        let fault = Harm::new(effect.clone()).api(api);
        let (after, times) = (self.rng.u32(..3), self.rng.u32(1..6));
        self.cluster.proxy.add(fault.after(after).times(times));
        format!("{times} x {effect:?} {api}")
    }

    fn effect(&mut self) -> Effect {
        let millis = Duration::from_millis;
        match self.rng.u8(..8) {
            0 => Effect::Delay(millis(self.rng.u64(10..4_000))),
            1 | 2 => Effect::DropAnswer,
            3 => Effect::DoAndClose,
            4 => Effect::Close,
            5 => Effect::Cut(self.rng.usize(..200)),
            6 => Effect::Slice(self.rng.usize(1..64), millis(1)),
            _ => Effect::CorruptRecords,
        }
    }
}
