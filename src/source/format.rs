//! Repositories that git reads and the git library of this build does not: named, instead of in the library's words.

use std::fmt;

use git2::{ErrorClass, ErrorCode, Repository};

use super::SourceError;

/// A form of repository that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The names of its objects are hashes of another kind, such as `sha256`.
    ObjectNames(String),
    /// It keeps its branches in git's reftable format.
    Reftable,
    /// It uses an extension of git by this name.
    Extension(String),
    /// It is a partial clone: it left objects at its remote, and reading never fetches.
    Partial,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::ObjectNames(hash) => {
                write!(f, "the repository names its objects by {}, genesync reads SHA-1", hash.to_uppercase())
            }
            Form::Reftable => {
                f.write_str("the repository keeps its branches as a reftable, genesync reads files")
            }
            Form::Extension(name) => write!(f, "the repository uses git's extension `{name}`"),
            Form::Partial => f.write_str("the clone is partial: the object is at the remote alone"),
        }
    }
}

impl Form {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Form::ObjectNames(_) => {
                "commit the files to a repository with git's default: `git init --object-format=sha1`"
            }
            Form::Reftable => {
                "convert the repository: `git refs migrate --ref-format=files`, with git 2.46 or later"
            }
            Form::Extension(_) => {
                "clone the repository into an empty directory, without the options that made git use the extension"
            }
            Form::Partial => {
                "clone without `--filter`, or fetch what is missing: `git fetch --refetch --no-filter`"
            }
        }
    }
}

/// The library's error, with the form of the repository if that is the reason. The texts are those of libgit2 1.9,
/// which has no code for either; a test opens such repositories.
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

/// The error for an object that could not be read: a partial clone left it out on purpose.
pub fn absent(repository: &Repository, what: String, source: git2::Error) -> SourceError {
    let missing = source.class() == ErrorClass::Odb && source.code() == ErrorCode::NotFound;
    if missing && is_partial(repository) {
        SourceError::Form { what, form: Form::Partial }
    } else {
        explained(what, source)
    }
}

/// git marks each remote that objects were left at as a promisor.
fn is_partial(repository: &Repository) -> bool {
    let promisors = || {
        let config = repository.config().ok()?;
        let mut entries = config.entries(Some(r"remote\..*\.promisor|extensions\.partialclone")).ok()?;
        Some(entries.next().is_some())
    };
    promisors().unwrap_or(false)
}
