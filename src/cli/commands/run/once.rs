//! `genesync run --once`: makes one pass over the whole repository, for a scheduled job. It is the pass of
//! `apply`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::RunArgs;
use crate::cli::commands::status;
use crate::cli::order::{self, Wishes};
use crate::cli::place::{self, Place, Reads};
use crate::cli::session::{self, CONCURRENCY};
use crate::cli::{Exit, Failure, Format, Output, SourceArgs};
use crate::clock;
use crate::config::Settings;
use crate::driver::drive::{Advance, Watcher};
use crate::driver::notes::Advances;
use crate::driver::pass::{self, Passed};
use crate::driver::{counting, exit, notes};
use crate::fleet::{self, Fleet, Options, PROJECT_IS_BROKEN};
use crate::model::{Severity, TenantName};
use crate::reconcile::Note;
use crate::render::value::escape;
use crate::service::Following;
use crate::store::{Store, TenantRow, Which};

/// Makes one pass, and prints the status of every tenant.
pub async fn run(args: &RunArgs, following: &Arc<Following>, output: &Output) -> Result<Exit, Failure> {
    let process = following.process();
    let settings = &process.settings;
    let read = read(args, settings);
    keep_trouble(following, args, read.as_ref().err()).await;
    let (place, fleet) = read?;
    let wishes = Wishes {
        limits: fleet.limits.clone(),
        is_whole: true,
        reviewed: None,
        // As in `apply`, but at most half of the time for the pass.
        lease_patience: (settings.lease * 3 / 2).min(settings.controller.once / 2),
        concurrency: settings.controller.runs_max.min(CONCURRENCY),
        parent: place::parent(&place, None, &fleet, Some(&process.store), output).await?,
        asked: None,
        heard: Some(Arc::clone(&process.heard)),
    };
    let is_new = session::is_new(settings, &process.store, &place.identity).await?;
    let order = order::order(&place, &fleet, settings, &process.store, wishes)?;
    let progress: Arc<dyn pass::Progress> =
        Arc::new(Logged { following: Arc::clone(following), advances: Advances::default() });
    let overdue = tokio::spawn({
        let (stop, within) = (process.stop.clone(), settings.controller.once);
        async move {
            tokio::time::sleep(within).await;
            tracing::warn!(
                ms = within.as_millis() as u64,
                "the pass takes too long; stopping after the writes in flight"
            );
            stop.cancel();
        }
    });
    let passed = pass::pass(&order, &progress).await;
    overdue.abort();
    if let Err(error) = &passed {
        let failure = Failure::new(Exit::Outside, error.to_string());
        keep_trouble(following, args, Some(&failure)).await;
    }
    let passed = passed?;
    passed.runs().for_each(|run| counting::count(&process.metrics, run, clock::now()));
    session::tell_new_state(is_new, &passed.needed, output);
    report(args, &process.store, &fleet, &passed, output).await
}

/// Reads the commit and its tenants. Fails for an invalid project, because its limits cannot be trusted.
fn read(args: &RunArgs, settings: &Settings) -> Result<(Place, Fleet), Failure> {
    let source = SourceArgs { path: args.path.clone(), rev: args.rev.clone(), tenants: Vec::new() };
    let place = place::place(&source, Reads::Commit, settings)?;
    let fleet = fleet::load(&place.source, &place.revision, &Options::on(clock::today()))?;
    if fleet.project_is_broken() {
        let first = fleet.findings.iter().find(|finding| finding.severity == Severity::Error);
        let first =
            first.map(|finding| format!(": {}: {}", finding.location, finding.message)).unwrap_or_default();
        return Err(Failure::new(Exit::Findings, format!("{PROJECT_IS_BROKEN}{first}")));
    }
    Ok((place, fleet))
}

/// Stores why the commit is not applied, or clears that. `genesync status` shows it.
async fn keep_trouble(following: &Following, args: &RunArgs, failure: Option<&Failure>) {
    let identity = following.identity();
    let trouble = failure.map(|failure| (failure.message.as_str(), clock::now()));
    if let Err(error) = following.process().store.keep_trouble(&identity, trouble).await {
        tracing::debug!(path = args.path, error = %error, "cannot store why the commit is not applied");
    }
}

async fn report(
    args: &RunArgs,
    store: &Store,
    fleet: &Fleet,
    passed: &Passed,
    output: &Output,
) -> Result<Exit, Failure> {
    let asked = exit::Asked {
        waiting: false,
        detailed: args.detailed_exitcode,
        require_confirmed: args.require_confirmed,
    };
    let exit = passed.exit(fleet.has_shared_errors(), asked);
    let rows = store.tenants(Which::All).await?;
    match args.format {
        Format::Json => output.data(&status::document(&rows, &[], Some(exit))),
        Format::Text => output.data(&status::table(&rows, &[])),
    }
    tell_unwritten(passed, &rows, output);
    Ok(exit)
}

/// Prints the result of each tenant whose status could not be stored, so that the exit code always has a
/// printed reason.
fn tell_unwritten(passed: &Passed, rows: &[TenantRow], output: &Output) {
    for ended in &passed.ended {
        let row = rows.iter().find(|row| row.tenant == ended.tenant);
        let is_reported = row.is_some_and(|row| Some(row.status) == ended.status);
        if !is_reported && !ended.reason.is_empty() {
            output.error(&format!("{}: {}", ended.tenant, escape(&ended.reason)));
        }
    }
}

/// Logs a pass.
struct Logged {
    following: Arc<Following>,
    advances: Advances,
}

impl Watcher for Logged {
    fn note(&self, tenant: &TenantName, note: &Note) {
        notes::log(tenant, note);
    }

    fn advanced(&self, tenant: &TenantName, advance: Advance) {
        self.advances.log(tenant, advance);
    }

    fn stop(&self) -> &CancellationToken {
        &self.following.process().stop
    }
}

impl pass::Progress for Logged {
    fn begin(&self, what: &'static str, tenants: usize) {
        tracing::info!(tenants, "{what}");
        self.following.turned();
    }

    fn step(&self) {
        self.following.turned();
    }

    fn waiting(&self, tenants: usize, first: &TenantName, holder: &str) {
        tracing::info!(tenants, %first, holder, "waiting for leased tenants");
    }
}
