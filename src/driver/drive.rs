//! Drives one run: performs each effect and returns its event to the core, until the run stops.
//!
//! In: a run and the ports. Out: the run, planned or ended. Never: decides what happens next; the core does
//! that. Start reading at [`whole`], then `perform` for what each effect does.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::ports::{Keeps, Ports, Reads};
use crate::crash;
use crate::model::write::{Accepted, Job, StartJob};
use crate::model::{Act, Fault, FaultKind, Outcome, Record, Refusal, Target, TenantName, Write, causes};
use crate::plan::guards;
use crate::reconcile::{Effect, Event, Phase, Step, step};
use crate::store::StoreError;

pub use crate::reconcile::{Advance, Note, Run};

/// Receives the notes of a run, and may stop it.
pub trait Watcher: Send + Sync {
    /// Receives a note.
    fn note(&self, tenant: &TenantName, note: &Note);
    /// Receives the progress of a run each time that it changes.
    fn advanced(&self, _: &TenantName, _: Advance) {}
    /// Cancelled when the operator wants runs to end.
    fn stop(&self) -> &CancellationToken;
    /// Cancelled when the tenant's desired configuration changes in git, or the tenant is paused.
    fn superseded(&self) -> Option<&CancellationToken> {
        None
    }
    /// Waits without a slot, so that another run may use it. The future ends when the run has a slot again.
    fn wait<'a>(&'a self, sleep: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        sleep
    }
}

/// Whether a planned run may be applied now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// Now.
    Now,
    /// After this lower wave is applied: until then genesync only reads the tenant.
    After(u32),
}

impl Go {
    fn event(self) -> Event {
        match self {
            Go::Now => Event::Proceed,
            Go::After(wave) => Event::HeldBack(wave),
        }
    }
}

/// Drives a run until it has a plan, with a client that cannot write and without writing the journal.
pub async fn plan(run: Run, reads: &impl Reads, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Tied(reads), watcher).await
}

/// Drives a run until it has a plan that will be applied: with a client that cannot write, but with the
/// journal, which records the results of earlier writes.
pub async fn prepare(run: Run, reads: &impl Reads, journal: &impl Keeps, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Preparing(reads, journal), watcher).await
}

/// Drives a planned run to its end.
pub async fn apply(run: Run, go: Go, ports: &impl Ports, journal: &impl Keeps, watcher: &dyn Watcher) -> Run {
    drive(run, go.event(), &Free(ports, journal), watcher).await
}

/// Drives a run from its beginning to its end.
pub async fn whole(run: Run, go: Go, ports: &impl Ports, journal: &impl Keeps, watcher: &dyn Watcher) -> Run {
    let run = drive(run, Event::Begin, &Free(ports, journal), watcher).await;
    match run.phase() {
        Phase::Planned => {
            crash::point("C04");
            apply(run, go, ports, journal, watcher).await
        }
        _ => run,
    }
}

/// Ends a run that the guard `rewind` or a guard of the whole pass refuses: before it begins, or after its
/// plan.
pub fn refuse(run: Run, refusal: Refusal, now: Timestamp) -> Run {
    step(run, Event::Refused(vec![refusal]), now).run
}

/// What a driver may do.
trait Hands: Sync {
    type Reads: Reads;

    fn reads(&self) -> &Self::Reads;

    /// Whether this process still holds the lease; true without a lease.
    fn may_go_on(&self) -> bool;

    fn save(&self, records: &[Record]) -> impl Future<Output = Event> + Send;

    fn write(&self, _: &Write) -> impl Future<Output = Outcome<Accepted>> + Send {
        std::future::ready(Outcome::Unsent(planner_cannot_write()))
    }

    fn start_job(&self, _: &StartJob) -> impl Future<Output = Outcome<Job>> + Send {
        std::future::ready(Outcome::Unsent(planner_cannot_write()))
    }

    fn reserve(&self, _: &[Target]) -> Option<Duration> {
        None
    }
}

/// Reads only: its client has no method that writes.
struct Tied<'a, R>(&'a R);

