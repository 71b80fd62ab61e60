//! Who asks: the API's client, and the credentials of each tenant, looked up by name when a run needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::{Api, ReadApi};
use crate::config::{ConfigError, Settings};
use crate::model::{CredentialsName, Fault, Region, Resource, Tenant};
use crate::platform::{ClientCredentials, Heard, Options, Pace};
use crate::telemetry;

/// Looks credentials up in the settings as they are at that moment, and hands them to the API's client.
#[derive(Clone)]
pub struct Clients {
    settings: Arc<Mutex<Settings>>,
    api: Api,
}

/// The names that a tenant's clients and secrets are kept under.
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

/// A client of the API without credentials yet: each endpoint as the settings name it, paced as they say.
///
/// # Errors
/// TLS can't be set up on this machine.
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
    /// Credentials from these settings, for this client.
    pub fn new(settings: Arc<Mutex<Settings>>, api: ReadApi) -> Self {
        Self { settings, api: Api::new(api) }
    }

    /// What reads and writes.
    pub fn ports(&self) -> &Api {
        &self.api
    }

    /// Looks up one name and hands it to the client.
    ///
    /// # Errors
    /// There are none under that name, or they can't be read.
    pub async fn learn(&self, name: &CredentialsName) -> Result<(), ConfigError> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = settings.credentials(name).await?;
        telemetry::mask(&found.client_secret);
        let (id, secret, tokens) = (found.client_id, found.client_secret, settings.tokens(name));
        self.api.read().learn(name, ClientCredentials { id, secret, tokens });
        Ok(())
    }

    /// Looks up what a run of a tenant needs and returns the ids of its clients. A client that is known is not looked
    /// up again. A secret is, before every run: it goes along with each write, and an old one would be set back.
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
                tracing::warn!(credentials = %name, %error, "credentials can't be looked up");
            }
        }
    }
}
