//! The APIs that organizations are managed by, and what each of them is capable of.

#![warn(clippy::wildcard_enum_match_arm, reason = "the capabilities of a new API are listed here")]

use serde::{Deserialize, Serialize};

/// Which API an organization is managed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// One web messaging configuration with enforced versions.
    Webchat,
    /// Genesys Cloud's public API: named objects, drafts, no preconditions.
    Cloud,
}

/// Whether a dialect's server looks at the version that a write names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Versions {
    /// It refuses a write whose version is not the current one.
    Enforced,
    /// It takes every write, and tells the version that it made. What lay in between is gone by then.
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

/// What an API can do. Core, store, and reports ask for a capability and never for a dialect.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The word after `api:` in a manifest.
    pub name: &'static str,
    /// Whether its servers hold writes against versions.
    pub versions: Versions,
    /// Whether an organization has many objects, each with an id that the platform gives. Reads of them may lag behind
    /// writes.
    pub gives_ids: bool,
    /// Whether a job on the server copies what one organization holds to others.
    pub copies: bool,
    /// Whether entries of the audit log name the version that they report. If not, time ties an entry to a write.
    pub audit_names_versions: bool,
    /// What a client needs to ask the audit log.
    pub audit_permission: &'static str,
    /// Whether the server adds defaults of its own to what is written.
    pub fills_in: bool,
    /// Whether the platform keeps what a write overwrites.
    pub keeps_history: bool,
    /// Who shares one rate limit.
    pub bucket: Bucket,
    /// The host beside the API's own that issues tokens, to a client that proves itself by HTTP Basic. Without one the
    /// API's own host does, to a client that proves itself in the form.
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

    /// What it can do.
    pub fn capabilities(self) -> &'static Capabilities {
        match self {
            Dialect::Webchat => &WEBCHAT,
            Dialect::Cloud => &CLOUD,
        }
    }

    /// The word after `api:` in a manifest.
    pub fn name(self) -> &'static str {
        self.capabilities().name
    }

    /// Whether it is the one that texts need not name: it was there before there were others.
    pub fn is_implied(&self) -> bool {
        *self == Dialect::IMPLIED
    }

    /// The dialect of texts that name none.
    pub const IMPLIED: Dialect = Dialect::Webchat;
}
