//! Reads commits, trees and blobs from a git object database.
//!
//! In: a git directory, a prefix and a revision. Out: an [`Outline`], a [`Snapshot`] and file contents.

#![warn(clippy::wildcard_enum_match_arm, reason = "this module must handle each new file mode")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags, Tree, TreeEntry};
use jiff::Timestamp;

use super::listing::{DEPTH_MAX, Listing};
use super::{Choose, Source, SourceError, format};
use crate::model::snapshot::{FileEntry, FileMode, ObjectId, Outline, Snapshot};
use crate::model::{Revision, TenantName};

/// The maximum number of first-parent steps of a revision suffix.
const STEPS_MAX: usize = 10_000;

fn failed(what: impl Into<String>) -> impl FnOnce(git2::Error) -> SourceError {
    let what = what.into();
    move |source| format::explained(what, source)
}

/// Like [`failed`], for an object that can be missing in a partial clone.
fn unread(repository: &Repository, what: impl Into<String>) -> impl FnOnce(git2::Error) -> SourceError {
    let what = what.into();
    move |source| format::absent(repository, what, source)
}

/// Opens the repository that contains a path. The path relative to the work tree becomes the prefix.
pub fn open(path: &Path) -> Result<Source, SourceError> {
    let ceiling: [&Path; 0] = [];
    let repository = Repository::open_ext(path, RepositoryOpenFlags::empty(), ceiling).map_err(|error| {
        if error.code() == ErrorCode::NotFound {
            SourceError::NotARepository { path: path.to_owned() }
        } else {
            format::explained(format!("`{}`", path.display()), error)
        }
    })?;
    let prefix = repository.workdir().and_then(|root| {
        let (root, path) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
        path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
    });
    Ok(Source::Repository { git_dir: repository.path().to_owned(), prefix: prefix.unwrap_or_default() })
}

/// Opens a repository handle for one thread.
pub fn reader(git_dir: &Path) -> Result<Repository, SourceError> {
    let ceiling: [&Path; 0] = [];
    let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
    Repository::open_ext(git_dir, flags, ceiling).map_err(failed(format!("`{}`", git_dir.display())))
}

/// Returns the commit that a revision names.
pub fn head(git_dir: &Path, revision: &str) -> Result<Revision, SourceError> {
    Ok(Revision::new(resolve(&reader(git_dir)?, revision)?.to_string()))
}

/// Returns the time of a commit, according to the clock of the committer's machine.
pub fn committed_at(git_dir: &Path, revision: &Revision) -> Option<Timestamp> {
    let repository = reader(git_dir).ok()?;
    let commit = repository.find_commit(Oid::from_str(revision.as_str()).ok()?).ok()?;
    Timestamp::from_second(commit.time().seconds()).ok()
}

/// Returns the commit of a revision and the tree at the prefix.
fn root<'r>(
    repository: &'r Repository,
    prefix: &str,
    revision: &str,
) -> Result<(Oid, Tree<'r>), SourceError> {
    let commit = resolve(repository, revision)?;
    let place = format!("commit {commit}");
    let root = repository
        .find_commit(commit)
        .and_then(|commit| commit.tree())
        .map_err(unread(repository, format!("the tree of {place}")))?;
    let root = match prefix {
        "" => root,
        prefix => match folder(repository, &root, prefix) {
            Some(tree) => tree,
            None => return Err(SourceError::NoTenants { place: format!("`{prefix}` at {place}") }),
        },
    };
    Ok((commit, root))
}

