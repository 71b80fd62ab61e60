//! When a wait ends. Whole runs through this driver are the simulator's.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::*;
use crate::model::plan::Limits;
use crate::model::record::{Intent, IntentAction, Journal};
use crate::model::{
    CredentialsName, Desired, Dialect, Look, Mode, Object, Observed, OrganizationId, Region, Resource,
    Revision, Seen, Target, Tenant, Timing, Versions,
};
use crate::reconcile::{AuditQuery, Entries, Spec};

/// A clock that moves where somebody sleeps, and an organization that is only looked at.
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
struct Told {
    stop: CancellationToken,
    superseded: CancellationToken,
}

impl Watcher for Told {
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

/// A run that finds a write whose answer was lost, and that may take force for another ten seconds.
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
        protected: false,
        owners: Vec::new(),
    };
    let spec = Spec {
        tenant,
        revision: Revision::new("r2"),
        resources: vec![Resource::implied(wanted)],
        limits: Limits::default(),
        timing: Timing::default(),
        versions: Versions::Enforced,
        own_clients: BTreeSet::new(),
        reviewed: None,
        is_exact: false,
        seed: 1,
    };
    (Run::new(Arc::new(spec), journal), deadline)
}

/// A run with an open write, its deadline, the clock, and who tells it things.
fn stage() -> (Run, Timestamp, Clock, Told) {
    let now = Timestamp::constant(1_790_000_000, 0);
    let (run, deadline) = run_with_an_open_write(now);
    (run, deadline, Clock { now: Mutex::new(now), first_look: Mutex::default() }, Told::default())
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_waited_out_although_git_moved_on_meanwhile() {
    let (run, deadline, clock, told) = stage();
    told.superseded.cancel();
    plan(run, &clock, &told).await;
    let looked = clock.first_look.lock().unwrap().unwrap();
    assert!(looked >= deadline, "it looked {:#} before the deadline", deadline.duration_since(looked));
}

#[tokio::test]
async fn the_operator_ends_even_that_wait() {
    let (run, _, clock, told) = stage();
    let now = clock.now();
    told.stop.cancel();
    let run = plan(run, &clock, &told).await;
    assert_eq!(run.end(), Some(&crate::reconcile::End::Cancelled(None)));
    assert_eq!((*clock.first_look.lock().unwrap(), clock.now()), (None, now));
}
