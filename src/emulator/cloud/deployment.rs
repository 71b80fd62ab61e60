//! Deployments: each puts one published version of a configuration on web pages.
//!
//! In: writes of deployments. Out: their states over time, and the files for the delivery network. Never:
//! moves a deployment to another version without a write. Start reading at
//! [`Organization::write_deployment`].

use crate::emulator::cloud::cdn::Edge;
use crate::emulator::cloud::configuration::{
    Activation, Configuration, Revision, Sight, Stamp, sizes, without_own,
};
use crate::emulator::cloud::directory::{MESSAGE_FLOW, Shelf};
use crate::emulator::cloud::error::{Detail, bad_request, invalid, not_found};
use crate::emulator::cloud::history::History;
use crate::emulator::cloud::ids::{Counters, Kind};
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::profile::Profile;
use crate::emulator::cloud::profile::reference::on_deployments;
use crate::emulator::cloud::query::Query;
use crate::emulator::cloud::{Done, Event, Object, Work, member, shape, text};
use crate::emulator::error::ApiError;
use crate::emulator::time::later;
use serde_json::{Value, json};
use std::sync::Arc;

/// The audit trail's name of a deployment.
pub(crate) const ENTITY: &str = "Deployment";

/// The state of a deployment at some time.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// The written body, without the fields that the platform sets.
    pub body: Object,
    pub created: Stamp,
    pub modified: Stamp,
    pub status: Activation,
}

/// One deployment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub place: u64,
    pub id: String,
    pub states: History<Arc<Placement>>,
    /// The files that the delivery network serves.
    pub edge: History<Arc<Edge>>,
    /// The settings by which the platform identifies guests.
    pub identity: History<Arc<Object>>,
}

impl Deployment {
    /// Returns the name, or an empty text if the deployment is deleted.
    pub fn name(&self) -> &str {
        self.states.current().map(|state| text(&state.body, "name")).unwrap_or_default()
    }

    /// Returns whether it uses a version of this configuration.
    pub fn pins(&self, configuration_id: &str) -> bool {
        let pinned = self.states.current().and_then(|state| member(&state.body, "configuration.id"));
        pinned.and_then(Value::as_str) == Some(configuration_id)
    }

    fn event(&self, action: &'static str, old: Option<Object>, new: Option<Object>) -> Event {
        let (id, name) = (self.id.clone(), self.name().to_owned());
        Event { service: "WebDeployments", entity_type: ENTITY, action, id, name, old, new }
    }
}

impl Placement {
    /// Returns the id and the version of its configuration.
    pub fn pin(&self) -> (&str, &str) {
        let part = |path| member(&self.body, path).and_then(Value::as_str).unwrap_or_default();
        (part("configuration.id"), part("configuration.version"))
    }
}

/// Reduces each reference to the fields that the platform reads.
fn reduced(mut body: Object) -> Object {
    body = without_own(body);
    let profiles = on_deployments().map(|kind| (kind.rules().reference, &["id"][..]));
    for (name, kept) in
        [("configuration", &["id", "version"][..]), ("flow", &["id"])].into_iter().chain(profiles)
    {
        if let Some(Value::Object(reference)) = body.get_mut(name) {
            reference.retain(|field, _| kept.contains(&field.as_str()));
        }
    }
    body.shift_remove("snippet");
    body
}

impl Organization {
    /// Returns an existing deployment.
    pub fn deployment(&self, id: &str) -> Result<&Deployment, ApiError> {
        let found = self.deployments.iter().find(|known| known.id == id && known.states.current().is_some());
        found.ok_or_else(|| not_found(id))
    }

    fn deployment_mut(&mut self, id: &str) -> Result<&mut Deployment, ApiError> {
        let mut known = self.deployments.iter_mut();
        known.find(|known| known.id == id && known.states.current().is_some()).ok_or_else(|| not_found(id))
    }

