//! Requests and answers as plain values, free of any HTTP library.
//!
//! In: whatever arrived, however odd. Out: what to send back, or that nothing is sent.
//! Never: interprets a path or a body. Start reading at [`Request`].

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in upper case as HTTP sends it.
    pub method: String,
    /// The path as it was sent, percent signs included, without the query.
    pub path: String,
    /// What follows the question mark; empty when there is none.
    pub query: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
}

impl Request {
    /// Makes a request without headers and body from a method and a path, which may carry a `?query`.
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        }
    }

    /// Adds a header; the name is put in lower case.
    pub fn with_header(mut self, name: &str, value: &str) -> Request {
        self.headers.insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// Returns a header's value by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// One HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in the order they are sent, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, shared with the stored configuration where it is one.
    pub body: Arc<[u8]>,
}

impl Response {
    /// Makes an answer without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Arc::from([].as_slice()) }
    }

    /// Makes a JSON answer from bytes that are JSON already.
    pub fn json_bytes(status: u16, body: Arc<[u8]>) -> Response {
        Response { status, headers: vec![("content-type", "application/json".to_owned())], body }
    }

    /// Makes a JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Response {
        Response::json_bytes(status, to_bytes(value))
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the first header of that lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The answer; `None` closes the connection without one.
    pub response: Option<Response>,
    /// How long to wait before answering or closing, in milliseconds.
    pub delay_ms: u64,
}

/// Writes a value as JSON; nothing here has a key that is not text, so the fallback is never seen.
pub(super) fn to_bytes(value: &impl Serialize) -> Arc<[u8]> {
    Arc::from(serde_json::to_vec(value).unwrap_or_default())
}
