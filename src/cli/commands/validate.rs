//! `genesync validate`: checks manifests offline and prints the findings.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::files;
use crate::cli::place::{self, Place, Reads};
use crate::cli::session;
use crate::cli::{Exit, Failure, Output, SourceArgs};
use crate::clock;
use crate::config::Flags;
use crate::fleet::{Fleet, Loaded};
use crate::model::{Finding, Severity};
use crate::render::reports::{self, Summaries};
use crate::render::value::{counted, escape};
use crate::render::{self, finding};
use crate::source::{RemoteUrl, watch_folder};
use crate::validate::{blocks, fix, rules};

/// The most rounds of fixes: one fix may reveal another finding.
const FIX_ROUNDS_MAX: usize = 8;
/// The most names in one line.
const NAMES_MAX: usize = 5;
/// How often `--watch` checks the folder without a notification of the system.
const WATCH_TIMER: Duration = Duration::from_secs(5);

/// The format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// For people
    Text,
    /// One document for programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Code quality report of GitLab
    Gitlab,
    /// JUnit report
    Junit,
}

/// What `validate` takes.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Format of the findings
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    pub format: ValidateFormat,
    /// Fix the findings with a safe fix, and keep comments and layout
    #[arg(long, conflicts_with = "rev")]
    fix: bool,
    /// Keep running, and check again whenever a file is saved
    #[arg(long, conflicts_with_all = ["rev", "fix", "format"])]
    watch: bool,
}

/// Checks manifests and prints every finding.
pub fn run(args: &ValidateArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    if (args.fix || args.watch) && RemoteUrl::looks_like(&args.source.path) {
        return Err(Failure::new(Exit::Usage, "--fix and --watch need a folder, not a URL"));
    }
    let place = place::place(&args.source, Reads::Files, &settings)?;
    if args.watch {
        return watched(args, &place, output);
    }
    let mut fleet = place::load(&place, &args.source, output)?;
    if args.fix {
        fleet = fixed(args, &place, fleet, output)?;
    }
    let exit = if blocks(&fleet.findings) { Exit::Findings } else { Exit::Done };
    let readers = || rules::READER.iter().copied();
    let summaries =
        || rules::ALL.iter().map(|rule| (rule.id, rule.summary)).chain(readers()).collect::<Summaries>();
    let names = || fleet.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>();
    output.data(&match args.format {
        ValidateFormat::Text => text(&fleet, output),
        ValidateFormat::Json => render::value::document(&document(&fleet, exit)),
        ValidateFormat::Sarif => {
            reports::sarif(&finding::merged(&fleet.findings), &fleet.files, &summaries())
        }
        ValidateFormat::Github => reports::github(&finding::merged(&fleet.findings)),
        ValidateFormat::Gitlab => reports::gitlab(&finding::merged(&fleet.findings)),
        ValidateFormat::Junit => reports::junit(&fleet.findings, &names()),
    });
    for path in &fleet.ignored {
        output.detail(&format!("skipped: {}", escape(path)));
    }
    output.talk(&summary(&fleet, output));
    let unread: Vec<&str> =
        fleet.tenants.iter().filter(|tenant| !tenant.is_read).map(|tenant| tenant.name.as_str()).collect();
    if !unread.is_empty() {
        let names = first_names(&unread);
        output.talk(&format!("some rules did not check {names}; fix the errors to see all findings"));
    }
    let is_empty =
        |tenant: &&Loaded| tenant.is_read && tenant.tenant.is_some() && tenant.resources.is_empty();
    let empty: Vec<&str> = fleet.tenants.iter().filter(is_empty).map(|tenant| tenant.name.as_str()).collect();
    if !empty.is_empty() {
        output.warning(&format!(
            "genesync manages nothing of {}, because there is a tenant.yaml but no configuration",
            first_names(&empty)
        ));
    }
    Ok(exit)
}

