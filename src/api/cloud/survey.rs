//! Reading what an organization holds: many objects by listing them, one by its id.
//!
//! In: a [`Look`]. Out: what was seen, object by object, and what goes by the names that were asked for. Never:
//! takes a listing that broke off for a whole one, or one of two things of the same name for the right one.
//! Start reading at [`ReadApi::survey`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::ReadApi;
use super::super::operation::Operation;
use super::{CONFIGURATIONS, DEPLOYMENTS, INTEGRATIONS, get, organization, segment, wire};
use crate::model::reference::{Named, Names, Reference, ReferenceKind};
use crate::model::{
    Fault, FaultKind, Look, Object, ObjectKind, Observed, Pinned, Seen, Sought, Stored, Target,
};

/// Entities on a page.
pub(super) const PAGE_SIZE: u32 = 100;
/// The same of whole configurations: the platform takes 512 KB for one, and a page has to be read.
pub(super) const CONFIGURATIONS_PAGE_SIZE: u32 = 25;
/// Most pages of one listing.
const PAGES_MAX: u32 = 500;
/// Flows are asked for one by one up to this many names; more are found in the whole list.
const FLOWS_BY_NAME_MAX: usize = 3;

pub(super) type Entity = Map<String, Value>;

/// The configurations of an organization, by id.
type Configurations = BTreeMap<String, Listed>;

/// A configuration of a listing.
struct Listed {
    name: String,
    /// The newest published version; none where the listing does not know one.
    version: Option<u64>,
    /// What that holds, of a configuration that is sought.
    body: Option<Arc<Entity>>,
}

/// Where the objects of one kind go that are sought by name.
struct Places<'a> {
    look: &'a Look,
    at: BTreeMap<&'a str, usize>,
    found: BTreeMap<usize, BTreeSet<String>>,
}

