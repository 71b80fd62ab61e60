//! The files of a repository or folder at one revision: names, sizes and blob ids, without contents.
//!
//! genesync reads contents file by file, tenant by tenant, so memory grows with the largest tenant and not
//! with the fleet.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Revision, TenantName};

/// The kind of a file in the repository. genesync reads only regular files.
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
    /// Returns the name for findings.
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

/// One file: its path from the repository's root, and the id of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path from the root, `/`-separated.
    pub path: Arc<str>,
    /// Blob id in git, or empty for a folder. Equal ids mean equal contents.
    pub blob: Arc<str>,
    /// The kind of the file.
    pub mode: FileMode,
}

/// A git object id, as bytes.
pub type ObjectId = [u8; 20];

/// The content of one revision as object ids only: equal ids mean equal contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The commit.
    pub revision: Revision,
    /// Ids of the files that all tenants share: the project and the layers.
    pub shared: String,
    /// The id of each entry under `tenants/`, with its name, ordered by name.
    pub tenants: Vec<(Box<str>, ObjectId)>,
}

impl Outline {
    /// Returns the names under `tenants/` that are new or changed, and those that are gone.
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
    /// `genesync.yaml`, if it exists.
    pub project: Option<FileEntry>,
    /// YAML files under `bases/`.
    pub bases: Vec<FileEntry>,
    /// Files of each folder under `tenants/`, in path order.
    pub tenants: BTreeMap<TenantName, Vec<FileEntry>>,
    /// Files that genesync skips without a finding (backup files, notes), for `-v`.
    pub ignored: Vec<Arc<str>>,
    /// Files that break a rule of the repository layout (an invalid name, a file in place of a folder),
    /// with the message.
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
    fn two_outlines_differ_by_new_changed_and_gone_entries() {
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
