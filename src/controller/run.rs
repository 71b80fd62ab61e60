//! The loop: claims tenants that are due, runs each under its lease, records the results.
//!
//! Events decide nothing: the store says what is due, and an event only makes the loop read it sooner.
//! Start reading at [`Controller::run`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::job::{ClaimedRun, KeptForGuards};
use super::state::Controller;
use crate::clock;
use crate::crash;
use crate::driver::leases::Leases;
use crate::driver::outcome::{self, Setting};
use crate::fleet::known::Known;
use crate::model::record::Journal;
use crate::model::{Guard, Mode, Tenant, TenantName, causes};
use crate::store::{Claim, ClaimCause, Claimed, Finished, StoreError};
use crate::telemetry::metrics::LeaseEvent;

/// Longest sleep of the loop, because other processes make tenants due too.
const LOOK_UP: Duration = Duration::from_millis(500);
/// Largest number of runs, including those that wait for something, such as an audit entry.
const UNDER_WAY_MAX: usize = 4_096;
/// Largest number of tenants of one claim.
const CLAIM_MAX: usize = 128;
/// Sleep of the loop after an error of the store.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// A running run.
struct UnderWay {
    token: i64,
    wanted: Arc<str>,
    superseded: CancellationToken,
}

impl UnderWay {
    fn of(claimed: &Claimed) -> Self {
        let (token, wanted) = (claimed.lease.token, Arc::clone(&claimed.wanted));
        Self { token, wanted, superseded: CancellationToken::new() }
    }
}

impl Controller {
    /// Runs until it is stopped.
    pub async fn run(self: &Arc<Self>) {
        let stop = &self.stop;
        let metrics = Arc::clone(&self.metrics);
        let on_loss = Box::new(move |lost: usize| {
            for _ in 0..lost {
                metrics.lease_churn.inc(LeaseEvent::Lost);
            }
        });
        let leases = Arc::new(Leases::start(&self.store, self.lease, on_loss));
        let mut known = self.head.known();
        let (sender, mut receiver) = mpsc::unbounded_channel::<Finished>();
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut under_way: BTreeMap<TenantName, UnderWay> = BTreeMap::new();
        let mut unwritten: Vec<Finished> = Vec::new();
        let given_up = self.given_up();
        tokio::pin!(given_up);
        loop {
            self.alive.store(true, Ordering::Relaxed);
            let head = known.borrow_and_update().clone();
            if let Some(head) = &head {
                supersede(&under_way, head);
            }
            while let Ok(ended) = receiver.try_recv() {
                take_in(ended, &mut under_way, &mut unwritten);
            }
            while tasks.try_join_next().is_some() {}
            let stopping = stop.is_cancelled();
            if stopping {
                crash::point("C21");
            }
            let mut failed = !self.write_down(&mut unwritten).await;
            let mut claimed_all = false;
            if let (Some(head), false, false) = (&head, stopping, failed) {
                match self.claim(head, &leases, &mut under_way, &sender, &mut tasks).await {
                    Ok(all) => claimed_all = all,
                    Err(error) => {
                        tracing::warn!(error = %causes(&error), "no tenants were claimed");
                        failed = true;
                    }
                }
            }
            if stopping && under_way.is_empty() && unwritten.is_empty() {
                break;
            }
            let sleep = if failed { STORE_RETRY } else { self.nap(claimed_all, head.as_deref()).await };
            tokio::select! {
                message = receiver.recv() => {
                    if let Some(ended) = message {
                        take_in(ended, &mut under_way, &mut unwritten);
                    }
                }
                _ = known.changed() => {}
                () = self.wake.notified() => {}
                () = stop.cancelled(), if !stopping => {}
                () = tokio::time::sleep(sleep) => {}
                () = &mut given_up => break,
            }
        }
        tasks.abort_all();
        // Leases of runs that did not end in time are not released, because their writes may still take
        // effect.
    }

    /// Ends when the shutdown time after a stop has passed.
    async fn given_up(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(self.shutdown).await;
    }

