//! Findings in the format of rustc errors: the line, a marker, and a hint.
//!
//! In: findings, texts of files. Out: text for a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};

use super::value::counted;
use super::value::{escape, is_hidden};
use crate::model::secret::mask_secrets;
use crate::model::text::with_line_feeds;
use crate::model::{Finding, Location, Severity, TenantName};

/// Most lines of a file that one finding shows.
const LINES_MAX: usize = 4;
/// Longest line that the excerpt shows, in bytes; for a longer line it shows only the location.
const LINE_BYTES_MAX: usize = 400;

/// The texts of the files with findings, by path.
pub type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// Returns all findings, each followed by an empty line.
pub fn text(findings: &[Finding], texts: &Texts, styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
    let secrets = secrets(findings);
    let mut out = String::new();
    for finding in findings {
        let hidden = secrets.get(&*finding.location.file).map(Vec::as_slice).unwrap_or_default();
        out.push_str(&one(finding, texts, hidden, &renderer));
        out.push_str("\n\n");
    }
    out
}

/// Returns the byte ranges of secrets in each file: no finding of that file may show them.
fn secrets(findings: &[Finding]) -> BTreeMap<&str, Vec<Range<usize>>> {
    let mut by_file: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.rule == "secrets") {
        by_file.entry(&finding.location.file).or_default().push(range(&finding.location));
    }
    by_file
}

fn range(location: &Location) -> Range<usize> {
    location.bytes.start as usize..location.bytes.end as usize
}

fn one(finding: &Finding, texts: &Texts, secrets: &[Range<usize>], renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(escape(&finding.message)).id(finding.rule);
    let excerpt =
        texts.get(&finding.location.file).and_then(|text| Excerpt::cut(text, &finding.location, secrets));
    let mut group = match &excerpt {
        Some(excerpt) => title.element(
            excerpt
                .snippet(&finding.location.file)
                .annotation(AnnotationKind::Primary.span(excerpt.span.clone())),
        ),
        None => title.element(origin(&finding.location)),
    };
    for (location, text) in &finding.related {
        let place = format!("{}:{}:{}", escape(&location.file), location.line, location.column);
        group = group.element(Level::NOTE.message(format!("{place}: {}", escape(text))));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(escape(help)));
    }
    let mut groups = vec![group];
    let is_whole = |excerpt: &&Excerpt| excerpt.span.len() + 1 >= range(&finding.location).len();
    if let (Some(fix), Some(excerpt)) = (&finding.fix, excerpt.as_ref().filter(is_whole)) {
        let snippet: Snippet<'_, Patch<'_>> = Snippet::source(excerpt.text.as_str())
            .line_start(excerpt.line)
            .path(escape(&finding.location.file));
        let replacement = mask_secrets(&fix.replacement);
        let replacement: String = replacement.chars().fold(String::new(), visible);
        let patch = Patch::new(excerpt.span.clone(), replacement);
        groups.push(
            Group::with_title(Level::HELP.secondary_title(escape(&fix.title))).element(snippet.patch(patch)),
        );
    }
    renderer.render(&groups)
}

fn origin(location: &Location) -> Origin<'_> {
    let origin = Origin::path(escape(&location.file));
    if location.line == 0 {
        origin
    } else {
        origin.line(location.line as usize).char_column(location.column as usize)
    }
}

/// The lines of a finding.
struct Excerpt {
    text: String,
    line: usize,
    span: Range<usize>,
}

