//! Checks the support center: the modules of its screens, and the parts that an enabled one needs.

use crate::manifest::yaml::{Node, Yaml, shown};
use crate::model::Severity;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "support-center",
    summary: "A support center has screens with fitting modules, each once, and every part that it needs",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// Which modules a screen may have.
const FITTING: &[(&str, &[&str])] = &[
    ("Home", &["Search", "Categories", "TopViewedArticles"]),
    ("Category", &["Search", "Categories"]),
    ("SearchResults", &["Search", "Results"]),
    ("Article", &["Search", "Article"]),
];
/// The fields that the platform requires if the support center is enabled.
const NEEDED: &[&str] = &["knowledgeBase", "customMessages", "screens", "enabledCategories", "styleSetting"];
const MESSAGES: &[&str] = &["Welcome", "Fallback"];
const AT: &str = "/spec/supportCenter";

fn check(context: &mut Context<'_>) {
    for spec in context.messengers() {
        let Some(section) = spec.get("supportCenter") else { continue };
        let screens = section.get("screens").map(Node::items).unwrap_or_default();
        check_once(context, screens, &format!("{AT}/screens"), "screen");
        for (index, screen) in screens.iter().enumerate() {
            check_modules(context, screen, &format!("{AT}/screens/{index}/moduleSettings"));
        }
        let messages = section.get("customMessages").map(Node::items).unwrap_or_default();
        check_once(context, messages, &format!("{AT}/customMessages"), "message");
        let enabled = section.get("enabled").filter(|node| node.bool() == Some(true));
        if let Some(enabled) = enabled {
            check_needed(context, section, enabled);
        }
    }
}

fn type_of(item: &Node) -> Option<&str> {
    item.get("type").and_then(Node::text)
}

fn check_once(context: &mut Context<'_>, items: &[Node], at: &str, noun: &str) {
    for (index, item) in items.iter().enumerate() {
        let (Some(node), Some(word)) = (item.get("type"), type_of(item)) else { continue };
        if items.iter().take(index).any(|earlier| type_of(earlier) == Some(word)) {
            let message = format!("there are two {noun}s of type `{}` here", shown(word));
            context.find(node.span, format!("{at}/{index}/type"), message).help("merge the two");
        }
    }
}

fn check_modules(context: &mut Context<'_>, screen: &Node, at: &str) {
    let modules = screen.get("moduleSettings").map(Node::items).unwrap_or_default();
    check_once(context, modules, at, "module");
    let Some(name) = type_of(screen) else { return };
    let Some((_, fitting)) = FITTING.iter().find(|(of, _)| *of == name) else { return };
    for (index, module) in modules.iter().enumerate() {
        let (Some(node), Some(word)) = (module.get("type"), type_of(module)) else { continue };
        if !fitting.contains(&word) {
            let message = format!("a {name} screen has no module `{}`", shown(word));
            let help = format!("use a module of this screen: {}", fitting.join(", "));
            context.find(node.span, format!("{at}/{index}/type"), message).help(help);
        }
    }
}

/// Checks the fields that an enabled support center needs. A field that is not named may already be live.
fn check_needed(context: &mut Context<'_>, section: &Node, enabled: &Node) {
    let mut unnamed = Vec::new();
    for field in NEEDED {
        let pointer = format!("{AT}/{field}");
        match section.get(field) {
            None => unnamed.push(*field),
            Some(node) if matches!(node.value, Yaml::Null) => {
                let message = format!("the support center is enabled and needs `{field}`");
                context.find(node.span, pointer, message);
            }
            Some(node) if *field == "customMessages" => {
                let missing = MESSAGES
                    .iter()
                    .filter(|word| !node.items().iter().any(|item| type_of(item) == Some(word)));
                for word in missing {
                    let message =
                        format!("the support center is enabled and needs a message of type `{word}`");
                    context.find(node.span, pointer.clone(), message);
                }
            }
            Some(node) if *field == "screens" && node.items().is_empty() => {
                context.find(node.span, pointer, "the support center is enabled but has no screen");
            }
            Some(_) => {}
        }
    }
    if !unnamed.is_empty() {
        let message = format!(
            "the support center is enabled, but {} is not managed, so a new support center cannot be created",
            unnamed.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
        );
        context
            .find(enabled.span, format!("{AT}/enabled"), message)
            .help("add the missing fields")
            .weigh(Severity::Warning);
    }
}
