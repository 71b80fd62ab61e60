//! One run of one tenant under its lease, from its claim to its record.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::state::Controller;
use crate::clock;
use crate::driver::drive::{self, Advance, Go, Note, Run, Watcher};
use crate::driver::leases::Held;
use crate::driver::notes::{self, Advances};
use crate::driver::outcome::{self, Setting};
use crate::driver::planning::Panicked;
use crate::driver::slots::HeldSlot;
use crate::driver::spec::{Subject, Terms, journal_of, spec};
use crate::driver::{counting, rewind};
use crate::fleet::known::{Known, KnownTenant};
use crate::model::plan::Limits;
use crate::model::record::Journal;
use crate::model::{
    FaultKind, Guard, Memory, Mode, Precedents, Refusal, Revision, Status, TenantName, causes,
};
use crate::store::{Claimed, Finished, Pause, PauseKind};
use crate::telemetry::metrics::RunResult;

/// Consecutive panics after which a tenant is held.
const PANICS_MAX: u32 = 3;

/// A run and its input.
pub struct ClaimedRun {
    pub controller: Arc<Controller>,
    pub head: Arc<Known>,
    pub known: Arc<KnownTenant>,
    pub claimed: Claimed,
    pub kept: KeptForGuards,
    pub held: Held,
    pub journal: Journal,
    pub superseded: CancellationToken,
}

/// The stored input of the guards of a run.
pub struct KeptForGuards {
    /// Guards that a person opened for the run.
    pub opened: BTreeSet<Guard>,
    /// The guard settings of organizations, including those of this tenant.
    pub said: Arc<Precedents>,
}

impl ClaimedRun {
    /// Runs to the end and returns the record, also after an error or a panic.
    pub async fn run(self) -> Finished {
        let started_at = clock::now();
        let begun = clock::monotonic();
        let Self { controller, head, known, mut claimed, kept, held, journal, superseded } = self;
        if claimed.pause.is_none() {
            claimed.pause = controller.stale();
        }
        let span = tracing::info_span!(
            "run", tenant = %claimed.lease.tenant, revision = %head.revision, cause = claimed.cause.name()
        );
        let given = Given { journal, kept, superseded };
        let work = attempt(&controller, &head, &known, &claimed, &held, given);
        // A panic in the run of one tenant must not stop the others.
        let ended = AssertUnwindSafe(work.instrument(span)).catch_unwind().await;
        controller.metrics.run_duration.observe(begun.elapsed().as_secs_f64());
        let intervals = controller.tunables().intervals;
        let setting = Setting { started_at, now: clock::now(), intervals: &intervals, asked: None };
        let finished = match ended {
            Ok(Ok(run)) => controller.take_in(&run, &known, &claimed, &setting).await,
            Ok(Err(reason)) => {
                controller.metrics.runs.inc(RunResult::Degraded);
                outcome::lost(&claimed, &reason, known.mode(), &setting)
            }
            Err(_) => controller.panicked(&claimed, known.mode(), &setting).await,
        };
        if finished.run.is_some() || finished.failures > 0 {
            tracing::info!(
                tenant = %claimed.lease.tenant, status = finished.status.map_or("Stopped", Status::word),
                cause = claimed.cause.name(),
                ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                writes = finished.run.as_ref().map_or(0, |run| run.writes), reason = finished.reason, "run ended"
            );
        }
        drop(held);
        finished
    }
}

/// The part of the input that a run consumes.
struct Given {
    journal: Journal,
    kept: KeptForGuards,
    superseded: CancellationToken,
}

