//! `genesync plan`
//!
//! In: a repository, a revision, the live API. Out: the plan, in each format. Never: writes to the live API or
//! takes a lease. Start reading at [`run`]; `plan/document.rs` is what is printed.

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

/// How a plan is printed.
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
    /// Look only at tenants that differ from this commit, and take it as what was applied last
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Write the plan to a file instead of stdout: `.json` for `apply --plan`, `.md`, `.html`, else `--format`; repeatable
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,
    /// How long a plan that is written as `.json` may be applied, in hours
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u16).range(1..=2160))]
    valid_hours: u16,
    /// Where the whole plan can be seen, for one that is too long for a comment
    #[arg(long, value_name = "URL", value_parser = link)]
    link: Option<String>,
    /// Tell the moments at which visitors will see a change from this one on, such as 2026-12-24T18:30Z; else from now on
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Ask the delivery network too which version of its configuration each deployment serves
    #[arg(long)]
    edge: bool,
    /// Exit with 3 where git has something to apply, and with 8 where only live moved
    #[arg(long)]
    detailed_exitcode: bool,
    /// Tenants looked at at once
    #[arg(long, value_name = "N", default_value_t = session::CONCURRENCY)]
    concurrency: usize,
}

/// Compares git with what is live and prints the differences.
pub async fn run(args: &PlanArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    show(args, flags, output, false).await
}

/// The same as if every tenant were enforced: what that would change, and which guards would refuse it.
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
    // Files are written all the same: a pull request is to say who could not be looked at.
    if args.out.is_empty() {
        session = session.with_somebody()?;
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
    session.with_somebody()?;
    tell_watched(&watched, &document, output);
    Ok(exit_of(document.exit_code))
}

/// Writes the plan into the files that were named, each in the form that its ending says.
fn write_out(
    args: &PlanArgs,
    document: &PlanDocument,
    rendered: &dyn Fn(PlanFormat) -> Result<String, Failure>,
    output: &Output,
) -> Result<(), Failure> {
    for path in &args.out {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") if document.revision == "folder" => {
                output.warning("this plan is of files that are not committed: `apply --plan` takes one of a commit, made with `--rev HEAD`");
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

/// The state, where there is one. Without it a plan judges nothing that only a state knows.
async fn state(settings: &Settings, output: &Output) -> Result<Option<Store>, Failure> {
    let store = session::look_at_store(settings).await?;
    if store.is_none() {
        output.talk(
            "planned without a state: what was applied last, pauses, holds and what was opened are not known here",
        );
    }
    Ok(store)
}

/// Lets every tenant be enforced. Returns those that are only watched.
fn enforce(fleet: &mut Fleet) -> Vec<TenantName> {
    let mut watched = Vec::new();
    for tenant in fleet.tenants.iter_mut().filter_map(|loaded| loaded.tenant.as_mut()) {
        if std::mem::replace(&mut tenant.mode, Mode::Enforce) == Mode::Watch {
            watched.push(tenant.name.clone());
        }
    }
    watched
}

/// Says what enforcing would do to each tenant that is only watched.
fn tell_watched(watched: &[TenantName], document: &PlanDocument, output: &Output) {
    for name in watched {
        let shown = document.tenants.iter().find(|tenant| tenant.tenant == name.as_str());
        let Some(tenant) = shown.filter(|tenant| tenant.state == "planned") else { continue };
        let changes = tenant.targets.iter().any(|target| !target.changes.is_empty());
        let held = tenant.targets.iter().any(|target| target.undecided.is_some());
        let would = match (held || !tenant.refusals.is_empty(), changes) {
            (true, _) => "would hold it for a person, as above",
            (false, true) => "does the above",
            (false, false) => "would change nothing now",
        };
        output.talk(&format!(
            "{name} is only watched; `sync: {{mode: enforce}}` in tenants/{name}/tenant.yaml {would}"
        ));
    }
}

/// The tenants that changed layers reach: those that extend them and are rendered otherwise. A layer that reaches none is
/// left out.
fn reached(fleet: &Fleet, moved: &BTreeSet<TenantName>, files: Vec<Arc<str>>) -> Vec<SharedDocument> {
    let reached = |file: &Arc<str>| {
        let extends = fleet.tenants.iter().filter(|loaded| loaded.layers.contains(file));
        let moved = extends.filter(|loaded| moved.contains(&loaded.name));
        let tenants: Vec<String> = moved.map(|loaded| loaded.name.to_string()).collect();
        (!tenants.is_empty()).then(|| SharedDocument { file: file.to_string(), tenants })
    };
    files.iter().filter_map(reached).collect()
}

/// A link that a comment may hold: an absolute URL of http or https, without what Markdown would end it at.
fn link(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is no URL of http or https".into());
    }
    Ok(url.as_str().replace('(', "%28").replace(')', "%29"))
}

fn exit_of(code: u8) -> Exit {
    Exit::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Bug)
}

