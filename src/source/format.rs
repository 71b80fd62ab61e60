//! Explains errors for repository formats that git supports and libgit2 does not.
//!
//! In: an error of libgit2. Out: a [`SourceError`] that names the format and has a hint.

use std::fmt;

use git2::{ErrorClass, ErrorCode, Repository};

use super::SourceError;

/// A repository format that genesync cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The repository uses an object format other than SHA-1, such as `sha256`.
    ObjectNames(String),
    /// The repository keeps its branches in git's reftable format.
    Reftable,
    /// The repository uses the git extension of this name.
    Extension(String),
    /// The repository is a partial clone: some objects are only at its remote, and genesync does not fetch
    /// them.
    Partial,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::ObjectNames(hash) => {
                write!(
                    f,
                    "the repository names its objects by {}, but genesync reads only SHA-1",
                    hash.to_uppercase()
                )
            }
            Form::Reftable => {
                f.write_str("the repository keeps its branches as a reftable, but genesync reads only files")
            }
            Form::Extension(name) => write!(f, "the repository uses the unsupported git extension `{name}`"),
            Form::Partial => f.write_str("the clone is partial: the object is only at the remote"),
        }
    }
}

impl Form {
    /// Returns the hint for this format.
    pub fn hint(&self) -> &'static str {
        match self {
            Form::ObjectNames(_) => {
                "commit the files to a repository with SHA-1 objects: `git init --object-format=sha1`"
            }
            Form::Reftable => {
                "convert the repository: `git refs migrate --ref-format=files`, with git 2.46 or later"
            }
            Form::Extension(_) => {
                "clone the repository into an empty directory, without the options that enabled the extension"
            }
            Form::Partial => {
                "clone without `--filter`, or fetch the missing objects: `git fetch --refetch --no-filter`"
            }
        }
    }
}

/// Converts an error of libgit2, and names the repository format if that is the cause. It matches the
/// messages of libgit2 1.9, which has no error codes for these cases; a test opens such repositories.
pub fn explained(what: String, source: git2::Error) -> SourceError {
    let message = source.message();
    let after = |prefix| message.strip_prefix(prefix);
    let form = if let Some(hash) = after("unknown object format '") {
        Some(Form::ObjectNames(hash.trim_end_matches('\'').to_owned()))
    } else {
        after("unsupported extension name extensions.").map(|name| match name {
            "refstorage" => Form::Reftable,
            name => Form::Extension(name.to_owned()),
        })
    };
    match form {
        Some(form) => SourceError::Form { what, form },
        None => SourceError::Git { what, source },
    }
}

/// Converts the error for an unreadable object, and names the partial clone if the object is missing for that
/// reason.
pub fn absent(repository: &Repository, what: String, source: git2::Error) -> SourceError {
    let missing = source.class() == ErrorClass::Odb && source.code() == ErrorCode::NotFound;
    if missing && is_partial(repository) {
        SourceError::Form { what, form: Form::Partial }
    } else {
        explained(what, source)
    }
}

/// Returns whether the repository is a partial clone: git marks a remote that keeps the missing objects as a
/// promisor.
fn is_partial(repository: &Repository) -> bool {
    let promisors = || {
        let config = repository.config().ok()?;
        let mut entries = config.entries(Some(r"remote\..*\.promisor|extensions\.partialclone")).ok()?;
        Some(entries.next().is_some())
    };
    promisors().unwrap_or(false)
}
