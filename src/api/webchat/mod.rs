//! The `webchat` dialect: builds requests and interprets answers. Pure: bytes in, values out.
//!
//! The source is the `webchat` contract, *Web messaging configuration*, *Replication* and *Audit*.
//!
//! In: what a run asks for; a response. Out: an [`Operation`]; an observation, an outcome, entries. Never:
//! performs a request. Start reading at [`write()`] and [`answer`].

mod wire;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::audit::PropertyChange;
use crate::model::write::{Accepted, Job, JobTarget, JobTargetStatus, StartJob};
use crate::model::{
    Actor, Dialect, Entry, Fault, FaultKind, Object, ObjectRef, Observed, OrganizationId, Outcome, Stored,
    Write,
};
use crate::platform::operation::{Operation, Response, Verb, shown};

/// Entries on one page of the audit log.
const AUDIT_PAGE_SIZE: u32 = 100;

/// The largest accepted version: versions are counted from 1, so a larger number is invalid.
const VERSION_MAX: u64 = i64::MAX as u64;

/// Fields that the server adds to a configuration.
const SERVER_FIELDS: [&str; 3] = ["version", "dateModified", "modifiedBy"];

fn path_of(organization: &OrganizationId) -> String {
    format!("api/v2/webchat/organizations/{organization}/configurations")
}

/// Reads a configuration.
pub fn read(organization: &OrganizationId) -> Operation {
    Operation {
        verb: Verb::Get,
        path: path_of(organization),
        if_match: None,
        body: None,
        subject: format!("the configuration of organization {organization}"),
        dialect: Dialect::Webchat,
    }
}

/// Stores a configuration.
pub fn write(write: &Write) -> Operation {
    let organization = &write.target.organization;
    Operation {
        verb: Verb::Put,
        path: path_of(organization),
        if_match: write.if_match,
        body: Some(serde_json::to_vec(&*write.body).unwrap_or_default()),
        subject: format!("the configuration of organization {organization}"),
        dialect: Dialect::Webchat,
    }
}

/// Starts a replication job.
pub fn replicate(start: &StartJob) -> Operation {
    let targets: Vec<&str> = start.targets.iter().map(|target| target.organization.as_str()).collect();
    let body = json!({
        "sourceOrganizationId": start.source.organization.as_str(),
        "targetOrganizationIds": targets,
        "configType": "webchat",
        "overwriteExisting": start.overwrite_existing,
    });
    Operation {
        verb: Verb::Start,
        path: "api/v2/webchat/configurations/replicate".into(),
        if_match: None,
        body: Some(body.to_string().into_bytes()),
        subject: format!("the replication of organization {}", start.source.organization),
        dialect: Dialect::Webchat,
    }
}

/// Polls a replication job. The id comes from the server: it is put into the path as one segment.
pub fn poll(source: &OrganizationId, id: &str) -> Operation {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let segment: String = id
        .bytes()
        .map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    Operation {
        verb: Verb::Get,
        path: format!("api/v2/webchat/configurations/replicate/{segment}"),
        if_match: None,
        body: None,
        subject: format!("the replication job of organization {source}"),
        dialect: Dialect::Webchat,
    }
}

/// Queries the audit log.
pub fn audit(organizations: &[&OrganizationId], from: Timestamp, to: Timestamp, page: u32) -> Operation {
    let actions: Vec<String> = ["create", "update", "delete", "replicate"]
        .iter()
        .map(|action| format!("webchat:configuration:{action}"))
        .collect();
    let ids: Vec<&str> = organizations.iter().map(|organization| organization.as_str()).collect();
    let body = json!({
        "query": {"actions": actions, "organizations": ids, "timeRange": {"start": from, "end": to}},
        "pageSize": AUDIT_PAGE_SIZE,
        "page": page,
    });
    Operation {
        verb: Verb::Query,
        path: "api/v2/audit/records/query".into(),
        if_match: None,
        body: Some(body.to_string().into_bytes()),
        subject: format!("the audit log of organization {}", ids.join(", ")),
        dialect: Dialect::Webchat,
    }
}

/// Interprets the answer to [`read`].
///
/// # Errors
/// The answer is neither a configuration nor the error that there is none.
pub fn observed(response: &Response) -> Result<Observed, Fault> {
    match response.status {
        200 => stored(response).map(Observed::Present),
        404 if wire::error(response).code == "webchat.configuration.not.found" => Ok(Observed::Absent),
        _ => Err(refusal(response)),
    }
}

/// Interprets the answer to an accepted [`write()`]. Only the version is required; the rest is read back.
///
/// # Errors
/// The answer cannot be read.
pub fn accepted(response: &Response) -> Result<Accepted, Fault> {
    stored(response)
}

fn stored(response: &Response) -> Result<Stored, Fault> {
    let mut body: Map<String, Value> = wire::parse(response)?;
    let missing = |what: &str| {
        response.fault(FaultKind::Transient, format!("the answer about {} has no {what}", response.subject))
    };
    let version = body
        .get("version")
        .and_then(Value::as_u64)
        .filter(|version| (1..=VERSION_MAX).contains(version))
        .ok_or_else(|| missing("version"))?;
    let modified_at = body.get("dateModified").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let modified_by =
        body.get("modifiedBy").cloned().and_then(|actor| serde_json::from_value::<Actor>(actor).ok());
    for field in SERVER_FIELDS {
        body.shift_remove(field);
    }
    Ok(Stored { version, body: Arc::new(body), modified_at, modified_by, instance: None })
}

