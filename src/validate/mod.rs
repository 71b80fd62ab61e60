//! Stage 3 of 7: checks manifests against the rules.
//!
//! In: a parsed [`TenantManifest`], the project's settings, today's date. Out: findings, in file order.
//! Never: reads a file, asks the API, or changes a manifest. Start reading at [`check`]; each rule is one
//! file under `rules/`, with the same name as its id, its fixtures and its anchor in `docs/rules.md`.

pub mod fix;
pub mod fleet;
pub mod rules;
mod text;
mod time_zone;
pub mod waiver;

use jiff::civil::Date;

use crate::manifest::files::Files;
use crate::manifest::kinds::project::Rules;
use crate::manifest::yaml::{Node, Span, Yaml};
use crate::manifest::{Declaration, TenantManifest};
use crate::model::secret::resembles_secret;
use crate::model::{Finding, Fix, ObjectKind, Severity};

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The rule's id: the name of its file, of its fixtures and of its section in `docs/rules.md`.
    pub id: &'static str,
    /// What the rule requires, in one sentence without a full stop.
    pub summary: &'static str,
    /// The severity of its findings, unless a finding sets its own.
    pub severity: Severity,
    /// Whether `genesync.yaml` may change its severity and waive its findings.
    pub tunable: bool,
    /// Checks one tenant.
    pub check: fn(&mut Context<'_>),
}

/// The input of a rule, and the findings that it adds.
pub struct Context<'a> {
    /// The tenant.
    pub manifest: &'a TenantManifest,
    /// Today, for rules about dates.
    pub today: Date,
    rule: &'static str,
    severity: Severity,
    findings: Vec<Finding>,
}

impl<'a> Context<'a> {
    /// The merged `spec` of the tenant's WebMessaging document.
    pub fn web(&self) -> Option<&'a Node> {
        self.resources(ObjectKind::WebMessaging).map(|resource| &resource.spec).next()
    }

    /// The tenant's objects of one kind.
    pub fn resources(&self, kind: ObjectKind) -> impl Iterator<Item = &'a Declaration> + use<'a> {
        self.manifest.resources.iter().filter(move |resource| resource.object.kind == kind)
    }

    /// The merged specs of the tenant's messenger configurations.
    pub fn messengers(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        self.resources(ObjectKind::MessengerConfiguration).map(|resource| &resource.spec)
    }

    /// Adds a finding at a value and returns it, so that the rule can add a help or a fix.
    pub fn find(
        &mut self,
        span: Span,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Finding {
        let finding = Finding {
            rule: self.rule,
            severity: self.severity,
            message: message.into(),
            location: self.manifest.files.locate(span),
            pointer: pointer.into(),
            tenant: Some(self.manifest.name.clone()),
            related: Vec::new(),
            help: None,
            fix: None,
            waived: None,
        };
        self.findings.push(finding);
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }
}

/// Whether a value is `null` or an empty list.
fn is_nothing(node: &Node) -> bool {
    match &node.value {
        Yaml::Null => true,
        Yaml::List(items) => items.is_empty(),
        _ => false,
    }
}

impl Finding {
    /// Sets the help: what the author has to do.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Sets the fix: the text that replaces the value.
    pub fn fix(&mut self, title: impl Into<String>, replacement: impl Into<String>) -> &mut Self {
        self.fix = Some(Fix { title: title.into(), replacement: replacement.into() });
        self
    }

    /// Sets a severity other than the rule's.
    pub fn weigh(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }
}

/// Runs one rule alone.
pub fn check_rule(rule: &Rule, manifest: &TenantManifest, today: Date) -> Vec<Finding> {
    let mut context =
        Context { manifest, today, rule: rule.id, severity: rule.severity, findings: Vec::new() };
    (rule.check)(&mut context);
    context.findings
}

/// Returns all findings of one tenant, from the reader and from every rule, with the project's severities.
pub fn check(manifest: &TenantManifest, rules: &Rules, today: Date) -> Vec<Finding> {
    let mut findings = manifest.findings.clone();
    for rule in rules::ALL {
        for mut finding in check_rule(rule, manifest, today) {
            let weight = rules.severity.0.get(rule.id).filter(|_| rule.tunable);
            match weight.map(|weight| weight.severity()) {
                Some(None) => continue,
                // A finding below its rule's severity is never raised: the setting only limits it.
                Some(Some(severity)) if finding.severity == rule.severity => finding.severity = severity,
                Some(Some(severity)) => finding.severity = finding.severity.min(severity),
                None => {}
            }
            // The replacement of a secret would show the secret.
            finding.fix = finding.fix.filter(|fix| !resembles_secret(&fix.replacement));
            findings.push(finding);
        }
    }
    keep_sound_fixes(&mut findings, &manifest.files);
    waiver::apply(&mut findings, rules, today);
    findings.sort_by(|a, b| {
        (&a.location.file, a.location.line, a.location.column, a.rule).cmp(&(
            &b.location.file,
            b.location.line,
            b.location.column,
            b.rule,
        ))
    });
    findings.dedup();
    findings
}

/// Removes every fix that would change more than its own value, before any output shows it.
fn keep_sound_fixes(findings: &mut [Finding], files: &Files) {
    for finding in findings.iter_mut() {
        let place = &finding.location;
        let bytes = place.bytes.start as usize..place.bytes.end as usize;
        let is_sound = |fix: &Fix| {
            files
                .by_path(&place.file)
                .is_some_and(|file| fix::changes_one_thing(&file.text, &bytes, &fix.replacement))
        };
        if let Some(fix) = finding.fix.take() {
            match is_sound(&fix) {
                true => finding.fix = Some(fix),
                // The title of a removed fix still helps the author.
                false => finding.help = Some(finding.help.take().unwrap_or(fix.title)),
            }
        }
    }
}

/// Returns the secrets in the documents that all tenants share: the project's document and every layer, also
/// a layer that no tenant extends.
pub fn check_shared<'a>(
    documents: impl Iterator<Item = (&'a Node, &'static str)>,
    files: &Files,
) -> Vec<Finding> {
    let places = documents.flat_map(|(document, pointer)| rules::secrets::places(document, pointer));
    let finding = |(span, pointer): (Span, String)| Finding {
        rule: rules::secrets::RULE.id,
        severity: Severity::Error,
        message: rules::secrets::MESSAGE.into(),
        location: files.locate(span),
        pointer,
        tenant: None,
        related: Vec::new(),
        help: Some(rules::secrets::HELP.into()),
        fix: None,
        waived: None,
    };
    places.map(finding).collect()
}

/// Whether any finding stops writes.
pub fn blocks(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[cfg(test)]
mod tests;
