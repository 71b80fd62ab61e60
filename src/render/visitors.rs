//! What visitors will notice of a plan, one sentence for each change.
//!
//! In: the changes of a tenant's organizations. Out: [`Sentence`]s, most severe first. Never: adds a value
//! other than as a [`Part::Value`](super::sentence::Part::Value), which each renderer escapes.

use serde_json::Value;

use super::document::{ChangeDocument, TargetDocument};
use super::review::is_as_primary;
use super::sentence::Sentence;
use super::value::{REVIEWED_LENGTH_MAX, counted, value, value_within};
use crate::model::{Class, ObjectKind};

/// Switches, with the sentence for on and for off.
const SWITCHES: &[(&str, &str, &str)] = &[
    ("greetings.enabled", "Visitors are greeted", "Visitors are no longer greeted"),
    (
        "features.dynamicRouting",
        "Conversations are routed by skill and load",
        "Conversations are no longer routed by skill and load",
    ),
    ("messenger.enabled", "The messenger appears", "The messenger disappears"),
    (
        "messenger.homeScreen.enabled",
        "The messenger opens with its home screen",
        "The messenger opens without a home screen",
    ),
    (
        "messenger.apps.conversations.enabled",
        "Visitors can start conversations",
        "Visitors can no longer start conversations",
    ),
    (
        "messenger.apps.knowledge.enabled",
        "Visitors can search the knowledge base",
        "Visitors can no longer search the knowledge base",
    ),
    (
        "messenger.apps.conversations.markdown.enabled",
        "Messages can have formatting",
        "Messages are shown as plain text",
    ),
    (
        "messenger.apps.conversations.autoStart.enabled",
        "A conversation begins as soon as the messenger is opened",
        "A conversation begins only when a visitor writes",
    ),
    (
        "messenger.apps.conversations.humanize.enabled",
        "Messages show who wrote them",
        "Messages no longer show who wrote them",
    ),
    (
        "messenger.apps.conversations.notifications.enabled",
        "Visitors are notified while they are elsewhere",
        "Visitors are no longer notified while they are elsewhere",
    ),
    (
        "messenger.fileUpload.enableAttachments",
        "Visitors can send files",
        "Visitors can no longer send files",
    ),
    ("supportCenter.enabled", "The support center appears", "The support center disappears"),
    ("headlessMode.enabled", "The site draws its own messenger", "The platform draws the messenger again"),
    (
        "cobrowse.enabled",
        "Visitors can share their screen with an agent",
        "Visitors can no longer share their screen with an agent",
    ),
    (
        "authenticationSettings.enabled",
        "Visitors are asked to sign in",
        "Visitors are no longer asked to sign in",
    ),
    ("allowAllDomains", "The messenger works on every site", "The messenger works only on the listed sites"),
];

/// Fields whose sentence does not show their values.
const PLAIN: &[(&str, &str)] = &[
    ("availability.", "Opening hours change"),
    ("features.audiences", "Who sees the widget changes"),
    ("allowedDomains", "The sites on which the messenger works change"),
    ("languages", "The languages of the messenger change"),
    ("defaultLanguage", "The messenger's default language changes"),
    ("messenger.launcherButton.icon", "The launcher gets another icon"),
    ("messenger.homeScreen.logoUrl", "The home screen gets another logo"),
    ("position.", "The messenger moves to another position on the page"),
    ("supportCenter.styleSetting", "The support center looks different"),
    ("supportCenter.", "The support center changes"),
    ("widget.theme.typography.fontFamily", "Text uses other fonts"),
    ("messenger.apps.", "The functions of the messenger change"),
    ("journeyEvents", "The recording of visitors' journeys changes"),
];

/// Fields that visitors do not notice.
const UNSEEN: &[&str] =
    &["widget.accessibility.contrastRatio", "widget.accessibility.wcagLevel", "description", "name"];

