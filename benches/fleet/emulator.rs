//! Starts the emulator as a separate process and reads its request log.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A running emulator, which ends when the value is dropped.
pub struct Emulator {
    child: Child,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    /// Its URL.
    pub url: String,
    /// Its client's id and secret.
    pub client: (String, String),
}

/// The requests of a period in the log.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// GETs of a configuration that were answered with 200.
    pub reads: usize,
    /// All other requests.
    pub others: usize,
    /// Reads per second, from the first to the last.
    pub per_second: f64,
    /// Organizations of the requests, in order, each once.
    pub organizations: Vec<String>,
}

impl Emulator {
    /// Starts the emulator and waits until it is ready.
    pub fn start(program: &str) -> Outcome<Self> {
        Self::start_with(program, &[])
    }

    /// Starts the emulator with more arguments.
    pub fn start_with(program: &str, more: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(["emulate", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line)?;
        let text = |key: &str| ready.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            child,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            http: reqwest::Client::new(),
            url: text("url"),
            client: (text("clientId"), text("clientSecret")),
        })
    }

    /// Returns a bearer token.
    pub fn token(&self) -> Outcome<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client.0.as_str()),
            ("client_secret", self.client.1.as_str()),
        ];
        let sent = self.http.post(format!("{}/oauth/token", self.url)).form(&form).send();
        let body: Value = self.runtime.block_on(async { sent.await?.json().await })?;
        Ok(body.get("access_token").and_then(Value::as_str).ok_or("no token")?.to_owned())
    }

    fn requests(&self, since: u64) -> Outcome<Value> {
        let sent = self.http.get(format!("{}/_emulator/requests?since={since}", self.url)).send();
        Ok(self.runtime.block_on(async { sent.await?.json().await })?)
    }

    /// Returns the current end of the log.
    pub fn mark(&self) -> Outcome<u64> {
        let far = u64::from(u32::MAX);
        Ok(self.requests(far)?.get("next").and_then(Value::as_u64).ok_or("the log has no end")?)
    }

    /// Sends one read, to measure a round trip.
    pub fn get(&self, url: &str, bearer: &str) -> Outcome<()> {
        let sent = self.http.get(url).header("authorization", format!("Bearer {bearer}")).send();
        self.runtime.block_on(async { sent.await?.bytes().await })?;
        Ok(())
    }

    /// Changes its settings.
    pub fn set(&self, settings: &Value) -> Outcome<()> {
        self.post("settings", settings)
    }

    /// Sends a request to its control API.
    pub fn post(&self, path: &str, body: &Value) -> Outcome<()> {
        let sent = self.http.post(format!("{}/_emulator/{path}", self.url)).json(body).send();
        self.runtime.block_on(async { sent.await?.error_for_status() })?;
        Ok(())
    }

    /// Returns every request since a mark, except token requests.
    pub fn all(&self, mark: u64) -> Outcome<Vec<Value>> {
        let mut log = self.requests(mark)?;
        let requests = log.get_mut("requests").and_then(Value::as_array_mut).map(std::mem::take);
        let token = |request: &Value| request.get("path").and_then(Value::as_str) == Some("/oauth/token");
        Ok(requests.unwrap_or_default().into_iter().filter(|request| !token(request)).collect())
    }

    /// Returns the times of accepted writes since a mark.
    pub fn writes(&self, mark: u64) -> Outcome<Vec<Timestamp>> {
        let mut times = Vec::new();
        for request in self.all(mark)? {
            let put = request.get("method").and_then(Value::as_str) == Some("PUT");
            if put && request.get("status").and_then(Value::as_u64).is_some_and(|status| status < 300) {
                times.push(request.get("time").and_then(Value::as_str).unwrap_or_default().parse()?);
            }
        }
        Ok(times)
    }

    /// Returns the requests since a mark.
    pub fn since(&self, mark: u64) -> Outcome<Stretch> {
        let log = self.requests(mark)?;
        let (mut stretch, mut times) = (Stretch::default(), Vec::new());
        for entry in log.get("requests").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let read = text("method") == "GET" && text("path").ends_with("/configurations");
            if read && entry.get("status").and_then(Value::as_u64) == Some(200) {
                stretch.reads += 1;
                times.push(text("time").parse::<Timestamp>()?);
            } else {
                stretch.others += 1;
            }
            let organization = text("organizationId");
            if !organization.is_empty() {
                stretch.organizations.push(organization.to_owned());
            }
        }
        stretch.organizations.sort();
        stretch.organizations.dedup();
        if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) {
            let took_s = last.duration_since(*first).as_secs_f64();
            stretch.per_second = (times.len() - 1) as f64 / took_s;
        }
        Ok(stretch)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
