//! Compares the files of a work tree with git.
//!
//! In: a git directory or a folder. Out: the number of uncommitted files, and the paths of submodules.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{IndexEntryExtendedFlag, IndexEntryFlag, Repository, RepositoryOpenFlags, Status, StatusOptions};

use super::git;

/// The git mode of a submodule entry.
const GITLINK: u32 = 0o160000;

/// Returns the number of files in the work tree that differ from the newest commit; 0 if the repository has
/// no work tree. Returns none if git cannot read the index: for example, libgit2 does not support a sparse
/// index.
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
    // `clone --no-checkout` writes no index. The files never existed, so a missing file is not an edit.
    let checked_out = index.path().is_some_and(Path::exists);
    let differs = |path: &str, status: Status| {
        if !checked_out {
            return status.contains(Status::WT_NEW);
        }
        // A sparse checkout marks the entries that it leaves out, and `git status` ignores marked entries.
        let marked = index.get_path(Path::new(path), 0).is_some_and(|entry| {
            let skipped = IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended).is_skip_worktree();
            skipped || IndexEntryFlag::from_bits_truncate(entry.flags).is_valid()
        });
        !marked || status.intersects(Status::INDEX_NEW | Status::INDEX_MODIFIED | Status::INDEX_TYPECHANGE)
    };
    // genesync does not read a file whose name is not UTF-8, but counts it as an edit.
    Some(
        statuses
            .iter()
            .filter(|entry| entry.path().map_or(true, |path| differs(path, entry.status())))
            .count(),
    )
}

/// Returns the submodules below a folder, as paths relative to the folder. The set is empty if the folder is
/// not in a repository; then only the `.git` inside a submodule identifies it.
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
