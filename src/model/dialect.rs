//! The APIs of Genesys (dialects), and the capabilities of each.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new API needs its capabilities here")]

use serde::{Deserialize, Serialize};

/// The API that manages an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// One web messaging configuration with enforced versions.
    Webchat,
    /// Genesys Cloud's public API: named objects, drafts, no preconditions.
    Cloud,
}

/// Whether a server checks the version that a write names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Versions {
    /// It refuses a write whose version is not the current one.
    Enforced,
    /// It accepts every write and returns the version that it made. A write overwrites every change in
    /// between.
    Unenforced,
}

/// Who shares one rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// All requests about one organization.
    Organization,
    /// All requests with the tokens of one client.
    Token,
}

/// The capabilities of an API. Core, store, and reports ask for a capability and never for a dialect.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The value of `api:` in a manifest.
    pub name: &'static str,
    /// Whether its servers check the version of a write.
    pub versions: Versions,
    /// Whether an organization has many objects, each with an id from the platform. Reads may lag behind
    /// writes.
    pub gives_ids: bool,
    /// Whether a job on the server can copy the configuration of one organization to others.
    pub copies: bool,
    /// Whether entries of the audit log name the version that they report. If not, genesync matches an
    /// entry to a write by time.
    pub audit_names_versions: bool,
    /// The permission that a client needs to read the audit log.
    pub audit_permission: &'static str,
    /// Whether the server adds its own defaults to a write.
    pub fills_in: bool,
    /// Whether the platform keeps a history of overwritten values.
    pub keeps_history: bool,
    /// Who shares one rate limit.
    pub bucket: Bucket,
    /// The host, next to the API's host, that issues tokens by HTTP Basic. If none, the API's host issues
    /// tokens and the client sends its secret in the form.
    pub token_host: Option<&'static str>,
}

const WEBCHAT: Capabilities = Capabilities {
    name: "webchat",
    versions: Versions::Enforced,
    gives_ids: false,
    copies: true,
    audit_names_versions: true,
    audit_permission: "audit:read",
    fills_in: false,
    keeps_history: true,
    bucket: Bucket::Organization,
    token_host: None,
};

const CLOUD: Capabilities = Capabilities {
    name: "cloud",
    versions: Versions::Unenforced,
    gives_ids: true,
    copies: false,
    audit_names_versions: false,
    audit_permission: "audits:audit:view",
    fills_in: true,
    keeps_history: false,
    bucket: Bucket::Token,
    token_host: Some("login"),
};

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 2] = [Dialect::Webchat, Dialect::Cloud];

    /// Returns its capabilities.
    pub fn capabilities(self) -> &'static Capabilities {
        match self {
            Dialect::Webchat => &WEBCHAT,
            Dialect::Cloud => &CLOUD,
        }
    }

    /// Returns the value of `api:` in a manifest.
    pub fn name(self) -> &'static str {
        self.capabilities().name
    }

    /// Whether texts omit it: it was the first dialect.
    pub fn is_implied(&self) -> bool {
        *self == Dialect::IMPLIED
    }

    /// The dialect of texts that name none.
    pub const IMPLIED: Dialect = Dialect::Webchat;
}