/// Reads, and writes the journal.
struct Preparing<'a, R, K>(&'a R, &'a K);

/// Reads, writes, and writes the journal.
struct Free<'a, P, K>(&'a P, &'a K);

impl<R: Reads> Hands for Tied<'_, R> {
    type Reads = R;

    fn reads(&self) -> &R {
        self.0
    }

    fn may_go_on(&self) -> bool {
        true
    }

    async fn save(&self, _: &[Record]) -> Event {
        // A plan stores nothing: the next apply resolves the same intents again.
        Event::Saved
    }
}

impl<R: Reads, K: Keeps> Hands for Preparing<'_, R, K> {
    type Reads = R;

    fn reads(&self) -> &R {
        self.0
    }

    fn may_go_on(&self) -> bool {
        self.1.is_ours()
    }

    async fn save(&self, records: &[Record]) -> Event {
        save(self.1, records).await
    }
}

impl<P: Ports, K: Keeps> Hands for Free<'_, P, K> {
    type Reads = P;

    fn reads(&self) -> &P {
        self.0
    }

    fn may_go_on(&self) -> bool {
        self.1.is_ours()
    }

    async fn save(&self, records: &[Record]) -> Event {
        save(self.1, records).await
    }

    async fn write(&self, write: &Write) -> Outcome<Accepted> {
        crash::point("C06");
        let outcome = self.0.write(write).await;
        crash::point("C09");
        if let (Outcome::Accepted(_), Some(point)) = (&outcome, between_steps(write)) {
            crash::point(point);
        }
        outcome
    }

    async fn start_job(&self, start: &StartJob) -> Outcome<Job> {
        crash::point("C06");
        let outcome = self.0.start_job(start).await;
        crash::point("C14");
        outcome
    }

    fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        self.0.reserve(targets)
    }
}

async fn drive(run: Run, first: Event, hands: &impl Hands, watcher: &dyn Watcher) -> Run {
    let tenant = run.spec().tenant.name.clone();
    let mut next = step(run, first, hands.reads().now());
    let mut reported = None;
    loop {
        let Step { run, effects } = next;
        let advance = run.advance();
        if advance != reported {
            advance.into_iter().for_each(|advance| watcher.advanced(&tenant, advance));
            reported = advance;
        }
        let mut asked = None;
        for effect in effects {
            match effect {
                Effect::Report(note) => watcher.note(&tenant, &note),
                effect => asked = Some(effect),
            }
        }
        let Some(effect) = asked else { return run };
        if !run.receipts().is_empty() && matches!(run.phase(), Phase::Intending(_)) {
            crash::point("C13");
        }
        // If the run may not be superseded, nothing wakes it early: it may be waiting for the deadline of a
        // write of unknown outcome.
        let superseded = watcher.superseded().filter(|_| run.may_be_superseded());
        let is_superseded = || superseded.is_some_and(CancellationToken::is_cancelled);
        let event = if !hands.may_go_on() {
            Event::LeaseLost
        } else if watcher.stop().is_cancelled() && interruptible(&run) {
            Event::Cancelled
        } else if is_superseded() {
            Event::Superseded
        } else {
            let span = tracing::info_span!("effect", kind = effect.name());
            let targets = run.about_to_send();
            async {
                // The deadline of a write counts from its intent. If the write had to queue, the run makes
                // its intent again.
                match queue(&targets, hands, watcher, superseded).await {
                    true => Event::Woke,
                    false => perform(effect, hands, watcher, superseded).await,
                }
            }
            .instrument(span)
            .await
        };
        // A wait ends early if the run has to end.
        let event = match event {
            Event::Woke if !hands.may_go_on() => Event::LeaseLost,
            Event::Woke if watcher.stop().is_cancelled() => Event::Cancelled,
            Event::Woke if is_superseded() => Event::Superseded,
            event => event,
        };
        next = step(run, event, hands.reads().now());
    }
}

/// Whether a run may be interrupted: not between an intent and the record of its ending.
fn interruptible(run: &Run) -> bool {
    !matches!(
        run.phase(),
        Phase::Sending(..) | Phase::Closing(_) | Phase::Resolving | Phase::Keeping | Phase::Witnessing { .. }
    )
}

