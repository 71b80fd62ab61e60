//! What somebody changed in fields that git does not name: told beside a plan, which writes nothing of it.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::document::{PlanDocument, PlatformDocument, UnmanagedDocument, object};
use super::sentence::Sentence;
use super::value::pair;
use crate::model::author::Author;
use crate::model::plan::{TargetPlan, Unmanaged};
use crate::model::unmanaged::{PlatformChange, by_the_platform, noticed};
use crate::model::{Plan, Target};

/// What stands above such changes.
pub const OUTSIDE: &str = "Changed by other users, in fields that git does not name";

/// Most such changes that are told where a person reads them; a document for programs has all.
pub const TOLD_MAX: usize = 100;

/// What is told of a plan, what was switched off first, and how much more there is.
pub fn told(document: &PlanDocument) -> (impl Iterator<Item = &Sentence>, usize) {
    let platform = document.platform_changes.iter().map(|change| &change.told);
    let all = document.unmanaged_changes.iter().map(|change| &change.told).chain(platform);
    let count = document.unmanaged_changes.len() + document.platform_changes.len();
    (all.take(TOLD_MAX), count.saturating_sub(TOLD_MAX))
}

/// What somebody changed, what was switched off first; and once for all organizations, what the platform did.
pub fn documents<'a>(
    plans: impl Iterator<Item = &'a Plan> + Clone,
) -> (Vec<UnmanagedDocument>, Vec<PlatformDocument>) {
    let all: Vec<_> = plans.clone().flat_map(|plan| noticed(plan, Timestamp::UNIX_EPOCH)).collect();
    let platform = by_the_platform(&all);
    let changes = plans.flat_map(|plan| {
        let of_target = move |target: &'a TargetPlan| target.unmanaged.iter().map(move |one| (target, one));
        plan.targets
            .iter()
            .flat_map(move |target| of_target(target))
            .map(move |(target, one)| (plan, target, one))
    });
    // In the order in which they were noticed.
    let theirs = changes.zip(&all).filter(|(_, noticed)| !platform.iter().any(|known| known.covers(noticed)));
    let mut theirs: Vec<UnmanagedDocument> =
        theirs.map(|((plan, target, change), _)| document(plan, target, change)).collect();
    theirs.sort_by_key(|change| Reverse(change.class));
    (theirs, platform.into_iter().map(of_the_platform).collect())
}

fn document(plan: &Plan, target: &TargetPlan, change: &Unmanaged) -> UnmanagedDocument {
    let [was, is] = change.shown();
    let [before, live] = pair(&change.path, was.as_ref(), is.as_ref());
    let Target { organization, object: named, .. } = &target.target;
    let told = Sentence::new(change.class, format!("{}, ", plan.tenant));
    let told = match named.is_implied() {
        true => told,
        false => told.words(format!("{} ", named.kind.name())).value(&*named.name).words(" of "),
    };
    let told = told
        .words(format!("organization {organization}: "))
        .value(&change.path)
        .words(format!(" ({}) changed from ", change.class.name()))
        .value(unquoted(&before))
        .words(" to ")
        .value(unquoted(&live))
        .words(", ");
    let told = attributed(told, change.author.as_ref());
    UnmanagedDocument {
        tenant: plan.tenant.to_string(),
        organization_id: target.target.organization.to_string(),
        region: target.target.region.key(),
        object: object(&target.target),
        path: change.path.clone(),
        class: change.class,
        was,
        is,
        by: change.author.clone(),
        told,
    }
}

/// A text as a sentence quotes it: without the marks that JSON sets.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// A sentence with who did it, or why nobody is named.
fn attributed(told: Sentence, author: Option<&Author>) -> Sentence {
    let (own, by) = match author {
        None => return told.words("no version was made since"),
        Some(Author::Unknown(untold)) => return told.words(format!("author not known: {untold}")),
        Some(Author::Named(by)) => ("", by),
        Some(Author::Own(by)) => ("our own ", by),
    };
    let told = told.words(format!("{} {own}", by.preposition())).value(by.actor.label());
    let at = by.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    let told = told.words(at.unwrap_or_default());
    match &by.remote_ip {
        Some(ip) => told.words(", from ").value(ip),
        None => told,
    }
}

fn of_the_platform(change: PlatformChange) -> PlatformDocument {
    PlatformDocument {
        told: Sentence::new(change.class, "the platform: ").value(&change.path).words(format!(
            " ({}) of {}, in {} organizations",
            change.class.name(),
            change.kind.name(),
            change.organizations
        )),
        kind: change.kind.name(),
        path: change.path,
        organizations: change.organizations,
        class: change.class,
    }
}
