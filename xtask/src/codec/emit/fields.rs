//! One struct: its declaration, its default, its reading and writing.

use super::super::definition::Definition;
use super::field::Emitted;
use super::line;
use super::shape::{self, Shape};

/// The declaration and the default.
pub(super) fn structure(definition: &Definition, shape: &Shape<'_>) -> String {
    let fields = emitted(shape);
    let derived = fields.iter().all(|it| it.default().1);
    let default = if derived { "Default, " } else { "" };
    let mut text = if shape.name == definition.name {
        format!("/// Kafka's `{}`, {}.\n", shape.name, range(shape))
    } else {
        format!("/// `{}` in [`{}`], {}.\n", shape.name, definition.name, range(shape))
    };
    line(
        &mut text,
        &format!("#[derive(Clone, Debug, {default}PartialEq)]\npub struct {} {{", shape.name),
    );
    for it in &fields {
        line(&mut text, &format!("/// {}\npub {}: {},", it.doc(), it.name, it.rust_type()));
    }
    text.push_str("}\n\n");
    if !derived {
        text.push_str(&default_of(shape.name, &fields));
    }
    text
}

fn range(shape: &Shape<'_>) -> String {
    let versions = shape.versions;
    if versions.min == versions.max {
        return format!("version {}", versions.min);
    }
    format!("versions {} to {}", versions.min, versions.max)
}

fn emitted<'a>(shape: &Shape<'a>) -> Vec<Emitted<'a>> {
    shape.fields.iter().map(|field| Emitted::new(field, shape.versions)).collect()
}

fn default_of(name: &str, fields: &[Emitted<'_>]) -> String {
    let mut text = format!("impl Default for {name} {{\nfn default() -> Self {{\nSelf {{\n");
    for it in fields {
        line(&mut text, &format!("{}: {},", it.name, it.default().0));
    }
    text.push_str("}\n}\n}\n\n");
    text
}

/// Reading and writing.
pub(super) fn wire(definition: &Definition, shape: &Shape<'_>) -> String {
    let fields = emitted(shape);
    let name = shape.name;
    let size = shape::min_size(definition, shape);
    let (read, write) = (read(definition, &fields), write(definition, &fields));
    let version = |body: &str| if body.contains("version") { "version" } else { "_version" };
    let mut text = format!(
        "impl Wire for {name} {{\nconst MIN_SIZE: usize = {size};\n\n\
         fn read(reader: &mut Reader, {}: i16) -> Result<Self, DecodeError> {{\n{read}}}\n\n\
         fn write(&self, writer: &mut Writer, {}: i16) -> Result<(), EncodeError> {{\n\
         {write}}}\n}}\n\n",
        version(&read),
        version(&write)
    );
    if shape.nullable {
        line(&mut text, &format!("impl Nullable for {name} {{}}\n"));
    }
    text
}

fn is_flexible(definition: &Definition) -> bool {
    !definition.flexible.and(definition.versions).is_empty()
}

fn read(definition: &Definition, fields: &[Emitted<'_>]) -> String {
    let tagged: Vec<_> = fields.iter().filter(|it| !it.tagged.is_empty()).collect();
    let mut text = String::new();
    for (test, statements) in grouped(fields) {
        match test {
            None => text.push_str(&statements),
            Some(test) => text.push_str(&format!("if {test} {{\n{statements}}}\n")),
        }
    }
    if !tagged.is_empty() {
        text.push_str("let mut tags = reader.tags()?;\n");
        text.push_str("while let Some(tag) = reader.next_tag(&mut tags)? {\nmatch tag {\n");
        tagged.iter().for_each(|it| text.push_str(&it.read_tagged()));
        text.push_str("_ => reader.skip_tag(&mut tags),\n}\n}\n");
    } else if is_flexible(definition) {
        text.push_str("reader.skip_tags()?;\n");
    }
    if !text.contains("it.") {
        return format!("{text}Ok(Self {{}})\n");
    }
    format!("let mut it = Self::default();\n{text}Ok(it)\n")
}

/// Neighbours that stand in the same versions are read under one test.
fn grouped(fields: &[Emitted<'_>]) -> Vec<(Option<String>, String)> {
    let mut groups: Vec<(Option<String>, String)> = Vec::new();
    for (test, statement) in fields.iter().filter_map(Emitted::read) {
        match groups.last_mut() {
            Some((same, statements)) if *same == test => statements.push_str(&statement),
            _ => groups.push((test, statement)),
        }
    }
    groups
}

fn write(definition: &Definition, fields: &[Emitted<'_>]) -> String {
    let mut tagged: Vec<_> = fields.iter().filter(|it| !it.tagged.is_empty()).collect();
    tagged.sort_by_key(|it| it.field.tag);
    let mut text: String = fields.iter().map(Emitted::write).collect();
    if tagged.is_empty() {
        if is_flexible(definition) {
            text.push_str("writer.tags(&[]);\n");
        }
    } else {
        for it in &tagged {
            line(&mut text, &format!("let tag_{} = {};", it.field.tag, it.is_set()));
        }
        let names: Vec<_> = tagged.iter().map(|it| format!("tag_{}", it.field.tag)).collect();
        line(&mut text, &format!("writer.tags(&[{}]);", names.join(", ")));
        for it in &tagged {
            let (tag, name) = (it.field.tag, &it.name);
            line(
                &mut text,
                &format!(
                    "if tag_{tag} {{ writer.tagged(({tag}, \"{name}\"), &self.{name}, version)?; }}"
                ),
            );
        }
    }
    if text.is_empty() {
        text.push_str("let _ = writer;\n");
    }
    text.push_str("Ok(())\n");
    text
}
