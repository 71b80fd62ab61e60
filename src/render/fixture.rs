//! Plans for tests of renderers: small plans, and one with a hostile text in every text field.

use serde_json::json;

use super::document::{
    Allowed, ChangeDocument, ManagementDocument, PlanDocument, RefusalDocument, SharedDocument, Summary,
    TargetDocument, TenantPlan,
};
use super::review::is_shown;
use super::sentence::Sentence;
use super::visitors::sentences;
use crate::model::author::{Attribution, Author, Deed};
use crate::model::{Actor, ActorKind, ChangeKind, Class, Finding, Location, Severity};

/// Returns texts that try to act as markup or as control sequences.
pub fn hostile() -> Vec<String> {
    let mut texts: Vec<String> =
        (3..=20).flat_map(|length| ["`", "~"].map(|c| format!("\n{}\n", c.repeat(length)))).collect();
    texts.extend(
        [
            "</details>",
            "</td></tr></table>",
            "<!-- genesync -->",
            "-->",
            "@org/team",
            "@everyone",
            "#123",
            "GH-123",
            "![x](https://evil.example/x.png)",
            "<img src=https://evil.example/x.png>",
            "[x](javascript:alert(1))",
            "https://evil.example/",
            "www.evil.example",
            "<script>alert(1)</script>",
            "| a | b |\n| - | - |",
            "a | b",
            "\\`",
            "\\",
            "\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}",
            "\u{202e}gnp",
            "&lt;b&gt;",
            "`` ` ``",
            " ` ",
            "\\| @org ![x](https://evil.example/x.png)",
            ":tada:",
            "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
            "$x^2$",
            "- [ ] task",
            "# heading",
            "\r\n\r\n# x",
        ]
        .map(str::to_owned),
    );
    texts
}

pub fn change(text: &str) -> ChangeDocument {
    ChangeDocument {
        path: "greetings.messages".into(),
        kind: ChangeKind::ToApply,
        class: Class::Text,
        observed: Some(json!([text])),
        desired: Some(json!([format!("{text}{text}")])),
        applied: None,
        by: None,
    }
}

pub fn target(changes: Vec<ChangeDocument>) -> TargetDocument {
    TargetDocument {
        organization_id: "o".into(),
        object: None,
        region: "eu-west-1",
        role: "primary",
        version: Some(7),
        observed_digest: "sha256:0".into(),
        digest: "sha256:1".into(),
        changes,
        already_done: Vec::new(),
        ignored: Vec::new(),
        undecided: None,
        draft: None,
        unfinished: None,
        unrecorded: None,
        another_program: None,
        unknown: Vec::new(),
        versions: None,
    }
}

pub fn tenant(name: &str, changes: Vec<ChangeDocument>) -> TenantPlan {
    let targets = vec![target(changes)];
    TenantPlan {
        tenant: name.into(),
        state: "planned",
        mode: Some("enforce"),
        digest: None,
        visitors: sentences(&targets),
        moments: Vec::new(),
        targets,
        refusals: Vec::new(),
        waits: None,
        error: None,
    }
}

pub fn document(tenants: Vec<TenantPlan>) -> PlanDocument {
    let changing = tenants.iter().filter(|tenant| is_shown(tenant)).count();
    PlanDocument {
        revision: "0123456789".into(),
        digest: "sha256:2".into(),
        summary: Summary {
            tenants: tenants.len(),
            tenants_changing: changing,
            to_apply: changing,
            ..Summary::default()
        },
        tenants,
        refusals: Vec::new(),
        opens: None,
        allowed: None,
        stopped: None,
        management: Vec::new(),
        shared: Vec::new(),
        unmanaged_changes: Vec::new(),
        platform_changes: Vec::new(),
        findings: Vec::new(),
        exit_code: 0,
    }
}

/// Returns a plan with a text in every text field.
pub fn everywhere(text: &str) -> PlanDocument {
    let actor = Actor { id: text.into(), name: text.into(), kind: ActorKind::User };
    let deed = Deed::Changed;
    let by = Author::Named(Attribution { actor, deed, at: None, remote_ip: Some(text.into()) });
    let conflict = ChangeDocument { applied: Some(json!([text])), by: Some(by), ..change(text) };
    let mut one = tenant(text, vec![conflict]);
    one.error = Some(text.into());
    one.refusals.push(RefusalDocument { guard: "protected", message: text.into() });
    one.targets[0].undecided = Some(text.into());
    one.targets[0].ignored.push(text.into());
    let mut document = document(vec![one]);
    document.opens = Some(text.into());
    document.allowed = Some(Allowed { guards: vec![text.into()], reason: text.into() });
    document.management.push(ManagementDocument {
        tenant: Some(text.into()),
        reported: vec![Sentence::new(Class::Reach, "no longer managed: ").value(text)],
    });
    document.shared.push(SharedDocument { file: text.into(), tenants: vec![text.into()] });
    document.findings.push(Finding {
        rule: "text",
        severity: Severity::Error,
        message: text.into(),
        location: Location::file(text),
        pointer: String::new(),
        tenant: None,
        related: Vec::new(),
        help: None,
        fix: None,
        waived: None,
    });
    document
}
