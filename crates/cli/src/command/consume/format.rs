//! How does a record look in a format of the user's own? kcat's letters, and %v for the value.

use std::io::Write as _;

use forebay::Record;

/// A format that was understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    KeyLength,
    Value,
    ValueLength,
    /// In four bytes, the most significant first.
    ValueLengthRaw,
    Headers,
}

impl Template {
    /// Reads a format: `%` and a letter stand for a part of the record, a backslash for a
    /// character.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => match part(rest.next())? {
                    None => plain.push(b'%'),
                    Some(part) => {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                        parts.push(part);
                    }
                },
                '\\' => plain.extend(escape(&mut rest)?),
                other => plain.extend(other.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        parts.push(Part::Text(plain));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    pub(super) fn render(&self, record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Topic => out.extend_from_slice(record.topic().as_bytes()),
                Part::Partition => write!(out, "{}", record.partition()).unwrap_or_default(),
                Part::Offset => write!(out, "{}", record.offset()).unwrap_or_default(),
                Part::Timestamp => write!(out, "{}", record.timestamp()).unwrap_or_default(),
                Part::Key => out.extend_from_slice(record.key().unwrap_or_default()),
                Part::KeyLength => write!(out, "{}", length(record.key())).unwrap_or_default(),
                Part::Value => out.extend_from_slice(record.value().unwrap_or_default()),
                Part::ValueLength => write!(out, "{}", length(record.value())).unwrap_or_default(),
                Part::ValueLengthRaw => {
                    let length = i32::try_from(length(record.value())).unwrap_or(i32::MAX);
                    out.extend_from_slice(&length.to_be_bytes());
                }
                Part::Headers => headers(record, &mut out),
            }
        }
        out
    }
}

/// `key=value,key=value`; a header without value has no `=`.
fn headers(record: &Record, out: &mut Vec<u8>) {
    for (at, header) in record.headers().into_iter().flatten().enumerate() {
        if at != 0 {
            out.push(b',');
        }
        out.extend_from_slice(header.key);
        if let Some(value) = header.value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
}

/// -1 where there is nothing, as Kafka has it.
fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

/// What a letter stands for; nothing for a second `%`.
fn part(letter: Option<char>) -> Result<Option<Part>, String> {
    Ok(Some(match letter {
        Some('%') => return Ok(None),
        Some('t') => Part::Topic,
        Some('p') => Part::Partition,
        Some('o') => Part::Offset,
        Some('T') => Part::Timestamp,
        Some('k') => Part::Key,
        Some('K') => Part::KeyLength,
        Some('s' | 'v') => Part::Value,
        Some('S') => Part::ValueLength,
        Some('R') => Part::ValueLengthRaw,
        Some('h') => Part::Headers,
        Some(other) => return Err(format!("%{other} stands for nothing; {LETTERS}")),
        None => return Err(format!("% needs a letter; {LETTERS}")),
    }))
}

const LETTERS: &str = "expected one of t p o T k K s v S R h, or %% for a percent sign";

/// The bytes that stand behind a backslash.
fn escape(rest: &mut std::str::Chars<'_>) -> Result<Vec<u8>, String> {
    Ok(match rest.next() {
        Some('n') => vec![b'\n'],
        Some('r') => vec![b'\r'],
        Some('t') => vec![b'\t'],
        Some('0') => vec![0],
        Some('\\') => vec![b'\\'],
        Some('x') => {
            let digits: String = rest.by_ref().take(2).collect();
            let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
            vec![byte.ok_or("\\x needs two hexadecimal digits")?]
        }
        _ => {
            return Err("a backslash is followed by n, r, t, 0, x and two digits, or \\".to_owned());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_escapes_are_parts_and_all_else_is_text() {
        let read = Template::read("%t %p%%\\t%v\\x00ü").unwrap();
        let text = |text: &str| Part::Text(text.as_bytes().to_vec());
        assert_eq!(
            read.0,
            [Part::Topic, text(" "), Part::Partition, text("%\t"), Part::Value, text("\0ü")]
        );
        assert_eq!(Template::read("%s"), Template::read("%v"));
        assert_eq!(Template::read("").unwrap().0, []);
    }

    #[test]
    fn what_stands_for_nothing_is_refused_with_what_does() {
        for wrong in ["%", "%x", "%%%", "\\", "\\q", "\\x1", "\\xg0"] {
            assert!(Template::read(wrong).is_err(), "{wrong:?}");
        }
        assert!(Template::read("%q").is_err_and(|told| told.contains("t p o T k K s v S R h")));
    }
}
