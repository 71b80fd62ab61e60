//! The `webchat` API of the emulated platform: one web messaging configuration for each organization, its
//! replication, and an audit trail.
//!
//! In: requests that `route` knows, with the caller's token; people's edits; the time.
//!
//! Out: answers, versions of configurations, replication jobs, audit records.
//!
//! Never: reads a clock, imports the cloud API, or changes an organization that the caller has no access to.
//!
//! Start reading at [`World::dispatch_webchat`], which handles every request. `configuration` stores
//! configurations, `payload` has their rules, `replication` copies them, and `audit` answers queries.
//!
//! [`World::dispatch_webchat`]: crate::emulator::World::dispatch_webchat

pub(super) mod audit;
pub(super) mod configuration;
mod dispatch;
pub(super) mod error;
mod payload;
mod rate;
mod replication;
pub(super) mod route;

#[cfg(test)]
mod tests;

use crate::emulator::actor::Actor;
use crate::emulator::seed::Seed;
use crate::emulator::time::SEEDED_AT;
use crate::emulator::webchat::audit::AuditRecord;
use crate::emulator::webchat::configuration::{Configuration, Organization};
use crate::emulator::webchat::rate::Bucket;
use crate::emulator::webchat::replication::Replication;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The state of the API.
#[derive(Clone, Debug, Default)]
pub(super) struct Webchat {
    organizations: BTreeMap<String, Organization>,
    buckets: BTreeMap<String, Bucket>,
    jobs: Vec<Replication>,
    /// The time of the next transition of each unfinished job, with the job's index in `jobs`.
    due: BTreeSet<(Timestamp, usize)>,
    pub audit: Vec<AuditRecord>,
}

impl Webchat {
    /// Returns the state that the world file describes.
    pub fn seed(seed: &Seed) -> Webchat {
        let mut webchat = Webchat::default();
        for known in seed.organizations.iter().flatten() {
            let current = known.configuration.clone().map(|body| {
                let modified_by = known.modified_by.clone().unwrap_or_else(|| Actor::user("seed"));
                Configuration::new(known.version.unwrap_or(1).max(1), body, SEEDED_AT, modified_by)
            });
            webchat.organizations.insert(known.id.clone(), Organization { current, previous: None });
        }
        webchat
    }

    /// Resets all buckets to full, because the limit has changed.
    pub fn refill(&mut self) {
        self.buckets.clear();
    }

    /// Renders everything for the control surface, including records that no client can see yet.
    pub fn state(&self) -> Map<String, Value> {
        let mut organizations = Map::new();
        for (id, organization) in &self.organizations {
            let known = organization.current.as_ref();
            organizations.insert(
                id.clone(),
                json!({
                    "version": known.map(|known| known.version),
                    "configuration": known.map(|known| &known.body),
                    "dateModified": known.map(|known| known.date_modified),
                    "modifiedBy": known.map(|known| &known.modified_by),
                }),
            );
        }
        let mut audit = Vec::new();
        for record in &self.audit {
            let mut shown = json!(record);
            if let Value::Object(fields) = &mut shown {
                fields.insert("visibleAt".to_owned(), json!(record.visible_at));
            }
            audit.push(shown);
        }
        let jobs: Vec<Value> = self.jobs.iter().map(Replication::to_json).collect();
        let parts = [("organizations", organizations.into()), ("audit", audit.into()), ("jobs", jobs.into())];
        parts.into_iter().map(|(name, part): (&str, Value)| (name.to_owned(), part)).collect()
    }
}
