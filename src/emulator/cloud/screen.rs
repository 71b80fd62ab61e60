//! Performs people's edits at the platform's own screens, and shows the whole state.
//!
//! In: edits, by the name or the id of an object. Out: changed objects, audit records of the person, the
//! state. Never: checks an edit as the API does, or waits until a draft is Active. Start reading at
//! [`World::cloud_edit`].

use crate::emulator::actor::Actor;
use crate::emulator::cloud::configuration::Sight;
use crate::emulator::cloud::deployment::Placement;
use crate::emulator::cloud::directory::Shelf;
use crate::emulator::cloud::edit::{CloudEdit, CreateEdit, DeploymentEdit, EditKind, OpenEdit};
use crate::emulator::cloud::error::refusal;
use crate::emulator::cloud::ids::Kind;
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::profile::Profile;
use crate::emulator::cloud::profile::kind::ProfileKind;
use crate::emulator::cloud::{Cloud, Done, Object, Work, text};
use crate::emulator::error::ApiError;
use crate::emulator::tree;
use crate::emulator::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};

impl World {
    /// Changes the objects of an organization in the cloud API as a person, and returns the changed objects.
    ///
    /// # Errors
    /// An object of the edit does not exist. The parts of the edit before it are complete.
    pub fn cloud_edit(
        &mut self,
        organization_id: &str,
        actor: &Actor,
        edit: &CloudEdit,
        now: Timestamp,
    ) -> Result<Value, String> {
        self.try_cloud_edit(organization_id, actor, edit, now)
            .map_err(|error| error.text("message").to_owned())
    }

    pub(in crate::emulator) fn try_cloud_edit(
        &mut self,
        organization_id: &str,
        actor: &Actor,
        edit: &CloudEdit,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        self.settle(now);
        self.must_exist(organization_id)?;
        let work = Work { origin: self.at_the_screen(actor, now), settings: self.settings.clone() };
        self.cloud.edit(organization_id, &work, edit)
    }
}

impl Cloud {
    /// Renders all organizations with their audit trails, including records that are not visible yet.
    pub fn state(&self, now: Timestamp) -> Value {
        let mut organizations = Object::new();
        for (id, organization) in &self.organizations {
            let mut shown = organization.state(now);
            let records = self.trail.records.iter().filter(|record| record.organization_id == *id);
            let records = records.map(|record| {
                let mut shown = record.render(true);
                if let Value::Object(fields) = &mut shown {
                    fields.insert("visibleAt".to_owned(), json!(record.visible_at));
                }
                shown
            });
            if let Value::Object(fields) = &mut shown {
                fields.insert("audit".to_owned(), records.collect());
            }
            organizations.insert(id.clone(), shown);
        }
        Value::Object(organizations)
    }

    fn edit(&mut self, organization_id: &str, work: &Work, edit: &CloudEdit) -> Result<Value, ApiError> {
        let mut shown = Object::new();
        let mut done: Vec<Done> = Vec::new();
        if let Some(create) = &edit.create {
            self.create(organization_id, work, create, &mut shown);
        }
        let organization = self.organization(organization_id);
        if let Some(edit) = &edit.draft {
            let id = organization.configuration_named(&edit.configuration)?;
            let mut body = organization.draft_body(&id);
            let mut patch = edit.patch.clone();
            let status = patch.shift_remove("status").and_then(|status| status.as_str().map(str::to_owned));
            tree::merge(&mut body, &patch);
            let written = organization.write_draft(&id, work, body, status)?;
            shown.insert("draft".to_owned(), written.shown.clone());
            done.push(written);
        }
        if let Some(edit) = &edit.publish {
            let id = organization.configuration_named(&edit.configuration)?;
            let published = organization.publish(&id, work, true)?;
            shown.insert("published".to_owned(), published.shown.clone());
            done.push(published);
        }
        if let Some(edit) = &edit.deployment {
            let written = organization.edit_deployment(edit, work)?;
            shown.insert("deployment".to_owned(), written.shown.clone());
            done.push(written);
        }
        if let Some(edit) = &edit.open_integration {
            let written = organization.edit_open(edit, work)?;
            shown.insert("openIntegration".to_owned(), written.shown.clone());
            done.push(written);
        }
        organization.edit_profiles(edit, work, &mut shown, &mut done)?;
        for (kind, name) in edit.delete.iter().flatten() {
            let (id, deleted) = organization.delete_named(*kind, name, work)?;
            shown.insert("deleted".to_owned(), json!(id));
            done.extend(deleted);
        }
        for done in done {
            self.trail.record(&mut self.counters, organization_id, work, done.event);
        }
        Ok(Value::Object(shown))
    }

