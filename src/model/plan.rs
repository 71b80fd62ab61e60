//! A plan: every change that would make one tenant's organizations say what git says.
//!
//! In: nothing. Out: the types of a plan, its digest, and what of it may be shown. Never: compares or decides; that
//! is the stage `plan`. Start reading at [`Plan`], then [`TargetPlan`].

#![warn(
    clippy::wildcard_enum_match_arm,
    reason = "a new next step, guard or kind of change is decided about here"
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
    /// The live configuration moved, and we did not do it.
    Drift,
    /// Both moved, to different values.
    Conflict,
}

impl ChangeKind {
    /// The words used in output.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::ToApply => "to apply",
            ChangeKind::Drift => "drift",
            ChangeKind::Conflict => "conflict",
        }
    }
}

/// One line of a plan: one field of one organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Dotted path in the API's shape, such as `widget.theme.colors.primary`.
    pub path: String,
    /// Why it differs.
    pub kind: ChangeKind,
    /// What it does to visitors: of drift, what was done to them; of a conflict, the worse of that and what git does.
    pub class: Class,
    /// What somebody else did to visitors by moving it; none where nobody did.
    #[serde(skip)]
    pub theirs: Option<Class>,
    /// What writing git's value takes from visitors, that a guard may protect.
    #[serde(skip)]
    pub loss: Option<Protect>,
    /// The live value; none where the field is absent.
    pub observed: Option<Value>,
    /// The value in git; none where the field is to be removed.
    pub desired: Option<Value>,
    /// The value from which both sides of a conflict moved; none where there was none, and where nothing is in conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Value>,
    /// Who moved the live value, for drift and conflict.
    #[serde(skip)]
    pub author: Option<Author>,
}

/// Stands where a value is not shown.
pub const HIDDEN: &str = "(hidden)";

impl Change {
    /// The live value and git's, as they may be shown.
    pub fn shown(&self) -> [Option<Value>; 2] {
        [self.may_be_shown(&self.observed), self.may_be_shown(&self.desired)]
    }

    /// Whoever moved the live value, if that is known and was not us.
    pub fn by(&self) -> Option<&Attribution> {
        self.author.as_ref()?.other()
    }

    /// The value from which both sides of a conflict moved, as it may be shown.
    pub fn applied_shown(&self) -> Option<Value> {
        self.may_be_shown(&self.applied)
    }

    fn may_be_shown(&self, value: &Option<Value>) -> Option<Value> {
        shown(&self.path, value)
    }
}

/// The value of a field, as it may be shown.
fn shown(path: &str, value: &Option<Value>) -> Option<Value> {
    let is_plain = matches!(value, None | Some(Value::Bool(_) | Value::Null));
    match is_confidential(path) && !is_plain {
        true => Some(HIDDEN.into()),
        false => value.clone(),
    }
}

/// What one organization needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetPlan {
    /// The organization.
    #[serde(flatten)]
    pub target: Target,
    /// The version that the plan saw; none where there is no configuration.
    pub version: Option<u64>,
    /// The configuration that the plan saw; empty where there is none.
    #[serde(skip)]
    pub observed: Arc<Map<String, Value>>,
    /// The fields that differ, in path order.
    pub changes: Vec<Change>,
    /// Fields that git moved and that already hold the new value.
    pub already_done: Vec<String>,
    /// Managed fields that differ and are left as they are by a rule of the tenant, in path order.
    pub ignored: Vec<String>,
    /// What has to be done next for it; none where nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// What becomes of a draft that somebody else left, where the operator said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<TheirDraft>,
    /// What somebody else drafted and has not published, where nothing becomes of it.
    #[serde(skip)]
    pub unfinished: Option<Unfinished>,
    /// What somebody changed in fields that git does not name, in path order.
    #[serde(skip)]
    pub unmanaged: Vec<Unmanaged>,
    /// Whoever made what is live, where that was somebody else and nothing is known of what was applied before: a change
    /// by hand can't be told from one to apply then.
    #[serde(skip)]
    pub unrecorded: Option<Attribution>,
    /// The program that wrote it last, if that is none of ours and the object has no place for the mark of an owner.
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
    /// What a person has to decide before anything is written.
    pub fn undecided(&self) -> Option<&str> {
        match &self.next {
            Some(Next::Decide(reason) | Next::Amend(reason)) => Some(reason),
            Some(Next::Store | Next::Publish | Next::Wait) | None => None,
        }
    }

    /// What is wrong with what git says of the object.
    pub fn amiss(&self) -> Option<&str> {
        match &self.next {
            Some(Next::Amend(reason)) => Some(reason),
            Some(Next::Store | Next::Publish | Next::Wait | Next::Decide(_)) | None => None,
        }
    }

    /// The digest of the configuration that the plan saw.
    pub fn observed_digest(&self) -> String {
        json::digest(&self.observed)
    }

    /// The digest of what would be done to this object and of what that was based on. Why a field differs and who
    /// moved it are left out: they don't change what is done. Made of whole configurations, and so only where somebody
    /// reads it.
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
        // What becomes of somebody's draft is part of it; a name is not, which some logs know and some don't.
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

/// Bytes of which each part ends in a NUL, which none of them can hold: names, ids and digests are printable, and JSON
/// escapes it.
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

