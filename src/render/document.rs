//! The JSON document of a plan: its shape is committed as `schemas/plan.json`.
//!
//! In: plans. Out: what serializes as the document. Never: decides, or shows a value that is confidential. Start reading at
//! [`PlanDocument`]; `applied.rs` is what `apply` prints.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind or status is decided about here")]

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::sentence::Sentence;
use crate::model::author::{Attribution, Author};
use crate::model::plan::{TheirDraft, Unfinished, opened_digest};
use crate::model::{Actor, Change, Class, Finding, Object, Plan, Refusal, Target};

/// What `plan --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "genesync plan")]
pub struct PlanDocument {
    /// The commit, or `folder`.
    pub revision: String,
    /// SHA-256 over all tenants' digests: equal digests mean equal plans.
    pub digest: String,
    /// How much there is.
    pub summary: Summary,
    /// Every tenant that was looked at, by name.
    pub tenants: Vec<TenantPlan>,
    /// What the run as a whole may not do.
    pub refusals: Vec<RefusalDocument>,
    /// The command that opens all guards that refuse the run or its tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// Guards that the plan was made with open, and why: whoever approves its digest approves that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// Why nothing at all will be written, whoever allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What differs from the revision of `--since` in what git manages, which no live value shows.
    pub management: Vec<ManagementDocument>,
    /// Shared files that differ from the revision of `--since`, and the tenants that they reach.
    pub shared: Vec<SharedDocument>,
    /// What another user changed in fields that git does not name, what was switched off first. Nothing of it enters the
    /// digest or the exit code.
    pub unmanaged_changes: Vec<UnmanagedDocument>,
    /// The same where nobody edited anything: one value that appeared in many organizations.
    pub platform_changes: Vec<PlatformDocument>,
    /// What is wrong with manifests.
    #[schemars(with = "Vec<Value>")]
    pub findings: Vec<Finding>,
    /// The exit code of the command.
    pub exit_code: u8,
}

/// A shared file that changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SharedDocument {
    /// Its path from the repository's root.
    pub file: String,
    /// The tenants that extend a layer of it, by name.
    pub tenants: Vec<String>,
}

/// Spans in which visitors are offered the widget by one side of a plan alone: the same hours of one day of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MomentDocument {
    /// Whether they are offered it once the plan is applied.
    pub offered: bool,
    /// The spans in words, in the tenant's own time zone.
    pub text: String,
    /// The spans.
    pub spans: Vec<SpanDocument>,
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpanDocument {
    /// When it begins.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When it ends.
    #[schemars(with = "String")]
    pub to: Timestamp,
}

/// What `plan --out FILE.json` writes and `apply --plan FILE.json` takes: a plan with its time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile<'a> {
    /// Always [`PlanFile::FORMAT`].
    pub format: &'static str,
    /// The program that made it.
    pub tool: &'static str,
    /// When.
    pub made_at: Timestamp,
    /// Until when it may be applied.
    pub expires_at: Timestamp,
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a PlanDocument,
}

impl PlanFile<'_> {
    /// What a file of this form says of itself.
    pub const FORMAT: &'static str = "genesync/plan/v1";
    /// What this build calls itself.
    pub const TOOL: &'static str = concat!("genesync ", env!("CARGO_PKG_VERSION"));
}

/// What a commit changes in what git manages, of one tenant or of all.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementDocument {
    /// The tenant; none where it is the project's own settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// A sentence each.
    #[schemars(with = "Vec<String>")]
    pub told: Vec<Sentence>,
}

impl ManagementDocument {
    /// Whose it is: the tenant's name, or the project's file.
    pub fn whose(&self) -> &str {
        self.tenant.as_deref().unwrap_or("genesync.yaml")
    }
}

/// How much a plan holds.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Tenants looked at.
    pub tenants: usize,
    /// Tenants with changes.
    pub tenants_changing: usize,
    /// Fields that git moved.
    pub to_apply: usize,
    /// Fields that somebody else moved.
    pub drift: usize,
    /// Fields that both moved.
    pub conflicts: usize,
    /// Fields that differ and that a rule of their tenant leaves alone.
    pub ignored: usize,
    /// Tenants whose manifests are not valid.
    pub invalid: usize,
    /// Tenants that could not be read.
    pub failed: usize,
    /// Tenants with changes that are only watched: nothing is written.
    pub watched: usize,
    /// Tenants of which git manages nothing.
    pub unmanaged: usize,
}

