//! The field-by-field comparison of one organization.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Evidence;
use super::canonical;
use super::class::class_of;
use crate::model::plan::Attribution;
use crate::model::{ActorKind, Change, ChangeKind, Desired, Entry, ObjectKind, Observed, Stored, json};

/// Whether rules to ignore fields hold for an organization: one without a configuration gets every field,
/// because there is nobody's value to leave alone.
fn ignores_any(desired: &Desired, observed: &Observed) -> bool {
    !desired.ignored.is_empty() && observed.version().is_some()
}

/// What git says of the fields that are not ignored.
fn in_force<'a>(desired: &'a Desired, observed: &Observed) -> Cow<'a, Map<String, Value>> {
    if ignores_any(desired, observed) {
        Cow::Owned(json::pick(&desired.body, &|path| !desired.ignores(path)))
    } else {
        Cow::Borrowed(&*desired.body)
    }
}

/// The configuration to write: the observed one with the managed fields set and, where the manifest is
/// exclusive, the others gone. What is not managed, or is ignored, keeps its bytes and its place.
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

/// What counts as applied where nothing is left to change: the live configuration, and in place of what is
/// ignored what git says. The value that somebody else gave it is no work of ours.
pub fn base_body(kind: ObjectKind, desired: &Desired, observed: &Observed) -> Arc<Map<String, Value>> {
    if !ignores_any(desired, observed) {
        return observed.body();
    }
    Arc::new(target_body(kind, &desired.ignoring(BTreeSet::new()), observed))
}

/// The managed fields that differ and are left as they are, in path order.
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

/// The fields that differ, and those that git moved and that are there already; both in path order.
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
        let Verdict { kind: why, by, applied } = judge(&field, before, observed, evidence);
        changes.push(Change {
            class: class_of(kind, &path, found, wanted),
            kind: why,
            observed: found.cloned(),
            desired: wanted.cloned(),
            applied,
            by,
            path,
        });
    }
    (changes, already_done)
}

/// Paths of the leaves in which two bodies differ, sorted.
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

/// Paths of the managed leaves, sorted. An exclusive manifest also manages every live leaf.
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

/// The value that we last applied: none where nothing is known, `Some(None)` where it was absent.
fn base_value<'a>(evidence: &Evidence<'a>, path: &str) -> Option<Option<&'a Value>> {
    if let Some(base) = evidence.base {
        return Some(json::at_dotted(&base.body, path));
    }
    // What git said before is known only for the fields that it named then.
    let before = evidence.desired_before?;
    json::at_dotted(&before.body, path).map(Some)
}

/// Why a field differs.
struct Verdict {
    kind: ChangeKind,
    by: Option<Attribution>,
    applied: Option<Value>,
}

/// One field of one object, in git and live.
#[derive(Clone, Copy)]
struct Field<'a> {
    kind: ObjectKind,
    path: &'a str,
    wanted: Option<&'a Value>,
    found: Option<&'a Value>,
}

impl Field<'_> {
    fn equal(self, one: Option<&Value>, other: Option<&Value>) -> bool {
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
        return Verdict { kind: ChangeKind::ToApply, by: None, applied: None };
    };
    let by = attribution(*field, stored, evidence);
    // Without a base the audit log knows it: the value before the last foreign change of this field.
    let from_log = by.as_ref().and_then(|(_, old)| old.as_deref());
    let before = before.or(from_log.map(Some));
    let kind = before.map_or(ChangeKind::ToApply, |before| three_way(*field, before));
    let applied = before.flatten().filter(|_| kind == ChangeKind::Conflict).cloned();
    let by = by.map(|(by, _)| by).filter(|_| kind != ChangeKind::ToApply);
    Verdict { kind, by, applied }
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

/// A value as an audit log tells it, which may know texts alone, in the type that the field has.
fn as_like<'a>(told: &'a Value, like: Option<&Value>) -> Cow<'a, Value> {
    let item = |item: &Value, like: &[Value]| match (item, like.first()) {
        (Value::String(text), Some(Value::Object(_))) => {
            serde_json::from_str(text).unwrap_or_else(|_| item.clone())
        }
        _ => item.clone(),
    };
    let typed = match (told, like) {
        (Value::String(text), Some(Value::Bool(_) | Value::Number(_))) => serde_json::from_str(text).ok(),
        (Value::String(_), Some(Value::Array(items))) => Some(Value::Array(vec![item(told, items)])),
        (Value::Array(told), Some(Value::Array(items))) => {
            Some(Value::Array(told.iter().map(|one| item(one, items)).collect()))
        }
        _ => None,
    };
    typed.map_or(Cow::Borrowed(told), Cow::Owned)
}

/// Who gave a field its live value, and what the audit log says it was before. None where we did, or
/// where nobody can be named.
fn attribution<'a>(
    field: Field<'_>,
    stored: &Stored,
    evidence: &Evidence<'a>,
) -> Option<(Attribution, Option<Cow<'a, Value>>)> {
    let Field { path, found, .. } = field;
    let ours = |id: &str| evidence.own_clients.is_some_and(|own| own.contains(id));
    let touching = |entry: &&'a Entry| {
        entry.version.is_none_or(|version| version <= stored.version)
            && entry.changes.iter().any(|change| {
                let new = as_like(&change.new_value, found);
                change.property == path && field.equal(Some(&new), found)
            })
    };
    let last = evidence.entries.iter().filter(touching).max_by_key(|entry| (entry.version, entry.at));
    if let Some(entry) = last {
        if ours(&entry.actor.id) {
            return None;
        }
        let change = entry.changes.iter().find(|change| change.property == path);
        let old = change.map(|change| as_like(&change.old_value, found));
        let by = Attribution {
            actor: entry.actor.clone(),
            at: Some(entry.at),
            remote_ip: entry.remote_ip.clone(),
        };
        return Some((by, old));
    }
    // The log is late or silent; the configuration itself names whoever touched it last.
    let actor = stored.modified_by.as_ref()?;
    let foreign = actor.kind == ActorKind::User || !ours(&actor.id);
    foreign.then(|| (Attribution { actor: actor.clone(), at: stored.modified_at, remote_ip: None }, None))
}
