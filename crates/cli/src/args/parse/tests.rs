//! Are values read as they are written, and is everything else refused?

use super::*;

#[test]
fn times_have_units() {
    assert_eq!(time("20s"), Ok(Duration::from_secs(20)));
    assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
    assert_eq!(time("7"), Ok(Duration::from_secs(7)));
    for wrong in ["", "s", "-1s", "1h", "1.5s", "99999999999999999999s"] {
        assert!(time(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn sizes_have_binary_units() {
    assert_eq!(size("128MiB"), Ok(128 << 20));
    assert_eq!(size("64KiB"), Ok(64 << 10));
    assert_eq!(size("1000"), Ok(1000));
    for wrong in ["", "MiB", "1MB", "-1", "99999999999GiB"] {
        assert!(size(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn partitions_are_ranges_and_single_numbers() {
    assert_eq!(partitions("0-3"), Ok(Partitions(vec![0, 1, 2, 3])));
    assert_eq!(partitions("5,0-1,1"), Ok(Partitions(vec![0, 1, 5])));
    for wrong in ["", "a", "3-1", "-1", "1-", "0-2000000000", "0-7,"] {
        assert!(partitions(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn addresses_need_a_port() {
    assert!(servers("localhost:9092,[::1]:9093").is_ok());
    assert!(servers("localhost").is_err_and(|text| text.contains("host:port")));
}

#[test]
fn places_are_words_offsets_or_times() {
    assert_eq!(place("beginning"), Ok(Place::Beginning));
    assert_eq!(place("end"), Ok(Place::End));
    assert_eq!(place("12"), Ok(Place::Offset(12)));
    assert_eq!(place("2026-01-31T12:00:00Z"), Ok(Place::Time(1_769_860_800_000)));
    assert_eq!(place("24h"), Ok(Place::Since(Duration::from_secs(86_400))));
    for wrong in ["", "start", "-1", "1.5", "m", "5y", "99999999999999999999", "2026-02-30"] {
        assert!(place(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn settings_have_a_key_and_the_rest_is_the_value() {
    assert_eq!(setting("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    assert_eq!(setting("a="), Ok(("a".to_owned(), String::new())));
    assert!(setting("a").is_err() && setting("=b").is_err());
}
