//! The body of every 4xx and 5xx.
//!
//! In: a status, a code, a message. Out: an answer in the contract's format.
//! Never: decides that something is an error. Start reading at [`ApiError::new`].

use crate::emulator::message::Response;
use serde_json::{Map, Value};

/// The result of a handler.
pub(super) type Answer = Result<Response, ApiError>;

/// An error answer without the id of its request.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Map<String, Value>,
}

impl ApiError {
    /// Returns an error with a status, a code and a message.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> ApiError {
        let mut body = Map::new();
        body.insert("message".to_owned(), Value::String(message.into()));
        body.insert("code".to_owned(), Value::String(code.to_owned()));
        body.insert("status".to_owned(), Value::from(status));
        // Reserves the position of the field; `into_response` sets the id.
        body.insert("contextId".to_owned(), Value::Null);
        body.insert("details".to_owned(), Value::Array(Vec::new()));
        ApiError { status, headers: Vec::new(), body }
    }

    /// Returns the error for a malformed request.
    pub fn malformed(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "bad.request", message)
    }

    /// Adds a member to the body.
    pub fn with(mut self, name: &str, value: Value) -> ApiError {
        self.body.insert(name.to_owned(), value);
        self
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> ApiError {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the headers.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// Returns a text member of the body, or an empty text if the body has no such member.
    pub fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the answer to the request with this id.
    pub fn into_response(mut self, request_id: &str) -> Response {
        if let Some(place) = self.body.get_mut("contextId") {
            *place = Value::String(request_id.to_owned());
        }
        let mut response = Response::json(self.status, &self.body);
        response.headers.extend(self.headers);
        response
    }
}

/// Returns the error for a method that the path does not support.
pub(super) fn wrong_method(allowed: &'static str) -> ApiError {
    ApiError::new(405, "method.not.allowed", format!("allowed here: {allowed}")).with_header("allow", allowed)
}