/// Lists the files at a revision. `choose` gets the object ids of all tenants and returns the tenants to
/// list. It reads the tree of `tenants/` only once, because that tree has an entry for each tenant of the
/// fleet.
pub fn survey(
    git_dir: &Path,
    prefix: &str,
    revision: &str,
    choose: &Choose<'_>,
) -> Result<(Outline, Snapshot), SourceError> {
    let repository = reader(git_dir)?;
    let (commit, root) = root(&repository, prefix, revision)?;
    let place = format!("commit {commit}");
    refuse_malformed(&root, &place)?;
    let revision = Revision::new(commit.to_string());
    let mut outline = Outline { revision: revision.clone(), shared: String::new(), tenants: Vec::new() };
    let mut listing = Listing::default();
    let mut fleet = None;
    for entry in &root {
        let (name, mode) = (entry.name_bytes(), mode(entry.filemode()));
        match (name, entry.kind()) {
            (b"genesync.yml", _) => listing.misnamed_project("genesync.yml"),
            (b"genesync.yaml", _) => listing.project(file("genesync.yaml".into(), entry.id(), mode)),
            (b"bases", Some(ObjectType::Tree)) => {
                let tree = subtree(&repository, entry.id(), "bases")?;
                let mut add = |listing: &mut Listing, entry| listing.base(entry);
                walk(&repository, &tree, "bases", DEPTH_MAX, &mut add, &mut listing)?;
            }
            (b"tenants", Some(ObjectType::Tree)) => {
                let tree = subtree(&repository, entry.id(), "tenants")?;
                outline.tenants = ids(&tree)?;
                fleet = Some(tree);
                continue;
            }
            (b"bases" | b"tenants", _) => {
                listing.not_a_folder(&String::from_utf8_lossy(name), mode);
            }
            _ => continue,
        }
        outline.shared.push_str(&format!("{}:{:o} ", entry.id(), entry.filemode()));
    }
    let only = choose(&outline);
    if let Some(tree) = fleet {
        tenants(&repository, &tree, only.as_ref(), &mut listing)?;
    }
    Ok((outline, listing.finish(revision, &place, only.is_none())?))
}

/// Returns the name and the object id of each entry, sorted by name. Refuses a tree that git cannot write.
fn ids(tree: &Tree<'_>) -> Result<Vec<(Box<str>, ObjectId)>, SourceError> {
    let mut ids = Vec::with_capacity(tree.len());
    let mut order = Order::default();
    for entry in tree {
        if !order.takes(&entry) {
            return Err(malformed(&entry, "`tenants`"));
        }
        let mut id = ObjectId::default();
        id.copy_from_slice(entry.id().as_bytes());
        ids.push((String::from_utf8_lossy(entry.name_bytes()).into(), id));
    }
    // git sorts folders as if their names ended with a slash.
    ids.sort_unstable();
    Ok(ids)
}

fn tenants(
    repository: &Repository,
    tree: &Tree<'_>,
    only: Option<&BTreeSet<TenantName>>,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    match only {
        // Looks up each name instead of scanning the tree, which can have ten thousand entries.
        Some(only) => {
            let entries = only.iter().filter_map(|name| tree.get_name(name.as_str()));
            entries.into_iter().try_for_each(|entry| tenant(repository, &entry, listing))
        }
        None => tree.iter().try_for_each(|entry| tenant(repository, &entry, listing)),
    }
}

fn tenant(repository: &Repository, entry: &TreeEntry<'_>, listing: &mut Listing) -> Result<(), SourceError> {
    let Ok(name) = std::str::from_utf8(entry.name_bytes()) else {
        listing.irregular("tenants/", "a name under tenants/ is not UTF-8");
        return Ok(());
    };
    let path = format!("tenants/{name}");
    if entry.kind() != Some(ObjectType::Tree) {
        match mode(entry.filemode()) {
            FileMode::Regular | FileMode::Executable => listing.stray(&path),
            other @ (FileMode::Symlink | FileMode::Submodule | FileMode::Other) => {
                listing.not_a_folder(&path, other);
            }
        }
        return Ok(());
    }
    let Some(tenant) = listing.tenant(name)? else { return Ok(()) };
    let Some(tree) = own_subtree(repository, entry.id(), &path, listing)? else { return Ok(()) };
    let mut add = |listing: &mut Listing, entry: FileEntry| {
        listing.file(&tenant, entry);
        Ok(())
    };
    walk(repository, &tree, &path, DEPTH_MAX, &mut add, listing)
}

type Add<'a> = dyn FnMut(&mut Listing, FileEntry) -> Result<(), SourceError> + 'a;

fn walk(
    repository: &Repository,
    tree: &Tree<'_>,
    path: &str,
    depth: usize,
    add: &mut Add<'_>,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    if let Some(entry) = misplaced(tree) {
        let name = shown_name(&entry);
        listing.irregular(
            path,
            format!("git cannot write such a folder: `{name}` is a duplicate, out of order, or a path"),
        );
        return Ok(());
    }
    for entry in tree {
        // The lossy conversion puts U+FFFD into a name that is not UTF-8, and `Listing` refuses that
        // character.
        let name = String::from_utf8_lossy(entry.name_bytes());
        let path = format!("{path}/{name}");
        if entry.kind() != Some(ObjectType::Tree) {
            add(listing, file(path, entry.id(), mode(entry.filemode())))?;
        } else if depth == 0 {
            listing.too_deep(&path);
        } else {
            let Some(tree) = own_subtree(repository, entry.id(), &path, listing)? else { continue };
            walk(repository, &tree, &path, depth - 1, add, listing)?;
        }
    }
    Ok(())
}

