//! What a repository or folder holds at one revision: names, sizes and blob ids, not yet contents.
//!
//! Contents are read file by file when a tenant is looked at, so memory grows with the largest
//! tenant, not with the fleet.

use std::cmp::Ordering;
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

/// A git object's id, as its bytes.
pub type ObjectId = [u8; 20];

/// What stands at one revision, by object id alone: equal ids mean equal contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The commit.
    pub revision: Revision,
    /// Ids of what all tenants share: the project and the layers.
    pub shared: String,
    /// The id of each entry under `tenants/`, with its name, in the order of names.
    pub tenants: Vec<(Box<str>, ObjectId)>,
}

impl Outline {
    /// The names under `tenants/` that are new or hold something else than before, and those that are gone.
    pub fn since<'a>(&'a self, before: &'a Outline) -> (Vec<&'a str>, Vec<&'a str>) {
        let (mut touched, mut gone) = (Vec::new(), Vec::new());
        let (mut now, mut then) = (self.tenants.iter().peekable(), before.tenants.iter().peekable());
        loop {
            let order = match (now.peek(), then.peek()) {
                (None, None) => return (touched, gone),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((name, _)), Some((old, _))) => name.cmp(old),
            };
            let new = now.next_if(|_| order.is_le());
            let old = then.next_if(|_| order.is_ge());
            match (new, old) {
                (Some((_, id)), Some((_, old))) if id == old => {}
                (Some((name, _)), _) => touched.push(&**name),
                (None, Some((name, _))) => gone.push(&**name),
                (None, None) => {}
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(tenants: &[(&str, u8)]) -> Outline {
        let tenants = tenants.iter().map(|(name, id)| ((*name).into(), [*id; 20])).collect();
        Outline { revision: Revision::new("r"), shared: String::new(), tenants }
    }

    #[test]
    fn two_outlines_differ_by_what_is_new_other_or_gone() {
        type Names<'a> = (&'a [(&'a str, u8)], &'a [(&'a str, u8)], &'a [&'a str], &'a [&'a str]);
        let rows: [Names<'_>; 6] = [
            (&[], &[], &[], &[]),
            (&[], &[("a", 1), ("b", 1)], &["a", "b"], &[]),
            (&[("a", 1), ("b", 1)], &[], &[], &["a", "b"]),
            (&[("a", 1), ("b", 1), ("c", 1)], &[("a", 1), ("b", 2), ("c", 1)], &["b"], &[]),
            (&[("a", 1), ("c", 1)], &[("b", 1), ("c", 1), ("d", 1)], &["b", "d"], &["a"]),
            (&[("b", 1), ("d", 1)], &[("a", 1), ("b", 2), ("c", 1)], &["a", "b", "c"], &["d"]),
        ];
        for (before, now, touched, gone) in rows {
            let (before, now) = (outline(before), outline(now));
            assert_eq!(now.since(&before), (touched.to_vec(), gone.to_vec()), "{before:?} {now:?}");
        }
    }
}
