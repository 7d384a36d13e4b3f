//! Which APIs and versions a client speaks, and how the definitions of two Kafkas become one.

use super::definition::{Definition, Field, Kind, Struct, Versions};

/// The Kafka whose definitions are taken.
pub(crate) const NEWEST: &str = "4.4.0";
/// The last Kafka that had the versions which 4.0 removed.
pub(crate) const OLDER: &str = "3.9.2";

/// The APIs of a client, by key. Left out: what only brokers say to each other, delegation tokens,
/// Raft voters, streams groups.
const APIS: [i16; 63] = [
    0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    29, 30, 31, 32, 33, 34, 35, 36, 37, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 55, 57, 60, 61, 65,
    66, 68, 69, 71, 72, 74, 75, 76, 77, 78, 79, 90, 91, 92,
];

/// The APIs of which brokers from 0.11 to 2.1 know only versions that 4.0 removed:
/// `OffsetForLeaderEpoch`, `WriteTxnMarkers`, ACLs, `DescribeConfigs`, log directories.
const OLD: [i16; 8] = [23, 27, 29, 30, 31, 32, 34, 35];

/// Data that travels inside of messages, by name.
const EMBEDDED: [&str; 2] = ["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"];

/// Why the definitions do not fit together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("Kafka {NEWEST} has no {kind:?} with API key {key}")]
    NoApi { key: i16, kind: Kind },
    #[error("Kafka {NEWEST} has no {name}")]
    NoData { name: &'static str },
    #[error("`{field}` of {message} is {newest} in Kafka {NEWEST} and {older} in {OLDER}")]
    Changed { message: String, field: String, newest: String, older: String },
}

/// What the jars hold.
pub(crate) struct Sources {
    pub(crate) newest: Vec<Definition>,
    pub(crate) older: Vec<Definition>,
}

/// What is to be written.
pub(crate) struct Plan {
    pub(crate) messages: Vec<Planned>,
}

/// One message, and which of its versions came from where.
pub(crate) struct Planned {
    pub(crate) definition: Definition,
    /// The versions that only the older Kafka has.
    pub(crate) older: Versions,
}

impl Plan {
    /// How many APIs are covered.
    pub(crate) fn apis(&self) -> usize {
        self.messages.iter().filter(|it| it.definition.kind == Kind::Request).count()
    }
}

impl Planned {
    /// The Kafkas that it was taken from.
    pub(crate) fn kafka(&self) -> String {
        if self.older.is_empty() { NEWEST.to_owned() } else { format!("{NEWEST} and {OLDER}") }
    }

    /// The versions that the newest Kafka has.
    pub(crate) fn newest(&self) -> Versions {
        let Versions { min, max } = self.definition.versions;
        Versions { min: min.max(self.older.max + 1), max }
    }
}

/// Chooses, merges and cuts to the versions that may be negotiated.
pub(crate) fn plan(sources: &Sources) -> Result<Plan, PlanError> {
    let mut messages = Vec::new();
    for key in APIS {
        let request = planned(sources, key, Kind::Request)?;
        let mut response = planned(sources, key, Kind::Response)?;
        // Only the definition of the request says that its last version is not finished.
        response.definition.versions = request.definition.versions;
        messages.extend([request, response]);
    }
    for name in EMBEDDED {
        let found = sources.newest.iter().find(|it| it.name == name);
        let definition = found.cloned().ok_or(PlanError::NoData { name })?;
        messages.push(Planned { definition, older: Versions::NONE });
    }
    messages.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
    Ok(Plan { messages })
}

fn planned(sources: &Sources, key: i16, kind: Kind) -> Result<Planned, PlanError> {
    let wanted = |it: &&Definition| it.api_key == Some(key) && it.kind == kind;
    let found = sources.newest.iter().find(wanted).filter(|it| !it.versions.is_empty());
    let mut definition = found.cloned().ok_or(PlanError::NoApi { key, kind })?;
    if definition.latest_unstable {
        definition.versions.max -= 1;
    }
    let mut only_older = Versions::NONE;
    if let Some(older) = sources.older.iter().find(wanted).filter(|_| OLD.contains(&key)) {
        only_older = Versions { min: older.versions.min, max: definition.versions.min - 1 };
        merge(&mut definition, older)?;
    }
    Ok(Planned { definition, older: only_older })
}

/// Adds the versions and fields that only the older definition has.
fn merge(newest: &mut Definition, older: &Definition) -> Result<(), PlanError> {
    newest.versions = newest.versions.hull(older.versions);
    merge_fields(&newest.name, &mut newest.fields, &older.fields)?;
    for common in &older.common {
        match newest.common.iter_mut().find(|it| it.name == common.name) {
            Some(same) => merge_fields(&newest.name, &mut same.fields, &common.fields)?,
            None => newest.common.push(Struct::clone(common)),
        }
    }
    Ok(())
}

