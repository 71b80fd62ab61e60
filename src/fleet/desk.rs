//! Manifests while somebody writes them: a folder's files, with texts in front of them that are not saved yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::load;
use super::shared::Shared;
use crate::manifest::{Input, TenantManifest};
use crate::model::snapshot::FileEntry;
use crate::model::{Finding, TenantName};
use crate::source::{Reader, Source, SourceError};
use crate::validate;

/// Texts that are not saved yet, by their path from the repository's root.
pub type Unsaved = BTreeMap<String, Arc<[u8]>>;

/// What there is to say of a folder, or of some of its tenants.
pub struct Desk {
    /// The tenants, as they were read.
    pub tenants: Vec<TenantManifest>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

/// Reads and checks a folder's tenants, or only some of them, and what all share.
///
/// # Errors
/// The folder can't be read.
pub fn look(
    source: &Source,
    only: Option<&BTreeSet<TenantName>>,
    unsaved: &Unsaved,
    today: Date,
) -> Result<Desk, SourceError> {
    let snapshot = source.snapshot_of("folder", only)?;
    let reader = source.reader()?;
    let read = |entry: &FileEntry| input(&reader, entry, unsaved);
    let shared = Shared::read(&snapshot, &read)?;
    let mut findings = shared.findings(today);
    let mut tenants = Vec::new();
    for (name, entries) in
        snapshot.tenants.iter().filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
    {
        let tenant = shared.manifest(name, entries, &read)?;
        findings.extend(validate::check(&tenant, &shared.project.spec.rules, today));
        tenants.push(tenant);
    }
    Ok(Desk { tenants, findings })
}

fn input(reader: &Reader, entry: &FileEntry, unsaved: &Unsaved) -> Result<Input, SourceError> {
    match unsaved.get(&*entry.path) {
        Some(text) => Ok(Input { path: Arc::clone(&entry.path), bytes: Arc::clone(text) }),
        None => load::input(reader, entry),
    }
}
