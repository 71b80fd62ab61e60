//! Builds trees from parser events, within the limits.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle};

use super::scalar::{DIGITS_MAX, Plain, is_control, resolve};
use super::{
    Composed, DEPTH_MAX, DOCUMENTS_MAX, EXPANDED_BYTES_MAX, Key, LINE_BYTES_MAX, NODES_MAX, Node, Problem,
    Span, Yaml, add, cut, own_bytes, shown,
};

/// Limit of the errors, and of the warnings, reported for one file.
const PROBLEMS_MAX: usize = 50;
/// Limit of a parser message, in characters: it repeats names from the file.
const SYNTAX_CHARS_MAX: usize = 160;

/// The message for a colour that YAML reads as a comment.
const HASH: &str = "`#` starts a comment here, because the colour is not in quotes";

/// Reads a file's text, which follows a byte order mark of `shift` bytes.
pub(super) fn run(text: &str, file: u32, shift: usize) -> Composed {
    let mut composer = Composer { text, file, shift, ..Composer::new() };
    if !composer.refuse_long_line() {
        composer.run();
    }
    Composed { documents: composer.documents, problems: composer.problems, nodes: composer.weight.0 }
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

    /// Whether a line is too long to be read.
    fn refuse_long_line(&mut self) -> bool {
        let mut start = 0;
        for line in self.text.split(['\n', '\r']) {
            if line.len() > LINE_BYTES_MAX {
                let message =
                    format!("there are {} bytes in one line, but {LINE_BYTES_MAX} are allowed", line.len());
                self.problem(message, self.span(start, start), None);
                return true;
            }
            start += line.len() + 1;
        }
        false
    }

    fn run(&mut self) {
        let mut options = Options::default();
        options.disallow_directives = true;
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
                    let message = cut(&error.kind().to_string(), SYNTAX_CHARS_MAX);
                    let here = self.span(at, end);
                    match colour_comment_before(self.text, at) {
                        // In a flow map the comment hides the rest of its line: the error is later.
                        Some(comment) => {
                            self.problem(HASH, self.span(comment.start, comment.end), None);
                            if let Some(problem) = self.problems.last_mut() {
                                problem.help =
                                    self.text.get(comment).map(|colour| format!("write \"{colour}\""));
                                problem.related = Some((here, "from here on this is not valid YAML"));
                            }
                        }
                        None => self.problem(
                            format!("this is not valid YAML: {message}"),
                            here,
                            syntax_help(&message),
                        ),
                    }
                    break;
                }
            }
            // Only errors end the reading: a file that ends at a warning would look like a smaller one.
            if self.problems.iter().filter(|problem| !problem.warning).count() >= PROBLEMS_MAX {
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
            replacement: None,
            warning: false,
        });
    }

    /// Handles one event. Returns false to stop reading the file.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(explicit, _) => {
                self.anchors.clear();
                if self.documents.len() >= DOCUMENTS_MAX {
                    self.problem(format!("this file has more than {DOCUMENTS_MAX} documents"), span, None);
                    return false;
                }
                if !explicit && !self.documents.is_empty() {
                    self.problem(
                        "there is more text after the document's end",
                        span,
                        Some("start another document with `---`"),
                    );
                    return false;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(span);
                }
                let value = self.scalar(&text, style, span);
                let span = self.refuse_colour_comment(&value).unwrap_or(span);
                self.refuse_cut_text(&text, style, span);
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
                    // `add` counts the value itself, without its content.
                    let below = bytes - own_bytes(&copy);
                    self.weight = add(self.weight, (nodes.saturating_sub(1), below));
                    return self.add(copy, 0, false);
                }
                None => {
                    self.problem("this alias is inside the value that it names", span, None);
                    return false;
                }
            },
            Event::UnresolvedAlias(name) => {
                self.problem(format!("there is no anchor `&{}` above this alias", shown(&name)), span, None);
                return false;
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {}
            // Comments (that feature of the parser is off) and events of later parser versions.
            _ => {}
        }
        true
    }

    /// Refuses an empty value with a comment that looks like a colour, and returns the place of the comment.
    /// Otherwise the value would be `null`, which removes a field.
    fn refuse_colour_comment(&mut self, value: &Yaml) -> Option<Span> {
        if !matches!(value, Yaml::Null) {
            return None;
        }
        let key = self.stack.last()?.key.as_ref()?;
        let comment = colour_comment(self.text, (key.span.end as usize).checked_sub(self.shift)?)?;
        let colour = self.text.get(comment.clone())?;
        let span = self.span(comment.start, comment.end);
        self.problem(HASH, span, None);
        if let Some(problem) = self.problems.last_mut() {
            problem.replacement = Some(format!("\"{colour}\""));
        }
        Some(span)
    }

    /// Refuses text that continues after ` #`, such as `dial #1`: YAML reads the rest as a comment.
    fn refuse_cut_text(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let end = (span.end as usize).saturating_sub(self.shift);
        let in_list =
            matches!(self.stack.last(), Some(Frame { node: Node { value: Yaml::List(_), .. }, .. }));
        let is_words = style == ScalarStyle::Plain && (in_list || text.contains(' ')) && !text.contains('\n');
        let rest = self.text.get(end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let comment = rest.trim_start_matches([' ', '\t']).strip_prefix('#').unwrap_or_default();
        // A usual comment has a space after `#`.
        if !is_words || comment.is_empty() || comment.starts_with([' ', '\t', '#', '!']) {
            return;
        }
        self.problem(
            "the text ends here, because ` #` starts a comment",
            Span { end: span.end + u32::try_from(rest.trim_end().len()).unwrap_or_default(), ..span },
            None,
        );
        if let Some(problem) = self.problems.last_mut() {
            // No fix: a person has to decide which of the two was meant.
            problem.help = Some("put the text in quotes, or put a space after `#`".into());
        }
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
                Some("remove it: text may contain only line breaks and tabs"),
            );
        }
        if style != ScalarStyle::Plain {
            return Yaml::Text(text.into());
        }
        match resolve(text) {
            Plain::Value(value) => value,
            Plain::OddNumber => {
                let key = self.stack.last().and_then(|frame| frame.key.as_ref());
                let telling = key.is_some_and(|key| crate::model::secret::is_telling(&key.text));
                let shown = if telling { "****".into() } else { shown(text) };
                self.problem(
                    format!("`{shown}` is a number to some YAML readers and text to others"),
                    span,
                    Some("write numbers as plain decimals such as 16 or 4.5, and text in quotes"),
                );
                Yaml::Text(text.into())
            }
            Plain::LongNumber => {
                self.problem(
                    format!("this number has more than {DIGITS_MAX} digits, so parsers that store numbers as floats would change it"),
                    span,
                    Some("round it, or put text in quotes"),
                );
                Yaml::Text(text.into())
            }
            Plain::OddBoolean => {
                self.problem(
                    format!("`{text}` is not a truth value here"),
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
                let warnings = self.problems.iter().filter(|problem| problem.warning).count();
                if in_value && warnings < PROBLEMS_MAX {
                    self.problems.push(Problem {
                        message: format!("`{text}` is text here, but a truth value to YAML 1.1 readers"),
                        span,
                        related: None,
                        help: Some(format!("put it in quotes: \"{text}\"")),
                        replacement: None,
                        warning: true,
                    });
                }
                Yaml::Text(text.into())
            }
        }
    }

    /// Adds a finished node to its parent. Returns false to stop reading the file.
    fn add(&mut self, node: Node, anchor: usize, plain: bool) -> bool {
        self.weight = add(self.weight, (1, own_bytes(&node)));
        if self.weight.0 > NODES_MAX || self.weight.1 > EXPANDED_BYTES_MAX {
            self.problem(
                format!("with its aliases expanded this file has more than {NODES_MAX} values or {EXPANDED_BYTES_MAX} bytes of text"),
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
                message: format!("the key `{}` is here twice", shown(&text)),
                span,
                related: first.map(|span| (span, "the first one")),
                help: Some("keep one of the two".into()),
                replacement: None,
                warning: false,
            });
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.key = Some(Key { text, span });
        }
        true
    }
}

