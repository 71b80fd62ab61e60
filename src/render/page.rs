//! A plan as one self-contained HTML page: it loads nothing and runs no script.
//!
//! The template escapes every value, except for genesync's own drawings, which contain no text of a manifest.
//! The page's content security policy allows its one style sheet and nothing else.
//!
//! In: the document of a plan, and the appearance of what changes. Out: one HTML page. Never: a link to
//! another host, or a script. Start reading at [`plan`].

mod looks;
mod pictures;
mod target;
mod words;

use std::collections::BTreeSet;

use askama::Template;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::document::{PlanDocument, PlanFile, TenantPlan};
use super::finding::merged;
use super::picture::sheet::LIKENESS;
use super::picture::svg::{self, Glyphs};
use super::review::{but, headline, is_reported, is_shown, own_errors, worst, worst_first};
use super::sentence::{Part, Sentence};
use super::unmanaged::{self, OUTSIDE};
use super::value::{counted, escape};
use crate::model::{Finding, Mode, Severity};
pub use looks::{Looks, TenantLooks};
use pictures::{Picture, pictures};
use target::{TargetSection, target_section};
use words::{Piece, cut};

const STYLE: &str = include_str!("../../templates/style.css");
/// Most tenants with pictures, because each tenant adds about 40 KB.
const PICTURED_MAX: usize = 80;
/// Most findings in a list.
const FINDINGS_MAX: usize = 500;
/// Most moments of one tenant.
const MOMENTS_MAX: usize = 30;

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage<'a> {
    style: &'a str,
    style_hash: String,
    glyphs: String,
    headline: String,
    numbers: Vec<Number>,
    revision: &'a str,
    digest: &'a str,
    refusals: &'a [super::document::RefusalDocument],
    stopped: Option<&'a str>,
    opens: Option<String>,
    allowed: Option<String>,
    management: Vec<(String, Vec<Piece>)>,
    shared: Vec<SharedFile>,
    outside_title: &'static str,
    outside: Vec<Vec<Piece>>,
    tenants: Vec<TenantSection>,
    likeness: &'a str,
    findings: Vec<FindingLine>,
    findings_more: usize,
    quiet: String,
    quiet_count: String,
    tool: &'a str,
}

struct Number {
    count: usize,
    what: &'static str,
}

struct SharedFile {
    file: String,
    count: String,
    tenants: String,
}

struct TenantSection {
    anchor: String,
    name: String,
    first: String,
    tags: Vec<&'static str>,
    is_invalid: bool,
    errors: Vec<FindingLine>,
    will: &'static str,
    alerts: Vec<(String, String)>,
    sentences: Vec<Vec<Piece>>,
    moments: Vec<String>,
    pictures: Vec<Picture>,
    reported: BTreeSet<String>,
    targets: Vec<TargetSection>,
}

struct FindingLine {
    severity: &'static str,
    rule: &'static str,
    place: String,
    message: String,
    help: String,
}

