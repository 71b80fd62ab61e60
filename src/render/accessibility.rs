//! Accessibility report of a fleet as Markdown, as a page, or as JSON.
//!
//! In: the appearance of each tenant's objects, and the findings of the accessibility rules. Out: one row for
//! each object that visitors see. Never: judges what a configuration does not contain.

use std::fmt::Write as _;

use askama::Template;
use serde::Serialize;

use super::document::PlanFile;
use super::markdown::code;
use super::page::style_hash;
use super::picture::look::Appearance;
use super::value::{counted, escape};
use crate::model::colour::{Colour, NON_TEXT_RATIO, shown_ratio};
use crate::model::{Finding, Severity};

/// Rules whose findings are about accessibility.
pub const RULES: &[&str] = &["contrast", "colours", "typography", "greeting", "labels", "text"];

const STYLE: &str = include_str!("../../templates/style.css");

/// The accessibility report of a fleet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The commit, or `folder`.
    pub revision: String,
    /// The day of the report, because waivers expire.
    pub date: String,
    /// The number of rows for each verdict, in one line.
    pub headline: String,
    /// Every object that visitors see, failing objects first.
    pub rows: Vec<Row>,
}

/// One object that visitors see.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The tenant.
    pub tenant: String,
    /// The name of the object; empty if the tenant has only one.
    pub object: String,
    /// `passes`, `fails`, `waived` or `not known`.
    pub verdict: &'static str,
    /// The pairs of colours that the widget draws on each other.
    pub pairs: Vec<ColourPair>,
    /// The findings of the rules.
    pub findings: Vec<Found>,
}

impl Row {
    fn class(&self) -> &'static str {
        match self.verdict {
            "fails" => "error",
            "waived" | "not known" => "warning",
            _ => "",
        }
    }
}

/// A pair of colours that the widget draws on each other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColourPair {
    /// The parts of the widget that use the pair.
    pub what: &'static str,
    /// The contrast ratio of the pair.
    pub ratio: f64,
    /// The contrast ratio that WCAG requires.
    pub needed: f64,
    /// Both colours and their contrast in one line.
    #[serde(rename = "told")]
    pub reported: String,
}

/// A finding of a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The rule.
    pub rule: &'static str,
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// The message of the finding.
    pub message: String,
    /// The file, line and column.
    pub place: String,
    /// Who waived the finding, until when and why; empty if it is not waived.
    pub waived: String,
}

/// An object of a tenant, with its appearance and findings.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The name of the object; empty if the tenant has only one.
    pub object: String,
    /// The appearance of the object; none if its manifest is not readable.
    pub look: Option<Appearance>,
    /// The tenant's findings.
    pub findings: Vec<&'a Finding>,
}

/// Returns the report of a fleet.
pub fn report(revision: &str, date: &str, subjects: Vec<Subject<'_>>) -> Report {
    let mut rows: Vec<Row> = subjects.into_iter().map(row).collect();
    let order = |row: &Row| match row.verdict {
        "fails" => 0,
        "not known" => 1,
        "waived" => 2,
        _ => 3,
    };
    rows.sort_by(|a, b| (order(a), &a.tenant, &a.object).cmp(&(order(b), &b.tenant, &b.object)));
    let count = |verdict: &str| rows.iter().filter(|row| row.verdict == verdict).count();
    let parts = [("fails", "fail"), ("not known", "not known"), ("waived", "waived"), ("passes", "pass")];
    let reported: Vec<String> = parts
        .iter()
        .map(|(verdict, word)| (count(verdict), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let headline =
        if reported.is_empty() { "no objects that visitors see".to_owned() } else { reported.join(", ") };
    Report { revision: revision.to_owned(), date: date.to_owned(), headline, rows }
}

fn row(subject: Subject<'_>) -> Row {
    let mut pairs = Vec::new();
    if let Some(look) = &subject.look {
        let mut add = |what: &'static str, one: Colour, other: Colour, needed: f64| {
            let ratio = one.contrast(other);
            let reported =
                format!("{} on {}: {}, needs {needed}", one.hex(), other.hex(), shown_ratio(ratio));
            pairs.push(ColourPair { what, ratio, needed, reported });
        };
        add("header, launcher and visitor's messages", look.on_accent, look.accent, look.needed);
        add("messages of others", look.ink, look.bubble, look.needed);
        add("launcher and buttons next to the panel", look.accent, look.panel, NON_TEXT_RATIO);
    }
    let found: Vec<Found> = subject
        .findings
        .iter()
        .filter(|finding| RULES.contains(&finding.rule))
        .map(|finding| found(finding))
        .collect();
    let is_waived = found.iter().any(|found| !found.waived.is_empty());
    let contrast_waived = found.iter().any(|found| found.rule == "contrast" && !found.waived.is_empty());
    let fails = found.iter().any(|found| found.severity == Severity::Error.name());
    let verdict = match &subject.look {
        None => "not known",
        Some(_) if fails => "fails",
        // A lower severity does not fix the contrast, and a waiver of another rule does not cover it.
        Some(_) if !contrast_waived && pairs.iter().any(|pair| pair.ratio < pair.needed) => "fails",
        Some(_) if is_waived => "waived",
        Some(_) => "passes",
    };
    Row { tenant: subject.tenant.to_owned(), object: subject.object, verdict, pairs, findings: found }
}

fn found(finding: &Finding) -> Found {
    let place = &finding.location;
    let waived = finding.waived.as_ref().map(ToString::to_string).unwrap_or_default();
    Found {
        rule: finding.rule,
        severity: finding.severity.name(),
        message: escape(&finding.message),
        place: escape(&format!("{}:{}:{}", place.file, place.line, place.column)),
        waived: escape(&waived),
    }
}

/// Returns the report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = format!(
        "# Accessibility: {}\n\nRevision `{}`, {}. Checked against WCAG 2.2: 1.4.3, 1.4.6 and 1.4.11.\n",
        report.headline, report.revision, report.date
    );
    out.push_str("\n| tenant | verdict | contrast | findings |\n| --- | --- | --- | --- |\n");
    let cell = |text: &str| code(&text.replace('|', "\\u{7c}"));
    for row in &report.rows {
        let name = if row.object.is_empty() {
            cell(&row.tenant)
        } else {
            format!("{} {}", cell(&row.tenant), cell(&row.object))
        };
        let pairs: Vec<String> =
            row.pairs.iter().map(|pair| format!("{}: {}", pair.what, cell(&pair.reported))).collect();
        let found: Vec<String> = row
            .findings
            .iter()
            .map(|found| {
                let waived = if found.waived.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", cell(&found.waived))
                };
                format!("{} {} {}{waived}", cell(found.rule), cell(&found.message), cell(&found.place))
            })
            .collect();
        // Writing to a String can't fail.
        let _ = writeln!(out, "| {name} | {} | {} | {} |", row.verdict, pairs.join("; "), found.join("; "));
    }
    out
}

/// Returns the report as one line for a terminal.
pub fn summary(report: &Report) -> String {
    format!("{}: {}", counted(report.rows.len(), "configuration"), report.headline)
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct ReportPage<'a> {
    style: &'a str,
    style_hash: String,
    report: &'a Report,
    tool: &'a str,
}

/// Returns the report as an HTML page.
///
/// # Errors
/// The message of the template library if it cannot render the page.
pub fn page(report: &Report) -> Result<String, String> {
    let page = ReportPage { style: STYLE, style_hash: style_hash(STYLE), report, tool: PlanFile::TOOL };
    page.render().map_err(|error| error.to_string())
}
