//! Applies waivers, which accept findings until a date, and checks the waivers themselves.

use jiff::civil::Date;

use super::rules;
use crate::manifest::ProjectManifest;
use crate::manifest::kinds::project::{Rules, Waiver};
use crate::manifest::schema::nearest;
use crate::model::{Finding, Severity, TenantName, Waived};

fn expires(waiver: &Waiver) -> Option<Date> {
    waiver.expires.0.parse().ok()
}

/// Sets waived findings to `info`, with the owner, the last day and the reason of the waiver.
pub fn apply(findings: &mut [Finding], rules: &Rules, today: Date) {
    for finding in findings.iter_mut() {
        if !rules::ALL.iter().any(|rule| rule.id == finding.rule && rule.tunable) {
            continue;
        }
        let tenant = finding.tenant.as_ref().map(|tenant| tenant.as_str());
        let waiver = rules.waivers.0.iter().find(|waiver| {
            waiver.rule.0 == finding.rule
                && Some(waiver.tenant.0.as_str()) == tenant
                && expires(waiver).is_some_and(|last| today <= last)
        });
        if let Some(waiver) = waiver {
            finding.severity = Severity::Info;
            // The owner accepted the value as it is, so `--fix` must not change it.
            finding.fix = None;
            let waived = Waived {
                by: waiver.owner.0.clone(),
                until: waiver.expires.0.clone(),
                reason: waiver.reason.0.clone(),
            };
            finding.help = Some(waived.to_string());
            finding.waived = Some(waived);
        }
    }
}

/// Returns the findings of the project's own settings: expired waivers, unknown rules, rules that are not
/// tunable.
pub fn check(project: &ProjectManifest, today: Date) -> Vec<Finding> {
    let Some(document) = &project.document else { return Vec::new() };
    let mut findings = Vec::new();
    let mut find = |pointer: String, message: String, tenant: Option<&str>, help: Option<String>| {
        let span = document.pointer(&pointer).map_or(document.span, |node| node.span);
        findings.push(Finding {
            rule: "waiver",
            severity: Severity::Error,
            message,
            location: project.files.locate(span),
            pointer,
            tenant: tenant.map(TenantName::new),
            related: Vec::new(),
            help,
            fix: None,
            waived: None,
        });
    };
    for (index, waiver) in project.spec.rules.waivers.0.iter().enumerate() {
        let at = format!("/spec/rules/waivers/{index}");
        // An invalid waiver stops only its own tenant.
        let tenant = Some(waiver.tenant.0.as_str());
        match expires(waiver) {
            None => {
                let message = format!("`{}` is not a calendar date", waiver.expires.0);
                find(format!("{at}/expires"), message, tenant, None);
            }
            Some(last) if last < today => {
                let message =
                    format!("this waiver of `{}` for `{}` expired on {last}", waiver.rule.0, waiver.tenant.0);
                let help = format!(
                    "fix the finding and delete the waiver, or agree on a new date with {}",
                    waiver.owner.0
                );
                find(format!("{at}/expires"), message, tenant, Some(help));
            }
            Some(_) => {}
        }
        if let Some((message, help)) = untunable(&waiver.rule.0) {
            find(format!("{at}/rule"), message, tenant, help);
        }
    }
    for id in project.spec.rules.severity.0.keys() {
        if let Some((message, help)) = untunable(id) {
            find(format!("/spec/rules/severity/{id}"), message, None, help);
        }
    }
    findings
}

fn untunable(id: &str) -> Option<(String, Option<String>)> {
    match rules::ALL.iter().find(|rule| rule.id == id) {
        Some(rule) if rule.tunable => None,
        Some(_) => Some((
            format!(
                "the rule `{id}` is fixed: its severity cannot be changed, and its findings cannot be waived"
            ),
            None,
        )),
        None => {
            let near = nearest(id, rules::ALL.iter().map(|rule| rule.id));
            Some((format!("there is no rule `{id}`"), near.map(|near| format!("did you mean `{near}`?"))))
        }
    }
}
