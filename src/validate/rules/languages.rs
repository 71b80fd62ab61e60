//! Checks the languages of a messenger: each is named once, and the default language is one of them.

use crate::manifest::schema::{is_spelling_of, nearest};
use crate::manifest::yaml::{Node, shown};
use crate::model::Severity;
use crate::validate::{Context, Rule, is_nothing};

/// The rule. The schema checks the form of a language tag, and reports it under this rule's id.
pub const RULE: Rule = Rule {
    id: "languages",
    summary: "Languages are BCP 47 tags, each named once, and include the default language",
    severity: Severity::Error,
    tunable: true,
    check,
};

fn check(context: &mut Context<'_>) {
    for spec in context.messengers() {
        let languages = spec.get("languages");
        let named = languages.map(Node::items).unwrap_or_default();
        for (index, node) in named.iter().enumerate() {
            let earlier = named.iter().take(index).find(|earlier| same(earlier, node));
            let (Some(first), Some(tag)) = (earlier, node.text()) else { continue };
            let first = context.manifest.files.locate(first.span);
            let message = format!("the language `{}` is named twice", shown(tag));
            let finding = context.find(node.span, format!("/spec/languages/{index}"), message);
            finding.related.push((first, "it is named here first".into()));
            finding.help("remove one, because upper and lower case are the same");
        }
        check_default(context, spec, named);
        check_enabled(context, spec);
    }
}

/// Whether two nodes are the same language tag.
pub fn same(a: &Node, b: &Node) -> bool {
    matches!((a.text(), b.text()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

fn check_default(context: &mut Context<'_>, spec: &Node, named: &[Node]) {
    let Some(default) = spec.get("defaultLanguage") else { return };
    let Some(tag) = default.text() else { return };
    if named.is_empty() || named.iter().any(|node| same(node, default)) {
        return;
    }
    let message = format!("the default language `{}` is not one of the languages", shown(tag));
    let near = nearest(tag, named.iter().filter_map(Node::text));
    let finding = context.find(default.span, "/spec/defaultLanguage", message);
    match near {
        Some(near) if is_spelling_of(tag, &near) => {
            finding.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), near)
        }
        // Two languages can differ in one letter, so there is no fix.
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help("add it to `languages`"),
    };
}

/// An enabled messenger needs both fields. A field that is not named may already be live.
fn check_enabled(context: &mut Context<'_>, spec: &Node) {
    let Some(enabled) = spec.path("messenger.enabled").filter(|node| node.bool() == Some(true)) else {
        return;
    };
    for field in ["languages", "defaultLanguage"] {
        let pointer = format!("/spec/{field}");
        match spec.get(field) {
            Some(node) if is_nothing(node) => {
                let message = format!("the messenger is enabled and needs `{field}`");
                context.find(node.span, pointer, message).help("name at least one");
            }
            Some(_) => {}
            None => {
                let message = format!(
                    "the messenger is enabled, but `{field}` is not managed, so a new messenger cannot be created"
                );
                context
                    .find(enabled.span, "/spec/messenger/enabled", message)
                    .help(format!("add `{field}`"))
                    .weigh(Severity::Warning);
            }
        }
    }
}
