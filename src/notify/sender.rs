//! Sends messages to one receiver.
//!
//! In: a message. Out: whether the receiver accepted it, and if not, when to try again. Never: retries,
//! follows a redirect, or prints the receiver's URL. Start reading at [`Sender::send`].

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect;
use url::Url;

use super::message::Message;
use super::slack;
use crate::clock;
use crate::model::Secret;
use crate::model::address::travels_safely;
use crate::model::proxies::Proxies;
use crate::model::text::escape;

/// The longest time for a delivery, from the request to the end of the response.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a response that are read: enough for an error message.
const ANSWER_BYTES_MAX: usize = 1024;
/// The longest wait that a receiver can request.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// The format of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotifyFormat {
    /// The JSON of [`Message`].
    #[default]
    Json,
    /// For an incoming webhook of Slack, or a compatible one.
    Slack,
}

/// Why a sender cannot be created. Never contains the URL, which is a secret: it allows anyone to post
/// messages.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The URL is not valid, or is not safe for a secret.
    #[error("cannot use the receiver's URL: {reason}")]
    Url {
        /// Why the URL is refused.
        reason: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client: {reason}")]
    Client {
        /// The error of the client.
        reason: String,
    },
}

/// Why a message was not confirmed. The receiver may still have received it.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Undelivered {
    /// One line; never holds the URL.
    pub reason: String,
    /// The wait that the receiver requested.
    pub retry_after: Option<Duration>,
}

/// A receiver.
#[derive(Debug)]
pub struct Sender {
    http: reqwest::Client,
    url: Secret,
    format: NotifyFormat,
    /// The text about a proxy that errors end with.
    way: String,
}

impl Sender {
    /// Returns a sender to this URL.
    ///
    /// # Errors
    /// The URL or the HTTP client cannot be used.
    pub fn new(url: &Secret, format: NotifyFormat, proxies: &Proxies) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Url { reason };
        let parsed = Url::parse(url.expose()).map_err(|error| refuse(error.to_string()))?;
        travels_safely(&parsed).map_err(|reason| refuse(reason.into()))?;
        let (way, proxies) = (proxies.way(&parsed), proxies.clone());
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::custom(move |url| proxies.of(url)))
            // No operator has approved the target of a redirect.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .user_agent(concat!("genesync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NotifyError::Client { reason: error.without_url().to_string() })?;
        Ok(Self { http, url: url.clone(), format, way })
    }

    /// Sends a message, once.
    ///
    /// # Errors
    /// The receiver did not confirm the message.
    pub async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let body = match self.format {
            NotifyFormat::Json => serde_json::to_vec(message),
            NotifyFormat::Slack => serde_json::to_vec(&slack::body(message)),
        };
        let body = body.map_err(|error| undelivered(error.to_string()))?;
        let request = self.http.post(self.url.expose()).header(CONTENT_TYPE, "application/json").body(body);
        let mut response =
            request.send().await.map_err(|error| undelivered(format!("{}{}", chain(error), self.way)))?;
        if response.status().is_success() {
            return Ok(());
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| asked(value.to_str().ok()?));
        let mut answer = Vec::new();
        while answer.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            answer.extend(chunk.iter().take(ANSWER_BYTES_MAX - answer.len()));
        }
        let said: String = escape(String::from_utf8_lossy(&answer).trim()).chars().take(200).collect();
        let reason = format!("the receiver answered {}: {said}", response.status().as_u16());
        Err(Undelivered { reason: reason.trim_end_matches([':', ' ']).into(), retry_after })
    }
}

fn undelivered(reason: String) -> Undelivered {
    Undelivered { reason, retry_after: None }
}

/// Returns an error with its sources, which have the cause. The URL is removed from the first.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Returns the wait of `Retry-After`, which is in seconds or a date.
fn asked(value: &str) -> Option<Duration> {
    let wait = match value.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::Timestamp::try_from(httpdate::parse_http_date(value.trim()).ok()?).ok()?;
            Duration::try_from(at.duration_since(clock::now())).ok()?
        }
    };
    Some(wait.min(ASKED_MAX))
}

#[cfg(test)]
mod tests;
