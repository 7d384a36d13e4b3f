//! Do tables, Kafka's own lists and the pages for users say the same?
//!
//! With `FOREBAY_WRITE_DOCS=1` the page is written anew instead of compared.

use std::collections::BTreeSet;

use super::super::row::{self, Does, Row};
use super::super::{ClientKind, Draft, kafka, librdkafka, predecessor};

/// Key, client, default: as Kafka 4.4.0 itself tells.
const NEWEST: &str = include_str!("kafka-4.4.0.tsv");
/// Key, client: what releases from 0.11 to 3.9 had and 4.4 has no more.
const OLDER: &str = include_str!("kafka-older.tsv");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
const RDKAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/from-rdkafka.md");
const DEFAULTS: &str = include_str!("../../../../../../docs/defaults.md");

const KINDS: [(&str, ClientKind); 3] = [
    ("consumer", ClientKind::Consumer),
    ("producer", ClientKind::Producer),
    ("admin", ClientKind::Admin),
];

#[test]
fn every_key_of_kafka_is_in_the_table_and_of_the_same_clients() {
    let theirs: BTreeSet<(&str, &str)> = NEWEST
        .lines()
        .chain(OLDER.lines())
        .map(|line| {
            let mut cells = line.split('\t');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let has = |row: &'static Row| {
        KINDS.iter().filter(|(_, kind)| row.of.has(*kind)).map(|(name, _)| (row.key, *name))
    };
    let ours: BTreeSet<(&str, &str)> = kafka::ROWS.iter().flat_map(has).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn tables_are_in_order_and_no_key_is_in_both() {
    assert!(librdkafka::ROWS.is_sorted());
    assert!(librdkafka::ROWS.iter().all(|(key, _)| row::find(key).is_none()));
    for rows in [kafka::ROWS, predecessor::ROWS] {
        assert!(rows.is_sorted_by(|one, next| one.key < next.key));
    }
    let keys: BTreeSet<_> = kafka::ROWS.iter().map(|row| row.key).collect();
    assert!(predecessor::ROWS.iter().all(|row| !keys.contains(row.key)));
}

#[test]
fn the_defaults_that_are_told_are_the_defaults() {
    for row in kafka::ROWS {
        let Does::Sets { set, ours, .. } = row.does else { continue };
        if !ours.is_empty() {
            let mut draft = Draft::default();
            set(&mut draft, ours).unwrap();
            assert_eq!(draft, Draft::default(), "{} = {ours}", row.key);
        }
    }
}

/// Kafka's default: one, or one for each kind of client.
fn kafkas(row: &Row) -> String {
    let shown = |default: &str| match default {
        "(none)" | "(empty)" | "(required)" => String::new(),
        long if 40 < long.len() => "Java classes".to_owned(),
        other => format!("`{other}`"),
    };
    let rows = NEWEST.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let told: Vec<_> =
        rows.filter(|cells| cells[0] == row.key).map(|cells| (shown(cells[2]), cells[1])).collect();
    match told.as_slice() {
        [] => "removed".to_owned(),
        [first, rest @ ..] if rest.iter().all(|(default, _)| *default == first.0) => {
            first.0.clone()
        }
        all => {
            let each = all.iter().map(|(default, kind)| format!("{default} ({kind})"));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Whether Kafka's default is another one than ours.
fn differs(row: &Row) -> bool {
    let Does::Sets { ours, .. } = row.does else { return false };
    !ours.is_empty() && !kafkas(row).split(", ").all(|told| told.starts_with(&format!("`{ours}`")))
}

#[test]
fn where_a_default_differs_there_is_a_reason_and_only_there() {
    for row in kafka::ROWS {
        let Does::Sets { why, .. } = row.does else { continue };
        assert_eq!(differs(row), !why.is_empty(), "{}", row.key);
    }
}

#[test]
fn the_page_of_defaults_has_every_one_that_differs() {
    for row in kafka::ROWS.iter().filter(|row| differs(row)) {
        let Does::Sets { ours, why, .. } = row.does else { continue };
        let line = DEFAULTS.lines().find(|line| line.contains(&format!("`{}`", row.key)));
        let line = line.unwrap_or_else(|| panic!("{} is missing", row.key)).replace([',', '`'], "");
        for told in [ours, &why.replace(',', "")] {
            assert!(line.contains(told), "{told:?} is not in {line:?}");
        }
    }
}

fn table() -> String {
    let mut text = String::from(
        "| property | of | here | Kafka 4.4 | default here | why, or what instead |\n\
         |---|---|---|---|---|---|\n",
    );
    for row in kafka::ROWS {
        let (here, ours, why) = match row.does {
            Does::Sets { ours, why, .. } => ("used", ours, why),
            Does::Noted(why) => ("noted", "", why),
            Does::Refused(why) => ("refused", "", why),
        };
        let ours = if ours.is_empty() { String::new() } else { format!("`{ours}`") };
        let cells =
            [&format!("`{}`", row.key), &row.of.to_string(), here, &kafkas(row), &ours, why];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn old_table() -> String {
    let mut text = String::from("| key in the old file | here | today |\n|---|---|---|\n");
    for row in predecessor::ROWS {
        let (here, today) = match row.does {
            Does::Sets { why, .. } => ("used", why),
            Does::Noted(why) => ("noted", why),
            Does::Refused(why) => ("refused", why),
        };
        text.push_str(&format!("| `{}` | {here} | {today} |\n", row.key));
    }
    text
}

/// `page` with `table` between the two marks of that name.
fn with(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn librdkafka_table() -> String {
    let head = "| librdkafka | here |\n|---|---|\n".to_owned();
    librdkafka::ROWS.iter().fold(head, |mut text, (key, instead)| {
        text.push_str(&format!("| `{key}` | {instead} |\n"));
        text
    })
}

#[test]
fn the_pages_of_settings_say_what_the_code_does() {
    let settings =
        |page: &str| with(&with(page, "settings", &table()), "old settings", &old_table());
    same(PAGE, settings);
    same(RDKAFKA, |page| with(page, "librdkafka", &librdkafka_table()));
}

fn same(page: &str, fresh: impl Fn(&str) -> String) {
    let fresh = fresh(&std::fs::read_to_string(page).unwrap());
    if std::env::var_os("FOREBAY_WRITE_DOCS").is_some() {
        std::fs::write(page, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(page).unwrap();
    let differs = written.lines().zip(fresh.lines()).find(|(written, fresh)| written != fresh);
    assert_eq!(differs, None, "FOREBAY_WRITE_DOCS=1 cargo test -p forebay pages_of writes it anew");
    assert_eq!(written, fresh);
}
