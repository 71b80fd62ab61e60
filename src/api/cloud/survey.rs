//! Reading what an organization holds: many objects by listing them, one by its id.
//!
//! In: a [`Look`], and a [`Caller`]. Out: the state of each object, and the ids of the names that were
//! sought. Never: accepts an incomplete listing, or chooses between two objects of the same name. Start
//! reading at [`Reader::survey`].

mod listing;
mod names;
mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::{try_join, try_join3};
use futures::stream::{Buffered, Iter};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::super::ReadApi;
use super::caller::Caller;
use super::kinds::{self, Call, Shape, Storage};
use super::{get, organization, wire};
use crate::model::reference::Names;
use crate::model::{
    Fault, FaultKind, Instance, Look, ObjectKind, Observed, Readiness, Seen, Sighting, Sought, Stored, Target,
};
use crate::platform::operation::{Operation, Response};
use listing::distinct;

/// The maximum number of requests that wait for a slot.
const IN_LINE: usize = 64;

pub(super) type Entity = Map<String, Value>;

/// The objects that were sought and found, by their places in the look.
type Found = Vec<(usize, Stored)>;

/// The configurations of an organization, by id.
type Configurations = BTreeMap<String, Listed>;

/// A configuration of a listing.
struct Listed {
    kind: ObjectKind,
    name: String,
    /// The newest published version; none if the listing has none.
    version: Option<u64>,
    /// The body of that version, for a configuration that is sought.
    body: Option<Arc<Entity>>,
}

/// The content of the listings of a kind with drafts.
struct Drafted {
    kind: ObjectKind,
    /// Each draft, with its place in the look if it is sought.
    drafts: Vec<(Option<usize>, Entity)>,
    /// The newest version of each, by id, if the listing has it.
    newest: BTreeMap<String, Entity>,
}

/// The content of the listing of a kind without drafts.
struct Undrafted {
    kind: ObjectKind,
    /// Objects that pin nothing.
    whole: Found,
    /// Objects that pin a version of another object, unprocessed.
    pinning: Vec<(usize, Entity)>,
}

/// The places of the sought objects of one kind, by name.
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

    /// The place of an entity of a listing; none if it is not sought.
    fn of(&mut self, entity: &Entity) -> Option<usize> {
        let (id, name) = (wire::text(entity, "id")?, wire::text(entity, "name")?);
        let at = *self.at.get(name)?;
        self.found.entry(at).or_default().insert(id.to_owned());
        Some(at)
    }

    /// Returns an error if two objects have one name.
    fn check(&self) -> Result<(), Fault> {
        let Some((at, ids)) = self.found.iter().find(|(_, ids)| ids.len() > 1) else { return Ok(()) };
        let object = self.look.sought.get(*at).map(|sought| sought.object.to_string()).unwrap_or_default();
        let message = format!(
            "found {} objects named {object} in organization {}; rename all but the one that git manages",
            ids.len(),
            self.look.target.organization
        );
        Err(Fault::new(FaultKind::Rejected, message))
    }
}

impl ReadApi {
    /// Reads the objects of an organization.
    pub(in crate::api) async fn survey(&self, look: &Look) -> Result<Seen, Fault> {
        self.identify(&look.target).await?;
        Reader::new(self, &look.target).survey(look).await
    }

    /// Checks, once, that the token belongs to the organization that git names.
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
    slots: Semaphore,
}

impl<'a, C: Caller> Reader<'a, C> {
    /// Returns a reader of the organization of a target that uses a caller.
    pub fn new(caller: &'a C, target: &'a Target) -> Self {
        Self { caller, target, slots: Semaphore::new(caller.in_flight().max(1)) }
    }

    pub(super) fn caller(&self) -> &C {
        self.caller
    }

    pub(super) fn target(&self) -> &Target {
        self.target
    }

    pub(super) async fn ask(&self, operation: &Operation) -> Result<Response, Fault> {
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        self.caller.call(self.target, operation).await
    }

