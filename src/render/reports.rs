//! Findings in formats of other programs: SARIF, GitHub, GitLab, JUnit.
//!
//! In: findings, texts of files. Out: one report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::picture::svg::xml;
use super::value::{document, escape};
use crate::model::json::digest_bytes;
use crate::model::text::with_line_feeds;
use crate::model::{Finding, Location, Severity};

/// The summaries of rules, by id.
pub type Summaries = BTreeMap<&'static str, &'static str>;

/// The texts of the files with findings, by path.
pub type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// Most findings of one SARIF run: the limit of GitHub.
const RESULTS_MAX: usize = 5_000;

/// Returns the line of a finding, from 1; the first line for a finding about a whole file.
fn line(location: &Location) -> u32 {
    location.line.max(1)
}

/// Returns the message, help and fix of a finding in one line.
fn reported(finding: &Finding) -> String {
    let fix = finding.fix.as_ref().map(|fix| fix.title.clone());
    let parts: Vec<String> =
        [Some(finding.message.clone()), finding.help.clone(), fix].into_iter().flatten().collect();
    escape(&parts.join("; "))
}

/// Returns an id of a finding that does not depend on its line.
fn fingerprint(finding: &Finding) -> String {
    let parts = [finding.rule, &finding.location.file, &finding.pointer, &finding.message];
    digest_bytes(parts.join("\0").as_bytes()).trim_start_matches("sha256:").to_owned()
}

/// Returns the region of a finding: lines and columns from 1, columns in characters. Without the text of the
/// file, the region has only the start.
fn region(location: &Location, texts: &Texts) -> Value {
    if location.line == 0 {
        return json!({"startLine": 1});
    }
    let mut region = json!({"startLine": location.line, "startColumn": location.column});
    let (start, end) = (location.bytes.start as usize, location.bytes.end as usize);
    if let Some(text) = texts.get(&location.file).and_then(|text| text.get(start..end)) {
        let text = with_line_feeds(text);
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        let lines = text.matches('\n').count();
        let from = if lines == 0 { location.column as usize } else { 1 };
        region["endLine"] = (location.line as usize + lines).into();
        region["endColumn"] = (from + last).into();
    }
    region
}

/// Returns SARIF 2.1.0 for code scanning, with the fixes that `--fix` would try.
pub fn sarif(findings: &[Finding], texts: &Texts, rules: &Summaries) -> String {
    let used: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
    let described: Vec<Value> = used
        .iter()
        .map(|id| {
            let summary = rules.get(id).copied().unwrap_or("The manifests are readable and consistent");
            json!({"id": id, "shortDescription": {"text": summary}, "help": {"text": format!("genesync explain {id}")}})
        })
        .collect();
    let result = |finding: &Finding| {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let location = &finding.location;
        let artifact = json!({"uri": uri(&location.file)});
        let region = region(location, texts);
        let fixes = finding.fix.iter().filter(|_| region.get("endColumn").is_some()).map(|fix| {
            let replacement = json!({"deletedRegion": region, "insertedContent": {"text": fix.replacement}});
            json!({
                "description": {"text": escape(&fix.title)},
                "artifactChanges": [{"artifactLocation": artifact, "replacements": [replacement]}],
            })
        });
        let fixes: Vec<Value> = fixes.collect();
        let mut result = json!({
            "ruleId": finding.rule,
            "level": level,
            "message": {"text": reported(finding)},
            "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
            "partialFingerprints": {"genesync/v1": fingerprint(finding)},
        });
        if !fixes.is_empty() {
            result["fixes"] = fixes.into();
        }
        if let Some(waived) = &finding.waived {
            let suppression =
                json!({"kind": "external", "status": "accepted", "justification": waived.to_string()});
            result["suppressions"] = json!([suppression]);
        }
        result
    };
    document(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "genesync", "version": env!("CARGO_PKG_VERSION"), "rules": described}},
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().take(RESULTS_MAX).map(result).collect::<Vec<_>>(),
        }],
    }))
}

/// Returns a path as a relative URI.
fn uri(path: &str) -> String {
    let part = |part: &str| {
        url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20")
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Returns workflow commands of GitHub Actions, which annotate the lines of a pull request.
pub fn github(findings: &[Finding]) -> String {
    // These characters end a command or one of its properties.
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(&escape(text)).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let location = &finding.location;
        let column = if location.line > 0 { format!(",col={}", location.column) } else { String::new() };
        // Writing to a String can't fail; the results are dropped throughout.
        let _ = writeln!(
            out,
            "::{command} file={},line={}{column},title={}::{}",
            property(&location.file),
            line(location),
            property(&format!("genesync {}", finding.rule)),
            data(&reported(finding))
        );
    }
    out
}

/// Returns a code quality report for GitLab.
pub fn gitlab(findings: &[Finding]) -> String {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let issue = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
            Severity::Info => "info",
        };
        // GitLab requires a unique fingerprint for each issue.
        let mut fingerprint = fingerprint(finding);
        let times = seen.entry(fingerprint.clone()).or_default();
        *times += 1;
        if *times > 1 {
            let _ = write!(fingerprint, "-{times}");
        }
        json!({
            "description": reported(finding),
            "check_name": finding.rule,
            "fingerprint": fingerprint,
            "severity": severity,
            "location": {"path": &*finding.location.file, "lines": {"begin": line(&finding.location)}},
        })
    };
    document(&findings.iter().map(issue).collect::<Vec<_>>().into())
}