/// One line for each deployment: where its versions are.
fn versions(document: &PlanDocument) -> String {
    let mut out = String::new();
    let number = |version: Option<u64>| version.map_or("none".to_owned(), |version| version.to_string());
    for tenant in &document.tenants {
        for target in &tenant.targets {
            let (Some(versions), Some(object)) = (&target.versions, &target.object) else { continue };
            // Writing to a String can't fail.
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
                    false =>
                        "; visitors get what is pinned once the delivery network has it, which takes minutes",
                }
            );
        }
    }
    out
}

/// What is carried through, in a line for each object.
fn unknown(document: &PlanDocument) -> String {
    let mut out = String::new();
    for tenant in &document.tenants {
        for target in tenant.targets.iter().filter(|target| !target.unknown.is_empty()) {
            let Some(object) = &target.object else { continue };
            let _ = writeln!(
                out,
                "{}  {}  {} `{}`: {} that this build does not know, carried through as live: {}",
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
    // Writing to a String can't fail; the results are dropped throughout.
    if let Some(why) = &document.stopped {
        let _ = writeln!(out, "{why}\n");
    }
    for changed in &document.management {
        for sentence in &changed.told {
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
            (None, "invalid", _) => writeln!(out, "{}  not valid: nothing will be written\n", tenant.tenant),
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
        let _ = writeln!(out, "All of it is opened by: {command}\n");
    }
    out.push_str(&summary(fleet, session, document));
    out
}

/// One tenant's plan, and what it waits for.
fn of_tenant(run: &Run, plan: &Plan, session: &Session) -> String {
    let mut out = render::plan::tenant(plan, run.refusals());
    // Writing to a String can't fail; the results are dropped throughout.
    if let Some(opening) = run.opens() {
        let _ = writeln!(out, "  waits: {}", window::waits_for(opening));
    }
    if let Some(pause) = session.pauses.get(&plan.tenant).filter(|_| !plan.is_empty()) {
        let _ = writeln!(out, "  waits: {}", escape(&pause.words()));
    }
    out
}

/// What somebody changed beside the plan, in a line each.
fn outside(document: &PlanDocument) -> String {
    let (told, more) = render::unmanaged::told(document);
    let mut lines: String = told.map(|told| format!("  {}\n", escape(&told.text()))).collect();
    if more > 0 {
        lines.push_str(&format!("  and {more} more\n"));
    }
    if lines.is_empty() { lines } else { format!("{OUTSIDE}:\n{lines}\n") }
}

/// How many tenants change, in the last lines of a plan.
fn summary(fleet: &Fleet, session: &Session, document: &PlanDocument) -> String {
    let summary = &document.summary;
    let revision = &fleet.revision;
    if summary.tenants == 0 {
        return "No tenant's configuration moved: nothing was asked\n".to_owned();
    }
    let refused = session.runs.iter().any(|run| !run.refusals().is_empty());
    if summary.tenants_changing == 0 && summary.failed == 0 && summary.invalid == 0 && !refused {
        let ignored = render::plan::ignored(summary.ignored);
        let in_sync = summary.tenants.saturating_sub(summary.unmanaged);
        let tenants = render::value::counted(in_sync, "tenant");
        let are = if in_sync == 1 { "is" } else { "are" };
        let nothing = match summary.unmanaged {
            0 => String::new(),
            unmanaged => format!(", {unmanaged} with nothing to manage"),
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
