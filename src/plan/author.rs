//! Finds the author of a field's live value, and names an author only if that is proved.
//!
//! In: a live object, its base, and audit entries in any order; some entries may be missing. Out: an
//! [`Author`] for one field. Never: takes the last author of the object for the author of each field;
//! takes a draft for the published configuration. Start reading at [`author`].
//!
//! A missing entry may be about the same field. So an entry proves the author of a field only if no later
//! entry is missing. If the kind counts versions, each later version must have an entry. If it counts the
//! time of the last change, the entry must have that time. If only the content identifies a state, the newest
//! entry that sets the content names the author. Without an entry, the `modifiedBy` of the object counts if
//! exactly one version was made since the base.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::Evidence;
use super::diff::Field;
use crate::model::author::{Attribution, Author, Deed, Untold};
use crate::model::{Actor, Counting, Entry, ObjectKind, Stored, json};

/// The maximum difference between the time of an audit entry and the modification time of the object, in
/// milliseconds. The platform may use two clocks.
const SAME_CHANGE_MS: u128 = 5_000;
/// The same maximum if the object does not name its author. Two programs that write within this time cannot
/// be distinguished.
const SAME_UNATTRIBUTED_CHANGE_MS: u128 = 1_000;
/// The action of an audit entry about the publication of a draft.
const PUBLISH: &str = "Publish";
/// The maximum number of versions to search for the one that changed a field.
const VERSIONS_MAX: usize = 1_000;

/// Returns the author of a field's live value, and the value before according to the audit log.
pub fn author<'a>(
    field: Field<'_>,
    stored: &Stored,
    evidence: &Evidence<'a>,
) -> (Author, Option<Cow<'a, Value>>) {
    let proof = match field.kind.counting() {
        Counting::Versions if field.kind.capabilities().audit_names_versions => {
            by_version(field, stored, evidence)
        }
        Counting::Versions => by_publication(field, stored, evidence),
        Counting::Moments => by_moment(field, stored, evidence),
        Counting::Contents => by_content(field, evidence),
    };
    match proof {
        Ok(Proof { mut by, old }) => {
            if by.actor.name.is_empty() {
                by.actor.name = known_name(&by.actor.id, evidence).unwrap_or_default();
            }
            let own = evidence.own_clients.is_some_and(|own| own.contains(&by.actor.id));
            if own { (Author::Own(by), None) } else { (Author::Named(by), old) }
        }
        Err(untold) => (Author::Unknown(untold), None),
    }
}

/// Returns the name of an actor by id; none if it is unknown.
fn known_name(id: &str, evidence: &Evidence<'_>) -> Option<String> {
    let mut reported = evidence.entries.iter().map(|entry| &entry.actor);
    let reported = reported.find(|actor| actor.id == id && !actor.name.is_empty()).map(|actor| &actor.name);
    reported.or_else(|| evidence.people?.get(id)).cloned()
}

struct Proof<'a> {
    by: Attribution,
    old: Option<Cow<'a, Value>>,
}

type Proved<'a> = Result<Proof<'a>, Untold>;

/// What an audit entry proves about a field.
enum Says<'a> {
    /// The entry set the live value. It may also have the value before.
    Moved(Option<Cow<'a, Value>>),
    /// The entry set another value, so the entry of a later change is missing.
    Elsewhere,
    /// The entry does not name the field.
    Untouched,
    /// The entry names no field at all.
    NoField,
}

fn says<'a>(entry: &'a Entry, field: Field<'_>) -> Says<'a> {
    if entry.changes.is_empty() {
        return Says::NoField;
    }
    let below = |path: &str, above: &str| {
        path.strip_prefix(above).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
    };
    for change in &entry.changes {
        let (old, new) = if change.property == field.path {
            (as_like(&change.old_value, field.found), as_like(&change.new_value, field.found))
        } else if let Some(rest) = below(field.path, &change.property) {
            // The entry names the section of the field.
            let part = |section: &Value| {
                section
                    .as_object()
                    .and_then(|map| json::at_dotted(map, &rest).cloned())
                    .unwrap_or(Value::Null)
            };
            (Cow::Owned(part(&change.old_value)), Cow::Owned(part(&change.new_value)))
        } else if below(&change.property, field.path).is_some() {
            // The entry names a part of the field, which genesync compares as a whole.
            return Says::Moved(None);
        } else {
            continue;
        };
        return if field.equal(Some(&new), field.found) { Says::Moved(Some(old)) } else { Says::Elsewhere };
    }
    Says::Untouched
}

