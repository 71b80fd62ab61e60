//! `genesync plan` and `genesync adopt`: compare git with the live configuration and print the plan.
//!
//! In: a repository, a revision, the live API. Out: the plan, in each format. Never: writes to the live API
//! or takes a lease. Start reading at [`run`]; `plan/document.rs` makes the printed document.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use crate::cli::files;
use crate::cli::place::{self, Reads};
use crate::cli::progress::Progress;
use crate::cli::session::{self, Session, Wishes};
use crate::cli::{Exit, Failure, GuardArgs, Output, SourceArgs, moment, reviewed};
use crate::clock;
use crate::config::{Flags, Settings};
use crate::fleet::{self, Fleet};
use crate::model::{Mode, Plan, TenantName};
use crate::plan::guards::window;
use crate::reconcile::Run;
use crate::render;
use crate::render::document::{PlanDocument, SharedDocument};
use crate::render::unmanaged::OUTSIDE;
use crate::render::value::escape;
use crate::store::Store;

/// The format of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Text,
    /// One document for programs
    Json,
    /// For a pull request
    Markdown,
    /// One page for a browser
    Html,
}

/// What `plan` takes.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    guards: GuardArgs,
    /// Plan only tenants that changed since this commit, and assume that it was applied last
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// Format of the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Write the plan to a file instead of stdout: `.json` for `apply --plan`, `.md`, `.html`, else
    /// `--format`; repeatable
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,
    /// Number of hours for which a `.json` plan may be applied
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u16).range(1..=2160))]
    valid_hours: u16,
    /// URL of the whole plan, for a comment that must be shortened
    #[arg(long, value_name = "URL", value_parser = link)]
    link: Option<String>,
    /// List the times at which visitors see a change from this time on, such as 2026-12-24T18:30Z; default:
    /// now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Show also which configuration version the delivery network serves for each deployment
    #[arg(long)]
    edge: bool,
    /// Exit with 3 if git has changes to apply, and with 8 if only the live configuration changed
    #[arg(long)]
    detailed_exitcode: bool,
    /// Most tenants to plan at the same time
    #[arg(long, value_name = "N", default_value_t = session::CONCURRENCY)]
    concurrency: usize,
}

/// Compares git with the live configuration and prints the differences.
pub async fn run(args: &PlanArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    show(args, flags, output, false).await
}

/// Prints the plan that every tenant would have in `mode: enforce`, with the refusals.
pub async fn adopt(args: &PlanArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    show(args, flags, output, true).await
}

async fn show(args: &PlanArgs, flags: Flags, output: &Output, enforced: bool) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let allowed = place::allowed(&args.guards)?;
    let reads = if args.since.is_some() { Reads::Commit } else { Reads::Files };
    let place = place::place(&args.source, reads, &settings)?;
    place::tell_uncommitted(&place, &args.source, output);
    let mut fleet = place::load(&place, &args.source, output)?;
    let mut desired_before = BTreeMap::new();
    let from =
        args.at.as_deref().map_or_else(|| Ok(clock::now()), |at| moment::read(at, Some(&TimeZone::UTC)))?;
    let (mut shared, mut management) = (Vec::new(), Vec::new());
    if let Some(since) = &args.since {
        let moved = fleet::moved(&place.source, since, &place.revision, clock::today())?;
        let layers = fleet::changed_layers(&place.source, since, &place.revision)?;
        shared = reached(&fleet, &moved.tenants, layers);
        management = document::management(&moved, &args.source.tenants, clock::today());
        place::narrow(&mut fleet, &moved.tenants);
        desired_before = moved.before.into_iter().map(|loaded| (loaded.name, loaded.resources)).collect();
    }
    let watched = if enforced { enforce(&mut fleet) } else { Vec::new() };
    let store = state(&settings, output).await?;
    let parent = place::parent(&place, args.since.as_deref(), &fleet, store.as_ref(), output).await?;
    let progress = Arc::new(Progress::silent(output, "planning", 0));
    let mut session = Session::start(
        &fleet,
        Wishes {
            settings: &settings,
            allowed,
            drafts: place::drafts(&args.guards),
            desired_before,
            parent,
            repository: &place.identity,
            store: store.as_ref(),
            heard: Some(progress.heard()),
        },
    )
    .await?;
    // With --out, genesync still writes the files, because a pull request must show the unreadable tenants.
    if args.out.is_empty() {
        session = session.with_a_readable_tenant()?;
    }
    progress.over(session.runs.len());
    session.plan(args.concurrency, &progress).await;
    progress.finish();

    let mut document = document::document(&fleet, &session, args.detailed_exitcode, from);
    document.bind(args.guards.opened());
    document.shared = shared;
    document.management = management;
    if args.edge {
        document::served(&session, &mut document).await?;
    }
    let rendered = |format| rendered(format, args, &fleet, &session, &document, output);
    if args.out.is_empty() {
        output.data(&rendered(args.format)?);
    }
    write_out(args, &document, &rendered, output)?;
    session.with_a_readable_tenant()?;
    tell_watched(&watched, &document, output);
    Ok(exit_of(document.exit_code))
}

