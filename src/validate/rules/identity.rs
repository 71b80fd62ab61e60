//! Checks the identity of a tenant: its folder, its name and its organizations.

use std::collections::BTreeMap;

use crate::model::{ObjectKind, Protect, Severity};
use crate::validate::{Context, Rule};

/// The rule. [`crate::validate::fleet::check`] finds two tenants that claim one organization.
pub const RULE: Rule = Rule {
    id: "identity",
    summary: "A tenant has the name of its folder, and every organization is named once, in one tenant",
    severity: Severity::Error,
    tunable: false,
    check,
};

fn check(context: &mut Context<'_>) {
    check_protected(context);
    check_api(context);
    let Some(spec) = context.manifest.tenant_spec() else { return };
    let primary = spec.get("region").and_then(|node| node.text());
    let replicas = spec.get("replicas").map(|node| node.items()).unwrap_or_default();
    let mut regions: BTreeMap<&str, usize> = primary.into_iter().map(|region| (region, 0)).collect();
    for (index, replica) in replicas.iter().enumerate() {
        let Some(node) = replica.get("region") else { continue };
        let Some(region) = node.text() else { continue };
        if regions.insert(region, index + 1).is_some() {
            context
                .find(
                    node.span,
                    format!("/spec/replicas/{index}/region"),
                    format!("this tenant has a second organization in `{region}`"),
                )
                .help("give each replica a region that neither the primary nor another replica has")
                .weigh(Severity::Warning);
        }
    }
}

/// Reports kinds that the tenant's API does not have.
fn check_api(context: &mut Context<'_>) {
    let manifest = context.manifest;
    let Some(tenant) = &manifest.tenant else { return };
    for document in &manifest.documents {
        let Some(node) = document.get("kind") else { continue };
        let Some(kind) = node.text().and_then(ObjectKind::from_name) else { continue };
        if kind.dialect() == tenant.dialect {
            continue;
        }
        let api = tenant.dialect.name();
        let kinds = ObjectKind::ALL.iter().filter(|kind| kind.dialect() == tenant.dialect);
        let kinds = kinds.map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        context
            .find(node.span, "/kind", format!("a tenant of the `{api}` API has no {}", kind.name()))
            .help(format!("use a kind of this API ({kinds}), or set another `api` in tenant.yaml"));
    }
}

/// Reports an invalid `protected` label, which would protect nothing.
fn check_protected(context: &mut Context<'_>) {
    for document in &context.manifest.documents {
        let Some(node) = document.path("metadata.labels").and_then(|labels| labels.get("protected")) else {
            continue;
        };
        if let Some(Err(word)) = node.text().map(Protect::read) {
            let words = Protect::ALL.map(Protect::name).join(", ");
            let message = format!(
                "`{word}` is not a value of the label `protected`: it is \"true\", \"false\", or a list of {words}, with commas between"
            );
            let help = "write protected: \"true\" to require an approval before a change switches something off, removes a domain or removes an object";
            context.find(node.span, "/metadata/labels/protected", message).help(help);
        }
    }
}
