//! Which names of a tree mean what: the same for git and for folders.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::snapshot::{FileEntry, FileMode, Snapshot};
use crate::model::{Revision, TenantName};

use super::SourceError;

/// Most files under one tenant's folder.
const TENANT_FILES_MAX: usize = 200;
/// Most tenants.
const TENANTS_MAX: usize = 100_000;
/// Most files under `bases/`.
const BASES_MAX: usize = 1_000;
/// Deepest folder below `tenants/<name>/` or `bases/`.
pub const DEPTH_MAX: usize = 8;
/// Longest path.
const PATH_BYTES_MAX: usize = 1_024;

/// Collects a tree's entries into a [`Snapshot`].
#[derive(Debug, Default)]
pub struct Listing {
    project: Option<FileEntry>,
    bases: Vec<FileEntry>,
    tenants: BTreeMap<TenantName, Vec<FileEntry>>,
    ignored: Vec<Arc<str>>,
    irregular: Vec<(Arc<str>, String)>,
}

impl Listing {
    /// Notes something that breaks a rule of the repository itself.
    pub fn irregular(&mut self, path: &str, message: impl Into<String>) {
        self.irregular.push((Arc::from(path), message.into()));
    }

    /// Takes `genesync.yaml`.
    pub fn project(&mut self, entry: FileEntry) {
        if entry.mode == FileMode::Regular {
            self.project = Some(entry);
        } else {
            let message = format!("`genesync.yaml` is {}", entry.mode.name());
            self.irregular(&entry.path, message);
        }
    }

    /// Opens a folder under `tenants/`; none (with a finding) where its name can't be a tenant's.
    pub fn tenant(&mut self, name: &str) -> Result<Option<TenantName>, SourceError> {
        let path = format!("tenants/{name}");
        if name.starts_with('.') {
            self.ignored.push(Arc::from(path));
            return Ok(None);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=63).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if !fits {
            self.irregular(
                &path,
                "this folder's name can't be a tenant's: use lower-case letters, digits and dashes",
            );
            return Ok(None);
        }
        if self.tenants.len() >= TENANTS_MAX {
            return Err(SourceError::Limit { what: format!("over {TENANTS_MAX} tenants") });
        }
        let tenant = TenantName::new(name);
        self.tenants.entry(tenant.clone()).or_default();
        Ok(Some(tenant))
    }

    /// Takes a file below `bases/`.
    pub fn base(&mut self, entry: FileEntry) -> Result<(), SourceError> {
        if self.bases.len() >= BASES_MAX {
            return Err(SourceError::Limit { what: format!("over {BASES_MAX} files under bases/") });
        }
        if let Some(entry) = self.sift(entry) {
            if entry.mode == FileMode::Regular {
                self.bases.push(entry);
            } else {
                let message = format!("this is {}; only regular files are read", entry.mode.name());
                self.irregular(&entry.path, message);
            }
        }
        Ok(())
    }

    /// Takes a file below a tenant's folder. Entries that are not regular files are kept: the tenant is
    /// refused for them, and only that tenant.
    pub fn file(&mut self, tenant: &TenantName, entry: FileEntry) {
        let Some(entry) = self.sift(entry) else { return };
        let files = self.tenants.entry(tenant.clone()).or_default();
        // One more than the limit is kept, so that the reader sees that there are too many.
        if files.len() <= TENANT_FILES_MAX {
            files.push(entry);
        }
    }

    /// Takes a file that lies where none belongs.
    pub fn stray(&mut self, path: &str) {
        if is_yaml(path) {
            self.irregular(path, "this file stands outside of any tenant's folder");
        } else {
            self.ignored.push(Arc::from(path));
        }
    }

    /// None for what is neither read nor refused: notes, backups, dot files.
    fn sift(&mut self, entry: FileEntry) -> Option<FileEntry> {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let plain_file = matches!(entry.mode, FileMode::Regular | FileMode::Executable);
        if plain_file && (name.starts_with('.') || !is_yaml(name)) {
            self.ignored.push(entry.path);
            return None;
        }
        if odd_name(&entry.path) || entry.path.len() > PATH_BYTES_MAX {
            return Some(FileEntry { mode: FileMode::Other, ..entry });
        }
        Some(entry)
    }

    /// The snapshot, with everything in path order.
    ///
    /// # Errors
    /// There is no tenant in it.
    pub fn finish(mut self, revision: Revision, place: &str) -> Result<Snapshot, SourceError> {
        if self.tenants.is_empty() && self.irregular.is_empty() {
            return Err(SourceError::NoTenants { place: place.to_owned() });
        }
        let by_path = |a: &FileEntry, b: &FileEntry| a.path.cmp(&b.path);
        self.bases.sort_by(by_path);
        for files in self.tenants.values_mut() {
            files.sort_by(by_path);
        }
        self.ignored.sort();
        self.irregular.sort();
        Ok(Snapshot {
            revision,
            project: self.project,
            bases: self.bases,
            tenants: self.tenants,
            ignored: self.ignored,
            irregular: self.irregular,
        })
    }
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Names that mean something else to some file system or tool.
fn odd_name(path: &str) -> bool {
    path.split('/').any(|part| {
        part.is_empty()
            || part == "."
            || part == ".."
            || part.ends_with(['.', ' '])
            || part.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '\u{202e}'))
    })
}
