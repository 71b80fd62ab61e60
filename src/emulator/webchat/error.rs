//! Errors with the messages and codes of the `webchat` API.
//!
//! In: the fields that break rules, or a scripted status. Out: an [`ApiError`] or an answer.
//! Never: decides that something is an error.

use crate::emulator::error::ApiError;
use crate::emulator::message::Response;
use serde_json::json;

/// One field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct FieldError {
    /// The dotted path of the field.
    pub field: String,
    /// The rule that it breaks.
    pub message: String,
}

/// Returns the error for a well-formed request whose fields break rules.
pub(super) fn invalid(code: &str, message: &str, errors: &[FieldError]) -> ApiError {
    ApiError::new(422, code, message).with("errors", json!(errors))
}

/// Returns the answer for a scripted status.
pub(in crate::emulator) fn scripted(
    status: u16,
    retry_after: Option<&str>,
    code: Option<&str>,
    message: Option<&str>,
    request_id: &str,
) -> Response {
    if matches!(status, 204 | 304) {
        return Response::empty(status);
    }
    let message = message.unwrap_or("scripted by a fault of the emulator");
    let mut error = ApiError::new(status, code.unwrap_or_else(|| usual_code(status)), message);
    if let Some(value) = retry_after {
        error = error.with_header("retry-after", value);
    }
    error.into_response(request_id)
}

/// Returns the default code of a status, for a scripted fault.
fn usual_code(status: u16) -> &'static str {
    match status {
        400 => "bad.request",
        401 => "authentication.required",
        403 => "not.authorized",
        404 => "not.found",
        405 => "method.not.allowed",
        408 | 504 => "timeout",
        409 => "conflict",
        413 => "payload.too.large",
        422 => "validation.failed",
        429 => "rate.limit.exceeded",
        502 => "bad.gateway",
        503 => "service.unavailable",
        500..=599 => "internal.error",
        _ => "scripted",
    }
}
