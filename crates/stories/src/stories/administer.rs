//! A cluster can be asked and changed, each thing with its own result, on every release.

use std::collections::BTreeMap;
use std::time::Duration;

use forebay::admin::{
    ConfigChange, ConfigResource, ConfigSource, DeleteBefore, Elected, Election, NewTopic,
    OffsetSpec,
};
use forebay::{Admin, ClientConfig, Error, Offset, TopicName, TopicPartition};

use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::stage::{Brokers, Stage};
use crate::story::{Ending, Holds, Story, expect};

pub(crate) const STORY: Story = Story {
    name: "administer",
    promise: "topics, settings, offsets, records, leaders and directories can be asked and changed",
    tell: |stage| Box::pin(tell(stage)),
};

const RECORDS: u32 = 100;

/// A story's own topic, and whom to ask about it.
struct Scene<'a> {
    stage: &'a Stage,
    admin: Admin,
    name: TopicName,
}

async fn tell(stage: &Stage) -> Result<(), Ending> {
    let config = ClientConfig::from_servers(stage.bootstrap()).map_err(Error::from)?;
    let scene = Scene { stage, admin: Admin::new(&config)?, name: stage.name("admin").into() };
    scene.topics().await?;
    scene.settings().await?;
    scene.partitions().await?;
    scene.records().await?;
    scene.nodes().await?;
    scene.leaders().await?;
    scene.end().await
}

