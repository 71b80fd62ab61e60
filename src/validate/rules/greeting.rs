//! Greetings that a visitor can read: not blank, not twice, no markup, no tricks with invisible characters.

use std::collections::BTreeMap;

use crate::manifest::yaml::Node;
use crate::model::Severity;
use crate::validate::{Context, Rule};

/// The rule. The number of messages and their length are the schema's, reported under this rule's id.
pub const RULE: Rule = Rule {
    id: "greeting",
    summary: "Greetings are 1 to 3 different messages of plain text, 150 characters each at most",
    severity: Severity::Error,
    tunable: true,
    check,
};

fn check(context: &mut Context<'_>) {
    let Some(spec) = context.web() else { return };
    let Some(messages) = spec.path("greetings.messages") else {
        if let Some(enabled) = spec.path("greetings.enabled").filter(|node| node.bool() == Some(true)) {
            context
                .find(
                    enabled.span,
                    "/spec/greetings/enabled",
                    "greetings are switched on, but their messages are not managed",
                )
                .help("name `messages` too, or leave `enabled` out")
                .weigh(Severity::Info);
        }
        return;
    };
    let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
    for (index, node) in messages.items().iter().enumerate() {
        let Some(text) = node.text() else { continue };
        let pointer = format!("/spec/greetings/messages/{index}");
        check_text(context, node, text, &pointer);
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if let Some(first) = seen.get(&folded).filter(|_| !folded.is_empty()) {
            let first = context.manifest.files.locate(first.span);
            let finding = context.find(node.span, pointer, "this message stands in the list twice");
            finding.related.push((first, "it stands here first".into()));
        } else {
            seen.insert(folded, node);
        }
    }
}

fn check_text(context: &mut Context<'_>, node: &Node, text: &str, pointer: &str) {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        context
            .find(node.span, pointer, "this message is blank")
            .help("write a message, or take it out of the list");
        return;
    }
    if trimmed != text {
        let side = if text.starts_with(trimmed) { "ends" } else { "begins" };
        let finding = context.find(node.span, pointer, format!("this message {side} with white space"));
        finding
            .help("a block scalar keeps its last line break unless it is written with `>-`")
            .fix("trim it", quoted(trimmed));
    }
    if let Some(c) = trimmed.chars().find(|c| c.is_control()) {
        let what = if c == '\n' {
            "a line break".to_owned()
        } else {
            format!("the control character U+{:04X}", u32::from(c))
        };
        context
            .find(node.span, pointer, format!("this message contains {what}"))
            .help("write it on one line");
    }
    if let Some(c) = trimmed.chars().find(|c| is_trick(*c)) {
        context
            .find(node.span, pointer, format!("this message contains the invisible character U+{:04X}, which can make text read otherwise than it is written", u32::from(c)))
            .help("remove it; Arabic and Hebrew need no such characters to be shown right to left");
    }
    if let Some(markup) = markup(trimmed) {
        context
            .find(
                node.span,
                pointer,
                format!("this message contains {markup}; it would be shown as it stands, or run"),
            )
            .help("write plain text");
    }
    if let Some(problem) = placeholders(trimmed) {
        context.find(node.span, pointer, problem).help("a placeholder is written {{name}}");
    }
}

/// A double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Bidirectional embeddings, overrides and isolates, zero-width spaces and tag characters. The joiners
/// U+200C and U+200D and the marks U+200E and U+200F stay allowed: Persian, emoji and mixed text need them.
fn is_trick(c: char) -> bool {
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

/// What is wrong with the `{{placeholders}}` of a text.
fn placeholders(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        if rest.get(..open).is_some_and(|before| before.contains("}}")) {
            return Some("`}}` closes a placeholder that was never opened".into());
        }
        let inside = rest.get(open + 2..).unwrap_or_default();
        let Some(close) = inside.find("}}") else {
            return Some("the placeholder after `{{` is never closed".into());
        };
        let (name, after) = inside.split_at(close);
        let name = name.trim();
        let plain =
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !plain {
            return Some(format!(
                "`{{{{{}}}}}` is not a placeholder's name",
                crate::manifest::yaml::shown(name)
            ));
        }
        rest = after.get(2..).unwrap_or_default();
    }
    rest.contains("}}").then(|| "`}}` closes a placeholder that was never opened".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_balanced_and_named() {
        for good in ["Hi {{firstName}}!", "{{ a.b }} and {{c}}", "no { single } braces }"] {
            assert_eq!(placeholders(good), None, "{good}");
        }
        for bad in ["Hi {{firstName}", "Hi }} there", "{{}}", "{{a{{b}}}}", "{{a}} }}", "{{1 + 1}}"] {
            assert!(placeholders(bad).is_some(), "{bad}");
        }
    }

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