fn folder<'r>(repository: &'r Repository, root: &Tree<'_>, prefix: &str) -> Option<Tree<'r>> {
    let entry = root.get_path(Path::new(prefix)).ok()?;
    repository.find_tree(entry.id()).ok()
}

/// Refuses a shared tree that git cannot write.
fn refuse_malformed(tree: &Tree<'_>, place: &str) -> Result<(), SourceError> {
    match misplaced(tree) {
        Some(entry) => Err(malformed(&entry, place)),
        None => Ok(()),
    }
}

fn malformed(entry: &TreeEntry<'_>, place: &str) -> SourceError {
    SourceError::Malformed { place: place.to_owned(), name: shown_name(entry) }
}

fn shown_name(entry: &TreeEntry<'_>) -> String {
    String::from_utf8_lossy(entry.name_bytes()).chars().take(80).collect()
}

/// Returns the first entry of a tree whose name is a duplicate, out of git's order, or a path. Only a tree
/// that git did not write has such names, and programs differ in which of two duplicates they read.
fn misplaced<'t>(tree: &'t Tree<'_>) -> Option<TreeEntry<'t>> {
    let mut order = Order::default();
    tree.iter().find(|entry| !order.takes(entry))
}

/// Checks that entries are in the order in which git writes them.
#[derive(Default)]
struct Order {
    key: Vec<u8>,
    last: Vec<u8>,
    /// The names of files so far. A duplicate has a different key only if it is first a file and then a
    /// folder.
    files: BTreeSet<Vec<u8>>,
}

impl Order {
    /// Returns whether an entry can follow the entries before it.
    fn takes(&mut self, entry: &TreeEntry<'_>) -> bool {
        let name = entry.name_bytes();
        std::mem::swap(&mut self.key, &mut self.last);
        self.key.clear();
        self.key.extend_from_slice(name);
        // git sorts a folder as if its name ended with a slash.
        let twice = if entry.kind() == Some(ObjectType::Tree) {
            self.key.push(b'/');
            !self.files.is_empty() && self.files.contains(name)
        } else {
            !self.files.insert(name.to_vec())
        };
        !twice && !name.contains(&b'/') && self.key > self.last
    }
}

/// Returns a tree inside another tree. A missing tree is an error and not an empty folder: a partial clone
/// can lack it.
fn subtree<'r>(repository: &'r Repository, id: Oid, path: &str) -> Result<Tree<'r>, SourceError> {
    repository.find_tree(id).map_err(unread(repository, format!("the tree `{path}`")))
}

/// Returns a tree below a tenant's folder or `bases/`. If git cannot parse it, only that folder has a
/// finding.
fn own_subtree<'r>(
    repository: &'r Repository,
    id: Oid,
    path: &str,
    listing: &mut Listing,
) -> Result<Option<Tree<'r>>, SourceError> {
    match repository.find_tree(id) {
        Err(error) if error.code() != ErrorCode::NotFound => {
            listing.irregular(path, format!("git cannot read this folder: {}", error.message()));
            Ok(None)
        }
        found => found.map(Some).map_err(unread(repository, format!("the tree `{path}`"))),
    }
}

fn file(path: String, id: Oid, mode: FileMode) -> FileEntry {
    FileEntry { path: Arc::from(path), blob: Arc::from(id.to_string()), mode }
}

fn mode(mode: i32) -> FileMode {
    match mode {
        0o100644 | 0o100664 => FileMode::Regular,
        0o100755 => FileMode::Executable,
        0o120000 => FileMode::Symlink,
        0o160000 => FileMode::Submodule,
        _ => FileMode::Other,
    }
}

/// Returns the bytes of a blob, or `bytes_max + 1` spaces if it is larger than `bytes_max`.
pub fn read(repository: &Repository, entry: &FileEntry, bytes_max: usize) -> Result<Arc<[u8]>, SourceError> {
    let what = || format!("`{}`", entry.path);
    let id = Oid::from_str(&entry.blob).map_err(failed(what()))?;
    let odb = repository.odb().map_err(failed(what()))?;
    // Reads the header first, so that genesync refuses a blob of gigabytes without unpacking it.
    let (size, _) = odb.read_header(id).map_err(unread(repository, what()))?;
    if size > bytes_max {
        return Ok(vec![b' '; bytes_max + 1].into());
    }
    let object = odb.read(id).map_err(failed(what()))?;
    Ok(Arc::from(object.data()))
}

