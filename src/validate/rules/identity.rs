//! Who a tenant is: one folder, one name, organizations of its own.

use std::collections::BTreeMap;

use crate::model::{ObjectKind, Protect, Severity};
use crate::validate::{Context, Rule};

/// The rule. Claims of two tenants on one organization are found by [`crate::validate::fleet::check`].
pub const RULE: Rule = Rule {
    id: "identity",
    summary: "A tenant has its folder's name, and every organization belongs to one place in one tenant",
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
                .help("a replica serves another region than the primary and the other replicas")
                .weigh(Severity::Warning);
        }
    }
}

/// What one API manages, the other does not know.
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
        context.find(node.span, "/kind", format!("a tenant of the `{api}` API has no {}", kind.name())).help(
            format!("kinds of this API: {kinds}; `api` in tenant.yaml says which one the tenant speaks"),
        );
    }
}

/// A label that is meant to protect and does not would be found out too late.
fn check_protected(context: &mut Context<'_>) {
    for document in &context.manifest.documents {
        let Some(node) = document.path("metadata.labels").and_then(|labels| labels.get("protected")) else {
            continue;
        };
        if let Some(Err(word)) = node.text().map(Protect::read) {
            let words = Protect::ALL.map(Protect::name).join(", ");
            let message = format!(
                "the label `protected` has no `{word}`: it is \"true\", \"false\", or some of {words}, with commas between"
            );
            let help = "write protected: \"true\" to be asked before anything is switched off, a domain is taken away, or an object is removed";
            context.find(node.span, "/metadata/labels/protected", message).help(help);
        }
    }
}
