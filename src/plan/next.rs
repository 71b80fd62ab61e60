//! Decides the next step for one object on the way to its desired state.
//!
//! In: the observed object, its changes, and the draft that the journal knows. Out: the body to write,
//! and [`Next`]. This module never overwrites a draft of another user unless the operator says so. Start
//! reading at [`next`].

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::resolve::{self, Organization};
use super::{Evidence, canonical, diff};
use crate::model::plan::{Drafts, Next, TargetPlan, TheirDraft, Unfinished};
use crate::model::text::listed;
use crate::model::{
    Actor, Base, Change, Desired, Draft, Entry, Object, ObjectKind, Observed, Readiness, Stored, Target, json,
};

/// The platform's status of an object that a user is deleting.
const DELETING: &str = "Deleting";

/// Returns the body to write, and the next step; no step if there is nothing to do.
pub fn next(
    target: &Target,
    desired: &Desired,
    observed: &Observed,
    changes: &[Change],
    problems: &[String],
    drafts: Drafts,
    evidence: &Evidence<'_>,
) -> (Arc<Map<String, Value>>, Option<Next>) {
    let kind = target.object.kind;
    // The body is built only on demand: most objects are in sync and need no copy.
    let body = || Arc::new(diff::target_body(kind, desired, observed));
    if !problems.is_empty() {
        return (observed.body(), Some(Next::Amend(format!("{target}: {}", problems.join("; ")))));
    }
    let stored = match observed {
        // A named object is created even without fields.
        Observed::Absent if changes.is_empty() && !kind.is_named() => return (observed.body(), None),
        Observed::Absent => return (body(), Some(Next::Store)),
        Observed::Present(stored) => stored,
    };
    let due = match stored.draft() {
        _ if changes.is_empty() => (observed.body(), None),
        // A body that differs only in spelling is not a draft.
        Some(draft) if stored.version == 0 || !canonical::same(kind, &draft.body, &stored.body) => {
            with_draft(&target.object, desired, stored, draft, drafts, evidence)
        }
        _ => (body(), Some(Next::Store)),
    };
    match stored.instance.as_ref().map(|instance| &instance.readiness) {
        // A person has to decide about a draft of another user, and waiting does not change that.
        _ if matches!(due, (_, Some(Next::Decide(_)))) => due,
        // A recent write of another user delays genesync only if there is something to write.
        Some(Readiness::Pending) => {
            let waits = evidence.made || !changes.is_empty();
            (observed.body(), waits.then_some(Next::Wait))
        }
        Some(Readiness::Failed(why)) if changes.is_empty() || why == DELETING => {
            let reason = format!("the platform reports an error of {target}: {why}");
            (observed.body(), Some(Next::Decide(reason)))
        }
        _ => due,
    }
}

/// Returns the body of the next write: the whole body, or only the first field that differs if the platform
/// has one call per field.
pub fn sent(target: &TargetPlan) -> Arc<Map<String, Value>> {
    let first = target.changes.first().and_then(|change| change.path.split('.').next());
    match first.filter(|_| target.target.object.kind.is_written_by_field()) {
        Some(field) => {
            let value = target.body.get(field).cloned();
            Arc::new(value.into_iter().map(|value| (field.to_owned(), value)).collect())
        }
        None => Arc::clone(&target.body),
    }
}

/// Returns the part of a body that a write of a target sets.
pub fn written(
    body: &Arc<Map<String, Value>>,
    sent: &Map<String, Value>,
    target: &Target,
) -> Arc<Map<String, Value>> {
    if !target.object.kind.is_written_by_field() {
        return Arc::clone(body);
    }
    let concerned = body.iter().filter(|(field, _)| sent.contains_key(*field));
    Arc::new(concerned.map(|(field, value)| (field.clone(), value.clone())).collect())
}

/// Returns a decision instead of the next step if a deployment moves to a version that also contains changes
/// of another user which visitors have not seen. With [`Drafts::Adopt`], the next step stays.
pub fn unseen<'a>(
    target: &Target,
    at: usize,
    known: Organization<'_>,
    changes: &[Change],
    drafts: Drafts,
    draft_of: impl Fn(usize) -> Option<&'a Base>,
    next: Option<Next>,
) -> Option<Next> {
    let pinned = target.object.kind.pins().map(|path| format!("{path}."));
    let moves = pinned.is_some_and(|pinned| changes.iter().any(|change| change.path.starts_with(&pinned)));
    if next != Some(Next::Store) || !moves || drafts == Drafts::Adopt {
        return next;
    }
    let Some((version, fields)) = resolve::goes_along(at, known, draft_of) else { return next };
    Some(Next::Decide(format!(
        "{target} would also serve changes that another user published in version {version} and that no visitor has seen: {}. Pin that version in the admin UI, revert the changes, or serve them with `genesync apply --tenant … --draft adopt`",
        listed(&fields)
    )))
}

/// Returns whether a draft is the one that genesync stored last. It checks the author as well as the body,
/// because a user can restore an earlier body of genesync.
pub fn is_ours(
    kind: ObjectKind,
    draft: &Draft,
    base: Option<&Base>,
    own_clients: Option<&BTreeSet<String>>,
) -> bool {
    let own = |actor: &Actor| own_clients.is_some_and(|own| own.contains(&actor.id));
    draft.modified_by.as_ref().is_none_or(own)
        && base.is_some_and(|base| canonical::same(kind, &base.body, &draft.body))
}

