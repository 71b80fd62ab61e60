//! One commit applied to many tenants, once: what `apply` and `run --once` do.
//!
//! ```text
//!  rewound? ─> leases ─> clients ─> plan all ─> run guard ─> head ─> wave after wave ─> write down, give back
//! ```
//!
//! The commit becomes the repository's head once the guard of the run was asked, and no sooner: a controller goes by the
//! head, and would apply what the guard never saw.
//!
//! The controller does the same tenant by tenant, with the same pieces.
//!
//! In: a commit with its tenants, what the caller asks for, the ports. Out: how each tenant ended. Never: writes a
//! tenant without its lease, or takes the head before the run guard was asked. Start reading at [`pass`];
//! `beginning.rs` is everything before the first write, `applying.rs` the waves.

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

/// Looks up what a run of a tenant needs, and returns the ids of its clients.
pub type Lookup =
    dyn Fn(Tenant, Vec<Resource>) -> BoxFuture<'static, Result<BTreeSet<String>, ConfigError>> + Send + Sync;

/// Whether a commit has another one in its history.
pub type Holds = dyn Fn(&Revision, &Revision) -> Result<bool, SourceError> + Send + Sync;

/// One tenant, as the commit has it.
#[derive(Debug, Clone)]
pub struct Member {
    /// What the store has to know of it.
    pub wanted: Wanted,
    /// Its settings, where they could be read.
    pub tenant: Option<Tenant>,
    /// What git says of each object; empty if it is not valid.
    pub resources: Vec<Resource>,
}

/// What a pass is to do.
pub struct Order<R, P> {
    /// What looks. It has no way to write.
    pub reads: R,
    /// What writes.
    pub ports: P,
    /// The state.
    pub store: Store,
    /// Who asks.
    pub lookup: Arc<Lookup>,
    /// The history of commits.
    pub holds: Arc<Holds>,
    /// What the commit's first parent says of guards, where no state knows what was applied last.
    pub parent: Parent,
    /// The repository's name in the store.
    pub repository: String,
    /// Whether the commit is applied to all its tenants: then it is the repository's head from now on.
    pub is_whole: bool,
    /// The tenants.
    pub members: Vec<Member>,
    /// How many tenants of the commit have a configuration, whichever of them the pass is about.
    pub managed: usize,
    /// What all runs share.
    pub terms: Terms,
    /// What a person reviewed, tenant by tenant, where only that may be written.
    pub reviewed: Option<BTreeMap<TenantName, Arc<Reviewed>>>,
    /// How long a tenant is leased.
    pub lease: Duration,
    /// How long tenants that another process works on are waited for.
    pub lease_patience: Duration,
    /// How long later waves wait for a tenant that cannot be reached.
    pub waves_patience: Duration,
    /// How long the controller waits between runs: what is written down says when a tenant is due.
    pub intervals: Intervals,
    /// Runs under way at once.
    pub concurrency: usize,
    /// Who runs it by hand, and why.
    pub asked: Option<Asked>,
}

/// How one tenant came out of a pass.
#[derive(Debug)]
pub struct Ended {
    /// The tenant.
    pub tenant: TenantName,
    /// What git says of it; [`Mode::Enforce`] if that can't be read and was never known.
    pub mode: Mode,
    /// Its wave; the last known one if its settings can't be read, and 0 if there is none.
    pub wave: u32,
    /// Its run, if there was one.
    pub run: Option<Run>,
    /// How it is; none if its run was not run to its end.
    pub status: Option<Status>,
    /// How it was before.
    pub before: Status,
    /// Why it is so; empty if there is nothing to say.
    pub reason: String,
    /// How it stands towards later waves.
    pub standing: Option<Standing>,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// Whether its run ended by a defect of genesync.
    pub is_bug: bool,
}

impl Ended {
    /// A tenant without a run.
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

    /// A tenant whose run could not begin.
    fn lost(tenant: &TenantName, place: (Mode, u32), reason: String) -> Self {
        Self::without_run(tenant, place, Status::Degraded(FaultKind::Local), reason)
    }

    /// The same tenant where a person paused it: what is wrong with it is then no trouble, but for its manifests.
    fn paused_by(self, pause: Option<&Pause>) -> Self {
        let Some(pause) = pause.filter(|pause| pause.is_a_persons()) else { return self };
        let told = match self.status {
            Some(Status::Invalid) | None => (self.status, self.reason),
            Some(_) if self.is_bug => (self.status, self.reason),
            Some(_) => (Some(Status::Paused), pause.words()),
        };
        Self { status: told.0, reason: told.1, is_paused: true, ..self }
    }

    /// The status that people see: of a run that was not run to its end, the one before.
    pub fn shown(&self) -> Status {
        self.status.unwrap_or(self.before)
    }

