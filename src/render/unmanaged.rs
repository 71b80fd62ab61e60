//! Changes by other users in fields that git does not name. A plan lists them and writes none of them.
//!
//! In: plans. Out: documents with one sentence for each change.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::document::{PlanDocument, PlatformDocument, UnmanagedDocument, object};
use super::sentence::Sentence;
use super::value::pair;
use crate::model::author::Author;
use crate::model::plan::{TargetPlan, Unmanaged};
use crate::model::unmanaged::{PlatformChange, by_the_platform, noticed};
use crate::model::{Plan, Target};

/// The heading of such changes.
pub const OUTSIDE: &str = "Changed by other users, in fields that git does not name";

/// Most such changes in a text for people; a document for programs has all.
pub const REPORTED_MAX: usize = 100;

/// Returns the sentences to show, switched-off settings first, and the number of sentences that are left out.
pub fn reported(document: &PlanDocument) -> (impl Iterator<Item = &Sentence>, usize) {
    let platform = document.platform_changes.iter().map(|change| &change.reported);
    let all = document.unmanaged_changes.iter().map(|change| &change.reported).chain(platform);
    let count = document.unmanaged_changes.len() + document.platform_changes.len();
    (all.take(REPORTED_MAX), count.saturating_sub(REPORTED_MAX))
}

/// Returns the changes by other users, switched-off settings first, and the changes by the platform, each
/// once for all organizations.
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
    // `noticed` returns the changes in the same order.
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
    let reported = Sentence::new(change.class, format!("{}, ", plan.tenant));
    let reported = match named.is_implied() {
        true => reported,
        false => reported.words(format!("{} ", named.kind.name())).value(&*named.name).words(" of "),
    };
    let reported = reported
        .words(format!("organization {organization}: "))
        .value(&change.path)
        .words(format!(" ({}) changed from ", change.class.name()))
        .value(unquoted(&before))
        .words(" to ")
        .value(unquoted(&live))
        .words(", ");
    let reported = attributed(reported, change.author.as_ref());
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
        reported,
    }
}

/// Returns a text without its JSON quotes, because the sentence adds its own.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Adds the author of a change, or why the author is not known.
fn attributed(reported: Sentence, author: Option<&Author>) -> Sentence {
    let (own, by) = match author {
        None => return reported.words("no version was made since"),
        Some(Author::Unknown(untold)) => return reported.words(format!("author not known: {untold}")),
        Some(Author::Named(by)) => ("", by),
        Some(Author::Own(by)) => ("our own ", by),
    };
    let reported = reported.words(format!("{} {own}", by.preposition())).value(by.actor.label());
    let at = by.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    let reported = reported.words(at.unwrap_or_default());
    match &by.remote_ip {
        Some(ip) => reported.words(", from ").value(ip),
        None => reported,
    }
}

fn of_the_platform(change: PlatformChange) -> PlatformDocument {
    PlatformDocument {
        reported: Sentence::new(change.class, "the platform: ").value(&change.path).words(format!(
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
