//! Arguments that several commands take.

use clap::{Args, ValueEnum};

use crate::render::document::Allowed;

/// Where manifests are read from.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Configuration repository: a folder, or an https, ssh or file URL of a git repository
    #[arg(default_value = ".", value_name = "PATH|URL")]
    pub path: String,
    /// Read this commit, branch or tag; by default `plan` and `validate` read the files in the folder, and `apply` the
    /// commit that is checked out
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Look at this tenant only; repeatable
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<String>,
}

/// Guards opened for one run.
#[derive(Debug, Clone, Args)]
pub struct GuardArgs {
    /// Open a guard for this run; repeatable: tenant-changes, run-tenants, run-off, protected, recreate, window, rewind, pause, conflict, adopt, owner
    #[arg(long = "allow", value_name = "GUARD", requires = "reason")]
    pub allow: Vec<String>,
    /// Why the guards are opened; stands in the result
    #[arg(long, value_name = "TEXT", requires = "allow", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: Option<String>,
    /// What becomes of a draft that somebody else left unpublished, where its configuration has to be written
    #[arg(long = "draft", value_name = "WHAT")]
    pub draft: Option<DraftArg>,
}

impl GuardArgs {
    /// The guards that the operator opens, and why.
    pub fn opened(&self) -> Option<Allowed> {
        let reason = self.reason.clone()?;
        Some(Allowed { guards: self.allow.clone(), reason })
    }
}

/// What becomes of a draft that somebody else left unpublished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DraftArg {
    /// What it changes besides is published along
    Adopt,
    /// It is written over; the journal keeps it
    Discard,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One document for programs
    Json,
}
