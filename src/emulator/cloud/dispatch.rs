//! Dispatches a request of the cloud API to its handler.
//!
//! In: a call with its route. Out: an answer, and an audit record. Never: gives a call access to an
//! organization other than its token's. Start reading at [`World::dispatch_cloud`].

use crate::emulator::call::Call;
use crate::emulator::cloud::audit::services;
use crate::emulator::cloud::configuration::Sight;
use crate::emulator::cloud::directory::Shelf;
use crate::emulator::cloud::error::{bad_request, not_found, refusal, usual_code};
use crate::emulator::cloud::organization::products;
use crate::emulator::cloud::profile::Act;
use crate::emulator::cloud::profile::kind::ProfileKind;
use crate::emulator::cloud::query::Query;
use crate::emulator::cloud::route::{CloudRoute, Operation};
use crate::emulator::cloud::token::unauthenticated;
use crate::emulator::cloud::{Cloud, Done, Object, Work};
use crate::emulator::error::{Answer, ApiError};
use crate::emulator::message::{Request, Response};
use crate::emulator::world::World;
use serde_json::Value;

/// The maximum size of a request body, in bytes.
const BODY_BYTES_MAX: usize = 512_000;

/// An authorized call with its organization and its caller.
struct Visit<'a> {
    request: &'a Request,
    organization_id: String,
    query: Query,
    look: Sight,
    work: Work,
}

impl World {
    /// Answers a call of the cloud API.
    pub(in crate::emulator) fn dispatch_cloud(&mut self, call: &Call, route: &CloudRoute) -> Answer {
        let (operation, id) = (route.operation, route.id(0));
        match operation {
            Operation::WrongMethod => {
                let allowed = route.ids.join(", ");
                return Err(refusal(405, "method.not.allowed", format!("allowed here: {allowed}"))
                    .with_header("allow", allowed));
            }
            Operation::CdnConfig | Operation::CdnDomains => {
                let domains = operation == Operation::CdnDomains;
                return Ok(self.cloud.serve_edge(id, domains, call.now, call.wants_stale()));
            }
            Operation::Download => {
                if call.request.header("authorization").is_some() {
                    return Err(bad_request("Only one auth mechanism allowed."));
                }
                return self.cloud.download(id, call.now).map(|body| Response::json(200, &body));
            }
            _ => {}
        }
        let has_token = call.request.header("authorization").is_some();
        let grant = self.authenticate(call.request, call.now).map_err(|_| unauthenticated(has_token))?;
        if let Some(key) = window_key(call.request) {
            let per_minute = self.settings.token_rate_limit_per_minute;
            self.cloud.windows.count(&key, per_minute, call.now).map_err(too_many)?;
        }
        if call.request.body.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        let client = grant.client();
        self.check_permissions(client, route)?;
        let organization_id = self
            .organization_of(client)
            .filter(|id| self.exists(id))
            .ok_or_else(|| refusal(403, "not.authorized", "The client belongs to no organization."))?;
        match operation {
            Operation::ReadToken => {
                return Ok(Response::json(200, &self.render_token(client, &organization_id)));
            }
            Operation::VerifyToken => return Ok(Response::empty(200)),
            Operation::RevokeToken => {
                self.revoke(call.request);
                return Ok(Response::empty(204));
            }
            _ => {}
        }
        let visit = Visit {
            request: call.request,
            organization_id,
            query: Query::new(&call.request.query),
            look: Sight { now: call.now, stale: call.wants_stale(), cap: self.settings.page_size_max },
            work: Work { origin: call.origin(&grant), settings: self.settings.clone() },
        };
        self.cloud.organization(&visit.organization_id);
        if call.request.method == "GET" {
            return self.cloud.read(&visit, route);
        }
        if let Some(answer) = self.cloud.ask(&visit, operation) {
            return answer.map(|body| Response::json(200, &body));
        }
        let done = match operation {
            Operation::Profile(kind, act) => self.cloud.change_profile(&visit, (kind, act), id)?,
            _ => self.cloud.change(&visit, operation, id)?,
        };
        self.writes += 1;
        self.cloud.trail.record(&mut self.cloud.counters, &visit.organization_id, &visit.work, done.event);
        Ok(if done.shown.is_null() { Response::empty(204) } else { Response::json(200, &done.shown) })
    }
}

