//! The middle and the end of a pass: plans, the run's guard, the waves, and what is written down.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};

use super::{Ended, Pass, PassError, Progress, Seat};
use crate::driver::drive::{self, Go};
use crate::driver::outcome;
use crate::driver::planning::{self, Panicked};
use crate::driver::ports::{Ports, Reads};
use crate::model::standing::{Position, Standing, gate};
use crate::model::{Mode, Refusal, Status};
use crate::plan::guards;
use crate::store::{Claimed, Finished, PauseKind, StoreError};

impl<R, P> Pass<'_, R, P>
where
    R: Reads + Clone + 'static,
    P: Ports + Clone + 'static,
{
    /// Drives every run until it has a plan. What became of earlier writes is written down on the way.
    pub(super) async fn plan(&mut self, seats: Vec<Seat>, progress: &dyn Progress) -> Vec<Seat> {
        progress.begin("planning", seats.len());
        let order = self.order;
        let mut runs = Vec::new();
        let mut planned = Vec::new();
        let mut others = Vec::new();
        for Seat { run, held, claimed, mode } in seats {
            // What is refused before it begins is looked at no more.
            if run.end().is_some() {
                planned.push(Seat { run, held, claimed, mode });
                continue;
            }
            runs.push((run, Some(Arc::clone(&held))));
            others.push((held, claimed, mode));
        }
        let done =
            planning::plan(runs, &order.reads, order.concurrency, &self.watcher, &|| progress.step()).await;
        for (done, (held, claimed, mode)) in done.into_iter().zip(others) {
            match done {
                Ok(run) => planned.push(Seat { run, held, claimed, mode }),
                Err(Panicked) => {
                    let ended = self.panicked(&claimed, mode, order.reads.now()).await;
                    self.ended.push(ended);
                }
            }
        }
        planned
    }

    /// Asks the guard of the run, which counts what would be written: tenants that already have a configuration, but
    /// for those that a person has let go on. If it refuses, nothing is written for anybody.
    pub(super) async fn guard(
        &mut self,
        seats: Vec<Seat>,
    ) -> Result<(Vec<Seat>, Option<Refusal>), PassError> {
        let order = self.order;
        let exists = |seat: &&Seat| {
            let plan = seat.run.plan();
            plan.is_some_and(|plan| {
                plan.targets.iter().any(|target| target.version.is_some() && !target.changes.is_empty())
            })
        };
        let writes = seats.iter().filter(|seat| seat.run.would_write());
        let changing = writes.filter(exists).filter(|seat| !seat.claimed.released).count();
        let Some(refusal) = guards::run_tenants::check(changing, seats.len(), &order.terms.limits) else {
            return Ok((seats, None));
        };
        let now = order.reads.now();
        let hold = outcome::guard_hold(&refusal, now);
        let of_each = Refusal { message: hold.reason.clone(), ..refusal.clone() };
        let mut refused = Vec::new();
        for mut seat in seats {
            if seat.run.would_write() {
                seat.run = drive::refuse(seat.run, of_each.clone(), now);
                // Else the controller, which shares the store, would go on with what was refused here.
                if order.is_whole {
                    order.store.pause(&seat.claimed.lease.tenant, &hold).await?;
                }
            }
            refused.push(seat);
        }
        Ok((refused, Some(refusal)))
    }

    /// Applies wave after wave. A tenant whose git did not change comes with the first.
    pub(super) async fn apply(&mut self, seats: Vec<Seat>, progress: &dyn Progress) -> Result<(), PassError> {
        progress.begin("applying", seats.len());
        let order = self.order;
        let now = order.reads.now();
        let mut positions: BTreeMap<_, Position> = seats
            .iter()
            .map(|seat| (seat.claimed.lease.tenant.clone(), position(seat, now)))
            .chain(self.ended.iter().map(|ended| (ended.tenant.clone(), position_of_ended(ended, now))))
            .collect();
        let mut waves: BTreeMap<u32, Vec<Seat>> = BTreeMap::new();
        for seat in seats {
            let wave = if seat.claimed.applied { 0 } else { seat.claimed.wave };
            waves.entry(wave).or_default().push(seat);
        }
        for (_, seats) in waves {
            let gate = gate(positions.values().copied(), order.reads.now(), order.waves_patience);
            let ended: Vec<Result<Ended, StoreError>> = futures::stream::iter(seats)
                .map(|seat| {
                    let go = match gate {
                        Some(gate) if !seat.claimed.applied && gate < seat.claimed.wave => Go::After(gate),
                        Some(_) | None => Go::Now,
                    };
                    self.end(seat, go, progress)
                })
                .buffer_unordered(order.concurrency.max(1))
                .collect()
                .await;
            for one in ended {
                let one = one?;
                if let (Some(position), Some(standing)) = (positions.get_mut(&one.tenant), one.standing) {
                    position.changed &= standing != Standing::HasIt;
                    position.standing = standing;
                }
                self.ended.push(one);
            }
        }
        Ok(())
    }

    /// Drives one run to its end, and writes down how it ended.
    async fn end(&self, seat: Seat, go: Go, progress: &dyn Progress) -> Result<Ended, StoreError> {
        let (finished, ended) = self.drive(seat, go).await;
        progress.step();
        self.order.store.finish(&[finished]).await?;
        Ok(ended)
    }

    async fn drive(&self, seat: Seat, go: Go) -> (Finished, Ended) {
        let order = self.order;
        let Seat { run, held, claimed, mode } = seat;
        let started_at = run.planned_at().unwrap_or_else(|| order.reads.now());
        let name = claimed.lease.tenant.clone();
        let run = match run.end() {
            Some(_) => Ok(run),
            None => {
                let work = drive::apply(run, go, &order.ports, held.as_ref(), self.watcher.as_ref());
                // One tenant's defect is no other tenant's trouble.
                AssertUnwindSafe(work).catch_unwind().await
            }
        };
        let Ok(run) = run else {
            let reason = Panicked.to_string();
            let finished = outcome::lost(&claimed, &reason, &self.setting(started_at));
            return (finished, Ended { is_bug: true, ..Ended::lost(&name, (mode, claimed.wave), reason) });
        };
        if let Some(hold) = outcome::hold(&run)
            && let Err(error) = order.store.pause(&name, &hold).await
        {
            // The next run comes to the same end.
            tracing::warn!(tenant = %name, error = crate::model::causes(&error), "it could not be held");
        }
        let finished = outcome::finished(&run, &claimed, mode, &self.setting(started_at));
        let (status, reason) = outcome::seen(&run, claimed.pause.as_ref());
        let standing = outcome::standing(&run, claimed.pause.as_ref(), mode);
        let before = claimed.status;
        (
            finished,
            Ended {
                tenant: name,
                mode,
                wave: claimed.wave,
                run: Some(run),
                status,
                before,
                reason,
                standing,
                is_bug: false,
            },
        )
    }

    async fn panicked(&self, claimed: &Claimed, mode: Mode, started_at: jiff::Timestamp) -> Ended {
        let name = &claimed.lease.tenant;
        let reason = Panicked.to_string();
        let finished = outcome::lost(claimed, &reason, &self.setting(started_at));
        if let Err(error) = self.order.store.finish(&[finished]).await {
            tracing::warn!(tenant = %name, error = crate::model::causes(&error), "its end can't be written down");
        }
        Ended { is_bug: true, ..Ended::lost(name, (mode, claimed.wave), reason) }
    }
}

/// How a tenant without a run stands towards later waves.
fn position_of_ended(ended: &Ended, now: jiff::Timestamp) -> Position {
    let standing = match (ended.mode, ended.status) {
        (Mode::Watch, _) => Standing::Aside,
        (Mode::Enforce, Some(Status::Invalid)) => Standing::Failed,
        (Mode::Enforce, _) => Standing::Unavailable,
    };
    Position { wave: ended.wave, changed: true, paused: false, standing, since: now }
}

/// How a tenant with a run stands towards later waves before it is applied.
fn position(seat: &Seat, now: jiff::Timestamp) -> Position {
    let claimed = &seat.claimed;
    let paused = claimed.pause.as_ref().is_some_and(|pause| pause.kind == PauseKind::Pause);
    let (known, since) = claimed.standing;
    let standing = match (seat.mode, known) {
        (Mode::Watch, _) => Standing::Aside,
        (Mode::Enforce, Standing::Unavailable) => Standing::Unavailable,
        (Mode::Enforce, _) => Standing::Pending,
    };
    let since = if standing == Standing::Unavailable { since } else { now };
    Position { wave: claimed.wave, changed: !claimed.applied, paused, standing, since }
}
