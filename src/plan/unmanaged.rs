//! Finds the changes of other users in fields that git does not name.
//!
//! In: desired and observed of an object, and its [`Baseline`]. Out: [`Unmanaged`] changes, or a
//! desired state that also names the earlier values. This module never reports a field that git names, and
//! never names an author if no version was made since. Start reading at [`changes`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::class::{Step, class_of};
use super::diff::{self, Field};
use super::owner::without_mark;
use super::{Evidence, author, canonical, resolve};
use crate::model::plan::Unmanaged;
use crate::model::seal::holds_digests;
use crate::model::{
    Base, Baseline, Counting, Desired, ObjectKind, Observed, OnUnmanaged, Receipt, Receiver, Revision,
    Stored, json,
};

/// Returns the differences from the baseline in fields that git does not name, in path order.
pub fn changes(
    kind: ObjectKind,
    desired: &Desired,
    observed: &Observed,
    evidence: &Evidence<'_>,
) -> Vec<Unmanaged> {
    let (Observed::Present(stored), Some(baseline)) = (observed, evidence.baseline.as_deref()) else {
        return Vec::new();
    };
    let before = as_base(baseline);
    let evidence = Evidence { base: Some(&before), ..evidence.clone() };
    let step = Step { kind, before: &baseline.body, after: &stored.body };
    let of_path = |path: String| {
        let value = |body: &Map<String, Value>| {
            json::at_dotted(body, &path).map(|value| without_mark(kind, &path, value))
        };
        let (was, is) = (value(&baseline.body), value(&stored.body));
        let field = Field { kind, path: &path, wanted: was.as_ref(), found: is.as_ref() };
        let author = match is_untouched(kind, stored, baseline) {
            true => None,
            false => Some(author::author(field, stored, &evidence).0),
        };
        Unmanaged { class: class_of(step, &path), was, is, author, path }
    };
    paths(kind, desired, stored, baseline).into_iter().map(of_path).collect()
}

/// Returns the changes that genesync reports instead of setting back or ignoring them. It also reports the
/// changes that it cannot set back.
pub fn reported(policy: OnUnmanaged, changes: impl FnOnce() -> Vec<Unmanaged>) -> Vec<Unmanaged> {
    let can_not_be_set_back = |change: &Unmanaged| change.was.as_ref().is_some_and(holds_digests);
    match policy {
        OnUnmanaged::Report => changes(),
        OnUnmanaged::Drift => changes().into_iter().filter(can_not_be_set_back).collect(),
        OnUnmanaged::Ignore => Vec::new(),
    }
}

/// Returns whether no version was made since the baseline. The platform itself then made the differences.
fn is_untouched(kind: ObjectKind, stored: &Stored, baseline: &Baseline) -> bool {
    kind.counting() != Counting::Contents && stored.version == baseline.version
}

/// Returns the fields that differ from the baseline and that git does not name.
fn paths(kind: ObjectKind, desired: &Desired, stored: &Stored, baseline: &Baseline) -> Vec<String> {
    if *baseline.body == *stored.body {
        return Vec::new();
    }
    // An object that replaced another one has no baseline, and neither has an object that was never
    // published.
    let is_another = baseline.id.as_ref().zip(stored.id()).is_some_and(|(known, id)| known != id);
    if desired.exclusive || is_another || stored.version == 0 && kind.has_drafts() {
        return Vec::new();
    }
    // A section is reported by its fields, and an empty section is not reported.
    let is_section = |body, path: &str| json::at_dotted(body, path).is_none_or(Value::is_object);
    let is_field = |path: &str| !is_section(&*baseline.body, path) || !is_section(&*stored.body, path);
    let mut paths = diff::differing(kind, &baseline.body, &stored.body);
    paths.retain(|path| is_field(path) && !resolve::names(desired, path) && !is_the_servers(kind, path));
    paths
}

/// Returns whether the server sets a field, such as a timestamp.
fn is_the_servers(kind: ObjectKind, path: &str) -> bool {
    kind.fields().server.iter().any(|section| json::lies_in(path, section))
}

/// Returns the desired state with the baseline values of fields that another user changed and that git does
/// not name, if the policy is drift. A confidential value is stored only as a digest, so genesync cannot set
/// it back: it stays, and [`changes`] reports it.
pub fn named<'a>(
    policy: OnUnmanaged,
    kind: ObjectKind,
    desired: Cow<'a, Desired>,
    observed: &Observed,
    baseline: Option<&Baseline>,
) -> Cow<'a, Desired> {
    let (OnUnmanaged::Drift, Observed::Present(stored), Some(baseline)) = (policy, observed, baseline) else {
        return desired;
    };
    if paths(kind, &desired, stored, baseline).is_empty() {
        return desired;
    }
    let undone = Undoing { kind }.of([&stored.body, &baseline.body, &desired.body], &mut String::new());
    let mut body = Map::clone(&desired.body);
    json::graft(&mut body, &undone);
    Cow::Owned(Desired { body: Arc::new(body), ..desired.into_owned() })
}

