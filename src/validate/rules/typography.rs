//! Checks that visitors can read text with any installed fonts.

use crate::manifest::yaml::Node;
use crate::model::Severity;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "typography",
    summary: "Text is 14 to 24 px and the list of fonts ends in a generic family",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The generic font families of CSS Fonts Level 4 that browsers support.
const GENERIC: &[&str] = &[
    "serif",
    "sans-serif",
    "monospace",
    "cursive",
    "fantasy",
    "system-ui",
    "ui-serif",
    "ui-sans-serif",
    "ui-monospace",
    "ui-rounded",
];

fn check(context: &mut Context<'_>) {
    let portal = "supportCenter.styleSetting.globalStyle.fontFamily";
    let messengers = context.messengers().map(|spec| (spec, portal));
    let named = context.web().map(|spec| (spec, "widget.theme.typography.fontFamily")).into_iter();
    for (spec, path) in named.chain(messengers) {
        if let Some(node) = spec.path(path) {
            check_fonts(context, node, &format!("/spec/{}", path.replace('.', "/")));
        }
    }
}

fn check_fonts(context: &mut Context<'_>, node: &Node, pointer: &str) {
    let Some(text) = node.text() else { return };
    let families: Vec<&str> = text.split(',').map(str::trim).collect();
    if families.iter().any(|family| family.is_empty()) {
        context
            .find(node.span, pointer, "the list of fonts has an empty entry")
            .help("separate the names by single commas");
        return;
    }
    let last = families.last().copied().unwrap_or_default().to_ascii_lowercase();
    if !GENERIC.contains(&last.as_str()) {
        context
            .find(node.span, pointer, "the list of fonts does not end in a generic family")
            .help("add `, sans-serif` for visitors who have none of these fonts")
            .fix("add `sans-serif`", format!("\"{}, sans-serif\"", text.replace('"', "'")))
            .weigh(Severity::Warning);
    }
}
