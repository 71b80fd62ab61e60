//! Files as they lie in a folder, for `validate` and `plan` while editing.

#![expect(clippy::disallowed_methods, reason = "this module is where folders are read")]

use std::fs::{self, File, FileType};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::SourceError;
use super::listing::{DEPTH_MAX, Listing};
use crate::model::Revision;
use crate::model::snapshot::{FileEntry, FileMode, Snapshot};

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_owned();
    move |source| SourceError::Io { path, source }
}

/// Lists what lies in a folder. Links are listed and never followed.
pub fn snapshot(root: &Path) -> Result<Snapshot, SourceError> {
    let mut listing = Listing::default();
    for (name, kind) in entries(root)? {
        match name.as_str() {
            "genesync.yml" => listing.misnamed_project(&name),
            "genesync.yaml" => listing.project(file(name, kind)),
            "bases" | "tenants" if !kind.is_dir() => {
                let mode = mode(kind);
                listing.irregular(&name, format!("`{name}` is {} instead of a folder", mode.name()));
            }
            "bases" => {
                walk(root, "bases", DEPTH_MAX, &mut |listing, entry| listing.base(entry), &mut listing)?
            }
            "tenants" => tenants(root, &mut listing)?,
            _ => {}
        }
    }
    listing.finish(Revision::new("folder"), &format!("`{}`", root.display()), true)
}

fn tenants(root: &Path, listing: &mut Listing) -> Result<(), SourceError> {
    for (name, kind) in entries(&root.join("tenants"))? {
        let path = format!("tenants/{name}");
        if kind.is_dir() {
            let Some(tenant) = listing.tenant(&name)? else { continue };
            let mut add = |listing: &mut Listing, entry: FileEntry| {
                listing.file(&tenant, entry);
                Ok(())
            };
            walk(root, &path, DEPTH_MAX, &mut add, listing)?;
        } else if kind.is_file() {
            listing.stray(&path);
        } else {
            listing.irregular(&path, format!("`{path}` is {} instead of a folder", mode(kind).name()));
        }
    }
    Ok(())
}

type Add<'a> = dyn FnMut(&mut Listing, FileEntry) -> Result<(), SourceError> + 'a;

fn walk(
    root: &Path,
    path: &str,
    depth: usize,
    add: &mut Add<'_>,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    for (name, kind) in entries(&root.join(path))? {
        let path = format!("{path}/{name}");
        if !kind.is_dir() {
            add(listing, file(path, kind))?;
        } else if depth == 0 {
            listing.too_deep(&path);
        } else {
            walk(root, &path, depth - 1, add, listing)?;
        }
    }
    Ok(())
}

fn entries(path: &Path) -> Result<Vec<(String, FileType)>, SourceError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed(path))? {
        let entry = entry.map_err(failed(path))?;
        let kind = entry.file_type().map_err(failed(path))?;
        found.push((entry.file_name().to_string_lossy().into_owned(), kind));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn file(path: String, kind: FileType) -> FileEntry {
    FileEntry { path: Arc::from(path), blob: Arc::from(""), mode: mode(kind) }
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

/// A file's bytes, cut after `bytes_max + 1`.
pub fn read(root: &Path, entry: &FileEntry, bytes_max: usize) -> Result<Arc<[u8]>, SourceError> {
    let path = root.join(&*entry.path);
    let file = File::open(&path).map_err(failed(&path))?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed(&path))?;
    Ok(bytes.into())
}
