//! The cloud API of the emulated platform: the web deployments of each organization and the objects that they
//! refer to.
//!
//! In: requests that `route` knows, with the token that determines the organization; people's edits; the
//! time. Out: answers, objects with their states over time, audit records, the files of the delivery network.
//!
//! Never: reads a clock, draws an id, or returns or changes an object of another organization than the
//! token's.
//!
//! Start reading at [`dispatch`], which handles every request. `route` lists the operations. `configuration`,
//! `deployment`, `open`, `profile` and `directory` have the objects. `history` makes reads lag behind writes.

pub(super) mod audit;
pub(super) mod audit_query;
pub(super) mod cdn;
pub(super) mod configuration;
pub(super) mod deployment;
pub(super) mod directory;
pub(super) mod dispatch;
pub(super) mod edit;
pub(super) mod error;
pub(super) mod history;
pub(super) mod ids;
pub(super) mod open;
pub(super) mod organization;
pub(super) mod profile;
pub(super) mod query;
pub(super) mod rate;
pub(super) mod route;
pub(super) mod screen;
pub(super) mod seed;
pub(super) mod shape;
pub(super) mod token;

#[cfg(test)]
mod tests;

use crate::emulator::actor::{Actor, CallOrigin};
use crate::emulator::cloud::audit::Trail;
use crate::emulator::cloud::ids::Counters;
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::rate::Windows;
use crate::emulator::settings::Settings;
use crate::emulator::time::{SEEDED_AT, later};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// All organizations of the cloud API, and their shared state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    pub organizations: BTreeMap<String, Organization>,
    pub counters: Counters,
    pub trail: Trail,
    pub windows: Windows,
    /// The organization of each deployment, for the delivery network, which gets no tokens.
    pub homes: BTreeMap<String, String>,
}

/// A requested change: its origin, and the settings that delay it.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub origin: CallOrigin,
    pub settings: Settings,
}

impl Work {
    /// Returns the work that created the initial objects: all of its delays are over.
    pub fn long_ago(actor: &Actor) -> Work {
        let settings = Settings {
            active_delay_ms: 0,
            visible_delay_ms: 0,
            stale_delay_ms: 0,
            cdn_delay_ms: 0,
            integration_delay_ms: 0,
            ..Settings::default()
        };
        let origin = CallOrigin {
            actor: actor.clone(),
            remote_ip: String::new(),
            request_id: String::new(),
            at: SEEDED_AT,
        };
        Work { origin, settings }
    }

    /// Returns the time of the change.
    pub fn at(&self) -> Timestamp {
        self.origin.at
    }

    /// Returns the time from which reads show a new object.
    pub fn appears_at(&self) -> Timestamp {
        later(self.at(), self.settings.visible_delay_ms)
    }

    /// Returns the time from which reads show the new state of an object.
    pub fn shows_at(&self) -> Timestamp {
        later(self.at(), self.settings.stale_delay_ms)
    }

    /// Returns the time from which the written object is Active.
    pub fn active_at(&self) -> Timestamp {
        later(self.at(), self.settings.active_delay_ms)
    }
}

/// The effect of a change, for the audit trail.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub service: &'static str,
    pub entity_type: &'static str,
    pub action: &'static str,
    pub id: String,
    pub name: String,
    pub old: Option<Object>,
    pub new: Option<Object>,
}

/// A completed change: the body of its answer, and its audit event.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub shown: Value,
    pub event: Event,
}

impl Cloud {
    /// Returns an organization. If the world file does not describe it, it has the default objects.
    pub fn organization(&mut self, id: &str) -> &mut Organization {
        let counters = &mut self.counters;
        self.organizations.entry(id.to_owned()).or_insert_with(|| Organization::usual(id, counters))
    }
}

/// Returns a text member of an object, or an empty text if the object has no such member.
pub(crate) fn text<'a>(body: &'a Object, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the member at a dotted path.
pub(crate) fn member<'a>(body: &'a Object, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let mut value = body.get(names.next()?)?;
    for name in names {
        value = value.get(name)?;
    }
    Some(value).filter(|value| !value.is_null())
}