    /// Refuses a deployment that the platform does not accept.
    pub fn check_deployment(&self, body: &Object, work: &Work) -> Result<(), ApiError> {
        let mut wrong = shape::violations(body, &shape::bodies::DEPLOYMENT);
        if !wrong.is_empty() {
            return Err(invalid(&wrong));
        }
        let part = |path| member(body, path).and_then(Value::as_str);
        if !(1..=100).contains(&text(body, "name").chars().count()) {
            wrong.push(Detail::new("name", "must have 1 to 100 characters"));
        }
        let domains = member(body, "allowedDomains").and_then(Value::as_array);
        let all = member(body, "allowAllDomains") == Some(&Value::Bool(true));
        if all && domains.is_some_and(|domains| !domains.is_empty()) {
            wrong.push(Detail::new("allowedDomains", "must be empty when all domains are allowed"));
        }
        let flow = part("flow.id").map(|id| self.directory.find(Shelf::Flows, id));
        match flow {
            Some(None) => wrong.push(Detail::new("flow.id", "does not exist")),
            Some(Some(flow)) if text(&flow.shown, "type") != MESSAGE_FLOW => {
                wrong.push(Detail::new("flow.id", "is no inbound message flow"));
            }
            Some(Some(flow)) if !flow.shown.contains_key("publishedVersion") => {
                wrong.push(Detail::new("flow.id", "is not published"));
            }
            Some(Some(_)) | None => {}
        }
        wrong.extend(self.profiles.missing(body, on_deployments()));
        let pushes = member(body, "pushIntegrations").and_then(Value::as_array);
        for (index, push) in pushes.into_iter().flatten().enumerate() {
            let id = push.get("id").and_then(Value::as_str).unwrap_or_default();
            if self.directory.find(Shelf::Integrations, id).is_none() {
                wrong.push(Detail::new(format!("pushIntegrations[{index}].id"), "does not exist"));
            }
        }
        let configuration = part("configuration.id").and_then(|id| self.configuration(id).ok());
        let version = part("configuration.version").unwrap_or_default();
        match configuration.map(|known| known.version(version)) {
            None => wrong.push(Detail::new("configuration.id", "does not exist")),
            Some(None) => wrong.push(Detail::new("configuration.version", "is no published version")),
            Some(Some(found)) if found.status.at(work.at()) != "Active" => {
                return Err(bad_request(format!("Version {version} of the configuration is not Active.")));
            }
            Some(Some(_)) => {}
        }
        if wrong.is_empty() { Ok(()) } else { Err(invalid(&wrong)) }
    }

    /// Creates a deployment.
    pub fn create_deployment(
        &mut self,
        counters: &mut Counters,
        work: &Work,
        id: Option<String>,
        body: Object,
    ) -> Done {
        let stamp = Stamp::of(work);
        let placement = Placement {
            status: status_of(&body, work),
            body: reduced(body),
            created: stamp.clone(),
            modified: stamp,
        };
        let id = id.unwrap_or_else(|| counters.next(Kind::Deployment));
        counters.take(&id);
        let edge = Arc::new(self.edge(&id, &placement));
        // The delivery network serves a deployment only after it was Active for the first time.
        let served_at = later(work.active_at(), work.settings.cdn_delay_ms);
        let new = Deployment {
            place: counters.place(),
            id,
            states: History::new(work.appears_at(), Arc::new(placement.clone())),
            edge: History::new(served_at, edge),
            identity: History::new(
                work.at(),
                Arc::new(Object::from_iter([("resolveIdentities".to_owned(), json!(false))])),
            ),
        };
        let shown = Value::Object(self.render_deployment(&new, &placement, work.at()));
        let event = new.event("Create", None, Some(placement.body));
        self.deployments.push(new);
        Done { shown, event }
    }

    /// Replaces a whole deployment.
    pub fn write_deployment(&mut self, id: &str, work: &Work, body: Object) -> Result<Done, ApiError> {
        let old = self.deployment(id)?.states.current().cloned().ok_or_else(|| not_found(id))?;
        let placement = Placement {
            status: status_of(&body, work),
            body: reduced(body),
            created: old.created.clone(),
            modified: Stamp::of(work),
        };
        let edge = Arc::new(self.edge(id, &placement));
        let known = self.deployment_mut(id)?;
        known.states.push(work.at(), work.shows_at(), Some(Arc::new(placement.clone())));
        known.edge.push(work.at(), later(work.at(), work.settings.cdn_delay_ms), Some(edge));
        let event = known.event("Update", Some(old.body.clone()), Some(placement.body.clone()));
        let known = self.deployment(id)?;
        let shown = Value::Object(self.render_deployment(known, &placement, work.at()));
        Ok(Done { shown, event })
    }

