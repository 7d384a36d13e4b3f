//! How is the text of a property file read? As Java's `Properties` reads it.

use std::iter::Peekable;
use std::str::Chars;

use super::Entry;

/// An escape that stands for no character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) escape: String,
}

/// The text of a file: UTF-8, or ISO 8859-1 where it is not.
pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|wrong| wrong.as_bytes().iter().copied().map(char::from).collect())
}

/// The entries of `text` in their order.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry, Wrong>> {
    logical_lines(text).into_iter().map(|(line, text)| entry(line, &text))
}

/// Lines without comments and blank ones, continued ones as one, each with its first line's number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']).enumerate();
    let mut found = Vec::new();
    while let Some((at, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while is_continued(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start_matches(is_blank));
        }
        found.push((at + 1, whole));
    }
    found
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Whether an odd number of backslashes stands at the end.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn entry(line: usize, text: &str) -> Result<Entry, Wrong> {
    let mut rest = text.chars().peekable();
    let wrong = |escape| Wrong { line, escape };
    let mut key = String::new();
    while let Some(c) = rest.next_if(|c| !is_blank(*c) && !matches!(c, '=' | ':')) {
        key.push(plain(c, &mut rest).map_err(wrong)?);
    }
    while rest.next_if(|c| is_blank(*c)).is_some() {}
    if rest.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while rest.next_if(|c| is_blank(*c)).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = rest.next() {
        value.push(plain(c, &mut rest).map_err(wrong)?);
    }
    Ok(Entry { key, value, line })
}

/// The character that `c` and what follows it stand for.
fn plain(c: char, rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    if c != '\\' {
        return Ok(c);
    }
    match rest.next() {
        Some('t') => Ok('\t'),
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('f') => Ok('\u{c}'),
        Some('u') => unicode(rest),
        Some(other) => Ok(other),
        // A backslash at the very end continues a line that does not come.
        None => Err("\\".to_owned()),
    }
}

/// `\uXXXX`, or two of them that are a pair of surrogates.
fn unicode(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let mut read = String::from("\\u");
    let first = unit(rest, &mut read)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or(read);
    }
    for expected in ['\\', 'u'] {
        if rest.next_if_eq(&expected).is_none() {
            return Err(read);
        }
        read.push(expected);
    }
    let second = unit(rest, &mut read)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
    low.and_then(|low| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)).ok_or(read)
}

fn unit(rest: &mut Peekable<Chars<'_>>, read: &mut String) -> Result<u32, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(16)) else {
            return Err(std::mem::take(read));
        };
        read.extend(rest.next());
        unit = unit * 16 + digit;
    }
    Ok(unit)
}
