//! What `apply --format json` prints: the shape is committed as `schemas/apply.json`.
//!
//! In: finished runs. Out: their document. Never: decides. Start reading at [`result`].

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::document::{Allowed, ObjectDocument, RefusalDocument, TargetDocument, object, object_of, targets};
use crate::model::author::Untold;
use crate::model::record::Revert;
use crate::model::{Actor, Entry, Finding, Receipt, Standing, Status};
use crate::reconcile::{End, Run};

/// What `apply --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "genesync apply")]
pub struct ApplyDocument {
    /// The commit.
    pub revision: String,
    /// Who ran it, as claimed: by the variables of a runner, else user and host. Nothing proves it.
    pub asked_by: String,
    /// Every tenant, by name.
    pub tenants: Vec<TenantResult>,
    /// Guards that were opened for the run, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// What the run as a whole may not do.
    pub refusals: Vec<RefusalDocument>,
    /// What is wrong with manifests.
    #[schemars(with = "Vec<Value>")]
    pub findings: Vec<Finding>,
    /// The exit code of the command.
    pub exit_code: u8,
}

/// What became of one tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantResult {
    /// Its name.
    pub tenant: String,
    /// Its status.
    pub status: &'static str,
    /// Why, where it is not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the run set out to change, the primary first.
    pub targets: Vec<TargetDocument>,
    /// Proof of each write.
    pub receipts: Vec<ReceiptDocument>,
    /// Fields that other users had set and this run overwrote, with both values. The journal keeps them, too.
    pub overwritten: Vec<OverwrittenDocument>,
    /// Entries by others in the window of the run.
    #[schemars(with = "Vec<Value>")]
    pub foreign: Vec<Entry>,
}

/// A field that another user had set and a write of ours overwrote.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverwrittenDocument {
    /// The organization.
    pub organization_id: String,
    /// Which of its objects; left out where it has but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// The field, as plans write it: `greetings.delayMs`.
    pub path: String,
    /// The value that the other user had set; left out where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value that was written; left out where the field was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Who had set it, if that is proved.
    #[schemars(with = "Option<Value>")]
    pub by: Option<Actor>,
}

/// A field that was overwritten, as a document.
pub fn overwritten(revert: &Revert) -> OverwrittenDocument {
    let Revert { object: whole, path, by, theirs, ours, at: _ } = revert;
    OverwrittenDocument {
        organization_id: whole.organization.to_string(),
        object: object_of(&whole.object),
        path: path.clone(),
        before: theirs.clone(),
        after: ours.clone(),
        by: by.clone(),
    }
}

/// Proof of one write.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptDocument {
    /// The organization.
    pub organization_id: String,
    /// Which of its objects; left out where it has but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// Its region.
    pub region: &'static str,
    /// The version before; null where there was none.
    pub from_version: Option<u64>,
    /// The version that the write made.
    pub version: u64,
    /// `put`, `readback` (the answer was lost) or `job` (replicated).
    #[schemars(with = "String")]
    pub by: crate::model::Receiver,
    /// Milliseconds from asking to serving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_ms: Option<u64>,
    /// The audit entry; null where none appeared in time.
    pub audit_entry: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_untold: Option<String>,
    /// True if git says that the audit log has no entries of this kind: then none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaudited: Option<bool>,
}

/// A finished run as a document.
pub fn result(run: &Run) -> TenantResult {
    let standing = |receipt: &Receipt| {
        let held = run.confirmation().into_iter().flat_map(|confirmation| &confirmation.receipts);
        let standing = held.clone().find(|(known, _)| known == receipt).map(|(_, standing)| standing);
        match standing {
            Some(Standing::Confirmed { entry, .. }) => (Some(entry.clone()), None),
            Some(Standing::Untold { why }) => (None, Some(why.to_string())),
            None => (None, Some(Untold::NotLookedFor.to_string())),
        }
    };
    let is_unaudited = |receipt: &Receipt| run.spec().limits.unaudited.contains(&receipt.target.object.kind);
    let receipts = run.receipts().iter().map(|receipt| ReceiptDocument {
        organization_id: receipt.target.organization.to_string(),
        object: object(&receipt.target),
        region: receipt.target.region.key(),
        from_version: receipt.from_version,
        version: receipt.version,
        by: receipt.by,
        served_ms: run.served_ms().get(&receipt.target.object_ref()).copied(),
        audit_entry: standing(receipt).0,
        audit_untold: standing(receipt).1.filter(|_| !is_unaudited(receipt)),
        unaudited: is_unaudited(receipt).then_some(true),
    });
    TenantResult {
        tenant: run.spec().tenant.name.to_string(),
        status: run.end().and_then(End::status).map_or("", Status::word),
        reason: run.reason(),
        targets: run.first_plan().map(targets).unwrap_or_default(),
        receipts: receipts.collect(),
        overwritten: run.overwritten().iter().map(overwritten).collect(),
        foreign: run
            .confirmation()
            .map(|confirmation| confirmation.foreign.iter().map(Entry::shown).collect())
            .unwrap_or_default(),
    }
}
