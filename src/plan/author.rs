//! Who gave a field its live value: told only where it is proved.
//!
//! In: an object as it is live, what we last saw of it, entries of the audit log in any order, some of which may not
//! show yet. Out: an [`Author`] for one field. Never: takes whoever touched the object last for the author of each of
//! its fields, or a draft for what visitors are served. Start reading at [`author`].
//!
//! An entry that is not there yet may be about the same field. So an entry proves something of a field only if nothing
//! after it is missing: where versions are counted, if there is an entry for each later version; where they are not, if it
//! is the entry of the last change, which its moment tells. What only its content tells from an earlier state has the author of
//! that content: whoever the newest entry says set it. Without an entry, the object's own `modifiedBy` counts if
//! exactly one version lies between what we last saw and what is live.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::Evidence;
use super::diff::Field;
use crate::model::author::{Attribution, Author, Deed, Untold};
use crate::model::{Actor, Counting, Entry, ObjectKind, Stored, json};

/// How far an entry of the last change may lie from the moment that the object itself gives for it: the platform may take
/// that from two clocks.
const SAME_CHANGE_MS: u128 = 5_000;
/// The same where the object does not say who made it. Two programs that write within it can't be told apart.
const SAME_CHANGE_OF_NOBODY_MS: u128 = 1_000;
/// What the log calls the publication of a draft.
const PUBLISH: &str = "Publish";
/// Versions that are looked through for the one that changed a field.
const VERSIONS_MAX: usize = 1_000;

/// Whoever gave a field its live value, and what the audit log says it was before.
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

/// What somebody is called, of whom the object gives the id alone.
fn known_name(id: &str, evidence: &Evidence<'_>) -> Option<String> {
    let mut told = evidence.entries.iter().map(|entry| &entry.actor);
    let told = told.find(|actor| actor.id == id && !actor.name.is_empty()).map(|actor| &actor.name);
    told.or_else(|| evidence.people?.get(id)).cloned()
}

struct Proof<'a> {
    by: Attribution,
    old: Option<Cow<'a, Value>>,
}

type Proved<'a> = Result<Proof<'a>, Untold>;

/// What an entry says of a field.
enum Says<'a> {
    /// That it got the live value; and what it was before, if the entry tells.
    Moved(Option<Cow<'a, Value>>),
    /// That it got another value: then another change is missing.
    Elsewhere,
    /// Nothing: it was not touched.
    Untouched,
    /// Nothing, because it names no field at all.
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
            // It names the section that the field lies in.
            let part = |section: &Value| {
                section
                    .as_object()
                    .and_then(|map| json::at_dotted(map, &rest).cloned())
                    .unwrap_or(Value::Null)
            };
            (Cow::Owned(part(&change.old_value)), Cow::Owned(part(&change.new_value)))
        } else if below(&change.property, field.path).is_some() {
            // It names a part of what is a whole to us.
            return Says::Moved(None);
        } else {
            continue;
        };
        return if field.equal(Some(&new), field.found) { Says::Moved(Some(old)) } else { Says::Elsewhere };
    }
    Says::Untouched
}

/// Whoever made what is live, if that is proved and was not us.
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
    let mut by = entry.map(|entry| told_by(entry, deed)).or_else(of_object)?;
    by.deed = deed;
    if by.actor.name.is_empty() {
        by.actor.name = known_name(&by.actor.id, evidence).unwrap_or_default();
    }
    let own = evidence.own_clients.is_some_and(|own| own.contains(&by.actor.id));
    (!own).then_some(by)
}

/// Each version has an entry that names it: they are gone through from the newest on.
fn by_version<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let since = evidence.base.map_or(0, |base| base.version.min(u64::MAX - 1));
    let is_the_only_one = since + 1 == stored.version;
    let untold = evidence.log.untold(stored.modified_at);
    // A field that was ignored may have been moved long before what we last saw.
    let was_ignored = was_ignored(field, evidence);
    // Two entries of one version are of two configurations: which of them we last saw is not known.
    let is_recreated = evidence
        .entries
        .iter()
        .any(|entry| entry.version.is_some_and(|version| entry_of(version, evidence.entries).is_none()));
    // Further back than what we last saw, too: a write of ours keeps what somebody moved in a field that is ignored.
    for version in (1..=stored.version).rev().take(VERSIONS_MAX) {
        let Some(entry) = entry_of(version, evidence.entries) else {
            let is_it = is_the_only_one && version == stored.version && !was_ignored && !is_recreated;
            let by = stored.modified_by.clone().filter(|_| is_it);
            return by.map(|actor| Proof { by: changed(actor, stored.modified_at), old: None }).ok_or(untold);
        };
        match says(entry, field) {
            Says::Moved(old) => return Ok(Proof { by: told_by(entry, Deed::Changed), old }),
            Says::NoField if is_the_only_one && !was_ignored => {
                return Ok(Proof { by: told_by(entry, Deed::Changed), old: None });
            }
            Says::NoField => return Err(Untold::NoField),
            Says::Elsewhere => return Err(untold),
            Says::Untouched => {}
        }
    }
    Err(untold)
}

