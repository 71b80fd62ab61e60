//! The emulated platform as a value: requests and the time in, answers out.
//!
//! In: [`World::handle`] for every request, and the typed calls a simulator makes directly.
//! Out: [`Handled`]. Never: performs IO, reads a clock, draws a random number, panics.
//! Start reading at [`World::handle`].

use crate::emulator::actor::{Actor, CallOrigin};
use crate::emulator::call::Call;
use crate::emulator::cloud::dispatch::{self, window_key};
use crate::emulator::cloud::ids::{self, Kind};
use crate::emulator::cloud::route::Operation;
use crate::emulator::cloud::{Cloud, token};
use crate::emulator::control::is_control;
use crate::emulator::error::{Answer, ApiError, wrong_method};
use crate::emulator::fault::{self, Armed, DropWhen, Fault, FaultAction};
use crate::emulator::message::{Handled, Request, Response};
use crate::emulator::oauth::{Grant, Token};
use crate::emulator::request_log::{Entry, RequestLog};
use crate::emulator::route::Route;
use crate::emulator::seed::{Seed, SeedClient};
use crate::emulator::settings::{Settings, SettingsPatch};
use crate::emulator::text::hex;
use crate::emulator::webchat::audit::AuditRecord;
use crate::emulator::webchat::{self, Webchat};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The whole platform: organizations, clients, jobs, audit trail, faults, request log.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) settings: Settings,
    pub(super) clients: BTreeMap<String, Arc<SeedClient>>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// The organizations that exist; if it is `None`, every id exists.
    pub(super) listed: Option<BTreeSet<String>>,
    /// Whether every UUID is a client id.
    pub(super) any_client: bool,
    pub(super) faults: Vec<Armed>,
    pub(super) log: RequestLog,
    pub(super) writes: u64,
    pub(super) tokens_issued: u64,
    pub(super) control_calls: u64,
    edits: u64,
    pub(super) webchat: Webchat,
    pub(super) cloud: Cloud,
    /// Whole exchanges for tests; `None` if the world does not keep them.
    exchanges: Option<VecDeque<(Request, Response)>>,
}

/// The maximum number of exchanges in memory.
const EXCHANGES_MAX: usize = 100_000;

impl World {
    /// Returns a world with the initial state of a seed.
    pub fn new(seed: &Seed) -> World {
        let mut cloud = Cloud::default();
        let described = || {
            let listed = seed.organizations.iter().flatten();
            listed.filter_map(|known| Some((&known.id, known.cloud.as_ref()?)))
        };
        described().for_each(|(_, described)| cloud.take_ids(described));
        described().for_each(|(id, described)| cloud.seed(id, described));
        let clients =
            seed.clients.iter().map(|client| (client.id.clone(), Arc::new(client.clone()))).collect();
        let listed = seed.organizations.as_ref();
        let listed = listed.map(|known| known.iter().map(|organization| organization.id.clone()));
        World {
            settings: seed.settings.apply(&Settings::default()),
            clients,
            tokens: BTreeMap::new(),
            listed: listed.map(Iterator::collect),
            any_client: seed.any_client,
            faults: seed.faults.iter().cloned().map(Armed::new).collect(),
            log: RequestLog::default(),
            writes: 0,
            tokens_issued: 0,
            control_calls: 0,
            edits: 0,
            webchat: Webchat::seed(seed),
            cloud,
            exchanges: None,
        }
    }

