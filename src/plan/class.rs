//! Classifies a change by its effect on visitors.
//!
//! In: an object before and after, and one of its fields. Out: the [`Class`] of the change, and the
//! [`Protect`] that it violates. The author of the change has no influence. Start reading at [`class_of`];
//! `model/kind/rows.rs` has the table of fields that switch something off.

use serde_json::{Map, Value};

use super::canonical;
use crate::model::hours::Week;
use crate::model::kind::Off;
use crate::model::{Class, Fields, ObjectKind, Protect, json};

/// Fewer open hours than one in this many of the earlier ones count as switched off.
const HARDLY_OPEN: usize = 20;
/// The section of the opening hours.
const HOURS: &str = "availability";

/// An object before and after a change.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The body before.
    pub before: &'a Map<String, Value>,
    /// The body after.
    pub after: &'a Map<String, Value>,
}

impl<'a> Step<'a> {
    fn values(self, path: &str) -> [Option<&'a Value>; 2] {
        [self.before, self.after].map(|body| json::at_dotted(body, path).filter(|value| !value.is_null()))
    }
}

/// Returns the class of a field of a new object; it cannot switch anything off.
pub fn class_of_new(kind: ObjectKind, path: &str) -> Class {
    let classes = kind.fields().classes;
    classes.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(Class::Behaviour, |(_, class)| *class)
}

/// Returns the class of a change to one field.
pub fn class_of(step: Step<'_>, path: &str) -> Class {
    let Fields { off, .. } = step.kind.fields();
    let of_field = |(field, _): &&(&str, Off)| json::lies_in(path, field);
    if off.iter().filter(of_field).any(|(field, when)| is_off(step, field, *when)) {
        return Class::Off;
    }
    class_of_new(step.kind, path)
}

/// Returns the loss for visitors by a change to one field; none if there is no loss that a guard can protect.
pub fn loss_of(step: Step<'_>, path: &str) -> Option<Protect> {
    if class_of(step, path) == Class::Off {
        return Some(Protect::Off);
    }
    let Fields { reach, domains, .. } = step.kind.fields();
    if domains.is_some_and(|(all, list)| [all, list].contains(&path) && loses_sites(step, all, list)) {
        return Some(Protect::Domains);
    }
    let hours = json::lies_in(path, HOURS) && Week::of(step.before).loses_to(&Week::of(step.after));
    let fewer = reach.contains(&path) && loses_items(step, path);
    (hours || fewer).then_some(Protect::Reach)
}

fn is_off(step: Step<'_>, field: &str, when: Off) -> bool {
    let [before, after] = step.values(field);
    // An absent switch has the platform's default.
    let on = |value: Option<&Value>| match canonical::value(step.kind, field, value) {
        Value::Bool(on) => on,
        Value::String(word) => matches!(word.as_str(), "Active" | "Enabled"),
        _ => false,
    };
    let is = |value: Option<&Value>, word: &str| value.and_then(Value::as_str) == Some(word);
    let is_there = |value: Option<&Value>| match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    };
    match when {
        Off::WhenUnset => on(before) && !on(after),
        Off::WhenSet => !on(before) && on(after),
        Off::WhenIs(word) => !is(before, word) && is(after, word),
        Off::WhenGone => is_there(before) && !is_there(after),
        Off::WhenHardlyOpen => {
            let (before, after) = (Week::of(step.before).open_min(), Week::of(step.after).open_min());
            before > 0 && after * HARDLY_OPEN < before
        }
    }
}

/// Returns whether a list loses an item. An empty list may mean every visitor or no visitor, depending on the
/// field.
fn loses_items(step: Step<'_>, path: &str) -> bool {
    let [before, after] = step.values(path).map(|value| canonical::value(step.kind, path, value));
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, after) = (items(&before), items(&after));
    match (before.is_empty(), after.is_empty()) {
        (true, true) => false,
        // The list may change from every visitor to some. If it meant no visitor, nothing is lost.
        (true, false) => path == "features.audiences",
        (false, _) => before.iter().any(|item| !after.contains(item)),
    }
}