fn merge_fields(message: &str, newest: &mut Vec<Field>, older: &[Field]) -> Result<(), PlanError> {
    let mut place = 0;
    for field in older {
        let Some(at) = newest.iter().position(|it| it.name == field.name) else {
            // A field that was removed stands where it stood: after its neighbour.
            newest.insert(place, field.clone());
            place += 1;
            continue;
        };
        place = at + 1;
        let Some(same) = newest.get_mut(at) else { continue };
        if same.kind != field.kind {
            return Err(PlanError::Changed {
                message: message.to_owned(),
                field: field.name.clone(),
                newest: same.kind.clone(),
                older: field.kind.clone(),
            });
        }
        same.versions = same.versions.hull(field.versions);
        same.nullable = union(same.nullable, field.nullable);
        merge_fields(message, &mut same.fields, &field.fields)?;
    }
    Ok(())
}

fn union(a: Versions, b: Versions) -> Versions {
    match (a.is_empty(), b.is_empty()) {
        (_, true) => a,
        (true, _) => b,
        _ => a.hull(b),
    }
}

#[cfg(test)]
mod tests {
    //! How two Kafkas become one, on definitions of a few lines.

    use super::super::jar::Source;
    use super::*;
    use crate::codec::definition::parse_all;

    fn definition(json: &str) -> Definition {
        let source = Source { name: "Test.json".to_owned(), text: json.to_owned() };
        parse_all(&[source]).unwrap().remove(0)
    }

    fn pair(key: i16, versions: &str, fields: &str) -> Vec<Definition> {
        let one = |kind: &str| {
            definition(&format!(
                r#"{{"apiKey": {key}, "type": "{kind}", "name": "Test", "validVersions":
                "{versions}", "flexibleVersions": "4+", "fields": [{fields}]}}"#
            ))
        };
        vec![one("request"), one("response")]
    }

    fn both(
        key: i16,
        newest: Vec<Definition>,
        older: Vec<Definition>,
    ) -> Result<Planned, PlanError> {
        planned(&Sources { newest, older }, key, Kind::Response)
    }

    #[test]
    fn versions_and_fields_that_were_removed_come_back_in_their_place() {
        let newest = pair(
            32,
            "1-4",
            r#"{"name": "A", "type": "int8", "versions": "0+"},
               {"name": "C", "type": "int8", "versions": "1+"}"#,
        );
        let older = pair(
            32,
            "0-4",
            r#"{"name": "A", "type": "int8", "versions": "0+"},
               {"name": "B", "type": "bool", "versions": "0"},
               {"name": "C", "type": "int8", "versions": "1+"}"#,
        );
        let planned = both(32, newest, older).unwrap();
        let names: Vec<_> = planned.definition.fields.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C"]);
        assert_eq!(planned.definition.versions, Versions { min: 0, max: 4 });
        assert_eq!(planned.older, Versions { min: 0, max: 0 });
        assert_eq!(planned.newest(), Versions { min: 1, max: 4 });
    }

    #[test]
    fn an_api_that_no_old_broker_needs_is_taken_as_it_is() {
        let field = r#"{"name": "A", "type": "int8", "versions": "0+"}"#;
        let planned = both(0, pair(0, "3-13", field), pair(0, "0-11", field)).unwrap();
        assert_eq!(planned.definition.versions, Versions { min: 3, max: 13 });
        assert!(planned.older.is_empty());
    }

    #[test]
    fn a_field_of_another_type_is_not_merged() {
        let newest = pair(32, "1-4", r#"{"name": "A", "type": "int8", "versions": "0+"}"#);
        let older = pair(32, "0-4", r#"{"name": "A", "type": "int16", "versions": "0+"}"#);
        assert!(matches!(both(32, newest, older), Err(PlanError::Changed { .. })));
    }

    #[test]
    fn a_version_that_is_not_finished_is_cut_off() {
        let json = r#"{"apiKey": 22, "type": "response", "name": "Test", "validVersions": "0-6",
            "latestVersionUnstable": true, "fields": []}"#;
        let planned = both(22, vec![definition(json)], Vec::new()).unwrap();
        assert_eq!(planned.definition.versions, Versions { min: 0, max: 5 });
    }

    #[test]
    fn a_message_without_versions_is_none() {
        let json = r#"{"apiKey": 4, "type": "response", "name": "Test", "validVersions": "none"}"#;
        let found = both(4, vec![definition(json)], Vec::new());
        assert!(matches!(found, Err(PlanError::NoApi { key: 4, .. })));
    }
}
