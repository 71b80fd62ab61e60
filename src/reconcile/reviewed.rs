//! Reviewed plans: genesync writes only what a person has reviewed.
//!
//! An object that differs from the reviewed plan is set aside and not written; the others are written as
//! approved.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Run;
use crate::model::plan::{ReviewedObject, TargetPlan};
use crate::model::{Change, ObjectKind, ObjectRef, Observed, Plan, json};
use crate::plan::{canonical, diff, resolve};

/// Whether the live body lies between the planned and the desired state: field by field, a write passes such
/// states.
fn is_between(
    kind: ObjectKind,
    planned: &TargetPlan,
    wanted: &Map<String, Value>,
    held: &Map<String, Value>,
) -> bool {
    let untouched = |path: &String| {
        let live = json::at_dotted(held, path);
        planned.changes.iter().any(|change| change.path == *path && live == change.observed.as_ref())
    };
    diff::differing(kind, wanted, held).iter().all(untouched)
}

impl Run {
    /// Removes from a plan the objects that differ from the reviewed plan.
    pub(super) fn hold_to_review(&mut self, plan: &mut Plan) {
        if self.spec.reviewed.is_none() {
            return;
        }
        for (at, target) in plan.targets.iter().enumerate() {
            let object = target.target.object_ref();
            if let (false, Some(reason)) = (self.is_set_aside(&object), self.not_as_reviewed(at, target)) {
                self.set_aside.insert(object, reason);
            }
        }
        self.set_aside_what_follows(plan);
        for (target, observed) in plan.targets.iter_mut().zip(&self.observed) {
            if self.set_aside.contains_key(&target.target.object_ref()) {
                let target = Arc::make_mut(target);
                target.changes.clear();
                (target.next, target.draft) = (None, None);
                target.body = observed.body();
                target.ours_to_overwrite = false;
            }
        }
    }

    /// Sets aside the objects that depend on others that are set aside: a replica gets what the primary
    /// holds, and an object needs those that it refers to.
    fn set_aside_what_follows(&mut self, plan: &Plan) {
        for target in plan.targets.iter().filter(|target| !target.changes.is_empty()) {
            let object = target.target.object_ref();
            let primary =
                ObjectRef { organization: self.spec.tenant.primary.organization.clone(), ..object.clone() };
            let resource = self.spec.resources.iter().find(|known| known.object == target.target.object);
            let needs = |other: &ObjectRef| {
                other.organization == object.organization
                    && resource.is_some_and(|resource| resolve::refers_to(resource, &other.object))
            };
            let before = self.set_aside.keys().find(|other| **other == primary || needs(other));
            if let (Some(before), false) = (before, self.is_set_aside(&object)) {
                let reason = format!("{}: depends on {before}, which is not as reviewed", target.target);
                self.set_aside.insert(object, reason);
            }
        }
    }

    /// Returns why an object may not be written; none if it may, or if there is nothing to write.
    fn not_as_reviewed(&self, at: usize, target: &TargetPlan) -> Option<String> {
        if target.changes.is_empty() && target.next.is_none() {
            return None;
        }
        let object = target.target.object_ref();
        let Some(first) = &self.first_plan else {
            let reviewed = self.spec.reviewed.as_ref()?.get(&object);
            return match reviewed {
                Some(reviewed) if reviewed.digest == target.content_digest() => None,
                Some(reviewed) => Some(self.moved(at, target, reviewed)),
                None => Some(format!("{}: the reviewed plan does not contain it", target.target)),
            };
        };
        // Later in the run, the state is what the plan read or what genesync wrote since; anything else is
        // another user's.
        let unknown = || Some(format!("{}: the reviewed plan does not contain it", target.target));
        let planned = first.targets.iter().find(|known| known.target == target.target);
        let reviewed = self.spec.reviewed.as_ref().and_then(|all| all.get(&object));
        let (Some(planned), Some(observed), Some(reviewed)) = (planned, self.observed.get(at), reviewed)
        else {
            return unknown();
        };
        let kind = object.object.kind;
        let held = observed.body();
        let wanted = || resolve::made_since(&planned.body, &self.desired(at).body);
        let made =
            || target.version.is_some_and(|version| self.own_versions.contains(&(object.clone(), version)));
        let ours = target.observed == planned.observed
            || target.observed_digest() == planned.observed_digest()
            || canonical::same(kind, &planned.body, &held)
            || made()
            || kind.is_written_by_field() && is_between(kind, planned, &wanted(), &held);
        // A draft that another user left or changed since then was not reviewed either.
        let same_draft = target.draft.is_none() || target.draft == planned.draft;
        (!ours || !same_draft).then(|| self.moved(at, target, reviewed))
    }

