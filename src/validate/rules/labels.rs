//! Checks custom texts: in the messenger's languages, each once, and with the texts of notifications.

use crate::manifest::yaml::{Node, shown};
use crate::model::Severity;
use crate::validate::rules::languages::same;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "labels",
    summary: "Labels are in the messenger's languages, each once, with all labels that notifications need",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The longest text of the launcher, in Unicode scalar values: the limit of the platform's own screen.
const LAUNCHER_CHARS_MAX: usize = 20;
/// The labels that notifications need in every language.
const PUSH_LABELS: &[&str] = &["PushNotificationTitle", "PushNotificationBody"];
const AT: &str = "/spec/customI18nLabels";

fn check(context: &mut Context<'_>) {
    for spec in context.messengers() {
        let spoken = spec.get("languages").map(Node::items).unwrap_or_default();
        let labelled = spec.get("customI18nLabels");
        let entries = labelled.map(Node::items).unwrap_or_default();
        for (index, entry) in entries.iter().enumerate() {
            let Some(language) = entry.get("language") else { continue };
            let tag = shown(language.text().unwrap_or_default());
            let pointer = format!("{AT}/{index}/language");
            let twice = |earlier: &&Node| earlier.get("language").is_some_and(|node| same(node, language));
            if let Some(first) = entries.iter().take(index).find(twice) {
                let first = context.manifest.files.locate(first.span);
                let finding = context.find(language.span, pointer, format!("`{tag}` has labels twice"));
                finding.related.push((first, "the first labels".into()));
                finding.help("merge the two");
            } else if !spoken.is_empty() && !spoken.iter().any(|node| same(node, language)) {
                context
                    .find(language.span, pointer, format!("`{tag}` is not one of the messenger's languages"))
                    .help("add it to `languages`, or remove its labels");
            }
            check_texts(context, entry, index);
        }
        check_notifications(context, spec, spoken, labelled);
    }
}

fn check_texts(context: &mut Context<'_>, entry: &Node, index: usize) {
    let labels = entry.get("localizedLabels").map(Node::items).unwrap_or_default();
    for (at, label) in labels.iter().enumerate() {
        let (Some(key), Some(value)) = (label.get("key"), label.get("value")) else { continue };
        let Some(word) = key.text() else { continue };
        let pointer = format!("{AT}/{index}/localizedLabels/{at}");
        if labels.iter().take(at).any(|earlier| key_of(earlier) == Some(word)) {
            let message = format!("this language has the label `{}` twice", shown(word));
            context.find(key.span, format!("{pointer}/key"), message).help("remove one");
        }
        let length = value.text().map_or(0, |text| text.chars().count());
        if word == "MessengerLauncherButtonText" && length > LAUNCHER_CHARS_MAX {
            let message = format!(
                "this text of the launcher has {length} characters, but {LAUNCHER_CHARS_MAX} are allowed"
            );
            context.find(value.span, format!("{pointer}/value"), message);
        }
    }
}

fn key_of(label: &Node) -> Option<&str> {
    label.get("key").and_then(Node::text)
}

/// If notifications are enabled, every language needs a title and a text for them.
fn check_notifications(context: &mut Context<'_>, spec: &Node, spoken: &[Node], labelled: Option<&Node>) {
    let path = "messenger.apps.conversations.notifications.enabled";
    let Some(enabled) = spec.path(path).filter(|node| node.bool() == Some(true)) else { return };
    let pointer = format!("/spec/{}", path.replace('.', "/"));
    let Some(labelled) = labelled else {
        context
            .find(enabled.span, pointer, "notifications are enabled, but their labels are not managed")
            .help("add `customI18nLabels` with a title and a text of notifications in every language")
            .weigh(Severity::Info);
        return;
    };
    let entries = labelled.items();
    let languages: Vec<&Node> = match spoken {
        [] => entries.iter().filter_map(|entry| entry.get("language")).collect(),
        spoken => spoken.iter().collect(),
    };
    for language in languages {
        let of = |entry: &&Node| entry.get("language").is_some_and(|node| same(node, language));
        let labels = entries.iter().find(of).and_then(|entry| entry.get("localizedLabels"));
        let labels = labels.map(Node::items).unwrap_or_default();
        let missing: Vec<&str> = PUSH_LABELS
            .iter()
            .copied()
            .filter(|key| !labels.iter().any(|label| key_of(label) == Some(key)))
            .collect();
        if !missing.is_empty() {
            let tag = shown(language.text().unwrap_or_default());
            let message =
                format!("notifications are enabled, but `{tag}` has no {}", missing.join(" and no "));
            context
                .find(enabled.span, pointer.clone(), message)
                .help("add it under `customI18nLabels`, or disable notifications");
        }
    }
}