/// Returns what visitors will notice of the changes to one tenant, most severe first.
pub fn sentences(targets: &[TargetDocument]) -> Vec<Sentence> {
    // Visitors of a region see a replica that differs from git in another way than the primary.
    let seen = targets.iter().filter(|target| !is_as_primary(targets, target));
    let mut reported = OfRegions::default();
    let mut others = 0;
    for target in seen {
        let is_primary = target.role == "primary";
        let is_new = target.version.is_none() && !target.changes.is_empty();
        if is_new {
            let sentence = match &target.object {
                None => Sentence::new(Class::Reach, "Visitors get web messaging for the first time"),
                Some(object) => {
                    Sentence::new(Class::Reach, format!("New {}: ", object.kind)).value(&*object.name)
                }
            };
            reported.add(sentence, target);
            continue;
        }
        for change in &target.changes {
            // The changes of the configuration already explain the new version.
            if change.path == "configuration.version" && targets.iter().any(is_configuration) {
                continue;
            }
            match sentence(change) {
                Some(sentence) => reported.add(sentence, target),
                None if UNSEEN.iter().any(|path| change.path.starts_with(path)) => {}
                None if is_primary => others += 1,
                None => {}
            }
        }
    }
    let mut reported = reported.sentences();
    reported.sort_by_key(|sentence| std::cmp::Reverse(sentence.class));
    if others > 0 {
        let what = if reported.is_empty() { "setting" } else { "further setting" };
        let verb = if others == 1 { "changes" } else { "change" };
        reported.push(Sentence::new(Class::Behaviour, format!("{} {verb}", counted(others, what))));
    }
    if reported.is_empty() && targets.iter().any(|target| !target.changes.is_empty()) {
        reported.push(Sentence::new(Class::Cosmetic, "Visitors will notice nothing"));
    }
    reported
}

/// Sentences with the regions of their replicas; none if visitors of the primary also notice the change.
#[derive(Default)]
struct OfRegions<'a>(Vec<(Sentence, Option<Vec<&'a str>>)>);

impl<'a> OfRegions<'a> {
    fn add(&mut self, sentence: Sentence, target: &'a TargetDocument) {
        let of_primary = target.role == "primary";
        let at = self.0.iter().position(|(known, _)| *known == sentence);
        match at.and_then(|at| self.0.get_mut(at)) {
            None => self.0.push((sentence, (!of_primary).then(|| vec![target.region]))),
            Some((_, regions)) if of_primary => *regions = None,
            Some((_, Some(regions))) if !regions.contains(&target.region) => regions.push(target.region),
            Some((_, _)) => {}
        }
    }

    fn sentences(self) -> Vec<Sentence> {
        let of_regions = |(sentence, regions): (Sentence, Option<Vec<&str>>)| match regions {
            None => sentence,
            Some(regions) => sentence.words(format!(", in {}", and(&regions))),
        };
        self.0.into_iter().map(of_regions).collect()
    }
}

