//! Reads the settings file: TOML, outside of any configuration repository.

#![expect(clippy::disallowed_methods, reason = "this module reads the settings file")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::ConfigError;
use crate::model::Secret;
use crate::model::secret::stored;

/// The content of the settings file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SettingsFile {
    /// URLs that replace the API host of a region, by region key.
    pub endpoints: BTreeMap<String, String>,
    /// A directory of mounted credentials.
    pub credentials_dir: Option<PathBuf>,
    /// Settings of credentials, by name.
    pub credentials: BTreeMap<String, CredentialsEntry>,
    /// Deadlines.
    pub timing: TimingFile,
    /// Request limits.
    pub pacing: Pacing,
    /// Whether genesync keeps a state.
    pub state: Option<KeptState>,
    /// The directory of the journal.
    pub state_dir: Option<PathBuf>,
    /// A file with the key for digests of confidential values in the state.
    pub state_key_file: Option<PathBuf>,
    /// The directory of fetched repositories.
    pub cache_dir: Option<PathBuf>,
    /// A PostgreSQL database that replaces the state directory.
    pub store: Option<String>,
    /// A folder of compiled time zones that replace the built-in ones.
    pub time_zones: Option<PathBuf>,
    /// Settings of the controller.
    pub controller: ControllerFile,
    /// Settings of waves.
    pub waves: WavesFile,
}

/// Whether genesync keeps a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptState {
    /// genesync keeps no state: each command starts without a record of earlier ones.
    None,
}

/// Settings of waves; a missing setting has its default.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WavesFile {
    /// `run` lets later waves wait this long for a tenant that cannot be reached, in milliseconds.
    pub patience_ms: Option<u64>,
}

/// Settings of the controller; a missing setting has its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ControllerFile {
    /// Address of the health, metrics and hook server.
    pub listen: Option<String>,
    /// The interval between fetches of a remote repository, in milliseconds.
    pub git_poll_ms: Option<u64>,
    /// The interval between runs of each tenant, in milliseconds.
    pub resync_ms: Option<u64>,
    /// The first wait after a failed run, in milliseconds; it doubles with each failure.
    pub retry_ms: Option<u64>,
    /// The longest wait after a failed run, in milliseconds.
    pub retry_max_ms: Option<u64>,
    /// genesync does not write from a repository that it could not read for this long, in milliseconds.
    pub git_stale_ms: Option<u64>,
    /// The maximum number of runs with an open or imminent request.
    pub runs_max: Option<usize>,
    /// The same maximum per credentials name.
    pub runs_per_credential_max: Option<usize>,
    /// The time limit to stop the process after a signal, in milliseconds.
    pub shutdown_ms: Option<u64>,
    /// The time limit of a full pass with `--once`, in milliseconds.
    pub once_ms: Option<u64>,
    /// The log filter, such as `info` or `genesync::api=debug`; read again on SIGHUP.
    pub log: Option<String>,
    /// The log format.
    pub log_format: Option<LogFormat>,
    /// The base URL of an OTLP collector for traces over HTTP.
    pub otlp_endpoint: Option<String>,
    /// The format of notifications.
    pub notify_format: Option<NotifyFormat>,
    /// A problem that ends within this time causes no notification, in milliseconds.
    pub notify_settle_ms: Option<u64>,
    /// The name of this genesync, for receivers of notifications from several.
    pub instance: Option<String>,
    /// The number of days to keep history, runs and ended intents.
    pub keep_days: Option<u32>,
}

/// The format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The format of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    /// JSON of genesync.
    Json,
    /// The format of Slack's incoming webhooks.
    Slack,
}

/// Settings of the credentials with one name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CredentialsEntry {
    /// A program with its arguments; it prints `{"clientId": …, "clientSecret": …}`.
    pub command: Option<Vec<String>>,
    /// The number of tokens of the client that are used in parallel if each has its own rate limit: 1 to 10.
    #[serde(default = "one", deserialize_with = "one_to_ten")]
    pub tokens: u8,
}