/// Whether a field was ignored, and differed, when we last saw the object.
fn was_ignored(field: Field<'_>, evidence: &Evidence<'_>) -> bool {
    evidence.base.is_some_and(|base| base.ignored.contains(field.path))
}

/// The entry of a version. Of two, one is of a configuration that was deleted since.
fn entry_of(version: u64, entries: &[Entry]) -> Option<&Entry> {
    let mut of_it = entries.iter().filter(|entry| entry.version == Some(version));
    let first = of_it.next()?;
    of_it.all(|entry| entry.id == first.id).then_some(first)
}

/// A version is a publication, of which the version itself says who made it.
fn by_publication<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let since = evidence.base.map_or(0, |base| base.version);
    let is_the_only_one = since.checked_add(1) == Some(stored.version);
    let is_the_only_one = is_the_only_one && !was_ignored(field, evidence);
    let entry = of_last_change(stored, evidence, |entry| entry.action == PUBLISH);
    let published = |entry: &'a Entry, old| Proof { by: told_by(entry, Deed::Published), old };
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

/// Nothing counts the changes: only the last one is known, by its moment.
fn by_moment<'a>(field: Field<'_>, stored: &Stored, evidence: &Evidence<'a>) -> Proved<'a> {
    let untold = evidence.log.untold(stored.modified_at);
    let Some(entry) = of_last_change(stored, evidence, |_| true) else { return Err(untold) };
    match says(entry, field) {
        Says::Moved(old) => Ok(Proof { by: told_by(entry, Deed::Changed), old }),
        Says::NoField => Err(Untold::NoField),
        Says::Elsewhere | Says::Untouched => Err(untold),
    }
}

/// Nothing but the content tells one state from another: whoever set it is its author, as far as the log shows.
fn by_content<'a>(field: Field<'_>, evidence: &Evidence<'a>) -> Proved<'a> {
    let told = evidence.entries.iter().filter(|entry| !matches!(says(entry, field), Says::Untouched));
    let Some(entry) = told.max_by_key(|entry| (entry.at, &entry.id)) else {
        return Err(evidence.log.untold(None));
    };
    match says(entry, field) {
        Says::Moved(old) => Ok(Proof { by: told_by(entry, Deed::Changed), old }),
        Says::NoField => Err(Untold::NoField),
        Says::Elsewhere | Says::Untouched => Err(evidence.log.untold(None)),
    }
}

/// The entry of the last change of an object: made when, and by whom, the object says. Where it names nobody, it was
/// a program, or it never names anybody.
fn of_last_change<'a>(
    stored: &Stored,
    evidence: &Evidence<'a>,
    is_one: impl Fn(&Entry) -> bool,
) -> Option<&'a Entry> {
    let at = stored.modified_at?;
    let by = stored.modified_by.as_ref();
    let within_ms = if by.is_some() { SAME_CHANGE_MS } else { SAME_CHANGE_OF_NOBODY_MS };
    let distance_ms = |entry: &Entry| entry.at.duration_since(at).unsigned_abs().as_millis();
    let near = |entry: &&Entry| distance_ms(entry) <= within_ms && is_one(entry);
    let mut near: Vec<&Entry> = evidence.entries.iter().filter(near).collect();
    near.retain(|entry| by.is_none_or(|by| by.id == entry.actor.id));
    near.sort_by_key(|entry| (distance_ms(entry), &entry.id));
    let nearest = near.first()?;
    // Of two users within that time, either may have been the last.
    near.iter().all(|entry| entry.actor.id == nearest.actor.id).then_some(*nearest)
}

fn told_by(entry: &Entry, deed: Deed) -> Attribution {
    let actor = entry.actor.clone();
    Attribution { actor, deed, at: Some(entry.at), remote_ip: entry.remote_ip.clone() }
}

fn changed(actor: Actor, at: Option<Timestamp>) -> Attribution {
    Attribution { actor, deed: Deed::Changed, at, remote_ip: None }
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

#[cfg(test)]
mod tests;
