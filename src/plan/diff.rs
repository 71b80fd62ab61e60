//! Compares one object field by field.
//!
//! In: desired, observed and the evidence about the object. Out: its changes, and the body to write.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Evidence;
use super::author;
use super::canonical;
use super::class::{Step, class_of, class_of_new, loss_of};
use super::owner::without_mark;
use crate::model::author::Author;
use crate::model::{Change, ChangeKind, Class, Desired, ObjectKind, Observed, json};

/// Returns whether the ignore rules apply. An object that does not exist yet gets every field, because there
/// is no value to keep.
fn ignores_any(desired: &Desired, observed: &Observed) -> bool {
    !desired.ignored.is_empty() && observed.version().is_some()
}

/// Returns the desired fields that are not ignored.
fn in_force<'a>(desired: &'a Desired, observed: &Observed) -> Cow<'a, Map<String, Value>> {
    if ignores_any(desired, observed) {
        Cow::Owned(json::pick(&desired.body, &|path| !desired.ignores(path)))
    } else {
        Cow::Borrowed(&*desired.body)
    }
}

/// Returns the body to write: the observed body with the managed fields set. An exclusive manifest removes
/// the other fields. Fields that are ignored or not managed keep their bytes and their place.
pub fn target_body(kind: ObjectKind, desired: &Desired, observed: &Observed) -> Map<String, Value> {
    let live = observed.body();
    let mut body = match (desired.exclusive, ignores_any(desired, observed)) {
        (false, _) => Map::clone(&live),
        (true, true) => json::pick(&live, &|path| desired.ignores(path)),
        (true, false) => Map::new(),
    };
    for field in kind.fields().server {
        body.shift_remove(*field);
    }
    json::overlay(&mut body, &in_force(desired, observed));
    body
}

/// Returns the base of an object that is in sync: the live body with git's values in ignored fields, because
/// the live values there are the work of another user.
pub fn base_body(kind: ObjectKind, desired: &Desired, observed: &Observed) -> Arc<Map<String, Value>> {
    if !ignores_any(desired, observed) {
        return observed.body();
    }
    Arc::new(target_body(kind, &desired.ignoring(BTreeSet::new()), observed))
}

/// Returns the managed fields that differ and are ignored, in path order.
pub fn ignored(kind: ObjectKind, desired: &Desired, observed: &Observed) -> Vec<String> {
    if !ignores_any(desired, observed) {
        return Vec::new();
    }
    let live = observed.body();
    let differs = |path: &String| {
        !canonical::equal(kind, path, json::at_dotted(&desired.body, path), json::at_dotted(&live, path))
    };
    let managed = managed_paths(kind, desired, &live).into_iter();
    managed.filter(|path| desired.ignores(path)).filter(differs).collect()
}

/// Returns the fields that differ, and the fields that git changed and that are already live; both in path
/// order.
pub fn changes(
    kind: ObjectKind,
    desired: &Desired,
    observed: &Observed,
    evidence: &Evidence<'_>,
) -> (Vec<Change>, Vec<String>) {
    let live = observed.body();
    let mut changes = Vec::new();
    let mut already_done = Vec::new();
    let ignoring = ignores_any(desired, observed);
    let git = in_force(desired, observed);
    // Built only if something differs, so that an object in sync needs no copy.
    let target = LazyCell::new(|| target_body(kind, desired, observed));
    for path in managed_paths(kind, desired, &live) {
        if ignoring && desired.ignores(&path) {
            continue;
        }
        let wanted = json::at_dotted(&git, &path).filter(|value| !value.is_null());
        let found = json::at_dotted(&live, &path).filter(|value| !value.is_null());
        let before = base_value(evidence, &path);
        if canonical::equal(kind, &path, wanted, found) {
            if before.is_some_and(|before| !canonical::equal(kind, &path, before, wanted)) {
                already_done.push(path);
            }
            continue;
        }
        let field = Field { kind, path: &path, wanted, found };
        let Verdict { kind: why, author, was } = judge(&field, before, observed, evidence);
        let written = Step { kind, before: &live, after: &target };
        let base = evidence.base.map(|base| &*base.body);
        let (class, theirs) = effect(written, &path, why, was.as_ref(), base, observed);
        changes.push(Change {
            class,
            theirs,
            loss: Some(written)
                .filter(|_| observed.version().is_some())
                .and_then(|step| loss_of(step, &path)),
            kind: why,
            applied: was.filter(|_| why == ChangeKind::Conflict),
            observed: found.map(|value| without_mark(kind, &path, value)),
            desired: wanted.cloned(),
            author,
            path,
        });
    }
    (changes, already_done)
}

