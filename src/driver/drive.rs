//! Drives one run: performs each effect, feeds its event back, until the run stops.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::leases::Held;
use crate::api::{Api, ReadApi};
use crate::clock;
use crate::crash;
use crate::model::{Act, Fault, FaultKind, ObjectKind, Outcome, Record, TenantName, Write, causes};
use crate::reconcile::{Effect, Entries, Event, Note, Phase, Run, Step, step};
use crate::store::StoreError;

/// Whoever wants to know what a run does, and may want it to end.
pub trait Watcher: Send + Sync {
    /// Hears a note.
    fn note(&self, tenant: &TenantName, note: &Note);
    /// Cancelled when the operator wants runs to end.
    fn stop(&self) -> &CancellationToken;
    /// Cancelled when git says something new for the tenant, or it was paused.
    fn superseded(&self) -> Option<&CancellationToken> {
        None
    }
    /// The run waits: somebody else may have its place. The future ends when it has a place again.
    fn wait<'a>(&'a self, sleep: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        sleep
    }
}

/// Drives a run until it has a plan, with a client that can't write and without touching the journal.
pub async fn plan(run: Run, api: &ReadApi, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Hands::Tied(api), watcher).await
}

/// Drives a run until it has a plan that will be applied: with a client that can't write either, but with
/// the journal, in which what became of earlier writes is written down for good.
pub async fn prepare(run: Run, api: &ReadApi, held: &Held, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Hands::Preparing(api, held), watcher).await
}

/// Drives a planned run to its end.
pub async fn apply(run: Run, api: &Api, held: &Held, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Proceed, &Hands::Free(api, held), watcher).await
}

/// Drives a run from its beginning to its end.
pub async fn whole(run: Run, api: &Api, held: &Held, watcher: &dyn Watcher) -> Run {
    let hands = Hands::Free(api, held);
    let run = drive(run, Event::Begin, &hands, watcher).await;
    match run.phase {
        Phase::Planned => {
            crash::point("C04");
            drive(run, Event::Proceed, &hands, watcher).await
        }
        _ => run,
    }
}

/// What a driver may do.
enum Hands<'a> {
    /// Read only. There is no way from here to a write: the client has none.
    Tied(&'a ReadApi),
    /// Read, and keep the journal.
    Preparing(&'a ReadApi, &'a Held),
    /// Read, write, and keep the journal.
    Free(&'a Api, &'a Held),
}

impl Hands<'_> {
    /// Whether the lease is still ours; without one there is none to lose.
    fn may_go_on(&self) -> bool {
        match self {
            Hands::Tied(_) => true,
            Hands::Preparing(_, held) | Hands::Free(_, held) => held.is_ours(),
        }
    }
}

async fn drive(run: Run, first: Event, hands: &Hands<'_>, watcher: &dyn Watcher) -> Run {
    let tenant = run.spec.tenant.name.clone();
    let mut next = step(run, first, clock::now());
    loop {
        let Step { run, effects } = next;
        let mut asked = None;
        for effect in effects {
            match effect {
                Effect::Report(note) => watcher.note(&tenant, &note),
                effect => asked = Some(effect),
            }
        }
        let Some(effect) = asked else { return run };
        if !run.receipts.is_empty() && matches!(run.phase, Phase::Intending(_)) {
            crash::point("C13");
        }
        let superseded = || watcher.superseded().is_some_and(CancellationToken::is_cancelled);
        let event = if !hands.may_go_on() {
            Event::LeaseLost
        } else if watcher.stop().is_cancelled() && interruptible(&run) {
            Event::Cancelled
        } else if superseded() && run.may_be_superseded() {
            Event::Superseded
        } else {
            let span = tracing::info_span!("effect", kind = effect.name());
            perform(effect, hands, watcher).instrument(span).await
        };
        // A wait ends early where the run is to end.
        let event = match event {
            Event::Woke if !hands.may_go_on() => Event::LeaseLost,
            Event::Woke if watcher.stop().is_cancelled() => Event::Cancelled,
            Event::Woke if superseded() && run.may_be_superseded() => Event::Superseded,
            event => event,
        };
        next = step(run, event, clock::now());
    }
}

