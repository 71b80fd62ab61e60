//! Drives one run: performs each effect, feeds its event back, until the run stops.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::{Api, ReadApi};
use crate::clock;
use crate::model::{Fault, FaultKind, Outcome, Record, TenantName};
use crate::reconcile::{Effect, Entries, Event, Note, Phase, Run, Step, step};
use crate::store::Store;

/// Whoever wants to know what a run does.
pub trait Watcher: Send + Sync {
    /// Hears a note.
    fn note(&self, tenant: &TenantName, note: &Note);
    /// Whether the operator wants the run to end.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Drives a run until it has a plan, with a client that can't write and without touching the journal.
pub async fn plan(run: Run, api: &ReadApi, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Hands::Tied(api), watcher).await
}

/// Drives a run until it has a plan that will be applied: with a client that can't write either, but with
/// the journal, in which what became of earlier writes is written down for good.
pub async fn prepare(run: Run, api: &ReadApi, store: &Store, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Begin, &Hands::Preparing(api, store), watcher).await
}

/// Drives a planned run to its end.
pub async fn apply(run: Run, api: &Api, store: &Store, watcher: &dyn Watcher) -> Run {
    drive(run, Event::Proceed, &Hands::Free(api, store), watcher).await
}

/// What a driver may do.
enum Hands<'a> {
    /// Read only. There is no way from here to a write: the client has none.
    Tied(&'a ReadApi),
    /// Read, and keep the journal.
    Preparing(&'a ReadApi, &'a Store),
    /// Read, write, and keep the journal.
    Free(&'a Api, &'a Store),
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
        let event = if watcher.cancelled() && interruptible(&run) {
            Event::Cancelled
        } else {
            perform(effect, hands, &tenant, watcher).await
        };
        let event = if watcher.cancelled() && event == Event::Woke { Event::Cancelled } else { event };
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

async fn perform(effect: Effect, hands: &Hands<'_>, tenant: &TenantName, watcher: &dyn Watcher) -> Event {
    let read = match hands {
        Hands::Tied(api) | Hands::Preparing(api, _) => api,
        Hands::Free(api, _) => api.read(),
    };
    match (effect, hands) {
        (Effect::Observe(target), _) => {
            read.observe(&target).await.map_or_else(Event::Failed, Event::Observed)
        }
        (Effect::ReadAudit(query), _) => match read.entries(&query.targets, query.from, query.to).await {
            Ok((entries, truncated)) => Event::Entries(Entries { entries, truncated }),
            Err(fault) => Event::Failed(fault),
        },
        (Effect::PollJob { source, id }, _) => {
            read.job(&source, &id).await.map_or_else(Event::Failed, Event::Job)
        }
        (Effect::WakeAt(until), _) => {
            wait(until, watcher).await;
            Event::Woke
        }
        // A plan keeps nothing: what it resolved, the next apply resolves again.
        (Effect::Save(_), Hands::Tied(_)) => Event::Saved,
        (Effect::Save(records), Hands::Preparing(_, store) | Hands::Free(_, store)) => {
            save(store, tenant, records).await
        }
        (Effect::Write(write), Hands::Free(api, _)) => Event::Answered(api.write(&write).await),
        (Effect::StartJob(start), Hands::Free(api, _)) => Event::JobAnswered(api.start_job(&start).await),
        (Effect::Write(_), Hands::Tied(_) | Hands::Preparing(..)) => {
            Event::Answered(Outcome::Unsent(planner_cannot_write()))
        }
        (Effect::StartJob(_), Hands::Tied(_) | Hands::Preparing(..)) => {
            Event::JobAnswered(Outcome::Unsent(planner_cannot_write()))
        }
        (Effect::Report(_), _) => Event::Woke,
    }
}

fn planner_cannot_write() -> Fault {
    Fault::new(FaultKind::Local, "a planner can't write")
}

/// How often a wait looks up to see whether it is still wanted.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Waits by the monotonic clock: a wall clock that is set back meanwhile does not stretch it. Ends early
/// where the operator wants the run to end.
async fn wait(until: Timestamp, watcher: &dyn Watcher) {
    let Ok(mut left) = Duration::try_from(until.duration_since(clock::now())) else { return };
    while !left.is_zero() && !watcher.cancelled() {
        let slice = left.min(LOOK_UP);
        tokio::time::sleep(slice).await;
        left -= slice;
    }
}

async fn save(store: &Store, tenant: &TenantName, records: Vec<Record>) -> Event {
    let (store, tenant) = (store.clone(), tenant.clone());
    // `fsync` blocks; it must not hold up the other tenants.
    let saved = tokio::task::spawn_blocking(move || store.append(&tenant, &records)).await;
    let fault = |message: String| Event::Failed(Fault::new(FaultKind::Local, message));
    match saved {
        Ok(Ok(())) => Event::Saved,
        Ok(Err(error)) => fault(format!("the journal can't be written: {}", chain(&error))),
        Err(error) => fault(format!("the journal can't be written: {error}")),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
