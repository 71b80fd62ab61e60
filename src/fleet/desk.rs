//! Manifests in an editor: the files of a folder, with unsaved texts in place of some of them.

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

/// Unsaved texts, by their path from the repository's root.
pub type Unsaved = BTreeMap<String, Arc<[u8]>>;

/// The tenants and findings of a folder, or of some of its tenants.
pub struct Desk {
    /// The tenants, as parsed.
    pub tenants: Vec<TenantManifest>,
    /// All findings.
    pub findings: Vec<Finding>,
}

/// Parses and checks a folder's tenants, or only some of them, and the files that all tenants share.
///
/// # Errors
/// The folder cannot be read.
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
