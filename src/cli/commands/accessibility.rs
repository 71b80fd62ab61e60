//! `genesync accessibility`: reports how accessible the widget of every tenant is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use crate::cli::files;
use crate::cli::place::{self, Reads};
use crate::cli::session;
use crate::cli::{Exit, Failure, Output, SourceArgs};
use crate::clock;
use crate::config::Flags;
use crate::fleet::{self, Fleet, Options};
use crate::model::{Finding, TenantName};
use crate::render::accessibility::{self, Report, Subject};
use crate::render::picture::look::looks;
use crate::render::value::document;

/// The format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a wiki or a pull request
    Markdown,
    /// One page for a browser
    Html,
    /// One document for programs
    Json,
}

/// What `accessibility` takes.
#[derive(Debug, Args)]
pub struct AccessibilityArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Markdown)]
    pub format: ReportFormat,
    /// Make the report for this day, such as 2027-01-31, on which waivers may have ended
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Write the report to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Reports on every configuration that visitors see. Returns 1 if one of them fails.
pub fn run(args: &AccessibilityArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let place = place::place(&args.source, Reads::Files, &settings)?;
    let mut fleet = place::load(&place, &args.source, output)?;
    if let Some(on) = args.on {
        let names = fleet.tenants.iter().map(|loaded| loaded.name.clone()).collect();
        fleet = fleet::load(&place.source, &place.revision, &Options::on(on))?;
        place::narrow(&mut fleet, &names);
    }
    let on = args.on.unwrap_or_else(clock::today).to_string();
    let report = accessibility::report(fleet.revision.as_str(), &on, subjects(&fleet));
    let text = match args.format {
        ReportFormat::Markdown => accessibility::markdown(&report),
        ReportFormat::Html => accessibility::page(&report).map_err(Failure::bug)?,
        ReportFormat::Json => document(&serde_json::to_value(&report).unwrap_or_default()),
    };
    match &args.out {
        None => output.data(&text),
        Some(path) => files::write(path, text.as_bytes())?,
    }
    output.talk(&accessibility::summary(&report));
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    let fails = report.rows.iter().any(|row| matches!(row.verdict, "fails" | "not known"));
    if fails { Exit::Findings } else { Exit::Done }
}

fn subjects(fleet: &Fleet) -> Vec<Subject<'_>> {
    let mut subjects = Vec::new();
    let mut by_tenant: BTreeMap<&TenantName, Vec<&Finding>> = BTreeMap::new();
    for finding in &fleet.findings {
        if let Some(tenant) = &finding.tenant {
            by_tenant.entry(tenant).or_default().push(finding);
        }
    }
    for loaded in &fleet.tenants {
        let findings = by_tenant.remove(&loaded.name).unwrap_or_default();
        let seen = || loaded.resources.iter().filter(|resource| resource.object.kind.has_looks());
        for resource in seen() {
            subjects.push(Subject {
                tenant: loaded.name.as_str(),
                object: resource.object.name.to_string(),
                look: looks(resource.object.kind, &resource.desired.body).into_iter().next(),
                findings: findings.clone(),
            });
        }
        if seen().next().is_none() && loaded.blocked {
            subjects.push(Subject {
                tenant: loaded.name.as_str(),
                object: String::new(),
                look: None,
                findings,
            });
        }
    }
    subjects
}
