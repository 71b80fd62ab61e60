//! A port: resolves flags, environment and one settings file outside the repository into [`Settings`].
//!
//! In: the flags, variables and settings of the operator. Out: endpoints, credentials, deadlines and
//! request limits. Never: takes one from a configuration repository, because many people can write
//! to it. Start reading at [`Settings::resolve`].

pub mod credentials;
pub mod env;
pub mod file;
mod resolved;
mod time_zones;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::model::address::travels_safely;
use crate::model::proxies::Proxies;
use crate::model::{Region, Secret, StorePlace, Timing, zone};
use file::{CredentialsEntry, Pacing, SettingsFile};

pub use resolved::ControllerSettings;

/// The reason why the settings are not usable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file or the folder of time zones cannot be read.
    #[error("cannot read `{path}`, which the operator's settings name")]
    Unreadable {
        /// The file or the folder.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not valid.
    #[error("the settings file `{path}` is not valid")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// An endpoint is not valid.
    #[error("`{given}` is not an endpoint: {reason}")]
    Endpoint {
        /// The given text.
        given: String,
        /// The reason.
        reason: String,
    },
    /// The settings turn the state off and also name a place for it.
    #[error(
        "the settings turn the state off (`state = \"none\"` or GENESYNC_STATE=none) and also name a place for it (`state-dir`, `store`, their flags or variables)"
    )]
    StateNowhere,
    /// The URL of the store is not valid.
    #[error("the store is not the URL of a PostgreSQL database, such as postgres://USER@HOST/DATABASE")]
    Store,
    /// No source has credentials with this name.
    #[error("found no credentials named `{name}`")]
    NoCredentials {
        /// The name.
        name: String,
    },
    /// Credentials cannot be read.
    #[error("cannot read the credentials `{name}`: {reason}")]
    Credentials {
        /// The name.
        name: String,
        /// The reason, without any text of the credentials.
        reason: String,
    },
    /// The value of a setting is not valid.
    #[error("the setting `{name}` is not {expected}: `{given}`")]
    Value {
        /// The setting.
        name: &'static str,
        /// The expected value.
        expected: &'static str,
        /// The given value.
        given: String,
    },
}

/// All settings of the operator.
#[derive(Debug, Clone)]
pub struct Settings {
    /// URLs that replace the API host of a region.
    pub endpoints: BTreeMap<Region, Url>,
    /// A directory of mounted credentials.
    pub credentials_dir: Option<PathBuf>,
    /// Settings of credentials, by name.
    pub credentials: BTreeMap<String, CredentialsEntry>,
    /// Deadlines of a run.
    pub timing: Timing,
    /// The duration of a tenant's lease.
    pub lease: Duration,
    /// Request limits.
    pub pacing: Pacing,
    /// The place of the state; none if genesync keeps no state.
    pub store: Option<StorePlace>,
    /// The key for digests of confidential values in the state; none to use the id of the state.
    pub state_key: Option<Secret>,
    /// The unique name of this process, which holds its leases.
    pub replica: String,
    /// Settings of the controller.
    pub controller: ControllerSettings,
    /// Secrets of git webhooks.
    pub hook_secrets: Vec<Secret>,
    /// The URL for notifications; it is secret, because every client that knows it can post there.
    pub notify_url: Option<Secret>,
    /// The directory of fetched repositories.
    pub cache_dir: PathBuf,
    /// The token for fetching over https.
    pub git_token: Option<Secret>,
    /// The proxy for requests.
    pub proxies: Proxies,
}

