//! A plan as Markdown, for a comment on a pull request.
//!
//! Every value of a manifest or a live configuration is inline code with a fence that is longer than any run
//! of backticks in the value. So a value cannot end the table, mention a user, or load a picture. A plan that
//! is longer than the forge's limit is cut between tenants, and the comment reports the number of tenants
//! that are left out.
//!
//! In: the document of a plan, a link to the whole plan. Out: Markdown. Never: prints a value of a manifest
//! as markup. Start reading at [`plan`].

use std::fmt::Write as _;

use super::document::{PlanDocument, TargetDocument, TenantPlan};
use super::finding::merged;
use super::plan::{another_program, ignored, taken_over, unfinished, unrecorded, version};
use super::review::{self, headline, is_as_primary, is_reported, is_shown, remark, worst_first};
use super::sentence::{Part, Sentence};
use super::unmanaged::{self, OUTSIDE};
use super::value::{REVIEWED_LENGTH_MAX, counted, escape, pair_within, value};
use crate::model::{Finding, Mode, ObjectKind, Severity};

/// Most bytes of a comment. Forges accept 65,536 characters; the rest is for the marker that identifies the
/// comment.
pub const BYTES_MAX: usize = 65_000;
/// Most bytes of one tenant's section; a longer section is shortened.
const TENANT_BYTES_MAX: usize = 12_000;
/// Most bytes of the head, and most bytes of the findings.
const PART_BYTES_MAX: usize = 16_000;
/// Most findings in a list.
const FINDINGS_MAX: usize = 40;
/// Most errors in the section of a tenant that is not valid.
const OWN_ERRORS_MAX: usize = 5;
/// Most sentences on what visitors of one tenant will notice.
const SENTENCES_MAX: usize = 12;
/// Most moments of one tenant.
const MOMENTS_MAX: usize = 8;

/// Returns the plan as a comment; `link` is the address of the whole plan.
pub fn plan(document: &PlanDocument, link: Option<&str>) -> String {
    let mut out = head(document);
    let foot = foot(document, link);
    // The list of findings is short and explains why tenants are not valid, so it is never left out.
    let all: Vec<&Finding> = document.findings.iter().collect();
    let room = BYTES_MAX.saturating_sub(out.len() + findings(&all).len() + foot.len() + 200);
    let shown = worst_first(document);
    let (mut used, mut left_out) = (0, 0);
    let mut reported: Vec<&Finding> = Vec::new();
    for tenant in &shown {
        let mut section = String::new();
        let own = review::own_errors(&document.findings, tenant);
        write_tenant(&mut section, tenant, &own, false);
        if section.len() > TENANT_BYTES_MAX {
            section.clear();
            write_tenant(&mut section, tenant, &own, true);
        }
        if left_out > 0 || used + section.len() > room {
            left_out += 1;
            continue;
        }
        used += section.len();
        out.push_str(&section);
        if own.len() <= OWN_ERRORS_MAX {
            reported.extend(own);
        }
    }
    // Writing to a String can't fail; the results are dropped throughout.
    if left_out > 0 {
        let _ = writeln!(out, "\n**{} not shown here**: see the whole plan.", counted(left_out, "tenant"));
    }
    out.push_str(&findings(&review::but(&all, &reported)));
    out.push_str(&foot);
    out
}

fn head(document: &PlanDocument) -> String {
    let summary = &document.summary;
    let mut out = format!("### genesync plan: {}\n", headline(document));
    if summary.to_apply + summary.drift + summary.conflicts > 0 {
        let _ = writeln!(
            out,
            "\n{} to apply, {} drift, {}{}",
            counted(summary.to_apply, "field"),
            summary.drift,
            counted(summary.conflicts, "conflict"),
            ignored(summary.ignored)
        );
    } else if summary.ignored > 0 {
        let _ = writeln!(out, "\n{}", ignored(summary.ignored).trim_start_matches("; "));
    }
    if let Some(why) = &document.stopped {
        let _ = writeln!(out, "\n> {why}");
    }
    for refusal in &document.refusals {
        let _ = writeln!(out, "\n> Refused by guard `{}`: {}", refusal.guard, code(&refusal.message));
    }
    if let Some(command) = &document.opens {
        let _ = writeln!(out, "\n> To open every guard that refuses, run {}", code(command));
    }
    if let Some(allowed) = &document.allowed {
        let guards = allowed.guards.join(", ");
        let _ =
            writeln!(out, "\n> Made with guards open: {} ({})", code(&guards), code(&short(&allowed.reason)));
    }
    if !document.management.is_empty() {
        let _ = writeln!(out, "\nWhat git manages:\n");
    }
    for (changed, reported) in document
        .management
        .iter()
        .flat_map(|changed| changed.reported.iter().map(move |reported| (changed, reported)))
    {
        if out.len() > PART_BYTES_MAX {
            let _ = writeln!(out, "- and more: see the whole plan");
            break;
        }
        let _ = writeln!(out, "- {}: {}", code(&short(changed.whose())), sentence(reported));
    }
    for shared in &document.shared {
        if out.len() > PART_BYTES_MAX {
            let _ = writeln!(out, "\nMore shared files changed: see the whole plan.");
            break;
        }
        let names: Vec<String> = shared.tenants.iter().take(20).map(|name| code(&short(name))).collect();
        let more = shared.tenants.len().saturating_sub(20);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let reached = counted(shared.tenants.len(), "tenant");
        let names = if names.is_empty() { String::new() } else { format!(": {}{more}", names.join(", ")) };
        let _ = writeln!(out, "\n{} changed and reaches {reached}{names}", code(&short(&shared.file)));
    }
    out
}

