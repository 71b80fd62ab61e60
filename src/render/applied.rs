//! The JSON document that `apply --format json` prints; its schema is `schemas/apply.json`.
//!
//! In: finished runs. Out: their document. Never: makes a decision. Start reading at [`result`].

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::document::{Allowed, ObjectDocument, RefusalDocument, TargetDocument, object, object_of, targets};
use crate::model::author::Untold;
use crate::model::record::Revert;
use crate::model::{Actor, Entry, Finding, Receipt, Standing, Status};
use crate::reconcile::{End, Run};

/// The document that `apply --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "genesync apply")]
pub struct ApplyDocument {
    /// The commit.
    pub revision: String,
    /// Who started the run: from the variables of the CI runner, otherwise user and host. This is a claim
    /// without proof.
    pub asked_by: String,
    /// Every tenant, sorted by name.
    pub tenants: Vec<TenantResult>,
    /// Guards that the operator opened for the run, and the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Allowed>,
    /// Refusals of the whole run.
    pub refusals: Vec<RefusalDocument>,
    /// Findings in the manifests.
    #[schemars(with = "Vec<Value>")]
    pub findings: Vec<Finding>,
    /// The exit code of the command.
    pub exit_code: u8,
}

/// The result of one tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantResult {
    /// The name of the tenant.
    pub tenant: String,
    /// The status of the tenant.
    pub status: &'static str,
    /// The reason, if the tenant is not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The changes that the run planned, the primary first.
    pub targets: Vec<TargetDocument>,
    /// A receipt for each write.
    pub receipts: Vec<ReceiptDocument>,
    /// Fields that other users had set and this run overwrote, with both values. The journal also keeps them.
    pub overwritten: Vec<OverwrittenDocument>,
    /// Audit entries of other users in the time window of the run.
    #[schemars(with = "Vec<Value>")]
    pub foreign: Vec<Entry>,
}

/// A field that another user had set and genesync overwrote.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverwrittenDocument {
    /// The organization.
    pub organization_id: String,
    /// The object; left out if the organization has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// The path of the field, as in plans: `greetings.delayMs`.
    pub path: String,
    /// The value that the other user had set; left out if the field was absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value that genesync wrote; left out if genesync removed the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Who had set the field, if the audit log proves it.
    #[schemars(with = "Option<Value>")]
    pub by: Option<Actor>,
}

/// Returns an overwritten field as a document.
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

/// The receipt of one write.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptDocument {
    /// The organization.
    pub organization_id: String,
    /// The object; left out if the organization has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectDocument>,
    /// The region of the organization.
    pub region: &'static str,
    /// The version before the write; null if there was none.
    pub from_version: Option<u64>,
    /// The version after the write.
    pub version: u64,
    /// `put`, `readback` (the response was lost) or `job` (replicated).
    #[schemars(with = "String")]
    pub by: crate::model::Receiver,
    /// Milliseconds from the request until the network serves the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_ms: Option<u64>,
    /// The audit entry; null if none appeared in time.
    pub audit_entry: Option<String>,
    /// Why there is no audit entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_untold: Option<String>,
    /// True if git declares that the audit log has no entries for this kind; genesync then requests none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaudited: Option<bool>,
}

/// Returns a finished run as a document.
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
