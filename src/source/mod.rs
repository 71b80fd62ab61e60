//! Stage 1 of 7, a port: reads a repository's commit or a plain folder as a [`Snapshot`] and files.
//!
//! In: a path or URL, a revision. Out: a [`Snapshot`] (names and blob ids), and file contents on request.
//! Never: checks anything out, runs a hook or filter, follows a link or submodule, or uses a URL, path or
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

/// The reason why genesync cannot read a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path has no repository.
    #[error("`{path}` is not a git repository")]
    NotARepository {
        /// The path.
        path: PathBuf,
    },
    /// The text is not a URL that genesync fetches from.
    #[error("`{url}` is not a URL that genesync fetches from: {reason}")]
    Url {
        /// The URL, without any password.
        url: String,
        /// The reason.
        reason: &'static str,
    },
    /// The revision is not a commit of the repository.
    #[error("`{revision}` is not a commit of this repository: {reason}")]
    Revision {
        /// The revision as the user wrote it.
        revision: String,
        /// The reason.
        reason: String,
    },
    /// No folder is under `tenants/`. An empty repository never deletes anything.
    #[error("found no tenants in {place}, so genesync plans and writes nothing")]
    NoTenants {
        /// The folder or the commit.
        place: String,
    },
    /// A tree that all tenants share is not one that git can write.
    #[error("the tree of {place} is malformed: the name `{name}` is a duplicate, out of order, or a path")]
    Malformed {
        /// The tree.
        place: String,
        /// The invalid name.
        name: String,
    },
    /// The repository exceeds a limit.
    #[error("the repository exceeds a limit: {what}")]
    Limit {
        /// The limit.
        what: String,
    },
    /// git supports the repository's format and libgit2 does not.
    #[error("{what} cannot be read: {form}")]
    Form {
        /// The object that genesync read.
        what: String,
        /// The repository's format.
        form: Form,
    },
    /// git returned an error.
    #[error("reading {what} from git failed")]
    Git {
        /// The object that genesync read.
        what: String,
        /// The error of libgit2.
        #[source]
        source: git2::Error,
    },
    /// The file system returned an error.
    #[error("reading `{path}` failed")]
    Io {
        /// The path that genesync read.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
}

/// A folder or a repository with manifests.
#[derive(Debug, Clone)]
pub enum Source {
    /// The current files of a folder.
    Folder(PathBuf),
    /// Commits of a git repository: its git directory and the folder inside its trees.
    Repository {
        /// The `.git` directory or the bare repository.
        git_dir: PathBuf,
        /// The path of the configuration's root inside the tree; empty for the tree's root.
        prefix: String,
    },
}

/// Returns the tenants to list, given the object ids of all tenants; none means all tenants.
pub type Choose<'a> = dyn Fn(&Outline) -> Option<BTreeSet<TenantName>> + 'a;

/// Reads file contents; each thread needs its own.
pub enum Reader {
    /// From a folder.
    Folder(PathBuf),
    /// From a repository's object database.
    Repository(Box<git2::Repository>),
}

impl Source {
    /// Returns a source for a plain folder.
    pub fn folder(path: &Path) -> Self {
        Source::Folder(path.to_owned())
    }

    /// Returns a source for the git repository that contains a path.
    ///
    /// # Errors
    /// The path is not in a repository, or git cannot open the repository.
    pub fn repository(path: &Path) -> Result<Self, SourceError> {
        git::open(path)
    }

    /// Fetches a remote repository into its own bare cache.
    ///
    /// # Errors
    /// The fetch failed. The cache keeps the result of an earlier fetch, but this function does not return
    /// it.
    pub fn remote(url: &RemoteUrl, fetching: &Fetching) -> Result<Self, SourceError> {
        remote::fetch(url, fetching)
    }

    /// Lists the files at a revision. A plain folder ignores the revision.
    ///
    /// # Errors
    /// The revision is unknown, no folder is under `tenants/`, or the repository exceeds a limit.
    pub fn snapshot(&self, revision: &str) -> Result<Snapshot, SourceError> {
        self.snapshot_of(revision, None)
    }

    /// Lists the files at a revision for some tenants only. A plain folder always lists all tenants.
    ///
    /// # Errors
    /// Like [`Source::snapshot`].
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

    /// Returns the commit that a revision names.
    ///
    /// # Errors
    /// No commit has this name, or the source is a plain folder.
    pub fn head(&self, revision: &str) -> Result<Revision, SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, .. } => git::head(git_dir, revision),
        }
    }

    /// Returns the time of a commit; none if it is unknown or the source is a plain folder.
    pub fn committed_at(&self, revision: &Revision) -> Option<Timestamp> {
        match self {
            Source::Folder(_) => None,
            Source::Repository { git_dir, .. } => git::committed_at(git_dir, revision),
        }
    }

    /// Returns the number of files that differ from the newest commit; none if genesync cannot determine it.
    pub fn uncommitted(&self) -> Option<usize> {
        match self {
            Source::Folder(_) => Some(0),
            Source::Repository { git_dir, prefix } => worktree::uncommitted(git_dir, prefix),
        }
    }

    /// Returns the object ids of all tenants at a revision, and lists the files of the chosen tenants.
    ///
    /// # Errors
    /// Like [`Source::snapshot`], or the source is a plain folder, which has no object ids.
    pub fn survey(&self, revision: &str, choose: &Choose<'_>) -> Result<(Outline, Snapshot), SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, prefix } => git::survey(git_dir, prefix, revision, choose),
        }
    }

    /// Returns whether `older` is `newer` or in its history. An unknown commit is in no history and has none.
    ///
    /// # Errors
    /// git cannot read the history.
    pub fn holds(&self, newer: &Revision, older: &Revision) -> Result<bool, SourceError> {
        match self {
            Source::Folder(_) => Ok(true),
            Source::Repository { git_dir, .. } => git::holds(git_dir, newer, older),
        }
    }

    /// Returns the first parent of a commit; none if the commit has no parents.
    ///
    /// # Errors
    /// The commit is unknown, its parent is not in this clone, or the source is a plain folder.
    pub fn parent(&self, revision: &str) -> Result<Option<Revision>, SourceError> {
        match self {
            Source::Folder(path) => Err(SourceError::NotARepository { path: path.clone() }),
            Source::Repository { git_dir, .. } => git::parent(git_dir, revision),
        }
    }

    /// Returns a reader of file contents.
    ///
    /// # Errors
    /// git cannot open the repository.
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
    /// Returns at most `bytes_max + 1` bytes of a file. A result of this length means that the file is too
    /// large.
    ///
    /// # Errors
    /// genesync cannot read the file.
    pub fn read(&self, entry: &FileEntry, bytes_max: usize) -> Result<Arc<[u8]>, SourceError> {
        match self {
            Reader::Folder(root) => folder::read(root, entry, bytes_max),
            Reader::Repository(repository) => git::read(repository, entry, bytes_max),
        }
    }
}
