//! Manifests while somebody writes them: a folder's files, with texts in front of them that are not saved yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use crate::manifest::files::Files;
use crate::manifest::yaml::FILE_BYTES_MAX;
use crate::manifest::{self, Input, ProjectManifest, TenantManifest};
use crate::model::snapshot::{FileEntry, FileMode};
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
    let project = match &snapshot.project {
        Some(entry) => manifest::read_project(&read(entry)?),
        None => ProjectManifest::default(),
    };
    let shared = snapshot.bases.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let bases = manifest::read_bases(&shared);
    let mut findings = project.findings.clone();
    findings.extend(validate::waiver::check(&project, today));
    findings.extend(bases.findings.iter().cloned());
    let layers = bases.layers.values().map(|layer| (&**layer, "/spec"));
    findings.extend(validate::check_shared(layers, &Files::with_shared(Arc::clone(&bases.files))));
    let mut tenants = Vec::new();
    for (name, entries) in
        snapshot.tenants.iter().filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
    {
        let regular =
            entries.iter().filter(|entry| matches!(entry.mode, FileMode::Regular | FileMode::Executable));
        let inputs = regular.map(read).collect::<Result<Vec<_>, _>>()?;
        let tenant = manifest::read_tenant(name, &inputs, &bases);
        findings.extend(validate::check(&tenant, &project.spec.rules, today));
        tenants.push(tenant);
    }
    Ok(Desk { tenants, findings })
}

fn input(reader: &Reader, entry: &FileEntry, unsaved: &Unsaved) -> Result<Input, SourceError> {
    let bytes = match unsaved.get(&*entry.path) {
        Some(text) => Arc::clone(text),
        None => reader.read(entry, FILE_BYTES_MAX)?,
    };
    Ok(Input { path: Arc::clone(&entry.path), bytes })
}
