//! Where in a Rust file is code, and where only words? A lexer just good enough to tell.

/// `text` with comments, strings and characters blanked: same length in bytes, same lines.
pub(crate) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, is_code) = token(rest);
        let (head, tail) = rest.split_at_checked(length.max(1)).unwrap_or((rest, ""));
        if is_code && head.is_ascii() {
            out.push_str(head)
        } else {
            blank(head, &mut out)
        }
        rest = tail;
    }
    out
}

/// `code` (already masked) with every `#[cfg(test)]` item blanked.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        let (item, after) = item.split_at_checked(item_end(item)).unwrap_or((item, ""));
        out.push_str(before);
        blank("#[cfg(test)]", &mut out);
        blank(item, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Length of the item that `code` begins with: up to its `;` or the end of its braces.
pub(crate) fn item_end(code: &str) -> usize {
    let (mut round, mut braces) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            _ => {}
        }
        let ends = (c == ';' && round == 0 && braces == 0) || (c == '}' && braces <= 0);
        if ends {
            return at.saturating_add(1);
        }
    }
    code.len()
}

/// Length of the first token of `rest`, and whether it is code.
fn token(rest: &str) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if let Some(length) = string(rest).or_else(|| character(rest)) {
        return (length, false);
    }
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let first = rest.chars().next().map_or(1, char::len_utf8);
    (word.max(first), true)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth -= 1;
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a string literal of any kind, if `rest` begins with one.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let tail = rest.strip_prefix(prefix).unwrap_or_default();
        let raw = if prefix.ends_with('r') { tail.trim_start_matches('#') } else { tail };
        raw.starts_with('"')
    })?;
    let body = rest.get(prefix.len()..)?;
    if !prefix.ends_with('r') {
        return Some(prefix.len() + quoted(body, '"')?);
    }
    let hashes = body.find('"')?;
    let close = format!("\"{}", body.get(..hashes)?);
    let inner = body.get(hashes + 1..)?;
    let end = inner.find(&close).map_or(inner.len(), |at| at + close.len());
    Some(prefix.len() + hashes + 1 + end)
}

/// Length of a character literal; `None` for lifetimes and labels.
fn character(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with("b'"));
    let inner = rest.get(prefix..)?.strip_prefix('\'')?;
    let mut chars = inner.chars();
    let first = chars.next()?;
    if first == '\\' || chars.next() == Some('\'') {
        return Some(prefix + quoted(rest.get(prefix..)?, '\'')?);
    }
    None
}

/// Length of what stands between two `quote`s with backslash escapes, quotes included.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    Some(text.len())
}

fn blank(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}