/// Returns the page of a plan.
///
/// # Errors
/// The message of the template library if it cannot render the page.
pub fn plan(document: &PlanDocument, looks: &TenantLooks) -> Result<String, String> {
    let mut glyphs = Glyphs::new();
    let shown = worst_first(document);
    let mut reported: Vec<&Finding> = Vec::new();
    let tenants = shown.iter().enumerate().map(|(index, tenant)| {
        let looks = looks.get(&tenant.tenant).map(Vec::as_slice).unwrap_or_default();
        let errors = own_errors(&document.findings, tenant);
        reported.extend(errors.iter().take(FINDINGS_MAX));
        if index >= PICTURED_MAX && !looks.is_empty() {
            let mut section = section(index, tenant, errors, &[], &mut glyphs);
            section.alerts.push((
                "Not drawn".to_owned(),
                format!("only the first {PICTURED_MAX} tenants are; run `genesync picture` for this one"),
            ));
            return section;
        }
        section(index, tenant, errors, looks, &mut glyphs)
    });
    let tenants: Vec<TenantSection> = tenants.collect();
    let quiet: Vec<&str> = document
        .tenants
        .iter()
        .filter(|tenant| !is_shown(tenant))
        .map(|tenant| tenant.tenant.as_str())
        .collect();
    let all: Vec<&Finding> = document.findings.iter().collect();
    let findings = merged(but(&all, &reported));
    let is_reported = |finding: &&Finding| finding.severity > Severity::Info || finding.waived.is_some();
    let findings: Vec<&Finding> = findings.iter().filter(is_reported).collect();
    let page = PlanPage {
        style: STYLE,
        style_hash: style_hash(STYLE),
        glyphs: svg::definitions(&glyphs),
        headline: headline(document),
        numbers: numbers(document),
        revision: &document.revision,
        digest: &document.digest,
        refusals: &document.refusals,
        stopped: document.stopped.as_deref(),
        opens: document.opens.as_deref().map(escape),
        allowed: document.allowed.as_ref().map(|allowed| {
            format!("{} ({})", escape(&allowed.guards.join(", ")), escape(&cut(&allowed.reason)))
        }),
        management: document
            .management
            .iter()
            .flat_map(|changed| {
                changed.reported.iter().map(|reported| (escape(changed.whose()), pieces(reported)))
            })
            .collect(),
        shared: document
            .shared
            .iter()
            .map(|shared| SharedFile {
                file: escape(&shared.file),
                count: counted(shared.tenants.len(), "tenant"),
                tenants: escape(&shared.tenants.join(", ")),
            })
            .collect(),
        outside_title: OUTSIDE,
        outside: outside(document),
        tenants,
        likeness: LIKENESS,
        findings_more: findings.len().saturating_sub(FINDINGS_MAX),
        findings: findings.into_iter().take(FINDINGS_MAX).map(finding).collect(),
        quiet_count: counted(quiet.len(), "tenant"),
        quiet: escape(&quiet.join(", ")),
        tool: PlanFile::TOOL,
    };
    page.render().map_err(|error| error.to_string())
}

/// Returns the hash that allows a style sheet in a content security policy.
pub fn style_hash(style: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes())))
}

fn numbers(document: &PlanDocument) -> Vec<Number> {
    let summary = &document.summary;
    let all = [
        (summary.tenants, "checked"),
        (summary.tenants_changing, "changing"),
        (summary.to_apply, "to apply"),
        (summary.drift, "drift"),
        (summary.conflicts, "in conflict"),
        (summary.ignored, "ignored"),
        (summary.invalid, "not valid"),
        (summary.failed, "could not be read"),
    ];
    let reported = all.iter().enumerate().filter(|(index, (count, _))| *index < 2 || *count > 0);
    reported.map(|(_, (count, what))| Number { count: *count, what }).collect()
}

/// Returns the changes by other users in fields that git does not name, switched-off settings first.
fn outside(document: &PlanDocument) -> Vec<Vec<Piece>> {
    let (reported, more) = unmanaged::reported(document);
    let more = (more > 0)
        .then(|| vec![Piece { text: format!("and {more} more"), is_value: false, is_moved: false }]);
    reported.map(pieces).chain(more).collect()
}

fn finding(finding: &Finding) -> FindingLine {
    let place = &finding.location;
    let fix = finding.fix.as_ref().map(|fix| format!("fix: {}", fix.title));
    let help: Vec<String> = finding.help.iter().cloned().chain(fix).collect();
    FindingLine {
        severity: if finding.waived.is_some() { "waived" } else { finding.severity.name() },
        rule: finding.rule,
        place: escape(&format!("{}:{}:{}", place.file, place.line, place.column)),
        message: escape(&cut(&finding.message)),
        help: escape(&cut(&help.join("; "))),
    }
}

/// Returns the pieces of a sentence: values and words.
fn pieces(sentence: &Sentence) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Words(text) => Piece { text: text.clone(), is_value: false, is_moved: false },
        Part::Value(text) => Piece { text: escape(text), is_value: true, is_moved: false },
    };
    sentence.parts.iter().map(piece).collect()
}

