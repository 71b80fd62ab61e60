//! Everything that an organization holds, page by page: what an import is made from.
//!
//! In: an organization. Out: its objects, one at a time, and the names of what they refer to. Never: holds more than a
//! page of configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;

use super::super::ReadApi;
use super::caller::Caller;
use super::kinds::{self, Storage};
use super::survey::{Entity, Reader, side_by_side};
use super::wire;
use crate::model::{Fault, FaultKind, Object, ObjectKind, ReferenceKind, Stored, Target};

/// The names of things by their ids, and what could not be listed.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// By kind and id.
    pub names: BTreeMap<(ReferenceKind, String), Arc<str>>,
    /// What the client may not see, in a sentence each.
    pub unread: Vec<String>,
}

/// An object that is live.
#[derive(Debug, Clone)]
pub struct Live {
    /// Which one.
    pub object: Object,
    /// What it holds: of a configuration its newest version.
    pub stored: Stored,
    /// Dotted paths in which a version that is served says something else than the newest.
    pub served_otherwise: Vec<String>,
}

impl ReadApi {
    /// The names of what objects may refer to.
    ///
    /// # Errors
    /// The organization can't be asked, or is another one. What the client may not see is told, and no error.
    pub async fn directory(&self, target: &Target) -> Result<Directory, Fault> {
        self.identify(target).await?;
        let reader = Reader::new(self, target);
        let reader = &reader;
        let listed = kinds::NAMED.iter().map(|named| async move { Ok(reader.whole(&named.listing).await) });
        let mut directory = Directory::default();
        let listed: Vec<_> = side_by_side(listed).try_collect().await?;
        for (named, found) in kinds::NAMED.iter().zip(listed) {
            directory.take(named.kinds, found)?;
        }
        Ok(directory)
    }

    /// Tells every object of an organization, configurations first. The names of configurations are added to the
    /// directory; what was never published is told in `unpublished`.
    ///
    /// # Errors
    /// Something can't be listed, or whoever is told fails.
    pub async fn each_object(
        &self,
        target: &Target,
        all: bool,
        directory: &mut Directory,
        unpublished: &mut Vec<String>,
        tell: &mut Tell<'_>,
    ) -> Result<(), Fault> {
        let reader = Reader::new(self, target);
        let mut held = BTreeMap::new();
        for (kind, shape) in kinds::all().filter(|(kind, _)| kind.pins().is_some()) {
            if let Some(listing) = shape.listing() {
                held.insert(kind, reader.whole(listing).await?);
            }
        }
        let pinned = pins(&held);
        for (kind, _) in kinds::all().filter(|(kind, _)| kind.has_drafts()) {
            reader.tell_published(kind, &pinned, directory, unpublished, tell).await?;
        }
        for (kind, objects) in held {
            entities(kind, objects).into_iter().try_for_each(|live| tell(live, directory))?;
        }
        // What is imported where something refers to it, and nothing can, is wanted with everything alone.
        let wanted = |kind: ObjectKind| all || !kind.is_imported_by_reference() || kind.referent().is_some();
        let plain: Vec<_> = kinds::all()
            .filter(|(kind, _)| !kind.has_drafts() && kind.pins().is_none() && wanted(*kind))
            .collect();
        // What refers to others comes first, so that it is known of those whether anything refers to them.
        for (kind, shape) in plain.into_iter().rev() {
            let told = match &shape.place {
                Storage::Listed(listing, _) => {
                    reader.whole(listing).await.map(|objects| entities(kind, objects))
                }
                Storage::Called(calls) => reader.fields(calls).await.map(|stored| vec![only(kind, stored)]),
            };
            match told {
                Err(fault) if fault.kind == FaultKind::Denied => directory.leave_unread(&fault),
                other => other?.into_iter().try_for_each(|live| tell(live, directory))?,
            }
        }
        Ok(())
    }
}

/// Whoever takes the objects of an inventory, one at a time.
type Tell<'a> = dyn FnMut(Live, &Directory) -> Result<(), Fault> + Send + 'a;

/// The versions of each object with drafts that some other object pins, by its id.
type Pins = BTreeMap<String, BTreeSet<u64>>;

