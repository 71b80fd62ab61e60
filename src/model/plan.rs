//! A plan: every change that makes one tenant's organizations equal to git.
//!
//! In: nothing. Out: the types of a plan, its digest, and its values as they may be shown. Never: compares
//! or decides; that is the stage `plan`. Start reading at [`Plan`], then [`TargetPlan`].

#![warn(
    clippy::wildcard_enum_match_arm,
    reason = "a new next step, guard or kind of change needs a decision here"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::author::{Attribution, Author};
use super::seal::is_confidential;
use super::{Actor, Class, Guard, Mode, ObjectKind, ObjectRef, Protect, Revision, Target, TenantName, json};

/// Why a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Git moved.
    ToApply,
    /// The live configuration moved, and not by genesync.
    Drift,
    /// Both moved, to different values.
    Conflict,
}

impl ChangeKind {
    /// Returns the name for output.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::ToApply => "to apply",
            ChangeKind::Drift => "drift",
            ChangeKind::Conflict => "conflict",
        }
    }
}

/// One row of a plan: one field of one organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Dotted path in the API's shape, such as `widget.theme.colors.primary`.
    pub path: String,
    /// Why it differs.
    pub kind: ChangeKind,
    /// What it does to visitors: for drift, what the other user did to them; for a conflict, the worse of
    /// both.
    pub class: Class,
    /// What another user's change does to visitors; none if no user changed it.
    #[serde(skip)]
    pub theirs: Option<Class>,
    /// The loss for visitors if genesync writes git's value, which a guard may protect.
    #[serde(skip)]
    pub loss: Option<Protect>,
    /// The live value; none if the field is absent.
    pub observed: Option<Value>,
    /// The value in git; none if git removes the field.
    pub desired: Option<Value>,
    /// The common earlier value of a conflict; none if there was none, or without a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Value>,
    /// Who moved the live value, for drift and conflict.
    #[serde(skip)]
    pub author: Option<Author>,
}

/// The text in place of a hidden value.
pub const HIDDEN: &str = "(hidden)";

impl Change {
    /// Returns the live value and git's value, as they may be shown.
    pub fn shown(&self) -> [Option<Value>; 2] {
        [self.may_be_shown(&self.observed), self.may_be_shown(&self.desired)]
    }

    /// Returns the author of the live value if it is another user and known.
    pub fn by(&self) -> Option<&Attribution> {
        self.author.as_ref()?.other()
    }

    /// Returns the common earlier value of a conflict, as it may be shown.
    pub fn applied_shown(&self) -> Option<Value> {
        self.may_be_shown(&self.applied)
    }

    fn may_be_shown(&self, value: &Option<Value>) -> Option<Value> {
        shown(&self.path, value)
    }
}

/// Returns the value of a field, as it may be shown.
fn shown(path: &str, value: &Option<Value>) -> Option<Value> {
    let is_plain = matches!(value, None | Some(Value::Bool(_) | Value::Null));
    match is_confidential(path) && !is_plain {
        true => Some(HIDDEN.into()),
        false => value.clone(),
    }
}

/// The plan for one object of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetPlan {
    /// The organization.
    #[serde(flatten)]
    pub target: Target,
    /// The version that the plan saw; none if there is no configuration.
    pub version: Option<u64>,
    /// The configuration that the plan saw; empty if there is none.
    #[serde(skip)]
    pub observed: Arc<Map<String, Value>>,
    /// The fields that differ, in path order.
    pub changes: Vec<Change>,
    /// Fields that git changed and that already have the new value.
    pub already_done: Vec<String>,
    /// Managed fields that differ and that an ignore rule of the tenant leaves unchanged, in path order.
    pub ignored: Vec<String>,
    /// The next step for it; none if nothing is to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// What the next write does with another user's draft, if the operator decided that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<TheirDraft>,
    /// Another user's unpublished draft that the plan leaves unchanged.
    #[serde(skip)]
    pub unfinished: Option<Unfinished>,
    /// Changes by another user in fields that git does not name, in path order.
    #[serde(skip)]
    pub unmanaged: Vec<Unmanaged>,
    /// The author of the live configuration if it is another user and there is no record of what was
    /// applied before. Without a record, the plan cannot separate a change by hand from a change to apply.
    #[serde(skip)]
    pub unrecorded: Option<Attribution>,
    /// The program that wrote it last, if that is not genesync and the object has no field for the owner's
    /// mark.
    #[serde(skip)]
    pub another_program: Option<Actor>,
    /// The whole configuration to write: the observed one with the managed fields set.
    #[serde(skip)]
    pub body: Arc<Map<String, Value>>,
    /// Whether copying the primary's configuration over this one changes managed fields only.
    #[serde(skip)]
    pub ours_to_overwrite: bool,
}