fn section(
    index: usize,
    tenant: &TenantPlan,
    errors: Vec<&Finding>,
    looks: &[Looks],
    glyphs: &mut Glyphs,
) -> TenantSection {
    let mut reported = BTreeSet::new();
    let held = tenant.targets.iter().any(|target| target.undecided.is_some());
    let marks = [
        (tenant.state != "planned").then_some(tenant.state),
        tenant.mode,
        worst(tenant).map(|class| class.name()),
        held.then_some("held"),
        (!tenant.refusals.is_empty()).then_some("refused"),
        tenant.waits.is_some().then_some("waiting"),
    ];
    let is_watched = tenant.mode == Some(Mode::Watch.name());
    let changes = tenant.targets.iter().any(|target| !target.changes.is_empty());
    let watched = (is_watched && changes).then(|| {
        (
            "Only watched".to_owned(),
            "genesync writes nothing here until tenant.yaml sets mode: enforce".to_owned(),
        )
    });
    let watched = watched.into_iter();
    let error = tenant.error.iter().map(|error| ("Could not be read".to_owned(), escape(&cut(error))));
    let refusals = tenant
        .refusals
        .iter()
        .map(|refusal| (format!("Refused by guard {}", refusal.guard), escape(&cut(&refusal.message))));
    let waits = tenant.waits.iter().map(|waits| ("Waits".to_owned(), escape(&cut(waits))));
    let mut moments: Vec<String> =
        tenant.moments.iter().take(MOMENTS_MAX).map(|moment| moment.text.clone()).collect();
    if tenant.moments.len() > MOMENTS_MAX {
        moments.push(format!("and {} more times", tenant.moments.len() - MOMENTS_MAX));
    }
    TenantSection {
        anchor: format!("tenant-{}", index + 1),
        name: escape(&tenant.tenant),
        first: match (tenant.visitors.first(), tenant.state) {
            (Some(sentence), _) => escape(&cut(&sentence.text())),
            (None, "invalid") => "not valid".into(),
            (None, "failed") => "could not be read".into(),
            (None, _) => String::new(),
        },
        tags: marks.into_iter().flatten().collect(),
        is_invalid: tenant.state == "invalid",
        errors: errors.into_iter().take(FINDINGS_MAX).map(finding).collect(),
        alerts: watched.chain(error).chain(refusals).chain(waits).collect(),
        will: if is_watched { "would" } else { "will" },
        sentences: tenant.visitors.iter().map(pieces).collect(),
        moments,
        pictures: looks.iter().flat_map(|looks| pictures(looks, glyphs, &mut reported)).collect(),
        reported,
        targets: tenant
            .targets
            .iter()
            .filter(|target| is_reported(target))
            .map(|target| target_section(tenant, target, looks))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::model::ObjectKind;
    use crate::render::fixture::{change, document, everywhere, hostile, tenant};
    use crate::render::picture::look::looks;

    fn page(document: &PlanDocument) -> String {
        let body = |text: &str| Map::from_iter([("greetings".to_owned(), json!({"messages": [text]}))]);
        let of = |text: &str| looks(ObjectKind::WebMessaging, &body(text));
        let name = &document.tenants[0].tenant;
        let looks = Looks { object: Some(name.clone()), before: of("Hello"), after: of(name) };
        plan(document, &TenantLooks::from([(name.clone(), vec![looks])])).unwrap()
    }

    #[test]
    fn hostile_text_adds_no_element_attribute_or_style() {
        let tags = |page: &str| {
            // Elements of pictures and of marked words depend on the text.
            let elements = page.match_indices('<').map(|(at, _)| {
                page[at..].chars().skip(1).take_while(char::is_ascii_alphabetic).collect::<String>()
            });
            let own = ["use", "path", "g", "rect", "del", "ins", ""];
            elements.filter(|name| !own.contains(&name.as_str())).collect::<Vec<_>>()
        };
        let expected = tags(&page(&everywhere("harmless")));
        for text in hostile() {
            let page = page(&everywhere(&text));
            assert_eq!(tags(&page), expected, "{text:?}");
            for bad in ["<script", "<img", "javascript:alert(1)\"", "\u{1b}", "\u{202e}", "<!-- genesync"] {
                assert!(!page.contains(bad), "{text:?} says {bad}");
            }
        }
    }

    #[test]
    fn a_page_allows_only_its_own_style_sheet() {
        let page = plan(&document(vec![tenant("a", vec![change("Hi")])]), &TenantLooks::new()).unwrap();
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let policy = format!("default-src &#39;none&#39;; style-src &#39;{}&#39;", style_hash(style));
        assert!(page.contains(&policy) || page.contains(&policy.replace("&#39;", "'")), "{page}");
        assert!(!page.contains("style=\"") && !page.contains("<script") && !page.contains("src="));
    }
}
