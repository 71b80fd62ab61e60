//! Classifies the names of a tree, for git and for plain folders alike.
//!
//! In: the entries of a tree. Out: a [`Snapshot`] with project, bases, tenants, ignored and irregular
//! entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::snapshot::{FileEntry, FileMode, Snapshot};
use crate::model::text::folded;
use crate::model::{Revision, TenantName};

use super::SourceError;

/// The maximum number of files under one tenant's folder.
const TENANT_FILES_MAX: usize = 2_000;
/// The maximum number of tenants.
const TENANTS_MAX: usize = 100_000;
/// The maximum number of files under `bases/`.
const BASES_MAX: usize = 1_000;
/// The maximum depth of folders below `tenants/<name>/` or `bases/`.
pub const DEPTH_MAX: usize = 8;
/// The maximum length of a path, in bytes.
const PATH_BYTES_MAX: usize = 1_024;
/// The maximum number of ignored entries that a snapshot lists.
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
    /// Records an entry that breaks a rule of the repository layout.
    pub fn irregular(&mut self, path: &str, message: impl Into<String>) {
        // Cuts a path that is over the limit.
        let end = (0..=PATH_BYTES_MAX.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
        let shown = path.get(..end.unwrap_or_default()).unwrap_or_default();
        self.irregular.push((Arc::from(shown), message.into()));
    }

    /// Refuses an entry that must be a folder and is not.
    pub fn not_a_folder(&mut self, path: &str, mode: FileMode) {
        self.irregular(path, format!("`{path}` is {} instead of a folder", mode.name()));
    }

    /// Records an entry that genesync neither reads nor refuses.
    fn ignore(&mut self, path: Arc<str>) {
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.push(path);
        }
    }

    /// Adds `genesync.yaml`.
    pub fn project(&mut self, entry: FileEntry) {
        if entry.mode == FileMode::Regular {
            self.project = Some(entry);
        } else {
            let message = format!("`genesync.yaml` is {}", entry.mode.name());
            self.irregular(&entry.path, message);
        }
    }

    /// Refuses a project file with a wrong name, because genesync would silently ignore its guards.
    pub fn misnamed_project(&mut self, name: &str) {
        self.irregular(
            name,
            "genesync reads the project's settings only from `genesync.yaml`: rename this file",
        );
    }

    /// Adds a tenant for a folder under `tenants/`. If the folder's name cannot be a tenant's name, it
    /// records a finding and returns none; for a hidden folder it returns none.
    ///
    /// # Errors
    /// There are too many tenants.
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
                "this folder's name cannot be a tenant's name: use lower-case letters, digits and dashes",
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

    /// Adds a file below `bases/`.
    pub fn base(&mut self, entry: FileEntry) -> Result<(), SourceError> {
        if self.bases.len() >= BASES_MAX {
            return Err(SourceError::Limit { what: format!("over {BASES_MAX} files under bases/") });
        }
        if let Some(entry) = self.sift(entry) {
            if entry.mode == FileMode::Regular {
                self.bases.push(entry);
            } else {
                let message = format!("this is {}, and genesync reads only regular files", entry.mode.name());
                self.irregular(&entry.path, message);
            }
        }
        Ok(())
    }

    /// Adds a file below a tenant's folder. It keeps entries that are not regular files, so that genesync
    /// later refuses that tenant and no other.
    pub fn file(&mut self, tenant: &TenantName, entry: FileEntry) {
        let Some(entry) = self.sift(entry) else { return };
        let files = self.tenants.entry(tenant.clone()).or_default();
        if files.len() < TENANT_FILES_MAX {
            files.push(entry);
            return;
        }
        let message = format!("this tenant has over {TENANT_FILES_MAX} files");
        let path = format!("tenants/{tenant}");
        if !self.irregular.iter().any(|(known, reported)| **known == *path && *reported == message) {
            self.irregular(&path, message);
        }
    }

    /// Adds a file that is directly under `tenants/`.
    pub fn stray(&mut self, path: &str) {
        if is_yaml(path) {
            self.irregular(path, "this file is outside of any tenant's folder");
        } else {
            self.ignore(Arc::from(path));
        }
    }

    /// Refuses a folder that is deeper than [`DEPTH_MAX`].
    pub fn too_deep(&mut self, path: &str) {
        self.irregular(path, format!("this folder is deeper than {DEPTH_MAX} levels"));
    }

    /// Returns the entry if genesync reads it. It refuses bad names and ignores hidden files and files that
    /// are not YAML.
    fn sift(&mut self, entry: FileEntry) -> Option<FileEntry> {
        if entry.path.len() > PATH_BYTES_MAX {
            self.irregular(&entry.path, format!("this path has over {PATH_BYTES_MAX} bytes"));
            return None;
        }
        if odd_name(&entry.path) {
            self.irregular(
                &entry.path,
                "this path has another meaning on some systems: use only letters, digits, dashes and dots",
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

    /// Returns the snapshot, sorted by path. `whole` is true if the caller listed all tenants.
    ///
    /// # Errors
    /// The listing is whole and has no tenant.
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
            self.irregular(&path, "another path differs from this one only in the case of its letters or in the encoding of its accents");
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

/// Returns the paths that equal an earlier path on a file system that ignores case or normalizes accents.
fn twins(files: &[FileEntry]) -> Vec<Arc<str>> {
    let mut seen = BTreeSet::new();
    files.iter().filter(|file| !seen.insert(folded(&file.path))).map(|file| Arc::clone(&file.path)).collect()
}

/// Returns whether some file system or tool gives a path another meaning: spellings of `.git`, names of
/// Windows devices, separators, and characters that hide text or change its direction. U+FFFD replaces bytes
/// that are not UTF-8.
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

/// Characters of zero width, and characters that change the direction of text.
const HIDDEN: &[char] = &[
    '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}',
    '\u{202d}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

/// Returns whether a name is a Windows device, such as `CON`, `nul.yaml` or `com1`.
fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered
            .is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
}
