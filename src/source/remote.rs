//! Fetches a remote repository into a bare cache.
//!
//! In: a [`RemoteUrl`] and the operator's [`Fetching`] settings. Out: a [`Source`] for the cache.

#![expect(clippy::disallowed_methods, reason = "this module manages the cache")]

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{
    AutotagOption, Cred, CredentialType, FetchOptions, FetchPrune, ProxyOptions, RemoteCallbacks,
    RemoteRedirect, Repository,
};

use super::{Source, SourceError, format};
use crate::model::proxies::Proxies;
use crate::model::{Secret, json};
use crate::private;
use url::Url;

/// The maximum number of bytes of one fetch.
const FETCH_BYTES_MAX: usize = 1 << 30;
/// The age after which no process uses a lock: genesync abandons a fetch long before.
const LOCK_AGE: Duration = Duration::from_secs(600);
/// The maximum number of objects of one fetch.
const FETCH_OBJECTS_MAX: usize = 5_000_000;

/// A URL that genesync fetches from: `https://`, `ssh://`, `git@host:path` or `file://`, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl(String);

impl RemoteUrl {
    /// Returns whether a text looks like a URL and not like a path.
    pub fn looks_like(text: &str) -> bool {
        text.contains("://") || text.contains("::") || scp_form(text).is_some()
    }

    /// Splits a URL and checks each part.
    ///
    /// # Errors
    /// genesync does not support the scheme, the URL contains a password, or git could read a part as an
    /// option.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let refuse = |reason| Err(SourceError::Url { url: without_password(text), reason });
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("it contains white space or control characters");
        }
        let text = match scp_form(text) {
            Some((user_and_host, path)) => format!("ssh://{user_and_host}/{}", path.trim_start_matches('/')),
            None => text.to_owned(),
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("use https://, ssh:// or file://");
        };
        if scheme == "file" {
            return if rest.starts_with('/') {
                Ok(Self(text.clone()))
            } else {
                refuse("a file URL must have an absolute path")
            };
        }
        if scheme != "https" && scheme != "ssh" {
            return refuse("use https://, ssh:// or file://");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) || (scheme == "https" && user.is_some()) {
            return refuse("a URL must not contain credentials: set GENESYNC_GIT_TOKEN instead");
        }
        if user.is_some_and(|user| user.is_empty() || user.starts_with('-')) {
            return refuse("the user name is empty, or git could read it as an option");
        }
        let (host_name, port) = host.split_once(':').unwrap_or((host, "443"));
        if !(1..=5).contains(&port.len()) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("the port is not a number");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if host_name.is_empty() || host_name.starts_with('-') || !host_name.bytes().all(plain) {
            return refuse("the host name is not valid");
        }
        if path.is_empty() {
            return refuse("it has no path to a repository");
        }
        if path.starts_with('-') {
            return refuse("git could read the path as an option");
        }
        Ok(Self(text.clone()))
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits `git@host:path` into its two parts. A Windows path (`C:\…`) and a URL do not have this form.
fn scp_form(text: &str) -> Option<(&str, &str)> {
    let (head, path) = text.split_once(':')?;
    let form = head.contains('@') && !head.contains('/') && !path.starts_with("//") && !path.starts_with(':');
    form.then_some((head, path))
}

fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.chars().take(120).collect() };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{rest}").chars().take(120).collect()
}

/// The reference in the cache that keeps the remote's `HEAD`.
pub const REMOTE_HEAD: &str = "refs/genesync/head";

/// The operator's settings for fetching repositories.
#[derive(Debug, Clone)]
pub struct Fetching {
    /// The folder with the caches of all remote repositories.
    pub cache: PathBuf,
    /// The token for fetching over https.
    pub token: Option<Secret>,
    /// The proxies for https.
    pub proxies: Proxies,
}

/// Fetches all branches into the URL's own bare repository. If git fails and genesync removes old locks, it
/// tries again.
pub fn fetch(url: &RemoteUrl, fetching: &Fetching) -> Result<Source, SourceError> {
    let fetched = fetch_once(url, fetching);
    match &fetched {
        Err(SourceError::Git { .. }) if sweep_locks(&fetching.cache.join(name_of(url))) => {
            fetch_once(url, fetching)
        }
        _ => fetched,
    }
}

