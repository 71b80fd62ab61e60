//! The JSON document of a plan; its schema is `schemas/plan.json`.
//!
//! In: plans. Out: types that serialize as the document. Never: makes a decision, or shows a confidential
//! value. Start reading at [`PlanDocument`]; `applied.rs` has the document of `apply`.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind or status needs a decision here")]

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::sentence::Sentence;
use crate::model::author::{Attribution, Author};
use crate::model::plan::{TheirDraft, Unfinished, opened_digest};
use crate::model::{Actor, Change, Class, Finding, Object, Plan, Refusal, Target};

/// The document that `plan --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "genesync plan")]
pub struct PlanDocument {
    /// The commit, or `folder`.
    pub revision: String,
    /// SHA-256 over the digests of all tenants: equal digests mean equal plans.
    pub digest: String,
    /// The number of tenants and fields by state.
    pub summary: Summary,
    /// Every tenant that genesync checked, sorted by name.
    pub tenants: Vec<TenantPlan>,
    /// Refusals of the whole run.
    pub refusals: Vec<RefusalDocument>,
    /// The command that opens all guards that refuse the run or its tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// Guards that were open for the plan, and the reason. The approval of the digest includes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// Why genesync will write nothing, even with guards open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Changes since the revision of `--since` in what git manages, which do not show as changed fields.
    pub management: Vec<ManagementDocument>,
    /// Shared files that changed since the revision of `--since`, and the tenants that extend them.
    pub shared: Vec<SharedDocument>,
    /// Changes by other users in fields that git does not name, switched-off settings first. They do not
    /// affect the digest or the exit code.
    pub unmanaged_changes: Vec<UnmanagedDocument>,
    /// Changes without an edit by a user: one value that appeared in many organizations.
    pub platform_changes: Vec<PlatformDocument>,
    /// Findings in the manifests.
    #[schemars(with = "Vec<Value>")]
    pub findings: Vec<Finding>,
    /// The exit code of the command.
    pub exit_code: u8,
}

/// A shared file that changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SharedDocument {
    /// The path from the root of the repository.
    pub file: String,
    /// The tenants that extend a layer of the file, sorted by name.
    pub tenants: Vec<String>,
}

/// Spans in which only the live or only the desired configuration offers the widget: the same hours on one
/// weekday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MomentDocument {
    /// Whether the widget is offered in these spans after the plan is applied.
    pub offered: bool,
    /// The spans as text, in the time zone of the tenant.
    pub text: String,
    /// The spans.
    pub spans: Vec<SpanDocument>,
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SpanDocument {
    /// The start.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// The end.
    #[schemars(with = "String")]
    pub to: Timestamp,
}

/// The file that `plan --out FILE.json` writes and `apply --plan FILE.json` reads: a plan with its expiry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile<'a> {
    /// Always [`PlanFile::FORMAT`].
    pub format: &'static str,
    /// The name and version of the program that made the plan.
    pub tool: &'static str,
    /// When the plan was made.
    pub made_at: Timestamp,
    /// When the plan expires.
    pub expires_at: Timestamp,
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a PlanDocument,
}

impl PlanFile<'_> {
    /// The value of `format` in a plan file.
    pub const FORMAT: &'static str = "genesync/plan/v1";
    /// The name and version of this build.
    pub const TOOL: &'static str = concat!("genesync ", env!("CARGO_PKG_VERSION"));
}

/// What a commit changes in what git manages, for one tenant or for all.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementDocument {
    /// The tenant; none for the settings of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// One sentence for each change.
    #[schemars(with = "Vec<String>")]
    #[serde(rename = "told")]
    pub reported: Vec<Sentence>,
}

impl ManagementDocument {
    /// Returns the name of the tenant, or the file of the project settings.
    pub fn whose(&self) -> &str {
        self.tenant.as_deref().unwrap_or("genesync.yaml")
    }
}

/// The counts of a plan.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Tenants that genesync checked.
    pub tenants: usize,
    /// Tenants with changes.
    pub tenants_changing: usize,
    /// Fields that git changed.
    pub to_apply: usize,
    /// Fields that another user changed.
    pub drift: usize,
    /// Fields that both changed.
    pub conflicts: usize,
    /// Fields that differ and that the tenant ignores.
    pub ignored: usize,
    /// Tenants whose manifests are not valid.
    pub invalid: usize,
    /// Tenants that genesync could not read.
    pub failed: usize,
    /// Tenants with changes in watch mode: genesync writes nothing.
    pub watched: usize,
    /// Tenants without a configuration in git.
    pub unmanaged: usize,
}

