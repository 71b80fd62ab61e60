//! Reads one object: by its id, or with what a listing leaves out.
//!
//! In: a kind and an id, or an entity of a listing. Out: the stored object. Never: treats a listed object as
//! absent because it is not found.

use std::sync::Arc;

use super::super::caller::Caller;
use super::super::kinds::{self, Storage};
use super::super::{get, segment, wire};
use super::listing::distinct;
use super::{Entity, Reader, expanded};
use crate::model::{Fault, FaultKind, Object, ObjectKind, Observed, Pinned, Published, Stored};

impl<C: Caller> Reader<'_, C> {
    /// Reads a listed configuration. If it is listed and not found, the result is an error and not absence.
    pub(in crate::api::cloud) async fn listed(
        &self,
        kind: ObjectKind,
        id: &str,
        name: &str,
    ) -> Result<Stored, Fault> {
        self.configuration(kind, id).await?.ok_or_else(|| {
            let message = format!(
                "messenger configuration `{name}` ({id}) of organization {} is listed but not found",
                self.target.organization
            );
            Fault::new(FaultKind::Transient, message)
        })
    }

    pub(super) async fn configuration(&self, kind: ObjectKind, id: &str) -> Result<Option<Stored>, Fault> {
        let folder = kinds::folder(kind);
        let path = format!("{folder}/{}/versions", segment(id));
        let mut pages = self.pages(&path, "the versions of a configuration");
        let mut versions = Vec::new();
        loop {
            match pages.next().await {
                Ok(Some(page)) => versions.extend(page),
                Ok(None) => break,
                Err(fault) if fault.kind == FaultKind::NotFound && versions.is_empty() => return Ok(None),
                // The page before was found, so the configuration exists.
                Err(fault) if fault.kind == FaultKind::NotFound => {
                    return Err(Fault { kind: FaultKind::Transient, ..fault });
                }
                Err(fault) => return Err(fault),
            }
        }
        let versions = distinct(versions);
        // Version numbers may have gaps.
        let newest = versions
            .iter()
            .max_by_key(|version| wire::number(version))
            .filter(|version| wire::number(version).is_some());
        let fetched;
        let draft = match versions.iter().find(|version| wire::text(version, "version") == Some("DRAFT")) {
            Some(draft) => draft,
            None => {
                let path = format!("{folder}/{}/versions/draft", segment(id));
                let subject = format!("a draft of organization {}", self.target.organization);
                fetched = wire::parse::<Entity>(&self.ask(&get(path, subject)).await?)?;
                &fetched
            }
        };
        Ok(wire::drafted(kind, newest, draft))
    }

    pub(super) async fn pinned(
        &self,
        kind: ObjectKind,
        body_of: &(dyn Fn(&str, u64) -> Option<Arc<Entity>> + Sync),
        entity: &Entity,
    ) -> Result<Option<Stored>, Fault> {
        let reference = kind.pins().and_then(|path| entity.get(path)?.as_object());
        let pinned = match reference.zip(kinds::pinned_by(kind)) {
            None => None,
            Some((pinned, kind)) => {
                let version = wire::number(pinned);
                let id = wire::text(pinned, "id").unwrap_or_default();
                // The body of a version never changes.
                let known = version.and_then(|version| body_of(id, version));
                // An expanded reference includes the body.
                let body = match (known, expanded(pinned)) {
                    (Some(body), _) => Some(body),
                    (None, true) => Some(wire::body(kind, pinned)),
                    (None, false) => self.version(kind, id, version).await?,
                };
                Some(Pinned { version, body })
            }
        };
        Ok(wire::unversioned(kind, entity, pinned))
    }

    /// Reads the body of a published version; none if the version does not exist any more.
    pub(in crate::api::cloud) async fn version(
        &self,
        kind: ObjectKind,
        id: &str,
        version: Option<u64>,
    ) -> Result<Option<Arc<Entity>>, Fault> {
        let Some(version) = version.filter(|_| !id.is_empty()) else { return Ok(None) };
        let folder = kinds::folder(kind);
        let path = format!("{folder}/{}/versions/{version}", segment(id));
        let subject =
            format!("version {version} of a configuration of organization {}", self.target.organization);
        let response = self.ask(&get(path, subject)).await?;
        if matches!(response.status, 404 | 410) {
            return Ok(None);
        }
        let entity: Entity = wire::parse(&response)?;
        Ok(Some(wire::body(kind, &entity)))
    }

    pub(super) async fn read_one(
        &self,
        object: &Object,
        id: &str,
        published: &[Published],
    ) -> Result<Observed, Fault> {
        let kind = object.kind;
        let Some(shape) = kinds::shape(kind) else { return Ok(Observed::Absent) };
        if kind.has_drafts() {
            let stored = self.configuration(kind, id).await?;
            return Ok(stored.map_or(Observed::Absent, Observed::Present));
        }
        let listing = match &shape.place {
            Storage::Listed(listing, _) => listing,
            Storage::Called(calls) => return Ok(Observed::Present(self.fields(calls).await?)),
        };
        let path = format!("{}/{}", listing.path, segment(id));
        let response = self.ask(&get(path, self.target.of(object.clone()).to_string())).await?;
        if matches!(response.status, 404 | 410) {
            return Ok(Observed::Absent);
        }
        let entity: Entity = wire::parse(&response)?;
        let body_of = |id: &str, version: u64| {
            let known = published.iter().find(|known| *known.id == *id && known.version == version);
            known.map(|known| Arc::clone(&known.body))
        };
        let stored = self.pinned(kind, &body_of, &entity).await?;
        Ok(stored.map_or(Observed::Absent, Observed::Present))
    }
}
