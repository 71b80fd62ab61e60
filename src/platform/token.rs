//! Caches tokens: fetches each once for all waiting requests, renews it before it expires, and drops it after
//! a 401.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::ClientCredentials;
use crate::clock;
use crate::model::{Fault, FaultKind, Secret};

/// How long before its expiry a token is replaced.
const REFRESH_AHEAD: Duration = Duration::from_secs(60);
/// The minimum and maximum lifetime of a token, in seconds.
const LIFE_S: std::ops::RangeInclusive<u64> = 1..=172_800;

/// A token and its number, so that a 401 drops only the token that it refused.
#[derive(Clone)]
pub struct Token {
    /// The value for `Authorization`.
    pub bearer: Arc<Secret>,
    /// The number, which grows with every new token.
    pub generation: u64,
    refresh_at: Instant,
}

/// The answer to a token request.
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// `Retry-After` in milliseconds, clamped.
    pub retry_after_ms: Option<u64>,
}

/// How long a failed token request also fails all waiting requests. A revoked client with a thousand tenants
/// is refused once in this time instead of a thousand times.
const FAILURE_KEPT: Duration = Duration::from_secs(2);

/// How long a client waits after too many token requests, in milliseconds; their limit is per minute.
const TOKEN_WAIT_MS: u64 = 15_000;

/// The cached token of one client, or its last failure.
#[derive(Default)]
struct Known {
    token: Option<Token>,
    generation: u64,
    failed: Option<(Instant, Fault)>,
}

/// The token of one client at one base URL.
pub struct TokenCell {
    credentials: ClientCredentials,
    // The lock is held during a fetch, so that all other requests wait for that fetch.
    current: Mutex<Known>,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Number>,
}

impl TokenCell {
    /// Returns a cell without a token.
    pub fn new(credentials: ClientCredentials) -> Self {
        Self { credentials, current: Mutex::default() }
    }

    /// Returns a valid token. `fetch` sends the token request if there is no token.
    pub async fn token<F>(&self, fetch: F) -> Result<Token, Fault>
    where
        F: AsyncFnOnce(&ClientCredentials) -> Result<TokenAnswer, Fault>,
    {
        let mut known = self.current.lock().await;
        let now = clock::monotonic();
        if let Some(token) = known.token.as_ref().filter(|token| now < token.refresh_at) {
            return Ok(token.clone());
        }
        if let Some((_, fault)) =
            known.failed.as_ref().filter(|(at, _)| now.duration_since(*at) < FAILURE_KEPT)
        {
            return Err(fault.clone());
        }
        let read = fetch(&self.credentials).await.and_then(|answer| read(&answer, &self.credentials.id));
        let (bearer, life) = match read {
            Ok(read) => read,
            Err(fault) => {
                known.failed = Some((clock::monotonic(), fault.clone()));
                return Err(fault);
            }
        };
        known.generation += 1;
        let token =
            Token { bearer: Arc::new(bearer), generation: known.generation, refresh_at: now + usable(life) };
        (known.token, known.failed) = (Some(token.clone()), None);
        Ok(token)
    }

    /// Drops a token that the server refused, unless a newer one is already cached.
    pub async fn refused(&self, generation: u64) {
        let mut known = self.current.lock().await;
        if known.token.as_ref().is_some_and(|token| token.generation == generation) {
            known.token = None;
        }
    }
}

/// Returns how long a token is used: until 60 s before its expiry, or at least half of its lifetime.
fn usable(life: Duration) -> Duration {
    life.checked_sub(REFRESH_AHEAD).unwrap_or(Duration::ZERO).max(life / 2)
}

