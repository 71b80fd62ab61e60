//! Checks allowed media: a profile names them for both directions, each type once.

use std::collections::BTreeSet;

use crate::manifest::Declaration;
use crate::manifest::yaml::{Node, shown};
use crate::model::{ObjectKind, Severity};
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "media",
    summary: "A supported content profile names the allowed media of both directions, each type once",
    severity: Severity::Error,
    tunable: true,
    check,
};

const BOTH: [&str; 2] = ["inbound", "outbound"];

fn check(context: &mut Context<'_>) {
    // A document that breaks its schema already has a finding.
    let whole = |resource: &&Declaration| resource.desired.is_some();
    for resource in context.resources(ObjectKind::SupportedContent).filter(whole) {
        let Some(allow) = resource.spec.path("mediaTypes.allow") else {
            let message = "this profile does not name the allowed media, so a new one blocks all media";
            context
                .find(resource.kind_span, "/kind", message)
                .help("add `mediaTypes.allow` with `inbound` and `outbound` (`[]` blocks a direction)")
                .weigh(Severity::Warning);
            continue;
        };
        for direction in BOTH {
            check_once(context, direction, allow.get(direction).map(Node::items).unwrap_or_default());
        }
    }
}

fn check_once(context: &mut Context<'_>, direction: &str, items: &[Node]) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let Some((node, text)) = item.get("type").and_then(|node| Some((node, node.text()?))) else {
            continue;
        };
        if !seen.insert(text.to_ascii_lowercase()) {
            let pointer = format!("/spec/mediaTypes/allow/{direction}/{index}/type");
            let message = format!("`{}` is listed twice", shown(text));
            context.find(node.span, pointer, message).help("remove one");
        }
    }
}
