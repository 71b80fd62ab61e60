//! Stage 1 of 7, a port: a repository's commit or a plain folder, as a [`Snapshot`] and readable files.
//!
//! In: a path or URL, a revision. Out: a [`Snapshot`] (names and blob ids), and file contents on request.
//! Never: checks anything out, runs a hook or filter, follows a link or submodule, or takes a URL, path or
//! option from the repository. Start reading at [`Source`], then `git.rs`.

mod folder;
mod format;
mod git;
mod listing;
mod remote;
mod watch;
mod worktree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::snapshot::{FileEntry, Outline, Snapshot};
use crate::model::{Revision, TenantName};

pub use format::Form;
pub use remote::{Fetching, REMOTE_HEAD, RemoteUrl};
pub use watch::{Watch, watch, watch_folder};

/// Why a source can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path holds no repository.
    #[error("`{path}` is not a git repository")]
    NotARepository {
        /// The path.
        path: PathBuf,
    },
    /// The text is no URL that genesync fetches from.
    #[error("`{url}` is not a URL that genesync fetches from: {reason}")]
    Url {
        /// The URL, without any password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The revision is not one that genesync looks up.
    #[error("`{revision}` is not a commit of this repository: {reason}")]
    Revision {
        /// As given.
        revision: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing under `tenants/`. Never taken for *delete everything*.
    #[error("found no tenants in {place}; genesync plans and writes nothing")]
    NoTenants {
        /// Where.
        place: String,
    },
    /// A tree that all tenants share is none that git would have written.
    #[error("the tree of {place} is malformed: `{name}` stands in it twice, out of order, or as a path")]
    Malformed {
        /// Which tree.
        place: String,
        /// The name that can't stand there.
        name: String,
    },
    /// The repository is larger than the limits.
    #[error("the repository is beyond a limit: {what}")]
    Limit {
        /// Which.
        what: String,
    },
    /// git reads the repository, and this build can't.
    #[error("{what} can't be read: {form}")]
    Form {
        /// What was read.
        what: String,
        /// The form that it has.
        form: Form,
    },
    /// git said no.
    #[error("reading {what} from git failed")]
    Git {
        /// What was read.
        what: String,
        /// What git said.
        #[source]
        source: git2::Error,
    },
    /// The file system said no.
    #[error("reading `{path}` failed")]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A place that manifests are read from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files as they lie in a folder.
    Folder(PathBuf),
    /// Commits of a git repository: its git directory and the folder inside its trees.
    Repository {
        /// The `.git` directory or the bare repository.
        git_dir: PathBuf,
        /// Path of the configuration repository's root inside the tree; empty for the tree's root.
        prefix: String,
    },
}

/// Chooses the tenants to list, by the object ids of all; none for every one of them.
pub type Choose<'a> = dyn Fn(&Outline) -> Option<BTreeSet<TenantName>> + 'a;

/// Reads file contents; one for each thread.
pub enum Reader {
    /// From a folder.
    Folder(PathBuf),
    /// From a repository's object database.
    Repository(Box<git2::Repository>),
}

impl Source {
    /// A plain folder.
    pub fn folder(path: &Path) -> Self {
        Source::Folder(path.to_owned())
    }

    /// The git repository that a path lies in.
    ///
    /// # Errors
    /// The path lies in no repository, or git can't open it.
    pub fn repository(path: &Path) -> Result<Self, SourceError> {
        git::open(path)
    }

    /// A remote repository, fetched into a bare cache of its own.
    ///
    /// # Errors
    /// The fetch failed; what was fetched before stays usable, but is not returned in its place.
    pub fn remote(url: &RemoteUrl, fetching: &Fetching) -> Result<Self, SourceError> {
        remote::fetch(url, fetching)
    }

    /// What stands at a revision; a folder has only itself.
    ///
    /// # Errors
    /// The revision is unknown, nothing stands under `tenants/`, or a limit is crossed.
    pub fn snapshot(&self, revision: &str) -> Result<Snapshot, SourceError> {
        self.snapshot_of(revision, None)
    }

    /// The same with some tenants only; a folder always lists all.
    ///
    /// # Errors
    /// As [`Source::snapshot`].
    pub fn snapshot_of(
        &self,
        revision: &str,
        only: Option<&BTreeSet<TenantName>>,
    ) -> Result<Snapshot, SourceError> {
        match self {
            Source::Folder(path) => folder::snapshot(path),
            Source::Repository { git_dir, prefix } => {
                Ok(git::survey(git_dir, prefix, revision, &|_| only.cloned())?.1)
            }
        }
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// There is none, or the source is a plain folder.
    pub fn head(&self, revision: &str) -> Result<Revision, SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, .. } => git::head(git_dir, revision),
        }
    }

    /// When a commit was made, as far as it says so.
    pub fn committed_at(&self, revision: &Revision) -> Option<Timestamp> {
        match self {
            Source::Folder(_) => None,
            Source::Repository { git_dir, .. } => git::committed_at(git_dir, revision),
        }
    }

    /// How many files lie there otherwise than they were committed last; none if that can't be found out.
    pub fn uncommitted(&self) -> Option<usize> {
        match self {
            Source::Folder(_) => Some(0),
            Source::Repository { git_dir, prefix } => worktree::uncommitted(git_dir, prefix),
        }
    }

    /// What stands at a revision by object id alone, and a listing of the tenants that are chosen by it.
    ///
    /// # Errors
    /// As [`Source::snapshot`], or the source is a plain folder: it has no ids.
    pub fn survey(&self, revision: &str, choose: &Choose<'_>) -> Result<(Outline, Snapshot), SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, prefix } => git::survey(git_dir, prefix, revision, choose),
        }
    }

    /// Whether `newer` holds `older` in its history, or is it.
    ///
    /// # Errors
    /// git can't walk the history. An unknown commit is not an error: it is in no history, and has none.
    pub fn holds(&self, newer: &Revision, older: &Revision) -> Result<bool, SourceError> {
        match self {
            Source::Folder(_) => Ok(true),
            Source::Repository { git_dir, .. } => git::holds(git_dir, newer, older),
        }
    }

    /// The first parent of a commit; none for the first commit of all.
    ///
    /// # Errors
    /// There is no such commit, its parent is not in this clone, or the source is a plain folder.
    pub fn parent(&self, revision: &str) -> Result<Option<Revision>, SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, .. } => git::parent(git_dir, revision),
        }
    }

    /// What to read contents with.
    ///
    /// # Errors
    /// git can't open the repository.
    pub fn reader(&self) -> Result<Reader, SourceError> {
        match self {
            Source::Folder(path) => Ok(Reader::Folder(path.clone())),
            Source::Repository { git_dir, .. } => {
                git::reader(git_dir).map(|repository| Reader::Repository(Box::new(repository)))
            }
        }
    }
}

impl Reader {
    /// A file's bytes, cut after `bytes_max + 1` so that a reader can tell that it is too large.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(&self, entry: &FileEntry, bytes_max: usize) -> Result<Arc<[u8]>, SourceError> {
        match self {
            Reader::Folder(root) => folder::read(root, entry, bytes_max),
            Reader::Repository(repository) => git::read(repository, entry, bytes_max),
        }
    }
}
