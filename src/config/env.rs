//! Reads every environment variable that genesync uses.

#![expect(clippy::disallowed_methods, reason = "this module reads the environment")]

use std::env;
use std::path::PathBuf;

use super::ConfigError;
use crate::model::proxies::Proxies;
use crate::model::secret::stored;
use crate::model::{Region, Secret};

/// Path of the settings file.
pub const SETTINGS: &str = "GENESYNC_SETTINGS";
/// Directory of the journal.
pub const STATE_DIR: &str = "GENESYNC_STATE_DIR";
/// `none` turns the state off.
pub const STATE: &str = "GENESYNC_STATE";
/// Directory of compiled time zones.
pub const TIME_ZONES: &str = "GENESYNC_TIME_ZONES";
/// Directory of fetched repositories.
pub const CACHE_DIR: &str = "GENESYNC_CACHE_DIR";
/// Directory of mounted credentials: `<name>/client-id` and `<name>/client-secret`.
pub const CREDENTIALS_DIR: &str = "GENESYNC_CREDENTIALS_DIR";
/// Prefix of the variables that hold credentials: `GENESYNC_CREDENTIALS_<NAME>_CLIENT_ID` and
/// `…_CLIENT_SECRET`.
pub const CREDENTIALS_PREFIX: &str = "GENESYNC_CREDENTIALS_";
/// Prefix of the variables that replace a region's API host: `GENESYNC_ENDPOINT_<REGION>`.
pub const ENDPOINT_PREFIX: &str = "GENESYNC_ENDPOINT_";
/// URL of a PostgreSQL database for the state.
pub const STORE: &str = "GENESYNC_STORE";
/// Key for digests of confidential values in the state.
pub const STATE_KEY: &str = "GENESYNC_STATE_KEY";
/// Name of this process among its replicas; by default host and process id.
pub const REPLICA: &str = "GENESYNC_REPLICA";
/// Secrets of git webhooks, separated by commas: the old and the new one while they rotate.
pub const HOOK_SECRETS: &str = "GENESYNC_HOOK_SECRETS";
/// URL for notifications.
pub const NOTIFY_URL: &str = "GENESYNC_NOTIFY_URL";
/// Token for fetching a repository over https.
pub const GIT_TOKEN: &str = "GENESYNC_GIT_TOKEN";
/// Token for comments on pull requests and statuses of commits.
pub const FORGE_TOKEN: &str = "GENESYNC_FORGE_TOKEN";
/// The same token in a GitHub workflow.
pub const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// The same token in a GitLab job.
pub const GITLAB_TOKEN: &str = "GITLAB_TOKEN";
/// URL of GitHub's API, set by a workflow's runner.
pub const GITHUB_API_URL: &str = "GITHUB_API_URL";
/// `owner/name` of the repository, set by a workflow's runner.
pub const GITHUB_REPOSITORY: &str = "GITHUB_REPOSITORY";
/// `refs/pull/7/merge`, set by a workflow's runner.
pub const GITHUB_REF: &str = "GITHUB_REF";
/// URL of GitLab's API, set by a job's runner.
pub const GITLAB_API_URL: &str = "CI_API_V4_URL";
/// The project, set by a job's runner.
pub const GITLAB_PROJECT: &str = "CI_PROJECT_ID";
/// The number of the merge request, set by a job's runner.
pub const GITLAB_NUMBER: &str = "CI_MERGE_REQUEST_IID";
/// The commit, set by a job's runner.
pub const GITLAB_COMMIT: &str = "CI_COMMIT_SHA";
/// The proxy for https and the proxy for all protocols, in two spellings each; the first one that is set
/// counts.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Hosts that genesync reaches without the proxy.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Log filter, such as `debug` or `genesync::api=debug`.
pub const LOG: &str = "GENESYNC_LOG";