impl TargetPlan {
    /// Returns what a person has to decide before genesync writes anything.
    pub fn undecided(&self) -> Option<&str> {
        match &self.next {
            Some(Next::Decide(reason) | Next::Amend(reason)) => Some(reason),
            Some(Next::Store | Next::Publish | Next::Wait) | None => None,
        }
    }

    /// Returns the error in what git says about the object.
    pub fn amiss(&self) -> Option<&str> {
        match &self.next {
            Some(Next::Amend(reason)) => Some(reason),
            Some(Next::Store | Next::Publish | Next::Wait | Next::Decide(_)) | None => None,
        }
    }

    /// Returns the digest of the configuration that the plan saw.
    pub fn observed_digest(&self) -> String {
        json::digest(&self.observed)
    }

    /// Returns the digest of the planned write and of the configuration that it is based on. It leaves out
    /// why a field differs and who moved it, because these do not change the write. It hashes whole
    /// configurations, so call it only if the result is needed.
    pub fn content_digest(&self) -> String {
        self.digest_onto(&self.observed_digest())
    }

    fn digest_onto(&self, observed: &str) -> String {
        let mut parts = Parts::default();
        parts.add(self.target.object_ref().key().as_bytes());
        parts.add(self.target.region.key().as_bytes());
        parts.add(self.version.map_or("none".into(), |version| version.to_string()).as_bytes());
        parts.add(observed.as_bytes());
        for change in &self.changes {
            parts.add(change.path.as_bytes());
            for value in [&change.observed, &change.desired] {
                parts.add(value.as_ref().map(json::canonical_bytes).as_deref().unwrap_or(b"absent"));
            }
        }
        if !self.changes.is_empty() {
            parts.add(json::digest(&self.body).as_bytes());
        }
        // It includes what happens to another user's draft, but no name: some logs have the name and some
        // do not.
        if let Some(draft) = &self.draft {
            parts.add(b"draft");
            parts.add(draft.at.map(|at| at.to_string()).unwrap_or_default().as_bytes());
            for path in draft.published_along.iter().chain(&draft.written_over) {
                parts.add(path.as_bytes());
            }
        }
        match &self.next {
            None | Some(Next::Store) => {}
            Some(Next::Publish) => parts.add(b"publish"),
            Some(Next::Wait) => parts.add(b"wait"),
            Some(Next::Decide(reason) | Next::Amend(reason)) => parts.add(reason.as_bytes()),
        }
        parts.digest()
    }
}

/// Bytes in which each part ends in a NUL. No part can contain a NUL: names, ids and digests are printable,
/// and JSON escapes it.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.extend_from_slice(part);
        self.0.push(0);
    }

    fn digest(&self) -> String {
        json::digest_bytes(&self.0)
    }
}

/// A draft of another user that the next write takes over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TheirDraft {
    /// Who left it.
    pub by: String,
    /// When it was changed last, by the server's clock.
    pub at: Option<Timestamp>,
    /// Unmanaged fields: genesync publishes them together with its own.
    pub published_along: Vec<String>,
    /// Fields whose value in the draft is overwritten.
    pub written_over: Vec<String>,
}

/// A draft that another user has not published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    /// Who changed it last.
    pub by: String,
    /// The time of the last change, by the server's clock.
    pub at: Option<Timestamp>,
    /// The fields that differ from the published version.
    pub fields: Vec<String>,
}

/// A change by another user in a field that git does not name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmanaged {
    /// Dotted path in the API's shape.
    pub path: String,
    /// What it does to visitors.
    pub class: Class,
    /// The value that genesync wrote last or saw at adoption, or that a person accepted; none if the field
    /// was absent.
    pub was: Option<Value>,
    /// The live value; none if the field is gone.
    pub is: Option<Value>,
    /// Who changed it; none if no new version was made, which means that no user changed it.
    pub author: Option<Author>,
}

impl Unmanaged {
    /// Returns the earlier value and the live one, as they may be shown.
    pub fn shown(&self) -> [Option<Value>; 2] {
        [&self.was, &self.is].map(|value| shown(&self.path, value))
    }
}

/// The next step for one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "next", content = "reason")]
pub enum Next {
    /// Store it.
    Store,
    /// Publish what is stored.
    Publish,
    /// Wait until the platform has finished the last write.
    Wait,
    /// Nothing until a person decides, with the reason.
    Decide(String),
    /// Nothing until git changes, with the reason: git names an object that does not exist, or a name that
    /// several objects have. Output shows it like [`Next::Decide`].
    #[serde(rename = "decide")]
    Amend(String),
}

