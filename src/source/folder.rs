//! Reads a plain folder for `validate` and `plan` while a user edits files.
//!
//! In: the path of a folder. Out: a [`Snapshot`] that gives the same findings as a commit of the same files.

#![expect(clippy::disallowed_methods, reason = "this module reads folders")]

use std::collections::BTreeSet;
use std::fs::{self, File, FileType};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::listing::{DEPTH_MAX, Listing};
use super::{SourceError, worktree};
use crate::model::Revision;
use crate::model::snapshot::{FileEntry, FileMode, Snapshot};

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_owned();
    move |source| SourceError::Io { path, source }
}

/// Lists the entries of a folder. It lists symbolic links and never follows them.
pub fn snapshot(root: &Path) -> Result<Snapshot, SourceError> {
    let tree = Folder { root, submodules: worktree::submodules(root) };
    let mut listing = Listing::default();
    for (name, mode) in tree.entries("")? {
        match (name.as_str(), mode) {
            ("genesync.yml", _) => listing.misnamed_project(&name),
            ("genesync.yaml", mode) => listing.project(file(name, mode.unwrap_or(FileMode::Other))),
            ("bases" | "tenants", Some(mode)) => listing.not_a_folder(&name, mode),
            ("bases", None) => {
                tree.walk("bases", DEPTH_MAX, &mut |listing, entry| listing.base(entry), &mut listing)?
            }
            ("tenants", None) => tree.tenants(&mut listing)?,
            _ => {}
        }
    }
    listing.finish(Revision::new("folder"), &format!("`{}`", root.display()), true)
}

type Add<'a> = dyn FnMut(&mut Listing, FileEntry) -> Result<(), SourceError> + 'a;

struct Folder<'r> {
    root: &'r Path,
    submodules: BTreeSet<String>,
}

impl Folder<'_> {
    fn tenants(&self, listing: &mut Listing) -> Result<(), SourceError> {
        for (name, mode) in self.entries("tenants")? {
            let path = format!("tenants/{name}");
            match mode {
                None => {
                    let Some(tenant) = listing.tenant(&name)? else { continue };
                    let mut add = |listing: &mut Listing, entry: FileEntry| {
                        listing.file(&tenant, entry);
                        Ok(())
                    };
                    self.walk(&path, DEPTH_MAX, &mut add, listing)?;
                }
                Some(FileMode::Regular) => listing.stray(&path),
                Some(mode) => listing.not_a_folder(&path, mode),
            }
        }
        Ok(())
    }

    fn walk(
        &self,
        path: &str,
        depth: usize,
        add: &mut Add<'_>,
        listing: &mut Listing,
    ) -> Result<(), SourceError> {
        for (name, mode) in self.entries(path)? {
            let path = format!("{path}/{name}");
            match mode {
                Some(mode) => add(listing, file(path, mode))?,
                None if depth == 0 => listing.too_deep(&path),
                None => self.walk(&path, depth - 1, add, listing)?,
            }
        }
        Ok(())
    }

    /// Returns the sorted names in a folder with their modes; a subfolder has no mode.
    fn entries(&self, path: &str) -> Result<Vec<(String, Option<FileMode>)>, SourceError> {
        let place = self.root.join(path);
        let mut found = Vec::new();
        for entry in fs::read_dir(&place).map_err(failed(&place))? {
            let entry = entry.map_err(failed(&place))?;
            let kind = entry.file_type().map_err(failed(&place))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let within = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            // git commits a folder that contains its own repository as a submodule.
            let submodule =
                || self.submodules.contains(&within) || entry.path().join(".git").symlink_metadata().is_ok();
            let mode = match kind.is_dir() {
                true if submodule() => Some(FileMode::Submodule),
                true => None,
                false => Some(mode(kind)),
            };
            found.push((name, mode));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}

fn file(path: String, mode: FileMode) -> FileEntry {
    FileEntry { path: Arc::from(path), blob: Arc::from(""), mode }
}

fn mode(kind: FileType) -> FileMode {
    if kind.is_file() {
        FileMode::Regular
    } else if kind.is_symlink() {
        FileMode::Symlink
    } else {
        FileMode::Other
    }
}

/// Returns the first `bytes_max + 1` bytes of a file.
pub fn read(root: &Path, entry: &FileEntry, bytes_max: usize) -> Result<Arc<[u8]>, SourceError> {
    let path = root.join(&*entry.path);
    let file = File::open(&path).map_err(failed(&path))?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed(&path))?;
    Ok(bytes.into())
}
