//! Which moment is meant by a date and a time of day, as RFC 3339 writes them?

/// Milliseconds since 1970 of `2026-01-31T12:00:00Z`, with a fraction of a second or an offset as
/// `+01:00`; without a time of day the day's beginning, without an offset UTC.
pub(super) fn millis(text: &str) -> Option<i64> {
    let (date, rest) = match text.split_once(['T', 't', ' ']) {
        Some((date, rest)) => (date, rest),
        None => (text, "00:00:00Z"),
    };
    let (time, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let day_millis = days(date)?.checked_mul(86_400_000)?;
    day_millis.checked_add(time_of_day(time)?)?.checked_sub(minutes(offset)?.checked_mul(60_000)?)
}

/// Days from 1970-01-01 to `YYYY-MM-DD`.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months_before = usize::try_from(month).ok()?.checked_sub(1)?;
    let length = *lengths.get(months_before)?;
    if parts.next().is_some() || !(1..=length).contains(&day) || year < 1 {
        return None;
    }
    let before = year - 1;
    let days_of_years = before * 365 + before / 4 - before / 100 + before / 400;
    let days_of_months: i64 = lengths.iter().take(months_before).sum();
    Some(days_of_years + days_of_months + day - 1 - DAYS_TO_1970)
}

/// Days from 0001-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_162;

/// Milliseconds from midnight to `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`.
fn time_of_day(time: &str) -> Option<i64> {
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    if parts.next().is_some() || 23 < hour || 59 < minute || 59 < second {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + thousandths(fraction)?)
}

/// The first three digits of a fraction.
fn thousandths(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || 9 < fraction.len() || !fraction.bytes().all(|it| it.is_ascii_digit())
    {
        return None;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    digits.parse().ok()
}

/// The minutes of `Z` or `+hh:mm`.
fn minutes(offset: &str) -> Option<i64> {
    if matches!(offset, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = (offset.get(..1)?, offset.get(1..)?);
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if 23 < hours || 59 < minutes {
        return None;
    }
    let all = hours * 60 + minutes;
    Some(if sign == "-" { -all } else { all })
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_one = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_that_date_tells() {
        // By date(1): date -u -d MOMENT +%s
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-01-31T12:00:00Z", 1_769_860_800),
            ("2026-01-31 12:00", 1_769_860_800),
            ("2026-01-31T12:00:00+01:00", 1_769_857_200),
            ("2026-01-31T12:00:00-05:30", 1_769_880_600),
            ("1969-12-31T23:59:59Z", -1),
            ("2100-03-01", 4_107_542_400),
        ] {
            assert_eq!(millis(text), Some(seconds * 1_000), "{text}");
        }
        assert_eq!(millis("1970-01-01T00:00:00.25Z"), Some(250));
        assert_eq!(millis("1970-01-01T00:00:00.123456Z"), Some(123));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "2025-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "26-01-01",
            "2026-01-01T24:00:00Z",
            "2026-01-01T12",
            "2026-01-01T12:60",
            "2026-01-01T12:00:00.",
            "2026-01-01T12:00:00+1",
            "2026-01-01-01",
            "-",
            "2026-01-01T12:00:00ZZ",
            "0000-01-01",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
