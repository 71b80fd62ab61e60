//! Checks texts of the `cloud` kinds: texts for visitors are plain text, and no value has hidden characters.

use crate::model::Severity;
use crate::validate::{Context, Rule, text};

/// The rule. Greetings of a WebMessaging have their own rule.
pub const RULE: Rule = Rule {
    id: "text",
    summary: "Texts that visitors read are plain text, and no value contains characters that hide text or change its direction",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The first and the last part of the pointers of texts that visitors read.
const READ_BY_VISITORS: &[(&str, &str)] = &[
    ("/spec/customI18nLabels/", "/value"),
    ("/spec/supportCenter/customMessages/", "/defaultValue"),
    ("/spec/messenger/", "/bot/name"),
];

fn check(context: &mut Context<'_>) {
    let manifest = context.manifest;
    for resource in manifest.resources.iter().filter(|resource| !resource.object.is_implied()) {
        text::each(&resource.spec, "/spec", &mut |node, value, pointer| {
            if READ_BY_VISITORS
                .iter()
                .any(|(begin, end)| pointer.starts_with(begin) && pointer.ends_with(end))
            {
                text::check(context, node, value, pointer, "text");
            } else if let Some(c) = text::trick(value) {
                let message = format!("this value contains the invisible character U+{:04X}", u32::from(c));
                context.find(node.span, pointer, message).help("remove it");
            }
        });
    }
}
