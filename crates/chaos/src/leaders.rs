//! Who leads what, how is it moved, and how often did it move?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay::admin::{Elected, Election, PartitionDescription};
use forebay::{Admin, BrokerId, Error, TopicPartition};
use tokio::task::JoinHandle;

/// Kafka's topic of committed offsets.
pub(crate) const OFFSETS: &str = "__consumer_offsets";

const POLL: Duration = Duration::from_millis(250);

/// Looks who leads each partition, and counts changes.
#[derive(Debug)]
pub(crate) struct Watch {
    moves: Arc<AtomicU64>,
    leaders: Arc<Mutex<BTreeMap<i32, BrokerId>>>,
    task: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(admin: Admin, topic: &'static str) -> Self {
        let (moves, leaders) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::default()));
        let (count, known) = (Arc::clone(&moves), Arc::clone(&leaders));
        let task = tokio::spawn(async move {
            loop {
                if let Ok(described) = describe(&admin, topic).await {
                    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    count.fetch_add(compare(&mut known, &described), Ordering::Relaxed);
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Self { moves, leaders, task }
    }

    /// How often a partition had another leader than before.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// What a broker leads.
    pub(crate) fn led_by(&self, node: BrokerId) -> Vec<i32> {
        let leaders = self.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        leaders.iter().filter(|(_, leader)| **leader == node).map(|(at, _)| *at).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn compare(known: &mut BTreeMap<i32, BrokerId>, described: &[PartitionDescription]) -> u64 {
    let leaders = described.iter().filter_map(|it| it.leader.map(|leader| (it.partition, leader)));
    let moved = |(partition, leader)| {
        known.insert(partition, leader).is_some_and(|before| before != leader)
    };
    leaders.map(moved).map(u64::from).sum()
}

pub(crate) async fn describe(
    admin: &Admin,
    topic: &str,
) -> Result<Vec<PartitionDescription>, Error> {
    Ok(admin.describe_topic(&topic.into()).await?.partitions)
}

/// Makes another replica lead each of these partitions; which did change.
pub(crate) async fn shuffle(
    admin: &Admin,
    (topic, partitions): (&str, &[i32]),
    rng: &mut fastrand::Rng,
) -> Result<Vec<i32>, Error> {
    let described = describe(admin, topic).await?;
    let wanted = described.iter().filter(|it| partitions.contains(&it.partition));
    let orders = wanted.filter_map(|it| {
        let others: Vec<_> =
            it.in_sync.iter().copied().filter(|node| Some(*node) != it.leader).collect();
        let heir = others.get(rng.usize(..others.len().max(1))).copied()?;
        let rest = it.replicas.iter().copied().filter(|node| *node != heir);
        let order: Vec<BrokerId> = std::iter::once(heir).chain(rest).collect();
        Some((TopicPartition::new(topic, it.partition), Some(order)))
    });
    let orders: BTreeMap<_, _> = orders.collect();
    admin.alter_partition_reassignments(&orders).await?;
    let partitions: Vec<TopicPartition> = orders.into_keys().collect();
    let elected = admin.elect_leaders(Election::Preferred, &partitions).await?;
    let moved = |tp: &TopicPartition| matches!(elected.get(tp), Some(Ok(Elected::Now)));
    Ok(partitions.iter().filter(|tp| moved(tp)).map(|tp| tp.partition).collect())
}

/// The partition of Kafka's own topic whose leader coordinates a group.
pub(crate) fn coordinating(group: &str, partitions: i32) -> i32 {
    let hash = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(unit.into());
    let hash = group.encode_utf16().fold(0, hash);
    (hash & i32::MAX).checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_coordinated_where_java_puts_it() {
        // "chaos".hashCode() is 94623616, "simulation".hashCode() -1291770361.
        assert_eq!(coordinating("chaos", 50), 94_623_616 % 50);
        assert_eq!(coordinating("simulation", 3), (-1_291_770_361_i32 & i32::MAX) % 3);
    }
}