/// A draft of somebody else's that the next write takes over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TheirDraft {
    /// Who left it.
    pub by: String,
    /// When it was changed last, by the server's clock.
    pub at: Option<Timestamp>,
    /// Fields that git leaves alone: they are published along.
    pub published_along: Vec<String>,
    /// Fields whose value in the draft is gone then.
    pub written_over: Vec<String>,
}

/// A draft that somebody else has not published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    /// Who touched it last.
    pub by: String,
    /// Since when it is so, by the server's clock.
    pub at: Option<Timestamp>,
    /// The fields in which it differs from what is published.
    pub fields: Vec<String>,
}

/// What somebody changed in a field that git does not name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unmanaged {
    /// Dotted path in the API's shape.
    pub path: String,
    /// What was done to visitors by it.
    pub class: Class,
    /// The value that we wrote last, saw adopted, or a person accepted; none where the field was absent.
    pub was: Option<Value>,
    /// The live value; none where the field is gone.
    pub is: Option<Value>,
    /// Who changed it; none where no version was made since, so that nobody did.
    pub author: Option<Author>,
}

impl Unmanaged {
    /// The value of before and the live one, as they may be shown.
    pub fn shown(&self) -> [Option<Value>; 2] {
        [&self.was, &self.is].map(|value| shown(&self.path, value))
    }
}

/// What has to be done next for one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "next", content = "reason")]
pub enum Next {
    /// Store it.
    Store,
    /// Publish what is stored.
    Publish,
    /// Wait until the platform is done with the last write.
    Wait,
    /// Nothing, before a person has decided: why.
    Decide(String),
    /// Nothing, before git says something else: it names what is not there, or what two things go by. Whoever decides sees
    /// no difference.
    #[serde(rename = "decide")]
    Amend(String),
}

/// The plan of one tenant: complete and immutable, so that applying it decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The tenant.
    pub tenant: TenantName,
    /// The commit that it was made from.
    pub revision: Revision,
    /// Whether genesync may apply it.
    pub mode: Mode,
    /// The primary first, then the replicas. Shared: one plan differs from the next in few of them.
    pub targets: Vec<Arc<TargetPlan>>,
}

/// The digest of one tenant's plan from the digests of its objects.
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

/// The digest of a plan over many tenants from theirs.
pub fn fleet_digest<'a>(tenants: impl IntoIterator<Item = &'a str>) -> String {
    json::digest_bytes(tenants.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
}

/// The digest of a plan that was made with guards open: they and the reason are part of what is approved.
pub fn opened_digest<'a>(plan: &'a str, guards: impl IntoIterator<Item = &'a str>, reason: &str) -> String {
    let mut parts = Parts::default();
    [plan, "allowed"].into_iter().chain(guards).for_each(|part| parts.add(part.as_bytes()));
    // A reason is one line of free text: its own digest keeps it from standing for anything else.
    parts.add(json::digest_bytes(reason.as_bytes()).as_bytes());
    parts.digest()
}

impl Plan {
    /// The SHA-256 of everything that it would do and was based on: equal digests mean equal plans.
    pub fn content_digest(&self) -> String {
        let objects: Vec<String> = self.targets.iter().map(|target| target.content_digest()).collect();
        let objects = objects.iter().map(String::as_str);
        tenant_digest(self.tenant.as_str(), self.revision.as_str(), self.mode.name(), objects)
    }

    /// Whether every organization already says what git says.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| target.changes.is_empty() && target.next.is_none())
    }

    /// All changes of all organizations.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// How many fields differ and are left as they are.
    pub fn ignored(&self) -> usize {
        self.targets.iter().map(|target| target.ignored.len()).sum()
    }

    /// How many changes there are of one kind.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes().filter(|change| change.kind == kind).count()
    }
}

/// What a person reviewed of each object, and what may be written of it.
pub type Reviewed = BTreeMap<ObjectRef, ReviewedObject>;

/// What a person reviewed of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReviewedObject {
    /// [`TargetPlan::content_digest`] of what was reviewed.
    pub digest: String,
    /// The version that it was planned from.
    pub version: Option<u64>,
    /// The changes that were shown: path, live value, git's value.
    pub changes: Vec<(String, Option<Value>, Option<Value>)>,
}

/// How much one plan, and one run over all tenants, may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Changed fields of one tenant that already has a configuration.
    pub tenant_changes_max: usize,
    /// Share of a tenant's managed fields that may change, in percent; applies from ten managed fields on.
    pub tenant_changes_max_percent: u8,
    /// Tenants with an existing configuration that may change in one run.
    pub run_tenants_max: usize,
    /// The same as a share of all tenants, in percent; applies from ten tenants on.
    pub run_tenants_max_percent: u8,
    /// How often one field may be set back within `flap_window_ms`; moved again after that, it is fought over.
    pub flaps_max: usize,
    /// How long a field that was set back counts.
    pub flap_window_ms: u64,
    /// Guards that the operator opened for this run.
    pub allowed: BTreeSet<Guard>,
    /// What becomes of drafts that somebody else left unpublished.
    pub drafts: Drafts,
    /// The id by which the repository marks what it owns, as git says; none where it has none.
    pub owner: Option<Arc<str>>,
    /// Kinds of whose writes the audit log has no entries, as git says: none is asked for.
    pub unaudited: BTreeSet<ObjectKind>,
}

/// What becomes of a draft that somebody else left unpublished, where the configuration has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Drafts {
    /// It stays, and a person decides.
    #[default]
    Refuse,
    /// What it changes besides is published along.
    Adopt,
    /// It is written over; the journal keeps it.
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
