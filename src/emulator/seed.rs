//! The world file: what exists when the emulator starts.
//!
//! In: JSON. Out: a [`Seed`]. Never: checks a configuration against the payload's rules; a platform may hold
//! what it would not accept today. Start reading at [`seed_from_json`].

use crate::emulator::actor::Actor;
use crate::emulator::cloud::seed::{SeedClientCloud, SeedCloud};
use crate::emulator::fault::Fault;
use crate::emulator::settings::SettingsPatch;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

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
    /// The world file lists no clients: every UUID names one, with the secret of the only listed one.
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
    /// The scopes it may have; `None` is all.
    pub scopes: Option<Vec<String>>,
    /// The organizations it may touch; `None` is all.
    pub organizations: Option<Vec<String>>,
    /// Whose tokens it gets, where it is a client of the cloud API.
    pub cloud: Option<SeedClientCloud>,
    /// What it may do with the cloud API; `None` is everything.
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
    /// Its configuration; `None` for none.
    pub configuration: Option<Map<String, Value>>,
    /// The configuration's version; 1 when left out.
    pub version: Option<u64>,
    /// Who made it; the person `seed` when left out.
    pub modified_by: Option<Actor>,
    /// What it has that the cloud API manages.
    pub cloud: Option<SeedCloud>,
}

/// Why a world file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// It is not JSON, or not of a world file's shape.
    #[error("{place}: {problem}")]
    Shape {
        /// The field, such as `organizations[0].cloud`, or `the world file`.
        place: String,
        /// What is wrong there, with its line and column.
        problem: serde_json::Error,
    },
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
    /// The cloud part of an organization contradicts itself.
    #[error("in the world file, organization `{id}`: {problem}")]
    Cloud {
        /// The organization.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A client belongs to an organization that is not there.
    #[error(
        "in the world file, client `{id}` belongs to `{organization}`, which is not among its organizations"
    )]
    Homeless {
        /// The client.
        id: String,
        /// The organization.
        organization: String,
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
                cloud: None,
                permissions: None,
            });
            // A world file that lists organizations but no clients still says which organizations there are.
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
/// [`SeedError`] when it is not JSON, has an unknown field, or contradicts itself.
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
