//! Parses the headers of an answer, and reads its body.

use std::num::NonZeroU32;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};

use crate::clock;
use crate::platform::operation::{Response, retry_after_ms, shown};
use crate::platform::pace::Allowance;

/// Returns the rate limit in the headers of an answer, in either dialect.
pub(super) fn allowance(answer: &reqwest::Response) -> Option<Allowance> {
    let number = |name: &str| header(answer, name).and_then(|value| value.parse::<u32>().ok());
    if let Some(per_minute) = number("x-ratelimit-limit").and_then(NonZeroU32::new) {
        let left = number("x-ratelimit-remaining");
        return Some(Allowance { per_minute, left, reset_s: None });
    }
    let per_minute = number("inin-ratelimit-allowed").and_then(NonZeroU32::new)?;
    let left = number("inin-ratelimit-count").map(|count| per_minute.get().saturating_sub(count));
    Some(Allowance { per_minute, left, reset_s: number("inin-ratelimit-reset") })
}

/// Returns the text of a header; none if it is missing or not text.
pub(super) fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// Returns an answer without its body.
pub(super) fn describe(answer: &reqwest::Response, subject: &str) -> Response {
    let content_type = header(answer, CONTENT_TYPE.as_str()).unwrap_or_default();
    Response {
        status: answer.status().as_u16(),
        request_id: header(answer, "x-request-id")
            .or_else(|| header(answer, "inin-correlation-id"))
            .map(|id| shown(id, 100).into_owned()),
        retry_after_ms: header(answer, RETRY_AFTER.as_str())
            .and_then(|value| retry_after_ms(value, clock::now())),
        location: header(answer, LOCATION.as_str()).map(str::to_owned),
        date: header(answer, DATE.as_str())
            .and_then(|value| httpdate::parse_http_date(value).ok())
            .and_then(|date| Timestamp::try_from(date).ok()),
        allowed_per_minute: allowance(answer).map(|allowance| allowance.per_minute.get()),
        is_json: content_type
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json" || kind.trim().ends_with("+json")),
        body: Vec::new(),
        subject: subject.to_owned(),
    }
}

/// The reason why the body of an answer is incomplete.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// The connection failed.
    #[error("{0}")]
    BrokeOff(String),
    /// The body is too large.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

/// Reads the body of an answer and decompresses it.
///
/// # Errors
/// The connection failed, or the body has more than `bytes_max` bytes.
pub(super) async fn read_body(mut answer: reqwest::Response, bytes_max: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Unread::BrokeOff(cause(&error)))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Unread::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns the innermost cause of an error, without the URL that the outer errors repeat.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    shown(&inner.to_string(), 200).into_owned()
}
