//! The requests that genesync can make, and an answer with what it says taken out of its headers.
//!
//! There is no other way to a socket than an [`Operation`]: the list below is the whole surface.

use std::borrow::Cow;

use crate::model::{Dialect, Fault, FaultKind};

/// What is asked of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read something. May be sent again.
    Get,
    /// Ask the audit log: a POST that changes nothing. May be sent again.
    Query,
    /// Store a configuration. Sent once.
    Put,
    /// Make something new: a replication job, an object, a version. Sent once.
    Start,
    /// Change some fields of an object. Sent once.
    Patch,
}

impl Verb {
    /// The HTTP method.
    pub fn method(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Query | Verb::Start => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
        }
    }

    /// Whether it changes something.
    pub fn mutates(self) -> bool {
        matches!(self, Verb::Put | Verb::Start | Verb::Patch)
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// The path below the base URL, without a leading slash.
    pub path: String,
    /// `If-Match`, where it is bound to a version.
    pub if_match: Option<u64>,
    /// A JSON body.
    pub body: Option<Vec<u8>>,
    /// What it is about, for messages: `the configuration of organization …`.
    pub subject: String,
    /// Whose rules hold for hosts, tokens and limits.
    pub dialect: Dialect,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `X-Request-Id`, made safe to show.
    pub request_id: Option<String>,
    /// `Retry-After`, clamped.
    pub retry_after_ms: Option<u64>,
    /// Where the answer is instead, from `Location`: followed by nobody but whoever expects it.
    pub location: Option<String>,
    /// The server's clock, from `Date`.
    pub date: Option<jiff::Timestamp>,
    /// Requests a minute that the server allows, where it says so.
    pub allowed_per_minute: Option<u32>,
    /// Whether `Content-Type` says JSON.
    pub is_json: bool,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// What was asked about, for messages.
    pub subject: String,
}

/// Longest `Retry-After` that is believed: an hour.
pub const RETRY_AFTER_MAX_MS: u64 = 3_600_000;

impl Response {
    /// What was asked about, and the status of the answer.
    pub fn told(&self) -> String {
        let mut told = format!("the request about {} was answered with {}", self.subject, self.status);
        if self.is_detour() {
            told.push_str(match self.status {
                304 => ", which no cache was asked for",
                407 => ", and the proxy wants credentials",
                _ => ", and redirects are not followed",
            });
            told.push_str(": a proxy or gateway in between may have answered");
            // The rest of the address may hold a session.
            let host = self.location.as_deref().and_then(|location| url::Url::parse(location).ok());
            if let Some(host) = host.as_ref().and_then(url::Url::host_str) {
                told.push_str(&format!("; it points to `{}`", shown(host, 100)));
            }
        }
        told
    }

    /// Whether it sends the client elsewhere instead of saying yes or no. The API never does.
    pub fn is_detour(&self) -> bool {
        (300..=399).contains(&self.status) || self.status == 407
    }

    /// A fault that carries what this answer told about itself.
    pub fn fault(&self, kind: FaultKind, message: impl Into<String>) -> Fault {
        Fault {
            request_id: self.request_id.clone(),
            retry_after_ms: self.retry_after_ms,
            ..Fault::new(kind, message)
        }
    }
}

/// Reads `Retry-After`: seconds or an HTTP date. What can't be read is ignored, what is past is zero.
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

/// A server's text made safe to show: printable, short.
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
        fn any_retry_after_is_survived(value in "\\PC{0,80}") {
            retry_after_ms(&value, jiff::Timestamp::UNIX_EPOCH);
        }
    }
}