/// Returns the comment after a key that ends at `key_end`, if the comment looks like a colour.
fn colour_comment(text: &str, key_end: usize) -> Option<Range<usize>> {
    let line = text.get(key_end..)?.lines().next()?;
    let before = text.get(..key_end)?.trim_end_matches(['"', '\'']);
    let key = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?.to_lowercase();
    if !["color", "colour", "primary", "background"].iter().any(|word| key.contains(word)) {
        return None;
    }
    let value = line.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
    // An anchor may precede the value.
    let named = value.trim_start();
    let comment =
        match named.strip_prefix('&').map(|rest| rest.trim_start_matches(|c: char| !c.is_whitespace())) {
            Some(rest) => rest.trim_start(),
            None => named,
        };
    let digits = comment.strip_prefix('#').filter(|_| comment.len() < value.len())?;
    let word = digits.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let is_colour = matches!(word.len(), 3 | 6) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let start = key_end + line.len() - comment.len();
    is_colour.then(|| start..start + 1 + word.len())
}

/// Returns such a comment in the line of a syntax error or the line before: in a flow map it hides its line.
fn colour_comment_before(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?.len() + text.get(at..)?.find('\n').unwrap_or(text.len() - at);
    let before = text.get(..before)?;
    let mut lines = before.rmatch_indices('\n').map(|(newline, _)| newline + 1);
    let from = lines.nth(1).unwrap_or_default();
    before
        .match_indices(':')
        .filter(|(colon, _)| *colon >= from)
        .find_map(|(colon, _)| colour_comment(text, colon))
}

fn syntax_help(message: &str) -> Option<&'static str> {
    if message.contains("tab") {
        return Some("indent with spaces");
    }
    let is_text = ["unexpected character", "trailing content", "mapping values are not allowed"];
    is_text
        .iter()
        .any(|words| message.contains(words))
        .then_some("put text in quotes, and write \\\" for a quote inside them")
}
