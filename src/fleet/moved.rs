//! The differences between two revisions of a repository.

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

/// The differences between two revisions.
#[derive(Debug)]
pub struct Moved {
    /// The tenants whose rendered configuration or settings differ.
    pub tenants: BTreeSet<TenantName>,
    /// The tenants whose files differ, or all tenants if a shared file differs, in the earlier revision.
    pub before: Vec<Loaded>,
    /// The same tenants in the later revision.
    pub after: Vec<Loaded>,
    /// The tenants that no longer exist.
    pub gone: Vec<TenantName>,
    /// The change of the project's document.
    pub project: ProjectMoved,
}

/// The change of the project's document between two revisions.
#[derive(Debug)]
pub enum ProjectMoved {
    /// It is the same, or cannot be parsed in the later revision, which is a finding.
    Not,
    /// It could not be parsed in the earlier revision.
    Unread,
    /// The earlier and the later document; none if the file does not exist.
    Read(Option<Value>, Option<Value>),
}

/// Returns the differences between two revisions. It renders a tenant only if its own files or a shared
/// file differ.
///
/// # Errors
/// The source cannot be read.
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
    // The earlier tenants show which organizations a removed tenant had.
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
    // None if the file exists but cannot be parsed.
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

/// Returns the files under `bases/` whose content differs from an earlier revision. Comments and other
/// notations of the same value do not count.
///
/// # Errors
/// The source cannot be read.
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

/// Parses a file, without its comments; returns none if it is not valid.
fn documents(input: &Input) -> Option<Vec<Value>> {
    let composed = compose(std::str::from_utf8(&input.bytes).ok()?, 0);
    let is_read = composed.problems.iter().all(|problem| problem.warning);
    is_read.then(|| composed.documents.iter().map(Node::to_json).collect())
}
