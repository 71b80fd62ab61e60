//! `genesync apply`

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
    /// Apply this plan and nothing else; what is not as it was reviewed is left as it is
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["rev", "tenants"])]
    plan: Option<PathBuf>,
    /// The digest that was approved: a plan with another one is refused
    #[arg(long, value_name = "DIGEST", requires = "plan")]
    approve: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Tenants worked on at once, those aside that only wait
    #[arg(long, value_name = "N", default_value_t = session::CONCURRENCY)]
    concurrency: usize,
    /// Exit with 6 where a write has no audit entry in time
    #[arg(long)]
    require_confirmed: bool,
}

/// Makes the live configurations equal to a commit.
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
        // A plan may hold less than the whole, and leave out what moved.
        is_whole: reviewed.is_none() && args.source.tenants.is_empty(),
        reviewed: reviewed.map(|plan| plan.tenants),
        // Who died with a lease is waited for, who goes on working is not.
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

/// The guards that are open: those of the command, and those that were approved with the plan.
fn guards_of(args: &GuardArgs, plan: Option<&ReviewedPlan>) -> GuardArgs {
    let Some((guards, reason)) = plan.and_then(|plan| plan.opened.clone()) else { return args.clone() };
    let more = guards.into_iter().filter(|name| !args.allow.contains(name));
    let allow = args.allow.iter().cloned().chain(more.collect::<Vec<_>>()).collect();
    let reasons: Vec<String> = args.reason.iter().cloned().chain([reason]).collect();
    GuardArgs { allow, reason: Some(reasons.join("; ")), ..args.clone() }
}

/// Who applies by hand, as the environment says, and why guards are open.
fn asked(guards: &GuardArgs) -> Asked {
    let why = guards.reason.as_ref().map(|reason| format!("--allow {}: {reason}", guards.allow.join(", ")));
    Asked { by: env::claimant(), why: why.unwrap_or_default() }
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
        let nothing = Passed { ended: Vec::new(), refusal: None, needed: BTreeSet::new() };
        let document = document(fleet, &nothing, Exit::Findings, None);
        output.data(&render::value::document(&serde_json::to_value(&document).unwrap_or_default()));
    } else {
        output.data(&super::validate::text(fleet, output));
    }
    output.error(message);
    Ok(Exit::Findings)
}

/// What is said where nothing is waited for any more.
const LEFT_TO_THE_JOURNAL: &str = "stopped at once: what was under way is left to the journal; the next run waits it out, reads, and says what became of it";

/// Applies a commit, with a bar for what takes its time. A signal ends it after the writes that are under way, a second
/// one at once.
///
/// # Errors
/// It could not begin, or was stopped at once.
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

/// Has the runs end with the first signal; comes to an end with the second.
async fn stopped_twice(progress: &Progress) {
    stopped().await;
    progress.cancel();
    stopped().await;
}

/// The exit code. A change that waits is worth one: whoever applies by hand wants it applied now.
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
    // Writing to a String can't fail; the results are dropped throughout.
    for ended in passed.ended.iter().filter(|ended| !ended.reason.is_empty()) {
        let _ = writeln!(out, "{}: {}", ended.tenant, escape(&ended.reason));
    }
    for run in passed.runs() {
        for target in run.first_plan().into_iter().flat_map(|plan| &plan.targets) {
            let Some(mut draft) = target.draft.clone() else { continue };
            // As far as it came: what is stored goes over the draft, what is published goes along.
            if !run.receipts().iter().any(|receipt| receipt.target == target.target) {
                draft.published_along.clear();
            }
            if !run.stored_draft_of(&target.target.object_ref()) {
                draft.written_over.clear();
            }
            if draft.published_along.is_empty() && draft.written_over.is_empty() {
                continue;
            }
            let told = format!("{}: {}", target.target, render::plan::taken_over(&draft));
            let _ = writeln!(out, "{}: {}", run.spec().tenant.name, escape(&told));
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
        // Those that a person has let go on are written.
        let nothing = if passed.runs().any(Run::wrote) { "" } else { "; nothing is written" };
        let _ = writeln!(out, "refused by guard `{}`: {}{nothing}", refusal.guard.name(), refusal.message);
    }
    let refused = passed.runs().filter(|run| matches!(run.end(), Some(End::Refused(_))));
    let names = refused.map(|run| run.spec().tenant.name.as_str());
    let names: Vec<&str> = names.collect();
    let command = render::opening::command(names.iter().copied(), &passed.needed);
    if let Some(command) = command.filter(|_| passed.refusal.is_some() || !names.is_empty()) {
        let _ = writeln!(out, "All of it is opened by: {command}");
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

/// Tenant, what changed, versions, regions with their latency, audit entries: one line for each organization, and
/// where one has several objects, for each of them that had to change.
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

/// What changed, region, versions, latency and audit entries of one object.
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

/// The audit entry of a write, or why there is none.
fn entry(receipt: &ReceiptDocument) -> &str {
    let none = receipt.audit_untold.as_deref().unwrap_or("not asked for");
    receipt.audit_entry.as_deref().unwrap_or(none)
}

/// Which version a deployment pinned, and which one it was to pin: `pins 5 -> 6`, `pins 1`.
fn pins(target: &TargetDocument) -> Option<String> {
    let change = target.changes.iter().find(|change| change.path == resolve::PINNED)?;
    let shown = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), escape);
    let wanted = change.desired.as_ref().map_or_else(|| "-".to_owned(), shown);
    Some(match &change.observed {
        Some(before) => format!("pins {} -> {wanted}", shown(before)),
        None => format!("pins {wanted}"),
    })
}

/// What was to change in one organization: `created, 15 fields`, `2 fields (1 drift)`, `1 ignored`, `-`.
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