/// Drives a run to its end; the error says why the run could not begin.
async fn attempt(
    controller: &Controller,
    head: &Arc<Known>,
    known: &KnownTenant,
    claimed: &Claimed,
    held: &Held,
    Given { journal, kept, superseded }: Given,
) -> Result<Run, String> {
    let Some(tenant) = known.tenant.as_ref() else { return Err("the tenant has no settings".into()) };
    let primary = tenant.primary.credentials.clone();
    let watcher = Seat {
        slot: controller.slots.hold(&primary).await,
        controller,
        stop: controller.stop.clone(),
        superseded,
        advances: Advances::default(),
    };
    let resources = known.resources();
    let precedents = head.parent.judge_of(&kept.said, tenant);
    let own_clients = controller.clients.for_run(tenant, &resources).await.map_err(|error| causes(&error))?;
    let terms = Terms {
        revision: head.revision.clone(),
        limits: Limits { allowed: kept.opened, ..head.limits.clone() },
        timing: controller.tunables().timing,
        memory: Memory::Kept,
        today: clock::today(),
    };
    let subject = Subject {
        tenant,
        resources,
        before: &[],
        precedents,
        noticed: claimed.unmanaged.clone(),
        own_clients,
        reviewed: None,
        is_exact: false,
        is_paused: claimed.pause.is_some(),
        salt: claimed.lease.token.unsigned_abs(),
    };
    let spec = spec(&terms, subject);
    let journal = journal_of(Some(&controller.store), Some(Ok(journal)), tenant, &spec.resources).await;
    let run = Run::new(Arc::new(spec), journal.map_err(|error| causes(&error))?);
    if let Some(refusal) = rewound(head, &run).await? {
        return Ok(drive::refuse(run, refusal, clock::now()));
    }
    let go = claimed.waits_for.map_or(Go::Now, Go::After);
    Ok(drive::whole(run, go, controller.clients.ports(), held, &watcher).await)
}

/// Returns why a run may not replace the commits from which its tenant was last applied.
async fn rewound(head: &Arc<Known>, run: &Run) -> Result<Option<Refusal>, String> {
    let applied: Vec<Revision> =
        run.applied_from().into_iter().filter(|last| **last != head.revision).cloned().collect();
    if applied.is_empty() {
        return Ok(None);
    }
    let head = Arc::clone(head);
    // This may read the repository, which blocks.
    let asked = tokio::task::spawn_blocking(move || {
        rewind::refused(&head.revision, &applied, &head.limits.allowed, &mut |last| head.holds(last))
    });
    asked.await.map_err(|error| error.to_string())?.map_err(|error| causes(&error))
}

/// A watcher that releases the run's slot while the run waits.
struct Seat<'a> {
    controller: &'a Controller,
    slot: HeldSlot<'a>,
    stop: CancellationToken,
    superseded: CancellationToken,
    advances: Advances,
}

impl Watcher for Seat<'_> {
    fn note(&self, tenant: &TenantName, note: &Note) {
        notes::log(tenant, note);
    }

    fn advanced(&self, tenant: &TenantName, advance: Advance) {
        self.advances.log(tenant, advance);
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn superseded(&self) -> Option<&CancellationToken> {
        Some(&self.superseded)
    }

    fn wait<'a>(&'a self, sleep: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        async move {
            self.slot.give_back();
            self.controller.wake.notify_one();
            sleep.await;
            self.slot.take_again().await;
        }
        .boxed()
    }
}

impl Controller {
    /// Returns a hold if the last successful fetch is too old: an old head is good enough for reading, not
    /// for writing.
    fn stale(&self) -> Option<Pause> {
        let stale_after = self.tunables().stale_after;
        self.head.age().is_none_or(|age| age > stale_after).then(|| Pause {
            kind: PauseKind::Hold,
            by: "genesync".into(),
            reason: format!(
                "git has not been read for {} s or more, so genesync only watches the tenant",
                stale_after.as_secs()
            ),
            since: clock::now(),
            until: None,
        })
    }

    /// Returns the record of a run that ended, and stores its hold.
    async fn take_in(
        &self,
        run: &Run,
        known: &KnownTenant,
        claimed: &Claimed,
        setting: &Setting<'_>,
    ) -> Finished {
        counting::count(&self.metrics, run, setting.now);
        if let Some(pause) = outcome::hold(run) {
            // If this fails, the next run finds the same reason to hold.
            let _ = self.store.pause(&claimed.lease.tenant, &pause).await;
        }
        let denied = outcome::seen(run, None).0 == Some(Status::Degraded(FaultKind::Denied));
        if let (true, Some(tenant)) = (denied, &known.tenant) {
            // A secret may have been rotated, so this looks it up again before the next run.
            self.clients.relearn(tenant).await;
        }
        outcome::finished(run, claimed, known.mode(), setting)
    }

    /// Returns the record of a run that panicked.
    async fn panicked(&self, claimed: &Claimed, mode: Mode, setting: &Setting<'_>) -> Finished {
        self.metrics.runs.inc(RunResult::Panicked);
        let (reason, tenant) = (Panicked.to_string(), &claimed.lease.tenant);
        if claimed.failures + 1 >= PANICS_MAX {
            let _ = self.store.pause(tenant, &outcome::defect_hold(tenant, &reason, setting.now)).await;
        }
        outcome::lost(claimed, &reason, mode, setting)
    }
}