    /// Checks that the token belongs to the organization that git names: with an id copied from another
    /// manifest, one tenant would overwrite another.
    ///
    /// # Errors
    /// The token belongs to another organization, or the query failed.
    pub async fn identify(&self) -> Result<(), Fault> {
        let target = self.target;
        let entity: Entity = wire::parse(&self.ask(&organization(target)).await?)?;
        let id = wire::text(&entity, "id").unwrap_or_default();
        if id == target.organization.as_str() {
            return Ok(());
        }
        let name = wire::text(&entity, "name").unwrap_or_default();
        let message = format!(
            "credentials `{}` belong to organization {} (`{}`), not to {}; fix the organization or the credentials in the manifest",
            target.credentials,
            super::shown(id, 64),
            super::shown(name, 100),
            target.organization
        );
        Err(Fault::new(FaultKind::Denied, message))
    }

    /// Reads an organization: objects with a known id by that id, and the others by listing them.
    ///
    /// # Errors
    /// An object cannot be read, or two objects have a name that git uses for one.
    pub async fn survey(&self, look: &Look) -> Result<Seen, Fault> {
        let (known, listed): (Vec<Sought>, Vec<Sought>) =
            look.sought.iter().cloned().partition(|sought| sought.id.is_some());
        if known.is_empty() {
            return self.list(look).await;
        }
        let by_id = known.iter().filter_map(|Sought { object, id, .. }| {
            Some(self.read_one(object, id.as_deref()?, &look.published))
        });
        let by_id = side_by_side(by_id).try_collect::<Vec<Observed>>();
        let by_name = async {
            if listed.is_empty() {
                return Ok(Seen { objects: Vec::new(), names: Names::new() });
            }
            self.list(&Look { sought: listed, ..look.clone() }).await
        };
        let (by_id, Seen { objects: by_name, names }) = try_join(by_id, by_name).await?;
        let (mut by_id, mut by_name) = (by_id.into_iter(), by_name.into_iter());
        let next = |sought: &Sought| match sought.id {
            Some(_) => by_id.next(),
            None => by_name.next(),
        };
        Ok(Seen { objects: look.sought.iter().filter_map(next).collect(), names })
    }

    /// Looks up the names that are sought. The listings are read in parallel; lookups that depend on them
    /// follow.
    async fn list(&self, look: &Look) -> Result<Seen, Fault> {
        let drafted = kinds::all().filter(|(kind, _)| kind.has_drafts());
        let drafted = side_by_side(drafted.map(|(kind, _)| self.drafted(kind, look)));
        let others = kinds::all().filter(|(kind, _)| !kind.has_drafts());
        let others = side_by_side(others.map(|(kind, shape)| self.of_kind(kind, shape, look)));
        let (drafted, others, mut names) = try_join3(
            drafted.try_collect::<Vec<Drafted>>(),
            others.try_collect::<Vec<Undrafted>>(),
            self.names(&look.references),
        )
        .await?;
        let served = served(&others);
        let (mut configurations, mut found) = (Configurations::new(), Found::new());
        for drafted in drafted {
            let (listed, stored) = self.versioned(drafted, look, &served).await?;
            configurations.extend(listed);
            found.extend(stored);
        }
        self.name_configurations(&configurations, &mut names).await?;
        let body_of = |id: &str, version: u64| {
            let newest = configurations.get(id).filter(|newest| newest.version == Some(version))?;
            newest.body.clone()
        };
        let mut pinning = Vec::new();
        for others in others {
            found.extend(others.whole);
            pinning.extend(others.pinning.into_iter().map(|(at, entity)| (others.kind, at, entity)));
        }
        let body_of = &body_of;
        let read = pinning.into_iter().map(|(kind, at, entity)| async move {
            let stored = self.pinned(kind, body_of, &entity).await?;
            Ok(stored.map(|stored| (at, stored)))
        });
        let pinned: Vec<Option<(usize, Stored)>> = side_by_side(read).try_collect().await?;
        let mut objects = vec![Observed::Absent; look.sought.len()];
        for (at, stored) in found.into_iter().chain(pinned.into_iter().flatten()) {
            if let Some(object) = objects.get_mut(at) {
                *object = Observed::Present(stored);
            }
        }
        Ok(Seen { objects, names })
    }