/// Returns the author of the live object if it is proved and is not genesync.
pub fn newest(kind: ObjectKind, stored: &Stored, evidence: &Evidence<'_>) -> Option<Attribution> {
    let deed = if kind.has_drafts() { Deed::Published } else { Deed::Changed };
    let entry = match kind.counting() {
        Counting::Versions if kind.capabilities().audit_names_versions => {
            entry_of(stored.version, evidence.entries)
        }
        Counting::Versions => of_last_change(stored, evidence, |entry| entry.action == PUBLISH),
        Counting::Moments => of_last_change(stored, evidence, |_| true),
        Counting::Contents => None,
    };
    let of_object = || stored.modified_by.clone().map(|actor| changed(actor, stored.modified_at));
    let mut by = entry.map(|entry| attributed_to(entry, deed)).or_else(of_object)?;
    by.deed = deed;
    if by.actor.name.is_empty() {
        by.actor.name = known_name(&by.actor.id, evidence).unwrap_or_default();
    }
    let own = evidence.own_clients.is_some_and(|own| own.contains(&by.actor.id));
    (!own).then_some(by)
}

/// Finds the author if each version has an audit entry that names it. It searches from the newest version
/// backwards.
fn by_version<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let since = evidence.base.map_or(0, |base| base.version.min(u64::MAX - 1));
    let is_the_only_one = since + 1 == stored.version;
    let untold = evidence.log.untold(stored.modified_at);
    // Another user may have changed an ignored field long before the base.
    let was_ignored = was_ignored(field, evidence);
    // Two entries of one version belong to two objects, and it is unknown which of them the base belongs to.
    let is_recreated = evidence
        .entries
        .iter()
        .any(|entry| entry.version.is_some_and(|version| entry_of(version, evidence.entries).is_none()));
    // The search goes back beyond the base: a write of genesync keeps changes of other users in ignored
    // fields.
    for version in (1..=stored.version).rev().take(VERSIONS_MAX) {
        let Some(entry) = entry_of(version, evidence.entries) else {
            let is_it = is_the_only_one && version == stored.version && !was_ignored && !is_recreated;
            let by = stored.modified_by.clone().filter(|_| is_it);
            return by.map(|actor| Proof { by: changed(actor, stored.modified_at), old: None }).ok_or(untold);
        };
        match says(entry, field) {
            Says::Moved(old) => return Ok(Proof { by: attributed_to(entry, Deed::Changed), old }),
            Says::NoField if is_the_only_one && !was_ignored => {
                return Ok(Proof { by: attributed_to(entry, Deed::Changed), old: None });
            }
            Says::NoField => return Err(Untold::NoField),
            Says::Elsewhere => return Err(untold),
            Says::Untouched => {}
        }
    }
    Err(untold)
}

/// Returns whether a field was ignored and differed when the base was recorded.
fn was_ignored(field: Field<'_>, evidence: &Evidence<'_>) -> bool {
    evidence.base.is_some_and(|base| base.ignored.contains(field.path))
}

/// Returns the entry of a version; none if there are two, because one of them belongs to a deleted object.
fn entry_of(version: u64, entries: &[Entry]) -> Option<&Entry> {
    let mut of_it = entries.iter().filter(|entry| entry.version == Some(version));
    let first = of_it.next()?;
    of_it.all(|entry| entry.id == first.id).then_some(first)
}

/// Finds the author if each version is a publication; the version itself names the user who published it.
fn by_publication<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let since = evidence.base.map_or(0, |base| base.version);
    let is_the_only_one = since.checked_add(1) == Some(stored.version);
    let is_the_only_one = is_the_only_one && !was_ignored(field, evidence);
    let entry = of_last_change(stored, evidence, |entry| entry.action == PUBLISH);
    let published = |entry: &'a Entry, old| Proof { by: attributed_to(entry, Deed::Published), old };
    match entry.map(|entry| (entry, says(entry, field))) {
        Some((entry, Says::Moved(old))) => Ok(published(entry, old)),
        Some((entry, _)) if is_the_only_one => Ok(published(entry, None)),
        Some((_, Says::NoField)) => Err(Untold::NoField),
        Some(_) => Err(evidence.log.untold(stored.modified_at)),
        None => match (&stored.modified_by, is_the_only_one) {
            (Some(actor), true) => {
                let by = Attribution { deed: Deed::Published, ..changed(actor.clone(), stored.modified_at) };
                Ok(Proof { by, old: None })
            }
            _ => Err(evidence.log.untold(stored.modified_at)),
        },
    }
}