/// `a`, `a and b`, `a, b and c`.
fn and(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn is_configuration(target: &TargetDocument) -> bool {
    let kind = target.object.as_ref().and_then(|object| ObjectKind::from_name(object.kind));
    kind.is_some_and(ObjectKind::has_drafts) && !target.changes.is_empty()
}

fn sentence(change: &ChangeDocument) -> Option<Sentence> {
    let class = change.class;
    let (old, new) = (change.observed.as_ref(), change.desired.as_ref());
    let path = change.path.as_str();
    // Without a value the platform uses its own default, which genesync does not know.
    let is_default = matches!(new, None | Some(Value::Null));
    if is_default
        && (SWITCHES.iter().any(|(known, ..)| *known == path) || path.starts_with("features.flags."))
    {
        let sentence =
            Sentence::new(class, "The switch ").value(path).words(" returns to the platform's default");
        return Some(sentence);
    }
    if let Some((_, on, off)) = SWITCHES.iter().find(|(known, ..)| *known == path) {
        let is_on = new.and_then(Value::as_bool).unwrap_or(false);
        return Some(Sentence::new(class, if is_on { *on } else { *off }));
    }
    if let Some(flag) = path.strip_prefix("features.flags.") {
        let is_on = new.and_then(Value::as_bool).unwrap_or(false);
        let words = if is_on { " is switched on" } else { " is switched off" };
        return Some(Sentence::new(class, "The feature ").value(flag).words(words));
    }
    match path {
        "greetings.messages" => return Some(greeting(class, old, new)),
        "greetings.delayMs" => {
            return Some(from_to(class, "The delay of the greeting changes", old, new, " ms"));
        }
        "widget.theme.colors.primary" | "messenger.styles.primaryColor" => {
            return Some(from_to(class, "The widget's colour changes", old, new, ""));
        }
        "widget.theme.colors.background" => {
            return Some(from_to(class, "The widget's background changes", old, new, ""));
        }
        "widget.theme.typography.fontSize" => {
            return Some(from_to(class, "The text size changes", old, new, ""));
        }
        "widget.accessibility.ariaLiveRegion" => {
            return Some(from_to(class, "Screen readers announce new messages differently", old, new, ""));
        }
        "messenger.launcherButton.visibility" => return Some(launcher(class, new)),
        "messenger.launcherButton.displayType" => {
            return Some(from_to(class, "The content of the launcher changes", old, new, ""));
        }
        "customI18nLabels" => return Some(labels(class, old, new)),
        "status" => {
            let words = match new.and_then(Value::as_str) {
                Some("Active") => "The deployment is switched on",
                _ => "The deployment is switched off: visitors of its sites cannot use it",
            };
            return Some(Sentence::new(class, words));
        }
        "configuration.version" => {
            return Some(from_to(class, "Visitors get another version", old, new, ""));
        }
        _ => {}
    }
    let (_, words) = PLAIN.iter().find(|(known, _)| path.starts_with(known))?;
    Some(Sentence::new(class, *words))
}

/// Returns a value as readable text: a string without quotes.
fn read(value_of: Option<&Value>) -> String {
    match value_of {
        Some(Value::String(text)) => {
            let shown = value_within(Some(&Value::from(text.as_str())), REVIEWED_LENGTH_MAX);
            shown.trim_matches('"').to_owned()
        }
        other => value(other),
    }
}

fn from_to(class: Class, words: &str, old: Option<&Value>, new: Option<&Value>, unit: &str) -> Sentence {
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "the platform's default".to_owned(),
        some => format!("{}{unit}", read(some)),
    };
    Sentence::new(class, format!("{words}: ")).value(shown(old)).words(" becomes ").value(shown(new))
}

fn greeting(class: Class, old: Option<&Value>, new: Option<&Value>) -> Sentence {
    let list = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.map(|text| read(Some(text))).collect()
    };
    let (old, new) = (list(old), list(new));
    let gone: Vec<&String> = old.iter().filter(|text| !new.contains(text)).collect();
    let come: Vec<&String> = new.iter().filter(|text| !old.contains(text)).collect();
    match (gone.as_slice(), come.as_slice()) {
        _ if new.is_empty() => Sentence::new(class, "The greeting is removed"),
        ([old], [new]) => {
            Sentence::new(class, "The greeting changes: ").value(*old).words(" becomes ").value(*new)
        }
        ([], [new]) => Sentence::new(class, "Visitors are greeted with one more message: ").value(*new),
        ([old], []) => Sentence::new(class, "A message of the greeting is removed: ").value(*old),
        ([], []) => Sentence::new(class, "The messages of the greeting change their order"),
        _ => Sentence::new(class, format!("The greeting changes: {}", counted(come.len(), "new message"))),
    }
}

fn launcher(class: Class, new: Option<&Value>) -> Sentence {
    let words = match new.and_then(Value::as_str) {
        Some("Off") => "The launcher disappears",
        Some("OnDemand") => "The launcher appears only when the site requests it",
        _ => "The launcher is always visible",
    };
    Sentence::new(class, words)
}

/// Returns the sentence with the languages whose texts differ.
fn labels(class: Class, old: Option<&Value>, new: Option<&Value>) -> Sentence {
    let of = |value: Option<&Value>| -> Vec<(String, Value)> {
        let entries = value.and_then(Value::as_array).into_iter().flatten();
        let language =
            |entry: &Value| entry.get("language").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        entries
            .map(|entry| (language(entry), entry.get("localizedLabels").cloned().unwrap_or_default()))
            .collect()
    };
    let (old, new) = (of(old), of(new));
    let mut moved: Vec<&str> = old
        .iter()
        .filter(|entry| !new.contains(entry))
        .chain(new.iter().filter(|entry| !old.contains(entry)))
        .map(|(language, _)| language.as_str())
        .collect();
    moved.sort_unstable();
    moved.dedup();
    let more = moved.len().saturating_sub(8);
    let shown = moved.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let sentence = Sentence::new(class, "Texts change in ").value(read(Some(&shown.into())));
    if more > 0 { sentence.words(format!(" and {more} more languages")) } else { sentence }
}
