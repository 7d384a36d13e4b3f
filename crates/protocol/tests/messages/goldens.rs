//! Kafka's own classes wrote these bytes (`cargo xtask codec --goldens`): ours must read them, see
//! in each field what was put into it, and write the same.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::subject::{self, Parsed, Subject};

/// One line of a goldens file.
pub(crate) struct Golden {
    pub(crate) subject: Subject,
    pub(crate) version: i16,
    pub(crate) variant: &'static str,
    pub(crate) bytes: Bytes,
}

/// All goldens of all Kafkas.
pub(crate) fn all() -> Vec<Golden> {
    let files =
        [include_str!("../goldens/kafka-4.4.0.txt"), include_str!("../goldens/kafka-3.9.2.txt")];
    let subjects: BTreeMap<_, _> = subject::all().into_iter().map(|it| (it.name, it)).collect();
    files.into_iter().flat_map(str::lines).map(|line| golden(&subjects, line)).collect()
}

fn golden(subjects: &BTreeMap<&str, Subject>, line: &'static str) -> Golden {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap();
    let subject = subjects[word()];
    let (version, variant, hex) = (word().parse().unwrap(), word(), word());
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let bytes = (0..hex.len()).step_by(2).map(byte).collect();
    Golden { subject, version, variant, bytes }
}

#[test]
fn every_version_of_every_message_has_a_golden() {
    let goldens = all();
    for subject in subject::all() {
        for version in subject.min..=subject.max {
            let has = |it: &Golden| it.subject.name == subject.name && it.version == version;
            assert!(goldens.iter().any(has), "{} {version}", subject.name);
        }
    }
}

#[test]
fn what_java_wrote_is_read_and_written_again_byte_for_byte() {
    for golden in all() {
        let Golden { subject, version, variant, bytes } = &golden;
        let what = format!("{} {version} {variant}", subject.name);
        let parsed =
            subject.parse(bytes, *version).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(parsed.left, 0, "{what}");
        assert_eq!(parsed.written.unwrap(), bytes, "{what}");
        assert_eq!(parsed.announced.unwrap(), bytes.len(), "{what}");
    }
}

#[test]
fn our_defaults_are_javas_defaults() {
    for Golden { subject, version, bytes, .. } in all().iter().filter(|it| it.variant == "default")
    {
        assert_eq!(subject.default(*version).unwrap(), bytes, "{} {version}", subject.name);
    }
}

#[test]
fn each_field_holds_the_value_that_java_made_from_its_name() {
    let mut fields = 0;
    for Golden { subject, version, variant, bytes } in all() {
        if variant == "filled" {
            let Parsed { text, .. } = subject.parse(&bytes, version).unwrap();
            fields += check_fields(&text, &format!("{} {version}", subject.name));
        }
    }
    assert!(fields > 9_000, "only {fields} fields were looked at");
}

/// Looks at every line of a `Debug` text that has a value, under the name that stands before it.
/// Fields that the version lacks have their default.
fn check_fields(text: &str, what: &str) -> usize {
    let (mut name, mut checked) = ("", 0);
    for line in text.lines().map(str::trim) {
        let line = line.trim_end_matches(',');
        let value = match line.split_once(": ") {
            Some((field, value)) => {
                name = field.trim_end_matches('_');
                value
            }
            None => line,
        };
        if is_leaf(value) && !is_default(value) {
            let fits = values(name).iter().any(|expected| expected == value);
            assert!(fits, "{what}: {name} is {value}, expected one of {:?}", values(name));
            checked += 1;
        }
    }
    checked
}

fn is_leaf(value: &str) -> bool {
    let structure = value.is_empty() || value.ends_with(['{', '[', '(', '}', ']', ')']);
    !structure && value != "None"
}

/// What a field shows that the version lacks: one of the defaults in Kafka's definitions.
fn is_default(value: &str) -> bool {
    const DEFAULTS: [&str; 15] = [
        "0",
        "0.0",
        "1",
        "-1",
        "-2",
        "3",
        "-2147483648",
        "16",
        "2000",
        "60000",
        "2147483647",
        "9223372036854775807",
        "false",
        "\"\"",
        "b\"\"",
    ];
    DEFAULTS.contains(&value) || value == "0".repeat(32)
}

/// The forms that the value of a field with this name can have, by its type.
fn values(name: &str) -> Vec<String> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [.., a, b, c, d] = hash.to_be_bytes();
    vec![
        i8::from_be_bytes([d]).to_string(),
        i16::from_be_bytes([c, d]).to_string(),
        u16::from_be_bytes([c, d]).to_string(),
        i32::from_be_bytes([a, b, c, d]).to_string(),
        hash.cast_signed().to_string(),
        format!("{:?}", f64::from(u16::from_be_bytes([c, d]))),
        "true".to_owned(),
        format!("{name:?}"),
        format!("b{name:?}"),
        format!("{hash:016x}{hash:016x}"),
    ]
}
