//! The actor of a change: a person or a client of the API.
//!
//! In: a name, or `{id, name, type}` as a world file or a control call gives it.
//! Out: [`Actor`], as configurations and audit records carry it.
//! Never: decides what an actor may do; `oauth` does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kind of an actor: a person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person who uses the platform's own screens.
    User,
    /// A client of the API.
    Client,
}

/// The person or the client that made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Actor {
    /// The platform's id.
    pub id: String,
    /// The name shown to people.
    pub name: String,
    /// A person or a client; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: ActorKind,
}

/// The origin of a change.
#[derive(Clone, Debug)]
pub(super) struct CallOrigin {
    pub actor: Actor,
    pub remote_ip: String,
    pub request_id: String,
    pub at: Timestamp,
}

impl Actor {
    /// Returns a person with an id made from the name.
    pub fn user(name: &str) -> Actor {
        Actor { id: format!("user-{name}"), name: name.to_owned(), kind: ActorKind::User }
    }

    /// Returns a client of the API.
    pub fn client(id: &str, name: &str) -> Actor {
        Actor { id: id.to_owned(), name: name.to_owned(), kind: ActorKind::Client }
    }
}

impl TryFrom<Value> for Actor {
    type Error = String;

    fn try_from(value: Value) -> Result<Actor, String> {
        let fields = match value {
            Value::String(name) => return Ok(Actor::user(&name)),
            Value::Object(fields) => fields,
            _ => return Err("an actor is a name or `{\"id\", \"name\", \"type\"}`".to_owned()),
        };
        let (mut id, mut name, mut kind) = (None, None, ActorKind::User);
        for (field, value) in fields {
            match (field.as_str(), value) {
                ("id", Value::String(text)) => id = Some(text),
                ("name", Value::String(text)) => name = Some(text),
                ("type", Value::String(text)) if text == "user" => kind = ActorKind::User,
                ("type", Value::String(text)) if text == "client" => kind = ActorKind::Client,
                ("id" | "name" | "type", _) => return Err(format!("wrong value for an actor's `{field}`")),
                _ => return Err(format!("unknown field `{field}` in an actor")),
            }
        }
        match (id, name) {
            (Some(id), Some(name)) => Ok(Actor { id, name, kind }),
            (Some(id), None) => Ok(Actor { name: id.clone(), id, kind }),
            (None, Some(name)) => Ok(Actor { id: Actor::user(&name).id, name, kind }),
            (None, None) => Err("an actor needs a `name` or an `id`".to_owned()),
        }
    }
}
