//! `genesync apply`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use futures::StreamExt as _;
use serde_json::Value;

use crate::api::Api;
use crate::cli::place::{self, Place, Reads};
use crate::cli::progress::Progress;
use crate::cli::reviewed::{self, ReviewedPlan};
use crate::cli::session::{self, Session, Wishes};
use crate::cli::{Exit, Failure, Format, GuardArgs, Output, SourceArgs};
use crate::clock;
use crate::config::{Flags, Settings};
use crate::driver::drive;
use crate::fleet::{Fleet, PROJECT_IS_BROKEN};
use crate::model::{ChangeKind, Fault, Guard, Mode, Refusal, Revision, Target, TenantName};
use crate::plan::resolve;
use crate::reconcile::{Phase, Run, Status};
use crate::render;
use crate::render::document::{Allowed, ApplyDocument, RefusalDocument, TenantResult};
use crate::render::value::{counted, escape};
use crate::store::{Lease, Store};
use crate::validate::blocks;

/// What `apply` takes.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    guards: GuardArgs,
    /// Apply this plan and nothing else; what is not as it was reviewed is left as it is
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["rev", "tenants"])]
    plan: Option<PathBuf>,
    /// The digest that was approved: a plan with another one is refused
    #[arg(long, value_name = "DIGEST", requires = "plan")]
    approve: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Tenants worked on at once
    #[arg(long, value_name = "N", default_value_t = session::CONCURRENCY)]
    concurrency: usize,
}

/// What an apply left behind.
pub struct Applied {
    /// Every run, by tenant.
    pub runs: Vec<Run>,
    /// Tenants that could not be looked at.
    pub failed: Vec<(TenantName, Fault)>,
    /// Why nothing at all was applied.
    pub refusal: Option<Refusal>,
    /// Leases to give back.
    pub leases: Vec<Lease>,
}

/// Makes the live configurations equal to a commit.
pub async fn run(args: &ApplyArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let allowed = place::allowed(&args.guards)?;
    let reviewed = args.plan.as_ref().map(|path| reviewed::read(path, clock::now())).transpose()?;
    if let Some(plan) = &reviewed {
        approved(plan, args.approve.as_deref())?;
    }
    let source = match &reviewed {
        None => &args.source,
        Some(plan) => &SourceArgs {
            path: args.source.path.clone(),
            rev: Some(plan.revision.clone()),
            tenants: plan.tenants.keys().map(ToString::to_string).collect(),
        },
    };
    let place = place::place(source, Reads::Commit, &settings)?;
    place::tell_uncommitted(&place, source, output);
    let fleet = place::load(&place, source, output)?;
    if let Some(reason) = &args.guards.reason {
        output.talk(&format!(
            "guards opened for this run: {} ({})",
            args.guards.allow.join(", "),
            escape(reason)
        ));
    }
    let store = session::open_store(&settings).await?;
    if fleet.project_is_broken() {
        return broken_project(&fleet, args.format, PROJECT_IS_BROKEN, output);
    }
    let allow_rewind = allowed.contains(&Guard::Rewind);
    check_rewind(&place, &fleet, &store, allow_rewind).await?;
    let wishes = Wishes {
        settings: &settings,
        allowed,
        drafts: place::drafts(&args.guards),
        desired_before: BTreeMap::new(),
        store: Some(&store),
        reviewed: reviewed.as_ref().map(|plan| &plan.tenants),
    };
    let mut session = Session::start(&fleet, wishes).await?.with_somebody()?;
    session.lease(&store, output).await?;
    if !allow_rewind {
        refuse_rewound(&place, &fleet, &mut session)?;
    }
    // A plan may hold less than the whole, and leave out what moved.
    let whole = reviewed.is_none() && args.source.tenants.is_empty();
    let applied = apply(session, args.concurrency, output).await;
    store.release(&applied.leases).await?;
    let exit = exit(&fleet, &applied);
    match args.format {
        Format::Json => {
            let document = document(&fleet, &applied, exit, opened(&args.guards));
            output.data(&render::value::document(&serde_json::to_value(&document).unwrap_or_default()));
        }
        Format::Text => output.data(&text(&fleet, &applied, output)),
    }
    // Last, so that a full disk can't hide what was done.
    if whole && applied.refusal.is_none() {
        store.keep_head(&place.identity, &fleet.revision, allow_rewind).await?;
    }
    Ok(exit)
}

