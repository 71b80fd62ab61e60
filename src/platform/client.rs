//! Sends requests, with endpoint, token, pace, deadline, size limits and request id.
//!
//! In: an operation about a target, and its time limit. Out: [`Sent`]. Never: sends a request twice, except
//! after a 401, because the server did not execute it. Start reading at [`Client::send`].

mod admission;
mod answer;
mod budget;
mod credentials;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, redirect};
use url::Url;

use super::account::{Account, BucketKey};
use super::hosts::{may_follow, sibling};
use super::operation::{Operation, Response, Verb, retry_after_ms};
use super::pace::{Allowance, Pace, Pacer, RetryBudget};
use super::token::{TokenAnswer, TokenCell};
use super::{ClientCredentials, local};
use crate::clock;
use crate::crash;
use crate::model::proxies::Proxies;
use crate::model::{CredentialsName, Dialect, Fault, FaultKind, OrganizationId, Region, Target};
use admission::Admitted;
use answer::{Unread, allowance, cause, describe, header, read_body};

/// The maximum size of a decompressed answer, in bytes. A configuration has a few kilobytes, and a page of
/// the audit log some hundred.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The maximum size of a file that an answer points to, in bytes: a whole result of the audit log.
const DOWNLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The time limit to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An event about requests, for metrics and progress lines.
#[derive(Debug, Clone, Copy)]
pub enum RequestEvent<'a> {
    /// A request was answered or failed.
    Answered {
        /// The status of the answer; none if there was no answer.
        status: Option<u16>,
        /// The remaining share of the rate limit, from 0 to 1, if the server reports it.
        budget_left: Option<f64>,
    },
    /// Requests about an organization wait for its rate limit.
    Waits {
        /// The organization.
        organization: &'a OrganizationId,
        /// The duration of the wait.
        wait: Duration,
    },
}

