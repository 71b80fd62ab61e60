//! The arguments that several commands share.

use clap::{Args, ValueEnum};

use crate::render::document::Allowed;

/// The repository, revision and tenants to read.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(default_value = ".", value_name = "PATH|URL")]
    pub path: String,
    /// Read this commit, branch or tag; by default `plan` and `validate` read the files in the folder, and
    /// `apply` the commit that is checked out
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Read only this tenant; repeatable
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<String>,
}

/// The guards that are open for one run.
#[derive(Debug, Clone, Args)]
pub struct GuardArgs {
    /// Open a guard for this run; repeatable: tenant-changes, run-tenants, run-off, protected, recreate,
    /// window, rewind, pause, conflict, adopt, owner
    #[arg(long = "allow", value_name = "GUARD", requires = "reason")]
    pub allow: Vec<String>,
    /// Reason to open the guards; genesync prints it in the result
    #[arg(long, value_name = "TEXT", requires = "allow", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: Option<String>,
    /// Choose what happens to an unpublished draft of another user when genesync writes the same
    /// configuration
    #[arg(long = "draft", value_name = "WHAT")]
    pub draft: Option<DraftArg>,
}

impl GuardArgs {
    /// Returns the guards that the operator opens, and the reason.
    pub fn opened(&self) -> Option<Allowed> {
        let reason = self.reason.clone()?;
        Some(Allowed { guards: self.allow.clone(), reason })
    }
}

/// What happens to an unpublished draft of another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DraftArg {
    /// Publish also the other changes in the draft
    Adopt,
    /// Overwrite the draft and keep it in the journal
    Discard,
}

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One document for programs
    Json,
}