    /// Handles one request. `now` must not be before the time of the last call.
    pub fn handle(&mut self, request: &Request, now: Timestamp) -> Handled {
        self.settle(now);
        if is_control(&request.path) {
            return Handled { response: Some(self.control(request, now)), delay_ms: 0 };
        }
        let mut call = self.open(request, now);
        call.fault = fault::strike(&mut self.faults, request, &call.route, call.organization.as_deref());
        // Reads the client id first, because the call can remove expired tokens.
        let client_id = self.client_of(request, call.route == Route::Token);
        let mut delay_ms = self.settings.latency_ms;
        let response = match call.fault.clone() {
            Some(FaultAction::Drop(DropWhen::Before)) => None,
            Some(FaultAction::Drop(DropWhen::After)) => {
                self.execute(&call);
                None
            }
            Some(FaultAction::Status { status, retry_after }) => {
                Some(self.scripted(&call, status, retry_after.as_deref(), None, None))
            }
            Some(FaultAction::Error { status, retry_after, code, message, location }) => {
                let (code, message) = (code.as_deref(), message.as_deref());
                let answer = self.scripted(&call, status, retry_after.as_deref(), code, message);
                Some(match location {
                    Some(location) => answer.with_header("location", location),
                    None => answer,
                })
            }
            Some(FaultAction::Garbage) => {
                self.execute(&call);
                Some(fault::garbage())
            }
            Some(FaultAction::Empty) => Some(fault::emptied(self.execute(&call))),
            Some(FaultAction::Edit { actor, patch }) => {
                if let Some(id) = &call.organization {
                    self.edit(id, &actor, &patch.into(), now);
                }
                Some(self.execute(&call))
            }
            Some(FaultAction::CloudEdit { actor, edit }) => {
                if let Some(id) = &call.organization {
                    // The edit fails if its object does not exist any more, and the emulator ignores that.
                    let _ = self.try_cloud_edit(id, &actor, &edit, now);
                }
                Some(self.execute(&call))
            }
            Some(FaultAction::Delay(more_ms)) => {
                delay_ms = delay_ms.saturating_add(more_ms);
                Some(self.execute(&call))
            }
            Some(FaultAction::Stale | FaultAction::FailTargets(_)) | None => Some(self.execute(&call)),
        };
        let response = self.close(&call, client_id, response);
        if let (Some(kept), Some(response)) = (&mut self.exchanges, &response) {
            if kept.len() >= EXCHANGES_MAX {
                kept.pop_front();
            }
            kept.push_back((request.clone(), response.clone()));
        }
        Handled { response, delay_ms }
    }

    /// Refuses a request whose body is too large; `request` has no body.
    pub fn refuse_body(&mut self, request: &Request, now: Timestamp) -> Handled {
        self.settle(now);
        let error = ApiError::new(413, "payload.too.large", "the body has more than 1 MiB");
        if is_control(&request.path) {
            return Handled { response: Some(self.answer_control(Err(error))), delay_ms: 0 };
        }
        let call = self.open(request, now);
        let is_cloud = matches!(call.route, Route::Cloud(_));
        let error = if is_cloud { dispatch::too_large() } else { error };
        let client_id = self.client_of(request, false);
        let response = error.into_response(&call.request_id);
        Handled { response: self.close(&call, client_id, Some(response)), delay_ms: self.settings.latency_ms }
    }

    /// Keeps each request with its answer from now on, and drops the oldest above `EXCHANGES_MAX`.
    pub fn keep_exchanges(&mut self) {
        self.exchanges.get_or_insert_default();
    }

    /// Returns the kept requests with their answers, oldest first. Requests to the control surface are not
    /// included.
    pub fn exchanges(&self) -> Vec<(Request, Response)> {
        self.exchanges.iter().flatten().cloned().collect()
    }

    /// Renders an organization as the control surface shows it, if the cloud API manages it.
    pub fn cloud_state(&self, organization_id: &str, now: Timestamp) -> Option<serde_json::Value> {
        self.cloud.state(now).get(organization_id).cloned()
    }

    /// Adds faults after the active faults.
    pub fn add_faults(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults.into_iter().map(Armed::new));
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Returns the current settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes settings from now on. If the rate limit changes, all buckets are full again.
    pub fn set_settings(&mut self, patch: SettingsPatch) {
        let settings = patch.apply(&self.settings);
        if settings.rate_limit_per_minute != self.settings.rate_limit_per_minute {
            self.webchat.refill();
        }
        self.settings = settings;
    }

    /// Returns every audit record, oldest first, including records that clients cannot see yet.
    pub fn audit(&self) -> &[AuditRecord] {
        &self.webchat.audit
    }

    /// Returns the number of accepted PUTs, DELETEs and replications of clients.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Returns whether an organization exists.
    pub(super) fn exists(&self, organization_id: &str) -> bool {
        self.listed.as_ref().is_none_or(|ids| ids.contains(organization_id))
    }

