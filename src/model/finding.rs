//! One message of a parser or a rule, tied to the place that it speaks of.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::TenantName;

/// How much a finding weighs. An error in a tenant means no write for that tenant at that revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never in the way.
    Info,
    /// Worth mending; never in the way.
    Warning,
    /// Stops every write of the tenant.
    Error,
}

impl Severity {
    /// The word used in output and in `genesync.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Path from the repository's root.
    pub file: Arc<str>,
    /// Line, counted from 1; 0 for a finding about the file as a whole.
    pub line: u32,
    /// Column, counted from 1 in characters.
    pub column: u32,
    /// Byte range in the file.
    #[serde(skip)]
    pub bytes: Range<u32>,
}

impl Location {
    /// A location that means the file as a whole.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { file: path.into(), line: 0, column: 0, bytes: 0..0 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A replacement of the text at the finding's location that makes it pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What the fix does, as a short imperative.
    pub title: String,
    /// The text to put in place of the finding's byte range.
    pub replacement: String,
}

/// Why a finding is accepted for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// Who answers for it.
    pub by: String,
    /// The last day, as `YYYY-MM-DD`.
    pub until: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Waived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waived by {} until {}: {}", self.by, self.until, self.reason)
    }
}

/// One message about one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's id: its file name, its fixture and its anchor in `docs/rules.md`.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub location: Location,
    /// JSON pointer into the document, where the finding is about a value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// The tenant that it stops, or none for the project and the bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Other places that belong to it, each with a short text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<(Location, String)>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A replacement that makes it pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The waiver that is in force for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}