/// A callback for every request, and for long waits.
pub type Heard = Arc<dyn Fn(RequestEvent<'_>) + Send + Sync>;

/// The operator's settings for requests.
#[derive(Clone)]
pub struct Options {
    /// The time limit of a read, from the start of the request to the last byte of the answer.
    pub read_timeout: Duration,
    /// The pace for one organization until its server reports its own limit.
    pub pace: Pace,
    /// The maximum number of parallel requests of one run.
    pub in_flight: usize,
    /// The callback for events.
    pub heard: Option<Heard>,
    /// The proxy for requests.
    pub proxies: Proxies,
}

impl Default for Options {
    fn default() -> Self {
        let pace = Pace { per_minute: 300, burst: 30 };
        Self {
            read_timeout: Duration::from_secs(15),
            pace,
            in_flight: 8,
            heard: None,
            proxies: Proxies::default(),
        }
    }
}

/// The outcome of a request.
#[derive(Debug)]
pub enum Sent {
    /// The server answered.
    Answered(Response),
    /// The request was sent, but no complete answer arrived.
    Lost(Fault),
    /// The request was not sent.
    Never(Fault),
}

/// Sends operations.
pub struct Client {
    http: reqwest::Client,
    base_urls: BTreeMap<Region, Url>,
    credentials: Mutex<BTreeMap<CredentialsName, ClientCredentials>>,
    tokens: Mutex<HashMap<(Account, u8), Arc<TokenCell>>>,
    pacers: Mutex<HashMap<BucketKey, Pacer>>,
    budgets: Mutex<HashMap<Region, RetryBudget>>,
    /// The credentials whose token is confirmed to belong to the organization that git names.
    known: Mutex<HashSet<(Region, CredentialsName, OrganizationId)>>,
    options: Options,
}

/// The latest time to send a write, by both clocks: the monotonic clock stops while a machine sleeps, and the
/// wall clock may be set.
#[derive(Debug, Clone, Copy)]
struct Latest {
    monotonic: Instant,
    wall: Timestamp,
}

impl Latest {
    fn after(limit: Duration) -> Option<Self> {
        let monotonic = clock::monotonic().checked_add(limit)?;
        let wall = clock::now().checked_add(SignedDuration::try_from(limit).ok()?).ok()?;
        Some(Self { monotonic, wall })
    }

    fn is_past(self) -> bool {
        clock::monotonic() >= self.monotonic || clock::now() >= self.wall
    }
}

impl Client {
    /// Returns a client for these regions and credentials.
    pub fn new(
        base_urls: BTreeMap<Region, Url>,
        credentials: BTreeMap<CredentialsName, ClientCredentials>,
        options: Options,
    ) -> Result<Self, Fault> {
        let proxies = options.proxies.clone();
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::custom(move |url| proxies.of(url)))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .user_agent(concat!("genesync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| local(format!("cannot set up the HTTP client: {error}")))?;
        Ok(Self {
            http,
            base_urls,
            credentials: Mutex::new(credentials),
            tokens: Mutex::default(),
            pacers: Mutex::default(),
            budgets: Mutex::default(),
            known: Mutex::default(),
            options,
        })
    }

    /// Returns the maximum number of parallel requests of one run.
    pub fn in_flight(&self) -> usize {
        self.options.in_flight
    }

    /// Sends an operation. `limit` is the time limit of a write from this call to its answer. A read has the
    /// time limit of the options, which starts when the rate limit admits the request.
    pub async fn send(&self, target: &Target, operation: &Operation, limit: Option<Duration>) -> Sent {
        let late = |limit: Duration| {
            Fault::new(
                FaultKind::Transient,
                format!("the request about {} took longer than {} ms", operation.subject, limit.as_millis()),
            )
        };
        let left = AtomicBool::new(false);
        // A timer fires only after the runtime polled its future. A process that slept beyond the time limit
        // of a write would still send it, so the clock is checked again right before sending.
        let latest = limit.and_then(Latest::after);
        let sent = match limit {
            Some(limit) => {
                tokio::time::timeout(limit, self.attempt(target, operation, (latest, limit), &left))
                    .await
                    .map_err(|_| late(limit))
            }
            None => match self.admit(target, operation.dialect, None).await {
                Ok(admitted) => {
                    let limit = self.options.read_timeout;
                    tokio::time::timeout(limit, self.exchange(target, operation, &admitted, None, &left))
                        .await
                        .map_err(|_| late(limit))
                }
                Err(fault) => Ok(Sent::Never(fault)),
            },
        };
        let sent = sent.unwrap_or_else(|fault| {
            if left.load(Ordering::SeqCst) { Sent::Lost(fault) } else { Sent::Never(fault) }
        });
        self.account(target.region, operation, sent)
    }

    async fn attempt(
        &self,
        target: &Target,
        operation: &Operation,
        (latest, limit): (Option<Latest>, Duration),
        left: &AtomicBool,
    ) -> Sent {
        match self.admit(target, operation.dialect, Some(limit)).await {
            Ok(admitted) => self.exchange(target, operation, &admitted, latest, left).await,
            Err(fault) => Sent::Never(fault),
        }
    }

    /// Sends one request with a token. After a 401, it drops the token and sends the same request once more,
    /// because the server did not execute it.
    async fn exchange(
        &self,
        target: &Target,
        operation: &Operation,
        admitted: &Admitted<'_>,
        latest: Option<Latest>,
        left: &AtomicBool,
    ) -> Sent {
        let base = match self.base_urls.get(&target.region) {
            Some(base) => base,
            None => return Sent::Never(local(format!("no endpoint is known for region {}", target.region))),
        };
        let cell = match self.cell(target, operation.dialect, admitted.bucket().token()) {
            Ok(cell) => cell,
            Err(fault) => return Sent::Never(fault),
        };
        let mut fresh = false;
        loop {
            let fetched = cell
                .token(async |credentials| self.fetch_token(base, credentials, operation.dialect).await)
                .await;
            let token = match fetched {
                Ok(token) => token,
                Err(fault) => {
                    self.do_without(admitted, &fault);
                    return Sent::Never(fault);
                }
            };
            if latest.is_some_and(|latest| latest.is_past()) {
                let message = format!(
                    "the time limit of the request about {} was over before it was sent",
                    operation.subject
                );
                return Sent::Never(Fault::new(FaultKind::Transient, message));
            }
            left.store(true, Ordering::SeqCst);
            match self.request(admitted, base, operation, token.bearer.expose()).await {
                Sent::Answered(response) if response.status == 401 && !fresh => {
                    left.store(false, Ordering::SeqCst);
                    cell.refused(token.generation).await;
                    fresh = true;
                }
                sent => return sent,
            }
        }
    }

    /// Reads a public file from another host of a region, without a token and without redirects.
    pub async fn fetch_public(
        &self,
        region: Region,
        host: &str,
        path: &str,
        subject: &str,
    ) -> Result<Response, Fault> {
        let url = sibling(self.base(region)?, host).join(path);
        self.fetch(url.map_err(|_| local("the endpoint is not a base URL"))?, subject).await
    }

    /// Reads a file that an answer of a region's API points to, without a token, and only from hosts of the
    /// platform. An answer could point to any host, also to one in the network of this machine.
    pub async fn fetch_pointed_to(
        &self,
        region: Region,
        location: &str,
        subject: &str,
    ) -> Result<Response, Fault> {
        let base = self.base(region)?;
        let url = base.join(location).ok().filter(|url| may_follow(base, url)).ok_or_else(|| {
            let message =
                format!("{subject} points to a host outside the platform, so genesync does not follow it");
            Fault::new(FaultKind::Rejected, message)
        })?;
        self.fetch(url, subject).await
    }

    fn base(&self, region: Region) -> Result<&Url, Fault> {
        self.base_urls.get(&region).ok_or_else(|| local(format!("no endpoint is known for region {region}")))
    }

    async fn fetch(&self, url: Url, subject: &str) -> Result<Response, Fault> {
        let way = self.options.proxies.way(&url);
        let failed = |why: String| Fault::new(FaultKind::Transient, format!("{subject}{way}: {why}"));
        let answer = self.http.get(url).timeout(self.options.read_timeout).send().await;
        let answer = answer.map_err(|error| failed(cause(&error)))?;
        let mut response = describe(&answer, subject);
        response.body = read_body(answer, DOWNLOAD_BYTES_MAX).await.map_err(|why| failed(why.to_string()))?;
        Ok(response)
    }

    async fn fetch_token(
        &self,
        base: &Url,
        credentials: &ClientCredentials,
        dialect: Dialect,
    ) -> Result<TokenAnswer, Fault> {
        let subject = format!("the token request of client `{}`", credentials.id);
        let no_url = |_| local("the endpoint is not a base URL");
        let grant = ("grant_type", "client_credentials");
        let (id, secret) = (credentials.id.as_str(), credentials.secret.expose());
        let request = match dialect.capabilities().token_host {
            None => {
                let form = [grant, ("client_id", id), ("client_secret", secret)];
                self.http.post(base.join("oauth/token").map_err(no_url)?).form(&form)
            }
            Some(host) => {
                let url = sibling(base, host).join("oauth/token").map_err(no_url)?;
                self.http.post(url).basic_auth(id, Some(secret)).form(&[grant])
            }
        };
        let answer = request.timeout(self.options.read_timeout).send().await;
        let answer = answer.map_err(|error| {
            let way = error.url().map(|url| self.options.proxies.way(url)).unwrap_or_default();
            Fault::new(FaultKind::Transient, format!("{subject}{way} failed: {}", cause(&error)))
        })?;
        crash::point("C28");
        let status = answer.status().as_u16();
        let retry_after_ms =
            header(&answer, RETRY_AFTER.as_str()).and_then(|value| retry_after_ms(value, clock::now()));
        let body = read_body(answer, BODY_BYTES_MAX)
            .await
            .map_err(|why| Fault::new(FaultKind::Transient, format!("{subject}: {why}")))?;
        Ok(TokenAnswer { status, body, retry_after_ms })
    }

    async fn request(&self, admitted: &Admitted<'_>, base: &Url, operation: &Operation, token: &str) -> Sent {
        let Ok(url) = base.join(&operation.path) else {
            return Sent::Never(local("the endpoint is not a base URL"));
        };
        let method = match operation.verb {
            Verb::Get => Method::GET,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Query | Verb::Start => Method::POST,
        };
        let mut headers = HeaderMap::new();
        let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {token}")) else {
            return Sent::Never(local("the token cannot be sent"));
        };
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        if let Some(version) = operation.if_match {
            headers.insert(IF_MATCH, HeaderValue::from(version));
        }
        let way = self.options.proxies.way(&url);
        let mut request = self.http.request(method, url);
        if let Some(body) = &operation.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body.clone());
        }
        let sent_at = clock::monotonic();
        let answer = match request.headers(headers).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let fault = Fault::new(
                    FaultKind::Transient,
                    format!("the request about {}{way} failed: {}", operation.subject, cause(&error)),
                );
                self.heard(RequestEvent::Answered { status: None, budget_left: None });
                return if error.is_connect() || error.is_builder() {
                    Sent::Never(fault)
                } else {
                    Sent::Lost(fault)
                };
            }
        };
        match operation.verb {
            Verb::Put | Verb::Start | Verb::Patch => crash::point("C08"),
            Verb::Query => crash::point("C16"),
            Verb::Get => {}
        }
        let mut response = describe(&answer, &operation.subject);
        let allowance = allowance(&answer);
        let share = |of: Allowance| Some(f64::from(of.left?) / f64::from(of.per_minute.get()));
        let budget_left = allowance.and_then(share);
        self.heard(RequestEvent::Answered { status: Some(response.status), budget_left });
        self.pace(admitted.bucket(), &response, allowance, sent_at);
        tracing::debug!(
            method = operation.verb.method(), path = %operation.path, status = response.status,
            request_id = response.request_id.as_deref().unwrap_or_default(), "answered"
        );
        match read_body(answer, BODY_BYTES_MAX).await {
            Ok(body) => {
                response.body = body;
                Sent::Answered(response)
            }
            Err(why) => {
                let message = format!("cannot read the answer about {}: {why}", operation.subject);
                let fault = response.fault(FaultKind::Transient, message);
                Sent::Lost(Fault { too_large: matches!(why, Unread::TooLarge(_)), ..fault })
            }
        }
    }

    /// Updates the pacer of a bucket from an answer.
    fn pace(&self, key: &BucketKey, response: &Response, allowance: Option<Allowance>, sent_at: Instant) {
        let mut pacers = self.pacers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pacer) = pacers.get_mut(key) {
            let now = clock::monotonic();
            pacer.learn(response.status, response.retry_after_ms, allowance, sent_at, now);
        }
    }

    fn heard(&self, reported: RequestEvent<'_>) {
        if let Some(heard) = &self.options.heard {
            heard(reported);
        }
    }
}

#[cfg(test)]
mod tests;