/// Returns a JUnit report: a test case for each tenant, and one for shared files; an error is a failure.
pub fn junit(findings: &[Finding], tenants: &[&str]) -> String {
    const SHARED: &str = "(shared)";
    let mut cases: BTreeMap<&str, Vec<&Finding>> =
        tenants.iter().map(|tenant| (*tenant, Vec::new())).collect();
    cases.entry(SHARED).or_default();
    for finding in findings {
        cases
            .entry(finding.tenant.as_ref().map_or(SHARED, |tenant| tenant.as_str()))
            .or_default()
            .push(finding);
    }
    let is_error = |finding: &&&Finding| finding.severity == Severity::Error;
    let failures = cases.values().filter(|found| found.iter().any(|finding| is_error(&finding))).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"genesync validate\" tests=\"{}\" failures=\"{failures}\">\n",
        cases.len()
    );
    let lines = |found: &[&Finding], of: &dyn Fn(&&&Finding) -> bool| {
        let line =
            |finding: &&Finding| format!("{} {}: {}", finding.location, finding.rule, reported(finding));
        found.iter().filter(of).map(line).collect::<Vec<_>>().join("\n")
    };
    for (tenant, found) in &cases {
        let _ = writeln!(out, "<testcase classname=\"genesync\" name=\"{}\">", xml(tenant));
        let errors = lines(found, &is_error);
        if !errors.is_empty() {
            let message = errors.lines().next().unwrap_or_default();
            let _ = writeln!(out, "<failure message=\"{}\">{}</failure>", xml(message), text(&errors));
        }
        let others = lines(found, &|finding| !is_error(finding));
        if !others.is_empty() {
            let _ = writeln!(out, "<system-out>{}</system-out>", text(&others));
        }
        out.push_str("</testcase>\n");
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

/// Returns text of several lines, escaped for an XML element.
fn text(lines: &str) -> String {
    lines.lines().map(xml).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fix, TenantName};

    fn finding(file: &str, line: u32, message: &str, severity: Severity) -> Finding {
        Finding {
            rule: "contrast",
            severity,
            message: message.into(),
            location: Location { file: file.into(), line, column: 25, bytes: 0..0 },
            pointer: "/spec".into(),
            tenant: Some(TenantName::new("souk")),
            related: Vec::new(),
            help: Some("use another".into()),
            fix: Some(Fix { title: "use #8A5A00".into(), replacement: "x".into() }),
            waived: None,
        }
    }

    #[test]
    fn each_report_has_location_message_and_fix() {
        let found = [
            finding("tenants/souk/web.yaml", 9, "too pale", Severity::Error),
            finding("a b.yaml", 0, "odd", Severity::Warning),
        ];
        let mut found = found;
        found[0].location.bytes = 4..7;
        let texts = Texts::from([("tenants/souk/web.yaml".into(), "one\ntwo\n".into())]);
        let sarif: Value = serde_json::from_str(&sarif(
            &found,
            &texts,
            &Summaries::from([("contrast", "Colours have contrast")]),
        ))
        .unwrap();
        let results = &sarif["runs"][0]["results"];
        assert_eq!(
            results[0]["locations"][0]["physicalLocation"]["region"],
            json!({"startLine": 9, "startColumn": 25, "endLine": 9, "endColumn": 28})
        );
        let change = &results[0]["fixes"][0]["artifactChanges"][0];
        assert_eq!(change["replacements"][0]["insertedContent"]["text"], "x");
        assert_eq!(change["replacements"][0]["deletedRegion"]["endColumn"], 28);
        assert_eq!(results[1]["fixes"], Value::Null, "no fix without the text of the file");
        assert_eq!(results[0]["message"]["text"], "too pale; use another; use #8A5A00");
        assert_eq!(results[1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.yaml");
        assert_eq!(
            sarif["runs"][0]["tool"]["driver"]["rules"][0]["shortDescription"]["text"],
            "Colours have contrast"
        );
        assert_eq!(
            github(&found),
            "::error file=tenants/souk/web.yaml,line=9,col=25,title=genesync contrast::too pale; use another; use #8A5A00\n::warning file=a b.yaml,line=1,title=genesync contrast::odd; use another; use #8A5A00\n"
        );
        let gitlab: Value = serde_json::from_str(&gitlab(&[found[0].clone(), found[0].clone()])).unwrap();
        assert_eq!(
            (&gitlab[0]["severity"], &gitlab[0]["location"]["lines"]["begin"]),
            (&json!("critical"), &json!(9))
        );
        assert_ne!(gitlab[0]["fingerprint"], gitlab[1]["fingerprint"]);
        let junit = junit(&found, &["harbour", "souk"]);
        assert!(
            junit.contains("tests=\"3\" failures=\"1\"")
                && junit.contains("<testcase classname=\"genesync\" name=\"harbour\">\n</testcase>"),
            "{junit}"
        );
        assert!(
            junit.contains("<failure message=\"tenants/souk/web.yaml:9:25 contrast: too pale"),
            "{junit}"
        );
    }

    #[test]
    fn no_text_ends_its_command_or_element() {
        let hostile = "x\n::set-env name=A::1\r\n</failure><script>&\u{1b}]]> %0A::error::";
        let found = [finding("a,b:c\n::stop", 3, hostile, Severity::Error)];
        assert_eq!(github(&found).lines().count(), 1);
        assert!(
            github(&found).starts_with("::error file=a%2Cb%3Ac\\u{a}%3A%3Astop,line=3,"),
            "{}",
            github(&found)
        );
        let junit = junit(&found, &["souk"]);
        assert!(!junit.contains("<script") && junit.matches("</failure>").count() == 1, "{junit}");
        serde_json::from_str::<Value>(&sarif(&found, &Texts::new(), &Summaries::new())).unwrap();
        serde_json::from_str::<Value>(&gitlab(&found)).unwrap();
    }
}
