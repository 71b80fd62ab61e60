//! The second part of a pass: plans, the run guard, the waves, and the records of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::beginning::is_owed;
use super::{Ended, Pass, Progress, Seat};
use crate::driver::drive::{self, Advance, Go, Note, Watcher};
use crate::driver::outcome;
use crate::driver::planning::{self, Panicked};
use crate::driver::ports::{Ports, Reads};
use crate::driver::slots::{HeldSlot, Slots};
use crate::model::standing::{Position, Standing, gate};
use crate::model::{FaultKind, Guard, Mode, Plan, Refusal, Status, TenantName, causes};
use crate::plan::guards;
use crate::plan::guards::run_tenants::Changing;
use crate::reconcile::End;
use crate::store::{Claimed, Finished, Pause};

/// Runs that may be active for each slot: most of them wait for the audit log, without a slot.
const BEGUN_OF_EACH_PLACE: usize = 8;

impl<R, P> Pass<'_, R, P>
where
    R: Reads + Clone + 'static,
    P: Ports + Clone + 'static,
{
    /// Drives every run until it has a plan. This also records the results of earlier writes.
    pub(super) async fn plan(&mut self, seats: Vec<Seat>, progress: &dyn Progress) -> Vec<Seat> {
        progress.begin("planning", seats.len());
        let order = self.order;
        let mut runs = Vec::new();
        let mut planned = Vec::new();
        let mut others = Vec::new();
        for Seat { run, held, claimed, mode } in seats {
            // A run that was refused before it began is not planned.
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
                Err(Panicked) => self.lose(&claimed, panicked(&claimed, mode), order.reads.now()),
            }
        }
        planned
    }

    /// Checks the guard `run-tenants`. It counts the tenants with a configuration that would be written. A
    /// tenant that could not be planned counts if git changed it. If the guard refuses, genesync writes only
    /// tenants that a person has released.
    pub(super) fn guard(&self, seats: &mut [Seat]) -> Verdict {
        let order = self.order;
        let fresh = seats.iter().filter(|seat| seat.is_fresh()).count() + self.unplanned;
        let counts = |seat: &&Seat| seat.is_fresh() || seat.is_held_by_guard();
        let written: Vec<_> =
            seats.iter().filter(counts).filter_map(|seat| seat.run.to_be_written()).collect();
        let planned = Changing::of(written.iter().map(AsRef::as_ref));
        let changing = match fresh {
            0 => Changing::default(),
            _ => Changing { tenants: fresh + held_by_guards(seats), ..planned },
        };
        self.refuse_off(seats);
        let allowed = &order.terms.limits.allowed;
        let verdict = guards::run_tenants::check(changing, order.managed, self.run_limits, allowed);
        let Some(refusal) = verdict else {
            let holds_nothing = held_by_guards(seats) == 0;
            let is_new = fresh > 0;
            return Verdict { is_new, holds_nothing, refusal: None, hold: None, refused: Vec::new() };
        };
        let now = order.reads.now();
        let hold = outcome::guard_hold(&refusal, now);
        // An apply of some tenants holds none: the next apply checks the guard again.
        let message = if order.is_whole { hold.reason.clone() } else { refusal.message.clone() };
        let of_each = Refusal { message, ..refusal.clone() };
        let mut refused = Vec::new();
        for seat in seats.iter_mut().filter(|seat| seat.run.has_work() && !seat.claimed.released) {
            seat.run = drive::refuse(seat.run.clone(), of_each.clone(), now);
            refused.push(seat.claimed.lease.tenant.clone());
        }
        Verdict { is_new: true, holds_nothing: false, refusal: Some(refusal), hold: Some(hold), refused }
    }

    /// Returns every guard that must be open to apply all tenants.
    pub(super) fn needed(&self, seats: &[Seat]) -> BTreeSet<Guard> {
        let order = self.order;
        let enforced = seats.iter().filter(|seat| seat.mode == Mode::Enforce && seat.claimed.pause.is_none());
        let tenants: Vec<(&Plan, &[Refusal])> =
            enforced.filter_map(|seat| Some((seat.run.plan()?, seat.run.refusals()))).collect();
        guards::needed(&tenants, order.managed, self.run_limits, &order.terms.limits.allowed)
    }

    /// Refuses the tenants at which something would be switched off, if there are several. The other tenants
    /// continue.
    fn refuse_off(&self, seats: &mut [Seat]) {
        let order = self.order;
        let goes_off = |seat: &&mut Seat| {
            let is_open = seat.run.spec().limits.allowed.contains(&Guard::RunOff);
            let goes_off = || seat.run.to_be_written().is_some_and(|plan| guards::run_off::goes_off(&plan));
            !is_open && seat.run.has_work() && goes_off()
        };
        let mut off: Vec<&mut Seat> = seats.iter_mut().filter(goes_off).collect();
        let names: Vec<TenantName> = off.iter().map(|seat| seat.claimed.lease.tenant.clone()).collect();
        if let Some(refusal) = guards::run_off::check(&names, &order.terms.limits.allowed) {
            for seat in &mut off {
                seat.run = drive::refuse(seat.run.clone(), refusal.clone(), order.reads.now());
            }
        }
    }

    /// Applies wave after wave. Tenants that git did not change come with the first wave.
    pub(super) async fn apply(&mut self, seats: Vec<Seat>, progress: &dyn Progress) {
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
        let slots = Slots::new(order.concurrency, order.concurrency);
        for (_, seats) in waves {
            let gate = gate(positions.values().copied(), order.reads.now(), order.waves_patience);
            let ended: Vec<Ended> = futures::stream::iter(seats)
                .map(|seat| {
                    let go = match gate {
                        Some(gate) if !seat.claimed.applied && gate < seat.claimed.wave => Go::After(gate),
                        Some(_) | None => Go::Now,
                    };
                    self.end(seat, go, &slots, progress)
                })
                .buffer_unordered(order.concurrency.max(1).saturating_mul(BEGUN_OF_EACH_PLACE))
                .collect()
                .await;
            for one in ended {
                if let (Some(position), Some(standing)) = (positions.get_mut(&one.tenant), one.standing) {
                    position.changed &= standing != Standing::HasIt;
                    position.standing = standing;
                }
                self.ended.push(one);
            }
        }
    }

    /// Drives one run to its end and records its result.
    async fn end(&self, seat: Seat, go: Go, slots: &Slots, progress: &dyn Progress) -> Ended {
        let (finished, ended) = self.drive(seat, go, slots).await;
        progress.step();
        match self.write_down(&finished).await {
            Ok(()) => ended,
            Err(error) => Ended {
                status: Some(Status::Degraded(FaultKind::Local)),
                reason: format!("cannot record the result of the run: {}", causes(&error)),
                ..ended
            },
        }
    }

    async fn drive(&self, seat: Seat, go: Go, slots: &Slots) -> (Finished, Ended) {
        let order = self.order;
        let Seat { run, held, claimed, mode } = seat;
        let started_at = run.planned_at().unwrap_or_else(|| order.reads.now());
        let name = claimed.lease.tenant.clone();
        let run = match run.end() {
            Some(_) => Ok(run),
            None => {
                let slot = slots.hold(&run.spec().tenant.primary.credentials).await;
                let watcher = Placed { watcher: self.watcher.as_ref(), slot };
                let work = drive::apply(run, go, &order.ports, held.as_ref(), &watcher);
                // A panic in the run of one tenant must not stop the others.
                AssertUnwindSafe(work).catch_unwind().await
            }
        };
        let Ok(run) = run else {
            let ended = panicked(&claimed, mode);
            return (outcome::lost(&claimed, &ended.reason, mode, &self.setting(started_at)), ended);
        };
        if let Some(hold) = outcome::hold(&run)
            && let Err(error) = order.store.pause(&name, &hold).await
        {
            // The next run finds the same reason to hold.
            tracing::warn!(tenant = %name, error = causes(&error), "cannot hold the tenant");
        }
        let finished = outcome::finished(&run, &claimed, mode, &self.setting(started_at));
        let (status, reason) = outcome::seen(&run, claimed.pause.as_ref());
        let standing = outcome::standing(&run, &claimed, mode);
        let ended = Ended {
            tenant: name,
            mode,
            wave: claimed.wave,
            run: Some(run),
            status,
            before: claimed.status,
            reason,
            standing,
            is_paused: claimed.pause.as_ref().is_some_and(Pause::is_a_persons),
            is_bug: false,
        };
        (finished, ended)
    }
}

