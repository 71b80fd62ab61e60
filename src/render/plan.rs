//! A plan as aligned text for a terminal.
//!
//! In: a plan and its refusals. Out: text.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind or status needs a decision here")]

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

use super::document::{role, targets};
use super::value::{escape, pair, value};
use super::visitors;
use crate::model::author::{Attribution, Author};
use crate::model::plan::{TargetPlan, TheirDraft, Unfinished};
use crate::model::{Actor, Change, ChangeKind, Class, ObjectKind, Plan, Refusal};

/// Returns the plan of one tenant: a line with its name, what visitors will notice, then each organization
/// with its changes.
pub fn tenant(plan: &Plan, refusals: &[Refusal]) -> String {
    let bold = Style::new().bold();
    let mut out = String::new();
    let counts = [ChangeKind::ToApply, ChangeKind::Drift, ChangeKind::Conflict]
        .map(|kind| (plan.count(kind), kind.name()))
        .into_iter()
        .chain([(plan.ignored(), "ignored")])
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect::<Vec<_>>()
        .join(", ");
    let gap = if counts.is_empty() { "" } else { "  " };
    // Writing to a String can't fail; the results are dropped throughout.
    let _ = writeln!(out, "{bold}{}{bold:#}  {}{gap}{counts}", plan.tenant, plan.mode.name());
    for sentence in visitors::sentences(&targets(plan)) {
        let _ = writeln!(out, "  {}", escape(&sentence.text()));
    }
    let reported = |target: &TargetPlan| {
        let is_quiet = target.changes.is_empty() && target.ignored.is_empty() && target.next.is_none();
        !is_quiet || target.unfinished.is_some()
    };
    for (index, target) in plan.targets.iter().enumerate().filter(|(_, target)| reported(target)) {
        let role = role(plan, index);
        let version = version(target.target.object.kind, target.version);
        let place = &target.target;
        let named = if place.object.is_implied() {
            String::new()
        } else {
            format!("{}  ", escape(&place.object.to_string()))
        };
        let _ = writeln!(out, "  {}  {}  {named}{role}, {version}", place.region, place.organization);
        let primary = plan.targets.iter().find(|known| known.target.object == place.object);
        let primary = primary.filter(|_| role != "primary");
        let same = |primary: &TargetPlan| {
            alike(&primary.changes, &target.changes) && primary.ignored == target.ignored
        };
        if primary.is_some_and(|primary| same(primary)) {
            let count = target.changes.len() + target.ignored.len();
            let _ = writeln!(out, "     the same {count} as the primary");
            continue;
        }
        out.push_str(&changes(target));
        if let Some(draft) = &target.draft {
            let _ = writeln!(out, "    {}", escape(&taken_over(draft)));
        }
        if let Some(draft) = &target.unfinished {
            let _ = writeln!(out, "    {}", escape(&unfinished(draft)));
        }
        if let Some(by) = &target.unrecorded {
            let _ = writeln!(out, "    {}", unrecorded(by));
        }
        if let Some(program) = &target.another_program {
            let _ = writeln!(out, "    {}", another_program(program));
        }
        if let Some(reason) = target.undecided() {
            let style = AnsiColor::Red.on_default();
            let _ = writeln!(out, "    {style}held{style:#}: {}", escape(reason));
        }
        for path in &target.ignored {
            let _ = writeln!(out, "    = {}  ignored: differs, and left unchanged", escape(path));
        }
    }
    for refusal in refusals {
        let style = AnsiColor::Red.on_default();
        let _ = writeln!(
            out,
            "  {style}refused{style:#} by guard `{}`: {}",
            refusal.guard.name(),
            escape(&refusal.message)
        );
    }
    out
}

/// Returns the line for a draft that another user has not published.
pub fn unfinished(draft: &Unfinished) -> String {
    let at = draft.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    format!("unpublished draft of {}{at}: {}", draft.by, draft.fields.join(", "))
}

/// Returns the line for an object without a record of what genesync applied last.
pub fn unrecorded(by: &Attribution) -> String {
    format!(
        "no record of what was applied last: the live configuration was made {by}, and may be a manual change"
    )
}

/// Returns the line for an object that another program wrote last and that has no field for the owner mark.
pub fn another_program(program: &Actor) -> String {
    format!("another program wrote it last: {}", escape(&program.label()))
}

/// Returns the line for a draft of another user that the next write publishes or overwrites.
pub fn taken_over(draft: &TheirDraft) -> String {
    let at = draft.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    let parts = [("also published", &draft.published_along), ("overwritten", &draft.written_over)];
    let reported: Vec<String> = parts
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(what, fields)| format!("{what}: {}", fields.join(", ")))
        .collect();
    format!("draft of {}{at}: {}", draft.by, reported.join("; "))
}

/// Returns the live version as text, for kinds that count versions.
pub fn version(kind: ObjectKind, version: Option<u64>) -> String {
    let counted = kind.counts_versions();
    match version {
        None if kind.is_named() => "does not exist yet".into(),
        None => "no configuration yet".into(),
        Some(0) if kind.has_drafts() => "never published".into(),
        Some(version) if counted => format!("version {version}"),
        Some(_) => "without versions".into(),
    }
}

/// Returns whether two organizations differ from git in the same way. Ids of references differ between
/// organizations, so they do not count.
fn alike(one: &[Change], other: &[Change]) -> bool {
    let refers = |path: &str| {
        path.ends_with(".id") || path.ends_with("integrationId") || path == "configuration.version"
    };
    let same = |(one, other): (&Change, &Change)| {
        let values = (&one.observed, &one.desired) == (&other.observed, &other.desired);
        let same_author = Author::is_same(one.author.as_ref(), other.author.as_ref());
        one.path == other.path && one.kind == other.kind && same_author && (values || refers(&one.path))
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

fn changes(target: &TargetPlan) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let changes = worst_first(&target.changes);
    for change in &changes {
        let [live, git] = change.shown();
        table.add_row([
            format!("    {} {}", sign(change), escape(&change.path)),
            change.class.name().to_owned(),
            change.kind.name().to_owned(),
            pair(&change.path, live.as_ref(), git.as_ref()).join(" -> "),
            reported(change),
        ]);
    }
    let mut out = String::new();
    for (line, change) in table.lines().zip(&changes) {
        let style = style(change.kind);
        let _ = writeln!(out, "{style}{}{style:#}", line.trim_end());
    }
    out
}

/// Returns the changes in the order of severity: first what another user switched off, then by class, then by
/// path.
fn worst_first(changes: &[Change]) -> Vec<&Change> {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by_key(|change| (change.theirs != Some(Class::Off), std::cmp::Reverse(change.class)));
    sorted
}

/// Returns who changed a field, and the value that genesync applied last.
fn reported(change: &Change) -> String {
    let applied = change.applied_shown().map(|applied| format!("applied last: {}", value(Some(&applied))));
    change.author.as_ref().map(ToString::to_string).into_iter().chain(applied).collect::<Vec<_>>().join(", ")
}

fn sign(change: &Change) -> char {
    match (&change.observed, &change.desired) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    }
}

fn style(kind: ChangeKind) -> Style {
    match kind {
        ChangeKind::ToApply => AnsiColor::Green.on_default(),
        ChangeKind::Drift => AnsiColor::Yellow.on_default(),
        ChangeKind::Conflict => AnsiColor::Red.on_default(),
    }
}

/// Returns the number of ignored fields that differ, as text for a summary; empty if there are none.
pub fn ignored(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 field differs and is ignored".into(),
        count => format!("; {count} fields differ and are ignored"),
    }
}
