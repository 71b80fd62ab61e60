//! The two kinds of profiles, and all their differences.
//!
//! In: bodies of requests, of the world file and of people's edits. Out: the stored body, and the invalid
//! fields. Never: reads an organization. Start reading at [`Rules`].

use crate::emulator::cloud::Object;
use crate::emulator::cloud::error::{Detail, invalid};
use crate::emulator::cloud::ids::Kind;
use crate::emulator::cloud::shape::Shape::{self, Choice, Fields, List, Media, Needed, Text};
use crate::emulator::cloud::shape::violations;
use crate::emulator::error::ApiError;
use crate::emulator::tree;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A kind of profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProfileKind {
    /// Supported content: the media that messages can contain.
    #[serde(rename = "supportedContent")]
    Content,
    /// A messaging setting: the enabled events and stories.
    #[serde(rename = "messagingSetting")]
    Setting,
}

/// All kinds, in the order of listings.
pub(crate) const KINDS: &[ProfileKind] = &[ProfileKind::Content, ProfileKind::Setting];

/// The differences between the kinds.
pub(crate) struct Rules {
    /// The audit trail's name of the kind.
    pub entity_type: &'static str,
    /// The field of a deployment or an integration that refers to a profile.
    pub reference: &'static str,
    /// The name of the list in the world file and in the state.
    pub listed: &'static str,
    /// The path of the listing.
    pub path: &'static str,
    /// The kind of its ids.
    pub ids: Kind,
    /// The field with the actor of the last change.
    pub changed_by: &'static str,
    /// Whether the version is a number in a text.
    pub version_is_text: bool,
    /// The field with the id of the new default.
    pub default_id: &'static str,
    /// Whether deployments also refer to it.
    pub on_deployments: bool,
    /// The fields of an expanded reference.
    pub expanded: &'static [(&'static str, &'static str)],
    created: &'static Shape,
    changed: &'static Shape,
    complete: fn(&mut Object),
    merged: fn(&mut Object, Object),
}

const CONTENT: Rules = Rules {
    entity_type: "SupportedContent",
    reference: "supportedContent",
    listed: "supportedContent",
    path: "/api/v2/conversations/messaging/supportedcontent",
    ids: Kind::Content,
    changed_by: "modifiedBy",
    version_is_text: false,
    default_id: "id",
    on_deployments: true,
    expanded: &[("mediaTypes", "mediaTypes")],
    created: &CONTENT_BODY,
    // The API uses one type for creation and change.
    changed: &CONTENT_BODY,
    complete: name_both_directions,
    merged: replace_fields,
};

const SETTING: Rules = Rules {
    entity_type: "MessagingSetting",
    reference: "messagingSetting",
    listed: "messagingSettings",
    path: "/api/v2/conversations/messaging/settings",
    ids: Kind::Setting,
    changed_by: "updatedBy",
    version_is_text: true,
    default_id: "settingId",
    on_deployments: false,
    expanded: &[],
    created: &SETTING_BODY,
    changed: &SETTING_CHANGE,
    complete: disable_the_rest,
    merged: merge_deeply,
};

const ALLOWED: Shape = List(&Fields(&[("type", Needed(&Media))]));
const MEDIA_TYPES: Shape = Fields(&[("allow", Fields(&[("inbound", ALLOWED), ("outbound", ALLOWED)]))]);

/// The body that creates or changes a supported content profile.
const CONTENT_BODY: Shape = Fields(&[("name", Needed(&Text)), ("mediaTypes", MEDIA_TYPES)]);

const ABLE: Shape = Choice(&["Enabled", "Disabled"]);
const INBOUND: Shape = Fields(&[("inbound", ABLE)]);
const STORIES: Shape = Fields(&[("story", Fields(&[("mention", INBOUND), ("reply", INBOUND)]))]);
const EVENTS: Shape =
    Fields(&[("typing", Fields(&[("on", Fields(&[("inbound", ABLE), ("outbound", ABLE)]))]))]);

/// The body that creates a messaging setting.
const SETTING_BODY: Shape = Fields(&[("name", Needed(&Text)), ("content", STORIES), ("event", EVENTS)]);