    /// Returns how long the loop may sleep until a tenant is due. If another replica has taken a head that
    /// this one has not read, it wakes the fetch at once: until then nothing can be claimed.
    async fn nap(&self, claimed_all: bool, head: Option<&Known>) -> Duration {
        if !claimed_all {
            // All slots are taken. A run that releases one wakes the loop.
            return LOOK_UP;
        }
        let Ok(next) = self.store.next_due(&self.head.identity()).await else { return LOOK_UP };
        if let (Some(head), Some(agreed)) = (head, next.head)
            && agreed != head.revision
        {
            self.head.hint_once(&agreed);
            return LOOK_UP;
        }
        match next.left {
            // A due tenant that was not claimed belongs to another process or waits for a lower wave. Without
            // this sleep the loop would claim in a busy loop.
            Some(left) if left.is_zero() => LOOK_UP,
            Some(left) => left.clamp(Duration::from_millis(5), LOOK_UP),
            None => LOOK_UP,
        }
    }

    /// Records ended runs. Returns false if the store failed; then the records stay and their leases expire
    /// meanwhile. If the store accepts only some records, the rows of the others are the cause, and they are
    /// dropped.
    async fn write_down(&self, unwritten: &mut Vec<Finished>) -> bool {
        if unwritten.is_empty() {
            return true;
        }
        crash::point("C10");
        let begun = clock::monotonic();
        let mut written = self.store.finish(unwritten).await;
        self.metrics.store_latency.observe(begun.elapsed().as_secs_f64());
        let mut taken = unwritten.len();
        let row_may_be_bad = written.as_ref().is_err_and(|error| !error.was_taken_back());
        if row_may_be_bad && unwritten.len() > 1 {
            let mut refused = Vec::new();
            for one in std::mem::take(unwritten) {
                match self.store.finish(std::slice::from_ref(&one)).await {
                    Ok(()) => written = Ok(()),
                    Err(_) => refused.push(one),
                }
            }
            taken = taken.saturating_sub(refused.len());
            // If no record was accepted, the store itself is the cause.
            if written.is_err() {
                unwritten.append(&mut refused);
            } else {
                for one in refused {
                    tracing::error!(tenant = %one.lease.tenant, "cannot record the result of the run");
                }
            }
        }
        match written {
            Ok(()) => {
                unwritten.clear();
                for _ in 0..taken {
                    self.metrics.lease_churn.inc(LeaseEvent::Released);
                }
                true
            }
            Err(error) => {
                self.metrics.store_errors.inc();
                tracing::warn!(error = %causes(&error), runs = unwritten.len(), "cannot record the results of ended runs");
                // Their leases have expired meanwhile, so other processes record these tenants.
                if unwritten.len() > UNDER_WAY_MAX {
                    unwritten.clear();
                }
                false
            }
        }
    }