/// Returns the changes by other users in fields that git does not name.
fn outside(document: &PlanDocument) -> String {
    let mut out = String::new();
    let (reported, more) = unmanaged::reported(document);
    let all: Vec<&Sentence> = reported.collect();
    if !all.is_empty() {
        let _ = writeln!(out, "\n{OUTSIDE}:\n");
    }
    for reported in all.iter().take(SENTENCES_MAX) {
        let _ = writeln!(out, "- {}", sentence(reported));
    }
    and_more(&mut out, all.len() + more, SENTENCES_MAX);
    out
}

fn foot(document: &PlanDocument, link: Option<&str>) -> String {
    let mut out = outside(document);
    let quiet = document.tenants.iter().filter(|tenant| !is_shown(tenant)).count();
    if quiet > 0 && document.tenants.iter().any(is_shown) {
        let _ = writeln!(out, "\n{} in sync.", counted(quiet, "tenant"));
    }
    if let Some(link) = link {
        let _ = writeln!(out, "\n[The whole plan]({link})");
    }
    let _ = writeln!(out, "\nRevision `{}`, digest `{}`", document.revision, document.digest);
    out
}

fn findings(findings: &[&Finding]) -> String {
    let all = merged(findings.iter().copied());
    let reported: Vec<&Finding> = all.iter().filter(|finding| finding.severity > Severity::Info).collect();
    let waived: Vec<&Finding> = all.iter().filter(|finding| finding.waived.is_some()).collect();
    let mut out = String::new();
    for (title, some) in [("Findings", reported), ("Waivers in force", waived)] {
        if !some.is_empty() {
            let _ = writeln!(out, "\n#### {title}\n");
            list(&mut out, &some, FINDINGS_MAX, PART_BYTES_MAX / 2);
        }
    }
    out
}

/// Writes findings, one in each line, and the number of findings that are not shown.
fn list(out: &mut String, findings: &[&Finding], count_max: usize, bytes_max: usize) {
    let (begin, mut shown) = (out.len(), 0);
    for finding in findings.iter().take(count_max) {
        let line = line(finding);
        if out.len() - begin + line.len() > bytes_max {
            break;
        }
        let _ = writeln!(out, "{line}");
        shown += 1;
    }
    and_more(out, findings.len(), shown);
}

fn line(finding: &Finding) -> String {
    let place = code(&short(&finding.location.to_string()));
    let severity = if finding.waived.is_some() { "waived" } else { finding.severity.name() };
    let ways = finding.help.iter().chain(finding.fix.as_ref().map(|fix| &fix.title));
    let ways: String = ways.map(|way| format!("; {}", code(&short(way)))).collect();
    format!("- {severity} {} {place}: {}{ways}", code(finding.rule), code(&short(&finding.message)))
}

/// Writes how many items of a list are not shown.
fn and_more(out: &mut String, count: usize, shown_max: usize) {
    if count > shown_max {
        let _ = writeln!(out, "- and {} more", count - shown_max);
    }
}

/// Returns a text cut to the length of a line in a comment.
fn short(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    // Escaped before it is counted, because an escaped hidden character has eight characters.
    let text = escape(text);
    match text.chars().count() > CHARS_MAX {
        true => text.chars().take(CHARS_MAX).chain(['…']).collect(),
        false => text,
    }
}

/// Returns a sentence as Markdown.
pub fn sentence(sentence: &Sentence) -> String {
    let part = |part: &Part| match part {
        Part::Words(words) => words.clone(),
        Part::Value(value) => code(value),
    };
    sentence.parts.iter().map(part).collect()
}

