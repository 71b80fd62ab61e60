//! Applies one commit to many tenants, once: for `apply` and `run --once`.
//!
//! ```text
//!  rewound? ─> leases ─> clients ─> plan all ─> run guard ─> head ─> wave after wave ─> record, release
//! ```
//!
//! The commit becomes the repository's head only after the guard `run-tenants` was checked: a controller
//! applies the head, and would apply changes that the guard never saw.
//!
//! The controller does the same for each tenant, with the same parts.
//!
//! In: a commit with its tenants, the order of the caller, the ports. Out: the result of each tenant. Never:
//! writes a tenant without its lease, or takes the head before the run guard was checked. Start reading at
//! [`pass`]; `beginning.rs` is everything before the first write, `applying.rs` the waves.

mod applying;
mod beginning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::drive::Watcher;
use super::leases::{Held, Leases};
use super::ports::{Ports, Reads};
use super::spec::Terms;
use super::{exit, outcome};
use crate::config::ConfigError;
use crate::model::plan::Reviewed;
use crate::model::precedent::{Parent, RunLimits};
use crate::model::standing::Standing;
use crate::model::{
    FaultKind, Guard, Intervals, Mode, Refusal, Resource, Revision, Status, Tenant, TenantName, Wanted,
    causes,
};
use crate::reconcile::{End, Run};
use crate::source::SourceError;
use crate::store::{Asked, Claimed, Finished, Lease, Pause, Store, StoreError};

/// Looks up the credentials of a tenant's run, and returns the ids of its clients.
pub type Lookup =
    dyn Fn(Tenant, Vec<Resource>) -> BoxFuture<'static, Result<BTreeSet<String>, ConfigError>> + Send + Sync;

/// Whether a commit has another one in its history.
pub type Holds = dyn Fn(&Revision, &Revision) -> Result<bool, SourceError> + Send + Sync;

/// One tenant in the commit.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its row for the store.
    pub wanted: Wanted,
    /// Its settings; none if they are unreadable.
    pub tenant: Option<Tenant>,
    /// The desired state of each object; empty if the tenant is invalid.
    pub resources: Vec<Resource>,
}

/// The input of a pass.
pub struct Order<R, P> {
    /// The client that reads. It has no method that writes.
    pub reads: R,
    /// The client that writes.
    pub ports: P,
    /// The state.
    pub store: Store,
    /// Looks up credentials.
    pub lookup: Arc<Lookup>,
    /// The history of commits.
    pub holds: Arc<Holds>,
    /// The guard settings of the commit's first parent, if the state has none of an applied commit.
    pub parent: Parent,
    /// The repository's name in the store.
    pub repository: String,
    /// Whether the commit is applied to all its tenants: then it becomes the repository's head.
    pub is_whole: bool,
    /// The tenants.
    pub members: Vec<Member>,
    /// Number of tenants of the commit that have a configuration, also those outside of this pass.
    pub managed: usize,
    /// What all runs share.
    pub terms: Terms,
    /// The reviewed plan of each tenant, if only reviewed changes may be written.
    pub reviewed: Option<BTreeMap<TenantName, Arc<Reviewed>>>,
    /// Duration of a lease.
    pub lease: Duration,
    /// How long the pass waits for tenants that another process works on.
    pub lease_patience: Duration,
    /// How long later waves wait for an unreachable tenant.
    pub waves_patience: Duration,
    /// The intervals of the controller: the record of a run says when the tenant is due again.
    pub intervals: Intervals,
    /// Largest number of concurrent runs.
    pub concurrency: usize,
    /// Who runs the pass by hand, and why.
    pub asked: Option<Asked>,
}

/// The result of one tenant in a pass.
#[derive(Debug)]
pub struct Ended {
    /// The tenant.
    pub tenant: TenantName,
    /// Its mode in git; [`Mode::Enforce`] if that is unreadable and was never known.
    pub mode: Mode,
    /// Its wave; the last known one if its settings are unreadable, and 0 if there is none.
    pub wave: u32,
    /// Its run, if there was one.
    pub run: Option<Run>,
    /// Its status; none if its run did not end.
    pub status: Option<Status>,
    /// Its status before the pass.
    pub before: Status,
    /// The reason for the status; may be empty.
    pub reason: String,
    /// What it means for later waves.
    pub standing: Option<Standing>,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// Whether its run ended because of a bug in genesync.
    pub is_bug: bool,
}

