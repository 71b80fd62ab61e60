//! Which names of a tree mean what: the same for git and for folders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::snapshot::{FileEntry, FileMode, Snapshot};
use crate::model::text::folded;
use crate::model::{Revision, TenantName};

use super::SourceError;

/// Most files under one tenant's folder.
const TENANT_FILES_MAX: usize = 2_000;
/// Most tenants.
const TENANTS_MAX: usize = 100_000;
/// Most files under `bases/`.
const BASES_MAX: usize = 1_000;
/// Deepest folder below `tenants/<name>/` or `bases/`.
pub const DEPTH_MAX: usize = 8;
/// Longest path.
const PATH_BYTES_MAX: usize = 1_024;
/// Most entries that are told of as passed over.
const IGNORED_MAX: usize = 10_000;

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
        // A path over the limit is not shown whole either.
        let end = (0..=PATH_BYTES_MAX.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
        let shown = path.get(..end.unwrap_or_default()).unwrap_or_default();
        self.irregular.push((Arc::from(shown), message.into()));
    }

    /// Refuses what stands where a folder belongs.
    pub fn not_a_folder(&mut self, path: &str, mode: FileMode) {
        self.irregular(path, format!("`{path}` is {} instead of a folder", mode.name()));
    }

    /// Notes what is neither read nor refused.
    fn ignore(&mut self, path: Arc<str>) {
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.push(path);
        }
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

    /// Refuses a project under a name that is not read: its guards would silently not hold.
    pub fn misnamed_project(&mut self, name: &str) {
        self.irregular(name, "the project's settings are read from `genesync.yaml`; rename this file");
    }

    /// Opens a folder under `tenants/`; none (with a finding) where its name can't be a tenant's.
    pub fn tenant(&mut self, name: &str) -> Result<Option<TenantName>, SourceError> {
        let path = format!("tenants/{name}");
        if name.starts_with('.') && !odd_name(name) {
            self.ignore(Arc::from(path));
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
        if files.len() < TENANT_FILES_MAX {
            files.push(entry);
            return;
        }
        let message = format!("this tenant has over {TENANT_FILES_MAX} files");
        let path = format!("tenants/{tenant}");
        if !self.irregular.iter().any(|(known, told)| **known == *path && *told == message) {
            self.irregular(&path, message);
        }
    }

    /// Takes a file that lies where none belongs.
    pub fn stray(&mut self, path: &str) {
        if is_yaml(path) {
            self.irregular(path, "this file stands outside of any tenant's folder");
        } else {
            self.ignore(Arc::from(path));
        }
    }

    /// Takes a folder that lies deeper than folders may.
    pub fn too_deep(&mut self, path: &str) {
        self.irregular(path, format!("this folder lies deeper than {DEPTH_MAX} levels"));
    }

    /// None for what is not read: what is refused for its name, and notes, backups, dot files.
    fn sift(&mut self, entry: FileEntry) -> Option<FileEntry> {
        if entry.path.len() > PATH_BYTES_MAX {
            self.irregular(&entry.path, format!("this path has over {PATH_BYTES_MAX} bytes"));
            return None;
        }
        if odd_name(&entry.path) {
            self.irregular(
                &entry.path,
                "this path means something else to some systems: use letters, digits, dashes and dots",
            );
            return None;
        }
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let plain_file = matches!(entry.mode, FileMode::Regular | FileMode::Executable);
        if plain_file && (name.starts_with('.') || !is_yaml(name)) {
            self.ignore(entry.path);
            return None;
        }
        Some(entry)
    }

    /// The snapshot, with everything in path order. `whole` says that no tenant was left out on purpose.
    ///
    /// # Errors
    /// There is no tenant in it.
    pub fn finish(mut self, revision: Revision, place: &str, whole: bool) -> Result<Snapshot, SourceError> {
        if whole && self.tenants.is_empty() && self.irregular.is_empty() {
            return Err(SourceError::NoTenants { place: place.to_owned() });
        }
        let by_path = |a: &FileEntry, b: &FileEntry| a.path.cmp(&b.path);
        self.bases.sort_by(by_path);
        for files in self.tenants.values_mut() {
            files.sort_by(by_path);
        }
        let twins: Vec<Arc<str>> =
            self.tenants.values().map(Vec::as_slice).chain([self.bases.as_slice()]).flat_map(twins).collect();
        for path in twins {
            self.irregular(&path, "another path differs from this one only in the case of its letters, or in how its accents are encoded");
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

/// Paths that a file system without case, or one that composes accents, takes for one that stands before them.
fn twins(files: &[FileEntry]) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    files.iter().filter(|file| !seen.insert(folded(&file.path))).map(|file| Arc::clone(&file.path)).collect()
}

/// Names that mean something else to some file system or tool: git's own folder in its spellings, names of
/// Windows devices, separators, and characters that hide or turn text. U+FFFD stands for bytes that are not
/// UTF-8.
fn odd_name(path: &str) -> bool {
    path.split('/').any(|part| {
        part.is_empty()
            || part == "."
            || part == ".."
            || part.ends_with(['.', ' '])
            || part
                .chars()
                .any(|c| c.is_control() || HIDDEN.contains(&c) || matches!(c, '\\' | ':' | '\u{fffd}'))
            || part.eq_ignore_ascii_case(".git")
            || part.to_ascii_lowercase().starts_with("git~")
            || is_device(part)
    })
}

/// Characters of no width, and those that turn the direction of text.
const HIDDEN: &[char] = &[
    '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}',
    '\u{202d}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

/// `CON`, `nul.yaml`, `com1`.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered
            .is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
}
