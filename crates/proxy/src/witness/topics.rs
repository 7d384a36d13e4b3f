//! Which topic has which id? Learned from what brokers tell clients.

use std::collections::BTreeMap;

use forebay_protocol::messages::MetadataResponse;
use forebay_protocol::types::Uuid;
use forebay_protocol::wire::Str;

/// The names of topics by their ids.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: BTreeMap<Uuid, Str>,
}

impl Topics {
    pub(crate) fn learn(&mut self, answer: &MetadataResponse) {
        for topic in &answer.topics {
            if let Some(name) = topic.name.as_ref().filter(|_| !topic.topic_id.is_zero()) {
                self.names.insert(topic.topic_id, name.clone());
            }
        }
    }

    pub(crate) fn knows(&self, id: Uuid) -> bool {
        self.names.contains_key(&id)
    }

    /// How a history calls a partition: by the topic's name, or by its id as long as nobody was
    /// told the name.
    pub(crate) fn tp(&self, (name, id): (&str, Uuid), partition: i32) -> String {
        match self.names.get(&id) {
            _ if !name.is_empty() => format!("{name}-{partition}"),
            Some(name) => format!("{}-{partition}", name.as_str()),
            None => format!("{id:?}-{partition}"),
        }
    }
}
