//! How are values written in property files? Each reader says what it expected.

use std::time::Duration;

use forebay_core::orders::Address;

use crate::config;

/// What a reader expected instead.
pub(super) type Expected = &'static str;

/// Milliseconds as a bare number, Kafka's unit.
pub(super) fn millis(text: &str) -> Result<Duration, Expected> {
    let millis = text.parse().map_err(|_| "milliseconds as a number without a unit, as 30000")?;
    Ok(Duration::from_millis(millis))
}

/// A time as Go writes it: `500ms`, `1m30s`, `1.5h`.
pub(super) fn go_duration(text: &str) -> Result<Duration, Expected> {
    const EXPECTED: Expected = "a time with its unit, as 500ms, 5s or 1m30s";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(EXPECTED)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        total += number.parse::<f64>().map_err(|_| EXPECTED)? * go_unit(unit).ok_or(EXPECTED)?;
        rest = next;
    }
    if text.is_empty() {
        return Err(EXPECTED);
    }
    Duration::try_from_secs_f64(total).map_err(|_| EXPECTED)
}

/// The seconds in one of Go's units.
fn go_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// A whole number that is not negative.
pub(super) fn count<T: TryFrom<u64>>(text: &str) -> Result<T, Expected> {
    const EXPECTED: Expected = "a whole number, as 16384";
    let number: u64 = text.parse().map_err(|_| EXPECTED)?;
    T::try_from(number).map_err(|_| "a smaller number")
}

/// `true` or `false`, in any case, as Java reads it.
pub(super) fn truth(text: &str) -> Result<bool, Expected> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err("true or false")
    }
}

/// `host:port,host:port`.
pub(super) fn addresses(text: &str) -> Result<Vec<Address>, Expected> {
    config::parse_addresses(text).map_err(|wrong| wrong.expected)
}
