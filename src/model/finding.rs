//! One message of a parser or a rule, with its location.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::TenantName;

/// The severity of a finding. An error in a tenant stops every write of that tenant at that revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information; never stops a write.
    Info,
    /// Should be fixed; never stops a write.
    Warning,
    /// Stops every write of the tenant.
    Error,
}

impl Severity {
    /// Returns the name for output and for `genesync.yaml`.
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
    /// Returns the location of a whole file.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { file: path.into(), line: 0, column: 0, bytes: 0..0 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A replacement of the text at the finding's location that fixes the finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What the fix does, as a short imperative.
    pub title: String,
    /// The text to put in place of the finding's byte range.
    pub replacement: String,
}

/// Why a finding is accepted until a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// The person who is responsible for it.
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

/// One message about one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's id: the name of its file, its fixture and its anchor in `docs/rules.md`.
    pub rule: &'static str,
    /// The severity.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub location: Location,
    /// JSON pointer into the document, if the finding is about a value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// The tenant that it blocks; none for the project and the bases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Related locations, each with a short text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<(Location, String)>,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A replacement that fixes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The waiver that applies to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<Waived>,
}