fn read(answer: &TokenAnswer, client_id: &str) -> Result<(Secret, Duration), Fault> {
    let TokenAnswer { status, body, retry_after_ms } = answer;
    let status = *status;
    let fault =
        |kind, what: &str| Fault::new(kind, format!("the token request of client `{client_id}` {what}"));
    // The `cloud` dialect refuses too many token requests with 400 instead of 429.
    let limited = status == 400 && String::from_utf8_lossy(body).contains("rate limit exceeded");
    match status {
        200 => {}
        400 if limited => {
            let fault = fault(FaultKind::Throttled, "was answered with 400: too many token requests");
            return Err(Fault { retry_after_ms: retry_after_ms.or(Some(TOKEN_WAIT_MS)), ..fault });
        }
        400 | 401 | 403 => {
            return Err(fault(
                FaultKind::Denied,
                &format!("was refused with {status}: the client's id or secret is wrong, or it was revoked"),
            ));
        }
        429 => {
            let fault = fault(FaultKind::Throttled, "was answered with 429");
            return Err(Fault { retry_after_ms: *retry_after_ms, ..fault });
        }
        // A redirect or a 407 comes from a proxy or gateway in between.
        300..=399 | 407 | 500..=599 => {
            return Err(fault(FaultKind::Transient, &format!("was answered with {status}")));
        }
        _ => return Err(fault(FaultKind::Rejected, &format!("was answered with {status}"))),
    }
    // The message of the JSON parser could quote the token.
    let body: TokenBody = serde_json::from_slice(body)
        .map_err(|_| fault(FaultKind::Transient, "was answered without a valid token"))?;
    let header_safe =
        !body.access_token.is_empty() && body.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !header_safe {
        return Err(fault(FaultKind::Transient, "was answered without a valid token"));
    }
    // Without a valid lifetime, the token gets the shortest one. That costs a request and is always safe.
    let life_s = body
        .expires_in
        .and_then(|number| number.as_f64())
        .filter(|seconds| seconds.is_finite() && *seconds >= 1.0);
    let life_s =
        life_s.map_or(*LIFE_S.start(), |seconds| (seconds as u64).clamp(*LIFE_S.start(), *LIFE_S.end()));
    Ok((Secret::new(body.access_token), Duration::from_secs(life_s)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn answer(status: u16, body: &str) -> TokenAnswer {
        TokenAnswer { status, body: body.as_bytes().to_vec(), retry_after_ms: None }
    }

    fn cell() -> TokenCell {
        TokenCell::new(ClientCredentials {
            id: "client".into(),
            secret: Secret::new("canary-secret".into()),
            tokens: 1,
        })
    }

    #[test]
    fn invalid_lifetimes_are_clamped() {
        let life = |expires: &str| {
            read(&answer(200, &format!("{{\"access_token\":\"t\"{expires}}}")), "c")
                .map(|(_, life)| life.as_secs())
        };
        let table = [
            ("", 1),
            (",\"expires_in\":0", 1),
            (",\"expires_in\":-5", 1),
            (",\"expires_in\":3600", 3600),
            (",\"expires_in\":1e12", 172_800),
        ];
        for (expires, expected) in table {
            assert_eq!(life(expires), Ok(expected), "{expires}");
        }
        assert_eq!(usable(Duration::from_secs(3600)), Duration::from_secs(3540));
        assert_eq!(usable(Duration::from_secs(80)), Duration::from_secs(40));
    }

    #[test]
    fn an_answer_without_a_token_is_a_fault_that_quotes_nothing() {
        for (status, body) in [
            (200, "<html>canary"),
            (200, "{\"access_token\":\"canary\\n\"}"),
            (200, "{\"access_token\":\"\"}"),
            (401, "{\"error\":\"canary\"}"),
            (500, "canary"),
            (302, ""),
        ] {
            let fault = read(&answer(status, body), "client").err().unwrap();
            assert!(!fault.message.contains("canary"), "{fault}");
        }
    }

    #[tokio::test]
    async fn waiting_requests_share_one_fetch_and_a_refused_token_is_replaced_once() {
        let (cell, fetches) = (cell(), AtomicU32::new(0));
        let fetch = async |_: &ClientCredentials| {
            let n = fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(answer(200, &format!("{{\"access_token\":\"t{n}\",\"expires_in\":3600}}")))
        };
        let tokens = futures::future::join_all((0..50).map(|_| cell.token(fetch))).await;
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        let generation = tokens[0].as_ref().map(|token| token.generation).unwrap();
        for _ in 0..50 {
            cell.refused(generation).await;
        }
        futures::future::join_all((0..50).map(|_| cell.token(fetch))).await;
        cell.refused(generation).await;
        cell.token(fetch).await.map(|token| assert_eq!(token.generation, 2)).unwrap();
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_refused_client_is_refused_once_for_all_waiting_requests() {
        let (cell, fetches) = (cell(), AtomicU32::new(0));
        let fetch = async |_: &ClientCredentials| {
            fetches.fetch_add(1, Ordering::SeqCst);
            Ok(answer(401, "{}"))
        };
        let tokens = futures::future::join_all((0..50).map(|_| cell.token(fetch))).await;
        assert!(
            tokens.iter().all(|token| token.as_ref().is_err_and(|fault| fault.kind == FaultKind::Denied))
        );
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}
