//! The changes of one object: a row for each field.
//!
//! In: an organization's part of a plan. Out: the section of the page.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind of change needs a decision here")]

use serde_json::Value;

use super::looks::Looks;
use super::words::{Piece, around_the_change, cut, moved_words, readable, whole};
use crate::model::colour::{Colour, shown_ratio};
use crate::model::{ChangeKind, ObjectKind};
use crate::render::document::{ChangeDocument, TargetDocument, TenantPlan};
use crate::render::picture::look::Appearance;
use crate::render::plan::{another_program, taken_over, unfinished, unrecorded, version};
use crate::render::review::{is_as_primary, remark};
use crate::render::value::{counted, escape};

/// Most changed fields of one object.
const CHANGES_MAX: usize = 500;

/// The section of one object of a tenant.
pub(super) struct TargetSection {
    pub(super) heading: String,
    pub(super) same: usize,
    pub(super) alerts: Vec<(&'static str, String)>,
    pub(super) ignored: String,
    pub(super) changes: Vec<ChangeRow>,
}

/// The row of one field.
pub(super) struct ChangeRow {
    pub(super) path: String,
    pub(super) contrast: String,
    pub(super) kind: &'static str,
    pub(super) why: &'static str,
    pub(super) class: &'static str,
    pub(super) by: String,
    pub(super) applied: String,
    pub(super) old: Vec<Piece>,
    pub(super) new: Vec<Piece>,
    pub(super) old_chip: String,
    pub(super) new_chip: String,
}

pub(super) fn target_section(tenant: &TenantPlan, target: &TargetDocument, looks: &[Looks]) -> TargetSection {
    let kind = target.object.as_ref().and_then(|object| ObjectKind::from_name(object.kind));
    let version = version(kind.unwrap_or(ObjectKind::IMPLIED), target.version);
    let named = target.object.as_ref().map(|object| format!("{}, ", object.titled(escape)));
    let name = target.object.as_ref().map(|object| object.name.clone());
    let of_object = looks.iter().find(|looks| looks.object == name);
    let held = target.undecided.iter().map(|reason| ("Held", escape(&cut(reason))));
    let draft = target.draft.iter().map(|draft| ("Draft", escape(&cut(&taken_over(draft)))));
    let left = target.unfinished.iter().map(|draft| ("Draft", escape(&cut(&unfinished(draft)))));
    let theirs = target.unrecorded.iter().map(|by| ("No record", cut(&unrecorded(by))));
    let others =
        target.another_program.iter().map(|program| ("Another program", cut(&another_program(program))));
    let left_out = target.changes.len().saturating_sub(CHANGES_MAX);
    let more = (left_out > 0)
        .then(|| ("More", format!("{} are not shown here", counted(left_out, "changed field"))));
    TargetSection {
        heading: format!("{}{} {}, {version}", named.unwrap_or_default(), target.region, target.role),
        same: if is_as_primary(&tenant.targets, target) {
            target.changes.len() + target.ignored.len()
        } else {
            0
        },
        alerts: held.chain(draft).chain(left).chain(theirs).chain(others).chain(more).collect(),
        ignored: escape(&target.ignored.join(", ")),
        changes: target.changes.iter().take(CHANGES_MAX).map(|change| row(change, of_object)).collect(),
    }
}

fn row(change: &ChangeDocument, looks: Option<&Looks>) -> ChangeRow {
    let shown = |value: Option<&Value>| value.map(|value| readable(&change.path, value));
    let (old, new) = around_the_change(shown(change.observed.as_ref()), shown(change.desired.as_ref()));
    let (old_pieces, new_pieces) = match (&old, &new) {
        (Some(old), Some(new)) => moved_words(old, new),
        (old, new) => (whole(old.as_deref()), whole(new.as_deref())),
    };
    ChangeRow {
        path: escape(&change.path),
        contrast: contrast(&change.path, looks),
        kind: match change.kind {
            ChangeKind::ToApply => "apply",
            kind @ (ChangeKind::Drift | ChangeKind::Conflict) => kind.name(),
        },
        why: change.kind.name(),
        class: change.class.name(),
        by: change.by.as_ref().map(ToString::to_string).unwrap_or_default(),
        applied: change.applied.as_ref().map(|value| cut(&readable(&change.path, value))).unwrap_or_default(),
        old: old_pieces,
        new: new_pieces,
        old_chip: chip(change.observed.as_ref()),
        new_chip: chip(change.desired.as_ref()),
    }
}

/// Returns a square of a colour as SVG, because the page's policy allows no inline style.
fn chip(value: Option<&Value>) -> String {
    let Some(colour) = value.and_then(Value::as_str).and_then(Colour::parse) else { return String::new() };
    let hex = colour.hex();
    format!(
        "<svg class=\"chip\" width=\"16\" height=\"16\" aria-hidden=\"true\"><rect x=\".5\" y=\".5\" width=\"15\" height=\"15\" fill=\"{hex}\" stroke=\"#6b7382\"/></svg> "
    )
}

/// Returns the note below a field: its remark, or the contrast before and after a change of the widget's
/// colours.
fn contrast(path: &str, looks: Option<&Looks>) -> String {
    if let Some(remark) = remark(path) {
        return remark.into();
    }
    let is_drawn = matches!(
        path,
        "widget.theme.colors.primary" | "widget.theme.colors.background" | "messenger.styles.primaryColor"
    );
    let Some(looks) = looks.filter(|_| is_drawn) else { return String::new() };
    let ratio =
        |side: &[Appearance]| side.first().map(|look| (look.accent.contrast(look.on_accent), look.needed));
    match (ratio(&looks.before), ratio(&looks.after)) {
        (Some((old, _)), Some((new, needed))) => {
            let verdict = if new >= needed { "passes" } else { "fails" };
            let (old, new) = (shown_ratio(old), shown_ratio(new));
            format!("contrast changes from {old} to {new}: {verdict}, {needed} is needed")
        }
        (None, Some((new, needed))) => format!("contrast {}, {needed} is needed", shown_ratio(new)),
        _ => String::new(),
    }
}
