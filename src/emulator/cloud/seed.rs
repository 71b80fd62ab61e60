//! The cloud part of a world file: the objects of an organization when the emulator starts.
//!
//! In: JSON. Out: an [`Organization`] whose objects are Active and visible. Never: checks a configuration or
//! a deployment against rules, because a platform can store objects that it does not accept any more.

use crate::emulator::actor::Actor;
use crate::emulator::cloud::directory::{OPEN_ID, Shelf};
use crate::emulator::cloud::ids::{Counters, Kind};
use crate::emulator::cloud::organization::{Organization, domain};
use crate::emulator::cloud::profile::kind::ProfileKind;
use crate::emulator::cloud::{Cloud, Object, Work, text};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The organization of a client's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedClientCloud {
    /// The organization's id.
    pub organization: String,
}

/// The objects of an organization in the cloud API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SeedCloud {
    /// Its name; by default its id.
    pub name: Option<String>,
    /// The key of its region, such as `eu-west-1`; by default `us-east-1`.
    pub region: Option<String>,
    /// `active`, `inactive` or `deleted`.
    pub state: Option<String>,
    /// The feature switches of the organization.
    pub features: BTreeMap<String, bool>,
    /// The dotted paths of a configuration that it cannot use, such as `video`.
    pub not_enabled: Vec<String>,
    /// The limits by namespace and key that differ from the defaults.
    pub limits: BTreeMap<String, BTreeMap<String, i64>>,
    /// Configurations.
    pub configurations: Vec<SeedConfiguration>,
    /// Deployments; `configuration` has the `id` or the `name` of a configuration, and a `version`, by
    /// default the newest.
    pub deployments: Vec<Object>,
    /// Flows: `id`, `name`, `type`, `published`.
    pub flows: Vec<Object>,
    /// Knowledge bases: `id`, `name`, `published`.
    pub knowledge_bases: Vec<Object>,
    /// Supported content profiles: `id`, `name`, `mediaTypes`, and `isDefault` for at most one.
    pub supported_content: Vec<Object>,
    /// Messaging settings: `id`, `name`, `content`, `event`, and `isDefault` for at most one.
    pub messaging_settings: Vec<Object>,
    /// Open messaging integrations: `id`, and the API's fields.
    pub open_integrations: Vec<Object>,
    /// OpenID Connect integrations: `id`, `name`.
    pub open_id_integrations: Vec<Object>,
    /// Push integrations: `id`, `name`, `provider` (`APNS` or `FCM`).
    pub push_integrations: Vec<Object>,
}

/// An initial configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedConfiguration {
    /// Its id; by default the next id.
    pub id: Option<String>,
    /// The name of the draft and of every version without an own name.
    pub name: String,
    /// The published versions; the first is version 1.
    #[serde(default)]
    pub versions: Vec<Object>,
    /// The draft, if it differs from the newest version.
    pub draft: Option<Object>,
    /// The actor who made it; by default the person `seed`.
    pub modified_by: Option<Actor>,
}

impl SeedCloud {
    fn profiles(&self) -> [(ProfileKind, &Vec<Object>); 2] {
        [(ProfileKind::Content, &self.supported_content), (ProfileKind::Setting, &self.messaging_settings)]
    }

    /// Returns the first contradiction in the description, if there is one.
    pub(in crate::emulator) fn problem(&self) -> Option<String> {
        if let Some(region) = self.region.as_ref().filter(|region| domain(region).is_none()) {
            return Some(format!("unknown region `{region}`"));
        }
        if let Some(state) = &self.state
            && !["active", "inactive", "deleted"].contains(&state.as_str())
        {
            return Some(format!("unknown state `{state}`"));
        }
        for deployment in &self.deployments {
            let named = pinned(deployment);
            let is_it =
                |known: &&SeedConfiguration| known.id.as_deref() == Some(named) || known.name == named;
            let known = self.configurations.iter().find(is_it);
            if known.is_none_or(|known| known.versions.is_empty()) {
                let name = text(deployment, "name");
                return Some(format!(
                    "deployment `{name}` needs a published configuration, but `{named}` is not published"
                ));
            }
        }
        for (kind, profiles) in self.profiles() {
            let flags: Vec<&Value> = profiles.iter().filter_map(|profile| profile.get("isDefault")).collect();
            if let Some(flag) = flags.iter().find(|flag| !flag.is_boolean()) {
                return Some(format!("`isDefault` must be true or false, but is {flag}"));
            }
            if flags.into_iter().filter(|flag| **flag == Value::Bool(true)).count() > 1 {
                return Some(format!("`{}` has more than one default", kind.rules().listed));
            }
        }
        let named = [&self.flows, &self.knowledge_bases, &self.supported_content, &self.messaging_settings];
        let named =
            named.into_iter().chain([&self.open_id_integrations, &self.push_integrations, &self.deployments]);
        let nameless = named.flatten().find(|object| text(object, "name").is_empty());
        nameless.map(|object| format!("an object has no name: {}", Value::Object(object.clone())))
    }
}

