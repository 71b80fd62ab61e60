//! The control surface below `/_emulator`, through which a test or a demonstration reads and changes the
//! emulator.
//!
//! In: requests to the control surface. Out: the request log, the whole state, edits, faults, settings.
//! Never: requires a token, writes to the request log, or applies a fault or a limit.
//! Start reading at [`World::control`].

use crate::emulator::edit::{self, Edit, WrittenEdit};
use crate::emulator::error::{Answer, ApiError, wrong_method};
use crate::emulator::fault::Fault;
use crate::emulator::message::{Request, Response};
use crate::emulator::request_log::Entry;
use crate::emulator::settings::SettingsPatch;
use crate::emulator::text::form_pairs;
use crate::emulator::world::World;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsBody {
    faults: Vec<Fault>,
}

/// Says whether a path belongs to the control surface.
pub(super) fn is_control(path: &str) -> bool {
    path.strip_prefix("/_emulator").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl World {
    /// Answers a request to the control surface.
    pub(super) fn control(&mut self, request: &Request, now: Timestamp) -> Response {
        let answer = self.dispatch_control(request, now);
        self.answer_control(answer)
    }

    /// Finishes an answer. It has a separate counter for ids, so that a control request does not change the
    /// API's ids.
    pub(super) fn answer_control(&mut self, answer: Answer) -> Response {
        self.control_calls += 1;
        let id = format!("control-{}", self.control_calls);
        answer.unwrap_or_else(|error| error.into_response(&id)).with_header("x-request-id", id)
    }

    fn dispatch_control(&mut self, request: &Request, now: Timestamp) -> Answer {
        let allowed = match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/_emulator/requests") => return self.list_requests(&request.query),
            ("GET", "/_emulator/state") => return Ok(Response::json(200, &self.state(now))),
            ("POST", "/_emulator/edit") => return self.control_edit(parse(request)?, now),
            ("GET", "/_emulator/faults") => return Ok(self.list_faults()),
            ("POST", "/_emulator/faults") => {
                let body: FaultsBody = parse(request)?;
                self.add_faults(body.faults);
                return Ok(self.list_faults());
            }
            ("DELETE", "/_emulator/faults") => {
                self.clear_faults();
                return Ok(Response::empty(204));
            }
            ("GET", "/_emulator/settings") => return Ok(Response::json(200, self.settings())),
            ("POST", "/_emulator/settings") => {
                let patch: SettingsPatch = parse(request)?;
                self.set_settings(patch);
                return Ok(Response::json(200, self.settings()));
            }
            (_, "/_emulator/requests" | "/_emulator/state") => "GET",
            (_, "/_emulator/edit") => "POST",
            (_, "/_emulator/faults") => "GET, POST, DELETE",
            (_, "/_emulator/settings") => "GET, POST",
            (_, path) => {
                return Err(ApiError::new(404, "not.found", format!("the control surface has no `{path}`")));
            }
        };
        Err(wrong_method(allowed))
    }

    fn list_requests(&self, query: &str) -> Answer {
        let mut since = 0;
        for (name, value) in form_pairs(query) {
            match (name.as_str(), value.parse()) {
                ("since", Ok(number)) => since = number,
                ("since", Err(_)) => {
                    return Err(ApiError::malformed("`since` must be the `next` of an earlier answer"));
                }
                _ => return Err(ApiError::malformed(format!("unknown parameter `{name}`"))),
            }
        }
        let requests: Vec<&Entry> = self.log.since(since).collect();
        Ok(Response::json(200, &json!({"requests": requests, "next": self.log.newest()})))
    }

    fn list_faults(&self) -> Response {
        let faults: Vec<Value> = self.faults.iter().map(|armed| armed.to_json()).collect();
        Response::json(200, &json!({ "faults": faults }))
    }

    fn control_edit(&mut self, mut body: Map<String, Value>, now: Timestamp) -> Answer {
        let unusable = |error: String| ApiError::malformed(format!("the body cannot be used: {error}"));
        let organization_id: String = edit::take(&mut body, "organizationId").map_err(unusable)?;
        if body.contains_key("platform") {
            let patch: Map<String, Value> = edit::take(&mut body, "platform").map_err(unusable)?;
            self.must_exist(&organization_id)?;
            self.release(&organization_id, &patch, now);
            return Ok(Response::json(200, &json!({})));
        }
        let WrittenEdit { actor, edit } = WrittenEdit::try_from(body).map_err(unusable)?;
        self.must_exist(&organization_id)?;
        let answer = match edit {
            Edit::Patch(patch) => {
                let version = self.edit(&organization_id, &actor, &Value::Object(patch), now);
                json!({ "version": version })
            }
            Edit::Cloud(edit) => self.try_cloud_edit(&organization_id, &actor, &edit, now)?,
        };
        Ok(Response::json(200, &answer))
    }

    fn state(&self, now: Timestamp) -> Value {
        let mut state = self.webchat.state();
        if !self.cloud.organizations.is_empty() {
            state.insert("cloud".to_owned(), self.cloud.state(now));
        }
        Value::Object(state)
    }
}

fn parse<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    serde_json::from_slice(&request.body)
        .map_err(|error| ApiError::malformed(format!("the body cannot be used: {error}")))
}
