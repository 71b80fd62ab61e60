//! YAML text to a tree that remembers where every key and value stands.
//!
//! YAML 1.2 with a strict profile. Refused: duplicate keys, merge keys, tags, directives, numbers in any
//! spelling but plain decimal, control characters (also escaped ones), and documents over the limits.
//! Anchors and aliases are accepted while the expanded document stays within the node budget.
//!
//! The parser underneath is behind [`compose`] alone, so that it can be changed in one place.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Options, Parser, ScalarStyle};
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
/// Problems reported for one file; a broken file seldom has more to say.
const PROBLEMS_MAX: usize = 50;

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
}

/// Reads a file's text. Never fails and never panics: what is wrong becomes a [`Problem`].
pub fn compose(text: &str, file: u32) -> Composed {
    // A byte order mark is allowed at the very start and means nothing in UTF-8.
    let (text, shift) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, 3),
        None => (text, 0),
    };
    let mut composer = Composer { text, file, shift, ..Composer::new() };
    composer.run();
    Composed { documents: composer.documents, problems: composer.problems }
}

struct Frame {
    node: Node,
    anchor: usize,
    key: Option<Key>,
    // Filled only once a map is large: a set for every small map costs more than it saves.
    seen: Option<HashSet<Box<str>>>,
}

struct Composer<'t> {
    text: &'t str,
    file: u32,
    shift: usize,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    problems: Vec<Problem>,
    weight: (usize, usize),
}

impl Composer<'_> {
    fn new() -> Self {
        Composer {
            text: "",
            file: 0,
            shift: 0,
            stack: Vec::new(),
            anchors: HashMap::new(),
            documents: Vec::new(),
            problems: Vec::new(),
            weight: (0, 0),
        }
    }

    fn run(&mut self) {
        let mut options = Options::default();
        options.disallow_directives = true;
        options.emit_comments = false;
        options.flow_nesting_limit = DEPTH_MAX;
        options.block_nesting_limit = DEPTH_MAX;
        for next in Parser::new_from_str_with_options(self.text, options) {
            match next {
                Ok((event, span)) => {
                    let range = span.byte_range().unwrap_or_default();
                    let span = self.span(range.start, range.end);
                    if !self.take(event, span) {
                        break;
                    }
                }
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    let end = self
                        .text
                        .get(at..)
                        .and_then(|rest| rest.chars().next())
                        .map_or(at, |c| at + c.len_utf8());
                    let message = error.kind().to_string();
                    self.problem(
                        format!("this is not valid YAML: {message}"),
                        self.span(at, end),
                        syntax_help(&message),
                    );
                    break;
                }
            }
            if self.problems.len() >= PROBLEMS_MAX {
                break;
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let clamp = |byte: usize| u32::try_from(byte + self.shift).unwrap_or(u32::MAX);
        Span { file: self.file, start: clamp(start), end: clamp(end.max(start)) }
    }

    fn problem(&mut self, message: impl Into<String>, span: Span, help: Option<&str>) {
        self.problems.push(Problem {
            message: message.into(),
            span,
            related: None,
            help: help.map(str::to_owned),
            warning: false,
        });
    }

    /// Takes one event in; false ends the file.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(explicit, _) => {
                self.anchors.clear();
                if self.documents.len() >= DOCUMENTS_MAX {
                    self.problem(format!("a file may hold {DOCUMENTS_MAX} documents at most"), span, None);
                    return false;
                }
                if !explicit && !self.documents.is_empty() {
                    self.problem(
                        "there is more text after the document's end",
                        span,
                        Some("start a further document with `---`"),
                    );
                    return false;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(span);
                }
                let value = self.scalar(&text, style, span);
                return self.add(Node { value, span }, anchor, style == ScalarStyle::Plain);
            }
            Event::SequenceStart(_, anchor, tag) => {
                return self.open(Yaml::List(Vec::new()), anchor, tag.is_some(), span);
            }
            Event::MappingStart(_, anchor, tag) => {
                return self.open(Yaml::Map(Vec::new()), anchor, tag.is_some(), span);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut frame) = self.stack.pop() else { return false };
                frame.node.span.end = frame.node.span.end.max(span.end);
                return self.add(frame.node, frame.anchor, false);
            }
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => {
                    let mut copy = node.clone();
                    let (nodes, bytes) = copy.weigh();
                    copy.span = span;
                    self.weight = add(self.weight, (nodes.saturating_sub(1), bytes));
                    return self.add(copy, 0, false);
                }
                None => {
                    self.problem("this alias stands inside the value that it names", span, None);
                    return false;
                }
            },
            Event::UnresolvedAlias(name) => {
                self.problem(format!("there is no anchor `&{name}` above this alias"), span, None);
                return false;
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {}
            #[allow(
                unreachable_patterns,
                reason = "comment events exist only with the parser's default feature"
            )]
            _ => {}
        }
        true
    }

    fn refuse_tag(&mut self, span: Span) {
        self.problem("tags are not allowed", span, Some("write the value without `!…`"));
    }

    fn open(&mut self, value: Yaml, anchor: usize, tagged: bool, span: Span) -> bool {
        if tagged {
            self.refuse_tag(span);
        }
        if let Some(Frame { node: Node { value: Yaml::Map(_), .. }, key: None, .. }) = self.stack.last() {
            self.problem("a key must be plain text", span, None);
            return false;
        }
        if self.stack.len() >= DEPTH_MAX {
            self.problem(format!("this is nested deeper than {DEPTH_MAX} levels"), span, None);
            return false;
        }
        self.stack.push(Frame { node: Node { value, span }, anchor, key: None, seen: None });
        true
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Yaml {
        if let Some(bad) = text.chars().find(|&c| is_control(c)) {
            let code = u32::from(bad);
            self.problem(
                format!("the control character U+{code:04X} is not allowed in a value"),
                span,
                Some("remove it; only line breaks and tabs may stand in text"),
            );
        }
        if style != ScalarStyle::Plain {
            return Yaml::Text(text.into());
        }
        match resolve(text) {
            Plain::Value(value) => value,
            Plain::OddNumber => {
                self.problem(
                    format!("`{}` is a number to some YAML readers and text to others", shown(text)),
                    span,
                    Some("write numbers as plain decimals such as 16 or 4.5, and text in quotes"),
                );
                Yaml::Text(text.into())
            }
            Plain::OddBoolean => {
                self.problem(
                    format!("`{text}` is not how this file spells a truth value"),
                    span,
                    Some("write `true` or `false`, or put text in quotes"),
                );
                Yaml::Text(text.into())
            }
            Plain::LooksBoolean => {
                let in_value = matches!(self.stack.last(), Some(Frame { key: Some(_), .. }))
                    || matches!(
                        self.stack.last(),
                        Some(Frame { node: Node { value: Yaml::List(_), .. }, .. })
                    );
                if in_value {
                    self.problems.push(Problem {
                        message: format!("`{text}` is text here, but a truth value to YAML 1.1 readers"),
                        span,
                        related: None,
                        help: Some(format!("put it in quotes: \"{text}\"")),
                        warning: true,
                    });
                }
                Yaml::Text(text.into())
            }
        }
    }

    /// Hangs a finished node where it belongs; false ends the file.
    fn add(&mut self, node: Node, anchor: usize, plain: bool) -> bool {
        let bytes = match &node.value {
            Yaml::Text(text) | Yaml::Number(text) => text.len(),
            _ => 0,
        };
        self.weight = add(self.weight, (1, bytes));
        if self.weight.0 > NODES_MAX || self.weight.1 > EXPANDED_BYTES_MAX {
            self.problem(
                format!("with its aliases expanded this file has over {NODES_MAX} values or {EXPANDED_BYTES_MAX} bytes of text"),
                node.span,
                None,
            );
            return false;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.documents.push(node);
            return true;
        };
        match &mut frame.node.value {
            Yaml::List(items) => items.push(node),
            Yaml::Map(entries) => match frame.key.take() {
                Some(key) => entries.push((key, node)),
                None => return self.key(node, plain),
            },
            _ => return false,
        }
        true
    }

    fn key(&mut self, node: Node, plain: bool) -> bool {
        let span = node.span;
        let text: Box<str> = match node.value {
            Yaml::Text(text) | Yaml::Number(text) => text,
            Yaml::Bool(value) => value.to_string().into(),
            _ => {
                self.problem("a key must be plain text", span, None);
                return false;
            }
        };
        if plain && &*text == "<<" {
            self.problem(
                "merge keys are not allowed",
                span,
                Some("name a shared layer under `extends`, or repeat the fields"),
            );
        }
        let Some(frame) = self.stack.last_mut() else { return false };
        let Yaml::Map(entries) = &frame.node.value else { return false };
        if entries.len() >= 16 && frame.seen.is_none() {
            frame.seen = Some(entries.iter().map(|(key, _)| key.text.clone()).collect());
        }
        let duplicate = match &mut frame.seen {
            Some(seen) => !seen.insert(text.clone()),
            None => entries.iter().any(|(key, _)| key.text == text),
        };
        if duplicate {
            let first = entries.iter().find(|(key, _)| key.text == text).map(|(key, _)| key.span);
            self.problems.push(Problem {
                message: format!("the key `{}` stands here twice", shown(&text)),
                span,
                related: first.map(|span| (span, "it stands here first")),
                help: Some("keep one of the two".into()),
                warning: false,
            });
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.key = Some(Key { text, span });
        }
        true
    }
}

