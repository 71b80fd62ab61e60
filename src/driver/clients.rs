//! The API's client, and the credentials of each tenant, which it looks up by name when a run needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::{Api, ReadApi};
use crate::config::{ConfigError, Settings};
use crate::model::{CredentialsName, Fault, Region, Resource, Tenant};
use crate::platform::{ClientCredentials, Heard, Options, Pace};
use crate::telemetry;

/// Looks credentials up in the current settings and gives them to the API's client.
#[derive(Clone)]
pub struct Clients {
    settings: Arc<Mutex<Settings>>,
    api: Api,
}

/// The names of a tenant's clients and secrets in the settings.
struct Needed {
    clients: BTreeSet<CredentialsName>,
    secrets: BTreeSet<CredentialsName>,
}

impl Needed {
    fn by(tenant: &Tenant, resources: &[Resource]) -> Self {
        let secrets = resources.iter().filter_map(|resource| resource.secret.as_ref());
        Self {
            clients: tenant.targets().map(|target| target.credentials.clone()).collect(),
            secrets: secrets.map(|name| CredentialsName::new(name.as_str())).collect(),
        }
    }
}

/// Returns a client of the API without credentials, with the endpoints and the pacing of the settings.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub fn connect(settings: &Settings, heard: Option<Heard>) -> Result<ReadApi, Fault> {
    let base_urls =
        Region::ALL.iter().filter_map(|region| Some((*region, settings.base_url(*region)?))).collect();
    let pace = Pace { per_minute: settings.pacing.requests_per_minute, burst: settings.pacing.burst };
    let in_flight = settings.timing.in_flight as usize;
    let proxies = settings.proxies.clone();
    ReadApi::new(
        base_urls,
        BTreeMap::new(),
        Options { pace, in_flight, heard, proxies, ..Options::default() },
    )
}

impl Clients {
    /// Takes credentials from these settings for this client.
    pub fn new(settings: Arc<Mutex<Settings>>, api: ReadApi) -> Self {
        Self { settings, api: Api::new(api) }
    }

    /// Returns the client that reads and writes.
    pub fn ports(&self) -> &Api {
        &self.api
    }

    /// Looks up the credentials of one name and gives them to the client.
    ///
    /// # Errors
    /// There are no credentials of that name, or they cannot be read.
    pub async fn learn(&self, name: &CredentialsName) -> Result<(), ConfigError> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = settings.credentials(name).await?;
        telemetry::mask(&found.client_secret);
        let (id, secret, tokens) = (found.client_id, found.client_secret, settings.tokens(name));
        self.api.read().learn(name, ClientCredentials { id, secret, tokens });
        Ok(())
    }

    /// Looks up the credentials and secrets of a run and returns the ids of its clients. Known clients are
    /// not looked up again. Secrets are, before every run, because each write contains them and an old secret
    /// would overwrite a new one.
    ///
    /// # Errors
    /// As [`Clients::learn`], for the first name that fails.
    pub async fn for_run(
        &self,
        tenant: &Tenant,
        resources: &[Resource],
    ) -> Result<BTreeSet<String>, ConfigError> {
        let needed = Needed::by(tenant, resources);
        let mut own = BTreeSet::new();
        for name in &needed.clients {
            if self.api.read().client_id(name).is_none() {
                self.learn(name).await?;
            }
            own.extend(self.api.read().client_id(name));
        }
        for name in &needed.secrets {
            self.learn(name).await?;
        }
        Ok(own)
    }

    /// Looks up a tenant's clients again: a secret may have been rotated.
    pub async fn relearn(&self, tenant: &Tenant) {
        for name in Needed::by(tenant, &[]).clients {
            if let Err(error) = self.learn(&name).await {
                tracing::warn!(credentials = %name, %error, "cannot look up credentials");
            }
        }
    }
}