impl Ended {
    /// Returns the result of a tenant without a run.
    fn without_run(tenant: &TenantName, (mode, wave): (Mode, u32), status: Status, reason: String) -> Self {
        let tenant = tenant.clone();
        Self {
            tenant,
            mode,
            wave,
            run: None,
            status: Some(status),
            before: status,
            reason,
            standing: None,
            is_paused: false,
            is_bug: false,
        }
    }

    /// Returns the result of a tenant whose run could not begin.
    fn lost(tenant: &TenantName, place: (Mode, u32), reason: String) -> Self {
        Self::without_run(tenant, place, Status::Degraded(FaultKind::Local), reason)
    }

    /// Returns the result with the pause of a person: then only an invalid manifest or a bug counts as a
    /// failure.
    fn paused_by(self, pause: Option<&Pause>) -> Self {
        let Some(pause) = pause.filter(|pause| pause.is_a_persons()) else { return self };
        let reported = match self.status {
            Some(Status::Invalid) | None => (self.status, self.reason),
            Some(_) if self.is_bug => (self.status, self.reason),
            Some(_) => (Some(Status::Paused), pause.words()),
        };
        Self { status: reported.0, reason: reported.1, is_paused: true, ..self }
    }

    /// Returns the displayed status: of a run that did not end, the one before.
    pub fn shown(&self) -> Status {
        self.status.unwrap_or(self.before)
    }

    /// Returns the part of the exit code.
    pub fn outcome(&self) -> exit::Outcome {
        let wrote = self.run.as_ref().is_some_and(Run::wrote);
        let is_taken = self.run.as_ref().and_then(Run::end) == Some(&End::LeaseLost);
        exit::Outcome { status: self.status, mode: self.mode, wrote, is_bug: self.is_bug, is_taken }
    }
}

/// The result of a pass.
#[derive(Debug)]
pub struct Passed {
    /// Every tenant, sorted by name.
    pub ended: Vec<Ended>,
    /// Why the guard refused the whole pass; none if it did not.
    pub refusal: Option<Refusal>,
    /// Every guard that must be open to apply the whole commit.
    pub needed: BTreeSet<Guard>,
}

impl Passed {
    /// Returns the exit code. `findings` says that the repository has findings that belong to no tenant.
    pub fn exit(&self, findings: bool, asked: exit::Asked) -> crate::model::Exit {
        let outcomes: Vec<exit::Outcome> = self.ended.iter().map(Ended::outcome).collect();
        exit::code(&outcomes, findings, asked)
    }

    /// Returns every run with its displayed status.
    pub fn shown(&self) -> Vec<(Status, &Run)> {
        self.ended.iter().filter_map(|ended| Some((ended.shown(), ended.run.as_ref()?))).collect()
    }

    /// Returns every run.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.ended.iter().filter_map(|ended| ended.run.as_ref())
    }
}

/// Why a pass could not begin.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The commit does not contain the commit that was applied last.
    #[error("refused by guard `rewind`: {}, so nothing is written", .0.message)]
    Rewound(Refusal),
    /// Another process keeps taking other commits.
    #[error("another process took commit {0} meanwhile")]
    Overtaken(Revision),
    /// No tenant has usable credentials.
    #[error("{0}")]
    NoClients(Arc<ConfigError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The git history is unreadable.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A run under its lease.
struct Seat {
    run: Run,
    held: Arc<Held>,
    claimed: Claimed,
    mode: Mode,
}

/// A running pass.
struct Pass<'a, R, P> {
    order: &'a Order<R, P>,
    watcher: Arc<dyn Watcher>,
    /// Renews the leases until the pass ends.
    leases: Leases,
    /// Guards that a person opened for a tenant's next run.
    opened: BTreeMap<TenantName, BTreeSet<Guard>>,
    /// The leases of this pass.
    held: BTreeMap<TenantName, Arc<Held>>,
    /// How many tenants it may change: the stricter limits of this commit and the last applied one.
    run_limits: RunLimits,
    /// The head before this one.
    head: Option<Revision>,
    /// Tenants that have a result.
    ended: Vec<Ended>,
    /// Results of tenants without a run, to be recorded after the head is taken.
    lost: Vec<Finished>,
    /// Number of those tenants with a change that the run guard has not judged.
    unplanned: usize,
}

