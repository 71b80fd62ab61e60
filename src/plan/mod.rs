//! Stage 4 of 7: compares what git says, what is live and what we last applied, and lists the changes.
//!
//! In: [`Desired`], one [`Observed`] per organization, their [`Base`]s, the audit entries that tell who
//! moved what, [`crate::model::plan::Limits`]. Out: a [`Plan`], and the [`crate::model::Refusal`]s that keep it from being applied.
//! Never: reads YAML, wire formats, a clock or a store; writes anything.
//! Start reading at [`plan`], then `diff.rs`; `guard.rs` and `flapping.rs` say why a plan may not be applied.

pub mod canonical;
pub mod class;
pub mod diff;
pub mod flapping;
pub mod guard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    let mut targets: Vec<TargetPlan> = Vec::with_capacity(observed.len());
    for (target, observed) in tenant.targets().zip(observed) {
        let evidence = evidence.get(&target.organization).unwrap_or(&nothing);
        let (changes, already_done) = diff::changes(desired, observed, evidence);
        let live = observed.body();
        let observed_digest = json::digest(&live);
        // At rest, which is nearly always, there is nothing to write, and nothing to copy for it.
        let body = if changes.is_empty() { live } else { Arc::new(diff::target_body(desired, observed)) };
        // Copying the primary over this target is harmless where both would end up the same.
        let ours_to_overwrite =
            changes.is_empty() || targets.first().is_none_or(|primary| canonical::same(&primary.body, &body));
        targets.push(TargetPlan {
            target: target.clone(),
            version: observed.version(),
            observed_digest,
            changes,
            already_done,
            ignored: diff::ignored(desired, observed),
            body,
            ours_to_overwrite,
        });
    }
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
///
/// Every part ends in a NUL, which none of them can hold: names, ids and digests are printable, and JSON
/// escapes it.
fn digest(plan: &Plan) -> String {
    let mut bytes = Vec::with_capacity(256);
    let mut part = |text: &[u8]| {
        bytes.extend_from_slice(text);
        bytes.push(0);
    };
    part(plan.tenant.as_str().as_bytes());
    part(plan.revision.as_str().as_bytes());
    part(plan.mode.name().as_bytes());
    for target in &plan.targets {
        part(target.target.organization.as_str().as_bytes());
        part(target.target.region.key().as_bytes());
        part(target.version.map_or("none".into(), |version| version.to_string()).as_bytes());
        part(target.observed_digest.as_bytes());
        for change in &target.changes {
            let values =
                [&change.observed, &change.desired].map(|value| value.as_ref().map(json::canonical_bytes));
            part(change.path.as_bytes());
            part(change.kind.name().as_bytes());
            values.iter().for_each(|value| part(value.as_deref().unwrap_or(b"absent")));
        }
        if !target.changes.is_empty() {
            part(json::digest(&target.body).as_bytes());
        }
    }
    json::digest_bytes(&bytes)
}

#[cfg(test)]
mod tests;
