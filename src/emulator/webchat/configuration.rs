//! The web messaging configuration of each organization.
//!
//! In: GET, PUT and DELETE requests, and people's edits. Out: answers, new versions, audit records. Never:
//! keeps `version`, `dateModified` or `modifiedBy` from a body, because the platform sets these fields. Start
//! reading at [`World::write_configuration`].

use crate::emulator::actor::{Actor, CallOrigin};
use crate::emulator::call::Call;
use crate::emulator::error::{Answer, ApiError};
use crate::emulator::message::{Response, to_bytes};
use crate::emulator::oauth::Grant;
use crate::emulator::tree;
use crate::emulator::webchat::audit::AuditAction;
use crate::emulator::webchat::error::invalid;
use crate::emulator::webchat::payload;
use crate::emulator::world::World;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One version of an organization's configuration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The version number, from 1.
    pub version: u64,
    /// The stored fields, unchanged.
    pub body: Map<String, Value>,
    /// The creation time of this version.
    pub date_modified: Timestamp,
    /// The actor who made this version.
    pub modified_by: Actor,
    /// The body of a GET, serialized once.
    rendered: Arc<[u8]>,
}

/// An organization that the emulator knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Organization {
    pub current: Option<Configuration>,
    /// The configuration before the last change.
    pub previous: Option<Configuration>,
}

impl Configuration {
    pub(super) fn new(
        version: u64,
        mut body: Map<String, Value>,
        date_modified: Timestamp,
        modified_by: Actor,
    ) -> Configuration {
        drop_own_fields(&mut body);
        let mut shown = body.clone();
        shown.insert("version".to_owned(), version.into());
        shown.insert("dateModified".to_owned(), json!(date_modified));
        shown.insert("modifiedBy".to_owned(), json!(modified_by));
        Configuration { version, body, date_modified, modified_by, rendered: to_bytes(&shown) }
    }

    fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    fn answer(&self) -> Response {
        Response::json_bytes(200, self.rendered.clone()).with_header("etag", self.etag())
    }

    /// Returns whether an `If-Match` is this version, either as the bare integer or as the quoted tag.
    fn is_named_by(&self, if_match: Option<&str>) -> bool {
        let named = if_match.unwrap_or_default().trim();
        named == self.version.to_string() || named == self.etag()
    }
}

impl World {
    /// Returns an organization's configuration.
    pub fn configuration(&self, organization_id: &str) -> Option<&Configuration> {
        self.webchat.organizations.get(organization_id)?.current.as_ref()
    }

    /// Edits a configuration as a person, by a JSON merge patch (RFC 7396), and returns the new version. If
    /// there is no configuration, it creates one. A patch that is not an object changes only the version. If
    /// the organization does not exist, it changes nothing and returns 0.
    pub fn edit(&mut self, organization_id: &str, actor: &Actor, patch: &Value, now: Timestamp) -> u64 {
        self.settle(now);
        if !self.exists(organization_id) {
            return 0;
        }
        let origin = self.at_the_screen(actor, now);
        let mut body =
            self.configuration(organization_id).map(|known| known.body.clone()).unwrap_or_default();
        if let Value::Object(patch) = patch {
            tree::merge(&mut body, patch);
        }
        self.store(organization_id, body, None, &origin)
    }

    /// Changes a configuration as a release of the platform does: without a new version and without an audit
    /// record. If there is no configuration, it does nothing.
    pub fn release(&mut self, organization_id: &str, patch: &Map<String, Value>, now: Timestamp) {
        self.settle(now);
        let Some(known) = self.configuration(organization_id).cloned() else { return };
        let mut body = known.body;
        tree::merge(&mut body, patch);
        let changed = Configuration::new(known.version, body, known.date_modified, known.modified_by);
        if let Some(organization) = self.webchat.organizations.get_mut(organization_id) {
            organization.current = Some(changed);
        }
    }

    /// Deletes a configuration as a person. If there is no configuration, it does nothing.
    pub fn remove(&mut self, organization_id: &str, actor: &Actor, now: Timestamp) {
        self.settle(now);
        if self.configuration(organization_id).is_some() {
            let origin = self.at_the_screen(actor, now);
            self.erase(organization_id, &origin);
        }
    }

