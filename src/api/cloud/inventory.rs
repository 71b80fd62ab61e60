//! Reads everything that an organization holds, page by page, for an import.
//!
//! In: an organization. Out: its objects, one at a time, and the names of what they refer to. Never: keeps
//! more than one page of configurations in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;

use super::super::ReadApi;
use super::caller::Caller;
use super::kinds::{self, Storage};
use super::survey::{Entity, Reader, side_by_side};
use super::wire;
use crate::model::{Fault, FaultKind, Object, ObjectKind, ReferenceKind, Stored, Target};

/// The names of objects by their ids, and the permissions that are missing.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// The names by kind and id.
    pub names: BTreeMap<(ReferenceKind, String), Arc<str>>,
    /// One sentence for each kind of object that the client may not read.
    pub unread: Vec<String>,
}

/// A live object.
#[derive(Debug, Clone)]
pub struct Live {
    /// The object.
    pub object: Object,
    /// Its body: for a configuration the newest version.
    pub stored: Stored,
    /// Dotted paths in which a served version differs from the newest.
    pub served_otherwise: Vec<String>,
}

impl ReadApi {
    /// Returns the names of the objects that others may refer to.
    ///
    /// # Errors
    /// The organization cannot be read, or is another one. A missing permission is part of the result and no
    /// error.
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

    /// Passes every object of an organization to `tell`, configurations first. The names of configurations
    /// are added to the directory; names of never published objects are added to `unpublished`.
    ///
    /// # Errors
    /// A listing cannot be read, or `tell` fails.
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
        // Kinds that are imported only if an object refers to them are imported with everything if nothing
        // can refer to them.
        let wanted = |kind: ObjectKind| all || !kind.is_imported_by_reference() || kind.referent().is_some();
        let plain: Vec<_> = kinds::all()
            .filter(|(kind, _)| !kind.has_drafts() && kind.pins().is_none() && wanted(*kind))
            .collect();
        // Objects that refer to others come first, so that it is known which of the others are in use.
        for (kind, shape) in plain.into_iter().rev() {
            let reported = match &shape.place {
                Storage::Listed(listing, _) => {
                    reader.whole(listing).await.map(|objects| entities(kind, objects))
                }
                Storage::Called(calls) => reader.fields(calls).await.map(|stored| vec![only(kind, stored)]),
            };
            match reported {
                Err(fault) if fault.kind == FaultKind::Denied => directory.leave_unread(&fault),
                other => other?.into_iter().try_for_each(|live| tell(live, directory))?,
            }
        }
        Ok(())
    }
}

/// Receives the objects of an inventory, one at a time.
type Tell<'a> = dyn FnMut(Live, &Directory) -> Result<(), Fault> + Send + 'a;

/// The versions of each object with drafts that another object pins, by its id.
type Pins = BTreeMap<String, BTreeSet<u64>>;

impl<C: Caller> Reader<'_, C> {
    /// Passes every published object of a kind with drafts to `tell`; adds never published ones to
    /// `unpublished`.
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

    /// Returns the published body of a listed configuration, and the paths in which another version is
    /// served.
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
        let reported = fault.to_string();
        if !self.unread.contains(&reported) {
            self.unread.push(reported);
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

/// Returns the paths in which two bodies differ, spelling included.
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