/// Waits until the rate limits of these targets allow their writes. Returns whether it waited. Ends early if
/// the run has to end.
async fn queue(
    targets: &[Target],
    hands: &impl Hands,
    watcher: &dyn Watcher,
    superseded: Option<&CancellationToken>,
) -> bool {
    let mut has_waited = false;
    while let Some(left) = hands.reserve(targets) {
        has_waited = true;
        let left = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
        let until = hands.reads().now().saturating_add(left).unwrap_or(Timestamp::MAX);
        wait(until, hands.reads(), watcher, superseded).await;
        let is_superseded = superseded.is_some_and(CancellationToken::is_cancelled);
        if watcher.stop().is_cancelled() || is_superseded || !hands.may_go_on() {
            break;
        }
    }
    has_waited
}

async fn perform(
    effect: Effect,
    hands: &impl Hands,
    watcher: &dyn Watcher,
    superseded: Option<&CancellationToken>,
) -> Event {
    match effect {
        // A read may wait a minute for the rate limit, and cancelling it loses nothing.
        Effect::Observe(look) => tokio::select! {
            biased;
            seen = hands.reads().observe(&look) => seen.map_or_else(Event::Failed, Event::Observed),
            () = watcher.stop().cancelled() => Event::Cancelled,
        },
        Effect::ReadAudit(query) => {
            hands.reads().entries(&query).await.map_or_else(Event::Failed, Event::Entries)
        }
        Effect::PollJob { source, id } => {
            crash::point("C15");
            hands.reads().job(&source, &id).await.map_or_else(Event::Failed, Event::Job)
        }
        Effect::WakeAt(until) => {
            wait(until, hands.reads(), watcher, superseded).await;
            Event::Woke
        }
        Effect::Save(records) => hands.save(&records).await,
        Effect::Write(writes) => {
            Event::Answered(join_all(writes.iter().map(|write| hands.write(write))).await)
        }
        Effect::StartJob(start) => Event::JobAnswered(hands.start_job(&start).await),
        Effect::Report(_) => Event::Woke,
    }
}

/// Returns the crash point after an accepted step of a write that has several; none for a write of one step.
fn between_steps(write: &Write) -> Option<&'static str> {
    match write.act {
        Act::Store if write.target.object.kind.has_drafts() => Some("C11"),
        Act::Publish => Some("C12"),
        Act::Store => None,
    }
}

fn planner_cannot_write() -> Fault {
    Fault::new(FaultKind::Local, "a planner cannot write")
}

/// Waits until a time. Ends early if the run has to end.
async fn wait(
    until: Timestamp,
    reads: &impl Reads,
    watcher: &dyn Watcher,
    superseded: Option<&CancellationToken>,
) {
    let Ok(left) = Duration::try_from(until.duration_since(reads.now())) else { return };
    let superseded = async {
        match superseded {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    };
    let sleep = async {
        tokio::select! {
            // In this order, so that a simulated run is deterministic.
            biased;
            () = watcher.stop().cancelled() => {}
            () = superseded => {}
            () = reads.sleep(left) => {}
        }
    };
    watcher.wait(sleep.boxed()).await;
}

async fn save(journal: &impl Keeps, records: &[Record]) -> Event {
    match journal.append(records).await {
        Ok(()) => {
            if records.iter().any(|record| matches!(record, Record::Confirmed { .. })) {
                crash::point("C17");
            }
            Event::Saved
        }
        Err(StoreError::Fenced { .. }) => Event::LeaseLost,
        Err(StoreError::Superseded { .. }) => Event::Superseded,
        Err(StoreError::Off { tenant, other }) => {
            Event::Refused(vec![guards::run_off::refusal(&tenant, &other)])
        }
        Err(error) => {
            let message = format!("cannot write the journal: {}", causes(&error));
            Event::Failed(Fault::new(FaultKind::Local, message))
        }
    }
}

#[cfg(test)]
mod tests;