impl Cloud {
    /// Answers a GET.
    fn read(&self, visit: &Visit, route: &CloudRoute) -> Answer {
        let Visit { organization_id, query, look, .. } = visit;
        let organization =
            self.organizations.get(organization_id).ok_or_else(|| not_found(organization_id))?;
        let (path, id) = (visit.request.path.as_str(), route.id(0));
        let realtime = if visit.work.settings.audit_realtime { None } else { Some("WebDeployments") };
        let body = match route.operation {
            Operation::ListConfigurations => organization.list_configurations(path, query, look)?.into(),
            Operation::ListVersions => organization.list_versions(id, path, query, look)?.into(),
            Operation::ReadDraft => organization.read_version(id, "DRAFT", look)?.into(),
            Operation::ReadVersion => organization.read_version(id, route.id(1), look)?.into(),
            Operation::ListDeployments => organization.list_deployments(path, query, look)?.into(),
            Operation::ReadDeployment => organization.read_deployment(id, query, look)?.into(),
            Operation::ReadActiveConfiguration => organization.read_active(id, query, look)?,
            Operation::ReadIdentityResolution => organization.read_identity(id, look)?,
            Operation::ListOpen => organization.list_open(path, query, look)?.into(),
            Operation::ReadOpen => organization.read_open(id, look)?,
            Operation::Profile(kind, act) => {
                organization.profiles.read((kind, act), id, path, query, look)?
            }
            Operation::ReadOrganization => organization.render(),
            Operation::ReadUser => self.trail.read_user(organization_id, id).ok_or_else(|| not_found(id))?,
            Operation::ReadProducts => products(),
            Operation::ReadLimits | Operation::ReadDefaultLimits => {
                let defaults = route.operation == Operation::ReadDefaultLimits;
                organization.limits(id, defaults).ok_or_else(|| not_found(id))?
            }
            Operation::ReadServices => services(None),
            Operation::ReadRealtimeServices => services(realtime),
            Operation::ReadAuditQuery => self.read_audit_query(organization_id, id, look.now)?,
            Operation::ReadAuditResults => {
                let wants = query.get("allowRedirect") == Some("true");
                if wants
                    && visit.work.settings.audit_redirect
                    && self.has_audit_results(organization_id, id, look.now)
                {
                    return Ok(Response::empty(302).with_header("location", download_uri(visit.request, id)));
                }
                self.read_audit_results(organization_id, id, query, look)?
            }
            other => {
                let (shelf, single) = shelf_of(other).ok_or_else(|| not_found(id))?;
                let directory = &organization.directory;
                match single {
                    true => directory.read(shelf, id).ok_or_else(|| not_found(id))?,
                    false => directory.list(shelf, path, query, look.cap)?.into(),
                }
            }
        };
        Ok(Response::json(200, &body))
    }

    /// Answers a POST that changes no audited object.
    fn ask(&mut self, visit: &Visit, operation: Operation) -> Option<Result<Value, ApiError>> {
        let Visit { request, organization_id, query, look, work } = visit;
        let without = if work.settings.audit_realtime { None } else { Some("WebDeployments") };
        Some(match operation {
            Operation::StartAuditQuery => self.start_audit_query(organization_id, work, &request.body),
            Operation::AuditRealtime => {
                self.query_audit_realtime(organization_id, &request.body, query, look, without)
            }
            Operation::AuditRelated => {
                self.query_audit_related(organization_id, &request.body, query, look.now)
            }
            _ => return None,
        })
    }

    /// Changes an object.
    fn change(&mut self, visit: &Visit, operation: Operation, id: &str) -> Result<Done, ApiError> {
        let Visit { request, organization_id, work, .. } = visit;
        let counters = &mut self.counters;
        let organization =
            self.organizations.get_mut(organization_id).ok_or_else(|| not_found(organization_id))?;
        match operation {
            Operation::CreateConfiguration => {
                let body = object(request)?;
                organization.check_configuration(&body)?;
                let count =
                    organization.configurations.iter().filter(|known| known.draft.current().is_some());
                organization.room_for(count.count(), "configuration.max")?;
                Ok(organization.create_configuration(counters, work, None, body))
            }
            Operation::WriteDraft => {
                let body = object(request)?;
                organization.configuration(id)?;
                organization.check_configuration(&body)?;
                organization.write_draft(id, work, body, None)
            }
            Operation::Publish => organization.publish(id, work, false),
            Operation::DeleteConfiguration => organization.delete_configuration(id, work),
            Operation::CreateDeployment => {
                let body = object(request)?;
                organization.check_deployment(&body, work)?;
                let count = organization.deployments.iter().filter(|known| known.states.current().is_some());
                organization.room_for(count.count(), "deployments.max")?;
                let done = organization.create_deployment(counters, work, None, body);
                self.homes.insert(done.event.id.clone(), organization_id.clone());
                Ok(done)
            }
            Operation::WriteDeployment => {
                let body = object(request)?;
                organization.deployment(id)?;
                organization.check_deployment(&body, work)?;
                organization.write_deployment(id, work, body)
            }
            Operation::DeleteDeployment => organization.delete_deployment(id, work),
            Operation::WriteIdentityResolution => organization.write_identity(id, work, object(request)?),
            Operation::CreateOpen => {
                let body = object(request)?;
                organization.check_open(&body, false)?;
                Ok(organization.create_open(counters, work, None, body))
            }
            Operation::ChangeOpen => {
                let body = object(request)?;
                organization.read_open(id, &Sight { stale: false, ..visit.look })?;
                organization.check_open(&body, true)?;
                organization.change_open(id, work, body)
            }
            Operation::DeleteOpen => organization.delete_open(id, work),
            Operation::CreateKnowledgeBase => {
                let body = object(request)?;
                organization.directory.create_knowledge_base(counters, work, body)
            }
            Operation::DeleteKnowledgeBase => organization.directory.delete_knowledge_base(id),
            _ => Err(not_found(id)),
        }
    }

