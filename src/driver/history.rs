//! The history lines of a run, and the changes in unmanaged fields that it noticed.
//!
//! In: a run that has ended. Out: lines of kind and text, noticed changes. Never: a secret, or a name without
//! proof. Start reading at [`history`].

use jiff::Timestamp;

use crate::model::text::counted;
use crate::model::unmanaged::{Noticed, noticed as noticed_in};
use crate::model::{Change, ChangeKind, Class, ObjectRef, Receipt, Status, Target};
use crate::plan::resolve::PINNED;
use crate::plan::unmanaged::followed;
use crate::reconcile::Run;

/// Returns the history lines of a run; `reported` is the status and its reason, if they are new.
pub(super) fn history(
    run: &Run,
    reported: Option<(Status, &str)>,
    news: bool,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    // The drift of a watched tenant is reported when it is first seen; reverted drift is reported each time.
    let drift = run.first_plan().into_iter().flat_map(|plan| &plan.targets).flat_map(|target| {
        let moved = target.changes.iter().filter(|change| change.kind != ChangeKind::ToApply);
        moved.map(|change| (target.target.object_ref(), change))
    });
    if news || !run.receipts().is_empty() {
        let mut drift: Vec<(ObjectRef, &Change)> = drift.collect();
        drift.sort_by_key(|(_, change)| change.theirs != Some(Class::Off));
        lines.extend(
            drift
                .into_iter()
                .map(|(object, change)| ("drift", format!("{} of {object}{}", moved(change), by(change)))),
        );
    }
    lines.extend(run.overwritten().iter().map(|revert| ("overwrote", revert.words())));
    for receipt in run.receipts() {
        let text = format!("{} from commit {}", receipt.subject(), run.spec().revision.short());
        lines.push(("write", text));
    }
    if let Some((status, reason)) = reported {
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        lines.push(("status", format!("{}{reason}", status.word())));
    }
    lines
}

/// Returns who changed what, if the audit log has a name: `Mara Ionescu changed greetings.delayMs of … and 2
/// more fields`. It names a person only for fields that the log proves.
pub(super) fn moved_by(run: &Run) -> Option<String> {
    let targets = run.plan().into_iter().flat_map(|plan| &plan.targets);
    let mut all: Vec<(ObjectRef, &Change)> = targets
        .flat_map(|target| target.changes.iter().map(|change| (target.target.object_ref(), change)))
        .filter(|(_, change)| change.kind != ChangeKind::ToApply)
        .collect();
    // What was switched off comes first.
    all.sort_by_key(|(_, change)| change.theirs != Some(Class::Off));
    let (object, change) = all.iter().find(|(_, change)| change.by().is_some())?;
    let by = change.by()?;
    let theirs = |change: &&Change| change.by().is_some_and(|other| other.actor.id == by.actor.id);
    let theirs = all.iter().filter(|(_, change)| theirs(change)).count();
    let more = match theirs - 1 {
        0 => String::new(),
        more => format!(" and {}", counted(more, "more field")),
    };
    let others = match all.len() - theirs {
        0 => String::new(),
        others => format!(", {} also changed", counted(others, "other field")),
    };
    let (who, deed) = (by.actor.label(), by.deed.verb());
    Some(format!("{who} {deed} {} of {object}{more}{others}, and the tenant is in watch mode", change.path))
}

/// Formats a change: `greetings.delayMs: 1500 in git, 777 live`.
fn moved(change: &Change) -> String {
    let value = |value: &Option<serde_json::Value>| {
        let text = value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        match text.char_indices().nth(80) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
            None => text,
        }
    };
    let [live, git] = change.shown();
    let wanted = if change.path == PINNED { "to be pinned" } else { "in git" };
    format!("{}: {} {wanted}, {} live", change.path, value(&git), value(&live))
}

/// Formats the author of a change: `, by Mara Ionescu, 2026-11-29 10:00:00 UTC, from 192.0.2.1`.
fn by(change: &Change) -> String {
    change.author.as_ref().map(|author| format!(", {author}")).unwrap_or_default()
}

/// Returns the changes in fields that git does not name, after a run; none if the run has no plan. For a
/// region that the run left out, the known changes stay.
pub(super) fn noticed(run: &Run, known: &[Noticed], now: Timestamp) -> Option<Vec<Noticed>> {
    let seen = noticed_in(run.plan()?, now);
    // The first plan may prove a name that the plan after this run's writes cannot prove.
    let at_first = run.first_plan().map(|plan| noticed_in(plan, now)).unwrap_or_default();
    let is_unseen = |one: &&Noticed| {
        let is_there = |target: &Target| target.organization == one.organization;
        run.spec().targets().any(|target| is_there(&target)) && !run.targets().iter().any(is_there)
    };
    let newest_of = |before: &Noticed| {
        let is_of_it =
            |target: &Target| target.organization == before.organization && target.object == before.object;
        let written: Vec<&Receipt> =
            run.receipts().iter().filter(|receipt| is_of_it(&receipt.target)).collect();
        followed(before.version, &written)
    };
    let seen = seen.into_iter().map(|one| one.with_known(&at_first, newest_of).with_known(known, newest_of));
    Some(seen.chain(known.iter().filter(is_unseen).cloned()).collect())
}

/// Returns a line for each change that is new or whose author is newly known; what was switched off comes
/// first.
pub(super) fn news_of(seen: Option<&[Noticed]>, known: &[Noticed]) -> Vec<(&'static str, String)> {
    let new = seen.unwrap_or_default().iter().filter(|one| one.is_new(known));
    let mut new: Vec<&Noticed> = new.collect();
    new.sort_by_key(|one| std::cmp::Reverse(one.class));
    new.into_iter().map(|one| ("unmanaged", one.words())).collect()
}
