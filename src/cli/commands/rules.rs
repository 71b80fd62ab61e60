//! `genesync rules`: lists the rules, or the tenants that a stricter rule would fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use crate::cli::place::{self, Place, Reads};
use crate::cli::session;
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::clock;
use crate::config::Flags;
use crate::fleet::{self, Options};
use crate::manifest::kinds::project::Rules;
use crate::manifest::kinds::project::Weight;
use crate::model::{Finding, Severity};
use crate::render::value::{counted, document, escape};
use crate::validate::rules;

/// What `rules` takes.
#[derive(Debug, Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

impl RulesArgs {
    /// Returns the format of the result.
    pub fn format(&self) -> Format {
        match &self.command {
            RulesCommand::List => Format::Text,
            RulesCommand::Diff(args) => args.format,
        }
    }
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// List every rule with its severity and summary
    List,
    /// List the tenants that would newly fail with a stricter rule, or on a day on which waivers have ended
    Diff(DiffArgs),
}

/// What `rules diff` takes.
#[derive(Debug, Args)]
pub struct DiffArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Set the severity of a rule: error, warning, info or ignore; repeatable
    #[arg(long = "set", value_name = "RULE=SEVERITY", value_parser = setting)]
    weights: Vec<(&'static str, Weight)>,
    /// Check as on this day, such as 2027-01-31, when waivers may have ended
    #[arg(long, value_name = "DATE", value_parser = day)]
    on: Option<Date>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "write a day as YYYY-MM-DD, such as 2027-01-31".to_owned())
}

fn setting(text: &str) -> Result<(&'static str, Weight), String> {
    let (rule, weight) = text.split_once('=').ok_or("write RULE=SEVERITY, such as contrast=error")?;
    let known = rules::ALL.iter().find(|known| known.id == rule && known.tunable);
    let known = known.ok_or_else(|| {
        let tunable: Vec<&str> = rules::ALL.iter().filter(|rule| rule.tunable).map(|rule| rule.id).collect();
        format!("there is no tunable rule `{rule}`: use one of {}", tunable.join(", "))
    })?;
    let weight = match weight {
        "error" => Weight::Error,
        "warning" => Weight::Warning,
        "info" => Weight::Info,
        "ignore" => Weight::Ignore,
        _ => return Err(format!("there is no severity `{weight}`: use error, warning, info or ignore")),
    };
    Ok((known.id, weight))
}

/// Lists the rules, or the tenants that would newly fail.
pub fn run(args: &RulesArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    match &args.command {
        RulesCommand::List => {
            let line = |rule: &crate::validate::Rule| {
                let tunable = if rule.tunable { "" } else { " (not tunable)" };
                format!("{:16} {:8} {}{tunable}\n", rule.id, rule.severity.name(), rule.summary)
            };
            let check =
                |(id, summary): &(&str, &str)| format!("{id:16} {:8} {summary} (not tunable)\n", "error");
            let mut lines: Vec<String> =
                rules::ALL.iter().map(line).chain(rules::READER.iter().map(check)).collect();
            lines.sort();
            output.data(&lines.concat());
            Ok(Exit::Done)
        }
        RulesCommand::Diff(args) => diff(args, flags, output),
    }
}

/// Returns the identity of a finding, for the comparison of two lists.
fn key(finding: &Finding) -> (&'static str, String, &str, &str) {
    let tenant = finding.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
    (finding.rule, tenant, &finding.pointer, &finding.location.file)
}

/// Returns a line with the two compared settings.
fn compared(args: &DiffArgs, place: &Place) -> String {
    let what = match &args.source.rev {
        Some(_) => format!("{} today", place.revision),
        None => "the manifests today".to_owned(),
    };
    let name = |weight: Weight| weight.severity().map_or("ignore", Severity::name);
    let weights = args.weights.iter().map(|(rule, weight)| format!("{rule}={}", name(*weight)));
    let then: Vec<String> = weights.chain(args.on.map(|day| format!("on {day}"))).collect();
    match then.is_empty() {
        true => format!("{what}, and nothing to compare with: add --set RULE=SEVERITY or --on DATE"),
        false => format!("{what}, and {}", then.join(", ")),
    }
}

fn diff(args: &DiffArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let place = place::place(&args.source, Reads::Files, &settings)?;
    let now = place::load(&place, &args.source, output)?;
    let today = args.on.unwrap_or_else(clock::today);
    let weigh = |rules: &mut Rules| {
        for (rule, weight) in &args.weights {
            rules.severity.0.insert((*rule).to_owned(), *weight);
        }
    };
    let options = Options { weigh: &weigh, ..Options::on(today) };
    let then = fleet::load(&place.source, &place.revision, &options)?;
    let wanted: BTreeSet<&str> = args.source.tenants.iter().map(String::as_str).collect();
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let known: BTreeSet<_> = now.findings.iter().filter(is_error).map(key).collect();
    let fresh: Vec<&Finding> = then
        .findings
        .iter()
        .filter(is_error)
        .filter(|finding| !known.contains(&key(finding)))
        .filter(|finding| {
            wanted.is_empty() || finding.tenant.as_ref().is_some_and(|name| wanted.contains(name.as_str()))
        })
        .collect();
    let mut by_tenant: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &fresh {
        by_tenant
            .entry(finding.tenant.as_ref().map_or("(shared)", |name| name.as_str()))
            .or_default()
            .push(finding);
    }
    let exit = if fresh.is_empty() { Exit::Done } else { Exit::Findings };
    if args.format == Format::Json {
        output.data(&document(&json!({"newlyFailing": by_tenant, "exitCode": exit.code()})));
        return Ok(exit);
    }
    let mut out = format!("{}\n", escape(&compared(args, &place)));
    for (tenant, found) in &by_tenant {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", escape(tenant));
        for finding in found {
            let _ = writeln!(
                out,
                "  {}  {}  {}",
                escape(&finding.location.to_string()),
                finding.rule,
                escape(&finding.message)
            );
        }
    }
    let _ =
        writeln!(out, "{} of {} would newly fail", by_tenant.len(), counted(then.tenants.len(), "tenant"));
    output.data(&out);
    Ok(exit)
}