/// A watcher that releases the run's slot while the run waits.
struct Placed<'a> {
    watcher: &'a dyn Watcher,
    slot: HeldSlot<'a>,
}

impl Watcher for Placed<'_> {
    fn note(&self, tenant: &TenantName, note: &Note) {
        self.watcher.note(tenant, note);
    }

    fn advanced(&self, tenant: &TenantName, advance: Advance) {
        self.watcher.advanced(tenant, advance);
    }

    fn stop(&self) -> &CancellationToken {
        self.watcher.stop()
    }

    fn superseded(&self) -> Option<&CancellationToken> {
        self.watcher.superseded()
    }

    fn wait<'a>(&'a self, sleep: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        async move {
            self.slot.give_back();
            self.watcher.wait(sleep).await;
            self.slot.take_again().await;
        }
        .boxed()
    }
}

/// The decision of the run guard.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it judged any change that no guard holds already.
    pub is_new: bool,
    /// Why it refuses the pass; none if it does not.
    pub refusal: Option<Refusal>,
    /// Whether no guard holds a change of an earlier commit.
    pub holds_nothing: bool,
    /// The hold for the refused tenants.
    pub hold: Option<Pause>,
    /// The refused tenants.
    pub refused: Vec<TenantName>,
}

impl Seat {
    /// Whether a guard holds the tenant and it differs from git.
    fn is_held_by_guard(&self) -> bool {
        let by_guard = self.claimed.pause.as_ref().is_some_and(|pause| pause.guard_of().is_some());
        by_guard && self.run.plan().is_some_and(guards::run_tenants::takes_something)
    }

