//! Scripted failures.
//!
//! In: [`Fault`]s from a world file or the control surface, and each API request.
//! Out: at most one [`FaultAction`] for a request. Never: performs an action; `world` does.
//! Start reading at [`strike`].

#![warn(clippy::wildcard_enum_match_arm, reason = "this module must handle each new fault")]

use crate::emulator::actor::Actor;
use crate::emulator::cloud::edit::CloudEdit;
use crate::emulator::edit::{Edit, WrittenEdit};
use crate::emulator::glob;
use crate::emulator::message::{Request, Response};
use crate::emulator::route::Route;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A scripted failure of chosen requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The chosen requests; all requests by default.
    #[serde(rename = "match", default)]
    pub requests: FaultMatch,
    /// The number of the first matching request that fails, counted from 1 since the fault was added.
    #[serde(default = "one", deserialize_with = "at_least_one")]
    pub nth: u64,
    /// The number of consecutive matching requests that fail; 0 is no limit.
    #[serde(default = "one")]
    pub times: u64,
    /// The failure.
    #[serde(rename = "do")]
    pub action: FaultAction,
}

/// Chooses requests; a field that is `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultMatch {
    /// The method, in upper or lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A pattern for the whole path: `*` within a segment, `**` across segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The organization of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
}

/// The failure of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Script", into = "Script")]
pub enum FaultAction {
    /// The emulator answers with this status and does not perform the request.
    Status {
        /// 200 to 599.
        status: u16,
        /// The value of the `Retry-After` header.
        retry_after: Option<String>,
    },
    /// Like [`FaultAction::Status`], with the error's own code, message or location.
    Error {
        /// 200 to 599.
        status: u16,
        /// The value of the `Retry-After` header.
        retry_after: Option<String>,
        /// The error's code.
        code: Option<String>,
        /// The error's message.
        message: Option<String>,
        /// The value of the `Location` header.
        location: Option<String>,
    },
    /// A listing of the cloud API is empty.
    Empty,
    /// The emulator delays the answer by this number of milliseconds.
    Delay(u64),
    /// The emulator closes the connection without an answer.
    Drop(DropWhen),
    /// A read of a configuration returns the previous version, if one exists.
    Stale,
    /// The emulator performs the request and answers with a page that is not JSON.
    Garbage,
    /// Another user edits the organization's configuration just before the emulator handles the request.
    Edit {
        /// The other user.
        actor: Actor,
        /// The JSON merge patch (RFC 7396).
        patch: Map<String, Value>,
    },
    /// Another user changes objects of the organization just before the emulator handles the request.
    CloudEdit {
        /// The other user.
        actor: Actor,
        /// The change.
        edit: Box<CloudEdit>,
    },
    /// These targets of the requested replication get the status FAILED.
    FailTargets(Vec<String>),
}

/// The time at which the emulator drops a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropWhen {
    /// Before the emulator performs the request.
    Before,
    /// After the emulator performed the request; the answer is lost.
    After,
}

/// An active fault with its counters.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    pub fault: Fault,
    /// The number of requests that matched.
    pub seen: u64,
    /// The number of requests that failed.
    pub fired: u64,
}

impl Armed {
    pub fn new(fault: Fault) -> Armed {
        Armed { fault, seen: 0, fired: 0 }
    }

    /// Renders the fault for the control surface.
    pub fn to_json(&self) -> Value {
        let mut value = json!(self.fault);
        if let Value::Object(fields) = &mut value {
            fields.insert("seen".to_owned(), self.seen.into());
            fields.insert("fired".to_owned(), self.fired.into());
        }
        value
    }

    fn matches(&self, request: &Request, route: &Route, organization: Option<&str>) -> bool {
        // A fault for one kind of request neither fails nor counts other requests.
        let sensible = match self.fault.action {
            FaultAction::Stale => route.reads_state(request),
            FaultAction::FailTargets(_) => route.replicates(),
            FaultAction::Empty => route.reads_cloud(request),
            FaultAction::Edit { .. } | FaultAction::CloudEdit { .. } => organization.is_some(),
            FaultAction::Status { .. }
            | FaultAction::Error { .. }
            | FaultAction::Delay(_)
            | FaultAction::Drop(_)
            | FaultAction::Garbage => true,
        };
        let wanted = &self.fault.requests;
        sensible
            && wanted.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
            && wanted.organization_id.as_deref().is_none_or(|id| organization == Some(id))
            && wanted.path.as_ref().is_none_or(|pattern| glob::matches(pattern, &request.path))
    }
}

/// Counts the request in every matching fault, and returns the action of the first fault that is due.
pub(super) fn strike(
    faults: &mut [Armed],
    request: &Request,
    route: &Route,
    organization: Option<&str>,
) -> Option<FaultAction> {
    let mut action = None;
    for armed in faults.iter_mut().filter(|armed| armed.matches(request, route, organization)) {
        armed.seen = armed.seen.saturating_add(1);
        let (nth, times) = (armed.fault.nth.max(1), armed.fault.times);
        let due = armed.seen.checked_sub(nth).is_some_and(|past| times == 0 || past < times);
        if due && action.is_none() {
            armed.fired = armed.fired.saturating_add(1);
            action = Some(armed.fault.action.clone());
        }
    }
    action
}