/// Returns the first names and the number of the others.
fn first_names(names: &[&str]) -> String {
    let first = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn summary(fleet: &Fleet, output: &Output) -> String {
    let (tenants, files) = (counted(fleet.tenants.len(), "tenant"), counted(fleet.files_read, "file"));
    let is_hidden =
        !output.is_verbose() && fleet.findings.iter().any(|finding| finding.severity == Severity::Info);
    let shows = if is_hidden { " (-v prints all of them)" } else { "" };
    format!("{tenants}, {files}: {}{shows}", finding::summary(&fleet.findings))
}

/// Fixes findings and checks again, until no fix is left.
fn fixed(args: &ValidateArgs, place: &Place, mut fleet: Fleet, output: &Output) -> Result<Fleet, Failure> {
    let mut seen = BTreeSet::new();
    for round in 0..=FIX_ROUNDS_MAX {
        let tenants = &fleet.tenants;
        // The layers of a tenant that is not loaded or not readable are unknown.
        let all_known = args.source.tenants.is_empty() && tenants.iter().all(|loaded| loaded.is_read);
        let extending = |file: &str| {
            let layers = tenants.iter().flat_map(|loaded| &loaded.layers);
            match layers.filter(|layer| &***layer == file).count() {
                0 if all_known => 0,
                // An unreadable tenant may extend any layer.
                0 => usize::from(file.starts_with("bases/")) * usize::MAX,
                documents if all_known => documents,
                _ => usize::MAX,
            }
        };
        let fixes = fix::fix(&fleet.findings, &fleet.files, &extending);
        if fixes.files.is_empty() || round == FIX_ROUNDS_MAX {
            for left in &fixes.left {
                let (path, title) = (escape(&left.path), escape(&left.title));
                output.talk(&format!("left   {path}:{}: {title}: {}", left.line, left.why));
            }
            break;
        }
        for file in &fixes.files {
            // Two fixes that undo each other would never end.
            if !seen.insert((Arc::clone(&file.path), file.after.clone())) {
                output.warning(&format!(
                    "genesync stopped fixing {}, because its fixes undo each other",
                    escape(&file.path)
                ));
                return Ok(fleet);
            }
            let path = Path::new(&args.source.path).join(&*file.path);
            // A user may have saved the file since genesync read it.
            if files::read_text(&path, usize::MAX)? != *file.before {
                output
                    .warning(&format!("{} is not fixed, because it changed in between", escape(&file.path)));
                continue;
            }
            files::replace(&path, file.after.as_bytes())?;
            for reported in &file.reported {
                output.talk(&format!("fixed  {}:{}", escape(&file.path), escape(reported)));
            }
        }
        fleet = place::load(place, &args.source, output)?;
    }
    Ok(fleet)
}

/// Checks after each save, until a signal stops it.
fn watched(args: &ValidateArgs, place: &Place, output: &Output) -> Result<Exit, Failure> {
    let (sender, saved) = mpsc::channel::<()>();
    let folder = Path::new(&args.source.path);
    let wake = move || {
        // Sending fails after the loop has ended.
        let _ = sender.send(());
    };
    let _watch = watch_folder(folder, wake).map_err(|error| {
        Failure::new(Exit::Outside, format!("cannot watch `{}`: {error}", folder.display()))
    })?;
    let quiet = Output::new(true, output.is_verbose());
    let mut before: Option<String> = None;
    loop {
        let begun = clock::monotonic();
        match place::load(place, &args.source, &quiet) {
            Ok(fleet) => {
                let found = format!("{}{}", text(&fleet, output), summary(&fleet, output));
                if before.as_ref() != Some(&found) {
                    let took_ms = (clock::monotonic() - begun).as_millis();
                    output.data(&format!("{found}, checked in {took_ms} ms\n\n"));
                    before = Some(found);
                }
            }
            // A file may be partly written, or a folder may be moving: the next check reads it again.
            Err(failure) if before.is_some() => output.warning(&escape(&failure.message)),
            Err(failure) => return Err(failure),
        }
        if saved.recv_timeout(WATCH_TIMER).is_err_and(|error| error == mpsc::RecvTimeoutError::Disconnected) {
            return Err(Failure::new(Exit::Outside, "the watch of the folder ended"));
        }
    }
}

/// Returns the findings in the style of rustc, and the waivers in force. Infos need `--verbose`.
pub fn text(fleet: &Fleet, output: &Output) -> String {
    let shown: Vec<Finding> = fleet
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info || output.is_verbose())
        .cloned()
        .collect();
    let mut out = render::finding::text(&finding::merged(&shown), &fleet.files, true);
    if !output.is_verbose() {
        out.push_str(&finding::waivers(&fleet.findings));
    }
    out
}

fn document(fleet: &Fleet, exit: Exit) -> serde_json::Value {
    let count =
        |severity: Severity| fleet.findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "revision": fleet.revision.as_str(),
        "summary": {
            "tenants": fleet.tenants.len(),
            "files": fleet.files_read,
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "infos": count(Severity::Info),
        },
        "findings": fleet.findings,
        "exitCode": exit.code(),
    })
}