    /// Whether the tenant counts for the run guard, which has not judged it yet.
    fn is_fresh(&self) -> bool {
        match (self.run.plan(), self.run.end()) {
            (Some(plan), _) => {
                // A paused tenant is written when its pause ends, and a waiting one when its window opens, so
                // both count.
                let work = self.run.has_work() && !self.claimed.released;
                (work || is_owed(&self.claimed, self.mode)) && guards::run_tenants::takes_something(plan)
            }
            (None, Some(End::Refused(_))) => false,
            (None, _) => is_owed(&self.claimed, self.mode),
        }
    }
}

/// Returns the number of tenants that guards hold and that differ from git, so that many small commits equal
/// one large commit.
fn held_by_guards(seats: &[Seat]) -> usize {
    seats.iter().filter(|seat| seat.is_held_by_guard()).count()
}

fn panicked(claimed: &Claimed, mode: Mode) -> Ended {
    let lost = Ended::lost(&claimed.lease.tenant, (mode, claimed.wave), Panicked.to_string());
    Ended { is_bug: true, ..lost }
}

/// Returns what a tenant without a run means for later waves.
fn position_of_ended(ended: &Ended, now: jiff::Timestamp) -> Position {
    let standing = match (ended.mode, ended.status, ended.standing) {
        (_, _, Some(standing)) => standing,
        (Mode::Watch, _, None) => Standing::Aside,
        (Mode::Enforce, Some(Status::Invalid), None) => Standing::Failed,
        (Mode::Enforce, _, None) => Standing::Unavailable,
    };
    Position { wave: ended.wave, changed: true, paused: ended.is_paused, standing, since: now }
}

/// Returns what a tenant with a run means for later waves before it is applied.
fn position(seat: &Seat, now: jiff::Timestamp) -> Position {
    let claimed = &seat.claimed;
    let standing = match (seat.mode, claimed.standing) {
        (Mode::Watch, _) => Standing::Aside,
        (Mode::Enforce, Standing::Unavailable) => Standing::Unavailable,
        (Mode::Enforce, _) => Standing::Pending,
    };
    let since = claimed.unavailable_since.unwrap_or(now);
    let paused = claimed.pause.as_ref().is_some_and(Pause::is_a_persons);
    Position { wave: claimed.wave, changed: !claimed.applied, paused, standing, since }
}
