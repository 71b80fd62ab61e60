//! `genesync apply`: makes the live configuration equal to a commit or to a reviewed plan.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::api::{Api, ReadApi};
use crate::cli::order::{self, Wishes};
use crate::cli::place::{self, Reads};
use crate::cli::progress::Progress;
use crate::cli::reviewed::{self, ReviewedPlan};
use crate::cli::session;
use crate::cli::{Exit, Failure, Format, GuardArgs, Output, SourceArgs};
use crate::clock;
use crate::config::{Flags, env};
use crate::driver::exit;
use crate::driver::pass::{self, Ended, Order, Passed};
use crate::fleet::{Fleet, PROJECT_IS_BROKEN};
use crate::model::plan::Limits;
use crate::model::{ChangeKind, Status, Target};
use crate::plan::resolve;
use crate::reconcile::{End, Run};
use crate::render;
use crate::render::applied::{ApplyDocument, ReceiptDocument, TenantResult};
use crate::render::document::{Allowed, RefusalDocument, TargetDocument};
use crate::render::value::{counted, escape};
use crate::service::stopped;
use crate::store::Asked;

/// What `apply` takes.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    guards: GuardArgs,
    /// Apply only this reviewed plan, and leave objects that changed since the review
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["rev", "tenants"])]
    plan: Option<PathBuf>,
    /// Approved digest; genesync refuses a plan with another digest
    #[arg(long, value_name = "DIGEST", requires = "plan")]
    approve: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Most tenants to apply at the same time, not counting those that only wait
    #[arg(long, value_name = "N", default_value_t = session::CONCURRENCY)]
    concurrency: usize,
    /// Exit with 6 if a write has no audit entry in time
    #[arg(long)]
    require_confirmed: bool,
}

/// Makes the live configuration equal to a commit.
pub async fn run(args: &ApplyArgs, flags: Flags, output: &Output) -> Result<Exit, Failure> {
    let settings = session::settings(flags)?;
    let reviewed = args.plan.as_ref().map(|path| reviewed::read(path, clock::now())).transpose()?;
    let guards = &guards_of(&args.guards, reviewed.as_ref());
    let allowed = place::allowed(guards)?;
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
    if let Some(reason) = &guards.reason {
        let opened = guards.allow.join(", ");
        output.talk(&format!("guards opened for this run: {opened} ({})", escape(reason)));
    }
    let store = session::open_store_or_none(&settings, output).await?;
    let is_new = session::is_new(&settings, &store, &place.identity).await?;
    if fleet.project_is_broken() {
        return broken_project(&fleet, args.format, PROJECT_IS_BROKEN, output);
    }
    let progress = Arc::new(Progress::new(output, "planning", 0));
    let wishes = Wishes {
        limits: Limits { allowed, drafts: place::drafts(&args.guards), ..fleet.limits.clone() },
        // A reviewed plan may contain only some tenants, and apply leaves out changed objects.
        is_whole: reviewed.is_none() && args.source.tenants.is_empty(),
        reviewed: reviewed.map(|plan| plan.tenants),
        // This is longer than the lease of a dead process. A process that still works renews its lease.
        lease_patience: settings.lease * 3 / 2,
        concurrency: args.concurrency,
        parent: place::parent(&place, None, &fleet, Some(&store), output).await?,
        asked: Some(asked(guards)),
        heard: Some(progress.heard()),
    };
    let order = order::order(&place, &fleet, &settings, &store, wishes)?;
    let passed = apply(&order, &progress).await?;
    let exit = exit(&fleet, &passed, args.require_confirmed);
    session::tell_new_state(is_new, &passed.needed, output);
    match args.format {
        Format::Json => {
            let document = document(&fleet, &passed, exit, guards.opened());
            output.data(&render::value::document(&serde_json::to_value(&document).unwrap_or_default()));
        }
        Format::Text => output.data(&text(&fleet, &passed, output)),
    }
    Ok(exit)
}