    /// What the exit code is made of.
    pub fn outcome(&self) -> exit::Outcome {
        let wrote = self.run.as_ref().is_some_and(Run::wrote);
        let is_taken = self.run.as_ref().and_then(Run::end) == Some(&End::LeaseLost);
        exit::Outcome { status: self.status, mode: self.mode, wrote, is_bug: self.is_bug, is_taken }
    }
}

/// How a pass ended.
#[derive(Debug)]
pub struct Passed {
    /// Every tenant, by name.
    pub ended: Vec<Ended>,
    /// Why nothing at all was applied.
    pub refusal: Option<Refusal>,
    /// Every guard that would have to be open for all of it to be applied.
    pub needed: BTreeSet<Guard>,
}

impl Passed {
    /// The exit code. `findings` says that something is not valid that is no tenant's own.
    pub fn exit(&self, findings: bool, asked: exit::Asked) -> crate::model::Exit {
        let outcomes: Vec<exit::Outcome> = self.ended.iter().map(Ended::outcome).collect();
        exit::code(&outcomes, findings, asked)
    }

    /// Every run, with the status that people see.
    pub fn shown(&self) -> Vec<(Status, &Run)> {
        self.ended.iter().filter_map(|ended| Some((ended.shown(), ended.run.as_ref()?))).collect()
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.ended.iter().filter_map(|ended| ended.run.as_ref())
    }
}

/// Why a pass could not begin.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The commit does not hold what was applied last.
    #[error("refused by guard `rewind`: {}; nothing is written", .0.message)]
    Rewound(Refusal),
    /// Another process keeps taking other commits.
    #[error("another process took commit {0} meanwhile")]
    Overtaken(Revision),
    /// No tenant has a client.
    #[error("{0}")]
    NoClients(Arc<ConfigError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history can't be read.
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

/// A pass under way.
struct Pass<'a, R, P> {
    order: &'a Order<R, P>,
    watcher: Arc<dyn Watcher>,
    /// Keeps the leases until the pass is over.
    leases: Leases,
    /// Guards that a person opened for a tenant's next run.
    opened: BTreeMap<TenantName, BTreeSet<Guard>>,
    /// What is leased.
    held: BTreeMap<TenantName, Arc<Held>>,
    /// How many tenants it may change: the stricter of what its commit says and what the one that was applied last said.
    run_limits: RunLimits,
    /// The head before this one.
    head: Option<Revision>,
    /// Tenants that are done with.
    ended: Vec<Ended>,
    /// What is to be written down of some of them, once the head is taken.
    lost: Vec<Finished>,
    /// How many of those have a change to come that the guard of the run has not judged.
    unplanned: usize,
}

/// What reports how far a pass is.
pub trait Progress: Watcher {
    /// So many tenants are to be planned, then applied.
    fn begin(&self, what: &'static str, tenants: usize);
    /// One more of them is.
    fn step(&self);
    /// So many tenants, such as this one, are leased by another process, and waited for.
    fn waiting(&self, tenants: usize, first: &TenantName, holder: &str);
}

/// Applies a commit. Nothing is written for a tenant before all were planned and the run's guard was asked.
///
/// # Errors
/// It could not begin. What is wrong with one tenant is in what it returns.
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
        // Others may go on at once.
        let leases: Vec<Lease> = pass.held.values().map(|held| held.lease().clone()).collect();
        if let Err(error) = order.store.release(&leases).await {
            tracing::warn!(error = causes(&error), "leases can't be given back, and run out");
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
        // Of a pass that ends before all were planned nothing is decided, and nobody else goes by its commit.
        if !self.watcher.stop().is_cancelled() {
            needed = self.needed(&seats);
            let verdict = self.guard(&mut seats);
            self.take_head(&verdict).await?;
            let order = self.order;
            order.store.open_guards(self.held.keys(), &order.terms.limits.allowed).await?;
            refusal = verdict.refusal;
        }
        for lost in std::mem::take(&mut self.lost) {
            // It is lost as it is.
            let _ = self.write_down(&lost).await;
        }
        self.apply(seats, progress).await;
        let mut ended = std::mem::take(&mut self.ended);
        ended.sort_by(|one, other| one.tenant.cmp(&other.tenant));
        // What the store refused shows once a run has ended.
        let refused = ended.iter().filter_map(|ended| match ended.run.as_ref()?.end()? {
            End::Refused(refusals) => Some(refusals),
            _ => None,
        });
        needed.extend(refused.flatten().map(|refusal| refusal.guard));
        Ok(Passed { ended, refusal, needed })
    }

    /// Writes down how a run ended; where that fails, it is this tenant's trouble and nobody else's.
    async fn write_down(&self, finished: &Finished) -> Result<(), StoreError> {
        let written = self.order.store.finish_in_group(finished).await;
        written.inspect_err(|error| {
            let tenant = &finished.lease.tenant;
            tracing::warn!(%tenant, error = causes(error), "how its run ended can't be written down");
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
