//! What has to be done next for one object: one step of those that lead to what git says.
//!
//! In: what was seen of it, what differs, and what the journal knows of its draft. Out: the body to write, and
//! [`Next`]. Never: writes over a draft that somebody else left, unless the operator said what becomes of it.
//! Start reading at [`next`].

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

/// What the platform calls an object that somebody is deleting.
const DELETING: &str = "Deleting";

/// The body to write, and the step that is due.
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
    // At rest, which is nearly always, there is nothing to write, and nothing to copy for it.
    let body = || Arc::new(diff::target_body(kind, desired, observed));
    if !problems.is_empty() {
        return (observed.body(), Some(Next::Amend(format!("{target}: {}", problems.join("; ")))));
    }
    let stored = match observed {
        // What has a name is made for that alone.
        Observed::Absent if changes.is_empty() && !kind.is_named() => return (observed.body(), None),
        Observed::Absent => return (body(), Some(Next::Store)),
        Observed::Present(stored) => stored,
    };
    let due = match stored.draft() {
        _ if changes.is_empty() => (observed.body(), None),
        // What differs in spelling alone is nobody's draft.
        Some(draft) if stored.version == 0 || !canonical::same(kind, &draft.body, &stored.body) => {
            with_draft(&target.object, desired, stored, draft, drafts, evidence)
        }
        _ => (body(), Some(Next::Store)),
    };
    match stored.instance.as_ref().map(|instance| &instance.readiness) {
        // No waiting decides what becomes of somebody's draft.
        _ if matches!(due, (_, Some(Next::Decide(_)))) => due,
        // What somebody else wrote a moment ago is waited for where it is in the way.
        Some(Readiness::Pending) => {
            let waits = evidence.made || !changes.is_empty();
            (observed.body(), waits.then_some(Next::Wait))
        }
        Some(Readiness::Failed(why)) if changes.is_empty() || why == DELETING => {
            let reason = format!("{target} is in error on the platform: {why}");
            (observed.body(), Some(Next::Decide(reason)))
        }
        _ => due,
    }
}

/// What a write of a target carries: the whole body, or where the platform has a call for each field, the first one that
/// differs.
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

/// The part of a body that a write of a target concerns.
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

/// A deployment that would move to another version takes along what somebody published and nobody has let visitors
/// see: a person decides, unless the operator has it adopted.
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
        "{target} would serve, along with what git says, what somebody published in version {version} and no visitor has seen: {}; pin that version in the admin UI, take it back, or let it be seen by `genesync apply --tenant … --draft adopt`",
        listed(&fields)
    )))
}

/// Whether a draft is what we stored last. A person can bring one back to what ours once held.
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

/// What becomes of somebody's draft by the step that is due.
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
        .map_or_else(|| "somebody".to_owned(), |who| name_of(who, evidence.entries));
    Some(TheirDraft { by, at: draft.modified_at, published_along, written_over })
}

/// What somebody else drafted and has not published, where nothing of it becomes a step or a decision.
pub fn unfinished(
    kind: ObjectKind,
    observed: &Observed,
    next: Option<&Next>,
    draft: Option<&TheirDraft>,
    evidence: &Evidence<'_>,
) -> Option<Unfinished> {
    let Observed::Present(stored) = observed else { return None };
    let is_told = draft.is_some() || matches!(next, Some(Next::Decide(_) | Next::Amend(_)));
    let theirs = stored.draft().filter(|_| !is_told)?;
    if is_ours(kind, theirs, evidence.draft, evidence.own_clients) {
        return None;
    }
    let fields = diff::differing(kind, &stored.body, &theirs.body);
    let named = |who: &Actor| {
        let looked_up = evidence.people.and_then(|people| people.get(&who.id)).cloned();
        looked_up.unwrap_or_else(|| name_of(who, evidence.entries))
    };
    let by = theirs.modified_by.as_ref().map_or_else(|| "somebody".to_owned(), named);
    (!fields.is_empty()).then_some(Unfinished { by, at: theirs.modified_at, fields })
}

/// Something is stored that is not published: ours, from before a crash or a moment ago, or somebody else's.
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
    // A version that was published since may hold what our draft does not, or no longer what it does: publishing the
    // draft over it would take that back.
    let newer = evidence.draft.is_some_and(|base| stored.version > base.onto);
    let behind = newer && !canonical::same(kind, &on_published(), &draft.body);
    match drafts {
        _ if ours && says_it && behind => (on_published(), Some(Next::Store)),
        _ if ours && says_it => (Arc::clone(&draft.body), Some(Next::Publish)),
        // Somebody stored exactly what we would.
        _ if says_it && canonical::same(kind, &draft.body, &on_published()) => {
            (Arc::clone(&draft.body), Some(Next::Publish))
        }
        // What was never published has nothing below it but the platform's own defaults.
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

/// Who that is: an object has an id alone, and the audit log knows what its owner is called.
pub fn name_of<'a>(actor: &Actor, entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let same = |entry: &&Entry| entry.actor.id == actor.id && !entry.actor.name.is_empty();
    entries
        .into_iter()
        .find(same)
        .map_or_else(|| actor.label().into_owned(), |entry| entry.actor.name.clone())
}

/// What a person has to know of a draft that is not ours.
fn unpublished(object: &Object, draft: &Draft, stored: &Stored, entries: &[Entry]) -> String {
    let who =
        draft.modified_by.as_ref().map_or_else(|| "somebody".to_owned(), |actor| name_of(actor, entries));
    let when = draft
        .modified_at
        .map(|at| format!(" on {}", at.strftime("%Y-%m-%d at %H:%M:%S UTC")))
        .unwrap_or_default();
    let told = listed(&diff::differing(object.kind, &draft.body, &stored.body));
    format!(
        "{who} left a draft of {object} unpublished{when} ({told}); publish or discard it in the admin UI, or run `genesync apply --tenant …` with --draft adopt to publish along what git leaves alone, or with --draft discard to write over it"
    )
}
