//! Reports feature flags that the platform does not know: it stores them, and they have no effect.

use crate::manifest::schema::nearest;
use crate::model::Severity;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "flags",
    summary: "Every feature flag is one that the platform knows",
    severity: Severity::Warning,
    tunable: true,
    check,
};

/// Flags that the platform documents or that its own examples use.
const KNOWN: &[&str] = &[
    "enableFileUpload",
    "enableRichText",
    "enableTypingIndicator",
    "enableReadReceipts",
    "enableQuickReplies",
    "enableEmoji",
];

fn check(context: &mut Context<'_>) {
    let Some(flags) = context.web().and_then(|spec| spec.path("features.flags")) else { return };
    for (key, _) in flags.entries() {
        if KNOWN.contains(&&*key.text) {
            continue;
        }
        let near = nearest(&key.text, KNOWN.iter().copied());
        let finding = context.find(
            key.span,
            format!("/spec/features/flags/{}", key.text),
            format!("the platform has no flag `{}`", crate::manifest::yaml::shown(&key.text)),
        );
        match near {
            Some(near) => {
                finding.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), near)
            }
            None => finding.help(format!("use one of the known flags: {}", KNOWN.join(", "))),
        };
    }
}
