//! When a request may leave, and with which token.
//!
//! In: whom a request is about, and how long it may take. Out: [`Admitted`], which counts it as under way until it is
//! dropped. Never: sends anything. Start reading at [`Client::admit`]; [`Client::reserve`] has writes queue before their
//! intents are made.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Client, Told};
use crate::clock;
use crate::model::{Dialect, Fault, FaultKind, OrganizationId, Target};
use crate::platform::account::BucketKey;
use crate::platform::pace::{Gate, Pacer};

/// How long a further token that could not be fetched is done without.
const WITHOUT_TOKEN: Duration = Duration::from_secs(60);
/// Waits that are shorter are not worth a line.
const TOLD_FROM: Duration = Duration::from_secs(2);

/// A request that was let through, until it was answered or given up.
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

    /// What it counts towards.
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

    /// The buckets that a request about a target may count towards.
    fn buckets(&self, target: &Target, dialect: Dialect) -> Vec<BucketKey> {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = credentials.get(&target.credentials).map_or(1, |known| known.tokens);
        BucketKey::all(target, dialect, tokens)
    }

    /// The first bucket with room; where none has, the gate that opens soonest. A bucket that refuses for good counts
    /// only where all do.
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

    /// Waits until the organization may be asked, unless that takes too long. `limit` is what a write has.
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
            // Longer than a request may take is for the core to wait, which can be stopped.
            if matches!(gate, Gate::Broken(_)) || wait > gate.patience(limit, self.options.read_timeout) {
                return Err(refused(&target.organization, gate, wait));
            }
            self.tell_of_wait(target, &buckets, until, now);
            tokio::time::sleep_until(until.into()).await;
        }
    }

    /// Sets aside what writes to these targets need, one request each, before their intents are made: the time of a write
    /// runs from its intent on. All are about one organization, as what is written side by side is. Says how long to wait
    /// before it is asked for again where not all of it is there yet; what is there stays set aside. Where the platform has
    /// refused so often that nothing is sent for a while, nothing is set aside either: the writes are refused, and say why.
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

    /// A further token of a client could not be had: for a while, those that are there have to do.
    pub(super) fn do_without(&self, admitted: &Admitted<'_>, fault: &Fault) {
        let is_further = admitted.bucket.token() > 0;
        if let Some(pacer) = self.pacers().get_mut(&admitted.bucket).filter(|_| is_further) {
            let wait = fault.retry_after_ms.map_or(WITHOUT_TOKEN, Duration::from_millis);
            let until = clock::monotonic().checked_add(wait);
            until.into_iter().for_each(|until| pacer.close_until(until));
        }
    }

    /// Tells of a wait that is worth a line: once, however many requests wait.
    fn tell_of_wait(&self, target: &Target, buckets: &[BucketKey], until: Instant, now: Instant) {
        let wait = until.saturating_duration_since(now);
        let is_news = || {
            let mut pacers = self.pacers();
            let pacer = buckets.first().and_then(|bucket| pacers.get_mut(bucket));
            pacer.is_some_and(|pacer| pacer.is_news(until, TOLD_FROM))
        };
        if wait >= TOLD_FROM && is_news() {
            self.heard(Told::Waits { organization: &target.organization, wait });
        }
    }
}

/// Why a request about an organization is not sent.
fn refused(organization: &OrganizationId, gate: Gate, wait: Duration) -> Fault {
    let retry_in = format!("retry in {} s", wait.as_secs() + 1);
    let message = match gate {
        Gate::Broken(_) => format!("organization {organization} refused ten requests in a row; {retry_in}"),
        Gate::Anew(_) => {
            format!("the rate limit of organization {organization} is used up for this minute; {retry_in}")
        }
        Gate::Open | Gate::Filling(_) | Gate::Until(_) => {
            format!("organization {organization} is rate limited; {retry_in}")
        }
    };
    let retry_after_ms = u64::try_from(wait.as_millis()).ok();
    let given_up = matches!(gate, Gate::Broken(_));
    Fault { retry_after_ms, given_up, ..Fault::new(FaultKind::Throttled, message) }
}