/// Returns the name of a URL's folder in the cache.
fn name_of(url: &RemoteUrl) -> String {
    json::digest_bytes(url.0.as_bytes()).trim_start_matches("sha256:").chars().take(24).collect()
}

/// Removes the locks of a process that was killed during a fetch. Without this, each later fetch fails,
/// because no process releases them. Returns true if it removed a lock.
fn sweep_locks(folder: &Path) -> bool {
    let mut swept = false;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            // git writes objects under unique names, without locks.
            swept |= entry.file_name() != "objects" && sweep_locks(&path);
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > LOCK_AGE) {
                swept |= std::fs::remove_file(&path).is_ok();
            }
        }
    }
    swept
}

fn fetch_once(url: &RemoteUrl, fetching: &Fetching) -> Result<Source, SourceError> {
    let Fetching { cache, token, proxies } = fetching;
    let git_dir = cache.join(name_of(url));
    private::folder(cache).map_err(|source| SourceError::Io { path: cache.to_owned(), source })?;
    let address = Url::parse(&url.0).ok().filter(|address| address.scheme() == "https");
    let way = address.as_ref().map(|address| proxies.way(address)).unwrap_or_default();
    let failed = |source| format::explained(format!("`{url}`{way}"), source);
    let repository = match Repository::open_bare(&git_dir) {
        Ok(repository) => repository,
        Err(_) => Repository::init_bare(&git_dir).map_err(failed)?,
    };
    let mut remote = repository.remote_anonymous(&url.0).map_err(failed)?;
    let over_limit = Cell::new(false);
    let mut callbacks = RemoteCallbacks::new();
    let attempts = Cell::new(0_u8);
    callbacks.credentials(move |_, user, allowed| {
        attempts.set(attempts.get().saturating_add(1));
        credentials(user, allowed, token.as_ref(), attempts.get())
    });
    callbacks.transfer_progress(|progress| {
        let within =
            progress.received_bytes() <= FETCH_BYTES_MAX && progress.total_objects() <= FETCH_OBJECTS_MAX;
        over_limit.set(!within);
        within
    });
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks);
    if let Some(proxy) = address.as_ref().and_then(|address| proxies.of(address)) {
        let mut through = ProxyOptions::new();
        through.url(proxy.as_str());
        options.proxy_options(through);
    }
    options.follow_redirects(RemoteRedirect::None);
    options.download_tags(AutotagOption::None);
    options.prune(FetchPrune::On);
    let refspecs = ["+refs/heads/*:refs/heads/*", &format!("+HEAD:{REMOTE_HEAD}")];
    let fetched = remote.fetch(&refspecs, Some(&mut options), None);
    drop(options);
    if over_limit.get() {
        return Err(SourceError::Limit {
            what: format!("`{url}` sends over {FETCH_BYTES_MAX} bytes or {FETCH_OBJECTS_MAX} objects"),
        });
    }
    fetched.map_err(failed)?;
    Ok(Source::Repository { git_dir, prefix: String::new() })
}

/// Returns the credentials: the user's ssh agent or the operator's token. libgit2 checks host keys against
/// `known_hosts`.
fn credentials(
    user: Option<&str>,
    allowed: CredentialType,
    token: Option<&Secret>,
    attempt: u8,
) -> Result<Cred, git2::Error> {
    // After a refusal, libgit2 asks again without a limit.
    if attempt > 3 {
        return Err(git2::Error::from_str("the remote refused the credentials"));
    }
    if allowed.contains(CredentialType::SSH_KEY) {
        return Cred::ssh_key_from_agent(user.unwrap_or("git"));
    }
    if allowed.contains(CredentialType::USERNAME) {
        return Cred::username(user.unwrap_or("git"));
    }
    match token {
        Some(token) => Cred::userpass_plaintext("x-access-token", token.expose()),
        None => Err(git2::Error::from_str("the remote requires credentials: set GENESYNC_GIT_TOKEN")),
    }
}
