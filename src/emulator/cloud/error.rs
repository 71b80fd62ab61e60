//! Errors with the messages and codes of the cloud API.
//!
//! In: the details of an error. Out: an [`ApiError`] whose body is the API's `ErrorBody`.
//! Never: decides that something is an error.

use crate::emulator::error::ApiError;
use serde::Serialize;
use serde_json::json;

/// One invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail {
    /// The error of the field.
    pub error_code: String,
    /// The dotted path of the field.
    pub field_name: String,
}

impl Detail {
    /// Returns the detail for a field and its error.
    pub fn new(field_name: impl Into<String>, error_code: impl Into<String>) -> Detail {
        Detail { error_code: error_code.into(), field_name: field_name.into() }
    }
}

/// Returns an error with a status, a code and a message.
pub(crate) fn refusal(status: u16, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(status, code, message).with("errors", json!([]))
}

/// Returns the error for a request that is malformed or currently not allowed.
pub(crate) fn bad_request(message: impl Into<String>) -> ApiError {
    refusal(400, "bad.request", message)
}

/// Returns the error for a body with invalid fields.
pub(crate) fn invalid(details: &[Detail]) -> ApiError {
    let named: Vec<String> =
        details.iter().map(|detail| format!("{}: {}", detail.field_name, detail.error_code)).collect();
    bad_request(format!("The request has invalid fields. {}", named.join("; ")))
        .with("details", json!(details))
}

/// Returns the error for an unknown object.
pub(crate) fn not_found(entity_id: &str) -> ApiError {
    refusal(404, "not.found", "The requested resource was not found.").with("entityId", entity_id.into())
}

/// Returns the error for a conflict with other objects.
pub(crate) fn conflict(message: impl Into<String>) -> ApiError {
    refusal(409, "conflict", message)
}

/// Returns the error for missing permissions.
pub(crate) fn missing_permissions(permissions: &[&str]) -> ApiError {
    let missing = permissions.join(", ");
    let text = "Unable to perform the requested action. You are missing the following permission(s):";
    refusal(403, "missing.permissions", format!("{text} {missing}"))
        .with("messageWithParams", format!("{text} {{permissions}}").into())
        .with("messageParams", json!({ "permissions": missing }))
}

/// Returns the default code of a status, for a scripted fault.
pub(crate) fn usual_code(status: u16) -> &'static str {
    match status {
        400 => "bad.request",
        401 => "bad.credentials",
        403 => "not.authorized",
        404 => "not.found",
        405 => "method.not.allowed",
        408 => "request.timeout",
        409 => "conflict",
        413 => "request.too.large",
        415 => "unsupported.media.type",
        429 => "too.many.requests.retry.after",
        503 => "service.unavailable",
        504 => "request.timeout",
        500..=599 => "internal.server.error",
        _ => "scripted",
    }
}