/// Sets back changes in fields that git does not name.
struct Undoing {
    kind: ObjectKind,
}

impl Undoing {
    /// Returns the values that set one section back. The input is its live, earlier and desired content. A
    /// field that did not exist earlier gets `null`.
    fn of(&self, [live, before, named]: [&Map<String, Value>; 3], path: &mut String) -> Map<String, Value> {
        let empty = Map::new();
        let mut undone = Map::new();
        let added = live.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            let length = path.len();
            if length > 0 {
                path.push('.');
            }
            path.push_str(key);
            let (is, was, git) = (live.get(key), before.get(key), named.get(key));
            let section = |value: Option<&'_ Value>| value.is_none_or(Value::is_object);
            let inner = |value: Option<&'_ Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
            let is_whole = git.is_none() && (is.is_none() || was.is_none());
            if is_the_servers(self.kind, path) {
            } else if section(is) && section(was) && section(git) && !is_whole {
                let inner = self.of([&inner(is), &inner(was), &inner(git)], path);
                if !inner.is_empty() {
                    undone.insert(key.clone(), Value::Object(inner));
                }
            } else if was.is_some_and(holds_digests) {
            } else if git.is_none() && !canonical::equal(self.kind, path, was, is) {
                undone.insert(key.clone(), was.cloned().unwrap_or(Value::Null));
            }
            path.truncate(length);
        }
        undone
    }
}

/// Returns the base for reports on changes of other users: the baseline's body and version. The newer base
/// may already contain these changes, or there may be no base yet.
pub fn before(base: Option<&Base>, known: &Baseline) -> Base {
    let rest = base.cloned().unwrap_or_else(|| as_base(known));
    Base { version: known.version, body: Arc::clone(&known.body), ..rest }
}

/// Converts a baseline to a base, which is the input for finding authors.
fn as_base(baseline: &Baseline) -> Base {
    Base {
        version: baseline.version,
        body: Arc::clone(&baseline.body),
        revision: Revision::new(""),
        id: baseline.id.clone(),
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    }
}

/// Returns the new baseline of an object that is in sync with git; none if it equals the base.
///
/// The baseline takes over genesync's own writes, and the changes that a person allowed to be published with
/// them. It keeps reporting the changes of other users: a write of genesync contains them but does not accept
/// them.
pub fn kept(
    kind: ObjectKind,
    desired: &Desired,
    (stored, base): (&Stored, &Map<String, Value>),
    known: &Baseline,
    written: &[&Receipt],
    let_along: &[String],
) -> Option<Baseline> {
    // A replication job copies every field.
    if written.iter().any(|receipt| receipt.by == Receiver::Job) {
        return None;
    }
    let left = paths(kind, desired, stored, known).into_iter().filter(|path| !let_along.contains(path));
    let left: BTreeSet<String> = left.collect();
    if left.is_empty() {
        return None;
    }
    let mut body = json::pick(base, &|path| !left.contains(path));
    json::overlay(&mut body, &json::pick(&known.body, &|path| left.contains(path)));
    Some(Baseline { version: known.version, body: Arc::new(body), id: stored.id().cloned() })
}

/// Returns the new baseline after a person accepted some of the differences; none if no difference is
/// accepted.
pub fn accepted(
    kind: ObjectKind,
    desired: &Desired,
    stored: &Stored,
    known: &Baseline,
    is_accepted: impl Fn(&str) -> bool,
) -> Option<Baseline> {
    let paths = paths(kind, desired, stored, known);
    let accepted: BTreeSet<&String> = paths.iter().filter(|path| is_accepted(path)).collect();
    if accepted.is_empty() {
        return None;
    }
    let mut body = json::pick(&known.body, &|path| !accepted.contains(&path.to_owned()));
    json::overlay(&mut body, &json::pick(&stored.body, &|path| accepted.contains(&path.to_owned())));
    let version = if accepted.len() == paths.len() { stored.version } else { known.version };
    Some(Baseline { version, body: Arc::new(body), id: stored.id().cloned() })
}

/// Returns the newest version that is reached from `version` by genesync's own writes only.
pub fn followed(version: u64, written: &[&Receipt]) -> u64 {
    let next = |version| written.iter().find(|receipt| receipt.from_version == Some(version));
    let mut newest = version;
    while let Some(receipt) = next(newest).filter(|receipt| receipt.version > newest) {
        newest = receipt.version;
    }
    newest
}