/// Returns whether a site loses the permission to show the messenger.
fn loses_sites(step: Step<'_>, all: &str, list: &str) -> bool {
    let everywhere = step.values(all).map(|value| value == Some(&Value::Bool(true)));
    match everywhere {
        [_, true] => false,
        [true, false] => true,
        [false, false] => loses_items(step, list),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(path: &str, value: &Value) -> Map<String, Value> {
        let nest = |inner: Value, key: &str| json!({ key: inner });
        path.rsplit('.').fold(value.clone(), nest).as_object().cloned().unwrap()
    }

    type Row = (ObjectKind, &'static str, Value, Value, Class, Option<Protect>);

    fn check(rows: impl IntoIterator<Item = Row>) {
        for (kind, path, from, to, class, loss) in rows {
            let (before, after) = (nested(path, &from), nested(path, &to));
            let step = Step { kind, before: &before, after: &after };
            assert_eq!((class_of(step, path), loss_of(step, path)), (class, loss), "{path} {from} -> {to}");
        }
    }

    #[test]
    fn the_class_of_a_field_depends_on_its_kind_and_direction() {
        use Class::{Behaviour, Cosmetic, Off, Reach};
        use ObjectKind::{MessengerConfiguration, WebMessaging};
        let launcher = "messenger.launcherButton.visibility";
        let (conversations, greeting) = ("messenger.apps.conversations.enabled", "greetings.enabled");
        let lost = |what: Protect| Some(what);
        check([
            (WebMessaging, greeting, json!(true), json!(false), Off, lost(Protect::Off)),
            (WebMessaging, greeting, json!(false), json!(true), Behaviour, None),
            (WebMessaging, "greetings.messages", json!(["a"]), json!([]), Off, lost(Protect::Off)),
            // Minor switches.
            (WebMessaging, "features.dynamicRouting", json!(true), json!(false), Behaviour, None),
            (WebMessaging, "features.flags.fileUpload", json!(true), json!(false), Behaviour, None),
            (WebMessaging, "widget.theme.colors.primary", json!("#000000"), json!("#FFFFFF"), Cosmetic, None),
            (
                WebMessaging,
                "features.audiences",
                json!(["a", "b"]),
                json!(["b"]),
                Reach,
                lost(Protect::Reach),
            ),
            (WebMessaging, "features.audiences", json!(["b"]), json!(["a", "b"]), Reach, None),
            (MessengerConfiguration, "messenger.enabled", json!(true), json!(false), Off, lost(Protect::Off)),
            (MessengerConfiguration, "messenger.enabled", json!(false), json!(true), Behaviour, None),
            (MessengerConfiguration, launcher, json!("On"), json!("Off"), Off, lost(Protect::Off)),
            (MessengerConfiguration, launcher, json!("Off"), json!("OnDemand"), Behaviour, None),
            (MessengerConfiguration, conversations, json!(true), json!(false), Off, lost(Protect::Off)),
            (
                MessengerConfiguration,
                "headlessMode.enabled",
                json!(false),
                json!(true),
                Off,
                lost(Protect::Off),
            ),
            (MessengerConfiguration, "headlessMode.enabled", json!(true), json!(false), Behaviour, None),
            (MessengerConfiguration, "cobrowse.enabled", json!(true), json!(false), Behaviour, None),
            (
                MessengerConfiguration,
                "languages",
                json!(["en", "de"]),
                json!(["de"]),
                Reach,
                lost(Protect::Reach),
            ),
        ]);
    }

    #[test]
    fn the_loss_of_a_deployment_and_a_profile_depends_on_direction() {
        use Class::{Behaviour, Off, Reach};
        use ObjectKind::{MessagingSetting, MessengerDeployment, SupportedContent};
        let (inbound, domains) = ("mediaTypes.allow.inbound", "allowedDomains");
        let lost = |what: Protect| Some(what);
        check([
            (SupportedContent, inbound, json!([1, 2]), json!([1]), Reach, lost(Protect::Reach)),
            (SupportedContent, inbound, json!([1]), json!([1, 2]), Reach, None),
            (
                MessagingSetting,
                "event.typing.on.inbound",
                json!("Enabled"),
                json!("Disabled"),
                Behaviour,
                None,
            ),
            (MessengerDeployment, "status", json!("Active"), json!("Inactive"), Off, lost(Protect::Off)),
            (MessengerDeployment, "status", json!("Inactive"), json!("Active"), Reach, None),
            (MessengerDeployment, "flow", json!({"id": "f"}), Value::Null, Off, lost(Protect::Off)),
            (MessengerDeployment, "flow.id", json!("f"), json!("g"), Behaviour, None),
            (
                MessengerDeployment,
                domains,
                json!(["a.example", "b.example"]),
                json!(["a.example"]),
                Reach,
                lost(Protect::Domains),
            ),
            (
                MessengerDeployment,
                domains,
                json!(["a.example"]),
                json!(["a.example", "b.example"]),
                Reach,
                None,
            ),
            (
                MessengerDeployment,
                "allowAllDomains",
                json!(true),
                json!(false),
                Reach,
                lost(Protect::Domains),
            ),
            (MessengerDeployment, "allowAllDomains", json!(false), json!(true), Reach, None),
            // The class of a field depends on its kind, even if another kind has a field of the same name.
            (MessengerDeployment, "greetings.messages", json!(["a"]), json!([]), Behaviour, None),
        ]);
    }

    #[test]
    fn fewer_hours_are_a_loss_and_hardly_any_hours_are_off() {
        let always = || json!({"availability": {"schedule": "always"}});
        let on = |days: &[&str], from: &str, to: &str| {
            let rule = |day: &&str| json!({"dayOfWeek": day, "startTime": from, "endTime": to});
            json!({"availability": {"schedule": "custom", "rules": days.iter().map(rule).collect::<Vec<_>>()}})
        };
        let week = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"];
        let rows = [
            (always(), on(&week, "09:00", "17:00"), Class::Reach, Some(Protect::Reach)),
            (on(&week, "09:00", "17:00"), always(), Class::Reach, None),
            (on(&week, "09:00", "17:00"), on(&week, "08:00", "18:00"), Class::Reach, None),
            // Shifted by an hour: the duration is the same, but one hour is lost.
            (on(&week, "09:00", "17:00"), on(&week, "10:00", "18:00"), Class::Reach, Some(Protect::Reach)),
            (always(), on(&["MONDAY"], "09:00", "10:00"), Class::Off, Some(Protect::Off)),
            (on(&week, "09:00", "17:00"), on(&[], "", ""), Class::Off, Some(Protect::Off)),
            (on(&[], "", ""), on(&["MONDAY"], "09:00", "10:00"), Class::Reach, None),
        ];
        for (from, to, class, loss) in rows {
            let step = Step {
                kind: ObjectKind::WebMessaging,
                before: from.as_object().unwrap(),
                after: to.as_object().unwrap(),
            };
            let path = "availability.rules";
            assert_eq!((class_of(step, path), loss_of(step, path)), (class, loss), "{from} -> {to}");
        }
    }
}
