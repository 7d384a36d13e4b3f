//! Which known key was probably meant?

use super::{kafka, predecessor};

/// Shorter ones begin too many keys.
const BEGINNING_MIN: usize = 8;

/// The known key that begins like this, or that takes the fewest changes, if these are few for its
/// length.
pub(super) fn key(written: &str) -> Option<&'static str> {
    let dotted = written.replace(['_', '-'], ".").to_lowercase();
    let known = kafka::ROWS.iter().chain(predecessor::ROWS).map(|row| row.key);
    if BEGINNING_MIN <= dotted.len()
        && let Some(longer) = known.clone().find(|key| key.starts_with(&dotted))
    {
        return Some(longer);
    }
    let (changes, key) = known.map(|key| (changes(&dotted, key), key)).min()?;
    (changes <= 2.max(key.len() / 4)).then_some(key)
}

/// How many characters must be put in, left out or changed to make one of the other.
fn changes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut left = at + 1;
        let mut diagonal = at;
        for (there, other) in to.iter().enumerate() {
            let Some(up) = row.get(there + 1).copied() else { continue };
            let changed = diagonal + usize::from(letter != *other);
            if let Some(cell) = row.get_mut(there) {
                *cell = left;
            }
            left = changed.min(up + 1).min(left + 1);
            diagonal = up;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        for (from, to, count) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(changes(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn the_key_that_was_meant_is_found() {
        for (written, meant) in [
            ("bootstrap.server", "bootstrap.servers"),
            ("group-id", "group.id"),
            ("Auto.Offset.Reset", "auto.offset.reset"),
            ("max.in.flight.requests", "max.in.flight.requests.per.connection"),
            ("enable.idempotent", "enable.idempotence"),
        ] {
            assert_eq!(key(written), Some(meant));
        }
        assert_eq!(key("colour.of.the.sky"), None);
    }
}
