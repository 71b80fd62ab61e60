//! The kinds that integrations and deployments refer to, in a universe: two profiles that are created before
//! their users, and defaults, of which only the content shows a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesync::model::{Desired, Object, ObjectKind, ObjectRef, Record, Resource, Write};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cloud::State;
use super::{Universe, client};

const MEDIA: &str = "media";
const TYPING: &str = "typing";
/// The profile that Mara makes the default: it exists from the start.
const HERS: &str = "hers";

/// Returns the other content of every organization.
pub fn seeded() -> Value {
    json!([{ "name": HERS }])
}

fn object(kind: ObjectKind) -> Object {
    let name = match kind {
        ObjectKind::SupportedContent => MEDIA,
        ObjectKind::MessagingSetting => TYPING,
        _ => "",
    };
    Object { kind, name: name.into() }
}

fn media(value: u64) -> Value {
    json!([{"type": format!("image/x-{value}")}])
}

fn typing(value: u64) -> &'static str {
    if value.is_multiple_of(2) { "Enabled" } else { "Disabled" }
}

/// Returns what git says of them at one of its values.
pub fn resources(value: u64) -> Vec<Resource> {
    let wanted = |kind, body: Value| {
        let body = Arc::new(body.as_object().cloned().unwrap());
        let desired = Desired { body, exclusive: false, ignored: BTreeSet::new() };
        Resource { object: object(kind), desired, before: None, secret: None }
    };
    let allow = json!({"inbound": media(value), "outbound": []});
    let direction = json!({ "inbound": typing(value) });
    vec![
        wanted(ObjectKind::SupportedContent, json!({"mediaTypes": {"allow": allow}})),
        wanted(ObjectKind::MessagingSetting, json!({"event": {"typing": {"on": direction}}})),
        wanted(
            ObjectKind::MessagingDefaults,
            json!({"supportedContent": {"name": MEDIA}, "messagingSetting": {"name": TYPING}}),
        ),
    ]
}

impl State {
    fn profile(&self, kind: ObjectKind) -> Option<&Value> {
        let list = match kind {
            ObjectKind::SupportedContent => "supportedContent",
            _ => "messagingSettings",
        };
        self.0[list].as_array()?.iter().find(|profile| profile["name"] == *object(kind).name)
    }

    /// Returns a list in which two objects have one name.
    pub fn doubled_profiles(&self) -> Option<&'static str> {
        [("supportedContent", MEDIA), ("messagingSettings", TYPING)].into_iter().find_map(|(list, name)| {
            let named = self.0[list].as_array()?.iter().filter(|profile| profile["name"] == name);
            (named.count() > 1).then_some(list)
        })
    }

    /// Returns the writes of the profiles, with their authors.
    pub fn made_of_profiles(&self) -> Vec<(ObjectRef, u64, &str)> {
        let of_record = |record: &'_ Value| {
            let kind = match record["entityType"].as_str()? {
                "SupportedContent" => ObjectKind::SupportedContent,
                "MessagingSetting" => ObjectKind::MessagingSetting,
                _ => return None,
            };
            let at: Timestamp = record["eventDate"].as_str()?.parse().ok()?;
            Some((kind, at.as_millisecond().unsigned_abs()))
        };
        let records = self.0["audit"].as_array().into_iter().flatten();
        let made = records.filter(|record| record["entity"]["name"] != HERS).filter_map(|record| {
            let (kind, version) = of_record(record)?;
            let organization = genesync::model::OrganizationId::new("");
            let object = ObjectRef::new(organization, object(kind));
            Some((object, version, record["client"]["id"].as_str().unwrap_or("another user")))
        });
        made.collect()
    }

    /// Returns the author of each change of a default.
    fn defaults_by(&self) -> Vec<&str> {
        let records = self.0["audit"].as_array().into_iter().flatten();
        let of_defaults = records.filter(|record| record["entityType"] == "MessagingDefaults");
        of_defaults.map(|record| record["client"]["id"].as_str().unwrap_or("another user")).collect()
    }
}

/// Returns a forbidden effect of a write of one of them.
pub fn misstep(state: &State, write: &Write) -> Option<&'static str> {
    let kind = write.target.object.kind;
    let doubled = write.id.is_none() && state.profile(kind).is_some();
    doubled.then_some("it makes a second profile of one name")
}

impl Universe {
    /// Returns an edit of managed fields of the profiles.
    pub(super) fn meddles_with_profiles(&mut self, value: u64) -> Value {
        match self.people.below(3) {
            0 => {
                let allow = json!({"inbound": media(5_000 + value), "outbound": []});
                json!({"supportedContent": {"supportedContent": MEDIA, "patch": {"mediaTypes": {"allow": allow}}}})
            }
            1 => {
                let direction = json!({ "inbound": typing(value) });
                json!({"messagingSetting": {"messagingSetting": TYPING, "patch": {"event": {"typing": {"on": direction}}}}})
            }
            _ => json!({"default": {"supportedContent": HERS}}),
        }
    }

    /// Demands that the profiles and the defaults equal git.
    pub(super) fn demand_profiles(&self) -> Result<(), String> {
        let git: BTreeMap<ObjectKind, &Resource> =
            self.git.1.iter().map(|resource| (resource.object.kind, resource)).collect();
        let Some(content) = git.get(&ObjectKind::SupportedContent) else { return Ok(()) };
        let Some(setting) = git.get(&ObjectKind::MessagingSetting) else { return Ok(()) };
        for target in self.tenant.targets() {
            let state = self.state(target.organization.as_str());
            let media = state.profile(ObjectKind::SupportedContent).cloned().unwrap_or_default();
            let typing = state.profile(ObjectKind::MessagingSetting).cloned().unwrap_or_default();
            let is_default = |field: &str, profile: &Value| {
                !profile["id"].is_null() && state.0["defaults"][field] == profile["id"]
            };
            let as_git_says = media["mediaTypes"]["allow"]["inbound"]
                == content.desired.body["mediaTypes"]["allow"]["inbound"]
                && typing["event"]["typing"]["on"]["inbound"]
                    == setting.desired.body["event"]["typing"]["on"]["inbound"]
                && is_default("supportedContent", &media)
                && is_default("messagingSetting", &typing);
            if !as_git_says {
                return self.fail(format!(
                    "{} holds {media}, {typing}, {}",
                    target.organization, state.0["defaults"]
                ));
            }
        }
        Ok(())
    }

    /// Demands that every default that we set has a receipt, and that each receipt belongs to one. This can
    /// be checked only if no other user set a default.
    pub(super) fn demand_receipts_of_defaults(&self) -> Result<(), String> {
        for target in self.tenant.targets() {
            let state = self.state(target.organization.as_str());
            let setters = state.defaults_by();
            let ours = client(&target.organization);
            if setters.iter().any(|setter| *setter != ours) {
                continue;
            }
            let object = target.of(object(ObjectKind::MessagingDefaults)).object_ref();
            let of_record = |record: &Record| match record {
                Record::Resolved { receipts, .. } => {
                    receipts.iter().filter(|receipt| receipt.target.object_ref() == object).count()
                }
                _ => 0,
            };
            let receipts: usize = self.records.iter().map(of_record).sum();
            if receipts != setters.len() && !self.stale_ever {
                let set = setters.len();
                return self.fail(format!("{object}: {set} times set by us, with {receipts} receipts"));
            }
        }
        Ok(())
    }
}