    /// Reads the drafts of a kind, and the newest versions as its listing has them.
    async fn drafted(&self, kind: ObjectKind, look: &Look) -> Result<Drafted, Fault> {
        let mut places = Places::new(look, kind);
        let refers = look.references.iter().any(|known| ObjectKind::referred_to(known.kind) == Some(kind));
        if places.is_empty() && !refers {
            return Ok(Drafted { kind, drafts: Vec::new(), newest: BTreeMap::new() });
        }
        let names: BTreeSet<&str> = places.at.keys().copied().collect();
        let (drafts, newest) = try_join(self.drafts(kind, &names), self.newest(kind, &names)).await?;
        let drafts = distinct(drafts).into_iter().map(|draft| (places.of(&draft), draft)).collect();
        places.check()?;
        Ok(Drafted { kind, drafts, newest })
    }

    /// Returns the draft and the newest version of each sought configuration, and the list of the others.
    async fn versioned(
        &self,
        drafted: Drafted,
        look: &Look,
        served: &BTreeMap<String, u64>,
    ) -> Result<(Configurations, Found), Fault> {
        let Drafted { kind, drafts, mut newest } = drafted;
        let (mut all, mut found, mut unknown) = (Configurations::new(), Vec::new(), Vec::new());
        // One by one, so that memory never has more than one copy of a large organization.
        for (at, draft) in drafts {
            let Some(id) = wire::text(&draft, "id").map(str::to_owned) else { continue };
            let newest = newest.remove(&id);
            let name = wire::text(&draft, "name").unwrap_or_default().to_owned();
            let version = newest.as_ref().and_then(wire::number);
            if let Some((at, sought)) = at.and_then(|at| Some((at, look.sought.get(at)?))) {
                let newest = newest.filter(|newest| wire::text(newest, "name") == Some(&*sought.object.name));
                let reported = match newest {
                    Some(newest) => wire::drafted(kind, Some(&newest), &draft),
                    None => unmoved(kind, sought, &draft, served.get(&id).copied()),
                };
                match reported {
                    Some(stored) => found.push((at, id.clone(), stored)),
                    // If the list of published versions does not contain it, or has another name for it, and
                    // it may have moved, its own list of versions decides: no other answer proves that
                    // nothing was published.
                    None => unknown.push((at, id.clone(), name.clone())),
                }
            }
            all.insert(id, Listed { kind, name, version, body: None });
        }
        let asked = unknown.into_iter().map(|(at, id, name)| async move {
            let stored = self.listed(kind, &id, &name).await?;
            Ok((at, id, stored))
        });
        found.extend(side_by_side(asked).try_collect::<Vec<_>>().await?);
        for (_, id, stored) in &found {
            if let Some(listed) = all.get_mut(id) {
                listed.version = Some(stored.version).filter(|version| *version > 0);
                listed.body = Some(Arc::clone(&stored.body));
            }
        }
        Ok((all, found.into_iter().map(|(at, _, stored)| (at, stored)).collect()))
    }

    /// Reads the drafts of the organization; with their bodies if their names are sought.
    async fn drafts(&self, kind: ObjectKind, names: &BTreeSet<&str>) -> Result<Vec<Entity>, Fault> {
        let mut drafts = Vec::new();
        let mut pages = self.pages(kinds::folder(kind), "the messenger configurations");
        while let Some(page) = pages.next().await? {
            for draft in page {
                let is_sought = wire::text(&draft, "name").is_some_and(|name| names.contains(name));
                drafts.push(kept(draft, is_sought));
            }
        }
        Ok(drafts)
    }