/// Writes the plan into each `--out` file, in the format of its file extension.
fn write_out(
    args: &PlanArgs,
    document: &PlanDocument,
    rendered: &dyn Fn(PlanFormat) -> Result<String, Failure>,
    output: &Output,
) -> Result<(), Failure> {
    for path in &args.out {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") if document.revision == "folder" => {
                output.warning("this plan was made from uncommitted files and cannot be applied; make a plan for `apply --plan` with `--rev HEAD`");
                reviewed::file(document, clock::now(), args.valid_hours)
            }
            Some("json") => reviewed::file(document, clock::now(), args.valid_hours),
            Some("md") => rendered(PlanFormat::Markdown)?,
            Some("html") => rendered(PlanFormat::Html)?,
            _ => anstream::adapter::strip_str(&rendered(args.format)?).to_string(),
        };
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => files::write_private(path, text.as_bytes())?,
            _ => files::write(path, text.as_bytes())?,
        }
    }
    Ok(())
}

fn rendered(
    format: PlanFormat,
    args: &PlanArgs,
    fleet: &Fleet,
    session: &Session,
    document: &PlanDocument,
    output: &Output,
) -> Result<String, Failure> {
    Ok(match format {
        PlanFormat::Text => text(fleet, session, document, output),
        PlanFormat::Json => render::value::document(&serde_json::to_value(document).unwrap_or_default()),
        PlanFormat::Markdown => render::markdown::plan(document, args.link.as_deref()),
        PlanFormat::Html => {
            render::page::plan(document, &document::looks(&session.runs)).map_err(Failure::bug)?
        }
    })
}

/// Opens the state, if it exists. A plan without a state has no bases, pauses, holds and opened guards.
async fn state(settings: &Settings, output: &Output) -> Result<Option<Store>, Failure> {
    let store = session::look_at_store(settings).await?;
    if store.is_none() {
        output.talk(
            "planned without a state: this plan does not know what genesync applied last, nor pauses, holds and opened guards",
        );
    }
    Ok(store)
}

/// Sets every tenant to `mode: enforce`. Returns the tenants that were in `mode: watch`.
fn enforce(fleet: &mut Fleet) -> Vec<TenantName> {
    let mut watched = Vec::new();
    for tenant in fleet.tenants.iter_mut().filter_map(|loaded| loaded.tenant.as_mut()) {
        if std::mem::replace(&mut tenant.mode, Mode::Enforce) == Mode::Watch {
            watched.push(tenant.name.clone());
        }
    }
    watched
}