    fn create(&mut self, organization_id: &str, work: &Work, edit: &CreateEdit, shown: &mut Object) {
        self.organization(organization_id);
        let Some(organization) = self.organizations.get_mut(organization_id) else { return };
        let counters = &mut self.counters;
        let mut done = Vec::new();
        if let Some(body) = &edit.configuration {
            done.push(organization.create_configuration(counters, work, None, body.clone()));
        }
        if let Some(body) = &edit.deployment {
            let made = organization.create_deployment(counters, work, None, body.clone());
            self.homes.insert(made.event.id.clone(), organization_id.to_owned());
            done.push(made);
        }
        for (shelf, kind, body) in [
            (Shelf::Flows, Kind::Flow, &edit.flow),
            (Shelf::KnowledgeBases, Kind::KnowledgeBase, &edit.knowledge_base),
        ] {
            if let Some(body) = body {
                let id = counters.next(kind);
                shown.insert("created".to_owned(), json!(id));
                organization.directory.add(shelf, id, body.clone(), counters);
            }
        }
        for (kind, body) in edit.profiles() {
            done.push(organization.profiles.create(kind, counters, work, None, body.clone()));
        }
        for done in done {
            shown.insert("created".to_owned(), json!(done.event.id));
            self.trail.record(&mut self.counters, organization_id, work, done.event);
        }
    }
}

impl Organization {
    /// Returns the id of a configuration by its name or id.
    pub fn configuration_named(&self, name: &str) -> Result<String, ApiError> {
        let mut here = self.configurations.iter().filter(|known| known.draft.current().is_some());
        let found = here.find(|known| known.id == name || known.name() == name);
        found.map(|known| known.id.clone()).ok_or_else(|| unknown("configuration", name))
    }

    /// Returns the id of a deployment by its name or id.
    pub fn deployment_named(&self, name: &str) -> Result<String, ApiError> {
        let mut here = self.deployments.iter().filter(|known| known.states.current().is_some());
        let found = here.find(|known| known.id == name || known.name() == name);
        found.map(|known| known.id.clone()).ok_or_else(|| unknown("deployment", name))
    }

    fn draft_body(&self, id: &str) -> Object {
        let known = self.configuration(id).ok().and_then(|known| known.draft.current());
        known.map(|draft| draft.body.clone()).unwrap_or_default()
    }

    fn edit_deployment(&mut self, edit: &DeploymentEdit, work: &Work) -> Result<Done, ApiError> {
        let id = self.deployment_named(&edit.deployment)?;
        let state = self.deployment(&id)?.states.current().cloned();
        let state: Placement =
            state.map(|state| Placement::clone(&state)).ok_or_else(|| unknown("deployment", &id))?;
        let mut body = state.body.clone();
        if let Some(version) = &edit.version {
            let (configuration, _) = state.pin();
            let known = self.configuration(configuration)?;
            let newest = known.newest().map(|version| version.label()).filter(|_| version == "newest");
            let pin = json!({"id": configuration, "version": newest.as_ref().unwrap_or(version)});
            body.insert("configuration".to_owned(), pin);
        }
        if let Some(forced) = state.status.forced {
            body.insert("status".to_owned(), Value::String(forced));
        }
        tree::merge(&mut body, &edit.patch);
        self.write_deployment(&id, work, body)
    }

    /// Returns an integration by its name or id.
    fn open_named(&self, name: &str) -> Result<(String, Object), ApiError> {
        let mut here = self.open.iter().filter(|known| known.id == name || known.name() == name);
        let found = here.find_map(|known| Some((known.id.clone(), known.states.current()?.body.clone())));
        found.ok_or_else(|| unknown("integration", name))
    }

    fn edit_open(&mut self, edit: &OpenEdit, work: &Work) -> Result<Done, ApiError> {
        let (id, mut body) = self.open_named(&edit.open_integration)?;
        tree::merge(&mut body, &edit.patch);
        self.change_open(&id, work, body)
    }