/// One tenant in a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantPlan {
    /// The name of the tenant.
    pub tenant: String,
    /// `planned`, `invalid` (see the findings), `unmanaged` (no configuration in git) or `failed`.
    pub state: &'static str,
    /// `watch` or `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// The digest of the tenant's plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What visitors will notice, most severe first.
    #[schemars(with = "Vec<String>")]
    pub visitors: Vec<Sentence>,
    /// The spans of the next 30 days in which visitors see a change of opening hours.
    pub moments: Vec<MomentDocument>,
    /// The organizations of the tenant, the primary first.
    pub targets: Vec<TargetDocument>,
    /// The refusals that block the plan.
    pub refusals: Vec<RefusalDocument>,
    /// What the change waits for, such as a change window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Why genesync could not read the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One organization in a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetDocument {
    /// The organization.
    pub organization_id: String,
    /// The object; left out if the organization has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// The region of the organization.
    pub region: &'static str,
    /// `primary` or `replica`.
    pub role: &'static str,
    /// The version that the plan is based on; null if there is no configuration.
    pub version: Option<u64>,
    /// Digest of the configuration that the plan is based on.
    pub observed_digest: String,
    /// Digest of the planned writes: `apply --plan` writes nothing if this digest changed in the meantime.
    pub digest: String,
    /// The fields that differ.
    pub changes: Vec<ChangeDocument>,
    /// Fields that git changed and that already have the new value.
    pub already_done: Vec<String>,
    /// Fields that differ and that the tenant ignores.
    pub ignored: Vec<String>,
    /// What a person has to decide before genesync writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<String>,
    /// What genesync does with the unpublished draft of another user, if `--draft` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub draft: Option<TheirDraft>,
    /// An unpublished draft of another user: the last editor, the time, and the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unfinished: Option<Unfinished>,
    /// Who made the live configuration, if it was another user and genesync has no record of what it applied
    /// last. A difference may then be a manual change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unrecorded: Option<Attribution>,
    /// The other program that wrote the object last, if the object has no field for the owner mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub another_program: Option<Actor>,
    /// Live fields that this build does not know: every write keeps their values.
    pub unknown: Vec<String>,
    /// The versions of a deployment's configuration, if `--edge` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionsDocument>,
}

/// The versions of a deployment's configuration: newest, pinned and served.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct VersionsDocument {
    /// The newest published version.
    pub newest: Option<u64>,
    /// The version that the deployment pins.
    pub pinned: Option<u64>,
    /// The version that the delivery network serves.
    pub served: Option<u64>,
}

/// One object of an organization.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ObjectDocument {
    /// The kind of the object, as in `kind:` of a manifest.
    pub kind: &'static str,
    /// The name of the object.
    pub name: String,
}

impl ObjectDocument {
    /// Returns the kind and, if the object has one, the name in the renderer's format.
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

/// Returns an object as a document; none for a kind that has only one object in each organization.
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
    /// The live value; null if the field is absent.
    pub observed: Option<Value>,
    /// The value in git; null if genesync will remove the field.
    pub desired: Option<Value>,
    /// The value that genesync applied last, before both git and another user changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Value>,
    /// Who changed the live value, when and from which address, if the audit log proves it. Otherwise
    /// `unknown` has the reason; `own` is true for a client of genesync.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub by: Option<Author>,
}

/// A field that git does not name and whose value genesync did not write or adopt, and no person accepted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedDocument {
    /// The tenant.
    pub tenant: String,
    /// The organization.
    pub organization_id: String,
    /// The region of the organization.
    pub region: &'static str,
    /// The object; left out if the organization has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// Dotted path in the API's shape.
    pub path: String,
    /// `cosmetic`, `text`, `behaviour`, `reach` or `off`: the effect on visitors.
    #[schemars(with = "String")]
    pub class: Class,
    /// The value before; null if the field was absent.
    pub was: Option<Value>,
    /// The live value; null if the field was removed.
    pub is: Option<Value>,
    /// Who changed the field, as in `changes`; left out if there is no newer version, so no user changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub by: Option<Author>,
    /// The change as a sentence.
    #[schemars(with = "String")]
    #[serde(rename = "told")]
    pub reported: Sentence,
}

/// A value that appeared in three or more organizations without an edit by a user.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDocument {
    /// The kind of the objects.
    pub kind: &'static str,
    /// Dotted path in the API's shape.
    pub path: String,
    /// The number of organizations.
    pub organizations: usize,
    /// The effect on visitors.
    #[schemars(with = "String")]
    pub class: Class,
    /// The change as a sentence.
    #[schemars(with = "String")]
    #[serde(rename = "told")]
    pub reported: Sentence,
}

/// The refusal of a guard.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalDocument {
    /// The name of the guard, for `--allow`.
    pub guard: &'static str,
    /// Why the guard refuses.
    pub message: String,
}

impl From<&Refusal> for RefusalDocument {
    fn from(refusal: &Refusal) -> Self {
        Self { guard: refusal.guard.name(), message: refusal.message.clone() }
    }
}

impl PlanDocument {
    /// Includes the open guards in the digest, so that `apply` of an approved plan needs no flag.
    pub fn bind(&mut self, allowed: Option<Allowed>) {
        if let Some(allowed) = &allowed {
            self.digest =
                opened_digest(&self.digest, allowed.guards.iter().map(String::as_str), &allowed.reason);
        }
        self.allowed = allowed;
    }
}

/// The guards that are open for one run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Allowed {
    /// The names of the guards.
    pub guards: Vec<String>,
    /// The reason.
    pub reason: String,
}

/// Returns the organizations of a plan.
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

/// Returns the role of an organization: the first one is the primary.
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