    /// Changes a profile, or the default of its kind.
    fn change_profile(
        &mut self,
        visit: &Visit,
        asked: (ProfileKind, Act),
        id: &str,
    ) -> Result<Done, ApiError> {
        let Visit { request, organization_id, work, .. } = visit;
        let organization =
            self.organizations.get_mut(organization_id).ok_or_else(|| not_found(organization_id))?;
        let body = if request.method == "DELETE" { Object::new() } else { object(request)? };
        organization.write_profile(asked, id, &mut self.counters, work, body)
    }
}

/// Returns the key of a request's rate limit window, which is its token's.
pub(in crate::emulator) fn window_key(request: &Request) -> Option<String> {
    request.header("authorization").map(|header| format!("token {header}"))
}

/// Returns the error for a body that is too large.
pub(in crate::emulator) fn too_large() -> ApiError {
    let message = format!("The request is over the size limit. Maximum bytes: {BODY_BYTES_MAX}");
    refusal(413, "request.too.large", message)
}

fn too_many(wait_s: i64) -> ApiError {
    let message = format!("Rate limit exceeded the maximum. Retry the request in [{wait_s}] seconds");
    refusal(429, usual_code(429), message).with_header("retry-after", wait_s.to_string())
}

/// Returns the answer for a scripted status.
pub(in crate::emulator) fn scripted(
    status: u16,
    retry_after: Option<&str>,
    code: Option<&str>,
    message: Option<&str>,
    request_id: &str,
) -> Response {
    if matches!(status, 204 | 304) {
        return Response::empty(status);
    }
    let waits = retry_after
        .filter(|_| status == 429)
        .map(|wait_s| format!("Rate limit exceeded the maximum. Retry the request in [{wait_s}] seconds"));
    let message = message.map(str::to_owned).or(waits);
    let message = message.unwrap_or_else(|| "scripted by a fault of the emulator".to_owned());
    let mut error = refusal(status, code.unwrap_or_else(|| usual_code(status)), message);
    if let Some(value) = retry_after {
        error = error.with_header("retry-after", value);
    }
    error.into_response(request_id)
}

fn object(request: &Request) -> Result<Object, ApiError> {
    let is_json = |kind: &str| kind.trim_start().to_ascii_lowercase().starts_with("application/json");
    if request.header("content-type").is_some_and(|kind| !is_json(kind)) {
        return Err(refusal(415, "unsupported.media.type", "The body has to be application/json."));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(bad_request("The request could not be understood by the server due to malformed syntax.")),
    }
}

/// Returns the link to a download: on the host of the request, or relative if the request has no host.
fn download_uri(request: &Request, id: &str) -> String {
    match request.header("host") {
        Some(host) => format!("http://{host}/_download/audits/{id}"),
        None => format!("/_download/audits/{id}"),
    }
}

fn shelf_of(operation: Operation) -> Option<(Shelf, bool)> {
    Some(match operation {
        Operation::ListFlows => (Shelf::Flows, false),
        Operation::ReadFlow => (Shelf::Flows, true),
        Operation::ListKnowledgeBases => (Shelf::KnowledgeBases, false),
        Operation::ReadKnowledgeBase => (Shelf::KnowledgeBases, true),
        Operation::ListIntegrations => (Shelf::Integrations, false),
        Operation::ReadIntegration => (Shelf::Integrations, true),
        _ => return None,
    })
}
