//! Kafka's JSON definitions as values.

use serde_json::Value;

use super::jar::Source;

/// Why a definition could not be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefinitionError {
    #[error("{file}: {source}")]
    Json { file: String, source: serde_json::Error },
    #[error("{file}: cannot read the versions `{text}`")]
    Versions { file: String, text: String },
    #[error("{file}: `{field}` has no `{key}`")]
    Missing { file: String, field: String, key: &'static str },
}

/// Versions from one to another, both included; none at all when `min > max`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Versions {
    pub(crate) min: i16,
    pub(crate) max: i16,
}

impl Versions {
    pub(crate) const NONE: Self = Self { min: i16::MAX, max: -1 };

    pub(crate) fn is_empty(self) -> bool {
        self.min > self.max
    }

    pub(crate) fn and(self, other: Self) -> Self {
        let both = Self { min: self.min.max(other.min), max: self.max.min(other.max) };
        if both.is_empty() { Self::NONE } else { both }
    }

    /// The smallest range that holds both.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }

    pub(crate) fn covers(self, other: Self) -> bool {
        other.is_empty() || (self.min <= other.min && self.max >= other.max)
    }

    pub(crate) fn contains(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::NONE);
        }
        let (min, max) = match text.split_once('-') {
            Some((min, max)) => (min.parse().ok()?, max.parse().ok()?),
            None => match text.strip_suffix('+') {
                Some(min) => (min.parse().ok()?, i16::MAX),
                None => (text.parse().ok()?, text.parse().ok()?),
            },
        };
        Some(Self { min, max })
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Request,
    Response,
    Other,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) api_key: Option<i16>,
    pub(crate) kind: Kind,
    pub(crate) versions: Versions,
    pub(crate) flexible: Versions,
    pub(crate) latest_unstable: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) common: Vec<Struct>,
}

/// A named struct that several fields share.
#[derive(Clone, Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) versions: Versions,
    pub(crate) nullable: Versions,
    pub(crate) tagged: Versions,
    pub(crate) tag: u32,
    pub(crate) default: Option<String>,
    pub(crate) ignorable: bool,
    pub(crate) fields: Vec<Self>,
}

/// Understands all definitions of a jar.
pub(crate) fn parse_all(sources: &[Source]) -> Result<Vec<Definition>, DefinitionError> {
    sources.iter().map(parse).collect()
}

fn parse(source: &Source) -> Result<Definition, DefinitionError> {
    let value: Value = serde_json::from_str(&without_comments(&source.text))
        .map_err(|error| DefinitionError::Json { file: source.name.clone(), source: error })?;
    let node = Node { file: &source.name, value: &value };
    let key = value.get("apiKey").and_then(Value::as_i64);
    Ok(Definition {
        name: node.text("name")?,
        api_key: key.and_then(|key| i16::try_from(key).ok()),
        kind: match value.get("type").and_then(Value::as_str) {
            Some("request") => Kind::Request,
            Some("response") => Kind::Response,
            _ => Kind::Other,
        },
        versions: node.versions("validVersions")?,
        flexible: node.versions("flexibleVersions")?,
        latest_unstable: node.flag("latestVersionUnstable"),
        fields: node.fields()?,
        common: node.common()?,
    })
}

/// A JSON object and the file that it stands in.
#[derive(Clone, Copy)]
struct Node<'a> {
    file: &'a str,
    value: &'a Value,
}

impl<'a> Node<'a> {
    fn text(self, key: &'static str) -> Result<String, DefinitionError> {
        self.value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            let field = self.value.get("name").map_or_else(String::new, Value::to_string);
            DefinitionError::Missing { file: self.file.to_owned(), field, key }
        })
    }

    fn flag(self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Versions; none when the key is not there.
    fn versions(self, key: &str) -> Result<Versions, DefinitionError> {
        let text = self.value.get(key).and_then(Value::as_str).unwrap_or("none");
        Versions::parse(text).ok_or_else(|| DefinitionError::Versions {
            file: self.file.to_owned(),
            text: text.to_owned(),
        })
    }

    fn children(self, key: &str) -> impl Iterator<Item = Self> + use<'a> {
        let list = self.value.get(key).and_then(Value::as_array);
        list.into_iter().flatten().map(move |value| Node { file: self.file, value })
    }

    fn fields(self) -> Result<Vec<Field>, DefinitionError> {
        self.children("fields").map(Node::field).collect()
    }

    fn common(self) -> Result<Vec<Struct>, DefinitionError> {
        let build = |node: Self| Ok(Struct { name: node.text("name")?, fields: node.fields()? });
        self.children("commonStructs").map(build).collect()
    }

    fn field(self) -> Result<Field, DefinitionError> {
        let tag = self.value.get("tag").and_then(Value::as_u64);
        let default = self
            .value
            .get("default")
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Ok(Field {
            name: self.text("name")?,
            kind: self.text("type")?,
            versions: self.versions("versions")?,
            nullable: self.versions("nullableVersions")?,
            tagged: self.versions("taggedVersions")?,
            tag: tag.and_then(|tag| u32::try_from(tag).ok()).unwrap_or_default(),
            default,
            ignorable: self.flag("ignorable"),
            fields: self.fields()?,
        })
    }
}

/// The JSON without its `//` comments, which `serde_json` refuses.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        plain.push_str(line.get(..comment_start(line)).unwrap_or(line));
        plain.push('\n');
    }
    plain
}

/// Where the comment of a line begins: at the first `//` outside of a string.
fn comment_start(line: &str) -> usize {
    let (mut inside, mut escaped) = (false, false);
    let mut slashes = None;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b'/' if !inside && slashes == at.checked_sub(1) && slashes.is_some() => return at - 1,
            b'/' if !inside => slashes = Some(at),
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    //! Which parts of the definitions' own dialect of JSON are easy to get wrong.

    use super::*;

    #[test]
    fn comments_go_and_slashes_in_strings_stay() {
        let text = "{ // a\n \"a\": \"http://x\", // \"b\"\n  // c\n \"d\": \"\\\"//\" }";
        assert_eq!(
            without_comments(text),
            "{ \n \"a\": \"http://x\", \n  \n \"d\": \"\\\"//\" }\n"
        );
    }

    #[test]
    fn versions_are_read_in_all_four_forms() {
        assert_eq!(Versions::parse("3-13"), Some(Versions { min: 3, max: 13 }));
        assert_eq!(Versions::parse("9+"), Some(Versions { min: 9, max: i16::MAX }));
        assert_eq!(Versions::parse("2"), Some(Versions { min: 2, max: 2 }));
        assert_eq!(Versions::parse("none"), Some(Versions::NONE));
        assert_eq!(Versions::parse("many"), None);
    }
}
