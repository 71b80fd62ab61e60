//! The requests that genesync can send, and their answers with the parsed headers.
//!
//! Each request about a target is an [`Operation`], so [`Verb`] lists everything that genesync can do.

use std::borrow::Cow;

use crate::model::{Dialect, Fault, FaultKind};

/// The action of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read an object. May be sent again.
    Get,
    /// Query the audit log: a POST that changes nothing. May be sent again.
    Query,
    /// Store a configuration. Sent once.
    Put,
    /// Create a replication job, an object or a version. Sent once.
    Start,
    /// Change some fields of an object. Sent once.
    Patch,
}

impl Verb {
    /// Returns the HTTP method.
    pub fn method(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Query | Verb::Start => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
        }
    }

    /// Returns whether the action changes something.
    pub fn mutates(self) -> bool {
        matches!(self, Verb::Put | Verb::Start | Verb::Patch)
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The action.
    pub verb: Verb,
    /// The path below the base URL, without a leading slash.
    pub path: String,
    /// `If-Match`, if the request requires a version.
    pub if_match: Option<u64>,
    /// A JSON body.
    pub body: Option<Vec<u8>>,
    /// The object of the request, for messages: `the configuration of organization …`.
    pub subject: String,
    /// The dialect, which sets the rules for hosts, tokens and limits.
    pub dialect: Dialect,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `X-Request-Id`, made safe to show.
    pub request_id: Option<String>,
    /// `Retry-After` in milliseconds, clamped.
    pub retry_after_ms: Option<u64>,
    /// The URL in `Location`. The client never follows it; only a caller that expects it reads it.
    pub location: Option<String>,
    /// The server's clock, from `Date`.
    pub date: Option<jiff::Timestamp>,
    /// The requests per minute that the server allows, if it reports them.
    pub allowed_per_minute: Option<u32>,
    /// Whether `Content-Type` is JSON.
    pub is_json: bool,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// The object of the request, for messages.
    pub subject: String,
}

/// The maximum `Retry-After`, in milliseconds: 1 hour.
pub const RETRY_AFTER_MAX_MS: u64 = 3_600_000;

impl Response {
    /// Returns a message with the object of the request and the status of the answer.
    pub fn reported(&self) -> String {
        let mut reported = format!("the request about {} was answered with {}", self.subject, self.status);
        if self.is_detour() {
            reported.push_str(match self.status {
                304 => ", although genesync uses no cache",
                407 => ", and the proxy requires credentials",
                _ => ", and genesync does not follow redirects",
            });
            reported.push_str(": a proxy or gateway in between may have answered");
            // The rest of the URL may contain a session.
            let host = self.location.as_deref().and_then(|location| url::Url::parse(location).ok());
            if let Some(host) = host.as_ref().and_then(url::Url::host_str) {
                reported.push_str(&format!(", and the answer points to `{}`", shown(host, 100)));
            }
        }
        reported
    }

    /// Returns whether the answer is a redirect or comes from a proxy. The API never sends such an answer.
    pub fn is_detour(&self) -> bool {
        (300..=399).contains(&self.status) || self.status == 407
    }

    /// Returns a fault with the request id and `Retry-After` of this answer.
    pub fn fault(&self, kind: FaultKind, message: impl Into<String>) -> Fault {
        Fault {
            request_id: self.request_id.clone(),
            retry_after_ms: self.retry_after_ms,
            ..Fault::new(kind, message)
        }
    }
}

/// Parses `Retry-After`, in seconds or as an HTTP date, and returns milliseconds: none for an invalid value,
/// and 0 for a date in the past.
pub fn retry_after_ms(value: &str, now: jiff::Timestamp) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(1_000).min(RETRY_AFTER_MAX_MS));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let date = jiff::Timestamp::try_from(date).ok()?;
    let wait = u64::try_from(date.duration_since(now).as_millis()).unwrap_or(0);
    Some(wait.min(RETRY_AFTER_MAX_MS))
}

/// Returns a text of a server without control characters, and shortened to `length_max` characters.
pub fn shown(text: &str, length_max: usize) -> Cow<'_, str> {
    let plain = |c: char| !c.is_control();
    if text.chars().count() <= length_max && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| plain(*c)).take(length_max).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_clamped_or_ignored() {
        let now: jiff::Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let table = [
            ("3", Some(3_000)),
            (" 0 ", Some(0)),
            ("1000000000000000000000", Some(RETRY_AFTER_MAX_MS)),
            ("Fri, 20 Nov 2026 12:00:05 GMT", Some(5_000)),
            ("Fri, 20 Nov 2026 11:00:00 GMT", Some(0)),
            ("Sat, 20 Nov 9999 11:00:00 GMT", Some(RETRY_AFTER_MAX_MS)),
            ("-1", None),
            ("abc", None),
            ("", None),
            ("1.5", None),
        ];
        for (value, expected) in table {
            assert_eq!(retry_after_ms(value, now), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_retry_after_causes_a_panic(value in "\\PC{0,80}") {
            retry_after_ms(&value, jiff::Timestamp::UNIX_EPOCH);
        }
    }
}
