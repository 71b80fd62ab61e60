//! Tests of waits. The simulator tests whole runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::*;
use crate::model::plan::Limits;
use crate::model::record::{Intent, IntentAction, Journal};
use crate::model::{
    CredentialsName, Desired, Dialect, Look, Memory, Mode, Object, Observed, OrganizationId, Region,
    Resource, Revision, Seen, Target, Tenant, Timing, Versions,
};
use crate::reconcile::{AuditQuery, Entries, Spec};

/// A clock that a sleep moves, and an organization that allows reads only.
struct Clock {
    now: Mutex<Timestamp>,
    first_look: Mutex<Option<Timestamp>>,
}

impl Reads for Clock {
    async fn observe(&self, _: &Look) -> Result<Seen, Fault> {
        self.first_look.lock().unwrap().get_or_insert(self.now());
        Ok(Observed::Absent.into())
    }

    async fn job(&self, _: &Target, _: &str) -> Result<Job, Fault> {
        Err(Fault::new(FaultKind::Local, "there are no jobs here"))
    }

    async fn entries(&self, _: &AuditQuery) -> Result<Entries, Fault> {
        Ok(Entries::default())
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn sleep(&self, wait: Duration) {
        *self.now.lock().unwrap() += SignedDuration::try_from(wait).unwrap();
    }
}

#[derive(Default)]
struct Recorder {
    stop: CancellationToken,
    superseded: CancellationToken,
}

impl Watcher for Recorder {
    fn note(&self, _: &TenantName, _: &Note) {}

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    fn superseded(&self) -> Option<&CancellationToken> {
        Some(&self.superseded)
    }
}

fn target() -> Target {
    Target {
        organization: OrganizationId::new("org"),
        region: Region::EuWest1,
        credentials: CredentialsName::new("main"),
        object: Object::implied(),
    }
}

/// An organization whose rate limit makes writes queue and that then rejects them, and a journal that records
/// the times of intents.
struct Queueing<'a> {
    clock: Clock,
    /// How long writes queue at each request.
    waits: Mutex<Vec<Duration>>,
    intended_at: Mutex<Vec<Timestamp>>,
    deadlines: Mutex<Vec<Timestamp>>,
    /// Stops the run while it queues.
    stop: Option<&'a CancellationToken>,
}

impl Reads for Queueing<'_> {
    async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        self.clock.observe(look).await
    }

    async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        self.clock.job(source, id).await
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Entries, Fault> {
        self.clock.entries(query).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, wait: Duration) {
        self.stop.into_iter().for_each(CancellationToken::cancel);
        self.clock.sleep(wait).await;
    }
}

impl Ports for Queueing<'_> {
    async fn write(&self, write: &Write) -> Outcome<Accepted> {
        self.deadlines.lock().unwrap().push(write.deadline);
        Outcome::Rejected(Fault::new(FaultKind::Rejected, "no"))
    }

    async fn start_job(&self, _: &StartJob) -> Outcome<Job> {
        Outcome::Unsent(planner_cannot_write())
    }

    fn reserve(&self, targets: &[Target]) -> Option<Duration> {
        if targets.is_empty() { None } else { self.waits.lock().unwrap().pop() }
    }
}

impl Keeps for Queueing<'_> {
    fn is_ours(&self) -> bool {
        true
    }

    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        let intents = records.iter().filter(|record| matches!(record, Record::Intent(_))).count();
        self.intended_at.lock().unwrap().extend(std::iter::repeat_n(self.now(), intents));
        Ok(())
    }
}

