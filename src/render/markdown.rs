//! A plan as Markdown, for a pull request. Text from manifests can't end the table or mention anybody.

use std::fmt::Write as _;

use super::document::{PlanDocument, TargetDocument, TenantPlan};
use super::plan::{by, ignored, taken_over, version};
use super::value::{counted, escape, value};
use crate::model::ObjectKind;

/// The whole plan.
pub fn plan(document: &PlanDocument) -> String {
    let summary = &document.summary;
    let mut out = String::new();
    // Writing to a String can't fail; the results are dropped throughout.
    let _ = writeln!(out, "### genesync plan\n");
    if summary.tenants_changing == 0 && summary.invalid == 0 && summary.failed == 0 {
        let _ = writeln!(
            out,
            "No changes: {} in sync with `{}`{}.",
            counted(summary.tenants, "tenant"),
            document.revision,
            ignored(summary.ignored)
        );
        let planned = document.tenants.iter().filter(|tenant| tenant.state == "planned");
        planned.for_each(|tenant| write_tenant(&mut out, tenant));
        return out;
    }
    let _ = writeln!(
        out,
        "**{} of {} tenants change**: {} to apply, {} drift, {} conflicts{}. Revision `{}`, digest `{}`.",
        summary.tenants_changing,
        summary.tenants,
        summary.to_apply,
        summary.drift,
        summary.conflicts,
        ignored(summary.ignored),
        document.revision,
        document.digest
    );
    for refusal in &document.refusals {
        let _ = writeln!(out, "\n> Refused by guard `{}`: {}", refusal.guard, code(&refusal.message));
    }
    for tenant in &document.tenants {
        write_tenant(&mut out, tenant);
    }
    if !document.findings.is_empty() {
        let _ = writeln!(out, "\n#### Findings\n");
        for finding in &document.findings {
            let place =
                format!("{}:{}:{}", finding.location.file, finding.location.line, finding.location.column);
            let _ = writeln!(
                out,
                "- {} {} {}: {}",
                finding.severity.name(),
                code(finding.rule),
                code(&place),
                code(&finding.message)
            );
        }
    }
    out
}

fn write_tenant(out: &mut String, tenant: &TenantPlan) {
    let told = |target: &&TargetDocument| {
        !(target.changes.is_empty() && target.ignored.is_empty() && target.undecided.is_none())
    };
    let quiet = tenant.refusals.is_empty() && !tenant.targets.iter().any(|target| told(&target));
    if tenant.state == "planned" && quiet {
        return;
    }
    let _ = writeln!(out, "\n#### {} ({})", code(&tenant.tenant), tenant.mode.unwrap_or(tenant.state));
    if tenant.state == "invalid" {
        let _ = writeln!(out, "\nNot valid: see the findings. Nothing will be written for this tenant.");
    }
    if let Some(error) = &tenant.error {
        let _ = writeln!(out, "\nCould not be read: {}", code(error));
    }
    for refusal in &tenant.refusals {
        let _ = writeln!(out, "\n> Refused by guard `{}`: {}", refusal.guard, code(&refusal.message));
    }
    for target in tenant.targets.iter().filter(told) {
        let kind = target.object.as_ref().and_then(|object| ObjectKind::from_name(object.kind));
        let version = version(kind.unwrap_or(ObjectKind::WebMessaging), target.version);
        let named = target.object.as_ref().map(|object| format!("{} {}, ", object.kind, code(&object.name)));
        let _ = writeln!(out, "\n{}{} {}, {version}", named.unwrap_or_default(), target.region, target.role);
        if let Some(reason) = &target.undecided {
            let _ = writeln!(out, "\n> Held: {}", code(reason));
        }
        if let Some(draft) = &target.draft {
            let _ = writeln!(out, "\n> {}", code(&taken_over(draft)));
        }
        if !target.ignored.is_empty() {
            let fields: Vec<String> = target.ignored.iter().map(|path| code(path)).collect();
            let _ = writeln!(out, "\nIgnored, though they differ: {}", fields.join(", "));
        }
        if target.changes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n| field | class | why | live | git |\n| --- | --- | --- | --- | --- |");
        for change in &target.changes {
            let why = match &change.by {
                Some(attribution) => format!("{}, {}", change.kind.name(), code(&by(attribution))),
                None => change.kind.name().to_owned(),
            };
            let _ = writeln!(
                out,
                "| {} | {} | {why} | {} | {} |",
                code(&change.path),
                change.class.name(),
                code(&value(change.observed.as_ref())),
                code(&value(change.desired.as_ref()))
            );
        }
    }
}

/// Text as inline code: in a fence longer than any run of backticks inside, with pipes escaped.
fn code(text: &str) -> String {
    let text = escape(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn no_text_ends_its_code_or_its_table_cell() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(code("a|b @org <img>"), "`a\\|b @org <img>`");
        assert_eq!(code("a\n\u{202e}b"), "`a\\u{a}\\u{202e}b`");
    }
}