impl<'a> Places<'a> {
    fn new(look: &'a Look, kind: ObjectKind) -> Self {
        let of_kind = look.sought.iter().enumerate().filter(|(_, sought)| sought.object.kind == kind);
        let at = of_kind.map(|(at, sought)| (&*sought.object.name, at)).collect();
        Self { look, at, found: BTreeMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Where an entity of a listing goes; none where nobody asked for it.
    fn of(&mut self, entity: &Entity) -> Option<usize> {
        let (id, name) = (wire::text(entity, "id")?, wire::text(entity, "name")?);
        let at = *self.at.get(name)?;
        self.found.entry(at).or_default().insert(id.to_owned());
        Some(at)
    }

    /// An error where two things go by one name.
    fn check(&self) -> Result<(), Fault> {
        let Some((at, ids)) = self.found.iter().find(|(_, ids)| ids.len() > 1) else { return Ok(()) };
        let object = self.look.sought.get(*at).map(|sought| sought.object.to_string()).unwrap_or_default();
        let message = format!(
            "{} things in organization {} go by the name of {object}; which of them git means can't be told: rename the others",
            ids.len(),
            self.look.target.organization
        );
        Err(Fault::new(FaultKind::Rejected, message))
    }
}

impl ReadApi {
    /// Reads what an organization holds.
    pub(in crate::api) async fn survey(&self, look: &Look) -> Result<Seen, Fault> {
        let target = &look.target;
        self.identify(target).await?;
        if let [Sought { object, id: Some(id) }] = look.sought.as_slice() {
            let observed = self.read_one(target, object, id).await?;
            return Ok(Seen { objects: vec![observed], names: Names::new() });
        }
        let mut objects = vec![Observed::Absent; look.sought.len()];
        let configurations = self.configurations(look, &mut objects).await?;
        self.deployments(look, &configurations, &mut objects).await?;
        self.integrations(look, &mut objects).await?;
        let names = self.names(target, &look.references, &configurations).await?;
        Ok(Seen { objects, names })
    }

    /// Makes sure, once, that the token is of the organization that git names: an id that was copied from another
    /// manifest would have one tenant written over another.
    pub(super) async fn identify(&self, target: &Target) -> Result<(), Fault> {
        if self.client.is_known(target) {
            return Ok(());
        }
        let entity: Entity = wire::parse(&self.call(target, &organization(target)).await?)?;
        let id = wire::text(&entity, "id").unwrap_or_default();
        if id != target.organization.as_str() {
            let name = wire::text(&entity, "name").unwrap_or_default();
            let message = format!(
                "credentials `{}` are of organization {} (`{}`), not of {}; name that one, or the credentials of this one",
                target.credentials,
                super::shown(id, 64),
                super::shown(name, 100),
                target.organization
            );
            return Err(Fault::new(FaultKind::Denied, message));
        }
        self.client.know(target);
        Ok(())
    }

    /// Of a configuration that is sought, what its draft and its newest version hold; of the others, which there are.
    async fn configurations(&self, look: &Look, objects: &mut [Observed]) -> Result<Configurations, Fault> {
        let target = &look.target;
        let mut places = Places::new(look, ObjectKind::MessengerConfiguration);
        let refers = look.references.iter().any(|known| known.kind == ReferenceKind::Configuration);
        if places.is_empty() && !refers {
            return Ok(Configurations::new());
        }
        let names: BTreeSet<&str> = places.at.keys().copied().collect();
        let kept = |mut entity: Entity, is_sought: bool| {
            if !is_sought {
                entity.retain(|field, _| matches!(field.as_str(), "id" | "name" | "version"));
            }
            entity
        };
        let mut ids = BTreeSet::new();
        let path = format!("{CONFIGURATIONS}?pageSize={CONFIGURATIONS_PAGE_SIZE}");
        let mut drafts = Vec::new();
        let mut pages = self.pages(target, &path, "the messenger configurations");
        while let Some(page) = pages.next().await? {
            for draft in page {
                let is_sought = wire::text(&draft, "name").is_some_and(|name| names.contains(name));
                ids.extend(wire::text(&draft, "id").filter(|_| is_sought).map(str::to_owned));
                drafts.push(kept(draft, is_sought));
            }
        }
        let path = format!("{path}&showOnlyPublished=true");
        let mut newest: BTreeMap<String, Entity> = BTreeMap::new();
        let mut pages = self.pages(target, &path, "the published messenger configurations");
        while let Some(page) = pages.next().await? {
            for entity in page {
                let Some(id) = wire::text(&entity, "id").map(str::to_owned) else { continue };
                let number = wire::number(&entity);
                if number.is_some() && newest.get(&id).is_none_or(|known| wire::number(known) < number) {
                    // By its id: a draft may have another name than what is published of it.
                    let is_sought = ids.contains(&id);
                    newest.insert(id, kept(entity, is_sought));
                }
            }
        }
        let drafts = distinct(drafts);
        let at: Vec<Option<usize>> = drafts.iter().map(|draft| places.of(draft)).collect();
        places.check()?;
        let mut all = Configurations::new();
        // One by one: of large organizations there is never more than one copy.
        for (draft, at) in drafts.into_iter().zip(at) {
            let Some(id) = wire::text(&draft, "id").map(str::to_owned) else { continue };
            let newest = newest.remove(&id);
            let name = wire::text(&draft, "name").unwrap_or_default().to_owned();
            let mut listed = Listed { name, version: newest.as_ref().and_then(wire::number), body: None };
            if let Some(object) = at.and_then(|at| objects.get_mut(at)) {
                // Where the list of published ones does not know it, its own list of versions decides: that
                // nothing was published is believed from nowhere else.
                let stored = match &newest {
                    Some(newest) => wire::configuration(Some(newest), &draft),
                    None => Some(self.listed(target, &id, &listed.name).await?),
                };
                if let Some(stored) = stored {
                    listed.version = Some(stored.version).filter(|version| *version > 0);
                    listed.body = Some(Arc::clone(&stored.body));
                    *object = Observed::Present(stored);
                }
            }
            all.insert(id, listed);
        }
        Ok(all)
    }

    async fn deployments(
        &self,
        look: &Look,
        known: &Configurations,
        objects: &mut [Observed],
    ) -> Result<(), Fault> {
        let mut places = Places::new(look, ObjectKind::MessengerDeployment);
        if places.is_empty() {
            return Ok(());
        }
        let path = format!("{DEPLOYMENTS}?pageSize={CONFIGURATIONS_PAGE_SIZE}&expand=Configuration");
        let mut pages = self.pages(&look.target, &path, "the deployments");
        while let Some(page) = pages.next().await? {
            for entity in page {
                let Some(object) = places.of(&entity).and_then(|at| objects.get_mut(at)) else { continue };
                if let Some(stored) = self.deployment(&look.target, known, &entity).await? {
                    *object = Observed::Present(stored);
                }
            }
        }
        places.check()
    }

    async fn integrations(&self, look: &Look, objects: &mut [Observed]) -> Result<(), Fault> {
        let kind = ObjectKind::OpenMessagingIntegration;
        let mut places = Places::new(look, kind);
        if places.is_empty() {
            return Ok(());
        }
        for entity in self.by_page(&look.target, INTEGRATIONS, "the open messaging integrations").await? {
            let Some(object) = places.of(&entity).and_then(|at| objects.get_mut(at)) else { continue };
            if let Some(stored) = wire::unversioned(kind, &entity, None) {
                *object = Observed::Present(stored);
            }
        }
        places.check()
    }

    /// What a configuration of a listing holds. One that is listed and can't be found is not taken for absent.
    pub(super) async fn listed(&self, target: &Target, id: &str, name: &str) -> Result<Stored, Fault> {
        self.configuration(target, id).await?.ok_or_else(|| {
            let message = format!(
                "messenger configuration `{name}` ({id}) of organization {} is listed and not found",
                target.organization
            );
            Fault::new(FaultKind::Transient, message)
        })
    }

    async fn configuration(&self, target: &Target, id: &str) -> Result<Option<Stored>, Fault> {
        let path = format!("{CONFIGURATIONS}/{}/versions?pageSize={CONFIGURATIONS_PAGE_SIZE}", segment(id));
        let mut pages = self.pages(target, &path, "the versions of a configuration");
        let mut versions = Vec::new();
        loop {
            match pages.next().await {
                Ok(Some(page)) => versions.extend(page),
                Ok(None) => break,
                Err(fault) if fault.kind == FaultKind::NotFound && versions.is_empty() => return Ok(None),
                // It was there a page before.
                Err(fault) if fault.kind == FaultKind::NotFound => {
                    return Err(Fault { kind: FaultKind::Transient, ..fault });
                }
                Err(fault) => return Err(fault),
            }
        }
        let versions = distinct(versions);
        // Numbers may skip.
        let newest = versions
            .iter()
            .max_by_key(|version| wire::number(version))
            .filter(|version| wire::number(version).is_some());
        let fetched;
        let draft = match versions.iter().find(|version| wire::text(version, "version") == Some("DRAFT")) {
            Some(draft) => draft,
            None => {
                let path = format!("{CONFIGURATIONS}/{}/versions/draft", segment(id));
                let subject = format!("a draft of organization {}", target.organization);
                fetched = wire::parse::<Entity>(&self.call(target, &get(path, subject)).await?)?;
                &fetched
            }
        };
        Ok(wire::configuration(newest, draft))
    }

    async fn deployment(
        &self,
        target: &Target,
        known: &Configurations,
        entity: &Entity,
    ) -> Result<Option<Stored>, Fault> {
        let kind = ObjectKind::MessengerConfiguration;
        let pinned = match entity.get("configuration").and_then(Value::as_object) {
            None => None,
            Some(pinned) => {
                let version = wire::number(pinned);
                let id = wire::text(pinned, "id").unwrap_or_default();
                // A version holds the same for ever.
                let newest = known.get(id).filter(|newest| version.is_some() && newest.version == version);
                // What was expanded says more than which one it is.
                let body = match (newest.and_then(|newest| newest.body.clone()), expanded(pinned)) {
                    (Some(body), _) => Some(body),
                    (None, true) => Some(wire::body(kind, pinned)),
                    (None, false) => self.version(target, id, version).await?,
                };
                Some(Pinned { version, body })
            }
        };
        Ok(wire::unversioned(ObjectKind::MessengerDeployment, entity, pinned))
    }

    /// What a published version holds; none where there is no such version any more.
    pub(super) async fn version(
        &self,
        target: &Target,
        id: &str,
        version: Option<u64>,
    ) -> Result<Option<Arc<Entity>>, Fault> {
        let Some(version) = version.filter(|_| !id.is_empty()) else { return Ok(None) };
        let path = format!("{CONFIGURATIONS}/{}/versions/{version}", segment(id));
        let subject = format!("version {version} of a configuration of organization {}", target.organization);
        let response = self.call(target, &get(path, subject)).await?;
        if matches!(response.status, 404 | 410) {
            return Ok(None);
        }
        let entity: Entity = wire::parse(&response)?;
        Ok(Some(wire::body(ObjectKind::MessengerConfiguration, &entity)))
    }

    async fn read_one(&self, target: &Target, object: &Object, id: &str) -> Result<Observed, Fault> {
        let stored = match object.kind {
            ObjectKind::MessengerConfiguration => self.configuration(target, id).await?,
            kind => {
                let folder = if kind == ObjectKind::MessengerDeployment { DEPLOYMENTS } else { INTEGRATIONS };
                let path = format!("{folder}/{}", segment(id));
                let response = self.call(target, &get(path, target.of(object.clone()).to_string())).await?;
                if matches!(response.status, 404 | 410) {
                    return Ok(Observed::Absent);
                }
                let entity: Entity = wire::parse(&response)?;
                match kind {
                    ObjectKind::MessengerDeployment => {
                        self.deployment(target, &Configurations::new(), &entity).await?
                    }
                    kind => wire::unversioned(kind, &entity, None),
                }
            }
        };
        Ok(stored.map_or(Observed::Absent, Observed::Present))
    }

    /// What goes by the names that were asked for.
    async fn names(
        &self,
        target: &Target,
        references: &BTreeSet<Reference>,
        configurations: &Configurations,
    ) -> Result<Names, Fault> {
        let mut names: Names = references.iter().map(|reference| (reference.clone(), Vec::new())).collect();
        let mut kinds: Vec<ReferenceKind> = references.iter().map(|reference| reference.kind).collect();
        kinds.dedup();
        for kind in kinds {
            let found = match kind {
                ReferenceKind::Configuration => {
                    for (id, listed) in configurations {
                        let reference = Reference { kind, name: listed.name.as_str().into() };
                        let Some(known) = names.get_mut(&reference) else { continue };
                        let version = match listed.version {
                            Some(version) => Some(version),
                            // As with what git manages: its own list of versions decides.
                            None => {
                                let stored = self.listed(target, id, &listed.name).await?;
                                Some(stored.version).filter(|version| *version > 0)
                            }
                        };
                        known.push(Named { id: id.as_str().into(), version });
                    }
                    continue;
                }
                ReferenceKind::Flow => self.flows(target, references).await?,
                ReferenceKind::KnowledgeBase => {
                    let path = format!("api/v2/knowledge/knowledgebases?pageSize={PAGE_SIZE}");
                    self.by_cursor(target, &path, "the knowledge bases").await?
                }
                ReferenceKind::SupportedContent => {
                    let path = "api/v2/conversations/messaging/supportedcontent";
                    self.by_page(target, path, "the supported content profiles").await?
                }
                ReferenceKind::MessagingSetting => {
                    let path = "api/v2/conversations/messaging/settings";
                    self.by_page(target, path, "the messaging settings").await?
                }
                ReferenceKind::AuthenticationIntegration | ReferenceKind::PushIntegration => {
                    self.by_page(target, "api/v2/integrations", "the integrations").await?
                }
                // They are of one knowledge base, whose lists this build does not read.
                ReferenceKind::KnowledgeCategory | ReferenceKind::KnowledgeLabel => Vec::new(),
            };
            for entity in found {
                let (Some(id), Some(name)) = (wire::text(&entity, "id"), wire::text(&entity, "name")) else {
                    continue;
                };
                let Some(known) = names.get_mut(&Reference { kind, name: name.into() }) else { continue };
                let named = Named { id: id.into(), version: None };
                if !known.contains(&named) {
                    known.push(named);
                }
            }
        }
        Ok(names)
    }

    async fn flows(&self, target: &Target, references: &BTreeSet<Reference>) -> Result<Vec<Entity>, Fault> {
        let flows: Vec<&Reference> =
            references.iter().filter(|reference| reference.kind == ReferenceKind::Flow).collect();
        let path = "api/v2/flows?type=inboundshortmessage";
        if flows.len() > FLOWS_BY_NAME_MAX {
            return self.by_page(target, path, "the inbound message flows").await;
        }
        let mut found = Vec::new();
        for flow in flows {
            let name: String = url::form_urlencoded::byte_serialize(flow.name.as_bytes()).collect();
            let path = format!("{path}&name={name}");
            found.extend(self.by_page(target, &path, "the inbound message flows").await?);
        }
        Ok(found)
    }

    /// A listing whose pages are told apart by a cursor, page by page.
    pub(super) fn pages<'a>(&'a self, target: &'a Target, path: &'a str, what: &'a str) -> Pages<'a> {
        Pages { api: self, target, path, what, after: None, read: 0, done: false }
    }

    /// A whole listing whose pages are told apart by a cursor.
    pub(super) async fn by_cursor(
        &self,
        target: &Target,
        path: &str,
        what: &str,
    ) -> Result<Vec<Entity>, Fault> {
        let mut all = Vec::new();
        let mut pages = self.pages(target, path, what);
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        Ok(distinct(all))
    }

    /// A whole listing whose pages are numbered.
    pub(super) async fn by_page(
        &self,
        target: &Target,
        path: &str,
        what: &str,
    ) -> Result<Vec<Entity>, Fault> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for number in 1..=PAGES_MAX {
            let path = format!("{path}{joint}pageSize={PAGE_SIZE}&pageNumber={number}");
            let page: wire::Page = self.page(target, path, what).await?;
            let count = page.entities.len();
            all.extend(page.entities);
            let last = match page.page_count {
                Some(pages) => u64::from(number) >= pages,
                None => count < PAGE_SIZE as usize,
            };
            if last {
                return Ok(distinct(all));
            }
            if count == 0 {
                let message = format!(
                    "page {number} of {what} of organization {} is empty, and not the last",
                    target.organization
                );
                return Err(Fault::new(FaultKind::Transient, message));
            }
        }
        Err(endless(target, what))
    }

    async fn page(&self, target: &Target, path: String, what: &str) -> Result<wire::Page, Fault> {
        let subject = format!("{what} of organization {}", target.organization);
        let operation: Operation = get(path, subject);
        wire::parse(&self.call(target, &operation).await?)
    }
}

/// A listing that is read page by page.
pub(super) struct Pages<'a> {
    api: &'a ReadApi,
    target: &'a Target,
    path: &'a str,
    what: &'a str,
    after: Option<String>,
    read: u32,
    done: bool,
}

