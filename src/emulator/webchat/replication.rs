//! Copies a configuration to other organizations in a background job.
//!
//! In: the request for a job, and the time. Out: jobs, and new versions at their targets.
//! Never: advances a job except by time, or shows a target's new content before the job has ended.
//! Start reading at [`World::settle`].

use crate::emulator::actor::CallOrigin;
use crate::emulator::call::Call;
use crate::emulator::error::{Answer, ApiError};
use crate::emulator::message::Response;
use crate::emulator::oauth::Grant;
use crate::emulator::time::later;
use crate::emulator::webchat::audit::AuditAction;
use crate::emulator::webchat::error::{FieldError, invalid};
use crate::emulator::world::World;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Queued,
    Running,
    Pending,
    Completed,
    Skipped,
    Failed,
}

/// One organization that a job copies to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    organization_id: String,
    status: Status,
    version: Option<u64>,
    error: Option<String>,
}

/// One replication.
#[derive(Clone, Debug)]
pub(super) struct Replication {
    id: String,
    status: Status,
    source: String,
    source_version: Option<u64>,
    overwrite: bool,
    targets: Vec<Target>,
    failing: Vec<String>,
    ends_at: Timestamp,
    origin: CallOrigin,
}

impl Replication {
    /// Renders the job as the API and the control surface show it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status,
            "sourceOrganizationId": self.source,
            "sourceVersion": self.source_version,
            "overwriteExisting": self.overwrite,
            "dateRequested": self.origin.at,
            "targets": self.targets,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    source_organization_id: String,
    target_organization_ids: Vec<String>,
    config_type: Option<String>,
    #[serde(default)]
    overwrite_existing: bool,
}

impl Body {
    fn violations(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut report = |field: &str, message: &str| {
            errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
        };
        let targets = &self.target_organization_ids;
        if self.config_type.as_deref().is_some_and(|kind| kind != "webchat") {
            report("configType", "must be `webchat`");
        }
        if targets.is_empty() {
            report("targetOrganizationIds", "must name at least one organization");
        }
        if targets.contains(&self.source_organization_id) {
            report("targetOrganizationIds", "must not name the source");
        }
        if targets.iter().collect::<BTreeSet<_>>().len() < targets.len() {
            report("targetOrganizationIds", "must not name an organization twice");
        }
        errors
    }
}

impl World {
    /// Advances the jobs to `now`, in the order of their times.
    pub fn settle(&mut self, now: Timestamp) {
        while let Some(&(at, index)) = self.webchat.due.first()
            && at <= now
        {
            self.webchat.due.pop_first();
            let Some(job) = self.webchat.jobs.get_mut(index) else { continue };
            if job.status == Status::Queued {
                job.status = Status::Running;
                self.webchat.due.insert((job.ends_at, index));
            } else {
                self.finish(index, at);
            }
        }
    }

    pub(super) fn start_replication(&mut self, call: &Call, grant: &Grant) -> Answer {
        grant.require("webchat:configuration:write")?;
        let body: Body = serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::malformed(format!("the replication cannot be read: {error}")))?;
        self.enter(&body.source_organization_id, grant)?;
        for id in &body.target_organization_ids {
            grant.enter(id)?;
        }
        let mut errors = body.violations();
        if self.configuration(&body.source_organization_id).is_none() {
            let message = "must name an organization that has a configuration".to_owned();
            errors.push(FieldError { field: "sourceOrganizationId".to_owned(), message });
        }
        if !errors.is_empty() {
            return Err(invalid("validation.failed", "the replication breaks rules", &errors));
        }
        let pending =
            |organization_id| Target { organization_id, status: Status::Pending, version: None, error: None };
        let index = self.webchat.jobs.len();
        let delay_ms = self.settings.replication_delay_ms;
        let job = Replication {
            id: format!("job-{}", index + 1),
            status: Status::Queued,
            source: body.source_organization_id,
            source_version: None,
            overwrite: body.overwrite_existing,
            targets: body.target_organization_ids.into_iter().map(pending).collect(),
            failing: call.failing_targets().to_vec(),
            ends_at: later(call.now, delay_ms),
            origin: call.origin(grant),
        };
        self.webchat.due.insert((later(call.now, delay_ms / 3), index));
        self.writes += 1;
        let response = Response::json(202, &job.to_json());
        self.webchat.jobs.push(job);
        Ok(response)
    }

    pub(super) fn read_job(&self, id: &str, grant: &Grant) -> Answer {
        grant.require("webchat:configuration:read")?;
        let number = id.strip_prefix("job-").and_then(|number| number.parse::<usize>().ok());
        let found = number
            .and_then(|number| self.webchat.jobs.get(number.checked_sub(1)?))
            .filter(|job| job.id == id);
        let unknown =
            || ApiError::new(404, "replication.not.found", format!("there is no replication `{id}`"));
        let job = found.ok_or_else(unknown)?;
        grant.enter(&job.source)?;
        Ok(Response::json(200, &job.to_json()))
    }

    /// Copies the source's configuration at this time to the targets.
    fn finish(&mut self, index: usize, at: Timestamp) {
        let Some(job) = self.webchat.jobs.get(index) else { return };
        let (mut targets, overwrite, failing) = (job.targets.clone(), job.overwrite, job.failing.clone());
        let origin = CallOrigin { at, ..job.origin.clone() };
        let source = self.configuration(&job.source).map(|known| (known.version, known.body.clone()));
        for target in &mut targets {
            let body = source.as_ref().map(|(_, body)| body);
            self.copy_to(target, body, overwrite, &failing, &origin);
        }
        // A job fails only if all its targets failed.
        let all_failed = targets.iter().all(|target| target.status == Status::Failed);
        if let Some(job) = self.webchat.jobs.get_mut(index) {
            job.status = if all_failed { Status::Failed } else { Status::Completed };
            job.source_version = source.map(|(version, _)| version);
            job.targets = targets;
        }
    }

    fn copy_to(
        &mut self,
        target: &mut Target,
        body: Option<&Map<String, Value>>,
        overwrite: bool,
        failing: &[String],
        origin: &CallOrigin,
    ) {
        let id = target.organization_id.as_str();
        let failure = match body {
            None => Some("the source has no configuration any more".to_owned()),
            Some(_) if failing.iter().any(|known| known == id) => Some("scripted by a fault".to_owned()),
            Some(_) if !self.exists(id) => Some(format!("there is no organization `{id}`")),
            Some(_) => None,
        };
        let known = self.configuration(id).map(|known| known.version);
        (target.status, target.version, target.error) = match (failure, known, body) {
            (None, Some(version), _) if !overwrite => (Status::Skipped, Some(version), None),
            (None, _, Some(body)) => {
                let version = self.store(id, body.clone(), Some(AuditAction::Replicate), origin);
                (Status::Completed, Some(version), None)
            }
            (failure, _, _) => (Status::Failed, None, failure),
        };
    }
}

#[cfg(test)]
mod tests;