/// The plan of one tenant: complete and immutable, so that applying it needs no further decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The tenant.
    pub tenant: TenantName,
    /// The commit that it was planned from.
    pub revision: Revision,
    /// Whether genesync may apply it.
    pub mode: Mode,
    /// The primary first, then the replicas. Shared, because two plans differ in few of them.
    pub targets: Vec<Arc<TargetPlan>>,
}

/// Computes the digest of one tenant's plan from the digests of its objects.
pub fn tenant_digest<'a>(
    tenant: &'a str,
    revision: &'a str,
    mode: &'a str,
    objects: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut parts = Parts::default();
    [tenant, revision, mode].into_iter().chain(objects).for_each(|part| parts.add(part.as_bytes()));
    parts.digest()
}

/// Computes the digest of a plan over many tenants from the digests of the tenants.
pub fn fleet_digest<'a>(tenants: impl IntoIterator<Item = &'a str>) -> String {
    json::digest_bytes(tenants.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
}

/// Computes the digest of a plan that was made with allowed guards: the guards and the reason are part of
/// the approval.
pub fn opened_digest<'a>(plan: &'a str, guards: impl IntoIterator<Item = &'a str>, reason: &str) -> String {
    let mut parts = Parts::default();
    [plan, "allowed"].into_iter().chain(guards).for_each(|part| parts.add(part.as_bytes()));
    // A reason is free text: its digest cannot be confused with another part.
    parts.add(json::digest_bytes(reason.as_bytes()).as_bytes());
    parts.digest()
}

impl Plan {
    /// Returns the SHA-256 of the planned writes and of what they are based on: equal digests mean equal
    /// plans.
    pub fn content_digest(&self) -> String {
        let objects: Vec<String> = self.targets.iter().map(|target| target.content_digest()).collect();
        let objects = objects.iter().map(String::as_str);
        tenant_digest(self.tenant.as_str(), self.revision.as_str(), self.mode.name(), objects)
    }

    /// Whether every organization already equals git.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| target.changes.is_empty() && target.next.is_none())
    }

    /// Returns all changes of all organizations.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// Returns how many differing fields ignore rules leave unchanged.
    pub fn ignored(&self) -> usize {
        self.targets.iter().map(|target| target.ignored.len()).sum()
    }

    /// Returns how many changes there are of one kind.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes().filter(|change| change.kind == kind).count()
    }
}

/// What a person reviewed of each object.
pub type Reviewed = BTreeMap<ObjectRef, ReviewedObject>;

/// What a person reviewed of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReviewedObject {
    /// [`TargetPlan::content_digest`] of the reviewed object.
    pub digest: String,
    /// The version that it was planned from.
    pub version: Option<u64>,
    /// The changes that the review showed: path, live value, git's value.
    pub changes: Vec<(String, Option<Value>, Option<Value>)>,
}

/// How much one plan, and one run over all tenants, may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Changed fields of one tenant that already has a configuration.
    pub tenant_changes_max: usize,
    /// Share of a tenant's managed fields that may change, in percent; applies to ten managed fields or
    /// more.
    pub tenant_changes_max_percent: u8,
    /// Tenants with an existing configuration that may change in one run.
    pub run_tenants_max: usize,
    /// The same as a share of all tenants, in percent; applies to ten tenants or more.
    pub run_tenants_max_percent: u8,
    /// How often genesync may set one field back within `flap_window_ms`; after that the field is
    /// contested.
    pub flaps_max: usize,
    /// How long a field that was set back counts, in milliseconds.
    pub flap_window_ms: u64,
    /// Guards that the operator allowed for this run.
    pub allowed: BTreeSet<Guard>,
    /// What to do with other users' unpublished drafts.
    pub drafts: Drafts,
    /// The id with which the repository marks its objects, from git; none if it has none.
    pub owner: Option<Arc<str>>,
    /// Kinds whose writes have no audit entries, from git: genesync does not ask for entries of these.
    pub unaudited: BTreeSet<ObjectKind>,
}

/// What to do with another user's unpublished draft, if the configuration has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Drafts {
    /// Leave it until a person decides.
    #[default]
    Refuse,
    /// Publish its other changes together with genesync's.
    Adopt,
    /// Overwrite it; the journal keeps a copy.
    Discard,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tenant_changes_max: 100,
            tenant_changes_max_percent: 100,
            run_tenants_max: usize::MAX,
            run_tenants_max_percent: 50,
            flaps_max: 3,
            flap_window_ms: 3_600_000,
            allowed: BTreeSet::new(),
            drafts: Drafts::default(),
            owner: None,
            unaudited: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests;