    pub(super) fn read_configuration(&self, call: &Call, id: &str, grant: &Grant) -> Answer {
        grant.require("webchat:configuration:read")?;
        self.enter(id, grant)?;
        let organization = self.webchat.organizations.get(id);
        let stale = organization.and_then(|known| known.previous.as_ref()).filter(|_| call.wants_stale());
        let current = organization.and_then(|known| known.current.as_ref());
        let shown = stale.or(current).ok_or_else(|| not_found(id))?;
        let tag = shown.etag();
        let unchanged = call.request.header("if-none-match").is_some_and(|tags| {
            // Weak comparison, RFC 9110 section 13.1.2.
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
        });
        if unchanged { Ok(Response::empty(304).with_header("etag", tag)) } else { Ok(shown.answer()) }
    }

    pub(super) fn write_configuration(&mut self, call: &Call, id: &str, grant: &Grant) -> Answer {
        grant.require("webchat:configuration:write")?;
        self.enter(id, grant)?;
        let body: Value = serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::malformed(format!("the body is not JSON: {error}")))?;
        let Value::Object(mut body) = body else {
            return Err(ApiError::malformed("the body is not a JSON object"));
        };
        drop_own_fields(&mut body);
        // A precondition counts only for a request that would succeed without it (RFC 9110 section 13.2.1).
        let errors = payload::violations(&body);
        if !errors.is_empty() {
            return Err(invalid("validation.failed", "the configuration breaks rules", &errors));
        }
        let if_match = call.request.header("if-match");
        match self.configuration(id) {
            Some(current) if !current.is_named_by(if_match) => return Err(conflict(current.version)),
            None if if_match.is_some() => return Err(not_found(id)),
            Some(_) | None => {}
        }
        self.store(id, body, None, &call.origin(grant));
        self.writes += 1;
        self.configuration(id).map(Configuration::answer).ok_or_else(|| not_found(id))
    }

    pub(super) fn delete_configuration(&mut self, call: &Call, id: &str, grant: &Grant) -> Answer {
        grant.require("webchat:configuration:write")?;
        self.enter(id, grant)?;
        let current = self.configuration(id).ok_or_else(|| not_found(id))?;
        if !current.is_named_by(call.request.header("if-match")) {
            return Err(conflict(current.version));
        }
        self.erase(id, &call.origin(grant));
        self.writes += 1;
        Ok(Response::empty(204))
    }

    /// Stores the next version and returns its number. If `action` is `None`, the audit record says create or
    /// update.
    pub(super) fn store(
        &mut self,
        id: &str,
        body: Map<String, Value>,
        action: Option<AuditAction>,
        origin: &CallOrigin,
    ) -> u64 {
        let organization = self.webchat.organizations.entry(id.to_owned()).or_default();
        let old = organization.current.take();
        let version = old.as_ref().map_or(1, |known| known.version.saturating_add(1));
        let new = Configuration::new(version, body, origin.at, origin.actor.clone());
        let usual = if old.is_some() { AuditAction::Update } else { AuditAction::Create };
        organization.current = Some(new.clone());
        organization.previous = old.clone();
        let old = old.as_ref().map(|known| &known.body);
        self.record(id, action.unwrap_or(usual), version, old, Some(&new.body), origin);
        version
    }

    fn erase(&mut self, id: &str, origin: &CallOrigin) {
        let Some(organization) = self.webchat.organizations.get_mut(id) else { return };
        let Some(old) = organization.current.take() else { return };
        organization.previous = Some(old.clone());
        self.record(id, AuditAction::Delete, old.version, Some(&old.body), None, origin);
    }
}

fn drop_own_fields(body: &mut Map<String, Value>) {
    for name in ["version", "dateModified", "modifiedBy"] {
        body.shift_remove(name);
    }
}

fn not_found(id: &str) -> ApiError {
    let message = format!("organization `{id}` has no web messaging configuration");
    ApiError::new(404, "webchat.configuration.not.found", message)
}

fn conflict(current: u64) -> ApiError {
    let message = format!("`If-Match` has to name the current version, {current}");
    ApiError::new(409, "version.conflict", message).with("version", current.into())
}

#[cfg(test)]
mod tests;
