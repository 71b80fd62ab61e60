//! The HTTP client of a forge: deadlines, requested waits, and the meaning of an answer.

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
use crate::model::proxies::Proxies;
use crate::model::text::escape;

/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most attempts of one call.
const TRIES_MAX: u32 = 5;
/// The wait after the first failed attempt; it doubles.
const BACKOFF: Duration = Duration::from_millis(500);
/// Most bytes of an answer: a hundred comments of the greatest length, with four or more bytes per
/// character.
const ANSWER_BYTES_MAX: usize = 48 * 1024 * 1024;

/// The outcome of a call.
#[derive(Debug)]
pub enum Answer {
    /// It was executed; the answer.
    Done(Value),
    /// The forge refused it.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The forge's message, in one line.
        reason: String,
    },
    /// It may have been executed.
    Lost,
}

/// A client of one forge.
pub struct Client<'a> {
    http: reqwest::Client,
    api: String,
    provider: Provider,
    token: Secret,
    waits: &'a Waits<'a>,
    /// The text that an error adds about a proxy.
    way: String,
}

/// A callback before each wait of a second or more.
pub type Waits<'a> = dyn Fn(Duration) + Sync + 'a;

/// The next step after an answer.
enum Next {
    Again(Duration),
    /// The same, because of a rate limit.
    Limited(Duration),
    Done(Answer),
}

impl<'a> Client<'a> {
    /// Creates a client for an API's URL.
    pub fn new(
        api: &str,
        provider: Provider,
        token: Secret,
        (proxies, waits): (&Proxies, &'a Waits<'a>),
    ) -> Result<Self, ForgeError> {
        let url = Url::parse(api)
            .map_err(|error| ForgeError::new(format!("`{}` is not a URL: {error}", escape(api))))?;
        travels_safely(&url)
            .map_err(|why| ForgeError::new(format!("cannot use `{}`: {why}", escape(api))))?;
        let (way, proxies) = (proxies.way(&url), proxies.clone());
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::custom(move |url| proxies.of(url)))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .user_agent(concat!("genesync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                ForgeError::new(format!("cannot set up the HTTP client: {}", error.without_url()))
            })?;
        Ok(Self { http, api: api.trim_end_matches('/').to_owned(), provider, token, waits, way })
    }

    /// Makes a call. It repeats a call that only reads, and a call that writes only if the forge did not
    /// execute it.
    pub async fn send(&self, call: Call) -> Result<Answer, ForgeError> {
        let reads = call.method == Method::GET;
        let mut backoff = BACKOFF;
        let mut is_limited = false;
        for attempt in 1.. {
            let next = match self.once(&call).await {
                Ok(response) => self.judge(response, reads).await,
                // Without a connection the request was not sent.
                Err(error) if error.is_connect() || reads => Next::Again(backoff),
                Err(_) => Next::Done(Answer::Lost),
            };
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Again(_) | Next::Limited(_) if attempt >= TRIES_MAX => break,
                Next::Again(wait) => tokio::time::sleep(wait).await,
                Next::Limited(wait) => {
                    is_limited = true;
                    if wait >= Duration::from_secs(1) {
                        (self.waits)(wait);
                    }
                    tokio::time::sleep(wait).await;
                }
            }
            backoff *= 2;
        }
        let api = format!("{}{}", escape(&self.api), self.way);
        let message = match is_limited {
            true => format!("the forge at {api} still limits requests after {TRIES_MAX} tries"),
            false => format!("the forge at {api} did not answer {TRIES_MAX} requests"),
        };
        Err(ForgeError::new(message).hint("try again later"))
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
        let (status, limit) = (response.status(), Limit::of(&response));
        let body = read(response).await;
        verdict(status, limit, body, reads)
    }
}

/// The rate limit in an answer's headers.
#[derive(Debug, Clone, Copy, Default)]
struct Limit {
    /// Whether the limit is used up.
    is_used_up: bool,
    /// How long to wait: in seconds, or until the limit resets.
    wait: Option<Duration>,
    /// Whether the answer has `Retry-After`.
    is_asked: bool,
}

impl Limit {
    fn of(response: &reqwest::Response) -> Self {
        Self {
            is_used_up: header(response, "x-ratelimit-remaining") == Some("0"),
            wait: asked(response),
            is_asked: header(response, RETRY_AFTER.as_str()).is_some(),
        }
    }
}

