//! The settings file: TOML, outside of any configuration repository.

#![expect(clippy::disallowed_methods, reason = "this module reads the settings file")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::ConfigError;
use crate::model::Secret;
use crate::model::secret::stored;

/// The file as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SettingsFile {
    /// URLs that stand in for a region's API host, by region key.
    pub endpoints: BTreeMap<String, String>,
    /// A directory of mounted credentials.
    pub credentials_dir: Option<PathBuf>,
    /// What is said of credentials, by name.
    pub credentials: BTreeMap<String, CredentialsEntry>,
    /// Deadlines.
    pub timing: TimingFile,
    /// Requests a minute.
    pub pacing: Pacing,
    /// Whether a state is kept at all.
    pub state: Option<KeptState>,
    /// Where the journal is kept.
    pub state_dir: Option<PathBuf>,
    /// A file that holds the key with which confidential values in the state are digested.
    pub state_key_file: Option<PathBuf>,
    /// Where fetched repositories are kept.
    pub cache_dir: Option<PathBuf>,
    /// A PostgreSQL database in the state directory's stead.
    pub store: Option<String>,
    /// A folder of compiled time zones that are used instead of the built-in ones.
    pub time_zones: Option<PathBuf>,
    /// The controller.
    pub controller: ControllerFile,
    /// The order in which tenants get a change.
    pub waves: WavesFile,
}

/// What the operator says of the state as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptState {
    /// None is kept: each command begins without a memory.
    None,
}

/// How waves wait; what is left out keeps its default.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WavesFile {
    /// `run` lets later waves wait this long for a tenant that cannot be reached, in milliseconds.
    pub patience_ms: Option<u64>,
}

/// How the controller works; what is left out keeps its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ControllerFile {
    /// Address of the health, metrics and hook server.
    pub listen: Option<String>,
    /// A remote repository is asked for news this often, in milliseconds.
    pub git_poll_ms: Option<u64>,
    /// Every tenant is looked at this often, in milliseconds.
    pub resync_ms: Option<u64>,
    /// First wait after a run that did not end well, in milliseconds; it doubles.
    pub retry_ms: Option<u64>,
    /// Longest such wait.
    pub retry_max_ms: Option<u64>,
    /// A repository that could not be read for this long is not written from, in milliseconds.
    pub git_stale_ms: Option<u64>,
    /// Runs with a request under way, or about to have one.
    pub runs_max: Option<usize>,
    /// The same for one name of credentials.
    pub runs_per_credential_max: Option<usize>,
    /// How long a process that is told to stop may take, in milliseconds.
    pub shutdown_ms: Option<u64>,
    /// `--once` waits for a full pass this long, in milliseconds.
    pub once_ms: Option<u64>,
    /// What is logged, such as `info` or `genesync::api=debug`; read again on SIGHUP.
    pub log: Option<String>,
    /// How it is logged.
    pub log_format: Option<LogFormat>,
    /// Where traces go: the base URL of an OTLP collector that takes HTTP.
    pub otlp_endpoint: Option<String>,
    /// How notifications are written.
    pub notify_format: Option<NotifyFormat>,
    /// A trouble that is gone before this long is not told, in milliseconds.
    pub notify_settle_ms: Option<u64>,
    /// Which genesync speaks, for receivers that hear several.
    pub instance: Option<String>,
    /// Lines of history, runs and ended intents are kept this many days.
    pub keep_days: Option<u32>,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How notifications are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyFormat {
    /// Our own JSON.
    Json,
    /// What Slack's incoming webhooks take.
    Slack,
}

/// How one name's credentials are found, and used.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CredentialsEntry {
    /// A program and its arguments that prints `{"clientId": …, "clientSecret": …}`.
    pub command: Option<Vec<String>>,
    /// How many tokens of the client are used side by side, where each has a limit of its own: 1 to 10.
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

/// Deadlines, in milliseconds; what is left out keeps its default.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TimingFile {
    /// A write is given up after this long.
    pub write_ms: Option<u32>,
    /// A write that was given up may still take effect for this much longer.
    pub settle_ms: Option<u32>,
    /// A replication job is waited for this long.
    pub job_ms: Option<u32>,
    /// Audit entries are waited for this long.
    pub confirm_ms: Option<u32>,
    /// First wait of a back-off.
    pub backoff_ms: Option<u32>,
    /// Longest wait of a back-off.
    pub backoff_max_ms: Option<u32>,
    /// First wait between polls.
    pub poll_ms: Option<u32>,
    /// Longest wait between polls.
    pub poll_max_ms: Option<u32>,
    /// What was made may be readable only so much later.
    pub appear_ms: Option<u32>,
    /// What was written may take so long to come into force.
    pub ready_ms: Option<u32>,
    /// A tenant is leased for this long; whoever takes over from a process that died waits for it.
    pub lease_ms: Option<u32>,
}

/// How fast one organization is asked.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pacing {
    /// Requests a minute to one organization, until the server's own headers say otherwise.
    pub requests_per_minute: u32,
    /// Requests that may go out at once.
    pub burst: u32,
    /// Objects of one organization that are read, or written, side by side.
    pub in_flight: u32,
}

impl Default for Pacing {
    /// 300 a minute is the platform's documented limit for one token.
    fn default() -> Self {
        Self { requests_per_minute: 300, burst: 30, in_flight: 8 }
    }
}

/// Reads the key from its file.
///
/// # Errors
/// The file can't be read. Its text is in no error.
pub fn read_key(path: PathBuf) -> Result<Secret, ConfigError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Secret::new(stored(&text).unwrap_or_default().to_owned())),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// Reads the settings file, where one is named.
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
    fn a_full_file_is_read_and_a_wrong_name_is_not() {
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