/// Removes all entities from a listing.
pub(super) fn emptied(response: Response) -> Response {
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&response.body) else { return response };
    if !body.contains_key("entities") {
        return response;
    }
    body.insert("entities".to_owned(), json!([]));
    body.retain(|name, _| !["nextUri", "previousUri", "cursor"].contains(&name.as_str()));
    for name in ["total", "pageCount"] {
        if let Some(count) = body.get_mut(name) {
            *count = json!(0);
        }
    }
    Response::json(response.status, &body)
}

/// Returns an HTML page such as a proxy sends.
pub(super) fn garbage() -> Response {
    let page: &[u8] = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>\n";
    Response { status: 200, headers: vec![("content-type", "text/html".to_owned())], body: Arc::from(page) }
}

fn one() -> u64 {
    1
}

fn at_least_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("`nth` must be at least 1")),
        nth => Ok(nth),
    }
}

/// The JSON form of a [`FaultAction`]: exactly one of the fields, and with `status` also `retryAfter`,
/// `code`, `message` and `location`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Script {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    empty: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<DropWhen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    garbage: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_targets: Option<Vec<String>>,
}

impl TryFrom<Map<String, Value>> for FaultAction {
    type Error = String;

    fn try_from(fields: Map<String, Value>) -> Result<FaultAction, String> {
        let WrittenEdit { actor, edit } = WrittenEdit::try_from(fields)?;
        Ok(match edit {
            Edit::Patch(patch) => FaultAction::Edit { actor, patch },
            Edit::Cloud(edit) => FaultAction::CloudEdit { actor, edit },
        })
    }
}

impl TryFrom<Script> for FaultAction {
    type Error = String;

    fn try_from(script: Script) -> Result<FaultAction, String> {
        let retry_after = match script.retry_after {
            None => None,
            Some(Value::Number(seconds)) => Some(seconds.to_string()),
            Some(Value::String(text)) if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Some(text),
            Some(_) => return Err("`retryAfter` must be a number or one line of ASCII text".to_owned()),
        };
        if retry_after.is_some() && script.status.is_none() {
            return Err("`retryAfter` requires `status`".to_owned());
        }
        let words = [&script.code, &script.message, &script.location];
        if words.iter().any(|word| word.is_some()) && script.status.is_none() {
            return Err("`code`, `message` and `location` require `status`".to_owned());
        }
        if script.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("`status` must be from 200 to 599".to_owned());
        }
        if [script.stale, script.garbage, script.empty].contains(&Some(false)) {
            return Err("`stale`, `garbage` and `empty` must be true or absent".to_owned());
        }
        let edit = script.edit.map(FaultAction::try_from).transpose()?;
        let (code, message, location) = (script.code, script.message, script.location);
        let answer = script.status.map(|status| match (&code, &message, &location) {
            (None, None, None) => FaultAction::Status { status, retry_after },
            _ => FaultAction::Error { status, retry_after, code, message, location },
        });
        let mut actions: Vec<FaultAction> = [
            answer,
            script.delay_ms.map(FaultAction::Delay),
            script.drop.map(FaultAction::Drop),
            script.stale.map(|_| FaultAction::Stale),
            script.garbage.map(|_| FaultAction::Garbage),
            script.empty.map(|_| FaultAction::Empty),
            edit,
            script.fail_targets.map(FaultAction::FailTargets),
        ]
        .into_iter()
        .flatten()
        .collect();
        match (actions.pop(), actions.is_empty()) {
            (Some(action), true) => Ok(action),
            _ => Err(
                "`do` must have exactly one of `status`, `delayMs`, `drop`, `empty`, `stale`, `garbage`, \
                      `edit`, `failTargets`"
                    .to_owned(),
            ),
        }
    }
}

impl From<FaultAction> for Script {
    fn from(action: FaultAction) -> Script {
        let nothing = Script::default();
        match action {
            FaultAction::Status { status, retry_after } => {
                Script { status: Some(status), retry_after: retry_after.map(Value::String), ..nothing }
            }
            FaultAction::Error { status, retry_after, code, message, location } => {
                let retry_after = retry_after.map(Value::String);
                Script { status: Some(status), retry_after, code, message, location, ..nothing }
            }
            FaultAction::Delay(delay_ms) => Script { delay_ms: Some(delay_ms), ..nothing },
            FaultAction::Drop(when) => Script { drop: Some(when), ..nothing },
            FaultAction::Stale => Script { stale: Some(true), ..nothing },
            FaultAction::Garbage => Script { garbage: Some(true), ..nothing },
            FaultAction::Empty => Script { empty: Some(true), ..nothing },
            FaultAction::Edit { actor, patch } => {
                Script { edit: Some(WrittenEdit { actor, edit: Edit::Patch(patch) }.into()), ..nothing }
            }
            FaultAction::CloudEdit { actor, edit } => {
                Script { edit: Some(WrittenEdit { actor, edit: Edit::Cloud(edit) }.into()), ..nothing }
            }
            FaultAction::FailTargets(ids) => Script { fail_targets: Some(ids), ..nothing },
        }
    }
}