/// One tenant in a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantPlan {
    /// Its name.
    pub tenant: String,
    /// `planned`, `invalid` (see the findings), `unmanaged` (no configuration in git) or `failed`.
    pub state: &'static str,
    /// `watch` or `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// The digest of its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What visitors will notice, the worst first.
    #[schemars(with = "Vec<String>")]
    pub visitors: Vec<Sentence>,
    /// The spans of the next 30 days in which it is seen that opening hours change.
    pub moments: Vec<MomentDocument>,
    /// Its organizations, the primary first.
    pub targets: Vec<TargetDocument>,
    /// What keeps the plan from being applied.
    pub refusals: Vec<RefusalDocument>,
    /// What its change waits for, such as a change window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One organization in a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetDocument {
    /// The organization.
    pub organization_id: String,
    /// Which of its objects; left out where it has but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// Its region.
    pub region: &'static str,
    /// `primary` or `replica`.
    pub role: &'static str,
    /// The version that the plan was made from; null where there is no configuration.
    pub version: Option<u64>,
    /// Digest of the configuration that the plan was made from.
    pub observed_digest: String,
    /// Digest of what would be done to it: `apply --plan` writes nothing to what has another one by then.
    pub digest: String,
    /// The fields that differ.
    pub changes: Vec<ChangeDocument>,
    /// Fields that git moved and that hold the new value already.
    pub already_done: Vec<String>,
    /// Fields that differ and that a rule of the tenant leaves alone.
    pub ignored: Vec<String>,
    /// What a person has to decide before anything is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
    /// What becomes of somebody's unpublished draft, where `--draft` said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub draft: Option<TheirDraft>,
    /// A draft that another user has not published: who touched it last, since when, and its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unfinished: Option<Unfinished>,
    /// Who made what is live, if that was another user and nothing is known of what was applied before: then a difference
    /// may be a change by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unrecorded: Option<Attribution>,
    /// The program that wrote it last, if that is none of ours and the object has no place for the mark of an owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub another_program: Option<Actor>,
    /// Live fields that this build does not know: every write carries them through as they are.
    pub unknown: Vec<String>,
    /// The versions of a deployment's configuration, where `--edge` asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionsDocument>,
}

/// Which version of its configuration a deployment is at, from its making to its visitors.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct VersionsDocument {
    /// The newest that was published.
    pub newest: Option<u64>,
    /// The one that the deployment pins.
    pub pinned: Option<u64>,
    /// The one that the delivery network serves.
    pub served: Option<u64>,
}

/// One object of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ObjectDocument {
    /// Its kind, as in `kind:` of a manifest.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl ObjectDocument {
    /// Its kind and, where it has one, its name as a renderer writes it.
    pub(super) fn titled(&self, name: impl Fn(&str) -> String) -> String {
        match self.name.is_empty() {
            true => self.kind.to_owned(),
            false => format!("{} {}", self.kind, name(&self.name)),
        }
    }
}

pub(super) fn object(target: &Target) -> Option<ObjectDocument> {
    object_of(&target.object)
}

/// An object as a document; none for the one that an organization has but one of.
pub(super) fn object_of(object: &Object) -> Option<ObjectDocument> {
    let object = Some(object).filter(|object| !object.is_implied())?;
    Some(ObjectDocument { kind: object.kind.name(), name: object.name.to_string() })
}

/// One field that differs.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeDocument {
    /// Dotted path in the API's shape.
    pub path: String,
    /// `to-apply`, `drift` or `conflict`.
    #[schemars(with = "String")]
    pub kind: crate::model::ChangeKind,
    /// `cosmetic`, `text`, `behaviour`, `reach` or `off`.
    #[schemars(with = "String")]
    pub class: crate::model::Class,
    /// The live value; null where the field is absent.
    pub observed: Option<Value>,
    /// The value in git; null where the field is to be removed.
    pub desired: Option<Value>,
    /// The value from which both sides of a conflict moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Value>,
    /// Who moved the live value, when and from where: told only with proof. Else `unknown` says why nobody is named; `own`
    /// is true if it was one of our own clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub by: Option<Author>,
}

