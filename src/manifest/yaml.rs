//! Reads YAML text into a tree with the place of every key and value.
//!
//! YAML 1.2 with a strict profile. Refused: duplicate keys, merge keys, tags, directives, numbers in any
//! spelling but plain decimal, control characters (also escaped ones), and documents over the limits.
//! Anchors and aliases are accepted while the expanded document stays within the node budget.
//!
//! Only [`compose`] uses the YAML parser, so that it can be replaced in one place.
//!
//! In: the text of a file. Out: its documents as [`Node`]s, and what the profile refuses. Never: knows a kind
//! of document, or guesses a value. Start reading at [`compose`].

mod composer;
mod scalar;

use serde_json::{Map, Number, Value};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 512 * 1024;
/// Deepest nesting of maps and lists.
pub const DEPTH_MAX: usize = 32;
/// Limit of the nodes of one file, with aliases expanded.
pub const NODES_MAX: usize = 20_000;
/// Limit of the documents of one file.
pub const DOCUMENTS_MAX: usize = 64;
/// Limit of the text of one file, with aliases expanded, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 1024 * 1024;
/// Longest line, in bytes. A person cannot review a longer one.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// A byte range in one of the files of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which file, as numbered by [`super::files::Files`].
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Yaml,
    /// Its place.
    pub span: Span,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// `null`, `~`, or an empty value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A plain decimal number, as written.
    Number(Box<str>),
    /// Text.
    Text(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key of a map with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key.
    pub text: Box<str>,
    /// Its place.
    pub span: Span,
}

impl Node {
    /// Returns the value of a key, if this is a map with the key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// Returns the key and the value, if this is a map with the key.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        match &self.value {
            Yaml::Map(entries) => {
                entries.iter().find(|(k, _)| &*k.text == key).map(|(key, node)| (key, node))
            }
            _ => None,
        }
    }

    /// Returns the value at a dotted path of keys.
    pub fn path(&self, dotted: &str) -> Option<&Node> {
        dotted.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Returns the value at a JSON pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, token| match &node.value {
            Yaml::Map(_) => node.get(&token.replace("~1", "/").replace("~0", "~")),
            Yaml::List(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Returns the text, if this is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the truth value, if this is one.
    pub fn bool(&self) -> Option<bool> {
        match self.value {
            Yaml::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the items; empty if this is not a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Yaml::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the entries; empty if this is not a map.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Number(text) => number(text).map_or_else(|| Value::String(text.to_string()), Value::Number),
            Yaml::Text(text) => Value::String(text.to_string()),
            Yaml::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Yaml::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.text.to_string(), node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn weigh(&self) -> (usize, usize) {
        let own = |text: &str| (1, text.len());
        match &self.value {
            Yaml::Null | Yaml::Bool(_) => (1, 0),
            Yaml::Number(text) | Yaml::Text(text) => own(text),
            Yaml::List(items) => items.iter().map(Node::weigh).fold((1, 0), add),
            Yaml::Map(entries) => {
                entries.iter().map(|(key, node)| add(own(&key.text), node.weigh())).fold((1, 0), add)
            }
        }
    }
}

/// Returns the length of a scalar's text, in bytes.
fn own_bytes(node: &Node) -> usize {
    match &node.value {
        Yaml::Text(text) | Yaml::Number(text) => text.len(),
        Yaml::Null | Yaml::Bool(_) | Yaml::List(_) | Yaml::Map(_) => 0,
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

/// Returns a plain decimal as a JSON number.
pub(super) fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(small) => Some(Number::from(small)),
        Err(_) => text.parse().ok(),
    }
}

/// A problem of the YAML text.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// One sentence without a full stop.
    pub message: String,
    /// Its place.
    pub span: Span,
    /// A related place, with a note.
    pub related: Option<(Span, &'static str)>,
    /// What the author has to do.
    pub help: Option<String>,
    /// The text that fixes it.
    pub replacement: Option<String>,
    /// Whether it is a warning, so that the document can still be used.
    pub warning: bool,
}

/// The content of a file: the documents that could be read, and all problems of its text.
#[derive(Debug, Default)]
pub struct Composed {
    /// One tree for each document.
    pub documents: Vec<Node>,
    /// The problems, in the order of the file.
    pub problems: Vec<Problem>,
    /// The number of values, with aliases expanded.
    pub nodes: usize,
}

/// Reads a file's text. It never fails or panics: every error becomes a [`Problem`].
pub fn compose(text: &str, file: u32) -> Composed {
    // A byte order mark is allowed at the very start and means nothing in UTF-8.
    let (text, shift) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, 3),
        None => (text, 0),
    };
    composer::run(text, file, shift)
}

/// Returns the part of a text that an error may show: at most 60 characters, controls escaped, secrets
/// masked.
pub fn shown(text: &str) -> String {
    if crate::model::secret::resembles_secret(text) {
        return "****".into();
    }
    cut(text, 60)
}

/// Returns the first `chars_max` characters of a text, controls escaped.
fn cut(text: &str, chars_max: usize) -> String {
    let mut out: String = text
        .chars()
        .take(chars_max)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(chars_max).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests;