/// Returns the first parent of a commit; none if the commit has no parents.
pub fn parent(git_dir: &Path, revision: &str) -> Result<Option<Revision>, SourceError> {
    let repository = reader(git_dir)?;
    let id = resolve(&repository, revision)?;
    let commit = repository.find_commit(id).map_err(failed(format!("commit {id}")))?;
    if commit.parent_count() == 0 && !repository.is_shallow() {
        return Ok(None);
    }
    let missing = |_| SourceError::Revision {
        revision: format!("{revision}~1"),
        reason: "it is not in this clone: fetch at least two commits (`fetch-depth: 2`)".into(),
    };
    commit.parent_id(0).and_then(|id| repository.find_commit(id)).map_err(missing)?;
    Ok(Some(Revision::new(commit.parent_id(0).map_err(missing)?.to_string())))
}

/// Returns whether `older` is `newer` or in its history.
pub fn holds(git_dir: &Path, newer: &Revision, older: &Revision) -> Result<bool, SourceError> {
    let repository = reader(git_dir)?;
    let (Ok(newer_id), Ok(older_id)) = (Oid::from_str(newer.as_str()), Oid::from_str(older.as_str())) else {
        return Ok(false);
    };
    if newer_id == older_id {
        return Ok(true);
    }
    // A missing commit has no history and is in no history.
    if repository.find_commit(older_id).is_err() || repository.find_commit(newer_id).is_err() {
        return Ok(false);
    }
    repository
        .graph_descendant_of(newer_id, older_id)
        .map_err(failed(format!("the history from {older} to {newer}")))
}

/// Finds a commit by hash, branch, tag or `HEAD`, with optional suffixes `~N` and `^`. It does not use git's
/// own revision syntax, because that can search the history by a regular expression from an untrusted branch
/// name.
fn resolve(repository: &Repository, revision: &str) -> Result<Oid, SourceError> {
    let unknown = |reason: &str| SourceError::Revision {
        revision: revision.chars().take(80).collect(),
        reason: reason.into(),
    };
    let (name, steps) = split_steps(revision)
        .ok_or_else(|| unknown("the suffix is not `~N` or `^`, or has too many steps"))?;
    if !is_name(name) {
        return Err(unknown("use a commit hash, a branch, a tag or HEAD"));
    }
    let mut commit =
        find(repository, name).ok_or_else(|| unknown("no branch, tag or commit has this name"))?;
    for _ in 0..steps {
        commit = commit.parent(0).map_err(|_| unknown("its history has fewer commits"))?;
    }
    Ok(commit.id())
}

fn find<'r>(repository: &'r Repository, name: &str) -> Option<git2::Commit<'r>> {
    if name.len() >= 7
        && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        && let Ok(commit) = repository.find_commit_by_prefix(name)
    {
        return Some(commit);
    }
    let names = match name {
        "HEAD" => vec!["HEAD".to_owned()],
        name => ["refs/heads/", "refs/tags/", "refs/remotes/origin/", ""]
            .iter()
            .map(|prefix| format!("{prefix}{name}"))
            .collect(),
    };
    names.iter().find_map(|name| repository.find_reference(name).ok()?.peel_to_commit().ok())
}

/// Splits a revision into its name and its number of steps: `main~2` is `main` and 2; `^` is one step.
fn split_steps(revision: &str) -> Option<(&str, usize)> {
    let end = revision.find(['~', '^']).unwrap_or(revision.len());
    let (name, mut rest) = revision.split_at_checked(end)?;
    let mut steps = 0_usize;
    while let Some(mark) = rest.chars().next() {
        rest = rest.get(1..)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at_checked(digits)?;
        steps += match (mark, number) {
            ('~' | '^', "") => 1,
            ('~', number) => number.parse().ok()?,
            _ => return None,
        };
        if steps > STEPS_MAX {
            return None;
        }
        rest = tail;
    }
    Some((name, steps))
}

fn is_name(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !name.contains("..")
        && !name.contains("//")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-' | b'+'))
}