/// The command line flags.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--settings`.
    pub settings: Option<PathBuf>,
    /// `--endpoint`: `REGION=URL`.
    pub endpoints: Vec<String>,
    /// `--credentials-dir`.
    pub credentials_dir: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--store`.
    pub store: Option<String>,
}

/// Loads the operator's time zones if the environment or the settings file names a folder. `settings` is
/// `--settings`.
///
/// # Errors
/// The settings file is not valid, or the folder contains no time zones.
pub fn supply_time_zones(settings: Option<PathBuf>) -> Result<(), ConfigError> {
    let named = match env::time_zones() {
        Some(named) => Some(named),
        None => file::read(settings.or_else(env::settings))?.time_zones,
    };
    if let Some(folder) = named {
        zone::supply(time_zones::read(&folder)?);
    }
    Ok(())
}

impl Settings {
    /// Resolves the settings: a flag wins over the environment, the environment over the file, the file over
    /// the default.
    ///
    /// # Errors
    /// The file is not readable or not valid, or a value is not valid.
    pub fn resolve(flags: Flags) -> Result<Self, ConfigError> {
        let Flags { settings, endpoints: typed, credentials_dir, state_dir, store } = flags;
        let SettingsFile {
            endpoints: filed,
            credentials_dir: filed_dir,
            credentials,
            timing,
            pacing,
            state,
            state_dir: filed_state,
            state_key_file,
            cache_dir,
            store: filed_store,
            controller,
            waves,
            time_zones: _,
        } = file::read(settings.or_else(env::settings))?;
        let mut endpoints = BTreeMap::new();
        for (key, url) in &filed {
            endpoints.insert(region(key)?, endpoint(url)?);
        }
        for region in Region::ALL {
            if let Some(url) = env::endpoint(*region) {
                endpoints.insert(*region, endpoint(&url)?);
            }
        }
        for text in &typed {
            let Some((key, url)) = text.split_once('=') else {
                return Err(ConfigError::Endpoint { given: text.clone(), reason: "write REGION=URL".into() });
            };
            endpoints.insert(region(key)?, endpoint(url)?);
        }
        Ok(Settings {
            endpoints,
            credentials_dir: credentials_dir.or_else(env::credentials_dir).or(filed_dir),
            credentials,
            timing: resolved::timing(timing, pacing),
            lease: resolved::lease(timing),
            pacing,
            store: store_place(
                state.is_some() || env::keeps_no_state()?,
                store.map(Secret::new).or_else(env::store).or(filed_store.map(Secret::new)),
                state_dir.or_else(env::state_dir).or(filed_state),
            )?,
            state_key: state_key(state_key_file)?,
            replica: env::replica(),
            controller: ControllerSettings::of(&controller, waves)?,
            hook_secrets: env::hook_secrets(),
            notify_url: env::notify_url(),
            cache_dir: env::cache_dir().or(cache_dir).unwrap_or_else(env::default_cache_dir),
            git_token: env::git_token(),
            proxies: env::proxies()?,
        })
    }

    /// Returns the base URL of a region's API.
    pub fn base_url(&self, region: Region) -> Option<Url> {
        match self.endpoints.get(&region) {
            Some(url) => Some(url.clone()),
            None => Url::parse(&format!("https://api.{}/", region.domain())).ok(),
        }
    }
}

/// Returns the key of digests. It refuses a short key, because an attacker could guess it.
fn state_key(file: Option<PathBuf>) -> Result<Option<Secret>, ConfigError> {
    let (name, key) = match env::state_key() {
        Some(key) => (env::STATE_KEY, Some(key)),
        None => ("state-key-file", file.map(file::read_key).transpose()?),
    };
    match &key {
        Some(short) if short.expose().len() < KEY_BYTES_MIN => Err(ConfigError::Value {
            name,
            given: "****".into(),
            expected: "a key of 16 bytes or more, as `openssl rand -hex 32` makes one",
        }),
        _ => Ok(key),
    }
}

/// The minimum length of the key of digests, in bytes.
const KEY_BYTES_MIN: usize = 16;

/// Returns the place of the state: a database or a folder; none if genesync keeps no state.
fn store_place(
    is_none: bool,
    url: Option<Secret>,
    folder: Option<PathBuf>,
) -> Result<Option<StorePlace>, ConfigError> {
    match (is_none, url, folder) {
        (true, None, None) => Ok(None),
        (true, _, _) => Err(ConfigError::StateNowhere),
        (false, Some(url), _) => database(url).map(Some),
        (false, None, folder) => Ok(Some(StorePlace::Folder(folder.unwrap_or_else(env::default_state_dir)))),
    }
}

/// Returns the place of a database by its URL. The error does not contain the URL, because that may have a
/// password.
fn database(url: Secret) -> Result<StorePlace, ConfigError> {
    let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme));
    if known && Url::parse(url.expose()).is_ok() {
        return Ok(StorePlace::Postgres(url));
    }
    Err(ConfigError::Store)
}

fn region(key: &str) -> Result<Region, ConfigError> {
    let known = || Region::ALL.iter().map(|region| region.key()).collect::<Vec<_>>().join(", ");
    Region::from_key(key).ok_or_else(|| ConfigError::Endpoint {
        given: key.into(),
        reason: format!("regions are {}", known()),
    })
}

/// Returns the URL of an endpoint. It allows plain HTTP only to this machine, because every token request
/// contains a secret.
fn endpoint(text: &str) -> Result<Url, ConfigError> {
    let refuse = |reason: &str| ConfigError::Endpoint { given: text.into(), reason: reason.into() };
    let mut url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::Endpoint {
            given: "****".into(),
            reason: "a URL must not contain credentials".into(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    travels_safely(&url).map_err(refuse)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_use_https_or_this_machine() {
        for good in [
            "https://gateway.example/genesys",
            "http://127.0.0.1:8480",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert!(endpoint(good).is_ok_and(|url| url.path().ends_with('/')), "{good}");
        }
        for bad in [
            "http://gateway.example",
            "http://127.0.0.1.evil.example",
            "ftp://x",
            "x",
            "https://u:p@x.example",
            "https://x.example/?a=1",
            "http://169.254.169.254",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
        assert!(!endpoint("https://u:hunter2@x.example").unwrap_err().to_string().contains("hunter2"));
    }
}