    /// Returns what changed since the review, and the user.
    fn moved(&self, at: usize, target: &TargetPlan, reviewed: &ReviewedObject) -> String {
        let mut reported: Vec<String> = Vec::new();
        let number = |version: Option<u64>| version.map_or("none".to_owned(), |version| version.to_string());
        let counts = target.target.object.kind.counts_versions();
        let has_other_version = counts && target.version != reviewed.version;
        if has_other_version {
            reported.push(format!("version {} -> {}", number(reviewed.version), number(target.version)));
        }
        let known = |path: &str| reviewed.changes.iter().find(|(known, ..)| known == path);
        for change in &target.changes {
            let path = &change.path;
            let [live, git] = change.shown();
            match known(path) {
                Some((_, seen, _)) if *seen != live => {
                    reported.push(format!("{path} was {} and is {}", short(seen), short(&live)));
                }
                // An object that this run created has its id only since then.
                Some((_, _, wanted))
                    if *wanted == git || wanted.as_ref().is_some_and(resolve::is_made_in_run) => {}
                Some((_, _, wanted)) => {
                    reported.push(format!(
                        "the desired value of {path} was {} and is {}",
                        short(wanted),
                        short(&git)
                    ));
                }
                None => reported.push(format!("{path} matched git and is {}", short(&live))),
            }
        }
        let object = target.target.object_ref();
        let is_written = self.receipts.iter().any(|receipt| receipt.target.object_ref() == object);
        for (path, ..) in reviewed.changes.iter().filter(|_| !is_written) {
            if !target.changes.iter().any(|change| change.path == *path) {
                reported.push(format!("{path} matches git now"));
            }
        }
        if reported.len() == usize::from(has_other_version) {
            let what = match counts {
                true => "an unmanaged field changed",
                false => "it was written again, or an unmanaged field changed",
            };
            reported.push(what.into());
        }
        let more = reported.len().saturating_sub(6);
        reported.truncate(6);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let by = target.changes.iter().find_map(Change::by).map(|by| by.actor.label().into_owned());
        let by = by.or_else(|| match self.observed.get(at)? {
            Observed::Present(stored) => stored.modified_by.as_ref().map(|actor| actor.label().into_owned()),
            Observed::Absent => None,
        });
        let by = by.map(|by| format!(", last changed by {by}")).unwrap_or_default();
        format!("{}: {}{more}{by}", target.target, reported.join("; "))
    }

    /// Whether an object is not written because it differs from the reviewed plan.
    pub(super) fn is_set_aside(&self, object: &ObjectRef) -> bool {
        self.set_aside.contains_key(object)
    }

    /// Returns the objects that were not written because they differ from the reviewed plan; none if all
    /// match.
    pub fn moved_since_review(&self) -> Option<String> {
        let reported: Vec<&str> = self.set_aside.values().map(String::as_str).collect();
        (!reported.is_empty()).then(|| format!("not as reviewed, and left as it is: {}", reported.join("; ")))
    }
}

/// Returns a value as short text.
fn short(value: &Option<Value>) -> String {
    let Some(value) = value else { return "absent".into() };
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(59).chain(['…']).collect() }
}
