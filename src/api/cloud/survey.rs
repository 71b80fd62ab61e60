//! Reading what an organization holds: many objects by listing them, one by its id.
//!
//! In: a [`Look`], and whoever performs a request. Out: what was seen, object by object, and what goes by the names
//! that were asked for. Never: takes a listing that broke off for a whole one, or one of two things of the same name
//! for the right one. Start reading at [`Reader::survey`].

mod listing;
mod names;
mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::ReadApi;
use super::caller::Caller;
use super::kinds::{self, Call, Listing, Storage};
use super::{get, organization, wire};
use crate::model::reference::Names;
use crate::model::{Fault, FaultKind, Look, ObjectKind, Observed, Seen, Sought, Stored, Target};
use crate::platform::operation::{Operation, Response};
use listing::distinct;

/// Whole configurations on a page: the platform takes 512 KB for one, and a page has to be read.
pub(super) const CONFIGURATIONS_PAGE_SIZE: u32 = 25;

pub(super) type Entity = Map<String, Value>;

/// The configurations of an organization, by id.
type Configurations = BTreeMap<String, Listed>;

/// A configuration of a listing.
struct Listed {
    kind: ObjectKind,
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
        self.identify(&look.target).await?;
        Reader::new(self, &look.target).survey(look).await
    }

    /// Makes sure, once, that the token is of the organization that git names.
    pub(super) async fn identify(&self, target: &Target) -> Result<(), Fault> {
        if !self.client.is_known(target) {
            Reader::new(self, target).identify().await?;
            self.client.know(target);
        }
        Ok(())
    }
}

/// Reads one organization, request by request.
pub struct Reader<'a, C> {
    caller: &'a C,
    target: &'a Target,
}

impl<'a, C: Caller> Reader<'a, C> {
    /// Reads the organization of a target, by whoever performs the requests.
    pub fn new(caller: &'a C, target: &'a Target) -> Self {
        Self { caller, target }
    }

    pub(super) fn caller(&self) -> &C {
        self.caller
    }

    pub(super) fn target(&self) -> &Target {
        self.target
    }

    pub(super) async fn ask(&self, operation: &Operation) -> Result<Response, Fault> {
        self.caller.call(self.target, operation).await
    }

    /// Makes sure that the token is of the organization that git names: an id that was copied from another manifest
    /// would have one tenant written over another.
    ///
    /// # Errors
    /// The token is of another organization, or whose it is can't be asked.
    pub async fn identify(&self) -> Result<(), Fault> {
        let target = self.target;
        let entity: Entity = wire::parse(&self.ask(&organization(target)).await?)?;
        let id = wire::text(&entity, "id").unwrap_or_default();
        if id == target.organization.as_str() {
            return Ok(());
        }
        let name = wire::text(&entity, "name").unwrap_or_default();
        let message = format!(
            "credentials `{}` are of organization {} (`{}`), not of {}; name that one, or the credentials of this one",
            target.credentials,
            super::shown(id, 64),
            super::shown(name, 100),
            target.organization
        );
        Err(Fault::new(FaultKind::Denied, message))
    }

    /// Reads what an organization holds: one object by its id, or many by listing them.
    ///
    /// # Errors
    /// Something can't be read, or two things go by a name that git uses for one.
    pub async fn survey(&self, look: &Look) -> Result<Seen, Fault> {
        if let [Sought { object, id: Some(id) }] = look.sought.as_slice() {
            let observed = self.read_one(object, id).await?;
            return Ok(Seen { objects: vec![observed], names: Names::new() });
        }
        let mut objects = vec![Observed::Absent; look.sought.len()];
        let mut configurations = Configurations::new();
        // What pins a version is read behind what has versions.
        for (kind, _) in kinds::all().filter(|(kind, _)| kind.has_drafts()) {
            configurations.extend(self.drafted(kind, look, &mut objects).await?);
        }
        for (kind, shape) in kinds::all().filter(|(kind, _)| !kind.has_drafts()) {
            match &shape.place {
                Storage::Listed(listing, _) if kind.pins().is_some() => {
                    self.pinning(kind, listing, look, &configurations, &mut objects).await?;
                }
                Storage::Listed(listing, _) => self.plain(kind, listing, look, &mut objects).await?,
                Storage::Called(calls) => self.called(kind, calls, look, &mut objects).await?,
            }
        }
        let names = self.names(&look.references, &configurations).await?;
        Ok(Seen { objects, names })
    }

