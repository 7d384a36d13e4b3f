//! How do records flow while members come and go? At an even pace, by one producer, until told to
//! stop.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::member::Place;
use crate::ours::{self, Fresh};
use crate::peer::{Codec, Topic};
use crate::story::Ending;

/// A thousand records a second or so: that many at once, then a pause.
const AT_ONCE: u32 = 50;
const PAUSE: Duration = Duration::from_millis(50);

/// Records that are written without end.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    places: Arc<Mutex<BTreeSet<Place>>>,
    writer: JoinHandle<Result<(), Ending>>,
}

impl Load {
    pub(crate) fn start(topic: Topic<'_>) -> Self {
        Self::of(topic, AT_ONCE)
    }

    /// So many records twenty times a second.
    pub(crate) fn of(topic: Topic<'_>, at_once: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let places = Arc::new(Mutex::new(BTreeSet::new()));
        let (stop, noted) = (Arc::clone(&is_over), Arc::clone(&places));
        let (bootstrap, name) = (topic.bootstrap.to_owned(), topic.name.to_owned());
        let writer = tokio::spawn(async move {
            let topic = Topic { bootstrap: &bootstrap, name: &name };
            let producer = ours::producer(topic, Codec::None).build()?;
            while !stop.load(Ordering::Relaxed) {
                let stored = ours::write(&producer, topic, (0..at_once).map(Fresh::numbered));
                let stored = stored.await?;
                noted.lock().unwrap_or_else(PoisonError::into_inner).extend(stored);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        });
        Self { is_over, places, writer }
    }

    /// What has been written so far.
    pub(crate) fn places(&self) -> BTreeSet<Place> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops writing; says what was written.
    pub(crate) async fn end(self) -> Result<BTreeSet<Place>, Ending> {
        self.is_over.store(true, Ordering::Relaxed);
        let places = Arc::clone(&self.places);
        self.writer.await.map_err(|fault| Ending::Broken(fault.to_string()))??;
        let places = std::mem::take(&mut *places.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(places)
    }
}
