//! One field: its Rust type, its default, and how it is read and written.

use super::super::definition::{Field, Versions};
use super::super::names::snake;

/// A field as Rust sees it, in a struct that exists in certain versions.
pub(super) struct Emitted<'a> {
    pub(super) field: &'a Field,
    pub(super) name: String,
    /// The struct's versions.
    within: Versions,
    /// The versions that have the field.
    pub(super) versions: Versions,
    /// The versions in which it may be null.
    nullable: Versions,
    /// The versions in which it is tagged.
    pub(super) tagged: Versions,
}

impl<'a> Emitted<'a> {
    pub(super) fn new(field: &'a Field, within: Versions) -> Self {
        let versions = field.versions.and(within);
        // Kafka 4.1 sent null records in versions where 4.4 says that none are.
        let is_records = field.kind == "records" && !field.nullable.is_empty();
        let nullable = if is_records { versions } else { field.nullable.and(versions) };
        Self {
            field,
            name: snake(&field.name),
            within,
            versions,
            nullable,
            tagged: field.tagged.and(versions),
        }
    }

    pub(super) fn is_optional(&self) -> bool {
        !self.nullable.is_empty()
    }

    /// Facts for the reader of the docs.
    pub(super) fn doc(&self) -> String {
        let mut doc = format!("`{}`, {}", self.field.name, words(self.versions));
        if self.is_optional() {
            doc.push_str("; may be null");
            if self.nullable != self.versions {
                doc.push_str(&format!(" in {}", words(self.nullable)));
            }
        }
        if !self.tagged.is_empty() {
            doc.push_str(&format!("; tag {}", self.field.tag));
        }
        doc.push('.');
        doc
    }

    pub(super) fn rust_type(&self) -> String {
        let kind = self.field.kind.as_str();
        let value = match kind.strip_prefix("[]") {
            Some(element) => format!("Vec<{}>", scalar(element)),
            None => scalar(kind).to_owned(),
        };
        if self.is_optional() { format!("Option<{value}>") } else { value }
    }

