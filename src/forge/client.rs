//! Asks a forge: deadlines, waits that it asks for, and what an answer means.

use std::time::Duration;

use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Method, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use super::dialect::{Call, Provider};
use super::{ForgeError, WAIT_MAX};
use crate::clock;
use crate::model::Secret;
use crate::model::address::travels_safely;
use crate::model::text::escape;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often one call is tried.
const TRIES_MAX: u32 = 5;
/// The wait after the first try that failed; it doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// Most bytes of an answer: a hundred comments of the greatest length, each character of four bytes or more.
const ANSWER_BYTES_MAX: usize = 48 * 1024 * 1024;

/// What came of a call.
#[derive(Debug)]
pub enum Answer {
    /// It was done; what was answered.
    Done(Value),
    /// The forge said no.
    Refused {
        /// The status.
        status: u16,
        /// Its own words, in a line.
        reason: String,
    },
    /// It may have been done.
    Lost,
}

/// A client of one forge.
pub struct Client {
    http: reqwest::Client,
    api: String,
    provider: Provider,
    token: Secret,
}

/// What to do about an answer that is no result.
enum Next {
    Again(Duration),
    Done(Answer),
}

impl Client {
    /// A client for an API's URL.
    pub fn new(api: &str, provider: Provider, token: Secret) -> Result<Self, ForgeError> {
        let url = Url::parse(api)
            .map_err(|error| ForgeError::new(format!("`{}` is no URL: {error}", escape(api))))?;
        travels_safely(&url)
            .map_err(|why| ForgeError::new(format!("`{}` can't be used: {why}", escape(api))))?;
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .user_agent(concat!("genesync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                ForgeError::new(format!("the HTTP client can't be set up: {}", error.without_url()))
            })?;
        Ok(Self { http, api: api.trim_end_matches('/').to_owned(), provider, token })
    }

    /// Makes a call. One that only reads is tried again; one that writes only where the forge said that it did nothing.
    pub async fn send(&self, call: Call) -> Result<Answer, ForgeError> {
        let reads = call.method == Method::GET;
        let mut backoff = BACKOFF;
        for attempt in 1.. {
            let next = match self.once(&call).await {
                Ok(response) => self.judge(response, reads).await,
                // Without a connection nothing was sent.
                Err(error) if error.is_connect() || reads => Next::Again(backoff),
                Err(_) => Next::Done(Answer::Lost),
            };
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Again(_) if attempt >= TRIES_MAX => break,
                Next::Again(wait) => tokio::time::sleep(wait).await,
            }
            backoff *= 2;
        }
        Err(ForgeError::new(format!("the forge at {} did not answer {TRIES_MAX} times", escape(&self.api)))
            .hint("try again later"))
    }

    async fn once(&self, call: &Call) -> Result<reqwest::Response, reqwest::Error> {
        let (header, prefix) = self.provider.authorization();
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.api, call.path));
        request = request.header(header, format!("{prefix}{}", self.token.expose()));
        request = request.header(ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        request.send().await
    }

    async fn judge(&self, response: reqwest::Response, reads: bool) -> Next {
        let status = response.status();
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN
                && (header(&response, "x-ratelimit-remaining") == Some("0")
                    || header(&response, RETRY_AFTER.as_str()).is_some()));
        if limited {
            return Next::Again(asked(&response).unwrap_or(BACKOFF).min(WAIT_MAX));
        }
        // A gateway in between may answer for a forge that goes on with what it was asked.
        if status.is_server_error() {
            return if reads { Next::Again(BACKOFF) } else { Next::Done(Answer::Lost) };
        }
        let body = read(response).await;
        Next::Done(match (status.is_success(), body) {
            (true, Some(body)) => Answer::Done(body),
            (true, None) if reads => return Next::Again(BACKOFF),
            (true, None) => Answer::Lost,
            (false, body) => Answer::Refused { status: status.as_u16(), reason: reason(body.as_ref()) },
        })
    }
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// How long the forge asks to wait: in seconds, or until its limit starts anew.
fn asked(response: &reqwest::Response) -> Option<Duration> {
    if let Some(seconds) = header(response, RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    let reset: i64 = header(response, "x-ratelimit-reset")?.trim().parse().ok()?;
    let wait = reset.checked_sub(clock::now().as_second())?;
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// An answer as JSON; none where it breaks off, is too long, or is none.
async fn read(mut response: reqwest::Response) -> Option<Value> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
    serde_json::from_slice(&bytes).ok()
}

/// What the forge has to say, in a line without surprises.
fn reason(body: Option<&Value>) -> String {
    let said = body.and_then(|body| body.get("message").or_else(|| body.get("error")));
    let text = match said {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "it did not say why".into(),
    };
    escape(&text.chars().take(300).collect::<String>())
}
