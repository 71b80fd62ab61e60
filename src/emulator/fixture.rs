//! Shared parts of the emulator's tests: a world, a client with a token, and a clock that the test sets.

use crate::emulator::{Handled, Request, Response, World, seed_from_json};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The path of an organization's configuration.
pub(super) fn path(id: &str) -> String {
    format!("/api/v2/webchat/organizations/{id}/configurations")
}

pub(super) const REPLICATE: &str = "/api/v2/webchat/configurations/replicate";
pub(super) const AUDIT: &str = "/api/v2/audit/records/query";

/// A world, a token, a clock.
#[derive(Clone)]
pub(super) struct Rig {
    pub world: World,
    pub now: Timestamp,
    pub token: String,
}

impl Rig {
    /// Starts from a world file. If the file has no client, it adds the client `c` with the secret `s`.
    pub fn new(seed: &Value) -> Rig {
        let seed = seed_from_json(seed.to_string().as_bytes()).unwrap().or_client("c", "s");
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let mut rig = Rig { world: World::new(&seed), now, token: String::new() };
        let client = &seed.clients[0];
        rig.token = rig.token_for(&client.id, &client.secret, "").1;
        rig
    }

    /// Requests a token; returns the status and the token.
    pub fn token_for(&mut self, id: &str, secret: &str, scope: &str) -> (u16, String) {
        let form =
            format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}");
        let response = self.send(Request::new("POST", "/oauth/token").with_body(form)).response.unwrap();
        (response.status, body(&response)["access_token"].as_str().unwrap_or_default().to_owned())
    }

    pub fn send(&mut self, request: Request) -> Handled {
        self.world.handle(&request, self.now)
    }

    /// Sends an authorised request and returns the whole outcome.
    pub fn outcome(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Handled {
        let mut request =
            Request::new(method, target).with_header("Authorization", &format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.with_header(name, value);
        }
        if !body.is_null() {
            request = request.with_body(body.to_string());
        }
        self.send(request)
    }

    /// Sends an authorised request and returns its answer.
    pub fn call(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        self.outcome(method, target, headers, body).response.unwrap()
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.call("GET", target, &[], &Value::Null)
    }

    pub fn post(&mut self, target: &str, body: &Value) -> Response {
        self.call("POST", target, &[], body)
    }

    pub fn put(&mut self, id: &str, if_match: Option<&str>, body: &Value) -> Response {
        let headers: Vec<(&str, &str)> = if_match.map(|version| ("If-Match", version)).into_iter().collect();
        self.call("PUT", &path(id), &headers, body)
    }

    /// Adds one scripted fault.
    pub fn fault(&mut self, fault: Value) {
        assert_eq!(self.post("/_emulator/faults", &json!({ "faults": [fault] })).status, 200);
    }

    pub fn pass(&mut self, ms: i64) {
        self.now += SignedDuration::from_millis(ms);
    }
}

/// Starts with three organizations; the first one has a configuration.
pub(super) fn configured() -> Rig {
    Rig::new(&json!({"organizations": [{"id": "o", "configuration": {"n": 1}}, {"id": "p"}, {"id": "q"}]}))
}

/// Parses a body as JSON; null if it is not JSON.
pub(super) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}