/// Prints what `mode: enforce` would do to each watched tenant.
fn tell_watched(watched: &[TenantName], document: &PlanDocument, output: &Output) {
    for name in watched {
        let shown = document.tenants.iter().find(|tenant| tenant.tenant == name.as_str());
        let Some(tenant) = shown.filter(|tenant| tenant.state == "planned") else { continue };
        let changes = tenant.targets.iter().any(|target| !target.changes.is_empty());
        let held = tenant.targets.iter().any(|target| target.undecided.is_some());
        let would = match (held || !tenant.refusals.is_empty(), changes) {
            (true, _) => "would hold it for a person, as shown above",
            (false, true) => "would apply the plan above",
            (false, false) => "would change nothing now",
        };
        output.talk(&format!(
            "{name} is in watch mode; `sync: {{mode: enforce}}` in tenants/{name}/tenant.yaml {would}"
        ));
    }
}

/// Returns the changed layers, each with the tenants that extend it and changed. A layer without such a
/// tenant is left out.
fn reached(fleet: &Fleet, moved: &BTreeSet<TenantName>, files: Vec<Arc<str>>) -> Vec<SharedDocument> {
    let reached = |file: &Arc<str>| {
        let extends = fleet.tenants.iter().filter(|loaded| loaded.layers.contains(file));
        let moved = extends.filter(|loaded| moved.contains(&loaded.name));
        let tenants: Vec<String> = moved.map(|loaded| loaded.name.to_string()).collect();
        (!tenants.is_empty()).then(|| SharedDocument { file: file.to_string(), tenants })
    };
    files.iter().filter_map(reached).collect()
}

/// Parses a link for a comment: an absolute http or https URL, with parentheses encoded for Markdown.
fn link(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL must start with http:// or https://".into());
    }
    Ok(url.as_str().replace('(', "%28").replace(')', "%29"))
}

fn exit_of(code: u8) -> Exit {
    Exit::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Bug)
}

/// Returns a line for each deployment with its newest, pinned and served version.
fn versions(document: &PlanDocument) -> String {
    let mut out = String::new();
    let number = |version: Option<u64>| version.map_or("none".to_owned(), |version| version.to_string());
    for tenant in &document.tenants {
        for target in &tenant.targets {
            let (Some(versions), Some(object)) = (&target.versions, &target.object) else { continue };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{}  {}  {} `{}`: newest {}, pinned {}, served {}{}",
                tenant.tenant,
                target.region,
                object.kind,
                escape(&object.name),
                number(versions.newest),
                number(versions.pinned),
                number(versions.served),
                match versions.served == versions.pinned {
                    true => "",
                    false => "; the delivery network takes some minutes to serve the pinned version",
                }
            );
        }
    }
    out
}

/// Returns a line for each object with live fields that this build does not know.
fn unknown(document: &PlanDocument) -> String {
    let mut out = String::new();
    for tenant in &document.tenants {
        for target in tenant.targets.iter().filter(|target| !target.unknown.is_empty()) {
            let Some(object) = &target.object else { continue };
            let _ = writeln!(
                out,
                "{}  {}  {} `{}`: {} unknown to this build, and every write keeps the live values: {}",
                tenant.tenant,
                target.region,
                object.kind,
                escape(&object.name),
                render::value::counted(target.unknown.len(), "field"),
                escape(&target.unknown.join(", "))
            );
        }
    }
    out
}