fn pinned(deployment: &Object) -> &str {
    let part =
        |name: &str| deployment.get("configuration").and_then(|pin| pin.get(name)).and_then(Value::as_str);
    part("id").or_else(|| part("name")).unwrap_or_default()
}

impl Cloud {
    /// Adds an organization of the world file.
    pub fn seed(&mut self, id: &str, seed: &SeedCloud) {
        let counters = &mut self.counters;
        let mut organization = Organization {
            name: seed.name.clone().unwrap_or_else(|| id.to_owned()),
            state: seed.state.clone().unwrap_or_else(|| "active".to_owned()),
            features: seed.features.clone(),
            not_enabled: seed.not_enabled.clone(),
            limits: seed.limits.clone(),
            ..Organization::empty(id)
        };
        if let Some(region) = &seed.region {
            organization.region.clone_from(region);
        }
        let usual = Actor::user("seed");
        organization.seed_directory(seed, counters);
        for (kind, profiles) in seed.profiles() {
            for profile in profiles {
                organization.seed_profile(kind, profile, counters, &Work::long_ago(&usual));
            }
        }
        for known in &seed.configurations {
            organization.seed_configuration(
                known,
                &Work::long_ago(known.modified_by.as_ref().unwrap_or(&usual)),
                counters,
            );
        }
        let work = Work::long_ago(&usual);
        for deployment in &seed.deployments {
            if let Some(id) = organization.seed_deployment(deployment, &work, counters) {
                self.homes.insert(id, organization.id.clone());
            }
        }
        for open in &seed.open_integrations {
            organization.create_open(counters, &work, own_id(open), open.clone());
        }
        self.organizations.insert(id.to_owned(), organization);
    }

    /// Reserves every id of the world file, before the counters start.
    pub fn take_ids(&mut self, seed: &SeedCloud) {
        let lists = [&seed.deployments, &seed.flows, &seed.knowledge_bases, &seed.supported_content];
        let more = [&seed.messaging_settings, &seed.open_integrations, &seed.open_id_integrations];
        let objects = lists.into_iter().chain(more).chain([&seed.push_integrations]).flatten();
        let configurations = seed.configurations.iter().filter_map(|known| known.id.clone());
        for id in objects.filter_map(own_id).chain(configurations) {
            self.counters.take(&id);
        }
    }
}

impl Organization {
    fn seed_directory(&mut self, seed: &SeedCloud, counters: &mut Counters) {
        let push = |object: &Object| {
            let provider = text(object, "provider");
            let kind = json!({"id": format!("push-{}", provider.to_lowercase()), "name": provider});
            let mut object = object.clone();
            object.shift_remove("provider");
            object.insert("integrationType".to_owned(), kind);
            object
        };
        let open_id = |object: &Object| {
            let mut object = object.clone();
            object.entry("integrationType").or_insert_with(|| json!({"id": OPEN_ID, "name": OPEN_ID}));
            object
        };
        let pushes: Vec<Object> = seed.push_integrations.iter().map(push).collect();
        let open_ids: Vec<Object> = seed.open_id_integrations.iter().map(open_id).collect();
        for (shelf, kind, objects) in [
            (Shelf::Flows, Kind::Flow, &seed.flows),
            (Shelf::KnowledgeBases, Kind::KnowledgeBase, &seed.knowledge_bases),
            (Shelf::Integrations, Kind::Integration, &open_ids),
            (Shelf::Integrations, Kind::Integration, &pushes),
        ] {
            for object in objects {
                let id = own_id(object).unwrap_or_else(|| counters.next(kind));
                self.directory.add(shelf, id, object.clone(), counters);
            }
        }
    }

    fn seed_configuration(&mut self, known: &SeedConfiguration, work: &Work, counters: &mut Counters) {
        let named = |body: &Object| {
            let mut named = Object::from_iter([("name".to_owned(), json!(known.name))]);
            named.extend(body.clone());
            named
        };
        let first = known.versions.first().or(known.draft.as_ref()).cloned().unwrap_or_default();
        let made = self.create_configuration(counters, work, known.id.clone(), named(&first));
        let id = made.event.id;
        for version in &known.versions {
            // Neither call fails, because the configuration exists and the publication is forced.
            let _ = self.write_draft(&id, work, named(version), None);
            let _ = self.publish(&id, work, true);
        }
        if let Some(draft) = &known.draft {
            let _ = self.write_draft(&id, work, named(draft), None);
        }
    }

    fn seed_deployment(&mut self, given: &Object, work: &Work, counters: &mut Counters) -> Option<String> {
        let id = self.configuration_named(pinned(given)).ok()?;
        let asked = given.get("configuration").and_then(|pin| pin.get("version")).and_then(Value::as_str);
        let newest = self.configuration(&id).ok()?.newest().map(|version| version.label());
        let mut body = given.clone();
        let version = asked.map(str::to_owned).or(newest);
        body.insert("configuration".to_owned(), json!({"id": id, "version": version}));
        Some(self.create_deployment(counters, work, own_id(given), body).event.id)
    }
}

fn own_id(object: &Object) -> Option<String> {
    Some(text(object, "id")).filter(|id| !id.is_empty()).map(str::to_owned)
}
