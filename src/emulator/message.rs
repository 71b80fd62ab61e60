//! Requests and answers as plain values, independent of any HTTP library.
//!
//! In: any request. Out: an answer, or none.
//! Never: interprets a path or a body. Start reading at [`Request`].

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in upper case as HTTP sends it.
    pub method: String,
    /// The path as it was sent, with percent escapes and without the query.
    pub path: String,
    /// The part after the question mark; empty if there is none.
    pub query: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns a request without headers and body, from a method and a path that can have a `?query`.
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        }
    }

    /// Adds a header and converts its name to lower case.
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
    /// The body; if it is a stored configuration, the two share the bytes.
    pub body: Arc<[u8]>,
}

impl Response {
    /// Returns an answer without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Arc::from([].as_slice()) }
    }

    /// Returns a JSON answer from bytes that are already JSON.
    pub fn json_bytes(status: u16, body: Arc<[u8]>) -> Response {
        Response { status, headers: vec![("content-type", "application/json".to_owned())], body }
    }

    /// Returns a JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Response {
        Response::json_bytes(status, to_bytes(value))
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the first header with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The answer; `None` closes the connection without one.
    pub response: Option<Response>,
    /// The delay before the answer or the close, in milliseconds.
    pub delay_ms: u64,
}

/// Serializes a value as JSON. It cannot fail, because all keys in the emulator are text.
pub(super) fn to_bytes(value: &impl Serialize) -> Arc<[u8]> {
    Arc::from(serde_json::to_vec(value).unwrap_or_default())
}
