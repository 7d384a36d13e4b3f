//! How is a configuration written so that Java reads the same?

use std::fmt;

/// Keys and values in the order in which they were first set; a key stands once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    entries: Vec<(String, String)>,
}

impl Properties {
    /// Sets a key, in place of its former value.
    pub(crate) fn set(&mut self, key: &str, value: impl ToString) -> &mut Self {
        let value = value.to_string();
        match self.entries.iter_mut().find(|(present, _)| present == key) {
            Some((_, present)) => *present = value,
            None => self.entries.push((key.to_owned(), value)),
        }
        self
    }

    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|(present, _)| present == key);
        entry.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.entries {
            writeln!(f, "{}={}", escape(key), escape(value))?;
        }
        Ok(())
    }
}

/// Java reads these files as Latin-1 and takes backslashes and leading blanks for its own.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for (at, unit) in text.encode_utf16().enumerate() {
        match char::from_u32(u32::from(unit)) {
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some(' ') if at == 0 => out.push_str("\\ "),
            Some(c) if c.is_ascii_graphic() || c == ' ' => out.push(c),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_once_with_its_last_value() {
        let mut properties = Properties::default();
        properties.set("a", 1).set("b", 2).set("a", 3);
        assert_eq!(properties.to_string(), "a=3\nb=2\n");
    }

    #[test]
    fn what_java_would_misread_is_escaped() {
        let mut properties = Properties::default();
        properties.set("dir", "/tmp/ä\\b c").set("lead", " x").set("two", "a\nb=c");
        assert_eq!(properties.to_string(), "dir=/tmp/\\u00e4\\\\b c\nlead=\\ x\ntwo=a\\nb=c\n");
        assert_eq!(escape("𝄞"), "\\ud834\\udd1e");
    }
}
