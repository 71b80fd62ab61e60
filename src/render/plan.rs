//! A plan as aligned text.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new kind or status is decided about here")]

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

use super::document::{role, targets};
use super::value::{escape, pair, value};
use super::visitors;
use crate::model::author::{Attribution, Author};
use crate::model::plan::{TargetPlan, TheirDraft, Unfinished};
use crate::model::{Actor, Change, ChangeKind, Class, ObjectKind, Plan, Refusal};

/// One tenant's plan: a line with its name, what visitors will notice, then each organization with its changes.
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
    let told = |target: &TargetPlan| {
        let is_quiet = target.changes.is_empty() && target.ignored.is_empty() && target.next.is_none();
        !is_quiet || target.unfinished.is_some()
    };
    for (index, target) in plan.targets.iter().enumerate().filter(|(_, target)| told(target)) {
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
            let _ = writeln!(out, "    = {}  ignored: it differs and is left alone", escape(path));
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

/// A draft that waits for somebody else to publish it.
pub fn unfinished(draft: &Unfinished) -> String {
    let at = draft.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    format!("unpublished draft of {}{at}: {}", draft.by, draft.fields.join(", "))
}

/// Where nothing is known of what was applied before: whose change what differs may be.
pub fn unrecorded(by: &Attribution) -> String {
    format!("no record of what was applied last; what is live was made {by}, and may be a change by hand")
}

/// A client that is none of ours wrote last, and there is no place for the mark of an owner.
pub fn another_program(program: &Actor) -> String {
    format!("another program wrote it last: {}", escape(&program.label()))
}

/// What becomes of somebody's draft.
pub fn taken_over(draft: &TheirDraft) -> String {
    let at = draft.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    let parts = [("published along", &draft.published_along), ("written over", &draft.written_over)];
    let told: Vec<String> = parts
        .iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(what, fields)| format!("{what}: {}", fields.join(", ")))
        .collect();
    format!("draft of {}{at}: {}", draft.by, told.join("; "))
}

/// What is there: the newest version, where such are counted.
pub fn version(kind: ObjectKind, version: Option<u64>) -> String {
    let counted = kind.counts_versions();
    match version {
        None if kind.is_named() => "not there yet".into(),
        None => "no configuration yet".into(),
        Some(0) if kind.has_drafts() => "never published".into(),
        Some(version) if counted => format!("version {version}"),
        Some(_) => "as it is".into(),
    }
}

/// Whether two organizations differ from git in the same way: what is referred to has another id in each.
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
            told(change),
        ]);
    }
    let mut out = String::new();
    for (line, change) in table.lines().zip(&changes) {
        let style = style(change.kind);
        let _ = writeln!(out, "{style}{}{style:#}", line.trim_end());
    }
    out
}

/// What somebody switched off stands first, then what does most to visitors; what does as much stays in the order of paths.
fn worst_first(changes: &[Change]) -> Vec<&Change> {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    sorted.sort_by_key(|change| (change.theirs != Some(Class::Off), std::cmp::Reverse(change.class)));
    sorted
}

/// Who moved a field, and from what both sides moved it.
fn told(change: &Change) -> String {
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

/// What a summary says of fields that differ and are left alone; nothing where there are none.
pub fn ignored(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 field differs and is ignored".into(),
        count => format!("; {count} fields differ and are ignored"),
    }
}