/// A point at which the process ends, for tests; see `crash.rs`. A release build ignores it.
pub const CRASH_AT: &str = "GENESYNC_CRASH_AT";

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Converts a name for use in a variable: `eu-west-1` becomes `EU_WEST_1`.
fn upper(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// [`SETTINGS`], or the default file if that exists.
pub fn settings() -> Option<PathBuf> {
    path(SETTINGS).or_else(|| {
        let file = config_home()?.join("genesync").join("settings.toml");
        file.is_file().then_some(file)
    })
}

/// [`STATE`]: returns whether it turns the state off.
///
/// # Errors
/// It has another value than `none`.
pub fn keeps_no_state() -> Result<bool, ConfigError> {
    match text(STATE) {
        None => Ok(false),
        Some(word) if word == "none" => Ok(true),
        Some(given) => Err(ConfigError::Value { name: STATE, expected: "`none`", given }),
    }
}

/// [`STATE_DIR`].
pub fn state_dir() -> Option<PathBuf> {
    path(STATE_DIR)
}

/// [`TIME_ZONES`].
pub fn time_zones() -> Option<PathBuf> {
    path(TIME_ZONES)
}

/// [`CACHE_DIR`].
pub fn cache_dir() -> Option<PathBuf> {
    path(CACHE_DIR)
}

/// [`CREDENTIALS_DIR`].
pub fn credentials_dir() -> Option<PathBuf> {
    path(CREDENTIALS_DIR)
}

/// Returns the URL that replaces a region's API host.
pub fn endpoint(region: Region) -> Option<String> {
    text(&format!("{ENDPOINT_PREFIX}{}", upper(region.key())))
}

/// Returns the client id and secret of a name; none if neither variable is set.
///
/// # Errors
/// One variable is missing, empty or not UTF-8. The error names the variable and never contains its value.
pub fn credentials(name: &str) -> Option<Result<(String, Secret), String>> {
    let variable = |part: &str| format!("{CREDENTIALS_PREFIX}{}_CLIENT_{part}", upper(name));
    let (id, secret) = (variable("ID"), variable("SECRET"));
    if env::var_os(&id).is_none() && env::var_os(&secret).is_none() {
        return None;
    }
    let part = |variable: &str| match env::var(variable) {
        Ok(text) => stored(&text).map(str::to_owned).ok_or_else(|| format!("{variable} is empty")),
        Err(env::VarError::NotPresent) => Err(format!("{variable} is not set")),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{variable} is not UTF-8")),
    };
    Some(part(&id).and_then(|id| Ok((id, Secret::new(part(&secret)?)))))
}

/// Returns the secret in a variable.
fn secret(name: &str) -> Option<Secret> {
    Some(Secret::new(stored(&text(name)?)?.to_owned()))
}

/// Returns the proxies that the environment names.
///
/// # Errors
/// genesync cannot use the proxy.
pub fn proxies() -> Result<Proxies, ConfigError> {
    let exempt = NO_PROXY.iter().find_map(|name| text(name)).unwrap_or_default();
    let Some((name, proxy)) = PROXIES.iter().find_map(|name| Some((*name, text(name)?))) else {
        return Ok(Proxies::default());
    };
    // The value may contain a password, so the error does not show it.
    let unusable = |expected| ConfigError::Value { name, given: "****".into(), expected };
    Proxies::through(proxy.trim(), &exempt, name).map_err(unusable)
}

/// [`STATE_KEY`]; empty if the variable is empty or not UTF-8.
pub fn state_key() -> Option<Secret> {
    let key = env::var_os(STATE_KEY)?;
    Some(Secret::new(key.to_str().and_then(stored).unwrap_or_default().to_owned()))
}

/// [`GIT_TOKEN`].
pub fn git_token() -> Option<Secret> {
    secret(GIT_TOKEN)
}

/// [`STORE`].
pub fn store() -> Option<Secret> {
    secret(STORE)
}

/// [`REPLICA`], or host and process id.
pub fn replica() -> String {
    text(REPLICA).unwrap_or_else(|| format!("{}/{}", host(), std::process::id()))
}

/// Returns the user who started this process, for the history: from the variables of the runner, or else user
/// and host. A process can set any name in its variables, so the text says that the name is claimed.
pub fn claimant() -> String {
    let claimed = RUNNERS.iter().find_map(|runner| {
        let by = text(runner.by)?;
        let run = text(runner.run).map(|run| format!(" in {} {run}", runner.name)).unwrap_or_default();
        Some(format!("{by}{run}"))
    });
    let local = || {
        let user = text("USER").or_else(|| text("LOGNAME")).or_else(|| whoami::username().ok());
        format!("{}@{}", user.as_deref().unwrap_or("unknown"), host())
    };
    let shown: String = claimed.unwrap_or_else(local).chars().take(CLAIM_CHARS_MAX).collect();
    format!("{shown} (as claimed)")
}

/// The maximum length of a claimed name, in characters.
const CLAIM_CHARS_MAX: usize = 200;

/// The variables of a runner with the user who started a job, and with the id of the job.
struct Runner {
    name: &'static str,
    by: &'static str,
    run: &'static str,
}

const RUNNERS: [Runner; 3] = [
    Runner { name: "GitHub run", by: "GITHUB_ACTOR", run: "GITHUB_RUN_ID" },
    Runner { name: "GitLab job", by: "GITLAB_USER_LOGIN", run: "CI_JOB_ID" },
    Runner { name: "Azure build", by: "BUILD_REQUESTEDFOR", run: "BUILD_BUILDID" },
];

fn host() -> String {
    text("HOSTNAME").or_else(|| whoami::hostname().ok()).unwrap_or_else(|| "localhost".into())
}

/// [`HOOK_SECRETS`].
pub fn hook_secrets() -> Vec<Secret> {
    let secrets = text(HOOK_SECRETS).unwrap_or_default();
    secrets.split(',').filter_map(stored).map(|secret| Secret::new(secret.to_owned())).collect()
}

/// [`NOTIFY_URL`].
pub fn notify_url() -> Option<Secret> {
    secret(NOTIFY_URL)
}

/// The variables of a forge's runner about a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgeJob {
    /// URL of the API.
    pub api: Option<String>,
    /// The repository.
    pub repository: Option<String>,
    /// The pull request.
    pub number: Option<u64>,
    /// The commit.
    pub commit: Option<String>,
}