impl Scene<'_> {
    fn tp(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.name.clone(), partition)
    }

    fn broker(&self) -> Brokers {
        self.stage.broker()
    }

    async fn topics(&self) -> Result<(), Ending> {
        let (name, none) = (&self.name, TopicName::from("no-such-topic"));
        let new = NewTopic::new(name.clone(), 2).config("retention.ms", "600000");
        let created = self.admin.create_topics(&[new.clone(), NewTopic::new("a b", 1)]).await?;
        expect(created.get(name).is_some_and(Result::is_ok).into(), || format!("{created:?}"))?;
        let bad = created.get(&TopicName::from("a b"));
        refused("a bad name", bad, "INVALID_TOPIC_EXCEPTION")?;
        let again = self.admin.create_topics(&[new]).await?;
        refused("the same topic again", again.get(name), "TOPIC_ALREADY_EXISTS")?;
        let told = self.admin.describe_topics(&[name.clone(), none.clone()]).await?;
        let has = |partitions| {
            told.get(name)
                .is_some_and(|it| it.as_ref().is_ok_and(|it| it.partitions.len() == partitions))
        };
        expect(has(2).into(), || format!("not two partitions: {told:?}"))?;
        let unknown = matches!(told.get(&none), Some(Err(Error::UnknownTopic { .. })));
        expect(unknown.into(), || format!("a topic from nowhere: {told:?}"))?;
        let listed = self.admin.list_topics().await?;
        expect(listed.iter().any(|it| it.name == *name).into(), || format!("{listed:?}"))
    }

    async fn settings(&self) -> Result<(), Ending> {
        let resource = ConfigResource::Topic(self.name.clone());
        let changes = vec![
            ("max.message.bytes".to_owned(), ConfigChange::Set("500000".to_owned())),
            ("segment.bytes".to_owned(), ConfigChange::Set("2000000".to_owned())),
        ];
        self.alter(&resource, changes).await?;
        let back = vec![("segment.bytes".to_owned(), ConfigChange::Delete)];
        self.alter(&resource, back).await?;
        // ZooKeeper brokers hear of settings a moment later.
        let mut told = BTreeMap::new();
        for _ in 0..100 {
            let mut all = self.admin.describe_configs(std::slice::from_ref(&resource)).await?;
            let entries = all.remove(&resource).unwrap_or(Err(Error::Closed))?;
            told = entries.into_iter().map(|(key, it)| (key, (it.value, it.source))).collect();
            if has(&told, "max.message.bytes", "500000") && !is_set(&told, "segment.bytes") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let kept =
            has(&told, "retention.ms", "600000") && has(&told, "max.message.bytes", "500000");
        expect(kept.into(), || format!("a setting that did not stay: {told:?}"))?;
        expect((!is_set(&told, "segment.bytes")).into(), || format!("{told:?}"))?;
        let wrong = ("retention.ms".to_owned(), ConfigChange::Set("soon".to_owned()));
        let wrong = BTreeMap::from([(resource.clone(), vec![wrong])]);
        let told = self.admin.alter_configs(&wrong).await?;
        expect(told.get(&resource).is_some_and(Result::is_err).into(), || format!("{told:?}"))
    }

    async fn alter(
        &self,
        resource: &ConfigResource,
        changes: Vec<(String, ConfigChange)>,
    ) -> Result<(), Ending> {
        let changes = BTreeMap::from([(resource.clone(), changes)]);
        let mut told = self.admin.alter_configs(&changes).await?;
        // Before 2.3 settings are read before they are written back: wait until they are told.
        let wait = if self.broker() < Brokers::V2_8 { 500 } else { 0 };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        Ok(told.remove(resource).unwrap_or(Err(Error::Closed))?)
    }

    async fn partitions(&self) -> Result<(), Ending> {
        let three = BTreeMap::from([(self.name.clone(), 3)]);
        let grown = self.admin.create_partitions(&three).await;
        let Some(grown) = offered(self.broker().adds_partitions().into(), grown)? else {
            return Ok(());
        };
        expect(grown.values().all(Result::is_ok).into(), || format!("{grown:?}"))?;
        let fewer = BTreeMap::from([(self.name.clone(), 1)]);
        let told = self.admin.create_partitions(&fewer).await?;
        refused("fewer partitions", told.get(&self.name), "INVALID_PARTITIONS")
    }

    async fn records(&self) -> Result<(), Ending> {
        let topic = Topic { bootstrap: self.stage.bootstrap(), name: self.name.as_str() };
        let fresh = |i| Fresh { partition: Some(0), ..Fresh::numbered(i) };
        ours::produce(topic, Codec::None, (0..RECORDS).map(fresh)).await?;
        let tp = self.tp(0);
        self.offset(OffsetSpec::Latest, RECORDS.into()).await?;
        self.offset(OffsetSpec::At(0), 0).await?;
        let before = BTreeMap::from([(tp.clone(), DeleteBefore::Offset(Offset(40)))]);
        let deleted = self.admin.delete_records(&before).await?;
        let low = deleted.get(&tp).and_then(|it| it.as_ref().ok());
        expect((low == Some(&Offset(40))).into(), || format!("{deleted:?}"))?;
        self.offset(OffsetSpec::Earliest, 40).await?;
        let beyond = BTreeMap::from([(tp.clone(), DeleteBefore::Offset(Offset(1000)))]);
        let told = self.admin.delete_records(&beyond).await?;
        refused("records beyond the end", told.get(&tp), "OFFSET_OUT_OF_RANGE")
    }

    async fn offset(&self, spec: OffsetSpec, expected: i64) -> Result<(), Ending> {
        let mut listed = self.admin.list_offsets(&[self.tp(0)], spec).await?;
        let listed = listed.remove(&self.tp(0)).unwrap_or(Err(Error::Closed))?;
        expect((listed.offset == Offset(expected)).into(), || format!("{spec:?}: {listed:?}"))
    }

    async fn nodes(&self) -> Result<(), Ending> {
        let cluster = self.admin.describe_cluster().await?;
        let is_whole = cluster.id.is_some() && cluster.controller.is_some();
        expect(is_whole.into(), || format!("{cluster:?}"))?;
        let ids: Vec<_> = cluster.brokers.iter().map(|node| node.id).collect();
        for (_, dirs) in self.admin.describe_log_dirs(&ids).await? {
            let Some(dirs) = offered(self.broker().adds_partitions().into(), dirs)? else {
                return Ok(());
            };
            let mut here = dirs.iter().flat_map(|dir| &dir.replicas);
            let found = here.any(|it| it.tp == self.tp(0) && 0 < it.bytes);
            expect(found.into(), || format!("{} is nowhere: {dirs:?}", self.tp(0)))?;
        }
        Ok(())
    }

    async fn leaders(&self) -> Result<(), Ending> {
        let told = self.admin.elect_leaders(Election::Preferred, &[self.tp(0)]).await;
        let Some(told) = offered(self.broker().moves_leaders().into(), told)? else {
            return Ok(());
        };
        let right =
            told.get(&self.tp(0)).and_then(|it| it.as_ref().ok()) == Some(&Elected::NotNeeded);
        expect(right.into(), || format!("{told:?}"))?;
        let moving = self.admin.list_partition_reassignments(None).await?;
        expect(moving.is_empty().into(), || format!("{moving:?}"))?;
        let none = BTreeMap::from([(self.tp(0), None)]);
        let told = self.admin.alter_partition_reassignments(&none).await?;
        refused("a move that is none", told.get(&self.tp(0)), "NO_REASSIGNMENT_IN_PROGRESS")?;
        let nowhere = BTreeMap::from([(self.tp(0), Some(vec![forebay::BrokerId(777)]))]);
        let told = self.admin.alter_partition_reassignments(&nowhere).await?;
        refused("a move to nowhere", told.get(&self.tp(0)), "INVALID_REPLICA_ASSIGNMENT")
    }

    async fn end(&self) -> Result<(), Ending> {
        let none = TopicName::from("no-such-topic");
        let told = self.admin.delete_topics(&[self.name.clone(), none.clone()]).await?;
        expect(told.get(&self.name).is_some_and(Result::is_ok).into(), || format!("{told:?}"))?;
        let unknown = matches!(told.get(&none), Some(Err(Error::UnknownTopic { .. })));
        expect(unknown.into(), || format!("{told:?}"))
    }
}

type Told = BTreeMap<String, (Option<String>, ConfigSource)>;

fn has(told: &Told, key: &str, value: &str) -> bool {
    told.get(key).is_some_and(|(told, source)| {
        told.as_deref() == Some(value) && *source == ConfigSource::Topic
    })
}

fn is_set(told: &Told, key: &str) -> bool {
    told.get(key).is_some_and(|(_, source)| *source == ConfigSource::Topic)
}

/// What a broker does not offer must say so, in a way that programs understand.
fn offered<T>(is_there: Holds, told: Result<T, Error>) -> Result<Option<T>, Ending> {
    match (is_there, told) {
        (Holds::No, Err(Error::NotOffered { .. })) => Ok(None),
        (Holds::No, Ok(_)) => {
            Err(Ending::Broken("what cannot be there was done, and no error says so".to_owned()))
        }
        (_, told) => Ok(Some(told?)),
    }
}

/// Whether a broker refused with this name.
fn refused<T: std::fmt::Debug>(
    what: &str,
    told: Option<&Result<T, Error>>,
    expected: &str,
) -> Result<(), Ending> {
    let found = match told {
        Some(Err(Error::Broker { name, .. })) => *name,
        _ => "",
    };
    expect((found == expected).into(), || format!("{what}: {told:?}, expected {expected}"))
}
