//! `genesync plan`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::progress::Progress;
use crate::cli::session::{self, Reads, Session, Wishes};
use crate::cli::{Exit, Failure, GuardArgs, Output, SourceArgs, reviewed};
use crate::clock;
use crate::config::Flags;
use crate::controller::fleet::{self, Fleet};
use crate::manifest::schema;
use crate::model::plan::fleet_digest;
use crate::model::reference;
use crate::model::{ChangeKind, Mode, ObjectKind, Observed, Plan, Stored, json};
use crate::reconcile::Run;
use crate::render;
use crate::render::document::{
    PlanDocument, RefusalDocument, Summary, TargetDocument, TenantPlan, VersionsDocument,
};
use crate::render::value::escape;
use crate::store::Store;
use crate::validate::blocks;

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
    /// Ask the delivery network too which version of its configuration each deployment serves
    #[arg(long)]
    edge: bool,
    /// Exit with 3 where the plan has changes
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
    let allowed = session::allowed(&args.guards)?;
    let reads = if args.since.is_some() { Reads::Commit } else { Reads::Files };
    let place = session::place(&args.source, reads, &settings)?;
    let mut fleet = session::load(&place, &args.source, output)?;
    let mut desired_before = BTreeMap::new();
    if let Some(since) = &args.since {
        let (moved, before) = fleet::moved(&place.source, since, &place.revision, clock::today())?;
        session::narrow(&mut fleet, &moved);
        desired_before = before;
    }
    let mut watched = Vec::new();
    for tenant in fleet.tenants.iter_mut().filter_map(|loaded| loaded.tenant.as_mut()).filter(|_| enforced) {
        if std::mem::replace(&mut tenant.mode, Mode::Enforce) == Mode::Watch {
            watched.push(tenant.name.clone());
        }
    }
    let store = Store::look(&settings.store).await?;
    let mut session = Session::start(
        &fleet,
        Wishes {
            settings: &settings,
            allowed,
            drafts: session::drafts(&args.guards),
            desired_before,
            store: store.as_ref(),
            reviewed: None,
        },
    )
    .await?;
    let progress = Arc::new(Progress::silent(output, "planning", session.runs.len()));
    session.plan(args.concurrency, &progress).await;
    progress.finish();

    let mut document = document(&fleet, &session, args.detailed_exitcode);
    if args.edge {
        served(&session, &mut document).await?;
    }
    let rendered = |format: PlanFormat| match format {
        PlanFormat::Text => text(&fleet, &session, &document, output),
        PlanFormat::Json => render::value::document(&serde_json::to_value(&document).unwrap_or_default()),
        PlanFormat::Markdown => render::markdown::plan(&document),
        PlanFormat::Html => String::new(),
    };
    if args.out.is_empty() {
        output.data(&rendered(args.format));
    }
    for path in &args.out {
        let text = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => reviewed::file(&document, clock::now(), args.valid_hours),
            Some("md") => rendered(PlanFormat::Markdown),
            Some("html") => rendered(PlanFormat::Html),
            _ => anstream::adapter::strip_str(&rendered(args.format)).to_string(),
        };
        session::write(path, text.as_bytes())?;
    }
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
    Ok(exit_of(document.exit_code))
}

fn exit_of(code: u8) -> Exit {
    [Exit::Findings, Exit::Changes, Exit::Held, Exit::Refused, Exit::Partial, Exit::Outside]
        .into_iter()
        .find(|exit| exit.code() == code)
        .unwrap_or(Exit::Done)
}

fn document(fleet: &Fleet, session: &Session, detailed: bool) -> PlanDocument {
    let mut tenants: Vec<TenantPlan> = session.runs.iter().map(planned).collect();
    let without_plan = |name: &str, state: &'static str, error: Option<String>| TenantPlan {
        tenant: name.to_owned(),
        state,
        mode: None,
        digest: None,
        targets: Vec::new(),
        refusals: Vec::new(),
        error,
    };
    tenants.extend(
        fleet
            .tenants
            .iter()
            .filter(|loaded| loaded.blocked)
            .map(|loaded| without_plan(loaded.name.as_str(), "invalid", None)),
    );
    tenants.extend(session.unmanaged.iter().map(|name| without_plan(name.as_str(), "unmanaged", None)));
    tenants.extend(
        session
            .failed
            .iter()
            .map(|(name, fault)| without_plan(name.as_str(), "failed", Some(fault.to_string()))),
    );
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    let plans = || session.runs.iter().filter_map(|run| run.plan.as_deref());
    let count = |kind: ChangeKind| plans().map(|plan| plan.count(kind)).sum();
    let in_state = |state: &str| tenants.iter().filter(|tenant| tenant.state == state).count();
    let summary = Summary {
        tenants: tenants.len(),
        tenants_changing: plans().filter(|plan| !plan.is_empty()).count(),
        to_apply: count(ChangeKind::ToApply),
        drift: count(ChangeKind::Drift),
        conflicts: count(ChangeKind::Conflict),
        ignored: plans().map(Plan::ignored).sum(),
        invalid: in_state("invalid"),
        failed: in_state("failed"),
    };
    let digests: Vec<&str> = plans().map(|plan| plan.digest.as_str()).collect();
    let refusals: Vec<RefusalDocument> = session.run_refusal().iter().map(RefusalDocument::from).collect();
    let refused = !refusals.is_empty() || tenants.iter().any(|tenant| !tenant.refusals.is_empty());
    let exit = if blocks(&fleet.findings) {
        Exit::Findings
    } else if summary.failed > 0 && summary.failed == tenants.len() {
        Exit::Outside
    } else if summary.failed > 0 {
        Exit::Partial
    } else if refused {
        Exit::Refused
    } else if tenants.iter().flat_map(|tenant| &tenant.targets).any(|target| target.undecided.is_some()) {
        Exit::Held
    } else if detailed && summary.tenants_changing > 0 {
        Exit::Changes
    } else {
        Exit::Done
    };
    PlanDocument {
        revision: fleet.revision.to_string(),
        digest: fleet_digest(digests),
        summary,
        tenants,
        refusals,
        findings: fleet.findings.clone(),
        exit_code: exit.code(),
    }
}

