//! An edit by a person, in the JSON form of the control surface and of faults.
//!
//! In: a JSON object with `actor`, and either `patch` or parts of a [`CloudEdit`]. Out: a [`WrittenEdit`].
//! Never: performs the edit, or reads the parts.

use crate::emulator::actor::Actor;
use crate::emulator::cloud::edit::CloudEdit;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// An edit and its actor.
#[derive(Clone, Debug)]
pub(super) struct WrittenEdit {
    pub actor: Actor,
    pub edit: Edit,
}

/// The content of an edit.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// A JSON merge patch (RFC 7396) of the `webchat` API's configuration.
    Patch(Map<String, Value>),
    /// Objects of the cloud API.
    Cloud(Box<CloudEdit>),
}

impl TryFrom<Map<String, Value>> for WrittenEdit {
    type Error = String;

    fn try_from(mut fields: Map<String, Value>) -> Result<WrittenEdit, String> {
        let actor = take(&mut fields, "actor")?;
        let patch: Option<Map<String, Value>> = match fields.contains_key("patch") {
            true => take(&mut fields, "patch")?,
            false => None,
        };
        let parts: CloudEdit = parse(Value::Object(fields))?;
        let edit = match patch {
            Some(patch) if parts.is_empty() => Edit::Patch(patch),
            None if !parts.is_empty() => Edit::Cloud(Box::new(parts)),
            _ => return Err("an edit must have either a `patch` or parts of the cloud API".to_owned()),
        };
        Ok(WrittenEdit { actor, edit })
    }
}

impl From<WrittenEdit> for Map<String, Value> {
    fn from(written: WrittenEdit) -> Map<String, Value> {
        let mut fields = Map::from_iter([("actor".to_owned(), json!(written.actor))]);
        match written.edit {
            Edit::Patch(patch) => {
                fields.insert("patch".to_owned(), Value::Object(patch));
            }
            Edit::Cloud(parts) => fields.extend(members(&parts)),
        }
        fields
    }
}

/// Removes a field from an object and parses it.
pub(super) fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<T, String> {
    let value = fields.shift_remove(name).ok_or_else(|| format!("missing field `{name}`"))?;
    parse(value).map_err(|error| format!("{name}: {error}"))
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn members(parts: &impl Serialize) -> Map<String, Value> {
    match json!(parts) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