/// Between an intent and its end a run is not interrupted: the write is finished and its end written down.
fn interruptible(run: &Run) -> bool {
    !matches!(
        run.phase,
        Phase::Sending(..) | Phase::Closing(_) | Phase::Resolving | Phase::Keeping | Phase::Witnessing { .. }
    )
}

async fn perform(effect: Effect, hands: &Hands<'_>, watcher: &dyn Watcher) -> Event {
    let read = match hands {
        Hands::Tied(api) | Hands::Preparing(api, _) => api,
        Hands::Free(api, _) => api.read(),
    };
    match (effect, hands) {
        (Effect::Observe(look), _) => read.observe(&look).await.map_or_else(Event::Failed, Event::Observed),
        (Effect::ReadAudit(query), _) => {
            match read.entries(&query.targets, &query.ids, query.from, query.to).await {
                Ok((entries, truncated)) => Event::Entries(Entries { entries, truncated }),
                Err(fault) => Event::Failed(fault),
            }
        }
        (Effect::PollJob { source, id }, _) => {
            crash::point("C15");
            read.job(&source, &id).await.map_or_else(Event::Failed, Event::Job)
        }
        (Effect::WakeAt(until), _) => {
            wait(until, watcher).await;
            Event::Woke
        }
        // A plan keeps nothing: what it resolved, the next apply resolves again.
        (Effect::Save(_), Hands::Tied(_)) => Event::Saved,
        (Effect::Save(records), Hands::Preparing(_, held) | Hands::Free(_, held)) => {
            save(held, &records).await
        }
        (Effect::Write(write), Hands::Free(api, _)) => {
            crash::point("C06");
            let outcome = api.write(&write).await;
            crash::point("C09");
            if let (Outcome::Accepted(_), Some(point)) = (&outcome, between_steps(&write)) {
                crash::point(point);
            }
            Event::Answered(outcome)
        }
        (Effect::StartJob(start), Hands::Free(api, _)) => {
            crash::point("C06");
            let outcome = api.start_job(&start).await;
            crash::point("C14");
            Event::JobAnswered(outcome)
        }
        (Effect::Write(_), Hands::Tied(_) | Hands::Preparing(..)) => {
            Event::Answered(Outcome::Unsent(planner_cannot_write()))
        }
        (Effect::StartJob(_), Hands::Tied(_) | Hands::Preparing(..)) => {
            Event::JobAnswered(Outcome::Unsent(planner_cannot_write()))
        }
        (Effect::Report(_), _) => Event::Woke,
    }
}

/// The point that follows an accepted step towards a version that visitors see; none where a write is all there is.
fn between_steps(write: &Write) -> Option<&'static str> {
    match (write.target.object.kind, write.act) {
        (ObjectKind::MessengerConfiguration, Act::Store) => Some("C11"),
        (ObjectKind::MessengerConfiguration, Act::Publish) => Some("C12"),
        (
            ObjectKind::WebMessaging | ObjectKind::MessengerDeployment | ObjectKind::OpenMessagingIntegration,
            Act::Store | Act::Publish,
        ) => None,
    }
}

fn planner_cannot_write() -> Fault {
    Fault::new(FaultKind::Local, "a planner can't write")
}

/// Waits by the monotonic clock: a wall clock that is set back meanwhile does not stretch it. Ends early
/// where the run is to end.
async fn wait(until: Timestamp, watcher: &dyn Watcher) {
    let Ok(left) = Duration::try_from(until.duration_since(clock::now())) else { return };
    let superseded = async {
        match watcher.superseded() {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    };
    let sleep = async {
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = watcher.stop().cancelled() => {}
            () = superseded => {}
        }
    };
    watcher.wait(sleep.boxed()).await;
}

async fn save(held: &Held, records: &[Record]) -> Event {
    match held.append(records).await {
        Ok(()) => {
            if records.iter().any(|record| matches!(record, Record::Confirmed { .. })) {
                crash::point("C17");
            }
            Event::Saved
        }
        Err(StoreError::Fenced { .. }) => Event::LeaseLost,
        Err(StoreError::Superseded { .. }) => Event::Superseded,
        Err(error) => {
            let message = format!("the journal can't be written: {}", causes(&error));
            Event::Failed(Fault::new(FaultKind::Local, message))
        }
    }
}
