//! Checks greetings: not blank, not repeated, no markup, no invisible characters that change how text reads.

use std::collections::BTreeMap;

use crate::manifest::yaml::Node;
use crate::model::Severity;
use crate::model::text::folded;
use crate::validate::{Context, Rule, text};

/// The rule. The schema checks the number of messages and their length, and reports them under this rule's
/// id.
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
                    "greetings are enabled, but their messages are not managed",
                )
                .help("add `messages`, or remove `enabled`")
                .weigh(Severity::Info);
        }
        return;
    };
    let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
    for (index, node) in messages.items().iter().enumerate() {
        let Some(text) = node.text() else { continue };
        let pointer = format!("/spec/greetings/messages/{index}");
        text::check(context, node, text, &pointer, "message");
        if let Some(problem) = placeholders(text.trim()) {
            context.find(node.span, &*pointer, problem).help("write a placeholder as {{name}}");
        }
        let folded = folded(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(first) = seen.get(&folded).filter(|_| !folded.is_empty()) {
            let first = context.manifest.files.locate(first.span);
            let finding = context.find(node.span, pointer, "this message is in the list twice");
            finding.related.push((first, "the first one".into()));
        } else {
            seen.insert(folded, node);
        }
    }
}

/// Returns what is wrong with the `{{placeholders}}` of a text.
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
                "`{{{{{}}}}}` is not the name of a placeholder",
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
}
