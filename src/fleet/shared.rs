//! The files that all tenants of a repository share, read once: the project's document and the layers.

use std::sync::Arc;

use jiff::civil::Date;

use super::load;
use crate::manifest::files::Files;
use crate::manifest::{self, Bases, Input, ProjectManifest, TenantManifest};
use crate::model::snapshot::{FileEntry, FileMode, Snapshot};
use crate::model::{Finding, TenantName};
use crate::source::{Source, SourceError};
use crate::validate;

/// Most bytes of all layers together, because every thread holds them.
const BASES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a file from the source, or from an editor's unsaved texts.
pub(super) type Read<'a> = dyn Fn(&FileEntry) -> Result<Input, SourceError> + 'a;

/// The shared project and layers.
pub(super) struct Shared {
    pub(super) project: ProjectManifest,
    pub(super) bases: Bases,
}

impl Shared {
    /// Reads them from a source.
    pub(super) fn of(source: &Source, snapshot: &Snapshot) -> Result<Self, SourceError> {
        let reader = source.reader()?;
        Self::read(snapshot, &|entry| load::input(&reader, entry))
    }

    pub(super) fn read(snapshot: &Snapshot, read: &Read<'_>) -> Result<Self, SourceError> {
        let project = match &snapshot.project {
            Some(entry) => manifest::read_project(&read(entry)?),
            None => ProjectManifest::default(),
        };
        let mut inputs = Vec::with_capacity(snapshot.bases.len());
        let mut bytes = 0;
        for entry in &snapshot.bases {
            let input = read(entry)?;
            bytes += input.bytes.len();
            if bytes > BASES_BYTES_MAX {
                let what = format!("the files under bases/ together have more than {BASES_BYTES_MAX} bytes");
                return Err(SourceError::Limit { what });
            }
            inputs.push(input);
        }
        Ok(Self { project, bases: manifest::read_bases(&inputs) })
    }

    /// Returns the findings in the shared files, which do not depend on a tenant.
    pub(super) fn findings(&self, today: Date) -> Vec<Finding> {
        let mut findings = self.project.findings.clone();
        findings.extend(validate::waiver::check(&self.project, today));
        let project = self.project.document.iter().map(|document| (document, ""));
        findings.extend(validate::check_shared(project, &self.project.files));
        findings.extend(self.bases.findings.iter().cloned());
        let layers = self.bases.layers.values().map(|layer| (&**layer, "/spec"));
        let texts = Files::with_shared(Arc::clone(&self.bases.files));
        findings.extend(validate::check_shared(layers, &texts));
        findings
    }

    /// Parses a tenant with these layers, without checking it.
    pub(super) fn manifest(
        &self,
        name: &TenantName,
        entries: &[FileEntry],
        read: &Read<'_>,
    ) -> Result<TenantManifest, SourceError> {
        let regular =
            entries.iter().filter(|entry| matches!(entry.mode, FileMode::Regular | FileMode::Executable));
        let inputs = regular.map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(manifest::read_tenant(name, &inputs, &self.bases))
    }
}