fn syntax_help(message: &str) -> Option<&'static str> {
    message.contains("tab").then_some("indent with spaces")
}

/// At most 60 characters of a text, controls escaped, secrets masked: what an error may show of a file.
pub fn shown(text: &str) -> String {
    if crate::model::secret::resembles_secret(text) {
        return "****".into();
    }
    let mut out: String = text
        .chars()
        .take(60)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if text.chars().nth(60).is_some() {
        out.push('…');
    }
    out
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t' | '\r')
}

enum Plain {
    Value(Yaml),
    OddNumber,
    OddBoolean,
    LooksBoolean,
}

fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Yaml::Null),
        "true" => return Plain::Value(Yaml::Bool(true)),
        "false" => return Plain::Value(Yaml::Bool(false)),
        "True" | "TRUE" | "False" | "FALSE" => return Plain::OddBoolean,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => {
            return Plain::LooksBoolean;
        }
        _ => {}
    }
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return Plain::Value(Yaml::Text(text.into()));
    }
    if is_plain_decimal(text) {
        return Plain::Value(Yaml::Number(text.into()));
    }
    if is_odd_number(text) {
        return Plain::OddNumber;
    }
    Plain::Value(Yaml::Text(text.into()))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, but not `-0`.
fn is_plain_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numeric(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(numeric)
        && text != "-0"
}

/// What some YAML reader takes for a number although it is no plain decimal.
fn is_odd_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(radix));
        }
    }
    let mut parts = lower.splitn(2, 'e');
    let mantissa = parts.next().unwrap_or_default();
    let exponent = parts.next();
    let mantissa_ok = mantissa.bytes().any(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'))
        && mantissa.matches('.').count() <= 1;
    let exponent_ok = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    mantissa_ok && exponent_ok
}

#[cfg(test)]
mod tests;