/// A plan without a tenant has nothing to apply, and one with another digest was not approved.
fn approved(plan: &ReviewedPlan, approve: Option<&str>) -> Result<(), Failure> {
    if let Some(approve) = approve.filter(|digest| *digest != plan.digest) {
        let message = format!("approved was {approve}, and the plan is {}: nothing is written", plan.digest);
        return Err(Failure::new(Exit::Refused, message)
            .hint("look at the plan that is to be applied, and approve its digest"));
    }
    if plan.tenants.is_empty() {
        return Err(Failure::new(Exit::Usage, "the plan holds no tenant that could be planned"));
    }
    Ok(())
}

/// A project that is not valid, with its findings, and nothing else done.
fn broken_project(fleet: &Fleet, format: Format, message: &str, output: &Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        let nothing = Applied { runs: Vec::new(), failed: Vec::new(), refusal: None, leases: Vec::new() };
        let document = document(fleet, &nothing, Exit::Findings, None);
        output.data(&render::value::document(&serde_json::to_value(&document).unwrap_or_default()));
    } else {
        output.data(&super::validate::text(fleet, output));
    }
    output.error(message);
    Ok(Exit::Findings)
}

/// A branch that no longer holds what was applied last was rewound or replaced: a person has to say so.
async fn check_rewind(place: &Place, fleet: &Fleet, store: &Store, allowed: bool) -> Result<(), Failure> {
    let Some(last) = store.head(&place.identity).await? else { return Ok(()) };
    if allowed || place.source.holds(&fleet.revision, &last)? {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!(
            "refused by guard `rewind`: {} does not hold {last}, which was applied last; nothing is written",
            fleet.revision
        ),
    )
    .hint("if history was meant to be rewritten, run again with --allow rewind --reason …"))
}

/// The same for each tenant by its journal: whoever applies tenants one by one never applies the whole.
fn refuse_rewound(place: &Place, fleet: &Fleet, session: &mut Session) -> Result<(), Failure> {
    let mut held: BTreeMap<Revision, bool> = BTreeMap::new();
    for run in &mut session.runs {
        // Of what this run is about: a draft, or what git does not name any more, is applied by nobody again.
        for base in run.targets.iter().filter_map(|target| run.journal.0.bases.get(&target.object_ref())) {
            let known = match held.get(&base.revision) {
                Some(known) => *known,
                None => {
                    let known = place.source.holds(&fleet.revision, &base.revision)?;
                    held.insert(base.revision.clone(), known);
                    known
                }
            };
            if !known {
                let message =
                    format!("{} does not hold {}, which was applied last", fleet.revision, base.revision);
                let refusal = Refusal { guard: Guard::Rewind, message };
                run.phase = Phase::Settled(Status::Refused(vec![refusal]));
                break;
            }
        }
    }
    Ok(())
}

