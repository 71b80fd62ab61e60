//! The first part of a pass: leases, rows, clients, and one run for each tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::applying::Verdict;
use super::{Ended, Lookup, Member, Pass, PassError, Progress, Seat};
use crate::clock;
use crate::config::ConfigError;
use crate::driver::ports::{Ports, Reads};
use crate::driver::spec::{Subject, Terms, journal_of, spec};
use crate::driver::{drive, outcome, rewind};
use crate::model::plan::Limits;
use crate::model::precedent::RunLimits;
use crate::model::record::Journal;
use crate::model::{Guard, Mode, Precedents, Revision, Status, Tenant, TenantName, Wanted, causes};
use crate::reconcile::Run;
use crate::store::{Advance, Begin, ClaimCause, Claimed, Lease, NewHead, StoreError, Which};

/// Attempts to take the head before the pass gives up.
const HEADS_MAX: usize = 5;
/// Interval of requests for leases that another process holds.
const LEASE_POLL: Duration = Duration::from_millis(200);

impl<R: Reads, P: Ports> Pass<'_, R, P> {
    fn member(&self, name: &TenantName) -> Option<&Member> {
        self.order.members.iter().find(|member| member.wanted.tenant == *name)
    }

    /// Returns the current head. Refuses the commit unless it contains the head or may replace it because
    /// nothing of the head was applied.
    async fn refuse_rewound_head(&self) -> Result<Option<Revision>, PassError> {
        let order = self.order;
        let head = order.store.head(&order.repository).await?;
        let allowed = &order.terms.limits.allowed;
        if order.is_whole && !allowed.contains(&Guard::Rewind) {
            order.store.check_repository(&order.repository).await?;
        }
        let Some(last) = &head else { return Ok(head) };
        let written = order.store.written_head(&order.repository).await?;
        let mut holds = |newer: &Revision, older: &Revision| (order.holds)(newer, older);
        let revision = &order.terms.revision;
        match rewind::head_refused(revision, last, written.as_ref(), allowed, &mut holds)? {
            None => Ok(head),
            Some(refusal) => Err(PassError::Rewound(refusal)),
        }
    }

    /// Ends the tenants with invalid manifests. A tenant with unreadable settings keeps its last known mode
    /// and wave.
    async fn end_invalid(&mut self) -> Result<(), PassError> {
        let invalid: Vec<&Member> =
            self.order.members.iter().filter(|member| member.wanted.digest.is_none()).collect();
        let names: Vec<TenantName> = invalid.iter().map(|member| member.wanted.tenant.clone()).collect();
        let known = match names.is_empty() {
            true => Vec::new(),
            false => self.order.store.tenants(Which::Named(&names)).await?,
        };
        for member in invalid {
            let name = &member.wanted.tenant;
            let row = known.iter().find(|row| row.tenant == *name);
            let place = match (&member.wanted.settings, row) {
                (None, Some(row)) => (if row.enforced { Mode::Enforce } else { Mode::Watch }, row.wave),
                _ => place_of(member),
            };
            let reason = member.wanted.invalid.clone().unwrap_or_default();
            let ended = Ended::without_run(name, place, Status::Invalid, reason);
            self.ended.push(ended.paused_by(row.and_then(|row| row.pause.as_ref())));
        }
        Ok(())
    }

    /// Takes the leases of all valid tenants, and ends the tenants that another process still holds.
    ///
    /// # Errors
    /// The commit is refused as a whole, or the store failed.
    pub(super) async fn lease(&mut self, progress: &dyn Progress) -> Result<(), PassError> {
        self.head = self.refuse_rewound_head().await?;
        let before = self.order.store.run_limits(&self.order.repository).await?.or(self.order.parent.limits);
        self.run_limits = self.run_limits.and(before);
        self.end_invalid().await?;
        let busy = self.take_leases(progress).await?;
        self.order.store.know(&self.order.terms.revision, &self.rows()).await?;
        self.end_busy(&busy).await
    }

    /// Ends the tenants that another process works on. Changes of git there count for the run guard.
    async fn end_busy(&mut self, busy: &BTreeSet<TenantName>) -> Result<(), PassError> {
        let none = |tenant: &TenantName| Lease {
            tenant: tenant.clone(),
            token: 0,
            wanted: None,
            over_pause: false,
            over_off: false,
        };
        let leases: Vec<Lease> = busy.iter().map(none).collect();
        let known = self.order.store.glance(&self.begins(leases.iter())).await?;
        for tenant in busy {
            let holder = self.order.store.holder_of(tenant).await?;
            let holder = holder.unwrap_or_else(|| "another genesync process".into());
            let place = self.member(tenant).map_or((Mode::Enforce, 0), place_of);
            let reason = format!(
                "{holder} works on this tenant: if that is the controller, run `genesync sync {tenant}`"
            );
            let known = known.iter().find(|one| one.lease.tenant == *tenant);
            self.unplanned += usize::from(known.is_some_and(|known| is_owed(known, place.0)));
            let ended = Ended::lost(tenant, place, reason);
            self.ended.push(ended.paused_by(known.and_then(|known| known.pause.as_ref())));
        }
        Ok(())
    }

    /// Takes the leases of all valid tenants; returns the tenants that another process still holds.
    async fn take_leases(&mut self, progress: &dyn Progress) -> Result<BTreeSet<TenantName>, PassError> {
        let order = self.order;
        let sound = order.members.iter().filter(|member| member.wanted.digest.is_some());
        let mut missing: BTreeSet<TenantName> = sound.map(|member| member.wanted.tenant.clone()).collect();
        let begun = clock::monotonic();
        let mut is_noted = false;
        loop {
            let asked_at = clock::monotonic();
            let taken = order.store.take(&missing, order.lease).await?;
            let openings = order.store.openings(taken.iter().map(|lease| &lease.tenant)).await?;
            for (tenant, openings) in openings {
                self.opened.insert(tenant, openings.into_iter().map(|opening| opening.guard).collect());
            }
            for lease in taken {
                missing.remove(&lease.tenant);
                let member = self.member(&lease.tenant).filter(|_| order.is_whole);
                // An apply of some tenants may be of another commit than the head, so the store must not
                // compare its digest with the head.
                let wanted = member.and_then(|member| member.wanted.digest.clone());
                let allowed = self.allowed(&lease.tenant);
                let (over_pause, over_off) =
                    (allowed.contains(&Guard::Pause), allowed.contains(&Guard::RunOff));
                let lease = Lease { wanted, over_pause, over_off, ..lease };
                self.held.insert(lease.tenant.clone(), Arc::new(self.leases.hold(lease, asked_at)));
            }
            let Some(one) = missing.first() else { break };
            if begun.elapsed() >= order.lease_patience || self.watcher.stop().is_cancelled() {
                break;
            }
            if !std::mem::replace(&mut is_noted, true) {
                let holder = order.store.holder_of(one).await?.unwrap_or_default();
                progress.waiting(missing.len(), one, &holder);
            }
            tokio::time::sleep(LEASE_POLL).await;
        }
        Ok(missing)
    }

    /// Makes a run for each leased tenant.
    ///
    /// # Errors
    /// No tenant has usable credentials, or the store failed.
    pub(super) async fn begin(&mut self) -> Result<Vec<Seat>, PassError> {
        let order = self.order;
        let mut claimed = self.mark_running().await?;
        for one in &mut claimed {
            // In the store the hold of a guard ends when the head is taken, so a pass that stops early opens
            // nothing.
            one.open(&self.allowed(&one.lease.tenant));
            if order.asked.is_some() {
                one.cause = ClaimCause::Operator;
            }
        }
        let mut journals = order.store.journals_each(claimed.iter().map(|one| &one.lease.tenant)).await;
        let precedents = self.precedents(&claimed).await?;
        let (mut seats, mut lost) = (Vec::new(), Vec::new());
        let mut clients = Clients::default();
        for claimed in claimed {
            let name = claimed.lease.tenant.clone();
            let (Some(held), Some(member)) = (self.held.get(&name).cloned(), self.member(&name).cloned())
            else {
                continue;
            };
            let kept = journals.remove(&name);
            let journal = match &member.tenant {
                Some(tenant) => journal_of(Some(&order.store), kept, tenant, &member.resources).await,
                None => Ok(Journal::default()),
            };
            let ready = match (journal, clients.of(&member, &order.lookup).await) {
                (Ok(journal), Ok(own)) => Ok((journal, own)),
                (Err(error), _) => Err(causes(&error)),
                (_, Err(error)) => Err(causes(&*error)),
            };
            match ready {
                Ok((journal, own)) => {
                    let run = self.run_of(&member, &claimed, journal, &precedents, own)?;
                    let (mode, _) = place_of(&member);
                    seats.push(Seat { run, held, mode, claimed });
                }
                Err(reason) => lost.push((member, claimed, reason)),
            }
        }
        if let (Some(error), true) = (clients.first_failure, seats.is_empty()) {
            return Err(PassError::NoClients(error));
        }
        for (member, claimed, reason) in lost {
            let ended = Ended::lost(&member.wanted.tenant, place_of(&member), reason);
            self.lose(&claimed, ended, order.reads.now());
        }
        Ok(seats)
    }

    /// Returns the stored guard settings of the organizations of these tenants.
    async fn precedents(&self, claimed: &[Claimed]) -> Result<Precedents, StoreError> {
        let members = claimed.iter().filter_map(|one| self.member(&one.lease.tenant)?.tenant.as_ref());
        let organizations =
            members.flat_map(Tenant::targets).map(|target| target.organization.clone()).collect();
        self.order.store.precedents(&organizations).await
    }

    /// Returns the guards that are open for a tenant: by a flag of this pass, or for its next run.
    fn allowed(&self, tenant: &TenantName) -> BTreeSet<Guard> {
        let kept = self.opened.get(tenant).into_iter().flatten();
        self.order.terms.limits.allowed.iter().chain(kept).copied().collect()
    }

    /// Ends a tenant whose run could not begin or panicked.
    pub(super) fn lose(&mut self, claimed: &Claimed, ended: Ended, started_at: jiff::Timestamp) {
        self.unplanned += usize::from(is_owed(claimed, ended.mode));
        let finished = outcome::lost(claimed, &ended.reason, ended.mode, &self.setting(started_at));
        let standing = finished.standing;
        self.lost.push(finished);
        self.ended.push(Ended { standing, ..ended.paused_by(claimed.pause.as_ref()) });
    }

    fn rows(&self) -> Vec<Wanted> {
        self.order.members.iter().map(|member| member.wanted.clone()).collect()
    }

    /// Marks the leased tenants as running, and returns what the store knows of them at this commit.
    async fn mark_running(&self) -> Result<Vec<Claimed>, StoreError> {
        let leased = self.begins(self.held.values().map(|held| held.lease()));
        self.order.store.begin(&leased, self.order.lease, self.order.waves_patience).await
    }

    /// Returns leased tenants at this commit.
    fn begins<'a>(&'a self, leases: impl Iterator<Item = &'a Lease>) -> Vec<Begin<'a>> {
        let begin = |lease: &'a Lease| {
            let member = self.member(&lease.tenant)?;
            let (_, wave) = place_of(member);
            let wanted = member.wanted.digest.as_deref()?;
            Some(Begin { lease, wanted, wave, is_head: self.order.is_whole })
        };
        leases.filter_map(begin).collect()
    }

    /// Makes a commit that is applied to all its tenants the repository's head, with a row for each tenant.
    /// If the run guard refused it, all tenants that it changes are held: otherwise the controller, which
    /// shares the store, would apply it.
    ///
    /// # Errors
    /// Another process took a head that this commit does not contain, or the store failed.
    pub(super) async fn take_head(&mut self, verdict: &Verdict) -> Result<(), PassError> {
        let order = self.order;
        if !order.is_whole {
            return Ok(());
        }
        let revision = &order.terms.revision;
        if order.terms.limits.allowed.contains(&Guard::Rewind) {
            order.store.keep_head(&order.repository, revision).await?;
            self.head = Some(revision.clone());
        }
        let hold = verdict.hold.clone();
        let judge = move |_| hold.clone();
        let rows = self.rows();
        for _ in 0..HEADS_MAX {
            let new = NewHead {
                repository: &order.repository,
                known: self.head.as_ref(),
                revision,
                rows: &rows,
                gone: None,
                judge: verdict.is_new.then_some(&judge),
            };
            let Advance::Moved(current) = order.store.advance(&new).await? else {
                // Taking the head made these tenants due, but their runs are here.
                self.mark_running().await?;
                // Limits that refused the commit, or still hold an earlier one, stay in force.
                let is_lifted = verdict.hold.is_none() && verdict.holds_nothing;
                let said = if is_lifted { RunLimits::of(&order.terms.limits) } else { self.run_limits };
                order.store.keep_run_limits(&order.repository, said).await?;
                return self.hold_what_moved(verdict).await;
            };
            let allowed = &order.terms.limits.allowed;
            let mut holds = |last: &Revision| (order.holds)(&order.terms.revision, last);
            if let Some(refusal) = rewind::refused(revision, [&current], allowed, &mut holds)? {
                return Err(PassError::Rewound(refusal));
            }
            self.head = Some(current);
        }
        Err(PassError::Overtaken(self.head.clone().unwrap_or_else(|| revision.clone())))
    }

    /// Holds every refused tenant. Taking the head holds only tenants that git changed, not those where the
    /// run would only revert drift.
    async fn hold_what_moved(&self, verdict: &Verdict) -> Result<(), PassError> {
        for tenant in &verdict.refused {
            if let Some(hold) = &verdict.hold {
                self.order.store.pause(tenant, hold).await?;
            }
        }
        Ok(())
    }

    /// Returns a tenant's run. The run is refused if its objects were last applied from a commit that this
    /// commit does not contain.
    fn run_of(
        &self,
        member: &Member,
        claimed: &Claimed,
        journal: Journal,
        precedents: &Precedents,
        own_clients: BTreeSet<String>,
    ) -> Result<Run, PassError> {
        let order = self.order;
        let name = &member.wanted.tenant;
        let Some(tenant) = &member.tenant else {
            return Err(PassError::Overtaken(order.terms.revision.clone()));
        };
        let subject = Subject {
            tenant,
            resources: member.resources.clone(),
            before: &[],
            precedents: order.parent.judge_of(precedents, tenant),
            noticed: claimed.unmanaged.clone(),
            own_clients,
            reviewed: order.reviewed.as_ref().map(|all| all.get(name).cloned().unwrap_or_default()),
            is_exact: false,
            is_paused: claimed.pause.is_some(),
            salt: claimed.lease.token.unsigned_abs(),
        };
        let allowed = self.allowed(name);
        let limits = Limits { allowed: allowed.clone(), ..order.terms.limits.clone() };
        let terms = Terms { limits, ..order.terms.clone() };
        let run = Run::new(Arc::new(spec(&terms, subject)), journal);
        let mut holds = |last: &Revision| (order.holds)(&order.terms.revision, last);
        match rewind::refused(&order.terms.revision, run.applied_from(), &allowed, &mut holds)? {
            None => Ok(run),
            Some(refusal) => Ok(drive::refuse(run, refusal, order.reads.now())),
        }
    }
}

