//! The files of a work tree beside what git knows of them: which are not committed, which are submodules.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{IndexEntryExtendedFlag, IndexEntryFlag, Repository, RepositoryOpenFlags, Status, StatusOptions};

use super::git;

/// git's mode of an entry that names a commit of another repository.
const GITLINK: u32 = 0o160000;

/// How many files of the work tree differ from the newest commit: 0 if there is no work tree. None if its index can't be
/// read, as one that is sparse itself: libgit2 knows no such extension.
pub fn uncommitted(git_dir: &Path, prefix: &str) -> Option<usize> {
    let repository = git::reader(git_dir).ok()?;
    if repository.is_bare() {
        return Some(0);
    }
    let mut options = StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).exclude_submodules(true);
    let below = |part: &str| if prefix.is_empty() { part.to_owned() } else { format!("{prefix}/{part}") };
    for part in ["tenants", "bases", "genesync.yaml", "genesync.yml"] {
        options.pathspec(below(part));
    }
    let statuses = repository.statuses(Some(&mut options)).ok()?;
    let index = repository.index().ok()?;
    // `clone --no-checkout` writes no index: the files were never there, so their absence is no edit.
    let checked_out = index.path().is_some_and(Path::exists);
    let differs = |path: &str, status: Status| {
        if !checked_out {
            return status.contains(Status::WT_NEW);
        }
        // Sparse checkouts mark what they leave out; git's own status passes over such entries.
        let marked = index.get_path(Path::new(path), 0).is_some_and(|entry| {
            let skipped = IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended).is_skip_worktree();
            skipped || IndexEntryFlag::from_bits_truncate(entry.flags).is_valid()
        });
        !marked || status.intersects(Status::INDEX_NEW | Status::INDEX_MODIFIED | Status::INDEX_TYPECHANGE)
    };
    // A name that is not UTF-8 is none that genesync reads, and an edit all the same.
    Some(
        statuses
            .iter()
            .filter(|entry| entry.path().map_or(true, |path| differs(path, entry.status())))
            .count(),
    )
}

/// The submodules below a folder, as paths relative to it. Empty if the folder lies in no repository: then a
/// submodule shows only by the `.git` inside it.
pub fn submodules(folder: &Path) -> BTreeSet<String> {
    let known = || {
        let ceiling: [&Path; 0] = [];
        let repository = Repository::open_ext(folder, RepositoryOpenFlags::empty(), ceiling).ok()?;
        let root = repository.workdir()?.canonicalize().ok()?;
        let folder = folder.canonicalize().ok()?;
        let prefix = folder.strip_prefix(root).ok()?.to_str()?.to_owned();
        let index = repository.index().ok()?;
        let links = index.iter().filter(|entry| entry.mode == GITLINK);
        let paths = links.filter_map(|entry| String::from_utf8(entry.path).ok());
        let relative = |path: String| match prefix.as_str() {
            "" => Some(path),
            prefix => path.strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned),
        };
        Some(paths.filter_map(relative).collect())
    };
    known().unwrap_or_default()
}