impl<C: Caller> Reader<'_, C> {
    /// Tells every published object of a kind with drafts; what was never published is told in `unpublished`.
    async fn tell_published(
        &self,
        kind: ObjectKind,
        pinned: &Pins,
        directory: &mut Directory,
        unpublished: &mut Vec<String>,
        tell: &mut Tell<'_>,
    ) -> Result<(), Fault> {
        let mut published = BTreeSet::new();
        let folder = kinds::folder(kind);
        let path = format!("{folder}?showOnlyPublished=true");
        let mut pages = self.pages(&path, "the published messenger configurations");
        while let Some(page) = pages.next().await? {
            let mut asked = Vec::new();
            for entity in page {
                let Some(id) = wire::text(&entity, "id").map(str::to_owned) else { continue };
                if !published.insert(id.clone()) {
                    continue;
                }
                let name = wire::text(&entity, "name").unwrap_or_default().to_owned();
                let key = kind.referent().map(|to| (to, id.clone()));
                directory.names.extend(key.map(|key| (key, name.as_str().into())));
                asked.push(self.live(kind, id, name, entity, pinned));
            }
            let live: Vec<Option<Live>> = side_by_side(asked.into_iter()).try_collect().await?;
            live.into_iter().flatten().try_for_each(|live| tell(live, directory))?;
        }
        let mut pages = self.pages(folder, "the messenger configurations");
        while let Some(page) = pages.next().await? {
            let never = |entity: &&Entity| wire::text(entity, "id").is_some_and(|id| !published.contains(id));
            unpublished.extend(
                page.iter().filter(never).filter_map(|entity| wire::text(entity, "name")).map(str::to_owned),
            );
        }
        Ok(())
    }

    /// What a configuration of a listing holds that was published, and where something serves another version of it.
    async fn live(
        &self,
        kind: ObjectKind,
        id: String,
        name: String,
        entity: Entity,
        pinned: &Pins,
    ) -> Result<Option<Live>, Fault> {
        let stored = match wire::number(&entity) {
            Some(_) => wire::drafted(kind, Some(&entity), &entity),
            None => Some(self.listed(kind, &id, &name).await?),
        };
        let Some(stored) = stored.filter(|stored| stored.version > 0) else { return Ok(None) };
        let mut served_otherwise = BTreeSet::new();
        for version in pinned.get(&id).into_iter().flatten().filter(|pin| **pin != stored.version) {
            if let Some(body) = self.version(kind, &id, Some(*version)).await? {
                served_otherwise.extend(differing(&body, &stored.body));
            }
        }
        let object = Object { kind, name: name.into() };
        Ok(Some(Live { object, stored, served_otherwise: served_otherwise.into_iter().collect() }))
    }
}

impl Directory {
    fn leave_unread(&mut self, fault: &Fault) {
        let told = fault.to_string();
        if !self.unread.contains(&told) {
            self.unread.push(told);
        }
    }

    fn take(&mut self, kinds: &[ReferenceKind], found: Result<Vec<Entity>, Fault>) -> Result<(), Fault> {
        let entities = match found {
            Err(fault) if fault.kind == FaultKind::Denied => {
                self.leave_unread(&fault);
                return Ok(());
            }
            other => other?,
        };
        for entity in &entities {
            let (Some(id), Some(name)) = (wire::text(entity, "id"), wire::text(entity, "name")) else {
                continue;
            };
            for kind in kinds {
                self.names.insert((*kind, id.to_owned()), name.into());
            }
        }
        Ok(())
    }
}

fn entities(kind: ObjectKind, entities: Vec<Entity>) -> Vec<Live> {
    let live = |entity: Entity| {
        let object = Object { kind, name: wire::text(&entity, "name").unwrap_or_default().into() };
        let stored = wire::unversioned(kind, &entity, None)?;
        Some(Live { object, stored, served_otherwise: Vec::new() })
    };
    entities.into_iter().filter_map(live).collect()
}

fn only(kind: ObjectKind, stored: Stored) -> Live {
    Live { object: Object { kind, name: "".into() }, stored, served_otherwise: Vec::new() }
}

fn pins(held: &BTreeMap<ObjectKind, Vec<Entity>>) -> Pins {
    let mut pins = Pins::new();
    for (kind, entity) in held.iter().flat_map(|(kind, all)| all.iter().map(move |entity| (kind, entity))) {
        let Some(pin) = kind.pins().and_then(|path| entity.get(path)?.as_object()) else { continue };
        if let (Some(id), Some(version)) = (wire::text(pin, "id"), wire::number(pin)) {
            pins.entry(id.to_owned()).or_default().insert(version);
        }
    }
    pins
}

/// Leaves in which two bodies are not the same, spelling included.
fn differing(one: &Entity, other: &Entity) -> Vec<String> {
    let mut paths = Vec::new();
    for (from, to) in [(one, other), (other, one)] {
        crate::model::json::leaves(from, &mut |path, leaf| {
            if crate::model::json::at_dotted(to, path) != Some(leaf) {
                paths.push(path.to_owned());
            }
        });
    }
    paths
}