/// One field that git does not name and that is not what we wrote last, saw adopted, or a person accepted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedDocument {
    /// The tenant.
    pub tenant: String,
    /// The organization.
    pub organization_id: String,
    /// Its region.
    pub region: &'static str,
    /// Which of its objects; left out where it has but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// Dotted path in the API's shape.
    pub path: String,
    /// `cosmetic`, `text`, `behaviour`, `reach` or `off`: what was done to visitors.
    #[schemars(with = "String")]
    pub class: Class,
    /// The value of before; null where the field was absent.
    pub was: Option<Value>,
    /// The live value; null where the field is gone.
    pub is: Option<Value>,
    /// Who changed it, told only with proof, as in `changes`; left out where no version was made since, so that nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub by: Option<Author>,
    /// It in a sentence.
    #[schemars(with = "String")]
    pub told: Sentence,
}

/// One value that appeared in three or more organizations while nobody edited anything there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDocument {
    /// The kind of the objects.
    pub kind: &'static str,
    /// Dotted path in the API's shape.
    pub path: String,
    /// In how many organizations.
    pub organizations: usize,
    /// What it does to visitors.
    #[schemars(with = "String")]
    pub class: Class,
    /// It in a sentence.
    #[schemars(with = "String")]
    pub told: Sentence,
}

/// A limit that is crossed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalDocument {
    /// The guard; `--allow` takes this name.
    pub guard: &'static str,
    /// By how much.
    pub message: String,
}

impl From<&Refusal> for RefusalDocument {
    fn from(refusal: &Refusal) -> Self {
        Self { guard: refusal.guard.name(), message: refusal.message.clone() }
    }
}

impl PlanDocument {
    /// Binds the guards that it was made with open into its digest, so that an approved plan needs no flag where it is
    /// applied.
    pub fn bind(&mut self, allowed: Option<Allowed>) {
        if let Some(allowed) = &allowed {
            self.digest =
                opened_digest(&self.digest, allowed.guards.iter().map(String::as_str), &allowed.reason);
        }
        self.allowed = allowed;
    }
}

/// Guards that were opened for one run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Allowed {
    /// Their names.
    pub guards: Vec<String>,
    /// Why.
    pub reason: String,
}

/// The organizations of a plan.
pub fn targets(plan: &Plan) -> Vec<TargetDocument> {
    let document =
        |(index, target): (usize, &std::sync::Arc<crate::model::plan::TargetPlan>)| TargetDocument {
            organization_id: target.target.organization.to_string(),
            region: target.target.region.key(),
            role: role(plan, index),
            object: object(&target.target),
            undecided: target.undecided().map(str::to_owned),
            draft: target.draft.clone(),
            unfinished: target.unfinished.clone(),
            unrecorded: target.unrecorded.clone(),
            another_program: target.another_program.clone(),
            unknown: Vec::new(),
            versions: None,
            version: target.version,
            observed_digest: target.observed_digest(),
            digest: target.content_digest(),
            changes: target.changes.iter().map(change).collect(),
            already_done: target.already_done.clone(),
            ignored: target.ignored.clone(),
        };
    plan.targets.iter().enumerate().map(document).collect()
}

/// The part that an organization plays: the first one is the primary.
pub fn role(plan: &Plan, index: usize) -> &'static str {
    let organization = |index: usize| plan.targets.get(index).map(|target| &target.target.organization);
    if organization(index) == organization(0) { "primary" } else { "replica" }
}

fn change(change: &Change) -> ChangeDocument {
    let [observed, desired] = change.shown();
    ChangeDocument {
        path: change.path.clone(),
        kind: change.kind,
        class: change.class,
        observed,
        desired,
        applied: change.applied_shown(),
        by: change.author.clone(),
    }
}
