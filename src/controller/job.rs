//! One run of one tenant under its lease, from its claim to what is written down of it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::outcome::{self, Intervals};
use super::run::Controller;
use super::slots::Slot;
use super::spread::seed_of;
use crate::clock;
use crate::driver::drive::{self, Watcher};
use crate::driver::leases::Held;
use crate::fleet::known::{Known, KnownTenant};
use crate::model::record::Journal;
use crate::model::{CredentialsName, Fault, FaultKind, Mode, Tenant, TenantName};
use crate::reconcile::{Note, Run, Spec, Status};
use crate::store::{Claimed, Finished, Pause, PauseKind};
use crate::telemetry::metrics::RunResult;

/// Panics of one tenant in a row after which it is held.
const PANICS_MAX: u32 = 3;

/// One run and what it needs.
pub struct Job {
    pub controller: Arc<Controller>,
    pub head: Arc<Known>,
    pub known: Arc<KnownTenant>,
    pub claimed: Claimed,
    pub held: Held,
    pub journal: Journal,
    pub superseded: CancellationToken,
    pub intervals: Intervals,
}

impl Job {
    /// Runs it to its end, whatever happens.
    pub async fn run(self) -> (Finished, Option<Status>) {
        let started_at = clock::now();
        let begun = clock::monotonic();
        let Self { controller, head, known, mut claimed, held, journal, superseded, intervals } = self;
        if claimed.pause.is_none() {
            claimed.pause = controller.stale();
        }
        let span = tracing::info_span!(
            "run", tenant = %claimed.lease.tenant, revision = %head.revision, cause = claimed.cause.name()
        );
        let work = attempt(&controller, &head, &known, &claimed, &held, journal, superseded);
        // One tenant's defect is no other tenant's trouble.
        let ended = AssertUnwindSafe(work.instrument(span)).catch_unwind().await;
        controller.metrics.run_duration.observe(begun.elapsed().as_secs_f64());
        let now = clock::now();
        let (finished, status) = match ended {
            Ok(Ok(run)) => {
                controller.count(&run);
                if let Some(pause) = outcome::hold(&run) {
                    // Where it can't be written down, the next run comes to the same end.
                    let _ = controller.store.pause(&claimed.lease.tenant, &pause).await;
                }
                if matches!(run.status(), Some(Status::Degraded(fault)) if fault.kind == FaultKind::Denied) {
                    // A secret may have been rotated: it is looked up again before the next run.
                    controller.relearn(&known).await;
                }
                (outcome::finished(&run, &claimed, started_at, now, &intervals), run.status().cloned())
            }
            Ok(Err(reason)) => {
                controller.metrics.runs.inc(RunResult::Degraded);
                let fault = Fault::new(FaultKind::Local, reason.clone());
                (outcome::lost(&claimed, &reason, now, &intervals), Some(Status::Degraded(fault)))
            }
            Err(_) => {
                controller.metrics.runs.inc(RunResult::Panicked);
                let reason =
                    "a run of it ended unexpectedly: a defect of genesync; please report it with the log";
                if claimed.failures + 1 >= PANICS_MAX {
                    let pause = Pause {
                        kind: PauseKind::Hold,
                        by: "genesync".into(),
                        reason: format!(
                            "{reason}; it is left alone until `genesync resume {}`",
                            claimed.lease.tenant
                        ),
                        since: now,
                        until: None,
                    };
                    let _ = controller.store.pause(&claimed.lease.tenant, &pause).await;
                }
                let fault = Fault::new(FaultKind::Local, reason);
                (outcome::lost(&claimed, reason, now, &intervals), Some(Status::Degraded(fault)))
            }
        };
        if finished.run.is_some() || finished.failures > 0 {
            tracing::info!(
                tenant = %claimed.lease.tenant, status = finished.status, cause = claimed.cause.name(),
                ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                writes = finished.run.as_ref().map_or(0, |run| run.writes), reason = finished.reason, "run ended"
            );
        }
        drop(held);
        (finished, status)
    }
}

/// Drives a run to its end; the error says why there could be none.
async fn attempt(
    controller: &Controller,
    head: &Known,
    known: &KnownTenant,
    claimed: &Claimed,
    held: &Held,
    journal: Journal,
    superseded: CancellationToken,
) -> Result<Run, String> {
    let Some(tenant) = known.tenant.clone() else { return Err("it has no settings".into()) };
    let primary = tenant.primary.credentials.clone();
    let watcher = Seat {
        slot: tokio::sync::Mutex::new(controller.slots.take(&primary).await),
        controller,
        credentials: primary,
        stop: controller.stop.clone(),
        superseded,
    };
    let spec = spec(controller, head, known, claimed, tenant).await?;
    let run = Run::new(Arc::new(spec), journal);
    Ok(drive::whole(run, &controller.api, held, &watcher).await)
}

