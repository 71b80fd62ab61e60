//! Which parts of a plan a reviewer sees, and in which order; comments and pages share it.
//!
//! In: the document of a plan. Out: tenants, findings and counts to show.

use super::document::{ChangeDocument, PlanDocument, TargetDocument, TenantPlan};
use super::value::counted;
use crate::model::author::Author;
use crate::model::{Class, Finding, Severity, TenantName};

/// Returns whether the review shows an organization.
pub fn is_reported(target: &TargetDocument) -> bool {
    let is_quiet = target.changes.is_empty() && target.ignored.is_empty() && target.undecided.is_none();
    !is_quiet || target.unfinished.is_some()
}

/// Returns whether the review shows a tenant: it changes, fails, is not valid, or is refused.
pub fn is_shown(tenant: &TenantPlan) -> bool {
    let troubled = matches!(tenant.state, "invalid" | "failed") || !tenant.refusals.is_empty();
    troubled || tenant.targets.iter().any(is_reported)
}

/// Returns the tenants to show, most urgent first.
pub fn worst_first(document: &PlanDocument) -> Vec<&TenantPlan> {
    let mut shown: Vec<&TenantPlan> = document.tenants.iter().filter(|tenant| is_shown(tenant)).collect();
    shown.sort_by_key(|tenant| std::cmp::Reverse(weight(tenant)));
    shown
}

/// Returns the errors that make a tenant not valid.
pub fn own_errors<'a>(findings: &'a [Finding], tenant: &TenantPlan) -> Vec<&'a Finding> {
    let is_own = |finding: &&Finding| {
        let name = finding.tenant.as_ref().map(TenantName::as_str);
        finding.severity == Severity::Error && name == Some(tenant.tenant.as_str())
    };
    if tenant.state == "invalid" { findings.iter().filter(is_own).collect() } else { Vec::new() }
}

/// Returns the findings that are not yet reported.
pub fn but<'a>(findings: &[&'a Finding], reported: &[&'a Finding]) -> Vec<&'a Finding> {
    let is_reported = |finding: &&Finding| reported.iter().any(|other| std::ptr::eq(*other, *finding));
    findings.iter().copied().filter(|finding| !is_reported(finding)).collect()
}

/// Returns the urgency of a tenant: its state, then the class of its changes, then their number.
fn weight(tenant: &TenantPlan) -> (u8, Option<Class>, usize) {
    let trouble = match tenant.state {
        "failed" => 4,
        "invalid" => 3,
        _ if !tenant.refusals.is_empty() => 2,
        _ if tenant.targets.iter().any(|target| target.undecided.is_some()) => 1,
        _ => 0,
    };
    (trouble, worst(tenant), tenant.targets.iter().map(|target| target.changes.len()).sum())
}

/// Returns the most severe class of a tenant's changes.
pub fn worst(tenant: &TenantPlan) -> Option<Class> {
    tenant.targets.iter().flat_map(|target| &target.changes).map(|change| change.class).max()
}

/// Returns the plan in one line: `3 of 12 tenants change, 1 not valid`.
pub fn headline(document: &PlanDocument) -> String {
    let summary = &document.summary;
    let mut parts = Vec::new();
    if summary.tenants_changing > 0 {
        let verb = if summary.tenants == 1 { "changes" } else { "change" };
        parts.push(format!("{} of {} {verb}", summary.tenants_changing, counted(summary.tenants, "tenant")));
    }
    let more = [
        (summary.watched, "only watched"),
        (summary.invalid, "not valid"),
        (summary.failed, "could not be read"),
        (summary.conflicts, "in conflict"),
    ];
    parts.extend(more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    if !document.management.is_empty() {
        parts.push("changes to what git manages".into());
    }
    if !document.unmanaged_changes.is_empty() {
        let fields = counted(document.unmanaged_changes.len(), "field");
        parts.push(format!("other users changed {fields} that git does not name"));
    }
    if parts.is_empty() {
        parts.push("no changes".into());
        let in_sync = summary.tenants.saturating_sub(summary.unmanaged);
        if in_sync > 0 || summary.unmanaged == 0 {
            parts.push(format!("{} in sync", counted(in_sync, "tenant")));
        }
    }
    if summary.unmanaged > 0 {
        parts.push(format!("{} with nothing to manage", summary.unmanaged));
    }
    parts.join(", ")
}

/// Returns a remark on a field that the manifests may not contain.
pub fn remark(path: &str) -> Option<&'static str> {
    (path == "widget.accessibility.contrastRatio")
        .then_some("computed from the colours unless a manifest names it")
}

/// Returns whether a replica differs from git in the same way as its primary. Ids of references differ
/// between organizations, so they do not count.
pub fn is_as_primary(targets: &[TargetDocument], target: &TargetDocument) -> bool {
    let name =
        |target: &TargetDocument| target.object.as_ref().map(|object| (object.kind, object.name.clone()));
    let primary = targets.iter().find(|known| known.role == "primary" && name(known) == name(target));
    let refers = |path: &str| {
        path.ends_with(".id") || path.ends_with("integrationId") || path == "configuration.version"
    };
    let same = |(one, other): (&ChangeDocument, &ChangeDocument)| {
        let values = (&one.observed, &one.desired) == (&other.observed, &other.desired);
        let same_author = Author::is_same(one.by.as_ref(), other.by.as_ref());
        one.path == other.path && one.kind == other.kind && same_author && (values || refers(&one.path))
    };
    let alike = |primary: &TargetDocument| {
        primary.changes.len() == target.changes.len()
            && primary.changes.iter().zip(&target.changes).all(same)
            && primary.ignored == target.ignored
            // The review reports decisions and drafts for each organization.
            && [primary, target].iter().all(|side| {
                side.undecided.is_none() && side.draft.is_none() && side.unfinished.is_none()
            })
    };
    target.role != "primary" && primary.is_some_and(alike)
}