fn text(fleet: &Fleet, session: &Session, document: &PlanDocument, output: &Output) -> String {
    let mut out = super::validate::text(fleet, output);
    // Writing to a String cannot fail.
    if let Some(why) = &document.stopped {
        let _ = writeln!(out, "{why}\n");
    }
    for changed in &document.management {
        for sentence in &changed.reported {
            let _ = writeln!(out, "{}: {}", changed.whose(), escape(&sentence.text()));
        }
    }
    if !document.management.is_empty() {
        out.push('\n');
    }
    for shared in &document.shared {
        let reached = render::value::counted(shared.tenants.len(), "tenant");
        let _ = writeln!(
            out,
            "{} changed and reaches {reached}{}{}\n",
            escape(&shared.file),
            if shared.tenants.is_empty() { "" } else { ": " },
            shared.tenants.join(", ")
        );
    }
    let runs: BTreeMap<&str, &Run> =
        session.runs.iter().map(|run| (run.spec().tenant.name.as_str(), run)).collect();
    for tenant in render::review::worst_first(document) {
        let planned = runs.get(tenant.tenant.as_str()).and_then(|run| Some((run, run.plan()?)));
        let _ = match (&tenant.error, tenant.state, planned) {
            (Some(error), ..) => writeln!(out, "{}  failed: {}\n", tenant.tenant, escape(error)),
            (None, "invalid", _) => writeln!(out, "{}  not valid, so apply writes nothing\n", tenant.tenant),
            (None, _, Some((run, plan))) => writeln!(out, "{}", of_tenant(run, plan, session)),
            (None, _, None) => Ok(()),
        };
    }
    out.push_str(&outside(document));
    out.push_str(&unknown(document));
    out.push_str(&versions(document));
    for refusal in &document.refusals {
        let _ = writeln!(out, "refused by guard `{}`: {}\n", refusal.guard, refusal.message);
    }
    if let Some(allowed) = &document.allowed {
        let guards = allowed.guards.join(", ");
        let _ = writeln!(out, "Made with guards open: {guards} ({})\n", escape(&allowed.reason));
    }
    if let Some(command) = &document.opens {
        let _ = writeln!(out, "To open these guards, run: {command}\n");
    }
    out.push_str(&summary(fleet, session, document));
    out
}

/// Returns one tenant's plan, and what it waits for.
fn of_tenant(run: &Run, plan: &Plan, session: &Session) -> String {
    let mut out = render::plan::tenant(plan, run.refusals());
    // Writing to a String cannot fail.
    if let Some(opening) = run.opens() {
        let _ = writeln!(out, "  waits: {}", window::waits_for(opening));
    }
    if let Some(pause) = session.pauses.get(&plan.tenant).filter(|_| !plan.is_empty()) {
        let _ = writeln!(out, "  waits: {}", escape(&pause.words()));
    }
    out
}

/// Returns a line for each change of another user outside of the plan.
fn outside(document: &PlanDocument) -> String {
    let (reported, more) = render::unmanaged::reported(document);
    let mut lines: String = reported.map(|reported| format!("  {}\n", escape(&reported.text()))).collect();
    if more > 0 {
        lines.push_str(&format!("  and {more} more\n"));
    }
    if lines.is_empty() { lines } else { format!("{OUTSIDE}:\n{lines}\n") }
}

/// Returns the last lines of a plan: how many tenants change.
fn summary(fleet: &Fleet, session: &Session, document: &PlanDocument) -> String {
    let summary = &document.summary;
    let revision = &fleet.revision;
    if summary.tenants == 0 {
        return "No tenant's configuration changed, so genesync read no live configuration\n".to_owned();
    }
    let refused = session.runs.iter().any(|run| !run.refusals().is_empty());
    if summary.tenants_changing == 0 && summary.failed == 0 && summary.invalid == 0 && !refused {
        let ignored = render::plan::ignored(summary.ignored);
        let in_sync = summary.tenants.saturating_sub(summary.unmanaged);
        let tenants = render::value::counted(in_sync, "tenant");
        let are = if in_sync == 1 { "is" } else { "are" };
        let nothing = match summary.unmanaged {
            0 => String::new(),
            unmanaged => format!(", {unmanaged} without a configuration in git"),
        };
        let others = match document.unmanaged_changes.len() {
            0 => String::new(),
            count => format!("; {} that git does not name changed", render::value::counted(count, "field")),
        };
        format!("No changes: {tenants} {are} in sync with {revision}{nothing}{ignored}{others}\n")
    } else {
        let verb = if summary.tenants == 1 { "changes" } else { "change" };
        format!(
            "Plan: {} of {} {verb}; {} to apply, {} drift, {}; {} not valid, {} failed{}\nRevision {revision}, digest {}\n",
            summary.tenants_changing,
            render::value::counted(summary.tenants, "tenant"),
            summary.to_apply,
            summary.drift,
            render::value::counted(summary.conflicts, "conflict"),
            summary.invalid,
            summary.failed,
            render::plan::ignored(summary.ignored),
            document.digest
        )
    }
}
