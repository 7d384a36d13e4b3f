//! Which structs a message becomes, and in which versions each of them exists.

use super::super::definition::{Definition, Field, Versions};

/// One Rust struct.
pub(super) struct Shape<'a> {
    pub(super) name: &'a str,
    pub(super) versions: Versions,
    pub(super) fields: Vec<&'a Field>,
    pub(super) nullable: bool,
}

/// The struct of the message itself, then those inside of it in the order of the definition.
pub(super) fn shapes(definition: &Definition) -> Vec<Shape<'_>> {
    let mut shapes = Vec::new();
    let place = Place { name: &definition.name, versions: definition.versions, nullable: false };
    visit(definition, place, &definition.fields, &mut shapes);
    shapes
}

/// Where a struct is used.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    versions: Versions,
    nullable: bool,
}

fn visit<'a>(
    definition: &'a Definition,
    place: Place<'a>,
    fields: &'a [Field],
    shapes: &mut Vec<Shape<'a>>,
) {
    let mut versions = place.versions;
    if let Some(same) = shapes.iter_mut().find(|it| it.name == place.name) {
        // A struct that several fields share exists wherever one of them does.
        versions = versions.hull(same.versions);
        same.versions = versions;
        same.nullable |= place.nullable;
    } else {
        let Place { name, versions, nullable } = place;
        shapes.push(Shape { name, versions, fields: present(fields, versions), nullable });
    }
    let fields = present(fields, versions);
    for field in &fields {
        if let Some((name, inner)) = inner(definition, field) {
            let nullable = !field.kind.starts_with("[]") && !field.nullable.is_empty();
            let place = Place { name, versions: versions.and(field.versions), nullable };
            visit(definition, place, inner, shapes);
        }
    }
    if let Some(same) = shapes.iter_mut().find(|it| it.name == place.name) {
        same.fields = fields;
    }
}

/// The fields that exist in any of the versions.
fn present(fields: &[Field], versions: Versions) -> Vec<&Field> {
    fields.iter().filter(|field| !field.versions.and(versions).is_empty()).collect()
}

/// The struct that a field holds, one or many of: its name and fields.
pub(super) fn inner<'a>(
    definition: &'a Definition,
    field: &'a Field,
) -> Option<(&'a str, &'a [Field])> {
    let name = field.kind.trim_start_matches("[]");
    if !name.starts_with(char::is_uppercase) {
        return None;
    }
    if !field.fields.is_empty() {
        return Some((name, &field.fields));
    }
    let common = definition.common.iter().find(|it| it.name == name);
    Some((name, common.map_or(&[], |it| &it.fields)))
}

/// The fewest bytes a struct takes in any version of its message.
pub(super) fn min_size(definition: &Definition, shape: &Shape<'_>) -> usize {
    let sizes = (shape.versions.min..=shape.versions.max)
        .map(|version| fields_size(definition, &shape.fields, version));
    sizes.min().unwrap_or(1).max(1)
}

fn fields_size(definition: &Definition, fields: &[&Field], version: i16) -> usize {
    let flexible = definition.flexible.contains(version);
    let there = fields.iter().filter(|it| it.versions.contains(version));
    let untagged = there.filter(|it| !it.tagged.contains(version));
    let sizes = untagged.map(|it| field_size(definition, it, version));
    sizes.sum::<usize>() + usize::from(flexible)
}

fn field_size(definition: &Definition, field: &Field, version: i16) -> usize {
    let flexible = definition.flexible.contains(version);
    match field.kind.as_str() {
        "bool" | "int8" => 1,
        "int16" | "uint16" => 2,
        "int32" => 4,
        "int64" | "float64" => 8,
        "uuid" => 16,
        _ if flexible && !is_struct(field) => 1,
        "string" => 2,
        _ if !is_struct(field) => 4,
        _ if field.nullable.contains(version) => 1,
        _ => {
            let inner = inner(definition, field).map_or(&[][..], |(_, fields)| fields);
            fields_size(definition, &inner.iter().collect::<Vec<_>>(), version)
        }
    }
}

fn is_struct(field: &Field) -> bool {
    field.kind.starts_with(char::is_uppercase)
}