/// Receives the progress of a pass.
pub trait Progress: Watcher {
    /// Begins a stage, `planning` or `applying`, for a number of tenants.
    fn begin(&self, what: &'static str, tenants: usize);
    /// Reports that one more tenant is done in this stage.
    fn step(&self);
    /// Reports that the pass waits for tenants that other processes hold: their number, the first one and its
    /// holder.
    fn waiting(&self, tenants: usize, first: &TenantName, holder: &str);
}

/// Applies a commit. It writes no tenant before all are planned and the run guard is checked.
///
/// # Errors
/// The pass could not begin. The failure of one tenant is in the returned value.
pub async fn pass<R, P>(order: &Order<R, P>, progress: &Arc<dyn Progress>) -> Result<Passed, PassError>
where
    R: Reads + Clone + 'static,
    P: Ports + Clone + 'static,
{
    let watcher: Arc<dyn Watcher> = Arc::clone(progress) as Arc<dyn Watcher>;
    let leases = Leases::start(&order.store, order.lease, Box::new(|_| {}));
    let (head, ended, lost) = (None, Vec::new(), Vec::new());
    let held = BTreeMap::new();
    let run_limits = RunLimits::of(&order.terms.limits);
    let opened = BTreeMap::new();
    let mut pass = Pass { order, watcher, leases, opened, held, run_limits, head, ended, lost, unplanned: 0 };
    let passed = pass.work(progress.as_ref()).await;
    if passed.is_err() {
        // So that other processes need not wait until the leases expire.
        let leases: Vec<Lease> = pass.held.values().map(|held| held.lease().clone()).collect();
        if let Err(error) = order.store.release(&leases).await {
            tracing::warn!(error = causes(&error), "cannot release leases, so they expire");
        }
    }
    passed
}

impl<R, P> Pass<'_, R, P>
where
    R: Reads + Clone + 'static,
    P: Ports + Clone + 'static,
{
    async fn work(&mut self, progress: &dyn Progress) -> Result<Passed, PassError> {
        self.lease(progress).await?;
        let seats = self.begin().await?;
        let mut seats = self.plan(seats, progress).await;
        let (mut refusal, mut needed) = (None, BTreeSet::new());
        // A pass that was stopped while planning decides nothing and does not make its commit the head.
        if !self.watcher.stop().is_cancelled() {
            needed = self.needed(&seats);
            let verdict = self.guard(&mut seats);
            self.take_head(&verdict).await?;
            let order = self.order;
            order.store.open_guards(self.held.keys(), &order.terms.limits.allowed).await?;
            refusal = verdict.refusal;
        }
        for lost in std::mem::take(&mut self.lost) {
            // The tenant has failed already, so another error changes nothing.
            let _ = self.write_down(&lost).await;
        }
        self.apply(seats, progress).await;
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        // The store may refuse an intent, which only the end of a run shows.
        let refused = ended.iter().filter_map(|ended| match ended.run.as_ref()?.end()? {
            End::Refused(refusals) => Some(refusals),
            _ => None,
        });
        needed.extend(refused.flatten().map(|refusal| refusal.guard));
        Ok(Passed { ended, refusal, needed })
    }

    /// Records the result of a run. An error affects this tenant only.
    async fn write_down(&self, finished: &Finished) -> Result<(), StoreError> {
        let written = self.order.store.finish_in_group(finished).await;
        written.inspect_err(|error| {
            let tenant = &finished.lease.tenant;
            tracing::warn!(%tenant, error = causes(error), "cannot record the result of the run");
        })
    }
}

impl<R: Reads, P> Pass<'_, R, P> {
    fn setting(&self, started_at: jiff::Timestamp) -> outcome::Setting<'_> {
        outcome::Setting {
            started_at,
            now: self.order.reads.now(),
            intervals: &self.order.intervals,
            asked: self.order.asked.as_ref(),
        }
    }
}
