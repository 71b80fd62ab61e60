//! The cloud API of the emulated platform: web deployments and what they refer to, organization by
//! organization.
//!
//! In: requests that `route` knows, with the token that says whose organization they are about; people's
//! edits; the time. Out: answers, objects with their states over time, audit records, what the delivery
//! network serves.
//!
//! Never: reads a clock, draws an id, or returns or changes an object of another organization than the token's.
//!
//! Start reading at [`dispatch`], which every request goes through. `route` is the list of operations;
//! `configuration`, `deployment`, `open`, `profile` and `directory` are the objects; `history` is why reads lag.

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

/// All organizations that are managed by the cloud API, and what they share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    pub organizations: BTreeMap<String, Organization>,
    pub counters: Counters,
    pub trail: Trail,
    pub windows: Windows,
    /// Whose each deployment is, for the delivery network, which knows no tokens.
    pub homes: BTreeMap<String, String>,
}

/// A change on its way in: who makes it, when, and how fast it is seen.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub origin: CallOrigin,
    pub settings: Settings,
}

impl Work {
    /// Describes what was there before the emulator started: it was done long ago, and has long settled.
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

    /// Returns when it is done.
    pub fn at(&self) -> Timestamp {
        self.origin.at
    }

    /// Returns from when reads show a new object.
    pub fn appears_at(&self) -> Timestamp {
        later(self.at(), self.settings.visible_delay_ms)
    }

    /// Returns from when reads show the new state of an object.
    pub fn shows_at(&self) -> Timestamp {
        later(self.at(), self.settings.stale_delay_ms)
    }

    /// Returns from when what was written is Active.
    pub fn active_at(&self) -> Timestamp {
        later(self.at(), self.settings.active_delay_ms)
    }
}

/// What a change did, for the audit trail.
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

/// A change that was made: what its answer shows, and what the audit trail says.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub shown: Value,
    pub event: Event,
}

impl Cloud {
    /// Returns an organization; one that nobody described has the usual objects.
    pub fn organization(&mut self, id: &str) -> &mut Organization {
        let counters = &mut self.counters;
        self.organizations.entry(id.to_owned()).or_insert_with(|| Organization::usual(id, counters))
    }
}

/// Returns a text member of an object; empty where there is none.
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
