//! How are values written? Times, sizes, partitions, addresses.

mod date;

use std::time::Duration;

/// Partitions of a topic, as `0-7` or `0,3,5-6`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Partitions(pub(crate) Vec<i32>);

/// Where to begin in a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Beginning,
    End,
    Offset(i64),
    /// The first record with this timestamp or a later one, in milliseconds since 1970.
    Time(i64),
    /// The first record that is not older than this.
    Since(Duration),
}

/// Most partitions that one command reads.
const PARTITIONS_MAX: usize = 200_000;

/// `20s`, `500ms`, `2m`, or seconds as a bare number.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 20s, 500ms or 2m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "" | "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(wrong()),
    }
}

/// `128MiB`, `64KiB`, `1GiB`, or bytes as a bare number.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let wrong = || "expected a size such as 128MiB, 64KiB or 1000000".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: usize = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

/// `0-7` or `0,3,5-6`.
pub(crate) fn partitions(text: &str) -> Result<Partitions, String> {
    let wrong = || "expected partitions such as 0-7 or 0,3,5-6".to_owned();
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i32, i32) =
            (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
        let count = usize::try_from(i64::from(last) - i64::from(first)).map_err(|_| wrong())?;
        if first < 0 || PARTITIONS_MAX <= found.len().saturating_add(count) {
            return Err(wrong());
        }
        found.extend(first..=last);
    }
    found.sort_unstable();
    found.dedup();
    Ok(Partitions(found))
}

/// `beginning`, `end`, an offset, a date with its time, or an age.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    let wrong = || {
        "expected beginning, end, an offset such as 1234, a time such as 2026-01-31T12:00:00Z, or \
         an age such as 15m or 24h"
            .to_owned()
    };
    match text {
        "beginning" => return Ok(Place::Beginning),
        "end" => return Ok(Place::End),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Place::Offset).map_err(|_| wrong());
    }
    if text.contains('-') {
        return date::millis(text).map(Place::Time).ok_or_else(wrong);
    }
    age(text).map(Place::Since).ok_or_else(wrong)
}

/// So many records on, or back.
pub(crate) fn shift(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "expected a number of records, such as 100, or -100 for back".to_owned())
}

/// `90s`, `15m`, `24h`, `7d`.
fn age(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

/// `key=value`.
pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected a setting such as retention.ms=60000".to_owned()),
    }
}

/// `key=value` of a header.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    setting(text).map_err(|_| "expected a header such as source=import".to_owned())
}

/// A release that the in-process broker can behave as.
pub(crate) fn release(text: &str) -> Result<forebay_broker::Release, String> {
    let known = "expected a release: 0.11, 1.1, 2.8, 3.9 or 4.4";
    forebay_broker::Release::named(text).ok_or_else(|| known.to_owned())
}

/// Addresses, checked and left as they are.
pub(crate) fn servers(text: &str) -> Result<String, String> {
    match forebay::config::parse_addresses(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("expected {}", error.expected)),
    }
}

#[cfg(test)]
mod tests;