impl Pages<'_> {
    /// The next page; none where there is no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Entity>>, Fault> {
        if self.done {
            return Ok(None);
        }
        let encoded = |after: &str| {
            let encoded: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
            format!("&after={encoded}")
        };
        let cursor = self.after.as_deref().map(encoded).unwrap_or_default();
        let page: wire::Page =
            self.api.page(self.target, format!("{}{cursor}", self.path), self.what).await?;
        let uri = page.next_uri.as_deref().filter(|uri| !uri.is_empty());
        let next = uri.and_then(cursor_of);
        if let (Some(_), None) = (uri, &next) {
            // What is not read is not known to be absent.
            let message = format!(
                "{} of organization {} go on at a page that can't be read",
                self.what, self.target.organization
            );
            return Err(Fault::new(FaultKind::Rejected, message));
        }
        self.read += 1;
        self.done = next.is_none();
        // A cursor that comes again leads round in a circle.
        if next.is_some() && (next == self.after || self.read >= PAGES_MAX) {
            return Err(endless(self.target, self.what));
        }
        self.after = next;
        Ok(Some(page.entities))
    }
}

/// Whether a deployment's reference to its configuration has come with what that holds.
fn expanded(reference: &Entity) -> bool {
    reference.contains_key("messenger") || reference.contains_key("languages")
}

/// What is inserted or deleted while a list is read may come twice.
fn distinct(entities: Vec<Entity>) -> Vec<Entity> {
    let mut seen = BTreeSet::new();
    let id = |entity: &Entity| wire::text(entity, "id").map(str::to_owned);
    let version = |entity: &Entity| wire::text(entity, "version").map(str::to_owned);
    entities.into_iter().filter(|entity| seen.insert((id(entity), version(entity)))).collect()
}

/// The cursor within the link to the next page.
fn cursor_of(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let pair = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "after")?;
    Some(pair.1.into_owned()).filter(|cursor| !cursor.is_empty())
}

fn endless(target: &Target, what: &str) -> Fault {
    let message = format!("the list of {what} of organization {} does not end", target.organization);
    Fault::new(FaultKind::Transient, message)
}
