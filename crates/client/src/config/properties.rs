//! How does the property file of a JVM client become settings? Each key is used, noted or refused;
//! none is passed over in silence.

mod draft;
mod error;
mod grammar;
mod kafka;
mod librdkafka;
mod nearest;
mod predecessor;
mod row;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub(crate) use draft::{Draft, Work};
pub use error::{Place, PropertyError};
use row::{Does, Known};

use super::{ClientConfig, ConfigError, ConsumerConfig, ProducerConfig};

/// Settings as a property file has them: Kafka's names and units, one `key=value` on each line.
///
/// The grammar is that of Java's `Properties`: `#` and `!` begin comments, `=`, `:` or white space
/// ends the key, a backslash continues a line or escapes a character. Bytes that are no UTF-8 are
/// read as ISO 8859-1, as Java does. Unlike there, a key that stands twice is an error.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    file: Option<Arc<Path>>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    key: String,
    value: String,
    line: usize,
}

/// Which client reads the settings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ClientKind {
    /// A consumer.
    Consumer,
    /// A producer.
    Producer,
    /// An admin client.
    Admin,
}

/// A setting that was understood and does not do what its name says: it has no meaning here, or an
/// old name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Note {
    /// Where the setting stands.
    pub place: Place,
    /// The key as it stands there.
    pub key: String,
    /// What becomes of it, and what to write today.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.text)
    }
}

impl Properties {
    /// Reads a property file.
    ///
    /// # Errors
    ///
    /// [`PropertyError::Read`] when there is no such file, [`PropertyError::Escape`] for a
    /// character that cannot be, [`PropertyError::Twice`] for a key that stands twice.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PropertyError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| PropertyError::Read { path: path.into(), source: source.into() })?;
        Self::gather(&grammar::text(bytes), Some(path.into()))
    }

    /// Reads the text of a property file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), without the first.
    pub fn parse(text: &str) -> Result<Self, PropertyError> {
        Self::gather(text, None)
    }

    fn gather(text: &str, file: Option<Arc<Path>>) -> Result<Self, PropertyError> {
        let mut found = Self { file, entries: Vec::new() };
        let mut first = BTreeMap::new();
        for entry in grammar::entries(text) {
            let entry = entry.map_err(|wrong| PropertyError::Escape {
                place: found.place(wrong.line),
                escape: wrong.escape,
            })?;
            if let Some(first) = first.insert(entry.key.clone(), entry.line) {
                let (place, key) = (found.place(entry.line), entry.key);
                return Err(PropertyError::Twice { place, key, first });
            }
            found.entries.push(entry);
        }
        Ok(found)
    }

    /// The value of `key`, spelled as in the file.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// Takes `key` out: for settings of a program's own, which clients would refuse as unknown.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at).value)
    }

    /// With `key` set to `value`, whatever it was before.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.entries.retain(|entry| entry.key != key);
        self.entries.push(Entry { key, value, line: 0 });
        self
    }

    /// What a client of this kind makes of the settings that have no meaning here or an old name.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
    pub fn notes(&self, kind: ClientKind) -> Result<Vec<Note>, PropertyError> {
        let mut draft = Draft::default();
        self.apply(kind, &mut draft)?;
        Ok(draft.notes)
    }

    /// Puts every setting into `draft`.
    pub(crate) fn apply(&self, kind: ClientKind, draft: &mut Draft) -> Result<(), PropertyError> {
        let mut by = BTreeMap::new();
        for entry in &self.entries {
            let Some(known) = row::find(&entry.key) else {
                return Err(self.unknown(entry));
            };
            if known.row.of.has(kind)
                && matches!(known.row.does, Does::Sets { .. })
                && let Some(first) = by.insert(known.now(), entry)
            {
                return Err(self.same(entry, first, known.now()));
            }
            self.apply_one(kind, draft, (entry, &known))?;
        }
        self.check(kind, draft, &by)
    }

    fn apply_one(
        &self,
        kind: ClientKind,
        draft: &mut Draft,
        (entry, known): (&Entry, &Known),
    ) -> Result<(), PropertyError> {
        let place = self.place(entry.line);
        let key = entry.key.clone();
        let text = match known.row.does {
            Does::Refused(why) => return Err(PropertyError::Refused { place, key, why }),
            _ if !known.row.of.has(kind) => Some(format!("a setting of {}", known.row.of)),
            Does::Noted(why) => Some(why.to_owned()),
            Does::Sets { set, .. } => {
                let said = set(draft, entry.value.trim()).map_err(|expected| {
                    let value = entry.value.clone();
                    PropertyError::Value { place: place.clone(), key: key.clone(), value, expected }
                })?;
                said.map(str::to_owned).or_else(|| known.is_old().then(|| known.today()))
            }
        };
        draft.notes.extend(text.map(|text| Note { place, key, text }));
        Ok(())
    }

    /// Names the line of a setting that can be read and not be used.
    fn check(
        &self,
        kind: ClientKind,
        draft: &Draft,
        by: &BTreeMap<&'static str, &Entry>,
    ) -> Result<(), PropertyError> {
        let Err(ConfigError { key, expected, .. }) = draft.check(kind) else { return Ok(()) };
        // Without a line, it is for the one who sets the rest to complain.
        let Some(entry) = by.get(key) else { return Ok(()) };
        let (key, value) = (entry.key.clone(), entry.value.clone());
        Err(PropertyError::Value { place: self.place(entry.line), key, value, expected })
    }

    fn unknown(&self, entry: &Entry) -> PropertyError {
        let (place, key) = (self.place(entry.line), entry.key.clone());
        match librdkafka::instead(&key) {
            Some(instead) => PropertyError::Librdkafka { place, key, instead },
            None => PropertyError::Unknown { place, nearest: nearest::key(&key), key },
        }
    }

    fn same(&self, entry: &Entry, first: &Entry, now: &'static str) -> PropertyError {
        PropertyError::Same {
            place: self.place(entry.line),
            key: entry.key.clone(),
            other: first.key.clone(),
            first: first.line,
            now,
        }
    }

    fn place(&self, line: usize) -> Place {
        Place { file: self.file.clone(), line }
    }
}

impl ConsumerConfig {
    /// The settings of a consumer's property file over the defaults. What the old Go client's files
    /// say of workers and retries is for [`ConsumerBuilder`](crate::ConsumerBuilder::properties).
    ///
    /// # Errors
    ///
    /// The first setting that is unknown, cannot be read, or is refused.
    pub fn from_properties(properties: &Properties) -> Result<Self, PropertyError> {
        let mut draft = Draft::default();
        properties.apply(ClientKind::Consumer, &mut draft)?;
        Ok(draft.into_consumer())
    }
}

impl ProducerConfig {
    /// The settings of a producer's property file over the defaults.
    ///
    /// # Errors
    ///
    /// The first setting that is unknown, cannot be read, or is refused.
    pub fn from_properties(properties: &Properties) -> Result<Self, PropertyError> {
        let mut draft = Draft::default();
        properties.apply(ClientKind::Producer, &mut draft)?;
        Ok(draft.into_producer())
    }
}

impl ClientConfig {
    /// The settings of an admin client's property file over the defaults.
    ///
    /// # Errors
    ///
    /// The first setting that is unknown, cannot be read, or is refused.
    pub fn from_properties(properties: &Properties) -> Result<Self, PropertyError> {
        let mut draft = Draft::default();
        properties.apply(ClientKind::Admin, &mut draft)?;
        Ok(draft.client)
    }
}

#[cfg(test)]
mod tests;
