//! `POST /hooks/git`: a forge says that something was pushed.
//!
//! The order is the defence. What can be refused by the head alone is refused before a byte of the body is
//! read; the body is read up to a limit and a deadline; it is proved to be the forge's before anything is
//! made of it; and then nothing is: which repository and branch are looked at, the settings decide.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::StreamExt as _;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

use super::answer::plain;
use super::options::ServeOptions;
use super::signature::HookSecrets;
use super::surface::Surface;
use crate::clock;
use crate::telemetry::metrics::HookResult;

/// Largest body. Forges send up to 25 MiB for a push of thousands of commits: such a one is found by polling.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Requests that may come at once.
const BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// What the webhook needs.
pub struct Hooks {
    surface: Arc<dyn Surface>,
    secrets: HookSecrets,
    limiter: DefaultDirectRateLimiter,
    body_timeout: std::time::Duration,
}

impl Hooks {
    /// A webhook for these secrets.
    pub fn new(surface: Arc<dyn Surface>, secrets: HookSecrets, options: &ServeOptions) -> Self {
        let per_minute = NonZeroU32::new(options.hooks_per_minute).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(BURST.min(per_minute));
        let limiter = DefaultDirectRateLimiter::direct(quota);
        Self { surface, secrets, limiter, body_timeout: options.body_timeout }
    }
}

/// Why a body was not taken.
enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

/// The handler.
pub async fn git(State(hooks): State<Arc<Hooks>>, request: Request) -> Response {
    let (result, response) = answer(&hooks, request).await;
    hooks.surface.hooked(result);
    response
}

async fn answer(hooks: &Hooks, request: Request) -> (HookResult, Response) {
    let (head, body) = request.into_parts();
    if announced_length(&head.headers).is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return too_large();
    }
    if let Err(refused) = hooks.limiter.check() {
        let wait = refused.wait_time_from(DefaultClock::default().now());
        let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        return (HookResult::Throttled, response);
    }
    let body = match tokio::time::timeout(hooks.body_timeout, read(body))
        .await
        .unwrap_or(Err(Unread::TooSlow))
    {
        Ok(body) => body,
        Err(Unread::TooLarge) => return too_large(),
        Err(Unread::TooSlow) => {
            return (HookResult::Incomplete, plain(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"));
        }
        Err(Unread::Broken) => {
            return (HookResult::Incomplete, plain(StatusCode::BAD_REQUEST, "the body broke off\n"));
        }
    };
    if !hooks.secrets.signed(&head.headers, &body, clock::now()) {
        return (HookResult::Unsigned, plain(StatusCode::UNAUTHORIZED, "no signature fits\n"));
    }
    match event(&head.headers) {
        Event::Push => {
            hooks.surface.hint();
            (HookResult::Hint, plain(StatusCode::ACCEPTED, "the source will be looked at\n"))
        }
        Event::Ping => (HookResult::Ping, plain(StatusCode::OK, "pong\n")),
        Event::Other => (HookResult::Ignored, plain(StatusCode::OK, "only pushes are of interest\n")),
    }
}

fn too_large() -> (HookResult, Response) {
    (HookResult::TooLarge, plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"))
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body) -> Result<Vec<u8>, Unread> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Unread::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

enum Event {
    Push,
    Ping,
    Other,
}

/// What the forge speaks of. GitHub does not sign this header; nothing worse than a look at the source can
/// come of a wrong one.
fn event(headers: &HeaderMap) -> Event {
    let named = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match (named("x-github-event"), named("x-gitlab-event")) {
        (Some(b"push"), _) | (None, Some(b"Push Hook" | b"Tag Push Hook")) => Event::Push,
        (Some(b"ping"), _) => Event::Ping,
        _ => Event::Other,
    }
}
