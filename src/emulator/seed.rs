//! The world file, which describes the state of the emulator at its start.
//!
//! In: JSON. Out: a [`Seed`]. Never: checks a configuration against the payload's rules, because a platform
//! can store a configuration that it does not accept any more. Start reading at [`seed_from_json`].

use crate::emulator::actor::Actor;
use crate::emulator::cloud::seed::{SeedClientCloud, SeedCloud};
use crate::emulator::fault::Fault;
use crate::emulator::settings::SettingsPatch;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

/// The initial state of a world.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The clients of the API.
    #[serde(default)]
    pub clients: Vec<SeedClient>,
    /// The settings that differ from their defaults.
    #[serde(default)]
    pub settings: SettingsPatch,
    /// The organizations that exist. If it is `None`, every organization id exists, without a configuration.
    pub organizations: Option<Vec<SeedOrganization>>,
    /// The faults that are active from the start.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Whether the world file lists neither clients nor organizations. Then every UUID is a client id, with
    /// the secret of the default client.
    #[serde(skip)]
    pub any_client: bool,
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
    /// The scopes that it can request; `None` is all.
    pub scopes: Option<Vec<String>>,
    /// The organizations that it has access to; `None` is all.
    pub organizations: Option<Vec<String>>,
    /// The organization of its tokens, if it is a client of the cloud API.
    pub cloud: Option<SeedClientCloud>,
    /// Its permissions in the cloud API; `None` is all.
    pub permissions: Option<Vec<String>>,
}

impl fmt::Debug for SeedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedClient")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .field("organizations", &self.organizations)
            .field("cloud", &self.cloud)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// An organization that exists from the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedOrganization {
    /// Its id.
    pub id: String,
    /// Its configuration, if it has one.
    pub configuration: Option<Map<String, Value>>,
    /// The configuration's version; 1 by default.
    pub version: Option<u64>,
    /// The actor who made it; the person `seed` by default.
    pub modified_by: Option<Actor>,
    /// The objects that the cloud API manages.
    pub cloud: Option<SeedCloud>,
}

/// The reason why the emulator cannot use a world file.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It is not JSON, or does not have the structure of a world file.
    #[error("{place}: {problem}")]
    Shape {
        /// The field, such as `organizations[0].cloud`, or `the world file`.
        place: String,
        /// The error, with its line and column.
        problem: serde_json::Error,
    },
    /// Two clients or two organizations have the same id.
    #[error("the world file has two {kind} with the id `{id}`")]
    Twice {
        /// `clients` or `organizations`.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// A version is 0 or has no configuration.
    #[error("in the world file, organization `{id}` needs a configuration and a version of at least 1")]
    Version {
        /// The organization.
        id: String,
    },
    /// The cloud part of an organization contradicts itself.
    #[error("in the world file, organization `{id}`: {problem}")]
    Cloud {
        /// The organization.
        id: String,
        /// The contradiction.
        problem: String,
    },
    /// A client belongs to an organization that the world file does not list.
    #[error("in the world file, client `{id}` belongs to the unlisted organization `{organization}`")]
    Homeless {
        /// The client.
        id: String,
        /// The organization.
        organization: String,
    },
}

impl Seed {
    /// Returns a seed without a world file: one client, and every organization exists without a
    /// configuration.
    pub fn unconfigured(client_id: &str, client_secret: &str) -> Seed {
        Seed::default().or_client(client_id, client_secret)
    }

    /// Adds a client with all permissions if the seed has no client.
    pub fn or_client(mut self, client_id: &str, client_secret: &str) -> Seed {
        if self.clients.is_empty() {
            self.clients.push(SeedClient {
                id: client_id.to_owned(),
                secret: client_secret.to_owned(),
                name: client_id.to_owned(),
                scopes: None,
                organizations: None,
                cloud: None,
                permissions: None,
            });
            // If a world file lists organizations but no clients, only the listed organizations exist.
            self.any_client = self.organizations.is_none();
        }
        self
    }
}

fn parse(bytes: &[u8]) -> Result<Seed, SeedError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let seed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let is_whole = matches!(path.as_str(), "." | "?");
        let place = if is_whole { "the world file".to_owned() } else { format!("`{path}`") };
        SeedError::Shape { place, problem: error.into_inner() }
    })?;
    json.end().map_err(|problem| SeedError::Shape { place: "the world file".to_owned(), problem })?;
    Ok(seed)
}

/// Reads a world file.
///
/// # Errors
/// The file is not JSON, has an unknown field, or contradicts itself.
pub fn seed_from_json(bytes: &[u8]) -> Result<Seed, SeedError> {
    let seed = parse(bytes)?;
    unique("clients", seed.clients.iter().map(|client| &client.id))?;
    unique("organizations", seed.organizations.iter().flatten().map(|organization| &organization.id))?;
    for organization in seed.organizations.iter().flatten() {
        let wrong = organization.version == Some(0)
            || organization.version.is_some() && organization.configuration.is_none();
        if wrong {
            return Err(SeedError::Version { id: organization.id.clone() });
        }
        if let Some(problem) = organization.cloud.as_ref().and_then(SeedCloud::problem) {
            return Err(SeedError::Cloud { id: organization.id.clone(), problem });
        }
    }
    if let Some(organizations) = &seed.organizations {
        for client in &seed.clients {
            let Some(cloud) = &client.cloud else { continue };
            if !organizations.iter().any(|known| known.id == cloud.organization) {
                let (id, organization) = (client.id.clone(), cloud.organization.clone());
                return Err(SeedError::Homeless { id, organization });
            }
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