/// The body that changes a messaging setting.
const SETTING_CHANGE: Shape = Fields(&[("name", Text), ("content", STORIES), ("event", EVENTS)]);

/// The fields that the platform sets and ignores in requests.
const OWN: &[&str] =
    &["id", "version", "dateCreated", "dateModified", "createdBy", "modifiedBy", "updatedBy", "selfUri"];

impl ProfileKind {
    /// Returns the rules of the kind.
    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            ProfileKind::Content => &CONTENT,
            ProfileKind::Setting => &SETTING,
        }
    }

    /// Refuses a body that the platform does not accept.
    pub(in crate::emulator) fn check(self, body: &Object, is_change: bool) -> Result<(), ApiError> {
        let rules = self.rules();
        let mut wrong = violations(body, if is_change { rules.changed } else { rules.created });
        if body.get("name").and_then(Value::as_str) == Some("") {
            wrong.push(Detail::new("name", "must not be empty"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(invalid(&wrong)) }
    }

    /// Returns the id of the new default in a body.
    pub(in crate::emulator) fn default_of(self, body: &Object) -> Result<&str, ApiError> {
        let field = self.rules().default_id;
        let id = body.get(field).and_then(Value::as_str);
        id.ok_or_else(|| invalid(&[Detail::new(field, "is required and must be a string")]))
    }

    /// Applies the body of a PATCH.
    pub(crate) fn merged(self, mut body: Object, patch: Object) -> Object {
        (self.rules().merged)(&mut body, without_nulls(patch));
        body
    }

    /// Returns the stored form of a body: without the platform's own fields, and with all fields that it
    /// always shows.
    pub(crate) fn complete(self, body: Object) -> Object {
        let mut body = without_nulls(body);
        body.retain(|name, _| !OWN.contains(&name.as_str()));
        (self.rules().complete)(&mut body);
        body
    }

    /// Adds the defaults of the world file: a profile without media types allows images.
    pub(crate) fn seeded(self, mut body: Object) -> Object {
        if self == ProfileKind::Content && !body.contains_key("mediaTypes") {
            let images = json!([{"type": "image/*"}]);
            body.insert("mediaTypes".to_owned(), json!({"allow": {"inbound": images, "outbound": images}}));
        }
        body
    }
}

/// Removes `null`, which means absent, at any depth.
fn without_nulls(body: Object) -> Object {
    let kept = body.into_iter().filter(|(_, value)| !value.is_null());
    let deep = kept.map(|(name, value)| match value {
        Value::Object(inner) => (name, Value::Object(without_nulls(inner))),
        other => (name, other),
    });
    deep.collect()
}

/// Adds an empty list of media, which blocks everything, for each direction without a list.
fn name_both_directions(body: &mut Object) {
    let given = body.get("mediaTypes").and_then(|types| types.get("allow"));
    let given = given.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut allow = Map::from_iter(["inbound", "outbound"].map(|name| (name.to_owned(), json!([]))));
    allow.extend(given);
    let mut types = match body.shift_remove("mediaTypes") {
        Some(Value::Object(types)) => types,
        _ => Map::new(),
    };
    types.insert("allow".to_owned(), Value::Object(allow));
    body.insert("mediaTypes".to_owned(), Value::Object(types));
}

fn replace_fields(body: &mut Object, patch: Object) {
    body.extend(patch);
}

/// Adds `Disabled` for each event and story that the body does not set.
fn disable_the_rest(body: &mut Object) {
    let off = || json!({"inbound": "Disabled"});
    let usual = json!({
        "content": {"story": {"mention": off(), "reply": off()}},
        "event": {"typing": {"on": {"inbound": "Disabled", "outbound": "Disabled"}}},
    });
    let mut whole = usual.as_object().cloned().unwrap_or_default();
    tree::merge(&mut whole, body);
    // The given fields keep their order.
    for (name, value) in whole {
        body.insert(name, value);
    }
}

fn merge_deeply(body: &mut Object, patch: Object) {
    tree::merge(body, &patch);
}