    /// Returns the id of a profile by its name or id.
    fn profile_named(&self, kind: ProfileKind, name: &str) -> Result<String, ApiError> {
        let found = self.profiles.named(kind, name).map(|known| known.id.clone());
        found.ok_or_else(|| unknown("profile", name))
    }

    /// Changes profiles, and then the defaults.
    fn edit_profiles(
        &mut self,
        edit: &CloudEdit,
        work: &Work,
        shown: &mut Object,
        done: &mut Vec<Done>,
    ) -> Result<(), ApiError> {
        for (kind, name, patch) in edit.profiles() {
            let id = self.profile_named(kind, name)?;
            let known = self.profiles.find(kind, &id).and_then(Profile::body);
            let mut body = known.cloned().unwrap_or_default();
            tree::merge(&mut body, patch);
            let written = self.profiles.replace(kind, &id, work, body)?;
            shown.insert(kind.rules().reference.to_owned(), written.shown.clone());
            done.push(written);
        }
        let mut defaults = Object::new();
        for (kind, name) in edit.default.iter().flatten() {
            let written = match name {
                Some(name) => {
                    let id = self.profile_named(*kind, name)?;
                    self.profiles.set_default(*kind, &self.id, &id, work)?
                }
                None => self.profiles.drop_default(*kind, &self.id, work)?,
            };
            defaults.insert(kind.rules().reference.to_owned(), written.shown.clone());
            done.push(written);
        }
        if edit.default.is_some() {
            shown.insert("default".to_owned(), Value::Object(defaults));
        }
        Ok(())
    }

    fn delete_named(
        &mut self,
        kind: EditKind,
        name: &str,
        work: &Work,
    ) -> Result<(String, Option<Done>), ApiError> {
        if let Some(kind) = kind.profile() {
            let id = self.profile_named(kind, name)?;
            return self.profiles.delete(kind, &id, work).map(|done| (id, Some(done)));
        }
        let shelf = match kind {
            EditKind::Configuration => {
                let id = self.configuration_named(name)?;
                return self.delete_configuration(&id, work).map(|done| (id, Some(done)));
            }
            EditKind::Deployment => {
                let id = self.deployment_named(name)?;
                return self.delete_deployment(&id, work).map(|done| (id, Some(done)));
            }
            EditKind::OpenIntegration => {
                let (id, _) = self.open_named(name)?;
                return self.delete_open(&id, work).map(|done| (id, Some(done)));
            }
            EditKind::Flow => Shelf::Flows,
            EditKind::KnowledgeBase => Shelf::KnowledgeBases,
            _ => Shelf::Integrations,
        };
        let found = self.directory.named(shelf, name).map(|item| item.id.clone());
        let id = found.ok_or_else(|| unknown("object", name))?;
        self.directory.delete(shelf, &id);
        Ok((id, None))
    }

    /// Renders all objects of the organization in their current state, not in the state that readers see.
    pub fn state(&self, now: Timestamp) -> Value {
        let mut configurations = Vec::new();
        for known in &self.configurations {
            let Some(draft) = known.draft.current() else { continue };
            let versions: Vec<Object> =
                known.versions.iter().map(|(_, version)| known.render(version, now)).collect();
            let (id, name) = (&known.id, text(&draft.body, "name"));
            let draft = known.render(draft, now);
            configurations.push(json!({"id": id, "name": name, "draft": draft, "versions": versions}));
        }
        let mut deployments = Vec::new();
        for known in &self.deployments {
            let Some(state) = known.states.current() else { continue };
            deployments.push(self.render_deployment(known, state, now));
        }
        let look = Sight { now, stale: false, cap: 0 };
        let open: Vec<Value> =
            self.open.iter().filter_map(|known| self.read_open(&known.id, &look).ok()).collect();
        let mut shown = json!({
            "name": self.name,
            "region": self.region,
            "state": self.state,
            "configurations": configurations,
            "deployments": deployments,
            "openIntegrations": open,
        });
        if let Value::Object(fields) = &mut shown {
            fields.extend(self.profiles.state());
        }
        shown
    }
}

fn unknown(kind: &str, name: &str) -> ApiError {
    refusal(404, "not.found", format!("the organization has no {kind} `{name}`"))
}