/// Returns a run that finds a write whose answer was lost and that may still take effect within 10 s.
fn run_with_an_open_write(now: Timestamp) -> (Run, Timestamp) {
    let deadline = now + SignedDuration::from_secs(10);
    let mut journal = Journal::default();
    journal.absorb(Record::Intent(Intent {
        id: 1,
        revision: Revision::new("r1"),
        action: IntentAction::Put {
            target: target(),
            act: Act::Store,
            if_match: None,
            over: None,
            body: Arc::default(),
        },
        sent_at: now,
        deadline,
        reverts: Vec::new(),
        off: false,
    }));
    let wanted = Desired { body: Arc::default(), exclusive: false, ignored: BTreeSet::new() };
    let tenant = Tenant {
        name: TenantName::new("acme"),
        dialect: Dialect::Webchat,
        primary: target(),
        replicas: Vec::new(),
        mode: Mode::Enforce,
        wave: 0,
        windows: Vec::new(),
        ignore: Vec::new(),
        protected: Default::default(),
        policy: Default::default(),
        owners: Vec::new(),
    };
    let spec = Spec {
        tenant,
        revision: Revision::new("r2"),
        resources: vec![Resource::implied(wanted)],
        limits: Limits::default(),
        precedents: Default::default(),
        timing: Timing::default(),
        memory: Memory::None,
        noticed: Vec::new(),
        versions: Versions::Enforced,
        own_clients: BTreeSet::new(),
        reviewed: None,
        is_exact: false,
        seed: 1,
    };
    (Run::new(Arc::new(spec), journal), deadline)
}

/// Returns a run with an open write, its deadline, the clock, and a watcher.
fn stage() -> (Run, Timestamp, Clock, Recorder) {
    let now = Timestamp::constant(1_790_000_000, 0);
    let (run, deadline) = run_with_an_open_write(now);
    (run, deadline, Clock { now: Mutex::new(now), first_look: Mutex::default() }, Recorder::default())
}

#[tokio::test]
async fn a_run_waits_for_a_write_of_unknown_outcome_even_if_git_changed() {
    let (run, deadline, clock, reported) = stage();
    reported.superseded.cancel();
    plan(run, &clock, &reported).await;
    let looked = clock.first_look.lock().unwrap().unwrap();
    assert!(looked >= deadline, "it looked {:#} before the deadline", deadline.duration_since(looked));
}

#[tokio::test]
async fn the_operator_can_end_that_wait() {
    let (run, _, clock, reported) = stage();
    let now = clock.now();
    reported.stop.cancel();
    let run = plan(run, &clock, &reported).await;
    assert_eq!(run.end(), Some(&crate::reconcile::End::Cancelled(None)));
    assert_eq!((*clock.first_look.lock().unwrap(), clock.now()), (None, now));
}

/// Returns a run that has something to write.
fn run_with_news(run: &Run) -> Run {
    let mut spec = Spec::clone(run.spec());
    let body = Arc::new([("greeting".to_owned(), "Hello".into())].into_iter().collect());
    let wanted = Desired { body, exclusive: false, ignored: BTreeSet::new() };
    spec.resources = vec![Resource::implied(wanted)];
    Run::new(Arc::new(spec), Journal::default())
}

fn queueing<'a>(clock: Clock, waits_s: &[u64], stop: Option<&'a CancellationToken>) -> Queueing<'a> {
    let waits = waits_s.iter().map(|wait_s| Duration::from_secs(*wait_s)).collect();
    Queueing {
        clock,
        waits: Mutex::new(waits),
        intended_at: Mutex::default(),
        deadlines: Mutex::default(),
        stop,
    }
}

#[tokio::test]
async fn the_deadline_of_a_queued_write_counts_from_when_it_may_be_sent() {
    let (run, _, clock, reported) = stage();
    let (started_at, run) = (clock.now(), run_with_news(&run));
    let world = queueing(clock, &[40, 2], None);
    let run = whole(run, Go::Now, &world, &world, &reported).await;
    let turn = started_at + SignedDuration::from_secs(42);
    assert_eq!(*world.intended_at.lock().unwrap(), [turn], "{:?}", run.end());
    let write = SignedDuration::from_millis(Timing::default().write_ms.into());
    assert_eq!(*world.deadlines.lock().unwrap(), [turn + write]);
}

#[tokio::test]
async fn a_run_that_is_stopped_while_its_writes_queue_writes_no_intent() {
    let (run, _, clock, reported) = stage();
    let run = run_with_news(&run);
    let world = queueing(clock, &[40], Some(&reported.stop));
    let run = whole(run, Go::Now, &world, &world, &reported).await;
    assert!(matches!(run.end(), Some(crate::reconcile::End::Cancelled(_))), "{:?}", run.end());
    assert!(world.intended_at.lock().unwrap().is_empty() && world.deadlines.lock().unwrap().is_empty());
}
