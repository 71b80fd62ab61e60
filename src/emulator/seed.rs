//! The world file: what exists when the emulator starts.
//!
//! In: JSON. Out: a [`Seed`]. Never: checks a configuration against the payload's rules; a platform may hold
//! what it would not accept today. Start reading at [`seed_from_json`].

use crate::emulator::actor::Actor;
use crate::emulator::fault::Fault;
use crate::emulator::settings::SettingsPatch;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// When seeded configurations were made: 2026-01-01, as a world has no clock of its own.
pub(super) const SEEDED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What exists when a world starts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The clients of the API.
    #[serde(default)]
    pub clients: Vec<SeedClient>,
    /// Settings that differ from the usual ones.
    #[serde(default)]
    pub settings: SettingsPatch,
    /// The only organizations there are; `None` serves every organization id, unconfigured.
    pub organizations: Option<Vec<SeedOrganization>>,
    /// The faults in force from the start.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// A client of the API.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedClient {
    /// Its id.
    pub id: String,
    /// Its secret; hidden in the `Debug` form.
    pub secret: String,
    /// Its name, as audit records show it.
    pub name: String,
    /// The scopes it may have; `None` is all.
    pub scopes: Option<Vec<String>>,
    /// The organizations it may touch; `None` is all.
    pub organizations: Option<Vec<String>>,
}

impl fmt::Debug for SeedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedClient")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .field("organizations", &self.organizations)
            .finish_non_exhaustive()
    }
}

/// An organization that exists from the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedOrganization {
    /// Its id.
    pub id: String,
    /// Its configuration; `None` for none.
    pub configuration: Option<Map<String, Value>>,
    /// The configuration's version; 1 when left out.
    pub version: Option<u64>,
    /// Who made it; the person `seed` when left out.
    pub modified_by: Option<Actor>,
}

/// Why a world file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It is not JSON, or not of a world file's shape.
    #[error("reading the world file")]
    Shape(#[from] serde_json::Error),
    /// Two of a kind have the same id.
    #[error("the world file has two {kind} with the id `{id}`")]
    Twice {
        /// `clients` or `organizations`.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// A version is 0, or stands without a configuration.
    #[error("in the world file, organization `{id}` needs a configuration and a version of at least 1")]
    Version {
        /// The organization.
        id: String,
    },
}

impl Seed {
    /// Describes a world without a world file: one client, every organization served, none configured.
    pub fn unconfigured(client_id: &str, client_secret: &str) -> Seed {
        Seed::default().or_client(client_id, client_secret)
    }

    /// Adds a client that may do everything, unless there is one already.
    pub fn or_client(mut self, client_id: &str, client_secret: &str) -> Seed {
        if self.clients.is_empty() {
            self.clients.push(SeedClient {
                id: client_id.to_owned(),
                secret: client_secret.to_owned(),
                name: client_id.to_owned(),
                scopes: None,
                organizations: None,
            });
        }
        self
    }
}

/// Reads a world file.
///
/// # Errors
/// [`SeedError`] when it is not JSON, has an unknown field, or contradicts itself.
pub fn seed_from_json(bytes: &[u8]) -> Result<Seed, SeedError> {
    let seed: Seed = serde_json::from_slice(bytes)?;
    unique("clients", seed.clients.iter().map(|client| &client.id))?;
    unique("organizations", seed.organizations.iter().flatten().map(|organization| &organization.id))?;
    for organization in seed.organizations.iter().flatten() {
        let wrong = organization.version == Some(0)
            || organization.version.is_some() && organization.configuration.is_none();
        if wrong {
            return Err(SeedError::Version { id: organization.id.clone() });
        }
    }
    Ok(seed)
}

fn unique<'a>(kind: &'static str, ids: impl Iterator<Item = &'a String>) -> Result<(), SeedError> {
    let mut known = BTreeSet::new();
    for id in ids {
        if !known.insert(id) {
            return Err(SeedError::Twice { kind, id: id.clone() });
        }
    }
    Ok(())
}

/// Adds milliseconds to a time; what lies beyond the calendar is its last moment.
pub(super) fn later(time: Timestamp, ms: u64) -> Timestamp {
    let duration = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