fn planned(run: &Run) -> TenantPlan {
    // A plan of some regions is none of the tenant: it says what is missing, and counts as failed.
    let state = if run.plan.is_some() && run.left_out().is_none() { "planned" } else { "failed" };
    TenantPlan {
        tenant: run.spec.tenant.name.to_string(),
        state,
        mode: Some(run.spec.tenant.mode.name()),
        digest: run.plan.as_ref().map(|plan| plan.digest.clone()),
        targets: targets(run),
        refusals: run.refusals.iter().map(RefusalDocument::from).collect(),
        error: run.reason(),
    }
}

/// The organizations of a plan, and what of them this build does not know.
fn targets(run: &Run) -> Vec<TargetDocument> {
    let Some(plan) = run.plan.as_deref() else { return Vec::new() };
    let mut documents = render::document::targets(plan);
    for ((document, target), observed) in documents.iter_mut().zip(&plan.targets).zip(&run.observed) {
        // What is not written is not in danger.
        if !target.changes.is_empty() {
            json::leaves(&observed.body(), &mut |path, _| {
                if !knows(target.target.object.kind, path) {
                    document.unknown.push(path.to_owned());
                }
            });
        }
    }
    documents
}

/// Whether this build knows a live field. What is referred to is known by its place.
fn knows(kind: ObjectKind, path: &str) -> bool {
    kind == ObjectKind::WebMessaging
        || schema::has_field(kind.dialect(), path)
        || reference::place_at(kind, path).is_some()
}

/// Asks which version visitors are served, deployment by deployment.
async fn served(session: &Session, document: &mut PlanDocument) -> Result<(), Failure> {
    for run in &session.runs {
        let name = run.spec.tenant.name.as_str();
        let Some(tenant) = document.tenants.iter_mut().find(|tenant| tenant.tenant == name) else { continue };
        for ((target, observed), shown) in run.targets.iter().zip(&run.observed).zip(&mut tenant.targets) {
            let Observed::Present(Stored { body, cloud: Some(cloud), .. }) = observed else { continue };
            let Some(pinned) = &cloud.pinned else { continue };
            let configuration =
                body.get("configuration").and_then(|pin| pin.get("id")).and_then(Value::as_str);
            let newest = run.targets.iter().zip(&run.observed).find_map(|(other, observed)| match observed {
                Observed::Present(stored) if other.organization == target.organization => {
                    (stored.id().map(|id| &**id) == configuration).then_some(stored.version)
                }
                _ => None,
            });
            let edge = session.api.edge(target, &cloud.id).await?;
            shown.versions = Some(VersionsDocument {
                newest,
                pinned: pinned.version,
                served: edge.filter(|edge| edge.active).and_then(|edge| edge.version),
            });
        }
    }
    Ok(())
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
    for run in &session.runs {
        let told = |plan: &&Plan| !plan.is_empty() || plan.ignored() > 0 || !run.refusals.is_empty();
        if let Some(plan) = run.plan.as_deref().filter(told) {
            out.push_str(&render::plan::tenant(plan, &run.refusals));
            out.push('\n');
        }
    }
    // Writing to a String can't fail; the results are dropped throughout.
    for tenant in &document.tenants {
        let _ = match (&tenant.error, tenant.state) {
            (Some(error), _) => writeln!(out, "{}  failed: {}\n", tenant.tenant, escape(error)),
            (None, "invalid") => writeln!(out, "{}  not valid: nothing will be written\n", tenant.tenant),
            (None, _) => Ok(()),
        };
    }
    out.push_str(&unknown(document));
    out.push_str(&versions(document));
    for refusal in &document.refusals {
        let _ = writeln!(out, "refused by guard `{}`: {}\n", refusal.guard, refusal.message);
    }
    let summary = &document.summary;
    let revision = &fleet.revision;
    if summary.tenants == 0 {
        out.push_str("No tenant moved: nothing was asked\n");
        return out;
    }
    let refused = session.runs.iter().any(|run| !run.refusals.is_empty());
    let _ = if summary.tenants_changing == 0 && summary.failed == 0 && summary.invalid == 0 && !refused {
        let ignored = render::plan::ignored(summary.ignored);
        let tenants = render::value::counted(summary.tenants, "tenant");
        let are = if summary.tenants == 1 { "is" } else { "are" };
        writeln!(out, "No changes: {tenants} {are} in sync with {revision}{ignored}")
    } else {
        writeln!(
            out,
            "Plan: {} of {} tenants change; {} to apply, {} drift, {} conflicts; {} not valid, {} failed{}\nRevision {revision}, digest {}",
            summary.tenants_changing,
            summary.tenants,
            summary.to_apply,
            summary.drift,
            summary.conflicts,
            summary.invalid,
            summary.failed,
            render::plan::ignored(summary.ignored),
            document.digest
        )
    };
    out
}