/// Returns the open guards: those of the command line and those of the reviewed plan.
fn guards_of(args: &GuardArgs, plan: Option<&ReviewedPlan>) -> GuardArgs {
    let Some((guards, reason)) = plan.and_then(|plan| plan.opened.clone()) else { return args.clone() };
    let more = guards.into_iter().filter(|name| !args.allow.contains(name));
    let allow = args.allow.iter().cloned().chain(more.collect::<Vec<_>>()).collect();
    let reasons: Vec<String> = args.reason.iter().cloned().chain([reason]).collect();
    GuardArgs { allow, reason: Some(reasons.join("; ")), ..args.clone() }
}

/// Returns the user from the environment, and the reason of the open guards.
fn asked(guards: &GuardArgs) -> Asked {
    let why = guards.reason.as_ref().map(|reason| format!("--allow {}: {reason}", guards.allow.join(", ")));
    Asked { by: env::claimant(), why: why.unwrap_or_default() }
}

/// Refuses a plan whose digest is not the approved one, and a plan without a planned tenant.
fn approved(plan: &ReviewedPlan, approve: Option<&str>) -> Result<(), Failure> {
    if let Some(approve) = approve.filter(|digest| *digest != plan.digest) {
        let message = format!(
            "the approved digest is {approve}, but the digest of the plan is {}, and nothing was written",
            plan.digest
        );
        return Err(Failure::new(Exit::Refused, message).hint("review this plan, and approve its digest"));
    }
    if plan.tenants.is_empty() {
        return Err(Failure::new(Exit::Usage, "the plan contains no planned tenant"));
    }
    Ok(())
}

/// Prints the findings of an invalid project, and applies nothing.
fn broken_project(fleet: &Fleet, format: Format, message: &str, output: &Output) -> Result<Exit, Failure> {
    if format == Format::Json {
        let nothing = Passed { ended: Vec::new(), refusal: None, needed: BTreeSet::new() };
        let document = document(fleet, &nothing, Exit::Findings, None);
        output.data(&render::value::document(&serde_json::to_value(&document).unwrap_or_default()));
    } else {
        output.data(&super::validate::text(fleet, output));
    }
    output.error(message);
    Ok(Exit::Findings)
}

/// The error after a second signal.
const LEFT_TO_THE_JOURNAL: &str = "stopped at once: the journal keeps the writes in flight, and the next run reads and reports their results";

/// Applies a commit with a progress bar. The first signal stops it after the writes in flight, the second one
/// at once.
///
/// # Errors
/// The pass could not begin, or a second signal stopped it.
pub async fn apply(order: &Order<ReadApi, Api>, progress: &Arc<Progress>) -> Result<Passed, Failure> {
    progress.over(order.members.len());
    let watched: Arc<dyn pass::Progress> = Arc::clone(progress) as Arc<dyn pass::Progress>;
    let passed = tokio::select! {
        passed = pass::pass(order, &watched) => Ok(passed),
        () = stopped_twice(progress) => Err(Failure::new(Exit::Partial, LEFT_TO_THE_JOURNAL)),
    };
    progress.finish();
    Ok(passed??)
}

/// Stops the runs at the first signal, and returns at the second.
async fn stopped_twice(progress: &Progress) {
    stopped().await;
    progress.cancel();
    stopped().await;
}

/// Returns the exit code. A waiting change has its own code, because `apply` is expected to write it now.
pub fn exit(fleet: &Fleet, passed: &Passed, require_confirmed: bool) -> Exit {
    let asked = exit::Asked { waiting: true, detailed: false, require_confirmed };
    passed.exit(fleet.has_shared_errors(), asked)
}