/// Plans every run, holds the whole against the run's limits, then applies wave after wave.
pub async fn apply(mut session: Session, concurrency: usize, output: &Output) -> Applied {
    let progress = Arc::new(Progress::new(output, "planning", session.runs.len()));
    let stopping = tokio::spawn(stop_on_signal(Arc::clone(&progress)));
    session.plan(concurrency, &progress).await;
    stopping.abort();
    progress.finish();
    let refusal = session.run_refusal();
    let failed = session.failed.clone();
    let held = session.held.clone();
    let leases = held.values().map(|held| held.lease().clone()).collect();
    if refusal.is_some() {
        return Applied { runs: session.runs, failed, refusal, leases };
    }
    let progress = Arc::new(Progress::new(output, "applying", session.runs.len()));
    let stopping = tokio::spawn(stop_on_signal(Arc::clone(&progress)));
    let api = Api::new(session.api);
    let mut waves: BTreeMap<u32, Vec<Run>> = BTreeMap::new();
    for run in session.runs {
        waves.entry(run.spec.tenant.wave).or_default().push(run);
    }
    let mut runs = Vec::new();
    let mut trouble: Option<u32> = None;
    for (wave, members) in waves {
        let done: Vec<Run> = futures::stream::iter(members)
            .map(|run| async {
                let run = match (run.status(), trouble) {
                    // What is settled already, such as a tenant that could not be read, stays so.
                    (Some(_), _) => run,
                    (None, Some(earlier)) if would_write(&run) => held_back(run, earlier),
                    (None, _) => match held.get(&run.spec.tenant.name) {
                        Some(held) => drive::apply(run, &api, held, progress.as_ref()).await,
                        // No run is made without one; and without one nothing is written.
                        None => run,
                    },
                };
                progress.step();
                run
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        if trouble.is_none() && done.iter().any(|run| !is_fine(run)) {
            trouble = Some(wave);
        }
        runs.extend(done);
    }
    stopping.abort();
    progress.finish();
    runs.sort_by(|a, b| a.spec.tenant.name.cmp(&b.spec.tenant.name));
    Applied { runs, failed, refusal: None, leases }
}

/// Whether applying a run's plan means to write.
fn would_write(run: &Run) -> bool {
    run.spec.tenant.mode == Mode::Enforce && run.plan.as_ref().is_some_and(|plan| !plan.is_empty())
}

/// A tenant of a later wave is left alone once an earlier one had trouble.
fn held_back(mut run: Run, wave: u32) -> Run {
    run.phase = Phase::Settled(Status::Held(format!("waits for wave {wave}, which had trouble")));
    run
}

async fn stop_on_signal(progress: Arc<Progress>) {
    super::emulate::stopped().await;
    progress.cancel();
}

fn is_fine(run: &Run) -> bool {
    matches!(run.status(), Some(Status::Synced | Status::OutOfSync | Status::Drifted))
}

/// The exit code: that of the trouble where all tenants share one, 6 where some are done and some are not.
pub fn exit(fleet: &Fleet, applied: &Applied) -> Exit {
    if applied.refusal.is_some() {
        return Exit::Refused;
    }
    let of = |run: &Run| run.status().map_or(Exit::Bug, Exit::from);
    let invalid = fleet.tenants.iter().filter(|loaded| loaded.blocked).map(|_| Exit::Findings);
    let broken = blocks(&fleet.findings).then_some(Exit::Findings);
    let mut codes: Vec<Exit> = applied
        .runs
        .iter()
        .map(of)
        .chain(applied.failed.iter().map(|_| Exit::Outside))
        .chain(invalid)
        .chain(broken)
        .collect();
    codes.sort();
    codes.dedup();
    match codes.as_slice() {
        [] => Exit::Done,
        [one] => *one,
        _ => Exit::Partial,
    }
}

/// The guards that the operator opened, and why.
fn opened(guards: &GuardArgs) -> Option<Allowed> {
    let reason = guards.reason.clone()?;
    Some(Allowed { guards: guards.allow.clone(), reason })
}

fn document(fleet: &Fleet, applied: &Applied, exit: Exit, allowed: Option<Allowed>) -> ApplyDocument {
    let mut tenants: Vec<TenantResult> = applied.runs.iter().map(render::document::result).collect();
    let without_run = |name: &str, status: &'static str, reason: String| TenantResult {
        tenant: name.to_owned(),
        status,
        reason: Some(reason),
        targets: Vec::new(),
        receipts: Vec::new(),
        foreign: Vec::new(),
    };
    tenants.extend(
        applied.failed.iter().map(|(name, fault)| without_run(name.as_str(), "Degraded", fault.to_string())),
    );
    tenants.extend(
        fleet
            .tenants
            .iter()
            .filter(|loaded| loaded.blocked)
            .map(|loaded| without_run(loaded.name.as_str(), "Held", "its manifests are not valid".into())),
    );
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    ApplyDocument {
        revision: fleet.revision.to_string(),
        tenants,
        allowed,
        refusals: applied.refusal.iter().map(RefusalDocument::from).collect(),
        findings: fleet.findings.clone(),
        exit_code: exit.code(),
    }
}

fn text(fleet: &Fleet, applied: &Applied, output: &Output) -> String {
    let mut out = super::validate::text(fleet, output);
    out.push_str(&table(&applied.runs));
    // Writing to a String can't fail; the results are dropped throughout.
    for (name, reason) in troubles(fleet, applied) {
        let _ = writeln!(out, "{name}: {reason}");
    }
    for run in &applied.runs {
        for target in run.first_plan.iter().flat_map(|plan| &plan.targets) {
            let Some(mut draft) = target.draft.clone() else { continue };
            // As far as it came: what is stored goes over the draft, what is published goes along.
            if !run.receipts.iter().any(|receipt| receipt.target == target.target) {
                draft.published_along.clear();
            }
            if !run.drafted.contains_key(&target.target.object_ref()) {
                draft.written_over.clear();
            }
            if draft.published_along.is_empty() && draft.written_over.is_empty() {
                continue;
            }
            let told = format!("{}: {}", target.target, render::plan::taken_over(&draft));
            let _ = writeln!(out, "{}: {}", run.spec.tenant.name, escape(&told));
        }
        for entry in run.confirmation.iter().flat_map(|confirmation| &confirmation.foreign) {
            let _ = writeln!(
                out,
                "{}: meanwhile {} changed {} at {} (audit entry {})",
                run.spec.tenant.name,
                escape(entry.actor.label()),
                escape(&entry.object.to_string()),
                entry.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
                escape(&entry.id)
            );
        }
    }
    if let Some(refusal) = &applied.refusal {
        let _ = writeln!(
            out,
            "refused by guard `{}`: {}; nothing is written",
            refusal.guard.name(),
            refusal.message
        );
    }
    let synced = applied.runs.iter().filter(|run| run.status() == Some(&Status::Synced)).count();
    let writes: usize = applied.runs.iter().map(|run| run.receipts.len()).sum();
    let _ = writeln!(
        out,
        "{synced} of {} tenants Synced at {}, {writes} writes",
        fleet.tenants.len(),
        fleet.revision.short()
    );
    out
}

fn troubles(fleet: &Fleet, applied: &Applied) -> Vec<(String, String)> {
    let runs = applied.runs.iter().filter_map(|run| {
        let reason = run.reason()?;
        Some((run.spec.tenant.name.to_string(), escape(&reason)))
    });
    let failed = applied.failed.iter().map(|(name, fault)| (name.to_string(), escape(&fault.to_string())));
    let invalid = fleet
        .tenants
        .iter()
        .filter(|loaded| loaded.blocked)
        .map(|loaded| (loaded.name.to_string(), "not valid: nothing is written for it".into()));
    runs.chain(failed).chain(invalid).collect()
}

/// Tenant, what changed, versions, regions with their latency, audit entries: one line for each organization, and
/// where one has several objects, for each of them that had to change.
pub fn table(runs: &[Run]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let objects = runs.iter().any(|run| run.targets.iter().any(|target| !target.object.is_web_messaging()));
    let mut header =
        vec!["TENANT", "STATUS", "CHANGE", "REGION", "VERSION", "READ BACK AFTER", "AUDIT ENTRY"];
    if objects {
        header.insert(3, "OBJECT");
    }
    table.set_header(header);
    for run in runs {
        let result = render::document::result(run);
        let mut name = (result.tenant.clone(), result.status.to_owned());
        let first = run.first_plan.iter().flat_map(|plan| &plan.targets);
        let plans: Vec<_> = first.map(|known| &known.target).zip(&result.targets).collect();
        let planned =
            |target: &Target| plans.iter().find(|(known, _)| *known == target).map(|(_, plan)| *plan);
        let touched = |target: &Target| {
            target.object.is_web_messaging()
                || planned(target).is_some_and(|planned| !planned.changes.is_empty())
                || run.receipts.iter().any(|receipt| receipt.target == *target)
        };
        let rows: Vec<Target> = run.spec.targets().filter(touched).collect();
        if rows.is_empty() {
            let (tenant, status) = std::mem::take(&mut name);
            let place = run.spec.tenant.primary.region.key();
            let mut row = vec![tenant, status, "-".into(), place.into(), "-".into(), "-".into(), "-".into()];
            if objects {
                row.insert(3, counted(run.spec.resources.len(), "object"));
            }
            table.add_row(row);
        }
        for target in &rows {
            let receipts: Vec<_> = run
                .receipts
                .iter()
                .zip(&result.receipts)
                .filter(|(receipt, _)| receipt.target == *target)
                .map(|(_, shown)| shown)
                .collect();
            let from = planned(target)
                .and_then(|planned| planned.version)
                .map_or("-".into(), |version| version.to_string());
            let version = match receipts.last() {
                _ if !target.object.kind.counts_versions() => {
                    planned(target).and_then(pins).unwrap_or_else(|| "-".into())
                }
                Some(receipt) => format!("{from} -> {}", receipt.version),
                None => from,
            };
            let change =
                planned(target).map_or_else(|| "-".to_owned(), |plan| in_words(plan, !receipts.is_empty()));
            let served = receipts.iter().find_map(|receipt| receipt.served_ms).map(|ms| format!("{ms} ms"));
            let entries: Vec<&str> =
                receipts.iter().map(|receipt| receipt.audit_entry.as_deref().unwrap_or("missing")).collect();
            let (tenant, status) = std::mem::take(&mut name);
            let mut row = vec![
                tenant,
                status,
                change,
                target.region.key().to_owned(),
                version,
                served.unwrap_or_else(|| "-".into()),
                if entries.is_empty() { "-".into() } else { escape(&entries.join(", ")) },
            ];
            if objects {
                let object = match target.object.is_web_messaging() {
                    true => "-".into(),
                    false => escape(&target.object.to_string()),
                };
                row.insert(3, object);
            }
            table.add_row(row);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Which version a deployment pinned, and which one it was to pin: `pins 5 -> 6`, `pins 1`.
fn pins(target: &render::document::TargetDocument) -> Option<String> {
    let change = target.changes.iter().find(|change| change.path == resolve::PINNED)?;
    let shown = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), escape);
    let wanted = change.desired.as_ref().map_or_else(|| "-".to_owned(), shown);
    Some(match &change.observed {
        Some(before) => format!("pins {} -> {wanted}", shown(before)),
        None => format!("pins {wanted}"),
    })
}

/// What was to change in one organization: `created, 15 fields`, `2 fields (1 drift)`, `1 ignored`, `-`.
fn in_words(target: &render::document::TargetDocument, is_done: bool) -> String {
    let count = target.changes.len();
    let fields = counted(count, "field");
    let drift = target.changes.iter().filter(|change| change.kind != ChangeKind::ToApply).count();
    let ignored = target.ignored.len();
    let changed = match (count, target.version, drift) {
        (0, _, _) if ignored > 0 => return format!("{ignored} ignored"),
        (0, _, _) => "-".into(),
        (_, None, _) if is_done => format!("created, {fields}"),
        (_, None, _) => format!("to create, {fields}"),
        (_, _, 0) => fields,
        (_, _, drift) => format!("{fields} ({drift} drift)"),
    };
    if ignored > 0 { format!("{changed}, {ignored} ignored") } else { changed }
}

/// Settings and store for a caller that has both already.
pub async fn session_for(fleet: &Fleet, settings: &Settings, store: &Store) -> Result<Session, Failure> {
    let wishes = Wishes {
        settings,
        allowed: Default::default(),
        drafts: Default::default(),
        desired_before: BTreeMap::new(),
        store: Some(store),
        reviewed: None,
    };
    Session::start(fleet, wishes).await?.with_somebody()
}
