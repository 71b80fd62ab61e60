//! The webhook `POST /hooks/git`: a forge reports a push.
//!
//! The order of the checks matters. A request that can be refused by its headers alone, such as one without a
//! signature, is refused before a byte of the body is read. The body is read up to a limit and a deadline,
//! and its signature is checked while it is read. Its content is ignored: the settings decide which
//! repository and branch genesync fetches. Requests without a valid signature have a rate limit of their own.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::StreamExt as _;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

use super::answer::plain;
use super::options::ServeOptions;
use super::signature::{HookSecrets, Proof};
use super::surface::Surface;
use crate::clock;
use crate::telemetry::metrics::HookResult;

/// Largest body, in bytes. Forges send up to 25 MiB for a push of thousands of commits; polling finds such a
/// push.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Burst of each rate limit, in requests.
const BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// The state of the webhook.
pub struct Hooks {
    surface: Arc<dyn Surface>,
    secrets: HookSecrets,
    /// Rate limit of requests with a valid signature.
    signed: Share,
    /// Rate limit of all other requests, separate so that they cannot use up the limit of signed ones.
    unsigned: Share,
    body_timeout: Duration,
}

impl Hooks {
    /// Makes a webhook for these secrets.
    pub fn new(surface: Arc<dyn Surface>, secrets: HookSecrets, options: &ServeOptions) -> Self {
        let share = || Share::of(options.hooks_per_minute);
        let (signed, unsigned) = (share(), share());
        Self { surface, secrets, signed, unsigned, body_timeout: options.body_timeout }
    }

    fn refuse_unsigned(&self) -> (HookResult, Response) {
        match self.unsigned.take() {
            Ok(()) => (HookResult::Unsigned, plain(StatusCode::UNAUTHORIZED, "no valid signature\n")),
            Err(wait) => throttled(wait),
        }
    }
}

/// A rate limit.
struct Share {
    limiter: DefaultDirectRateLimiter,
    /// Until when it is used up, if known.
    used_up_until: Mutex<Option<Instant>>,
}

impl Share {
    fn of(per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(BURST.min(per_minute));
        Self { limiter: DefaultDirectRateLimiter::direct(quota), used_up_until: Mutex::default() }
    }

    /// Returns how long it is still used up, if known, without using it.
    fn left(&self) -> Option<Duration> {
        let until = *self.used_up_until.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(clock::monotonic())
    }

    fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            let until = clock::monotonic().checked_add(wait);
            *self.used_up_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
            wait
        })
    }
}

/// Why a body was not accepted.
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
    let Some(mut proof) = hooks.secrets.begin(&head.headers, clock::now()) else {
        return hooks.refuse_unsigned();
    };
    if let Some(wait) = hooks.signed.left() {
        return throttled(wait);
    }
    let read = tokio::time::timeout(hooks.body_timeout, read(body, &mut proof));
    match read.await.unwrap_or(Err(Unread::TooSlow)) {
        Ok(()) => {}
        Err(Unread::TooLarge) => return too_large(),
        Err(Unread::TooSlow) => {
            return (HookResult::Incomplete, plain(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"));
        }
        Err(Unread::Broken) => {
            return (HookResult::Incomplete, plain(StatusCode::BAD_REQUEST, "the body is incomplete\n"));
        }
    }
    // Only now it is known which rate limit counts, because any client can send a header.
    if !proof.holds() {
        return hooks.refuse_unsigned();
    }
    if let Err(wait) = hooks.signed.take() {
        return throttled(wait);
    }
    match event(&head.headers) {
        Event::Push => {
            hooks.surface.hint();
            (HookResult::Hint, plain(StatusCode::ACCEPTED, "genesync will fetch the repository\n"))
        }
        Event::Ping => (HookResult::Ping, plain(StatusCode::OK, "pong\n")),
        Event::Other => (HookResult::Ignored, plain(StatusCode::OK, "ignored: only pushes matter\n")),
    }
}

fn throttled(wait: Duration) -> (HookResult, Response) {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    (HookResult::Throttled, response)
}

fn too_large() -> (HookResult, Response) {
    (HookResult::TooLarge, plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"))
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body and updates the check of its signature. It keeps nothing, so that many concurrent bodies need
/// no memory.
async fn read(body: Body, proof: &mut Proof<'_>) -> Result<(), Unread> {
    let mut chunks = body.into_data_stream();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        length += chunk.len();
        if length > BODY_BYTES_MAX {
            return Err(Unread::TooLarge);
        }
        proof.update(&chunk);
    }
    Ok(())
}

enum Event {
    Push,
    Ping,
    Other,
}

/// Returns the event that the forge reports. GitHub does not sign this header; a wrong one causes at most a
/// fetch.
fn event(headers: &HeaderMap) -> Event {
    let named = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match (named("x-github-event"), named("x-gitlab-event")) {
        (Some(b"push"), _) | (None, Some(b"Push Hook" | b"Tag Push Hook")) => Event::Push,
        (Some(b"ping"), _) => Event::Ping,
        _ => Event::Other,
    }
}
