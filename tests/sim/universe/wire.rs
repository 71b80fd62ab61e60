//! The way from a process to the platform, with all its faults.

use genesync::emulator::{self, Fault as Script_, FaultAction, FaultMatch, Handled};
use genesync::model::{Dialect, Fault, FaultKind, Outcome, Target};
use genesync::platform::operation::{Operation, Response, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{CLIENT, InFlight, Mutant, SECRET, Universe, client};

impl Universe {
    /// Delivers the request.
    fn deliver(&mut self, to: &str, request: emulator::Request, commit: u64) -> Handled {
        match self.tenant.dialect {
            Dialect::Webchat => self.deliver_webchat(request, commit),
            Dialect::Cloud => self.deliver_cloud(to, &request, commit),
        }
    }

    /// Lets time pass, and delivers the requests that are under way.
    pub(super) fn advance(&mut self, ms: u64) {
        let until = self.now + SignedDuration::from_millis(ms as i64);
        while let Some(index) = self
            .in_flight
            .iter()
            .enumerate()
            .filter(|(_, request)| request.arrives <= until)
            .min_by_key(|(_, request)| request.arrives)
            .map(|(index, _)| index)
        {
            let late = self.in_flight.remove(index);
            self.now = late.arrives.max(self.now);
            let handled = self.deliver(&late.organization, late.request.clone(), late.commit);
            self.counts.hit("landed late");
            self.say(format!(
                "a late {} arrives: {:?}",
                late.request.method,
                handled.response.map(|response| response.status)
            ));
        }
        self.now = until;
        self.world.settle(self.now);
    }

    /// Sends an operation through all possible faults. `Err` carries whether the request left.
    pub(super) fn send(
        &mut self,
        target: &Target,
        operation: &Operation,
        deadline: Option<Timestamp>,
    ) -> Result<Response, (Fault, bool)> {
        let organization = target.organization.to_string();
        let lost = |what: &str| Fault::new(FaultKind::Transient, what.to_owned());
        let mutates = operation.verb.mutates();
        if self.is_dark(&organization, operation) {
            self.say(format!("{} gets no answer", operation.verb.method()));
            return Err((lost("connection refused"), false));
        }
        if self.dice.percent(self.script.drop_before) {
            self.counts.hit("drop before");
            self.say(format!("{} never leaves", operation.verb.method()));
            let left = mutates && self.dice.percent(50);
            return Err((lost("connection refused"), left));
        }
        let request = self.request(target, operation);
        if mutates && self.dice.percent(self.script.late) {
            // The request is delayed, and arrives before its deadline at the latest.
            let window = deadline.map_or(0, |deadline| {
                u64::try_from(deadline.duration_since(self.now).as_millis()).unwrap_or(0)
            });
            let arrives = self.now + SignedDuration::from_millis(self.dice.below(window.max(1)) as i64);
            self.in_flight.push(InFlight { arrives, organization, request, commit: self.commit });
            self.say(format!("{} is delayed on its way", operation.verb.method()));
            return Err((lost("timeout"), true));
        }
        if self.dice.percent(self.script.throttle) {
            self.counts.hit("throttle");
            let retry_after_ms = self.dice.percent(50).then(|| self.dice.below(3) * 1_000);
            return Ok(self.canned(operation, 429, retry_after_ms));
        }
        if self.dice.percent(self.script.server_error) {
            self.counts.hit("server error");
            if self.dice.percent(50) {
                self.deliver(&organization, request, self.commit);
            }
            return Ok(self.canned(operation, 503, None));
        }
        if operation.verb == Verb::Get && self.dice.percent(self.script.stale) {
            self.counts.hit("stale");
            self.stale_ever = true;
            self.world.add_faults(vec![Script_ {
                requests: FaultMatch::default(),
                nth: 1,
                times: 1,
                action: FaultAction::Stale,
            }]);
        }
        let handled = self.deliver(&organization, request, self.commit);
        if self.dice.percent(self.script.drop_after) {
            self.counts.hit("drop after");
            self.say(format!("the answer to {} is lost", operation.verb.method()));
            return Err((lost("connection reset"), true));
        }
        let mut response = match handled {
            Handled { response: Some(response), .. } => Response {
                status: response.status,
                request_id: response.header("x-request-id").map(str::to_owned),
                retry_after_ms: None,
                location: None,
                date: None,
                allowed_per_minute: None,
                is_json: true,
                body: response.body.to_vec(),
                subject: operation.subject.clone(),
            },
            Handled { response: None, .. } => return Err((lost("connection closed"), true)),
        };
        if self.dice.percent(self.script.garbage) {
            self.counts.hit("garbage");
            response = Response { status: 200, is_json: false, body: b"<html>".to_vec(), ..response };
        }
        Ok(response)
    }

    /// Returns whether the organization does not answer for now.
    fn is_dark(&mut self, asked: &str, operation: &Operation) -> bool {
        if self.dark.as_ref().is_some_and(|(_, until)| self.now >= *until) {
            self.dark = None;
        }
        if self.dark.is_none() && self.outages.percent(self.script.outage) {
            let organization = format!("org-{}", self.outages.below(1 + self.tenant.replicas.len() as u64));
            let until = self.now + SignedDuration::from_millis(2_000 + self.outages.below(30_000) as i64);
            self.say(format!("{organization} is down until {until}"));
            self.dark = Some((organization, until));
        }
        let concerns = |dark: &str| asked == dark || operation.path.contains(dark);
        let dark = self.dark.as_ref().is_some_and(|(dark, _)| concerns(dark));
        if dark {
            self.counts.hit("outage");
        }
        dark
    }

    fn canned(&mut self, operation: &Operation, status: u16, retry_after_ms: Option<u64>) -> Response {
        Response {
            status,
            request_id: None,
            retry_after_ms,
            location: None,
            date: None,
            allowed_per_minute: None,
            is_json: true,
            body: b"{}".to_vec(),
            subject: operation.subject.clone(),
        }
    }

    fn request(&mut self, target: &Target, operation: &Operation) -> emulator::Request {
        let token = match self.tenant.dialect {
            Dialect::Webchat => self.token(CLIENT),
            Dialect::Cloud => self.token(&client(&target.organization)),
        };
        let mut request = emulator::Request::new(operation.verb.method(), &format!("/{}", operation.path))
            .with_header("authorization", &format!("Bearer {token}"))
            .with_header("content-type", "application/json");
        if let Some(version) = operation.if_match {
            request = request.with_header("if-match", &version.to_string());
        }
        match &operation.body {
            Some(body) => request.with_body(body.clone()),
            None => request,
        }
    }

    fn token(&mut self, client: &str) -> String {
        if let Some((token, until)) = self.tokens.get(client)
            && self.now < *until
        {
            return token.clone();
        }
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}");
        let request = emulator::Request::new("POST", "/oauth/token")
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(form);
        let body = self
            .world
            .handle(&request, self.now)
            .response
            .map(|response| response.body.to_vec())
            .unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let token = body["access_token"].as_str().unwrap().to_owned();
        // A request may be delayed for up to 2 s, and its token must be valid when it arrives.
        self.tokens.insert(client.to_owned(), (token.clone(), self.now + SignedDuration::from_secs(20)));
        token
    }

    pub(super) fn unanswered<T>(&self, fault: Fault, left: bool) -> Outcome<T> {
        if left && self.mutant != Mutant::NoReadBack {
            Outcome::Unknown(fault)
        } else {
            Outcome::Unsent(fault)
        }
    }
}