    /// Deletes a deployment.
    pub fn delete_deployment(&mut self, id: &str, work: &Work) -> Result<Done, ApiError> {
        let known = self.deployment_mut(id)?;
        let old = known.states.current().map(|state| state.body.clone());
        let event = known.event("Delete", old, None);
        known.states.push(work.at(), work.shows_at(), None);
        known.edge.push(work.at(), later(work.at(), work.settings.cdn_delay_ms), None);
        Ok(Done { shown: Value::Null, event })
    }

    /// Renders a deployment, with the fields that the platform adds to its references.
    pub fn render_deployment(&self, known: &Deployment, state: &Placement, now: jiff::Timestamp) -> Object {
        let mut shown = Object::new();
        shown.insert("id".to_owned(), json!(known.id));
        shown.extend(state.body.clone());
        let (id, version) = state.pin();
        let configuration = self.configurations.iter().find(|known| known.id == id);
        shown.insert(
            "configuration".to_owned(),
            json!({
                "id": id,
                "name": configuration.map(Configuration::name).unwrap_or_default(),
                "version": version,
                "selfUri": format!("/api/v2/webdeployments/configurations/{id}/versions/{version}"),
            }),
        );
        let flow = member(&state.body, "flow").and_then(|flow| flow.get("id")?.as_str());
        if let Some(flow) = flow.and_then(|id| self.directory.find(Shelf::Flows, id)) {
            let uri = flow.shown.get("selfUri");
            shown.insert("flow".to_owned(), json!({"id": flow.id, "name": flow.name(), "selfUri": uri}));
        }
        self.profiles.name_references(&mut shown, on_deployments());
        let domain = self.domain();
        let snippet = format!(
            "<script type=\"text/javascript\" src=\"https://apps.{domain}/genesys-bootstrap/genesys.min.js\" data-deployment-id=\"{}\"></script>",
            known.id
        );
        shown.insert("snippet".to_owned(), json!(snippet));
        shown.insert("status".to_owned(), json!(state.status.at(now)));
        shown.insert("dateCreated".to_owned(), state.created.date());
        shown.insert("dateModified".to_owned(), state.modified.date());
        if let Some(user) = state.modified.user() {
            shown.insert("lastModifiedUser".to_owned(), user);
        }
        shown.insert("selfUri".to_owned(), json!(format!("/api/v2/webdeployments/deployments/{}", known.id)));
        shown
    }

    /// Renders a deployment as a reader sees it.
    pub fn read_deployment(&self, id: &str, query: &Query, look: &Sight) -> Result<Object, ApiError> {
        let (known, state) = self.seen_deployment(id, look)?;
        let mut shown = self.render_deployment(known, state, look.now);
        self.expand_references(&mut shown, query);
        Ok(shown)
    }

    /// Lists the deployments.
    pub fn list_deployments(&self, path: &str, query: &Query, look: &Sight) -> Result<Object, ApiError> {
        let seen: Vec<(u64, (&Deployment, &Arc<Placement>))> = self
            .deployments
            .iter()
            .filter_map(|known| Some((known.place, (known, known.states.seen(look.now, look.stale)?))))
            .collect();
        let render = |(known, state): &(&Deployment, &Arc<Placement>)| {
            let mut shown = self.render_deployment(known, state, look.now);
            self.expand_references(&mut shown, query);
            if query.expands("Configuration")
                && let Some((configuration, version)) = self.pinned(state)
            {
                shown.insert(
                    "configuration".to_owned(),
                    Value::Object(configuration.render(version, look.now)),
                );
            }
            if query.expands("identityresolution")
                && let Some(identity) = known.identity.seen(look.now, look.stale)
            {
                shown.insert("identityResolution".to_owned(), Value::Object(Object::clone(identity)));
            }
            Value::Object(shown)
        };
        let mut body = query.by_cursor(path, sizes(look.cap), &seen, render)?;
        body.insert("total".to_owned(), json!(seen.len()));
        Ok(body)
    }