fn document(fleet: &Fleet, passed: &Passed, exit: Exit, allowed: Option<Allowed>) -> ApplyDocument {
    let result = |ended: &Ended| {
        let reason = Some(ended.reason.clone()).filter(|reason| !reason.is_empty());
        let (status, tenant) = (ended.shown().word(), ended.tenant.to_string());
        match &ended.run {
            Some(run) => TenantResult { status, reason, ..render::applied::result(run) },
            None => TenantResult {
                tenant,
                status,
                reason,
                targets: Vec::new(),
                receipts: Vec::new(),
                overwritten: Vec::new(),
                foreign: Vec::new(),
            },
        }
    };
    ApplyDocument {
        revision: fleet.revision.to_string(),
        asked_by: env::claimant(),
        tenants: passed.ended.iter().map(result).collect(),
        allowed,
        refusals: passed.refusal.iter().map(RefusalDocument::from).collect(),
        findings: fleet.findings.clone(),
        exit_code: exit.code(),
    }
}

fn text(fleet: &Fleet, passed: &Passed, output: &Output) -> String {
    let mut out = super::validate::text(fleet, output);
    out.push_str(&table(&passed.shown()));
    // Writing to a String cannot fail.
    for ended in passed.ended.iter().filter(|ended| !ended.reason.is_empty()) {
        let _ = writeln!(out, "{}: {}", ended.tenant, escape(&ended.reason));
    }
    for run in passed.runs() {
        for target in run.first_plan().into_iter().flat_map(|plan| &plan.targets) {
            let Some(mut draft) = target.draft.clone() else { continue };
            // Report only the finished steps: a stored draft overwrites the other user's draft, and a
            // published one also publishes its changes.
            if !run.receipts().iter().any(|receipt| receipt.target == target.target) {
                draft.published_along.clear();
            }
            if !run.stored_draft_of(&target.target.object_ref()) {
                draft.written_over.clear();
            }
            if draft.published_along.is_empty() && draft.written_over.is_empty() {
                continue;
            }
            let reported = format!("{}: {}", target.target, render::plan::taken_over(&draft));
            let _ = writeln!(out, "{}: {}", run.spec().tenant.name, escape(&reported));
        }
        for revert in run.overwritten() {
            let _ = writeln!(out, "{}: {}", run.spec().tenant.name, escape(&revert.words()));
        }
        for entry in run.confirmation().into_iter().flat_map(|confirmation| &confirmation.foreign) {
            let _ = writeln!(
                out,
                "{}: meanwhile {} changed {} at {} (audit entry {})",
                run.spec().tenant.name,
                escape(&entry.actor.label()),
                escape(&entry.object.to_string()),
                entry.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
                escape(&entry.id)
            );
        }
    }
    if let Some(refusal) = &passed.refusal {
        // A resumed tenant is written in spite of the refusal.
        let nothing = if passed.runs().any(Run::wrote) { "" } else { "; nothing was written" };
        let _ = writeln!(out, "refused by guard `{}`: {}{nothing}", refusal.guard.name(), refusal.message);
    }
    let refused = passed.runs().filter(|run| matches!(run.end(), Some(End::Refused(_))));
    let names = refused.map(|run| run.spec().tenant.name.as_str());
    let names: Vec<&str> = names.collect();
    let command = render::opening::command(names.iter().copied(), &passed.needed);
    if let Some(command) = command.filter(|_| passed.refusal.is_some() || !names.is_empty()) {
        let _ = writeln!(out, "To open these guards, run: {command}");
    }
    let synced = passed.ended.iter().filter(|ended| ended.status == Some(Status::Synced)).count();
    let writes = counted(passed.runs().map(Run::writes).sum(), "write");
    let _ = writeln!(
        out,
        "{synced} of {} tenants Synced at {}, {writes}",
        fleet.tenants.len(),
        fleet.revision.short()
    );
    out
}

