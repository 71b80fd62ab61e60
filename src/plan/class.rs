//! What a change does to visitors.

use serde_json::Value;

use super::canonical;
use crate::model::Class;

/// Field prefixes and what changing them does.
const CLASSES: &[(&str, Class)] = &[
    ("widget.theme.", Class::Cosmetic),
    ("widget.accessibility.contrastRatio", Class::Cosmetic),
    ("greetings.messages", Class::Text),
    ("features.audiences", Class::Reach),
    ("availability.", Class::Reach),
    ("messenger.styles.", Class::Cosmetic),
    ("messenger.homeScreen.logoUrl", Class::Cosmetic),
    ("position.", Class::Cosmetic),
    ("supportCenter.styleSetting.", Class::Cosmetic),
    ("customI18nLabels", Class::Text),
    ("supportCenter.customMessages", Class::Text),
    ("allowedDomains", Class::Reach),
    ("allowAllDomains", Class::Reach),
    ("languages", Class::Reach),
    ("status", Class::Reach),
];

/// Switches that take something from visitors when they go from on to off.
const SWITCHES: &[&str] = &["greetings.enabled", "features.flags.", "features.dynamicRouting"];

/// The class of one field's change.
pub fn class_of(path: &str, observed: Option<&Value>, desired: Option<&Value>) -> Class {
    let switch = SWITCHES.iter().any(|prefix| path.starts_with(prefix)) || path.ends_with(".enabled");
    // An absent switch stands as the platform's default.
    let on = |value: Option<&Value>| canonical::value(path, value) == Value::Bool(true);
    let emptied = |value: Option<&Value>| {
        matches!(value, None | Some(Value::Null))
            || value.and_then(Value::as_array).is_some_and(Vec::is_empty)
    };
    if switch && on(observed) && !on(desired) {
        return Class::Off;
    }
    // A deployment that is inactive is served to nobody.
    if path == "status" && observed.and_then(Value::as_str) == Some("Active") {
        return Class::Off;
    }
    if path == "greetings.messages" && !emptied(observed) && emptied(desired) {
        return Class::Off;
    }
    CLASSES.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(Class::Behaviour, |(_, class)| *class)
}
