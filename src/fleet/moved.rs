//! What differs between two revisions of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use super::load::{self, Loaded, Options, load};
use super::shared::Shared;
use crate::manifest::Input;
use crate::manifest::yaml::{Node, compose};
use crate::model::TenantName;
use crate::model::snapshot::{FileEntry, Snapshot};
use crate::source::{Source, SourceError};

/// What differs between two revisions.
#[derive(Debug)]
pub struct Moved {
    /// The tenants whose rendered configuration, or whose own settings, differ.
    pub tenants: BTreeSet<TenantName>,
    /// The tenants whose files differ, or everybody where a shared file does: as they were before.
    pub before: Vec<Loaded>,
    /// The same tenants as they are now.
    pub after: Vec<Loaded>,
    /// The tenants that are not there any more.
    pub gone: Vec<TenantName>,
    /// What becomes of the project's document.
    pub project: ProjectMoved,
}

/// What becomes of the project's document between two revisions.
#[derive(Debug)]
pub enum ProjectMoved {
    /// It is the same, or can't be read now, which is a finding.
    Not,
    /// It could not be read before.
    Unread,
    /// It was one thing, and is another; none where there was, or is, no such file.
    Read(Option<Value>, Option<Value>),
}

/// What differs between two revisions. A tenant is rendered only where its own files or any shared file moved.
///
/// # Errors
/// The source can't be read.
pub fn moved(source: &Source, since: &str, revision: &str, today: Date) -> Result<Moved, SourceError> {
    let now = source.snapshot(revision)?;
    let earlier = source.snapshot(since)?;
    let shared_moved = now.bases != earlier.bases || now.project != earlier.project;
    let touched: BTreeSet<TenantName> = now
        .tenants
        .iter()
        .filter(|(name, files)| shared_moved || earlier.tenants.get(*name) != Some(*files))
        .map(|(name, _)| name.clone())
        .collect();
    let gone: Vec<TenantName> =
        earlier.tenants.keys().filter(|name| !now.tenants.contains_key(*name)).cloned().collect();
    // Of who is gone it has to be known what belongs to whom now.
    let known = touched.iter().chain(&gone).cloned().collect();
    let part = |revision: &str, only: &BTreeSet<TenantName>| {
        load(source, revision, &Options { only: Some(only), ..Options::on(today) })
    };
    let (old, new) = (part(since, &known)?, part(revision, &touched)?);
    let before: BTreeMap<&TenantName, &Loaded> =
        old.tenants.iter().map(|tenant| (&tenant.name, tenant)).collect();
    let same = |loaded: &Loaded| {
        before.get(&loaded.name).is_some_and(|old| {
            old.tenant == loaded.tenant && old.resources == loaded.resources && old.blocked == loaded.blocked
        })
    };
    let tenants =
        new.tenants.iter().filter(|loaded| !same(loaded)).map(|loaded| loaded.name.clone()).collect();
    // None where there is a file that can't be read.
    let project = |snapshot: &Snapshot| -> Result<Option<Option<Value>>, SourceError> {
        let document = Shared::of(source, snapshot)?.project.document.map(|document| document.to_json());
        Ok((document.is_some() || snapshot.project.is_none()).then_some(document))
    };
    let project = match now.project == earlier.project {
        true => ProjectMoved::Not,
        false => match (project(&earlier)?, project(&now)?) {
            (_, None) => ProjectMoved::Not,
            (None, Some(_)) => ProjectMoved::Unread,
            (Some(before), Some(now)) => ProjectMoved::Read(before, now),
        },
    };
    Ok(Moved { tenants, before: old.tenants, after: new.tenants, gone, project })
}

/// The files under `bases/` that say something else than at an earlier revision. A comment, or another way to write the same
/// value, is nothing else.
///
/// # Errors
/// The source can't be read.
pub fn changed_layers(source: &Source, since: &str, revision: &str) -> Result<Vec<Arc<str>>, SourceError> {
    let (before, now) = (source.snapshot(since)?.bases, source.snapshot(revision)?.bases);
    let reader = source.reader()?;
    let in_any = before.iter().chain(&now).filter(|entry| !(before.contains(entry) && now.contains(entry)));
    let paths: BTreeSet<&Arc<str>> = in_any.map(|entry| &entry.path).collect();
    let mut changed = Vec::new();
    for path in paths {
        let said = |files: &[FileEntry]| match files.iter().find(|entry| entry.path == *path) {
            Some(entry) => load::input(&reader, entry).map(|input| documents(&input)),
            None => Ok(Some(Vec::new())),
        };
        let (earlier, now) = (said(&before)?, said(&now)?);
        if earlier.is_none() || earlier != now {
            changed.push(Arc::clone(path));
        }
    }
    Ok(changed)
}

/// What a file says, without its comments; none where it can't be read.
fn documents(input: &Input) -> Option<Vec<Value>> {
    let composed = compose(std::str::from_utf8(&input.bytes).ok()?, 0);
    let is_read = composed.problems.iter().all(|problem| problem.warning);
    is_read.then(|| composed.documents.iter().map(Node::to_json).collect())
}
