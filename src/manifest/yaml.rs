//! YAML text to a tree that remembers where every key and value stands.
//!
//! YAML 1.2 with a strict profile. Refused: duplicate keys, merge keys, tags, directives, numbers in any
//! spelling but plain decimal, control characters (also escaped ones), and documents over the limits.
//! Anchors and aliases are accepted while the expanded document stays within the node budget.
//!
//! The parser underneath is behind [`compose`] alone, so that it can be changed in one place.
//!
//! In: the text of a file. Out: its documents as [`Node`]s, and what the profile refuses. Never: knows a kind of
//! document, or guesses what a word was meant to be. Start reading at [`compose`].

mod composer;
mod scalar;

use serde_json::{Map, Number, Value};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 512 * 1024;
/// Deepest nesting of maps and lists.
pub const DEPTH_MAX: usize = 32;
/// Most nodes of one file, aliases expanded.
pub const NODES_MAX: usize = 20_000;
/// Most documents of one file.
pub const DOCUMENTS_MAX: usize = 64;
/// Most text of one file once aliases are expanded, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 1024 * 1024;
/// Longest line, in bytes: a longer one is no text that anybody reviews.
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
    /// What it is.
    pub value: Yaml,
    /// Where it stands.
    pub span: Span,
}

/// A YAML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// `null`, `~`, or nothing.
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
    /// Where it stands.
    pub span: Span,
}

impl Node {
    /// The value of a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key and the value, where this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        match &self.value {
            Yaml::Map(entries) => {
                entries.iter().find(|(k, _)| &*k.text == key).map(|(key, node)| (key, node))
            }
            _ => None,
        }
    }

    /// The value at a dotted path of keys.
    pub fn path(&self, dotted: &str) -> Option<&Node> {
        dotted.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The value at a JSON pointer.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, token| match &node.value {
            Yaml::Map(_) => node.get(&token.replace("~1", "/").replace("~0", "~")),
            Yaml::List(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The text, where it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, where it is one.
    pub fn bool(&self) -> Option<bool> {
        match self.value {
            Yaml::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The items; empty for anything but a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Yaml::List(items) => items,
            _ => &[],
        }
    }

    /// The entries; empty for anything but a map.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The same value as JSON.
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

/// The text of a scalar, in bytes.
fn own_bytes(node: &Node) -> usize {
    match &node.value {
        Yaml::Text(text) | Yaml::Number(text) => text.len(),
        Yaml::Null | Yaml::Bool(_) | Yaml::List(_) | Yaml::Map(_) => 0,
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

/// A plain decimal as a JSON number; there is none that is not one.
pub(super) fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(small) => Some(Number::from(small)),
        Err(_) => text.parse().ok(),
    }
}

/// Something wrong with the text itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// One sentence without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// Another place that belongs to it.
    pub related: Option<(Span, &'static str)>,
    /// What to do.
    pub help: Option<String>,
    /// The text that mends it.
    pub replacement: Option<String>,
    /// Whether the document can be used all the same.
    pub warning: bool,
}

/// What a file holds: its documents, as far as they could be read, and everything wrong with its text.
#[derive(Debug, Default)]
pub struct Composed {
    /// One tree a document.
    pub documents: Vec<Node>,
    /// In the order of the file.
    pub problems: Vec<Problem>,
    /// How many values there are, aliases expanded.
    pub nodes: usize,
}

/// Reads a file's text. Never fails and never panics: what is wrong becomes a [`Problem`].
pub fn compose(text: &str, file: u32) -> Composed {
    // A byte order mark is allowed at the very start and means nothing in UTF-8.
    let (text, shift) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, 3),
        None => (text, 0),
    };
    composer::run(text, file, shift)
}

/// At most 60 characters of a text, controls escaped, secrets masked: what an error may show of a file.
pub fn shown(text: &str) -> String {
    if crate::model::secret::resembles_secret(text) {
        return "****".into();
    }
    cut(text, 60)
}

/// The beginning of a text, controls escaped.
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