/// Returns the next step after an answer. Only the message shows GitHub's secondary limits, which ask for a
/// minute (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
fn verdict(status: StatusCode, limit: Limit, body: Option<Value>, reads: bool) -> Next {
    let said = reason(body.as_ref());
    let lower = said.to_ascii_lowercase();
    let is_refusal = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    if is_refusal && (lower.contains("secondary rate limit") || lower.contains("abuse detection")) {
        let wait = limit.wait.filter(|_| limit.is_asked || limit.is_used_up);
        return Next::Limited(wait.unwrap_or(WAIT_MAX).min(WAIT_MAX));
    }
    let limited = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && (limit.is_used_up || limit.is_asked));
    if limited {
        return Next::Limited(limit.wait.unwrap_or(BACKOFF).min(WAIT_MAX));
    }
    // A gateway may report an error although the forge still executes the request.
    if status.is_server_error() {
        return if reads { Next::Again(BACKOFF) } else { Next::Done(Answer::Lost) };
    }
    Next::Done(match (status.is_success(), body) {
        (true, Some(body)) => Answer::Done(body),
        (true, None) if reads => return Next::Again(BACKOFF),
        (true, None) => Answer::Lost,
        (false, _) => Answer::Refused { status: status.as_u16(), reason: said },
    })
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Returns the wait that the forge asks for: in seconds, or until its limit resets.
fn asked(response: &reqwest::Response) -> Option<Duration> {
    if let Some(seconds) = header(response, RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    let reset: i64 = header(response, "x-ratelimit-reset")?.trim().parse().ok()?;
    let wait = reset.checked_sub(clock::now().as_second())?;
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// Parses an answer as JSON; returns none if it breaks off, is too long, or is not JSON.
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

/// Returns the forge's message in one line without hidden characters, with its messages about single
/// fields.
fn reason(body: Option<&Value>) -> String {
    let field = |name: &str| body.and_then(|body| body.get(name));
    let message = match field("message").or_else(|| field("error")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "it gave no reason".into(),
    };
    let errors = field("errors").and_then(Value::as_array).into_iter().flatten();
    let details = errors.filter_map(|error| error.as_str().or_else(|| error.get("message")?.as_str()));
    let text = std::iter::once(message.as_str()).chain(details).collect::<Vec<_>>().join(": ");
    escape(&text.chars().take(300).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_limit_is_waited_for_and_a_refusal_is_not() {
        let secondary = "You have exceeded a secondary rate limit and have been temporarily blocked.";
        let after = |seconds| Limit { wait: Some(Duration::from_secs(seconds)), ..Limit::default() };
        let asked = |seconds| Limit { is_asked: true, ..after(seconds) };
        let used_up = |seconds| Limit { is_used_up: true, ..after(seconds) };
        // The status, the headers, the message, and the wait in seconds.
        let table = [
            (403, after(1800), secondary, Some(60)),
            (403, Limit::default(), secondary, Some(60)),
            (429, Limit::default(), secondary, Some(60)),
            (403, asked(3), secondary, Some(3)),
            (403, Limit::default(), "You have triggered an abuse detection mechanism.", Some(60)),
            (403, used_up(4), "API rate limit exceeded for installation ID 1.", Some(4)),
            (403, used_up(9_000), "API rate limit exceeded for installation ID 1.", Some(60)),
            (429, asked(2), "Retry later", Some(2)),
            (403, after(1800), "Unable to create comment because issue is locked.", None),
            (403, Limit::default(), "Resource not accessible by integration", None),
            (422, Limit::default(), secondary, None),
        ];
        for (status, limit, message, expected) in table {
            let body = Some(json!({"message": message}));
            let seconds = match verdict(StatusCode::from_u16(status).unwrap(), limit, body, false) {
                Next::Limited(wait) | Next::Again(wait) => Some(wait.as_secs()),
                Next::Done(Answer::Refused { .. }) => None,
                Next::Done(other) => panic!("{message}: {other:?}"),
            };
            assert_eq!(seconds, expected, "{status} {message}");
        }
    }

    #[test]
    fn messages_about_single_fields_are_part_of_the_reason() {
        let table = [
            (
                json!({"message": "Validation Failed", "errors": [{"field": "body", "message": "Body is too long (maximum is 65536 characters)"}]}),
                "Validation Failed: Body is too long (maximum is 65536 characters)",
            ),
            (
                json!({"message": "Validation Failed", "errors": ["Body is too long"]}),
                "Validation Failed: Body is too long",
            ),
            (
                json!({"message": {"note": ["is too long (maximum is 1000000 characters)"]}}),
                "{\"note\":[\"is too long (maximum is 1000000 characters)\"]}",
            ),
            (json!({"error": "insufficient_scope"}), "insufficient_scope"),
            (json!([]), "it gave no reason"),
        ];
        for (body, expected) in table {
            assert_eq!(reason(Some(&body)), expected);
        }
    }
}