fn write_tenant(out: &mut String, tenant: &TenantPlan, errors: &[&Finding], in_short: bool) {
    let worst = review::worst(tenant).map(|class| format!(", {}", class.name())).unwrap_or_default();
    let state = tenant.mode.unwrap_or(tenant.state);
    let _ = writeln!(out, "\n#### {} ({state}{worst})", code(&tenant.tenant));
    let is_watched = tenant.mode == Some(Mode::Watch.name());
    if is_watched && tenant.targets.iter().any(|target| !target.changes.is_empty()) {
        let _ = writeln!(
            out,
            "\n> Only watched: genesync writes nothing here until `tenant.yaml` sets `mode: enforce`."
        );
    }
    if tenant.state == "invalid" {
        let _ = writeln!(out, "\nNot valid: genesync will write nothing for this tenant.\n");
        list(out, errors, OWN_ERRORS_MAX, TENANT_BYTES_MAX / 2);
    }
    if let Some(error) = &tenant.error {
        let _ = writeln!(out, "\nCould not be read: {}", code(&short(error)));
    }
    for refusal in &tenant.refusals {
        let _ = writeln!(out, "\n> Refused by guard `{}`: {}", refusal.guard, code(&short(&refusal.message)));
    }
    if let Some(waits) = &tenant.waits {
        let _ = writeln!(out, "\n> Waits: {}", code(&short(waits)));
    }
    if !tenant.visitors.is_empty() {
        out.push('\n');
    }
    for reported in tenant.visitors.iter().take(SENTENCES_MAX) {
        let _ = writeln!(out, "- {}", sentence(reported));
    }
    and_more(out, tenant.visitors.len(), SENTENCES_MAX);
    if !tenant.moments.is_empty() {
        let would = if is_watched { "would" } else { "will" };
        let _ = writeln!(
            out,
            "\nWhen visitors {would} see it in the next 30 days, if the organization is set to this time zone:\n"
        );
        for moment in tenant.moments.iter().take(MOMENTS_MAX) {
            let _ = writeln!(out, "- {}", moment.text);
        }
        and_more(out, tenant.moments.len(), MOMENTS_MAX);
    }
    for target in tenant.targets.iter().filter(|target| is_reported(target)) {
        write_target(out, tenant, target, in_short);
    }
}

fn write_target(out: &mut String, tenant: &TenantPlan, target: &TargetDocument, in_short: bool) {
    let kind = target.object.as_ref().and_then(|object| ObjectKind::from_name(object.kind));
    let version = version(kind.unwrap_or(ObjectKind::IMPLIED), target.version);
    let named = target.object.as_ref().map(|object| format!("{}, ", object.titled(code)));
    let _ = write!(out, "\n{}{} {}, {version}", named.unwrap_or_default(), target.region, target.role);
    if is_as_primary(&tenant.targets, target) {
        let count = target.changes.len() + target.ignored.len();
        let _ = writeln!(out, ": the same {count} as the primary");
        return;
    }
    out.push('\n');
    if let Some(reason) = &target.undecided {
        let _ = writeln!(out, "\n> Held: {}", code(&short(reason)));
    }
    if let Some(draft) = &target.draft {
        let _ = writeln!(out, "\n> {}", code(&short(&taken_over(draft))));
    }
    if let Some(draft) = &target.unfinished {
        let _ = writeln!(out, "\n> {}", code(&short(&unfinished(draft))));
    }
    if let Some(by) = &target.unrecorded {
        let _ = writeln!(out, "\n> {}", code(&unrecorded(by)));
    }
    if let Some(program) = &target.another_program {
        let _ = writeln!(out, "\n> {}", code(&another_program(program)));
    }
    if in_short {
        let count = target.changes.len() + target.ignored.len();
        let _ = writeln!(out, "\n{}: too long for a comment, see the whole plan", counted(count, "field"));
        return;
    }
    if !target.ignored.is_empty() {
        let fields: Vec<String> = target.ignored.iter().map(|path| code(path)).collect();
        let _ = writeln!(out, "\nIgnored, though they differ: {}", fields.join(", "));
    }
    if target.changes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| field | class | why | live | git |\n| --- | --- | --- | --- | --- |");
    for change in &target.changes {
        let [live, git] =
            pair_within(&change.path, change.observed.as_ref(), change.desired.as_ref(), REVIEWED_LENGTH_MAX);
        let why = match &change.by {
            Some(attribution) => format!("{}, {}", change.kind.name(), cell(&attribution.to_string())),
            None => change.kind.name().to_owned(),
        };
        let applied = change.applied.as_ref().map(|applied| cell(&value(Some(applied))));
        let why = applied.map_or(why.clone(), |applied| format!("{why}, applied last: {applied}"));
        let remark = remark(&change.path).map(|remark| format!(", {remark}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {}{remark} | {} | {why} | {} | {} |",
            cell(&change.path),
            change.class.name(),
            cell(&live),
            cell(&git)
        );
    }
}

/// Returns text as inline code in a table cell. `|` is escaped as `\u{7c}`, because forges treat `\|`
/// differently.
fn cell(text: &str) -> String {
    code(&text.replace('|', "\\u{7c}"))
}

/// Returns text as inline code, with a fence that is longer than any run of backticks in it.
pub fn code(text: &str) -> String {
    let text = escape(text);
    if text.is_empty() {
        return "` `".into();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // Markdown removes one space at both ends, unless the text has only spaces.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests;