    /// Renders a deployment with its version of the configuration.
    pub fn read_active(&self, id: &str, query: &Query, look: &Sight) -> Result<Value, ApiError> {
        let (_, state) = self.seen_deployment(id, look)?;
        let (configuration, version) = self.pinned(state).ok_or_else(|| not_found(id))?;
        let deployment = self.read_deployment(id, query, look)?;
        Ok(json!({"configurationVersion": configuration.render(version, look.now), "deployment": deployment}))
    }

    /// Renders the settings by which a deployment identifies guests.
    pub fn read_identity(&self, id: &str, look: &Sight) -> Result<Value, ApiError> {
        let (known, _) = self.seen_deployment(id, look)?;
        let seen = known.identity.seen(look.now, look.stale).ok_or_else(|| not_found(id))?;
        let mut shown = Object::clone(seen);
        shown.insert(
            "selfUri".to_owned(),
            json!(format!("/api/v2/webdeployments/deployments/{id}/identityresolution")),
        );
        Ok(Value::Object(shown))
    }

    /// Replaces the settings by which a deployment identifies guests.
    pub fn write_identity(&mut self, id: &str, work: &Work, body: Object) -> Result<Done, ApiError> {
        let wrong = shape::violations(&body, &shape::bodies::IDENTITY_RESOLUTION);
        if !wrong.is_empty() {
            return Err(invalid(&wrong));
        }
        let body = without_own(body);
        let known = self.deployment_mut(id)?;
        let old = known.identity.current().map(|old| Object::clone(old));
        known.identity.push(work.at(), work.shows_at(), Some(Arc::new(body.clone())));
        let event = known.event("Update", old, Some(body.clone()));
        Ok(Done { shown: Value::Object(body), event })
    }

    /// Returns the configuration and the version of a deployment.
    pub fn pinned(&self, state: &Placement) -> Option<(&Configuration, &Arc<Revision>)> {
        let (id, version) = state.pin();
        let known = self.configurations.iter().find(|known| known.id == id)?;
        known.version(version).map(|version| (known, version))
    }

    fn seen_deployment(&self, id: &str, look: &Sight) -> Result<(&Deployment, &Arc<Placement>), ApiError> {
        let known = self.deployments.iter().find(|known| known.id == id).ok_or_else(|| not_found(id))?;
        let state = known.states.seen(look.now, look.stale).ok_or_else(|| not_found(id))?;
        Ok((known, state))
    }

    fn expand_references(&self, shown: &mut Object, query: &Query) {
        let copy = |shown: &mut Object, name: &str, from: Option<&Object>, fields: &[(&str, &str)]| {
            let Some(Value::Object(reference)) = shown.get_mut(name) else { return };
            for (own, shown_as) in fields {
                if let Some(value) = from.and_then(|body| body.get(*own)) {
                    reference.insert((*shown_as).to_owned(), value.clone());
                }
            }
        };
        let id = |shown: &Object, name: &str| {
            let id = shown.get(name).and_then(|reference| reference.get("id")?.as_str());
            id.unwrap_or_default().to_owned()
        };
        if query.expands("flowDetails") {
            let fields = &[("description", "flowDescription"), ("publishedVersion", "publishVersion")];
            let flow = self.directory.find(Shelf::Flows, &id(shown, "flow"));
            copy(shown, "flow", flow.map(|flow| &flow.shown), fields);
        }
        for kind in on_deployments() {
            let rules = kind.rules();
            if query.expands(rules.reference) {
                let profile = self.profiles.find(kind, &id(shown, rules.reference));
                copy(shown, rules.reference, profile.and_then(Profile::body), rules.expanded);
            }
        }
    }
}

/// Returns the status of a written deployment. A writer can only set `Inactive`; the platform sets other
/// statuses.
fn status_of(body: &Object, work: &Work) -> Activation {
    let forced = Some(text(body, "status")).filter(|status| *status == "Inactive").map(str::to_owned);
    Activation { forced, ..Activation::of(work) }
}
