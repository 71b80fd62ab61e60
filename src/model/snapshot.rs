//! What a repository or folder holds at one revision: names, sizes and blob ids, not yet contents.
//!
//! Contents are read file by file when a tenant is looked at, so memory grows with the largest
//! tenant, not with the fleet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Revision, TenantName};

/// How a file stands in the repository. Only regular files are ever read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// A plain file.
    Regular,
    /// A plain file with the execute bit.
    Executable,
    /// A symbolic link: never followed.
    Symlink,
    /// A submodule: never fetched.
    Submodule,
    /// A device, a socket, or a mode that git does not define.
    Other,
}

impl FileMode {
    /// The name that a finding shows.
    pub fn name(self) -> &'static str {
        match self {
            FileMode::Regular => "a regular file",
            FileMode::Executable => "an executable file",
            FileMode::Symlink => "a symbolic link",
            FileMode::Submodule => "a submodule",
            FileMode::Other => "a special file",
        }
    }
}

/// One file: its path from the repository's root, and where its content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path from the root, `/`-separated.
    pub path: Arc<str>,
    /// Blob id in git, or empty for a folder. Equal ids mean equal contents.
    pub blob: Arc<str>,
    /// How the file stands in the tree.
    pub mode: FileMode,
}

/// What stands at one revision, by object id alone: equal ids mean equal contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The commit.
    pub revision: Revision,
    /// Ids of what all tenants share: the project and the layers.
    pub shared: String,
    /// The id of each entry under `tenants/`, by its name.
    pub tenants: BTreeMap<String, String>,
}

/// The configuration repository at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit, or `folder`.
    pub revision: Revision,
    /// `genesync.yaml`, where there is one.
    pub project: Option<FileEntry>,
    /// YAML files under `bases/`.
    pub bases: Vec<FileEntry>,
    /// Files of each folder under `tenants/`, in path order.
    pub tenants: BTreeMap<TenantName, Vec<FileEntry>>,
    /// Entries that are neither read nor refused (backup files, notes), for `-v`.
    pub ignored: Vec<Arc<str>>,
    /// Entries that break a rule of the repository itself (an odd name, a file where a folder belongs).
    pub irregular: Vec<(Arc<str>, String)>,
}
