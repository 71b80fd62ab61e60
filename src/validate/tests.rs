//! Checks every rule against its own fixtures, alone, so that no fixture depends on another rule.

use std::sync::Arc;

use super::*;
use crate::manifest::{Bases, Input, read_tenant};
use crate::model::TenantName;

fn manifest(text: &str) -> TenantManifest {
    let input = Input { path: Arc::from("tenants/acme/web.yaml"), bytes: Arc::from(text.as_bytes()) };
    read_tenant(&TenantName::new("acme"), &[input], &Bases::default())
}

#[expect(clippy::disallowed_methods, reason = "fixtures are files")]
fn fixture(rule: &Rule, name: &str) -> String {
    let path = format!("{}/tests/fixtures/rules/{}/{name}.yaml", env!("CARGO_MANIFEST_DIR"), rule.id);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn today() -> Date {
    Date::constant(2026, 11, 20)
}

/// Returns the findings of one rule in a fixture: the rule's own, and the schema's that carry its id.
fn findings(rule: &Rule, text: &str) -> Vec<Finding> {
    let manifest = manifest(text);
    let read = manifest.findings.iter().filter(|finding| finding.rule == rule.id).cloned();
    read.chain(check_rule(rule, &manifest, today())).collect()
}

#[test]
fn every_rule_accepts_its_ok_fixture() {
    for rule in rules::ALL {
        let text = fixture(rule, "ok");
        assert_eq!(findings(rule, &text), [], "{}", rule.id);
        let unread: Vec<_> = manifest(&text)
            .findings
            .into_iter()
            .filter(|finding| finding.rule == "schema" || finding.rule == "yaml")
            .collect();
        assert_eq!(unread, [], "{}: the fixture itself is broken", rule.id);
    }
}

/// In a `bad` fixture, every line with a finding ends in `# <- ` and a part of the finding's message.
#[test]
fn every_rule_finds_what_its_bad_fixture_marks_and_nothing_else() {
    for rule in rules::ALL {
        let text = fixture(rule, "bad");
        let mut found = findings(rule, &text);
        for (index, line) in text.lines().enumerate() {
            let Some((_, marks)) = line.split_once("# <- ") else { continue };
            for mark in marks.split(" | ") {
                let at = found.iter().position(|finding| {
                    finding.location.line as usize == index + 1 && finding.message.contains(mark)
                });
                let at = at.unwrap_or_else(|| {
                    panic!("{}:{}: no finding contains `{mark}` among {found:#?}", rule.id, index + 1)
                });
                found.remove(at);
            }
        }
        assert_eq!(found, [], "{}: findings that the fixture does not mark", rule.id);
        assert!(text.contains("# <- "), "{}: the bad fixture marks nothing", rule.id);
    }
}

#[test]
fn a_waiver_expires_after_its_last_day_and_the_project_sets_severities() {
    let text = fixture(&rules::ALL[2], "bad");
    let manifest = manifest(&text);
    let project = |yaml: &str| {
        let text = format!(
            "apiVersion: genesync/v1alpha1\nkind: Project\nmetadata: {{name: p}}\nspec:\n  rules:\n{yaml}"
        );
        crate::manifest::read_project(&Input {
            path: Arc::from("genesync.yaml"),
            bytes: Arc::from(text.as_bytes()),
        })
    };
    let severity_of = |yaml: &str, day: Date| {
        let project = project(yaml);
        assert_eq!(project.findings, [], "{yaml}");
        let found = check(&manifest, &project.spec.rules, day);
        found.iter().filter(|finding| finding.rule == "contrast").map(|finding| finding.severity).max()
    };
    let waiver = "    waivers: [{rule: contrast, tenant: acme, owner: a@b.example, reason: rebrand, expires: 2026-12-01}]\n";
    assert_eq!(severity_of("    severity: {}\n", today()), Some(Severity::Error));
    assert_eq!(severity_of("    severity: {contrast: warning}\n", today()), Some(Severity::Warning));
    assert_eq!(severity_of("    severity: {contrast: ignore}\n", today()), None);
    assert_eq!(severity_of(waiver, Date::constant(2026, 12, 1)), Some(Severity::Info));
    assert_eq!(severity_of(waiver, Date::constant(2026, 12, 2)), Some(Severity::Error));

    let expired = waiver::check(&project(waiver), Date::constant(2026, 12, 2));
    assert!(
        expired.iter().any(|finding| finding.message.contains("expired on 2026-12-01")
            && finding.severity == Severity::Error)
    );
    let untunable = waiver::check(&project("    severity: {secrets: ignore, contrats: error}\n"), today());
    let messages: Vec<&str> = untunable.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "there is no rule `contrats`",
            "the rule `secrets` is fixed: its severity cannot be changed, and its findings cannot be waived"
        ]
    );
}

#[test]
fn a_cloud_tenant_can_ignore_only_fields_of_its_own_kinds() {
    let rule = rules::ALL.iter().find(|rule| rule.id == "ignore").unwrap();
    let field = |field: &str| format!("{{field: {field}, until: 2027-03-31, reason: Agency at work.}}");
    let said = |name: &str| {
        let text = format!(
            "apiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\nspec:\n  organizationId: 11111111-2222-4333-8444-555555555555\n  region: eu-west-1\n  api: cloud\n  credentials: acme\n  sync:\n    ignore:\n      - {}\n---\napiVersion: genesync/v1alpha1\nkind: MessengerConfiguration\nmetadata: {{name: web}}\nspec: {{messenger: {{styles: {{primaryColor: \"#0B3D91\"}}}}}}\n---\napiVersion: genesync/v1alpha1\nkind: MessengerDeployment\nmetadata: {{name: shop}}\nspec: {{status: Active}}\n",
            field(name)
        );
        findings(rule, &text).into_iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    for managed in ["messenger.styles", "messenger.styles.primaryColor", "status"] {
        assert_eq!(said(managed), [], "{managed}");
    }
    assert_eq!(said("description"), [Severity::Warning]);
    for unknown in ["greetings.delayMs", "name", "signatureSecret"] {
        assert_eq!(said(unknown), [Severity::Error], "{unknown}");
    }
}