    /// Reads the newest published version of each configuration, by id; with its body if its name is sought.
    async fn newest(
        &self,
        kind: ObjectKind,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Entity>, Fault> {
        let path = format!("{}?showOnlyPublished=true", kinds::folder(kind));
        let mut newest: BTreeMap<String, Entity> = BTreeMap::new();
        let mut pages = self.pages(&path, "the published messenger configurations");
        while let Some(page) = pages.next().await? {
            for entity in page {
                let Some(id) = wire::text(&entity, "id").map(str::to_owned) else { continue };
                let number = wire::number(&entity);
                if number.is_some() && newest.get(&id).is_none_or(|known| wire::number(known) < number) {
                    let is_sought = wire::text(&entity, "name").is_some_and(|name| names.contains(name));
                    newest.insert(id, kept(entity, is_sought));
                }
            }
        }
        Ok(newest)
    }

    /// Reads the sought objects of a kind without drafts.
    async fn of_kind(&self, kind: ObjectKind, shape: &Shape, look: &Look) -> Result<Undrafted, Fault> {
        let mut places = Places::new(look, kind);
        let mut held = Undrafted { kind, whole: Vec::new(), pinning: Vec::new() };
        if places.is_empty() {
            return Ok(held);
        }
        match &shape.place {
            Storage::Listed(listing, _) if kind.pins().is_some() => {
                let path = format!("{}?expand=Configuration", listing.path);
                let mut pages = self.pages(&path, listing.what);
                while let Some(page) = pages.next().await? {
                    held.pinning
                        .extend(page.into_iter().filter_map(|entity| Some((places.of(&entity)?, entity))));
                }
            }
            Storage::Listed(listing, _) => {
                let stored =
                    |entity: &Entity| Some((places.of(entity)?, wire::unversioned(kind, entity, None)?));
                held.whole = self.whole(listing).await?.iter().filter_map(stored).collect();
            }
            Storage::Called(calls) => {
                let at = look.sought.iter().position(|sought| sought.object.kind == kind);
                let stored = self.fields(calls).await?;
                held.whole.extend(at.map(|at| (at, stored)));
            }
        }
        places.check()?;
        Ok(held)
    }

    /// Reads the only object of a kind, field by field. A field without a reference counts as not found.
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

/// Sends some requests in parallel; the answers are in their order.
pub(super) fn side_by_side<T, F: Future<Output = Result<T, Fault>>>(
    questions: impl Iterator<Item = F>,
) -> Buffered<Iter<std::vec::IntoIter<F>>> {
    futures::stream::iter(questions.collect::<Vec<F>>()).buffered(IN_LINE)
}

/// The newest version that a deployment serves of each configuration, by the configuration's id.
fn served(others: &[Undrafted]) -> BTreeMap<String, u64> {
    let mut served = BTreeMap::new();
    for (kind, entity) in
        others.iter().flat_map(|one| one.pinning.iter().map(|(_, entity)| (one.kind, entity)))
    {
        let pin = kind.pins().and_then(|path| entity.get(path)?.as_object());
        if let Some((id, version)) = pin.and_then(|pin| Some((wire::text(pin, "id")?, wire::number(pin)?))) {
            let newest: &mut u64 = served.entry(id.to_owned()).or_default();
            *newest = version.max(*newest);
        }
    }
    served
}

/// Returns the body of a configuration whose draft did not move since the sighting: the newest version had
/// the same body then, and so has each version published since. None if a newer version is served than the
/// sighting knows.
fn unmoved(kind: ObjectKind, sought: &Sought, draft: &Entity, served: Option<u64>) -> Option<Stored> {
    let Sighting { id, version, drafted_at } = sought.sighting.as_ref()?;
    if served.is_some_and(|served| served > *version) || wire::text(draft, "id") != Some(&**id) {
        return None;
    }
    let mut newest = draft.clone();
    newest.insert("version".into(), version.to_string().into());
    let stored = wire::drafted(kind, Some(&newest), draft)?;
    let instance = stored.instance.as_ref()?;
    let moved_at = instance.drafted_at?.as_millisecond().unsigned_abs();
    let is_unmoved = instance.readiness == Readiness::Ready && moved_at == *drafted_at;
    let inferred = Instance { is_inferred: true, ..Instance::clone(instance) };
    is_unmoved.then(|| Stored { instance: Some(Arc::new(inferred)), ..stored })
}

/// Whether the reference of a deployment includes the body of its configuration.
fn expanded(reference: &Entity) -> bool {
    reference.contains_key("messenger") || reference.contains_key("languages")
}

/// Reduces a configuration that is not sought to its id, name and version.
fn kept(mut entity: Entity, is_sought: bool) -> Entity {
    if !is_sought {
        entity.retain(|field, _| matches!(field.as_str(), "id" | "name" | "version"));
    }
    entity
}