async fn spec(
    controller: &Controller,
    head: &Known,
    known: &KnownTenant,
    claimed: &Claimed,
    mut tenant: Tenant,
) -> Result<Spec, String> {
    let tunables = controller.tunables();
    let mut own_clients = BTreeSet::new();
    for target in tenant.targets() {
        if controller.api.read().client_id(&target.credentials).is_none() {
            (controller.credentials)(target.credentials.clone()).await?;
        }
        own_clients.extend(controller.api.read().client_id(&target.credentials));
    }
    let resources = known.resources(clock::today());
    for secret in resources.iter().filter_map(|resource| resource.secret.as_ref()) {
        // Before every run: it goes along with each write, and an old one would be set back.
        (controller.credentials)(CredentialsName::new(secret.as_str())).await?;
    }
    if claimed.pause.is_some() {
        tenant.mode = Mode::Watch;
    }
    Ok(Spec {
        reviewed: None,
        revision: head.revision.clone(),
        resources,
        limits: head.limits.clone(),
        timing: tunables.timing,
        own_clients,
        seed: seed_of(&tenant.name) ^ claimed.lease.token.unsigned_abs(),
        versions: tenant.dialect.versions(),
        tenant,
    })
}

/// A run's place among the others, given up while it waits.
struct Seat<'a> {
    controller: &'a Controller,
    credentials: CredentialsName,
    slot: tokio::sync::Mutex<Option<Slot>>,
    stop: CancellationToken,
    superseded: CancellationToken,
}

impl Watcher for Seat<'_> {
    fn note(&self, tenant: &TenantName, note: &Note) {
        let told = note.to_string();
        match note {
            Note::OutOfPlace { .. } => tracing::error!(%tenant, "{told}"),
            Note::ForeignEdit { .. }
            | Note::Overwrote { .. }
            | Note::Mixed { .. }
            | Note::LeftOut { .. }
            | Note::GaveUp { .. }
            | Note::Unclear { .. } => {
                tracing::warn!(%tenant, "{told}");
            }
            Note::Wrote { .. } | Note::Conflict { .. } | Note::AnswerLost { .. } | Note::Landed { .. } => {
                tracing::info!(%tenant, "{told}");
            }
            _ => tracing::debug!(%tenant, "{told}"),
        }
    }

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn superseded(&self) -> Option<&CancellationToken> {
        Some(&self.superseded)
    }

    fn wait<'a>(&'a self, sleep: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        async move {
            self.slot.lock().await.take();
            self.controller.wake.notify_one();
            sleep.await;
            let slot = self.controller.slots.take(&self.credentials).await;
            *self.slot.lock().await = slot;
        }
        .boxed()
    }
}

impl Controller {
    /// What git said long ago may not be what it says: it is good enough for looking, not for writing.
    fn stale(&self) -> Option<Pause> {
        let stale_after = self.tunables().stale_after;
        self.head.age().is_none_or(|age| age > stale_after).then(|| Pause {
            kind: PauseKind::Hold,
            by: "genesync".into(),
            reason: format!(
                "git has not been read for {} s or more, so it is only watched",
                stale_after.as_secs()
            ),
            since: clock::now(),
            until: None,
        })
    }

    fn count(&self, run: &Run) {
        let result = match run.status() {
            Some(Status::Synced) => RunResult::Synced,
            Some(Status::OutOfSync) => RunResult::OutOfSync,
            Some(Status::Drifted) => RunResult::Drifted,
            Some(Status::Unconfirmed(_)) => RunResult::Unconfirmed,
            Some(Status::Refused(refusals)) => {
                for refusal in refusals {
                    self.metrics.guard_refusals.inc(refusal.guard);
                }
                RunResult::Refused
            }
            Some(Status::Held(_) | Status::Contested(_)) => RunResult::Held,
            Some(Status::Degraded(_)) | None => RunResult::Degraded,
            Some(Status::Cancelled) => RunResult::Cancelled,
            Some(Status::LeaseLost) => RunResult::LeaseLost,
            Some(Status::Superseded) => RunResult::Superseded,
        };
        self.metrics.runs.inc(result);
        if matches!(result, RunResult::Synced)
            && let Some(sent_at) = run.receipts.iter().map(|receipt| receipt.sent_at).min()
        {
            let took = clock::now().duration_since(sent_at).as_secs_f64();
            self.metrics.time_to_confirm.observe(took.max(0.0));
        }
    }

    async fn relearn(&self, known: &KnownTenant) {
        for target in known.tenant.iter().flat_map(|tenant| tenant.targets()) {
            if let Err(reason) = (self.credentials)(target.credentials.clone()).await {
                tracing::warn!(credentials = %target.credentials, reason, "credentials can't be looked up");
            }
        }
    }
}