/// Whether this commit has a change for the tenant that no guard has judged, and that a later run would write
/// without another check.
pub(super) fn is_owed(claimed: &Claimed, mode: Mode) -> bool {
    let by_guard = claimed.pause.as_ref().is_some_and(|pause| pause.guard_of().is_some());
    let changes = claimed.is_new && claimed.was_applied && !claimed.applied;
    mode == Mode::Enforce && changes && !by_guard && !claimed.released
}

/// Returns the mode and the wave of a tenant; `Enforce` and 0 if its settings are unreadable.
fn place_of(member: &Member) -> (Mode, u32) {
    let Some(settings) = &member.wanted.settings else { return (Mode::Enforce, 0) };
    (if settings.enforced { Mode::Enforce } else { Mode::Watch }, settings.wave)
}

/// Failed lookups of credentials in this pass, so that a failed one is not repeated for every tenant.
#[derive(Default)]
struct Clients {
    failed: BTreeMap<BTreeSet<String>, Arc<ConfigError>>,
    first_failure: Option<Arc<ConfigError>>,
}

impl Clients {
    async fn of(
        &mut self,
        member: &Member,
        lookup: &Arc<Lookup>,
    ) -> Result<BTreeSet<String>, Arc<ConfigError>> {
        let Some(tenant) = member.tenant.clone() else { return Ok(BTreeSet::new()) };
        let secrets = member.resources.iter().filter_map(|resource| resource.secret.as_ref());
        let names: BTreeSet<String> = tenant
            .targets()
            .map(|target| target.credentials.to_string())
            .chain(secrets.map(ToString::to_string))
            .collect();
        if let Some(failed) = self.failed.get(&names) {
            return Err(Arc::clone(failed));
        }
        let found = lookup(tenant, member.resources.clone()).await;
        found.map_err(|error| {
            let error = Arc::new(error);
            self.failed.insert(names, Arc::clone(&error));
            Arc::clone(self.first_failure.get_or_insert(error))
        })
    }
}