    /// Claims due tenants for the free slots, and starts their runs. Returns true if nothing more is due.
    async fn claim(
        self: &Arc<Self>,
        head: &Arc<Known>,
        leases: &Arc<Leases>,
        under_way: &mut BTreeMap<TenantName, UnderWay>,
        sender: &mpsc::UnboundedSender<Finished>,
        tasks: &mut JoinSet<()>,
    ) -> Result<bool, StoreError> {
        let limit = self.slots.free().min(UNDER_WAY_MAX.saturating_sub(under_way.len())).min(CLAIM_MAX);
        if limit == 0 {
            return Ok(false);
        }
        let identity = self.head.identity();
        let saturated = self.slots.saturated();
        let tunables = self.tunables();
        let claim = Claim {
            limit,
            lease: self.lease,
            saturated: &saturated,
            patience: tunables.waves_patience,
            head: (&identity, &head.revision),
        };
        let asked_at = clock::monotonic();
        let claimed = self.store.claim(&claim).await?;
        self.metrics.store_latency.observe(asked_at.elapsed().as_secs_f64());
        let all = claimed.len() < limit && saturated.is_empty();
        if claimed.is_empty() {
            return Ok(all);
        }
        crash::point("C01");
        let claimed = self.with_what_is_kept(claimed, head).await?;
        let mut journals = self.store.journals_each(claimed.iter().map(|(one, _)| &one.lease.tenant)).await;
        let lose = |one: &Claimed, reason: &str, mode: Mode| {
            let now = clock::now();
            let setting = Setting { started_at: now, now, intervals: &tunables.intervals, asked: None };
            // Sending fails only after the loop has ended.
            let _ = sender.send(outcome::lost(one, reason, mode, &setting));
        };
        for (one, kept) in claimed {
            self.count_claimed(&one);
            let tenant = one.lease.tenant.clone();
            let sound = head.tenants.get(&tenant).filter(|known| known.digest.as_ref() == Some(&one.wanted));
            let Some(known) = sound else {
                // This replica reads the tenant differently from the one that wrote the row, so it does not
                // run it.
                let mode = head.tenants.get(&tenant).map_or(Mode::Enforce, |known| known.mode());
                lose(&one, "another version of genesync reads this tenant differently", mode);
                continue;
            };
            let begun = UnderWay::of(&one);
            let superseded = begun.superseded.clone();
            under_way.insert(tenant.clone(), begun);
            let held = leases.hold(one.lease.clone(), asked_at);
            let journal = match journals.remove(&tenant) {
                Some(Ok(journal)) => journal,
                Some(Err(error)) => {
                    lose(&one, &causes(&error), known.mode());
                    continue;
                }
                None => Journal::default(),
            };
            let job = ClaimedRun {
                controller: Arc::clone(self),
                head: Arc::clone(head),
                known: Arc::clone(known),
                claimed: one,
                kept,
                held,
                journal,
                superseded,
            };
            tasks.spawn(run_and_send(job, sender.clone()));
        }
        self.metrics.leases_held.set(i64::try_from(leases.count()).unwrap_or(i64::MAX));
        Ok(all)
    }

    /// Returns the claimed tenants with the stored input of their guards. One query reads it for all of them.
    async fn with_what_is_kept(
        &self,
        claimed: Vec<Claimed>,
        head: &Known,
    ) -> Result<Vec<(Claimed, KeptForGuards)>, StoreError> {
        let openings = self.store.openings(claimed.iter().map(|one| &one.lease.tenant)).await?;
        let known = claimed.iter().filter_map(|one| head.tenants.get(&one.lease.tenant)?.tenant.as_ref());
        let organizations = known.flat_map(Tenant::targets).map(|target| target.organization.clone());
        let said = Arc::new(self.store.precedents(&organizations.collect()).await?);
        let with_its_own = |mut one: Claimed| {
            let opened = openings.get(&one.lease.tenant).into_iter().flatten();
            let opened: BTreeSet<Guard> = opened.map(|opening| opening.guard).collect();
            one.open(&opened);
            (one, KeptForGuards { opened, said: Arc::clone(&said) })
        };
        Ok(claimed.into_iter().map(with_its_own).collect())
    }

    fn count_claimed(&self, claimed: &Claimed) {
        self.metrics.lease_churn.inc(LeaseEvent::Acquired);
        if claimed.cause == ClaimCause::Takeover {
            self.metrics.lease_churn.inc(LeaseEvent::Expired);
        }
    }
}

async fn run_and_send(job: ClaimedRun, sender: mpsc::UnboundedSender<Finished>) {
    let _ = sender.send(job.run().await);
}

/// Takes the result of a run. A late result of an earlier lease does not end the tenant's current run.
fn take_in(done: Finished, under_way: &mut BTreeMap<TenantName, UnderWay>, unwritten: &mut Vec<Finished>) {
    let tenant = &done.lease.tenant;
    if under_way.get(tenant).is_some_and(|run| run.token == done.lease.token) {
        under_way.remove(tenant);
    }
    unwritten.push(done);
}

/// Supersedes runs whose tenant has changed in git.
fn supersede(under_way: &BTreeMap<TenantName, UnderWay>, head: &Known) {
    for (tenant, run) in under_way {
        let current = head.tenants.get(tenant).and_then(|known| known.digest.as_ref());
        if current != Some(&run.wanted) {
            run.superseded.cancel();
        }
    }
}