/// Finds the author if the kind counts no changes: only the last change is known, by its time.
fn by_moment<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let untold = evidence.log.untold(stored.modified_at);
    let Some(entry) = of_last_change(stored, evidence, |_| true) else { return Err(untold) };
    match says(entry, field) {
        Says::Moved(old) => Ok(Proof { by: attributed_to(entry, Deed::Changed), old }),
        Says::NoField => Err(Untold::NoField),
        Says::Elsewhere | Says::Untouched => Err(untold),
    }
}

/// Finds the author if only the content identifies a state: the author of the newest entry about the field.
fn by_content<'a>(field: Field<'_>, evidence: &Evidence<'a>) -> Proved<'a> {
    let reported = evidence.entries.iter().filter(|entry| !matches!(says(entry, field), Says::Untouched));
    let Some(entry) = reported.max_by_key(|entry| (entry.at, &entry.id)) else {
        return Err(evidence.log.untold(None));
    };
    match says(entry, field) {
        Says::Moved(old) => Ok(Proof { by: attributed_to(entry, Deed::Changed), old }),
        Says::NoField => Err(Untold::NoField),
        Says::Elsewhere | Says::Untouched => Err(evidence.log.untold(None)),
    }
}

/// Returns the entry of the last change of an object, by the time and the author that the object has. If the
/// object has no author, a program made the change, or the kind never has an author.
fn of_last_change<'a>(
    stored: &Stored,
    evidence: &Evidence<'a>,
    is_one: impl Fn(&Entry) -> bool,
) -> Option<&'a Entry> {
    let at = stored.modified_at?;
    let by = stored.modified_by.as_ref();
    let within_ms = if by.is_some() { SAME_CHANGE_MS } else { SAME_UNATTRIBUTED_CHANGE_MS };
    let distance_ms = |entry: &Entry| entry.at.duration_since(at).unsigned_abs().as_millis();
    let near = |entry: &&Entry| distance_ms(entry) <= within_ms && is_one(entry);
    let mut near: Vec<&Entry> = evidence.entries.iter().filter(near).collect();
    near.retain(|entry| by.is_none_or(|by| by.id == entry.actor.id));
    near.sort_by_key(|entry| (distance_ms(entry), &entry.id));
    let nearest = near.first()?;
    // If two users changed it within that time, the last one is unknown.
    near.iter().all(|entry| entry.actor.id == nearest.actor.id).then_some(*nearest)
}

fn attributed_to(entry: &Entry, deed: Deed) -> Attribution {
    let actor = entry.actor.clone();
    Attribution { actor, deed, at: Some(entry.at), remote_ip: entry.remote_ip.clone() }
}

fn changed(actor: Actor, at: Option<Timestamp>) -> Attribution {
    Attribution { actor, deed: Deed::Changed, at, remote_ip: None }
}

/// Converts a value of the audit log to the type of the field. The log may contain only texts.
fn as_like<'a>(reported: &'a Value, like: Option<&Value>) -> Cow<'a, Value> {
    let item = |item: &Value, like: &[Value]| match (item, like.first()) {
        (Value::String(text), Some(Value::Object(_))) => {
            serde_json::from_str(text).unwrap_or_else(|_| item.clone())
        }
        _ => item.clone(),
    };
    let typed = match (reported, like) {
        (Value::String(text), Some(Value::Bool(_) | Value::Number(_))) => serde_json::from_str(text).ok(),
        (Value::String(_), Some(Value::Array(items))) => Some(Value::Array(vec![item(reported, items)])),
        (Value::Array(reported), Some(Value::Array(items))) => {
            Some(Value::Array(reported.iter().map(|one| item(one, items)).collect()))
        }
        _ => None,
    };
    typed.map_or(Cow::Borrowed(reported), Cow::Owned)
}

#[cfg(test)]
mod tests;