/// Returns the result table: one row for each organization or, if it has several objects, for each object
/// that had to change.
pub fn table(runs: &[(Status, &Run)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let objects = runs.iter().any(|(_, run)| run.targets().iter().any(|target| !target.object.is_implied()));
    let mut header =
        vec!["TENANT", "STATUS", "CHANGE", "REGION", "VERSION", "READ BACK AFTER", "AUDIT ENTRY"];
    if objects {
        header.insert(3, "OBJECT");
    }
    table.set_header(header);
    for (status, run) in runs {
        let result = render::applied::result(run);
        let mut name = (result.tenant.clone(), status.word().to_owned());
        let first = run.first_plan().into_iter().flat_map(|plan| &plan.targets);
        let plans: Vec<_> = first.map(|known| &known.target).zip(&result.targets).collect();
        let planned =
            |target: &Target| plans.iter().find(|(known, _)| *known == target).map(|(_, plan)| *plan);
        let touched = |target: &Target| {
            target.object.is_implied()
                || planned(target).is_some_and(|planned| !planned.changes.is_empty())
                || run.receipts().iter().any(|receipt| receipt.target == *target)
        };
        let rows: Vec<Target> = run.spec().targets().filter(touched).collect();
        if rows.is_empty() {
            let (tenant, status) = std::mem::take(&mut name);
            let place = run.spec().tenant.primary.region.key();
            let mut row = vec![tenant, status, "-".into(), place.into(), "-".into(), "-".into(), "-".into()];
            if objects {
                row.insert(3, counted(run.spec().resources.len(), "object"));
            }
            table.add_row(row);
        }
        for target in &rows {
            let (tenant, status) = std::mem::take(&mut name);
            let mut row = vec![tenant, status];
            row.extend(cells(run, &result, target, planned(target)));
            if objects {
                let object = match target.object.is_implied() {
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

/// Returns change, region, versions, latency and audit entries of one object.
fn cells(run: &Run, result: &TenantResult, target: &Target, planned: Option<&TargetDocument>) -> [String; 5] {
    let receipts: Vec<_> = run
        .receipts()
        .iter()
        .zip(&result.receipts)
        .filter(|(receipt, _)| receipt.target == *target)
        .map(|(_, shown)| shown)
        .collect();
    let from = planned.and_then(|planned| planned.version).map_or("-".into(), |version| version.to_string());
    let version = match receipts.last() {
        _ if !target.object.kind.counts_versions() => planned.and_then(pins).unwrap_or_else(|| "-".into()),
        Some(receipt) => format!("{from} -> {}", receipt.version),
        None => from,
    };
    let change = planned.map_or_else(|| "-".to_owned(), |plan| in_words(plan, !receipts.is_empty()));
    let served = receipts.iter().find_map(|receipt| receipt.served_ms).map(|ms| format!("{ms} ms"));
    let entries: Vec<&str> = receipts.iter().map(|receipt| entry(receipt)).collect();
    [
        change,
        target.region.key().to_owned(),
        version,
        served.unwrap_or_else(|| "-".into()),
        if entries.is_empty() { "-".into() } else { escape(&entries.join(", ")) },
    ]
}

/// Returns the audit entry of a write, or why there is none.
fn entry(receipt: &ReceiptDocument) -> &str {
    let none = receipt.audit_untold.as_deref().unwrap_or("not asked for");
    receipt.audit_entry.as_deref().unwrap_or(none)
}

/// Returns the pinned and the desired version of a deployment: `pins 5 -> 6`, `pins 1`.
fn pins(target: &TargetDocument) -> Option<String> {
    let change = target.changes.iter().find(|change| change.path == resolve::PINNED)?;
    let shown = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), escape);
    let wanted = change.desired.as_ref().map_or_else(|| "-".to_owned(), shown);
    Some(match &change.observed {
        Some(before) => format!("pins {} -> {wanted}", shown(before)),
        None => format!("pins {wanted}"),
    })
}

/// Returns the planned change of one object: `created, 15 fields`, `2 fields (1 drift)`, `1 ignored`, `-`.
fn in_words(target: &TargetDocument, is_done: bool) -> String {
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