    pub(super) fn must_exist(&self, id: &str) -> Result<(), ApiError> {
        let missing =
            || ApiError::new(404, "organization.not.found", format!("there is no organization `{id}`"));
        self.exists(id).then_some(()).ok_or_else(missing)
    }

    /// Returns an error if the caller has no access to the organization, or it does not exist.
    pub(super) fn enter(&self, organization_id: &str, grant: &Grant) -> Result<(), ApiError> {
        grant.enter(organization_id)?;
        self.must_exist(organization_id)
    }

    /// Returns the origin of a change by a person who uses the platform's own screens and sends no API
    /// request.
    pub(super) fn at_the_screen(&mut self, actor: &Actor, now: Timestamp) -> CallOrigin {
        self.edits += 1;
        CallOrigin {
            actor: actor.clone(),
            // An address from the block for documentation (RFC 5737).
            remote_ip: "192.0.2.10".to_owned(),
            request_id: format!("edit-{}", self.edits),
            at: now,
        }
    }

    fn open<'a>(&self, request: &'a Request, now: Timestamp) -> Call<'a> {
        let route = Route::of(&request.method, &request.path);
        let number = self.log.newest() + 1;
        let cloud = self.cloud_organization(request, &route);
        let organization = cloud.or_else(|| route.organization(request));
        let request_id = match route {
            Route::Cloud(_) => ids::counted(Kind::Correlation, number),
            _ => format!("req-{number}"),
        };
        Call { request, now, request_id, route, organization, fault: None }
    }

    fn execute(&mut self, call: &Call) -> Response {
        self.dispatch(call).unwrap_or_else(|error| error.into_response(&call.request_id))
    }

    fn dispatch(&mut self, call: &Call) -> Answer {
        match &call.route {
            Route::Token => match self.issue_token(call.request, call.now) {
                Err(error) if self.speaks_cloud(call.request) => Ok(token::refuse(&error)),
                answer => answer,
            },
            Route::WrongMethod(allowed) => Err(wrong_method(allowed)),
            Route::Webchat(route) => self.dispatch_webchat(call, route),
            Route::Cloud(route) => self.dispatch_cloud(call, route),
            Route::Unknown => Err(ApiError::new(404, "not.found", "there is nothing at this path")),
        }
    }

    /// Returns a scripted status in the error format of the requested API.
    fn scripted(
        &self,
        call: &Call,
        status: u16,
        retry_after: Option<&str>,
        code: Option<&str>,
        message: Option<&str>,
    ) -> Response {
        match call.route {
            Route::Cloud(_) => dispatch::scripted(status, retry_after, code, message, &call.request_id),
            Route::Token if self.speaks_cloud(call.request) => token::scripted(status, code, message),
            _ => webchat::error::scripted(status, retry_after, code, message, &call.request_id),
        }
    }

    /// Finishes an answer and logs the request.
    fn close(
        &mut self,
        call: &Call,
        client_id: Option<String>,
        response: Option<Response>,
    ) -> Option<Response> {
        let request = call.request;
        self.log.push(Entry {
            n: 0,
            time: call.now,
            method: request.method.clone(),
            path: request.path.clone(),
            status: response.as_ref().map(|response| response.status),
            organization_id: call.organization.clone(),
            client_id,
            if_match: request.header("if-match").map(str::to_owned),
            body_sha256: (!request.body.is_empty()).then(|| hex(&Sha256::digest(&request.body))),
            note: odd(call),
        });
        let mut response = response?;
        if let Route::Cloud(_) = call.route {
            let per_minute = self.settings.token_rate_limit_per_minute;
            if let Some(key) = window_key(request) {
                response = self.cloud.windows.tell(&key, per_minute, call.now, response);
            }
            return Some(response.with_header("inin-correlation-id", call.request_id.clone()));
        }
        let response = self.tell_limit(call, response);
        Some(response.with_header("x-request-id", call.request_id.clone()))
    }
}

/// Returns the remark of the log about an unusual request.
fn odd(call: &Call) -> Option<&'static str> {
    let Route::Cloud(route) = &call.route else { return None };
    let leaked = route.operation == Operation::Download && call.request.header("authorization").is_some();
    leaked.then_some("a request for a download has an Authorization header")
}