/// Returns the job of a GitHub workflow, without the commit: GitHub's commit is an automatic merge, so the
/// user has to name the head.
pub fn github_job() -> ForgeJob {
    let number =
        text(GITHUB_REF).and_then(|name| name.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok());
    ForgeJob { api: text(GITHUB_API_URL), repository: text(GITHUB_REPOSITORY), number, commit: None }
}

/// Returns the job of a GitLab pipeline.
pub fn gitlab_job() -> ForgeJob {
    let number = text(GITLAB_NUMBER).and_then(|number| number.parse().ok());
    ForgeJob {
        api: text(GITLAB_API_URL),
        repository: text(GITLAB_PROJECT),
        number,
        commit: text(GITLAB_COMMIT),
    }
}

/// [`FORGE_TOKEN`], or the token that the runner of the forge sets in the variable `name`.
pub fn forge_token(name: &str) -> Option<Secret> {
    secret(FORGE_TOKEN).or_else(|| secret(name))
}

/// [`LOG`].
pub fn log() -> Option<String> {
    text(LOG)
}

/// [`CRASH_AT`].
#[cfg(debug_assertions)]
pub fn crash_at() -> Option<String> {
    text(CRASH_AT)
}

fn home() -> Option<PathBuf> {
    path("HOME")
}

fn config_home() -> Option<PathBuf> {
    path("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))
}

/// Returns the default directory of the journal (XDG base directories).
pub fn default_state_dir() -> PathBuf {
    let base = path("XDG_STATE_HOME").or_else(|| Some(home()?.join(".local/state")));
    base.map_or_else(|| PathBuf::from(".genesync/state"), |base| base.join("genesync"))
}

/// Returns the default directory of fetched repositories (XDG base directories).
pub fn default_cache_dir() -> PathBuf {
    let base = path("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")));
    base.map_or_else(|| PathBuf::from(".genesync/cache"), |base| base.join("genesync"))
}
