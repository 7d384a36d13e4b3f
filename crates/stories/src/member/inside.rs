//! A member of a group in this process: it can be told more than to leave, and says what it owns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use forebay::{
    ConsumerBuilder, ConsumerHandle, Context, OwnershipEvent, Record, Summary, TopicPartition,
};
use tokio::task::JoinHandle;

use super::Place;
use crate::story::Ending;

const LEAVE: Duration = Duration::from_secs(20);

/// A member of ours.
pub(crate) struct Inside {
    handle: ConsumerHandle,
    book: Book,
    run: JoinHandle<Result<Summary, forebay::Error>>,
}

/// What it has handled and what it owns.
#[derive(Clone, Debug, Default)]
struct Book(Arc<Mutex<Page>>);

#[derive(Debug, Default)]
struct Page {
    /// By topic.
    handled: BTreeMap<String, Vec<Place>>,
    owned: BTreeSet<TopicPartition>,
}

impl Inside {
    pub(crate) fn start(builder: ConsumerBuilder) -> Result<Self, Ending> {
        let book = Book::default();
        let (hears, notes) = (book.clone(), book.clone());
        let consumer = builder.on_ownership(move |event| hears.hear(event)).build()?;
        let handle = consumer.handle();
        let run = tokio::spawn(consumer.run(move |record: Record, _: Context| {
            notes.note(&record);
            std::future::ready(())
        }));
        Ok(Self { handle, book, run })
    }

    pub(crate) const fn handle(&self) -> &ConsumerHandle {
        &self.handle
    }

    /// What it owns now, as it was told.
    pub(crate) fn owned(&self) -> BTreeSet<TopicPartition> {
        self.book.lock().owned.clone()
    }

    /// What it has handled of a topic, in its order.
    pub(crate) fn handled(&self, topic: &str) -> Vec<Place> {
        self.book.lock().handled.get(topic).cloned().unwrap_or_default()
    }

    /// Leaves in good order; says what it had handled, by topic.
    pub(crate) async fn leave(self) -> Result<BTreeMap<String, Vec<Place>>, Ending> {
        self.handle.shutdown(LEAVE);
        self.run.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
        Ok(std::mem::take(&mut self.book.lock().handled))
    }
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, record: &Record) {
        let mut page = self.lock();
        let topic = record.topic();
        if !page.handled.contains_key(topic) {
            page.handled.insert(topic.to_owned(), Vec::new());
        }
        let place = (record.partition(), record.offset().0);
        page.handled.entry(topic.to_owned()).or_default().push(place);
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "of all events three say who owns what")]
    fn hear(&self, event: &OwnershipEvent) {
        let mut page = self.lock();
        match event {
            OwnershipEvent::Gained(tps) => page.owned.extend(tps.iter().cloned()),
            OwnershipEvent::Released { tp, .. } => drop(page.owned.remove(tp)),
            OwnershipEvent::Lost(tps) => page.owned.retain(|tp| !tps.contains(tp)),
            _ => {}
        }
    }
}