/// Returns the sorted paths of the leaves that differ between two bodies.
pub fn differing(kind: ObjectKind, one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for (from, to) in [(one, other), (other, one)] {
        json::leaves(from, &mut |path, leaf| {
            if !canonical::equal(kind, path, Some(leaf), json::at_dotted(to, path)) {
                paths.insert(path.to_owned());
            }
        });
    }
    paths.into_iter().collect()
}

/// Returns the sorted paths of the managed leaves. An exclusive manifest also manages every live leaf.
fn managed_paths(kind: ObjectKind, desired: &Desired, live: &Map<String, Value>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    json::leaves(&desired.body, &mut |path, _| {
        paths.insert(path.to_owned());
    });
    if desired.exclusive {
        json::leaves(live, &mut |path, _| {
            let named_above = paths
                .iter()
                .any(|named| path.strip_prefix(named.as_str()).is_some_and(|rest| rest.starts_with('.')));
            if !kind.fields().server.contains(&path) && !named_above {
                paths.insert(path.to_owned());
            }
        });
    }
    paths
}

/// Returns the value that genesync last applied: none if it is unknown, `Some(None)` if the field was absent.
fn base_value<'a>(evidence: &Evidence<'a>, path: &str) -> Option<Option<&'a Value>> {
    if let Some(base) = evidence.base {
        return Some(json::at_dotted(&base.body, path));
    }
    // An earlier commit gives values only for the fields that it named.
    let before = evidence.desired_before?;
    json::at_dotted(&before.body, path).map(Some)
}

/// The reason why a field differs.
struct Verdict {
    kind: ChangeKind,
    author: Option<Author>,
    /// The value before another user changed it; none if it was absent or is unknown.
    was: Option<Value>,
}

/// One field of one object, in git and live.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub kind: ObjectKind,
    pub path: &'a str,
    pub wanted: Option<&'a Value>,
    pub found: Option<&'a Value>,
}

impl Field<'_> {
    /// Returns whether two values of the field mean the same.
    pub fn equal(self, one: Option<&Value>, other: Option<&Value>) -> bool {
        canonical::equal(self.kind, self.path, one, other)
    }
}

fn judge(
    field: &Field<'_>,
    before: Option<Option<&Value>>,
    observed: &Observed,
    evidence: &Evidence<'_>,
) -> Verdict {
    let Observed::Present(stored) = observed else {
        return Verdict { kind: ChangeKind::ToApply, author: None, was: None };
    };
    let (author, old) = author::author(*field, stored, evidence);
    // Without a base, the value comes from the audit log: it is the value before another user last changed
    // this field.
    let before = before.or(old.as_deref().map(Some));
    let kind = before.map_or(ChangeKind::ToApply, |before| three_way(*field, before));
    let is_theirs = kind != ChangeKind::ToApply;
    let was = before.flatten().filter(|_| is_theirs).cloned();
    Verdict { kind, author: Some(author).filter(|_| is_theirs), was }
}

/// Returns the class of a change, and the class of another user's part in it. The class of drift describes
/// what the other user did, not what it means to set the value back.
fn effect(
    written: Step<'_>,
    path: &str,
    why: ChangeKind,
    was: Option<&Value>,
    base: Option<&Map<String, Value>>,
    observed: &Observed,
) -> (Class, Option<Class>) {
    if observed.version().is_none() {
        return (class_of_new(written.kind, path), None);
    }
    let (live, of_git) = (written.before, || class_of(written, path));
    if why == ChangeKind::ToApply {
        return (of_git(), None);
    }
    let before = base.map_or_else(|| Cow::Owned(json::with(live, path, was)), Cow::Borrowed);
    let of_theirs = class_of(Step { kind: written.kind, before: &before, after: live }, path);
    let class = if why == ChangeKind::Conflict { of_theirs.max(of_git()) } else { of_theirs };
    (class, Some(of_theirs))
}

fn three_way(field: Field<'_>, before: Option<&Value>) -> ChangeKind {
    let git_moved = !field.equal(field.wanted, before);
    let live_moved = !field.equal(field.found, before);
    match (git_moved, live_moved) {
        (true, true) => ChangeKind::Conflict,
        (false, true) => ChangeKind::Drift,
        (_, false) => ChangeKind::ToApply,
    }
}
