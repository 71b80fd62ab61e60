//! Decides when a request may be sent, and with which token.
//!
//! In: the target of a request, and its time limit. Out: [`Admitted`], which counts the request as open
//! until it is dropped. This module never sends anything. Start reading at [`Client::admit`]. With
//! [`Client::reserve`], writes wait for the rate limit before genesync records their intents.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Client, RequestEvent};
use crate::clock;
use crate::model::{Dialect, Fault, FaultKind, OrganizationId, Target};
use crate::platform::account::BucketKey;
use crate::platform::pace::{Gate, Pacer};

/// How long genesync does not use an additional token that it could not fetch.
const WITHOUT_TOKEN: Duration = Duration::from_secs(60);
/// The minimum duration of a wait that is reported.
const REPORTED_FROM: Duration = Duration::from_secs(2);

/// A request that the rate limit admitted, until it is answered or given up.
pub(super) struct Admitted<'a> {
    client: &'a Client,
    bucket: BucketKey,
}

impl<'a> Admitted<'a> {
    fn begin(client: &'a Client, bucket: BucketKey) -> Self {
        let admitted = Self { client, bucket };
        admitted.tell(Pacer::left);
        admitted
    }

    /// Returns the bucket that the request counts towards.
    pub(super) fn bucket(&self) -> &BucketKey {
        &self.bucket
    }

    fn tell(&self, what: fn(&mut Pacer)) {
        if let Some(pacer) = self.client.pacers().get_mut(&self.bucket) {
            what(pacer);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.tell(Pacer::came_back);
    }
}

type Pacers = HashMap<BucketKey, Pacer>;

impl Client {
    fn pacers(&self) -> MutexGuard<'_, Pacers> {
        self.pacers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the buckets that a request about a target may count towards.
    fn buckets(&self, target: &Target, dialect: Dialect) -> Vec<BucketKey> {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = credentials.get(&target.credentials).map_or(1, |known| known.tokens);
        BucketKey::all(target, dialect, tokens)
    }

    /// Returns the first bucket with capacity, or else the gate that opens first. A bucket with an open
    /// breaker counts only if all buckets have one.
    fn enter(
        &self,
        buckets: &[BucketKey],
        pacers: &mut Pacers,
        ask: impl Fn(&mut Pacer) -> Gate,
    ) -> Result<BucketKey, Gate> {
        let mut nearest = None;
        for bucket in buckets {
            let fresh = || Pacer::new(self.options.pace);
            let gate = ask(pacers.entry(bucket.clone()).or_insert_with(fresh));
            let Some(opens_at) = gate.opens_at() else { return Ok(bucket.clone()) };
            let order = (matches!(gate, Gate::Broken(_)), opens_at);
            if nearest.is_none_or(|(known, _)| order < known) {
                nearest = Some((order, gate));
            }
        }
        Err(nearest.map_or(Gate::Open, |(_, gate)| gate))
    }

    /// Waits until the rate limit admits a request. `limit` is the time limit of a write.
    ///
    /// # Errors
    /// The breaker is open, or the wait is too long.
    pub(super) async fn admit(
        &self,
        target: &Target,
        dialect: Dialect,
        limit: Option<Duration>,
    ) -> Result<Admitted<'_>, Fault> {
        let buckets = self.buckets(target, dialect);
        loop {
            let now = clock::monotonic();
            let entered = {
                let mut pacers = self.pacers();
                let mut is_set_aside = |bucket: &&BucketKey| {
                    pacers.get_mut(*bucket).is_some_and(|pacer| pacer.use_one_set_aside(now))
                };
                match buckets.iter().find(|bucket| limit.is_some() && is_set_aside(bucket)) {
                    Some(bucket) => Ok(bucket.clone()),
                    None => self.enter(&buckets, &mut pacers, |pacer| pacer.gate(now)),
                }
            };
            let gate = match entered {
                Ok(bucket) => return Ok(Admitted::begin(self, bucket)),
                Err(gate) => gate,
            };
            let until = gate.opens_at().unwrap_or(now);
            let wait = until.saturating_duration_since(now);
            // A longer wait is left to the run, because a user can stop a run.
            if matches!(gate, Gate::Broken(_)) || wait > gate.patience(limit, self.options.read_timeout) {
                return Err(refused(&target.organization, gate, wait));
            }
            self.tell_of_wait(target, &buckets, until, now);
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// Sets aside one request for each write to these targets, before genesync records their intents, because
    /// the time limit of a write starts with its intent. All targets must be of one organization.
    ///
    /// Returns how long to wait before the next call if the rate limit does not allow all requests yet; the
    /// requests that it allows stay set aside. Returns none if all are set aside. It also returns none if the
    /// breaker is open, because the writes are then refused with the reason.
    pub fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        let target = targets.first()?;
        let buckets = self.buckets(target, target.object.kind.dialect());
        let (now, mut pacers) = (clock::monotonic(), self.pacers());
        let known = |bucket| pacers.get(bucket).map_or(0, |pacer| pacer.set_aside(now) as usize);
        let set_aside: usize = buckets.iter().map(known).sum();
        let until = (set_aside..targets.len()).find_map(|_| {
            let gate = self.enter(&buckets, &mut pacers, |pacer| pacer.set_one_aside(now)).err()?;
            if matches!(gate, Gate::Broken(_)) { None } else { gate.opens_at() }
        })?;
        drop(pacers);
        self.tell_of_wait(target, &buckets, until, now);
        Some(until.saturating_duration_since(now))
    }

    /// Stops using an additional token for a while if genesync could not fetch it.
    pub(super) fn do_without(&self, admitted: &Admitted<'_>, fault: &Fault) {
        let is_further = admitted.bucket.token() > 0;
        if let Some(pacer) = self.pacers().get_mut(&admitted.bucket).filter(|_| is_further) {
            let wait = fault.retry_after_ms.map_or(WITHOUT_TOKEN, Duration::from_millis);
            let until = clock::monotonic().checked_add(wait);
            until.into_iter().for_each(|until| pacer.close_until(until));
        }
    }

    /// Reports a long wait once, even if many requests wait.
    fn tell_of_wait(&self, target: &Target, buckets: &[BucketKey], until: Instant, now: Instant) {
        let wait = until.saturating_duration_since(now);
        let is_news = || {
            let mut pacers = self.pacers();
            let pacer = buckets.first().and_then(|bucket| pacers.get_mut(bucket));
            pacer.is_some_and(|pacer| pacer.is_news(until, REPORTED_FROM))
        };
        if wait >= REPORTED_FROM && is_news() {
            self.heard(RequestEvent::Waits { organization: &target.organization, wait });
        }
    }
}

/// Returns the fault of a request that the rate limit does not admit.
fn refused(organization: &OrganizationId, gate: Gate, wait: Duration) -> Fault {
    let retry_in = format!("retry in {} s", wait.as_secs() + 1);
    let message = match gate {
        Gate::Broken(_) => format!("organization {organization} refused ten requests in a row: {retry_in}"),
        Gate::Again(_) => {
            format!("the rate limit of organization {organization} is used up for this minute: {retry_in}")
        }
        Gate::Open | Gate::Filling(_) | Gate::Until(_) => {
            format!("organization {organization} is rate limited: {retry_in}")
        }
    };
    let retry_after_ms = u64::try_from(wait.as_millis()).ok();
    let given_up = matches!(gate, Gate::Broken(_));
    Fault { retry_after_ms, given_up, ..Fault::new(FaultKind::Throttled, message) }
}
