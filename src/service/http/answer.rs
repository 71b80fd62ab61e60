//! Answers: short plain text that must not be cached.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::model::text::escape;
use crate::telemetry::masked;

/// Largest number of characters of a displayed reason.
const REASON_CHARS_MAX: usize = 200;

/// Returns the answer to a probe: 200, or 503 with the reason.
pub fn probe(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => plain(StatusCode::OK, "ok\n"),
        Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, one_line(&reason)),
    }
}

/// Returns a reason in one line, masked and escaped, because it may contain errors of other systems.
fn one_line(reason: &str) -> String {
    let line: String = escape(&masked(reason)).chars().take(REASON_CHARS_MAX).collect();
    line + "\n"
}

/// Returns a text with a status.
pub fn plain(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, HEADERS, body.into()).into_response()
}
