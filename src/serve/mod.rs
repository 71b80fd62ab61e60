//! The controller's own HTTP: probes, metrics, and the git webhook.
//!
//! In: connections of anybody, and a [`Surface`] that knows how the controller is. Out: short answers, and
//! [`Surface::hint`] where a forge says that something was pushed. Never: believes anything in a body, reads
//! more than a mebibyte of one, or waits for a client longer than its deadline. Start reading at [`serve`],
//! then `hooks.rs`.

mod hooks;
mod server;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::model::text::escape;
use crate::telemetry::masked;
use crate::telemetry::metrics::{CONTENT_TYPE, HookResult};
pub use server::serve;
pub use signature::{HookSecretError, HookSecrets};

/// What the server asks the controller. Every answer is one at once, from what is known already: a probe
/// that waits for a database says nothing about the process.
pub trait Surface: Send + Sync + 'static {
    /// Whether the process does its work: its loop ticks.
    ///
    /// # Errors
    /// Why it should be started anew, in a line.
    fn healthy(&self) -> Result<(), String>;
    /// Whether it can do its work: the store answers, and a first head is loaded.
    ///
    /// # Errors
    /// Why not, in a line.
    fn ready(&self) -> Result<(), String>;
    /// The text for Prometheus.
    fn metrics(&self) -> String;
    /// The forge says that something was pushed: the source is worth a look. Must not wait.
    fn hint(&self);
    /// What became of a request to the webhook, for the metrics.
    fn hooked(&self, result: HookResult);
}

/// Limits for clients.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// How long a client may take for a request's head, and be idle between two requests.
    pub head_timeout: Duration,
    /// How long it may take for a body.
    pub body_timeout: Duration,
    /// Open connections; with one more, the oldest is closed. A slow crowd can't shut a probe out.
    pub connections_max: usize,
    /// How long a connection is kept at most.
    pub connection_age_max: Duration,
    /// How long open requests may take to end once the server stops.
    pub stop_timeout: Duration,
    /// Requests a minute to the webhook, from everybody together.
    pub hooks_per_minute: u32,
}

impl Default for ServeOptions {
    /// A push is one request: 120 a minute is a busy forge.
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            connections_max: 512,
            connection_age_max: Duration::from_secs(600),
            stop_timeout: Duration::from_secs(5),
            hooks_per_minute: 120,
        }
    }
}

type Controller = Arc<dyn Surface>;

/// The routes. Without secrets there is no webhook.
fn router(controller: Controller, secrets: Option<HookSecrets>, options: &ServeOptions) -> Router {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&controller));
    let Some(secrets) = secrets else { return router };
    let hooks = Arc::new(hooks::Hooks::new(controller, secrets, options));
    router.route("/hooks/git", post(hooks::git).with_state(hooks))
}

async fn healthz(State(controller): State<Controller>) -> Response {
    probe(controller.healthy())
}

async fn readyz(State(controller): State<Controller>) -> Response {
    probe(controller.ready())
}

async fn metrics(State(controller): State<Controller>) -> Response {
    let mut response = plain(StatusCode::OK, controller.metrics());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

fn probe(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => plain(StatusCode::OK, "ok\n"),
        Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, one_line(&reason)),
    }
}

/// Characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;

/// A reason for whoever probes: others' errors are in it.
fn one_line(reason: &str) -> String {
    let line: String = escape(&masked(reason)).chars().take(REASON_CHARS_MAX).collect();
    line + "\n"
}

fn plain(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, HEADERS, body.into()).into_response()
}
