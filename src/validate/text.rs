//! Text that a visitor can read: not blank, no markup, no tricks with invisible characters.

use super::Context;
use crate::manifest::yaml::{Node, Yaml};

/// Adds what is wrong with a text that visitors read; `noun` is what the findings call it.
pub fn check(context: &mut Context<'_>, node: &Node, text: &str, pointer: &str, noun: &str) {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        context
            .find(node.span, pointer, format!("this {noun} is blank"))
            .help(format!("write a {noun}, or take it out"));
        return;
    }
    if trimmed != text {
        let side = if text.starts_with(trimmed) { "ends" } else { "begins" };
        let finding = context.find(node.span, pointer, format!("this {noun} {side} with white space"));
        finding
            .help("a block scalar keeps its last line break unless it is written with `>-`")
            .fix("take the white space off its ends", quoted(trimmed));
    }
    if let Some(c) = trimmed.chars().find(|c| c.is_control()) {
        let what = if c == '\n' {
            "a line break".to_owned()
        } else {
            format!("the control character U+{:04X}", u32::from(c))
        };
        context.find(node.span, pointer, format!("this {noun} contains {what}")).help("write it on one line");
    }
    if let Some(c) = trimmed.chars().find(|c| is_trick(*c)) {
        context
            .find(node.span, pointer, format!("this {noun} contains the invisible character U+{:04X}, which can make text read otherwise than it is written", u32::from(c)))
            .help("remove it; Arabic and Hebrew need no such characters to be shown right to left");
    }
    if let Some(markup) = markup(trimmed) {
        context
            .find(
                node.span,
                pointer,
                format!("this {noun} contains {markup}; it would be shown as it stands, or run"),
            )
            .help("write plain text");
    }
}

/// A double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a character hides or turns text: bidirectional embeddings, overrides and isolates, zero-width
/// spaces and tag characters. The joiners U+200C and U+200D and the marks U+200E and U+200F stay allowed:
/// Persian, emoji and mixed text need them.
pub fn is_trick(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn markup(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let tag = text.match_indices('<').any(|(at, _)| {
        let next = text.get(at + 1..).and_then(|rest| rest.chars().next());
        next.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?' | '%'))
    });
    if tag {
        Some("markup")
    } else if ["javascript:", "data:text/", "vbscript:"].iter().any(|scheme| lower.contains(scheme)) {
        Some("a script")
    } else if text.contains("${") || text.contains("$(") {
        Some("a shell or template expression, which nothing expands")
    } else {
        None
    }
}

/// Calls back for every text below a value, with its JSON pointer.
pub fn each<'a>(node: &'a Node, pointer: &str, found: &mut dyn FnMut(&'a Node, &'a str, &str)) {
    match &node.value {
        Yaml::Text(text) => found(node, text, pointer),
        Yaml::List(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| each(item, &format!("{pointer}/{index}"), found));
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                each(value, &format!("{pointer}/{}", key.text.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_signs_are_not_markup_by_themselves() {
        assert_eq!(markup("a < b, 3<4 and <3"), None);
        for bad in [
            "<b>hi</b>",
            "</p>",
            "<!-- x -->",
            "<script>",
            "<%= x %>",
            "JavaScript:alert(1)",
            "${HOME}",
            "$(id)",
        ] {
            assert!(markup(bad).is_some(), "{bad}");
        }
    }
}
