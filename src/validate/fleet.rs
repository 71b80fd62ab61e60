//! Checks over all tenants: two manifests must not claim one organization.

use std::collections::BTreeMap;

use crate::model::{Finding, Location, OrganizationId, Severity, TenantName};

/// One organization id as a manifest names it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The tenant.
    pub tenant: TenantName,
    /// The organization.
    pub organization: OrganizationId,
    /// Where the manifest names it.
    pub location: Location,
    /// JSON pointer of the value.
    pub pointer: String,
}

/// Returns the organizations that one tenant's manifest claims.
pub fn claims(manifest: &crate::manifest::TenantManifest) -> Vec<Claim> {
    let Some(spec) = manifest.tenant_spec() else { return Vec::new() };
    let replicas = spec.get("replicas").map(|node| node.items()).unwrap_or_default();
    let named = std::iter::once((spec.get("organizationId"), "/spec/organizationId".to_owned())).chain(
        replicas.iter().enumerate().map(|(index, node)| {
            (node.get("organizationId"), format!("/spec/replicas/{index}/organizationId"))
        }),
    );
    named
        .filter_map(|(node, pointer)| {
            let node = node?;
            Some(Claim {
                tenant: manifest.name.clone(),
                organization: OrganizationId::new(node.text()?.to_ascii_lowercase()),
                location: manifest.files.locate(node.span),
                pointer,
            })
        })
        .collect()
}

/// Returns a finding for every claim on an organization that another manifest also claims. All of these
/// manifests are refused, because only a person can decide which tenant owns the organization.
pub fn check(claims: &[Claim]) -> Vec<Finding> {
    let mut by_organization: BTreeMap<&OrganizationId, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        by_organization.entry(&claim.organization).or_default().push(claim);
    }
    let mut findings = Vec::new();
    for rivals in by_organization.values().filter(|rivals| rivals.len() > 1) {
        for claim in rivals {
            let related = rivals
                .iter()
                .filter(|other| other.location != claim.location)
                .take(5)
                .map(|other| (other.location.clone(), format!("`{}` also claims it", other.tenant)))
                .collect();
            findings.push(Finding {
                rule: "identity",
                severity: Severity::Error,
                message: format!(
                    "the organization `{}` is claimed {} times",
                    claim.organization,
                    rivals.len()
                ),
                location: claim.location.clone(),
                pointer: claim.pointer.clone(),
                tenant: Some(claim.tenant.clone()),
                related,
                help: Some("give each organization to one tenant only".into()),
                fix: None,
                waived: None,
            });
        }
    }
    findings
}
