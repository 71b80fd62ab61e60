//! Stage 4 of 7: compares what git says, what is live and what we last applied, and lists the changes.
//!
//! In: [`Desired`], one [`Observed`] per organization, their [`Base`]s, the audit entries that tell who
//! moved what, [`crate::model::plan::Limits`]. Out: a [`Plan`], and the [`crate::model::Refusal`]s that keep it from being applied.
//! Never: reads YAML, wire formats, a clock or a store; writes anything.
//! Start reading at [`plan`], then `diff.rs`.

pub mod canonical;
pub mod class;
pub mod diff;
pub mod guard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::model::plan::TargetPlan;
use crate::model::{Base, Desired, Entry, Observed, OrganizationId, Plan, Revision, Tenant, json};

/// What is known of one organization when a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Evidence<'a> {
    /// What we last applied there.
    pub base: Option<&'a Base>,
    /// What git said at the revision that counts as applied, where no base is known (`plan --since`).
    pub desired_before: Option<&'a Desired>,
    /// Audit entries of the organization, in any order, possibly twice.
    pub entries: &'a [Entry],
    /// Ids of our own OAuth clients: what they moved is no drift.
    pub own_clients: Option<&'a BTreeSet<String>>,
}

/// Compares one tenant's organizations with what git says.
///
/// `observed` holds the primary first, then the replicas, in the tenant's order; an organization that is
/// missing from it is left out of the plan.
pub fn plan(
    tenant: &Tenant,
    revision: &Revision,
    desired: &Desired,
    observed: &[Observed],
    evidence: &BTreeMap<OrganizationId, Evidence<'_>>,
) -> Plan {
    let nothing = Evidence::default();
    let bodies: Vec<Arc<_>> =
        observed.iter().map(|observed| Arc::new(diff::target_body(desired, &observed.body()))).collect();
    let source = bodies.first();
    let targets = tenant
        .targets()
        .zip(observed.iter().zip(&bodies))
        .map(|(target, (observed, body))| {
            let evidence = evidence.get(&target.organization).unwrap_or(&nothing);
            let (changes, already_done) = diff::changes(desired, observed, evidence);
            TargetPlan {
                target: target.clone(),
                version: observed.version(),
                observed_digest: json::digest(&observed.body()),
                changes,
                already_done,
                // Copying the primary over this target is harmless where both would end up the same.
                ours_to_overwrite: source.is_some_and(|source| canonical::same(source, body)),
                body: Arc::clone(body),
            }
        })
        .collect();
    let mut plan = Plan {
        tenant: tenant.name.clone(),
        revision: revision.clone(),
        mode: tenant.mode,
        targets,
        digest: String::new(),
    };
    plan.digest = digest(&plan);
    plan
}

/// The digest of everything that a plan would do and was based on. The attribution is left out: who did
/// it does not change what is done.
fn digest(plan: &Plan) -> String {
    let mut value = serde_json::to_value(plan).unwrap_or(Value::Null);
    if let Some(targets) = value.get_mut("targets").and_then(Value::as_array_mut) {
        for (target, planned) in targets.iter_mut().zip(&plan.targets) {
            for change in target.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(change) = change.as_object_mut() {
                    change.remove("by");
                }
            }
            if let Some(target) = target.as_object_mut() {
                target.insert("body".into(), Value::Object(planned.body.as_ref().clone()));
            }
        }
    }
    json::digest_bytes(&json::canonical_bytes(&value))
}

#[cfg(test)]
mod tests;
