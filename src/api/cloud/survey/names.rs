//! Looks up the ids of names that git uses for other objects of the organization.
//!
//! In: references. Out: all ids with each name. Never: chooses between two.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;

use super::super::caller::Caller;
use super::super::{kinds, wire};
use super::{Configurations, Entity, Reader, side_by_side};
use crate::model::reference::{Named, Names, Reference};
use crate::model::{Fault, ObjectKind, ReferenceKind};

/// Up to this many flows are looked up one by one; for more, the whole list is read.
const FLOWS_BY_NAME_MAX: usize = 3;

/// Other versions of a flow than the published one: a flow with one of these exists, but was not published.
const OTHER_VERSIONS: [&str; 2] = ["savedVersion", "checkedInVersion"];

fn version_of(flow: &Entity, field: &str) -> bool {
    flow.get(field).is_some_and(serde_json::Value::is_object)
}

impl<C: Caller> Reader<'_, C> {
    /// Returns the ids of the sought names.
    pub(super) async fn names(&self, references: &BTreeSet<Reference>) -> Result<Names, Fault> {
        let mut names: Names = references.iter().map(|reference| (reference.clone(), Vec::new())).collect();
        let mut kinds: Vec<ReferenceKind> = references.iter().map(|reference| reference.kind).collect();
        kinds.dedup();
        let is_listed =
            |kind: &ReferenceKind| ObjectKind::referred_to(*kind).is_some_and(ObjectKind::has_drafts);
        kinds.retain(|kind| !is_listed(kind));
        let listed = side_by_side(kinds.iter().map(|kind| self.candidates(*kind, references)));
        let listed: Vec<Vec<Entity>> = listed.try_collect().await?;
        for (kind, entities) in kinds.into_iter().zip(listed) {
            // If the list shows published versions of some flows, a flow without one is not published.
            let is_shown = entities.iter().any(|entity| version_of(entity, "publishedVersion"));
            for entity in entities {
                let (Some(id), Some(name)) = (wire::text(&entity, "id"), wire::text(&entity, "name")) else {
                    continue;
                };
                let Some(known) = names.get_mut(&Reference { kind, name: name.into() }) else { continue };
                let is_unpublished = kind == ReferenceKind::Flow
                    && !version_of(&entity, "publishedVersion")
                    && (is_shown || OTHER_VERSIONS.iter().any(|other| version_of(&entity, other)));
                let named = Named { id: id.into(), version: None, is_unpublished };
                if !known.contains(&named) {
                    known.push(named);
                }
            }
        }
        Ok(names)
    }

    /// Adds the ids of configurations.
    pub(super) async fn name_configurations(
        &self,
        configurations: &Configurations,
        names: &mut Names,
    ) -> Result<(), Fault> {
        for (id, listed) in configurations {
            let Some(kind) = listed.kind.referent() else { continue };
            let reference = Reference { kind, name: listed.name.as_str().into() };
            let Some(known) = names.get_mut(&reference) else { continue };
            let version = match listed.version {
                Some(version) => Some(version),
                // Its own list of versions decides, as for managed objects.
                None => {
                    let stored = self.listed(listed.kind, id, &listed.name).await?;
                    Some(stored.version).filter(|version| *version > 0)
                }
            };
            known.push(Named { id: id.as_str().into(), version, is_unpublished: false });
        }
        Ok(())
    }

    /// Reads all objects of a kind that may have a sought name.
    async fn candidates(
        &self,
        kind: ReferenceKind,
        references: &BTreeSet<Reference>,
    ) -> Result<Vec<Entity>, Fault> {
        if kind == ReferenceKind::Flow {
            return self.flows(references).await;
        }
        match kinds::NAMED.iter().find(|named| named.kinds.contains(&kind)) {
            Some(named) => self.whole(&named.listing).await,
            None => Ok(Vec::new()),
        }
    }

    async fn flows(&self, references: &BTreeSet<Reference>) -> Result<Vec<Entity>, Fault> {
        let flows: Vec<&Reference> =
            references.iter().filter(|reference| reference.kind == ReferenceKind::Flow).collect();
        let path = "api/v2/flows?type=inboundshortmessage";
        if flows.len() > FLOWS_BY_NAME_MAX {
            return self.by_page(path, "the inbound message flows").await;
        }
        let mut found = Vec::new();
        for flow in flows {
            let name: String = url::form_urlencoded::byte_serialize(flow.name.as_bytes()).collect();
            let path = format!("{path}&name={name}");
            found.extend(self.by_page(&path, "the inbound message flows").await?);
        }
        Ok(found)
    }
}