fn one() -> u8 {
    1
}

fn one_to_ten<'de, D: Deserializer<'de>>(value: D) -> Result<u8, D::Error> {
    let given = u8::deserialize(value)?;
    let is_usual = (1..=10).contains(&given);
    is_usual.then_some(given).ok_or_else(|| D::Error::custom("a client may use 1 to 10 tokens"))
}

/// Deadlines, in milliseconds; a missing setting has its default.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TimingFile {
    /// The time limit of a write.
    pub write_ms: Option<u32>,
    /// The time in which a write may still take effect after its time limit.
    pub settle_ms: Option<u32>,
    /// The time limit of a replication job.
    pub job_ms: Option<u32>,
    /// The time limit for audit entries to appear.
    pub confirm_ms: Option<u32>,
    /// The first wait of a back-off.
    pub backoff_ms: Option<u32>,
    /// The longest wait of a back-off.
    pub backoff_max_ms: Option<u32>,
    /// The first wait between polls.
    pub poll_ms: Option<u32>,
    /// The longest wait between polls.
    pub poll_max_ms: Option<u32>,
    /// The time limit for a new object to become readable.
    pub appear_ms: Option<u32>,
    /// The time limit for a write to come into force.
    pub ready_ms: Option<u32>,
    /// The duration of a tenant's lease. After a process dies, the next process waits until the lease ends.
    pub lease_ms: Option<u32>,
}

/// Limits of requests to one organization.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pacing {
    /// Requests per minute to one organization, until headers of the server give another limit.
    pub requests_per_minute: u32,
    /// The maximum number of requests at once.
    pub burst: u32,
    /// The number of objects of one organization that are read or written in parallel.
    pub in_flight: u32,
}

impl Default for Pacing {
    /// Returns the defaults: 300 requests per minute are the platform's documented limit for one token.
    fn default() -> Self {
        Self { requests_per_minute: 300, burst: 30, in_flight: 8 }
    }
}

/// Reads the key from its file.
///
/// # Errors
/// The file cannot be read. No error contains its text.
pub fn read_key(path: PathBuf) -> Result<Secret, ConfigError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Secret::new(stored(&text).unwrap_or_default().to_owned())),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// Reads the settings file; without a path, it returns the defaults.
pub fn read(path: Option<PathBuf>) -> Result<SettingsFile, ConfigError> {
    let Some(path) = path else { return Ok(SettingsFile::default()) };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Invalid { path, source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_read_and_an_unknown_setting_is_refused() {
        let text = r#"
            credentials-dir = "/run/secrets/genesync"
            state-dir = "/var/lib/genesync"
            [endpoints]
            eu-west-1 = "http://127.0.0.1:8480"
            [credentials.northbank]
            command = ["vault", "kv", "get", "-format=json", "northbank"]
            [credentials.southbank]
            tokens = 4
            [timing]
            write-ms = 5000
            [pacing]
            requests-per-minute = 120
            in-flight = 3
        "#;
        let file: SettingsFile = toml::from_str(text).unwrap();
        assert_eq!(
            (file.timing.write_ms, file.pacing.requests_per_minute, file.pacing.burst, file.pacing.in_flight),
            (Some(5000), 120, 30, 3)
        );
        let of = |name: &str| file.credentials.get(name).map(|entry| (entry.command.is_some(), entry.tokens));
        assert_eq!((of("northbank"), of("southbank")), (Some((true, 1)), Some((false, 4))));
        for tokens in ["0", "11", "-1"] {
            let text = format!("[credentials.northbank]\ntokens = {tokens}");
            assert!(toml::from_str::<SettingsFile>(&text).is_err(), "{tokens}");
        }
        assert!(toml::from_str::<SettingsFile>("endpoint = 1").is_err());
    }
}