    /// Of a configuration that is sought, what its draft and its newest version hold; of the others, which there are.
    async fn drafted(
        &self,
        kind: ObjectKind,
        look: &Look,
        objects: &mut [Observed],
    ) -> Result<Configurations, Fault> {
        let mut places = Places::new(look, kind);
        let refers = look.references.iter().any(|known| ObjectKind::referred_to(known.kind) == Some(kind));
        if places.is_empty() && !refers {
            return Ok(Configurations::new());
        }
        let names: BTreeSet<&str> = places.at.keys().copied().collect();
        let drafts = self.drafts(kind, &names).await?;
        let named = |draft: &&Entity| wire::text(draft, "name").is_some_and(|name| names.contains(name));
        let ids = drafts.iter().filter(named).filter_map(|draft| wire::text(draft, "id")).collect();
        let mut newest = self.newest(kind, &ids).await?;
        let drafts = distinct(drafts);
        let at: Vec<Option<usize>> = drafts.iter().map(|draft| places.of(draft)).collect();
        places.check()?;
        let mut all = Configurations::new();
        // One by one: of large organizations there is never more than one copy.
        for (draft, at) in drafts.into_iter().zip(at) {
            let Some(id) = wire::text(&draft, "id").map(str::to_owned) else { continue };
            let newest = newest.remove(&id);
            let name = wire::text(&draft, "name").unwrap_or_default().to_owned();
            let mut listed =
                Listed { kind, name, version: newest.as_ref().and_then(wire::number), body: None };
            if let Some(object) = at.and_then(|at| objects.get_mut(at)) {
                // Where the list of published ones does not know it, its own list of versions decides: that
                // nothing was published is believed from nowhere else.
                let stored = match &newest {
                    Some(newest) => wire::drafted(kind, Some(newest), &draft),
                    None => Some(self.listed(kind, &id, &listed.name).await?),
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

    /// The drafts of the organization; whole ones where their names are sought.
    async fn drafts(&self, kind: ObjectKind, names: &BTreeSet<&str>) -> Result<Vec<Entity>, Fault> {
        let folder = kinds::folder(kind);
        let path = format!("{folder}?pageSize={CONFIGURATIONS_PAGE_SIZE}");
        let mut drafts = Vec::new();
        let mut pages = self.pages(&path, "the messenger configurations");
        while let Some(page) = pages.next().await? {
            for draft in page {
                let is_sought = wire::text(&draft, "name").is_some_and(|name| names.contains(name));
                drafts.push(kept(draft, is_sought));
            }
        }
        Ok(drafts)
    }

    /// The newest published version of each configuration, by id; a whole one where the id is sought, for a draft may
    /// have another name than what is published of it.
    async fn newest(
        &self,
        kind: ObjectKind,
        ids: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Entity>, Fault> {
        let folder = kinds::folder(kind);
        let path = format!("{folder}?pageSize={CONFIGURATIONS_PAGE_SIZE}&showOnlyPublished=true");
        let mut newest: BTreeMap<String, Entity> = BTreeMap::new();
        let mut pages = self.pages(&path, "the published messenger configurations");
        while let Some(page) = pages.next().await? {
            for entity in page {
                let Some(id) = wire::text(&entity, "id").map(str::to_owned) else { continue };
                let number = wire::number(&entity);
                if number.is_some() && newest.get(&id).is_none_or(|known| wire::number(known) < number) {
                    let is_sought = ids.contains(&*id);
                    newest.insert(id, kept(entity, is_sought));
                }
            }
        }
        Ok(newest)
    }

    async fn pinning(
        &self,
        kind: ObjectKind,
        listing: &Listing,
        look: &Look,
        known: &Configurations,
        objects: &mut [Observed],
    ) -> Result<(), Fault> {
        let mut places = Places::new(look, kind);
        if places.is_empty() {
            return Ok(());
        }
        let path = format!("{}?pageSize={CONFIGURATIONS_PAGE_SIZE}&expand=Configuration", listing.path);
        let mut pages = self.pages(&path, listing.what);
        while let Some(page) = pages.next().await? {
            for entity in page {
                let Some(object) = places.of(&entity).and_then(|at| objects.get_mut(at)) else { continue };
                if let Some(stored) = self.pinned(kind, known, &entity).await? {
                    *object = Observed::Present(stored);
                }
            }
        }
        places.check()
    }

    async fn plain(
        &self,
        kind: ObjectKind,
        listing: &Listing,
        look: &Look,
        objects: &mut [Observed],
    ) -> Result<(), Fault> {
        let mut places = Places::new(look, kind);
        if places.is_empty() {
            return Ok(());
        }
        for entity in self.whole(listing).await? {
            let Some(object) = places.of(&entity).and_then(|at| objects.get_mut(at)) else { continue };
            if let Some(stored) = wire::unversioned(kind, &entity, None) {
                *object = Observed::Present(stored);
            }
        }
        places.check()
    }

    async fn called(
        &self,
        kind: ObjectKind,
        calls: &[Call],
        look: &Look,
        objects: &mut [Observed],
    ) -> Result<(), Fault> {
        let sought = look.sought.iter().position(|sought| sought.object.kind == kind);
        if let Some(object) = sought.and_then(|at| objects.get_mut(at)) {
            *object = Observed::Present(self.fields(calls).await?);
        }
        Ok(())
    }

    /// The only object of a kind, field by field. A field that points to nothing is not found.
    pub(super) async fn fields(&self, calls: &[Call]) -> Result<Stored, Fault> {
        let mut body = Entity::new();
        for Call { field, path, .. } in calls {
            let subject = format!("the default of `{field}` of organization {}", self.target.organization);
            let response = self.ask(&get((*path).to_owned(), subject)).await?;
            if matches!(response.status, 204 | 404 | 410) {
                continue;
            }
            let entity: Entity = wire::parse(&response)?;
            if let Some(id) = entity.get("id").filter(|id| id.is_string()) {
                body.insert((*field).to_owned(), serde_json::json!({ "id": id }));
            }
        }
        Ok(wire::contents(&self.target.organization, body))
    }
}

/// Whether a deployment's reference to its configuration has come with what that holds.
fn expanded(reference: &Entity) -> bool {
    reference.contains_key("messenger") || reference.contains_key("languages")
}

/// What is kept of a configuration that nobody seeks: which one it is.
fn kept(mut entity: Entity, is_sought: bool) -> Entity {
    if !is_sought {
        entity.retain(|field, _| matches!(field.as_str(), "id" | "name" | "version"));
    }
    entity
}