impl Excerpt {
    fn cut(text: &str, location: &Location, secrets: &[Range<usize>]) -> Option<Self> {
        if location.line == 0 {
            return None;
        }
        let (lines, Range { start, end }) = (with_line_feeds(text), range(location));
        let text = &*lines;
        let start = floor(text, start.min(text.len()));
        let line_start = text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let mut stop = line_start;
        for _ in 0..LINES_MAX {
            let rest = text.get(stop..)?;
            stop += rest.find('\n').map_or(rest.len(), |newline| newline + 1);
            if stop >= end || stop >= text.len() {
                break;
            }
        }
        let cut = text.get(line_start..stop)?;
        if cut.lines().any(|line| line.len() > LINE_BYTES_MAX) {
            return None;
        }
        let mut shown = mask(cut, line_start, secrets);
        shown = shown.chars().fold(String::with_capacity(shown.len()), visible);
        let length = shown.trim_end_matches('\n').len();
        shown.truncate(length);
        let from = floor(&shown, (start - line_start).min(length));
        let to = floor(&shown, end.saturating_sub(line_start).clamp(from, length));
        Some(Self { text: shown, line: location.line as usize, span: from..to })
    }

    fn snippet<'a>(&'a self, file: &str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        Snippet::source(self.text.as_str()).line_start(self.line).path(escape(file))
    }
}

/// Adds a character to a line. Replaces a hidden character, which could move the cursor or reverse the line,
/// by visible ones of the same length in bytes, so that positions in the line stay valid.
fn visible(mut line: String, c: char) -> String {
    match c {
        '\n' | '\t' => line.push(c),
        '\r' => line.push(' '),
        c if is_hidden(c) => line.push_str(match c.len_utf8() {
            1 => "?",
            2 => "¿",
            3 => "\u{fffd}",
            _ => "\u{fffd}?",
        }),
        c => line.push(c),
    }
    line
}

/// Returns the largest character boundary at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Replaces secrets by asterisks, one for each byte: the ranges of findings, and words that look like a
/// secret.
fn mask(cut: &str, offset: usize, secrets: &[Range<usize>]) -> String {
    let masked: String = cut
        .char_indices()
        .flat_map(|(at, c)| {
            let hidden = c != '\n' && secrets.iter().any(|secret| secret.contains(&(at + offset)));
            if hidden { vec!['*'; c.len_utf8()] } else { vec![c] }
        })
        .collect();
    masked.split_inclusive('\n').map(mask_secrets).collect()
}

/// Returns the findings without duplicates: a finding in a shared layer appears once, with the number of
/// tenants.
pub fn merged<'a>(findings: impl IntoIterator<Item = &'a Finding> + Clone) -> Vec<Finding> {
    let mut tenants: BTreeMap<Key<'_>, BTreeSet<Option<&TenantName>>> = BTreeMap::new();
    // A finding that is waived for one tenant is not waived for the others.
    type Key<'a> = (&'a str, u32, &'a str, &'a str, Severity);
    fn key(finding: &Finding) -> Key<'_> {
        let Location { file, bytes, .. } = &finding.location;
        (file, bytes.start, finding.rule, &finding.message, finding.severity)
    }
    for finding in findings.clone() {
        tenants.entry(key(finding)).or_default().insert(finding.tenant.as_ref());
    }
    let once = findings.into_iter().filter_map(|finding| {
        let tenants = tenants.remove(&key(finding))?.len();
        let more = if tenants > 1 { format!(" (in {tenants} tenants)") } else { String::new() };
        Some(Finding { message: format!("{}{more}", finding.message), ..finding.clone() })
    });
    once.collect()
}

/// Returns the active waivers, one in each line.
pub fn waivers(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let waived = finding.waived.as_ref()?;
        let (rule, place) = (finding.rule, escape(&finding.location.to_string()));
        Some(format!(
            "waived[{rule}] {place}: {}; {}\n",
            escape(&finding.message),
            escape(&waived.to_string())
        ))
    };
    let lines: String = merged(findings).iter().filter_map(line).collect();
    if lines.is_empty() { lines } else { format!("{lines}\n") }
}

/// Returns the number of findings by severity: `2 errors, 1 warning`. Infos appear only if there are any.
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) =
        (counted(count(Severity::Error), "error"), counted(count(Severity::Warning), "warning"));
    match count(Severity::Info) {
        0 => format!("{errors}, {warnings}"),
        infos => format!("{errors}, {warnings}, {}", counted(infos, "info")),
    }
}