/// Returns the effect of the next step on a draft of another user; none if there is no effect.
pub fn their_draft(
    kind: ObjectKind,
    desired: &Desired,
    observed: &Observed,
    body: &Map<String, Value>,
    next: Option<&Next>,
    drafts: Drafts,
    evidence: &Evidence<'_>,
) -> Option<TheirDraft> {
    let Observed::Present(stored) = observed else { return None };
    let draft = stored.draft().filter(|draft| !is_ours(kind, draft, evidence.draft, evidence.own_clients))?;
    if drafts == Drafts::Refuse || !matches!(next, Some(Next::Store | Next::Publish)) {
        return None;
    }
    let moved = diff::differing(kind, &stored.body, &draft.body);
    let value = |body: &Map<String, Value>, path: &str| json::at_dotted(body, path).cloned();
    let (kept, written_over): (Vec<String>, Vec<String>) =
        moved.into_iter().partition(|path| value(body, path) == value(&draft.body, path));
    let published_along: Vec<String> =
        kept.into_iter().filter(|path| !resolve::manages(desired, path)).collect();
    if published_along.is_empty() && written_over.is_empty() {
        return None;
    }
    let by = draft
        .modified_by
        .as_ref()
        .map_or_else(|| "another user".to_owned(), |who| name_of(who, evidence.entries));
    Some(TheirDraft { by, at: draft.modified_at, published_along, written_over })
}

/// Returns the unpublished draft of another user if no step and no decision concerns it.
pub fn unfinished(
    kind: ObjectKind,
    observed: &Observed,
    next: Option<&Next>,
    draft: Option<&TheirDraft>,
    evidence: &Evidence<'_>,
) -> Option<Unfinished> {
    let Observed::Present(stored) = observed else { return None };
    let is_reported = draft.is_some() || matches!(next, Some(Next::Decide(_) | Next::Amend(_)));
    let theirs = stored.draft().filter(|_| !is_reported)?;
    if is_ours(kind, theirs, evidence.draft, evidence.own_clients) {
        return None;
    }
    let fields = diff::differing(kind, &stored.body, &theirs.body);
    let named = |who: &Actor| {
        let looked_up = evidence.people.and_then(|people| people.get(&who.id)).cloned();
        looked_up.unwrap_or_else(|| name_of(who, evidence.entries))
    };
    let by = theirs.modified_by.as_ref().map_or_else(|| "another user".to_owned(), named);
    (!fields.is_empty()).then_some(Unfinished { by, at: theirs.modified_at, fields })
}

/// Returns the body and the next step for an object that has an unpublished draft. The draft is genesync's
/// own (from this run or from a run that crashed), or one of another user.
fn with_draft(
    object: &Object,
    desired: &Desired,
    stored: &Stored,
    draft: &Draft,
    drafts: Drafts,
    evidence: &Evidence<'_>,
) -> (Arc<Map<String, Value>>, Option<Next>) {
    let kind = object.kind;
    let as_draft = Observed::Present(Stored { body: Arc::clone(&draft.body), ..stored.clone() });
    let on_draft = || Arc::new(diff::target_body(kind, desired, &as_draft));
    let on_published = || {
        let published = Observed::Present(stored.clone());
        Arc::new(diff::target_body(kind, desired, &published))
    };
    let says_it = diff::changes(kind, desired, &as_draft, &Evidence::default()).0.is_empty();
    let ours = is_ours(kind, draft, evidence.draft, evidence.own_clients);
    // A version that was published since may differ from our draft. Publishing the draft would revert that
    // version.
    let newer = evidence.draft.is_some_and(|base| stored.version > base.onto);
    let behind = newer && !canonical::same(kind, &on_published(), &draft.body);
    match drafts {
        _ if ours && says_it && behind => (on_published(), Some(Next::Store)),
        _ if ours && says_it => (Arc::clone(&draft.body), Some(Next::Publish)),
        // Another user stored exactly the body that genesync would store.
        _ if says_it && canonical::same(kind, &draft.body, &on_published()) => {
            (Arc::clone(&draft.body), Some(Next::Publish))
        }
        // An object that was never published has only the platform's defaults below its draft.
        _ if ours && stored.version == 0 => (on_draft(), Some(Next::Store)),
        _ if ours => (on_published(), Some(Next::Store)),
        Drafts::Adopt if says_it => (Arc::clone(&draft.body), Some(Next::Publish)),
        Drafts::Adopt => (on_draft(), Some(Next::Store)),
        Drafts::Discard => (on_published(), Some(Next::Store)),
        Drafts::Refuse => {
            let reason = unpublished(object, draft, stored, evidence.entries);
            (on_published(), Some(Next::Decide(reason)))
        }
    }
}

/// Returns the name of an actor. An object has only the actor's id; the name comes from the audit log.
pub fn name_of<'a>(actor: &Actor, entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let same = |entry: &&Entry| entry.actor.id == actor.id && !entry.actor.name.is_empty();
    entries
        .into_iter()
        .find(same)
        .map_or_else(|| actor.label().into_owned(), |entry| entry.actor.name.clone())
}

/// Returns the message for a person about a draft of another user.
fn unpublished(object: &Object, draft: &Draft, stored: &Stored, entries: &[Entry]) -> String {
    let who =
        draft.modified_by.as_ref().map_or_else(|| "another user".to_owned(), |actor| name_of(actor, entries));
    let when = draft
        .modified_at
        .map(|at| format!(" on {}", at.strftime("%Y-%m-%d at %H:%M:%S UTC")))
        .unwrap_or_default();
    let reported = listed(&diff::differing(object.kind, &draft.body, &stored.body));
    format!(
        "{who} left a draft of {object} unpublished{when} ({reported}). Publish or discard it in the admin UI, or run `genesync apply --tenant …` with --draft adopt to also publish the fields that git does not manage, or with --draft discard to overwrite it"
    )
}