/// Interprets the answer to [`replicate`] or [`poll`].
///
/// # Errors
/// The answer is no job.
pub fn job(response: &Response) -> Result<Job, Fault> {
    if !(200..300).contains(&response.status) {
        return Err(refusal(response));
    }
    let wire: wire::JobBody = wire::parse(response)?;
    let target = |target: wire::JobTarget| JobTarget {
        organization: OrganizationId::new(target.organization_id),
        status: match target.status.as_str() {
            "COMPLETED" => JobTargetStatus::Completed,
            "SKIPPED" => JobTargetStatus::Skipped,
            "FAILED" => JobTargetStatus::Failed,
            _ => JobTargetStatus::Pending,
        },
        version: target.version.filter(|version| (1..=VERSION_MAX).contains(version)),
        error: target.error.map(|error| wire::reason(&error)),
    };
    Ok(Job {
        id: wire.id,
        ended: matches!(wire.status.as_str(), "COMPLETED" | "FAILED"),
        targets: wire.targets.into_iter().map(target).collect(),
    })
}

/// One page of the audit log.
#[derive(Debug)]
pub struct AuditPage {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// The number of its records, readable or not.
    records: usize,
    /// The page size of the server: it may be smaller than the requested one.
    page_size: u64,
    total: u64,
}

impl AuditPage {
    /// Whether this page, counted from 1, is the last.
    pub fn is_last(&self, page: u32) -> bool {
        self.records == 0 || u64::from(page).saturating_mul(self.page_size.max(1)) >= self.total
    }
}

/// Interprets the answer to [`audit`]. Records without an actor or an organization are skipped, because they
/// can confirm nothing.
///
/// # Errors
/// The answer is no page.
pub fn entries(response: &Response) -> Result<AuditPage, Fault> {
    if response.status != 200 {
        return Err(refusal(response));
    }
    let page: wire::AuditPage = wire::parse(response)?;
    let (total, records) = (page.total, page.records.len());
    let page_size = page.page_size.unwrap_or(u64::from(AUDIT_PAGE_SIZE));
    let entries = page
        .records
        .into_iter()
        .filter_map(|record| serde_json::from_value::<wire::AuditRecord>(record).ok())
        .map(entry);
    Ok(AuditPage { entries: entries.collect(), records, page_size, total })
}

fn entry(record: wire::AuditRecord) -> Entry {
    Entry {
        id: record.id,
        at: record.timestamp,
        action: record.action,
        object: ObjectRef::new(OrganizationId::new(record.organization_id), Object::implied()),
        actor: record.actor,
        remote_ip: record.remote_ip.map(|ip| shown(&ip, 64).into_owned()),
        version: record.version,
        changes: record
            .changes
            .into_iter()
            .map(|change| PropertyChange {
                property: change.property,
                old_value: change.old_value,
                new_value: change.new_value,
            })
            .collect(),
    }
}

/// Interprets the answer to a write or to the start of a job.
pub fn answer<T>(response: &Response, accepted: fn(&Response) -> Result<T, Fault>) -> Outcome<T> {
    match response.status {
        // An unreadable acceptance counts as a lost answer: it is read back.
        200..=299 => accepted(response).map_or_else(Outcome::Unknown, Outcome::Accepted),
        // Servers report the same refusal in several ways; see the contract and `faults.md` A21.
        409 | 412 => Outcome::Conflict,
        400 if wire::error(response).message.contains("does not match the current version") => {
            Outcome::Conflict
        }
        408 => Outcome::Unknown(refusal(response)),
        429 => Outcome::Throttled { retry_after_ms: response.retry_after_ms },
        404 => Outcome::NotFound(refusal(response)),
        401 | 403 => Outcome::Denied(refusal(response)),
        // The answer is from a gateway: the server behind it may still process the request.
        502 | 504 => Outcome::Unknown(refusal(response)),
        _ if response.is_detour() => Outcome::Unknown(refusal(response)),
        500..=599 => Outcome::Failed(refusal(response)),
        _ => Outcome::Rejected(refusal(response)),
    }
}

/// Returns a refusal as a fault.
fn refusal(response: &Response) -> Fault {
    let kind = match response.status {
        429 => FaultKind::Throttled,
        401 | 403 => FaultKind::Denied,
        404 => FaultKind::NotFound,
        // Neither accepted nor refused: from an intermediary, or without content.
        200..=399 | 407 | 408 | 500..=599 => FaultKind::Transient,
        _ => FaultKind::Rejected,
    };
    let error = wire::error(response);
    let mut message = response.reported();
    if !error.message.is_empty() {
        message.push_str(": ");
        message.push_str(&shown(&error.message, 300));
    }
    for field in error.errors.iter().take(10) {
        message.push_str(&format!("; `{}`: {}", shown(&field.field, 100), shown(&field.message, 200)));
    }
    response.fault(kind, message)
}

#[cfg(test)]
mod tests;