    /// The default, and whether it is the one that Rust's derive would give.
    pub(super) fn default(&self) -> (String, bool) {
        let text = self.field.default.as_deref().unwrap_or_default();
        if self.is_optional() {
            // Kafka's records have no empty default.
            let null = text == "null" || self.field.kind == "records";
            return if null { ("None".to_owned(), true) } else { (EMPTY.to_owned(), false) };
        }
        let number = text.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok());
        let value = number.map_or_else(|| text.to_owned(), |number| number.to_string());
        match self.field.kind.as_str() {
            "bool" => (if value == "true" { "true" } else { "false" }.to_owned(), value != "true"),
            "int8" | "int16" | "uint16" | "int32" | "int64" if value.is_empty() || value == "0" => {
                ("0".to_owned(), true)
            }
            "int32" if value == "2147483647" => ("i32::MAX".to_owned(), false),
            "int64" if value == "9223372036854775807" => ("i64::MAX".to_owned(), false),
            "int8" | "int16" | "uint16" | "int32" | "int64" => (value, false),
            "float64" => ("0.0".to_owned(), true),
            _ => ("Default::default()".to_owned(), true),
        }
    }

    /// An expression that is true when the field has any other value than its default.
    fn set(&self) -> String {
        let name = &self.name;
        let (default, _) = self.default();
        let kind = self.field.kind.as_str();
        match (default.as_str(), kind) {
            ("None", _) => format!("self.{name}.is_some()"),
            (EMPTY, _) => format!("self.{name}.as_ref().is_none_or(|it| !it.is_empty())"),
            ("true", _) => format!("!self.{name}"),
            ("false", _) => format!("self.{name}"),
            (_, "string" | "bytes" | "records") => format!("!self.{name}.is_empty()"),
            (_, "uuid") => format!("!self.{name}.is_zero()"),
            (_, kind) if kind.starts_with("[]") => format!("!self.{name}.is_empty()"),
            (_, kind) if kind.starts_with(char::is_uppercase) => {
                format!("self.{name} != {kind}::default()")
            }
            (default, _) => format!("self.{name} != {default}"),
        }
    }

    /// The versions in which the field stands in its place, not among the tagged ones.
    fn placed(&self) -> Versions {
        match (self.tagged.is_empty(), self.tagged.min <= self.versions.min) {
            (true, _) => self.versions,
            (false, true) => Versions::NONE,
            (false, false) => Versions { min: self.versions.min, max: self.tagged.min - 1 },
        }
    }

    /// The statement that reads the field in its place, and in which versions it is there.
    pub(super) fn read(&self) -> Option<(Option<String>, String)> {
        let placed = self.placed();
        if placed.is_empty() {
            return None;
        }
        let name = &self.name;
        let get = format!("reader.get(\"{name}\", version)?");
        let some = format!("Some({get})");
        let value = self.by_null(get, some);
        Some((condition(placed, self.within), format!("it.{name} = {value};\n")))
    }

    /// The statement that writes the field in its place, or refuses it when it has none.
    pub(super) fn write(&self) -> String {
        let placed = self.placed();
        let name = &self.name;
        let put = format!("writer.put(\"{name}\", &self.{name}, version)?;");
        let some = format!("writer.put_some(\"{name}\", self.{name}.as_ref(), version)?;");
        let put = self.by_null(put, some);
        let refuse = format!("if {} {}", self.set(), self.refusal());
        let must = !self.field.ignorable;
        match (condition(placed, self.within), condition(self.versions, self.within)) {
            _ if placed.is_empty() => self.otherwise(),
            (None, _) => format!("{put}\n"),
            (Some(test), Some(_)) if placed == self.versions && must => {
                format!("if {test} {{ {put} }} else {refuse}\n")
            }
            (Some(test), _) => format!("if {test} {{ {put} }}\n{}", self.otherwise()),
        }
    }

    /// Refuses the field in the versions that lack it.
    fn otherwise(&self) -> String {
        match exclusion(self.versions, self.within) {
            Some(test) if !self.field.ignorable => {
                format!("if {test} && {} {}\n", self.set(), self.refusal())
            }
            _ => String::new(),
        }
    }

    fn refusal(&self) -> String {
        format!("{{ return Err(writer.refuse(\"{}\")); }}", self.name)
    }

    /// `nullable` where the field may be null, `other` where it may not.
    fn by_null(&self, nullable: String, other: String) -> String {
        let placed = self.placed();
        if !self.is_optional() || self.nullable.covers(placed) {
            return nullable;
        }
        match condition(self.nullable, placed) {
            _ if self.nullable.and(placed).is_empty() => other,
            None => nullable,
            Some(test) => format!("if {test} {{ {nullable} }} else {{ {other} }}"),
        }
    }

    /// The arm that reads the field among the tagged ones.
    pub(super) fn read_tagged(&self) -> String {
        let guard = condition(self.tagged, self.within);
        let guard = guard.map_or_else(String::new, |test| format!(" if {test}"));
        let Self { field, name, .. } = self;
        format!("{}{guard} => it.{name} = reader.get(\"{name}\", version)?,\n", field.tag)
    }

    /// Whether the tagged field is to be written.
    pub(super) fn is_set(&self) -> String {
        let set = self.set();
        condition(self.tagged, self.within)
            .map_or_else(|| set.clone(), |test| format!("{test} && {set}"))
    }
}

const EMPTY: &str = "Some(Default::default())";

fn scalar(kind: &str) -> &str {
    match kind {
        "int8" => "i8",
        "int16" => "i16",
        "uint16" => "u16",
        "int32" => "i32",
        "int64" => "i64",
        "float64" => "f64",
        "uuid" => "Uuid",
        "string" => "Str",
        "bytes" | "records" => "Bytes",
        other => other,
    }
}

/// A test of `version` for `versions`, when it is known to be in `within`; `None` when all are.
fn condition(versions: Versions, within: Versions) -> Option<String> {
    let Versions { min, max } = versions;
    match (min > within.min, max < within.max) {
        (false, false) => None,
        (true, false) => Some(format!("version >= {min}")),
        (false, true) => Some(format!("version <= {max}")),
        (true, true) if min == max => Some(format!("version == {min}")),
        (true, true) => Some(format!("({min}..={max}).contains(&version)")),
    }
}

/// A test of `version` for all of `within` that is not in `versions`; `None` when there is none.
fn exclusion(versions: Versions, within: Versions) -> Option<String> {
    let Versions { min, max } = versions;
    match (min > within.min, max < within.max) {
        (false, false) => None,
        (true, false) => Some(format!("version < {min}")),
        (false, true) => Some(format!("version > {max}")),
        (true, true) => Some(format!("!({min}..={max}).contains(&version)")),
    }
}

fn words(versions: Versions) -> String {
    let Versions { min, max } = versions;
    if min == max { format!("version {min}") } else { format!("versions {min} to {max}") }
}
