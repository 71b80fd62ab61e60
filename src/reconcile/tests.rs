//! Tests of single events: the next effect of the core. The simulator and the model test whole schedules.

use serde_json::json;

use super::*;
use crate::model::Write;
use crate::model::plan::Limits;
use crate::model::record::{Intent, IntentAction};
use crate::model::write::Job;
use crate::model::write::{JobTarget, JobTargetStatus};
use crate::model::{
    Act, Actor, ActorKind, Base, CredentialsName, FaultKind, Memory, Outcome, Record, Region, Seen, Stored,
    TenantName,
};
use crate::model::{Resource, Revision, Tenant, Versions};

pub(super) fn now() -> Timestamp {
    Timestamp::constant(1_790_000_000, 0)
}

pub(super) fn target(number: usize) -> Target {
    Target {
        organization: OrganizationId::new(format!("org-{number}")),
        region: [Region::EuWest1, Region::UsEast1, Region::ApSouth1][number],
        credentials: CredentialsName::new("main"),
        object: Object::implied(),
    }
}

pub(super) fn stored(version: u64, delay: u64, by: &str) -> Stored {
    let body = json!({"greetings": {"delayMs": delay}});
    Stored {
        version,
        body: Arc::new(body.as_object().cloned().unwrap()),
        modified_at: None,
        modified_by: Some(Actor { id: by.into(), name: String::new(), kind: ActorKind::Client }),
        instance: None,
    }
}

/// A base that matches git as of a version of an organization.
pub(super) fn applied(number: usize, version: u64) -> Record {
    let body = stored(version, 5, "us").body;
    let base = Base {
        version,
        body,
        revision: Revision::new("r0"),
        id: None,
        onto: 0,
        drafted_at: 0,
        ignored: Default::default(),
    };
    Record::Applied { object: target(number).object_ref(), base }
}

pub(super) fn seen(version: u64, delay: u64) -> Event {
    Event::Observed(Seen::from(Observed::Present(stored(version, delay, "us"))))
}

pub(super) fn run_with(replicas: usize, mode: Mode, journal: Journal) -> Run {
    let body = json!({"greetings": {"delayMs": 5}});
    let spec = Spec {
        tenant: Tenant {
            name: TenantName::new("acme"),
            dialect: crate::model::Dialect::Webchat,
            primary: target(0),
            replicas: (1..=replicas).map(target).collect(),
            mode,
            wave: 0,
            windows: Vec::new(),
            ignore: Vec::new(),
            protected: Default::default(),
            policy: Default::default(),
            owners: Vec::new(),
        },
        revision: Revision::new("r1"),
        resources: vec![Resource::implied(Desired {
            body: Arc::new(body.as_object().cloned().unwrap()),
            exclusive: false,
            ignored: BTreeSet::new(),
        })],
        limits: Limits::default(),
        precedents: Default::default(),
        timing: Timing::default(),
        memory: Memory::None,
        noticed: Vec::new(),
        versions: Versions::Enforced,
        own_clients: BTreeSet::from(["us".to_owned()]),
        reviewed: None,
        is_exact: false,
        seed: 1,
    };
    Run::new(Arc::new(spec), journal)
}

fn run() -> Run {
    run_with(0, Mode::Enforce, Journal::default())
}

/// The effect after the last event as a word; without an effect, the end of the run.
pub(super) fn after(mut run: Run, events: Vec<Event>) -> (Run, String) {
    let mut asked = String::new();
    for event in events {
        let next = step(run, event, now());
        run = next.run;
        let effects: Vec<&Effect> =
            next.effects.iter().filter(|effect| !matches!(effect, Effect::Report(_))).collect();
        assert!(effects.len() <= 1, "two requests at once: {effects:?}");
        asked = match (effects.first(), run.end()) {
            (Some(Effect::Observe(look)), _) => format!("observe {}", look.target.organization),
            (Some(Effect::Save(records)), _) => records.iter().map(name).collect::<Vec<_>>().join("+"),
            (Some(Effect::Write(writes)), _) => {
                let reported =
                    |write: &Write| format!("write {} over {:?}", write.target.organization, write.if_match);
                writes.iter().map(reported).collect::<Vec<_>>().join("+")
            }
            (Some(Effect::StartJob(start)), _) => format!("job to {}", start.targets.len()),
            (Some(Effect::PollJob { .. }), _) => "poll".into(),
            (Some(Effect::ReadAudit(_)), _) => "audit".into(),
            (Some(Effect::WakeAt(until)), _) => {
                format!("wait {} ms", until.duration_since(now()).as_millis())
            }
            (Some(Effect::Report(_)), _) => "report".into(),
            (None, Some(status)) => format!("{status:?}").split(['(', '{', ' ']).next().unwrap().to_owned(),
            (None, None) => "planned".into(),
        };
    }
    (run, asked)
}

fn name(record: &Record) -> &'static str {
    match record {
        Record::Intent(_) => "intent",
        Record::Resolved { .. } => "resolved",
        Record::Applied { .. } => "applied",
        Record::Baseline { .. } => "baseline",
        Record::Inherited { .. } => "inherited",
        Record::Confirmed { .. } => "confirmed",
    }
}

/// The events until the write is under way.
pub(super) fn sent() -> Vec<Event> {
    vec![Event::Begin, seen(3, 1), Event::Proceed, Event::Saved]
}

/// The answer to the only write of a batch.
pub(super) fn answered(outcome: Outcome<Stored>) -> Event {
    Event::Answered(vec![outcome])
}

pub(super) fn fault() -> Fault {
    Fault::new(FaultKind::Transient, "lost")
}

/// With enforced versions the server refuses a write after an old read; a job has no version.
#[test]
fn a_write_that_queued_for_long_is_read_again_before_its_intent() {
    for (queued_ms, expected) in [(1_000, "save"), (6_000, "observe")] {
        let (run, asked) = after(run(), vec![Event::Begin, seen(3, 1), Event::Proceed]);
        assert_eq!(asked, "intent");
        let next = step(run, Event::Woke, crate::model::timing::later(now(), queued_ms));
        assert_eq!(next.effects.first().map(Effect::name), Some(expected), "{queued_ms}");
        assert_eq!(next.run.journal.0.unresolved.len(), usize::from(expected == "save"));
    }
}

#[test]
fn a_write_leaves_only_after_its_intent_is_saved_and_names_the_version_seen() {
    let steps = ["observe org-0", "planned", "intent", "write org-0 over Some(3)"];
    for (count, expected) in steps.iter().enumerate() {
        assert_eq!(after(run(), sent()[..=count].to_vec()).1, *expected);
    }
}

#[test]
fn every_answer_except_one_resolves_the_intent_and_leads_to_a_read() {
    let table = [
        (Outcome::Accepted(stored(4, 5, "us")), "resolved", vec![Event::Saved], "observe org-0"),
        (Outcome::Conflict, "resolved", vec![Event::Saved], "observe org-0"),
        (
            Outcome::Throttled { retry_after_ms: Some(3_000) },
            "resolved",
            vec![Event::Saved, Event::Woke],
            "observe org-0",
        ),
        (Outcome::Unsent(fault()), "resolved", vec![Event::Saved, Event::Woke], "observe org-0"),
        (Outcome::Rejected(fault()), "resolved", vec![Event::Saved], "Degraded"),
        (Outcome::Denied(fault()), "resolved", vec![Event::Saved], "Degraded"),
        (Outcome::NotFound(fault()), "resolved", vec![Event::Saved], "Degraded"),
        // The intent stays open: 10 s for the write and 2 s to settle, or 2 s if the server answered.
        (Outcome::Unknown(fault()), "wait 12000 ms", vec![Event::Woke], "observe org-0"),
        (Outcome::Failed(fault()), "wait 2000 ms", vec![Event::Woke], "observe org-0"),
    ];
    for (outcome, first, then, last) in table {
        let events = [sent(), vec![answered(outcome.clone())]].concat();
        assert_eq!(after(run(), events.clone()).1, first, "{outcome:?}");
        assert_eq!(after(run(), [events, then].concat()).1, last, "{outcome:?}");
    }
}

#[test]
fn a_throttled_write_waits_at_least_as_long_as_the_api_said() {
    let events =
        [sent(), vec![answered(Outcome::Throttled { retry_after_ms: Some(3_000) }), Event::Saved]].concat();
    let wait = after(run(), events).1;
    let ms: u64 = wait.trim_start_matches("wait ").trim_end_matches(" ms").parse().unwrap();
    assert!((3_000..3_200).contains(&ms), "{wait}");
}

#[test]
fn a_lost_answer_is_settled_by_reading_and_never_by_sending_again() {
    let lost = [sent(), vec![answered(Outcome::Unknown(fault())), Event::Woke]].concat();
    let (landed, asked) = after(run(), [lost.clone(), vec![seen(4, 5)]].concat());
    assert_eq!((asked.as_str(), landed.receipts.len()), ("resolved", 1));
    let (absent, asked) = after(run(), [lost.clone(), vec![seen(3, 1)]].concat());
    assert_eq!((asked.as_str(), absent.receipts.len()), ("resolved", 0));
    // The next version, but of another user: the server refused genesync's write by its version.
    let theirs = Event::Observed(Seen::from(Observed::Present(stored(4, 5, "them"))));
    let (refused, asked) = after(run(), [lost, vec![theirs]].concat());
    assert_eq!((asked.as_str(), refused.receipts.len()), ("resolved", 0));
}

#[test]
fn a_run_waits_for_open_intents_of_an_earlier_run_before_it_reads() {
    let intent = |deadline: Timestamp| {
        let mut journal = Journal::default();
        journal.absorb(Record::Intent(Intent {
            id: 7,
            revision: Revision::new("r0"),
            action: IntentAction::Put {
                target: target(0),
                if_match: Some(3),
                body: stored(4, 5, "us").body,
                act: Act::Store,
                over: None,
            },
            sent_at: now(),
            deadline,
            reverts: Vec::new(),
            off: false,
        }));
        journal
    };
    let open = run_with(0, Mode::Enforce, intent(crate::model::timing::later(now(), 9_000)));
    assert_eq!(after(open.clone(), vec![Event::Begin]).1, "wait 9000 ms");
    let (resolved, asked) = after(open, vec![Event::Begin, Event::Woke, seen(4, 5)]);
    assert_eq!((asked.as_str(), resolved.receipts.len()), ("resolved", 1));
    let past = run_with(0, Mode::Enforce, intent(now()));
    assert_eq!(after(past, vec![Event::Begin]).1, "observe org-0");
}

#[test]
fn a_store_that_fails_keeps_writes_from_leaving() {
    let broken = Fault::new(FaultKind::Local, "disk full");
    assert_eq!(
        after(run(), vec![Event::Begin, seen(3, 1), Event::Proceed, Event::Failed(broken)]).1,
        "Degraded"
    );
}

#[test]
fn a_read_that_keeps_failing_ends_the_run() {
    let mut events = vec![Event::Begin];
    for _ in 0..4 {
        events.extend([Event::Failed(fault()), Event::Woke]);
    }
    assert_eq!(after(run(), events.clone()).1, "observe org-0");
    events.push(Event::Failed(fault()));
    assert_eq!(after(run(), events).1, "Degraded");
    let denied = Fault::new(FaultKind::Denied, "403");
    assert_eq!(after(run(), vec![Event::Begin, Event::Failed(denied)]).1, "Degraded");
}

#[test]
fn an_answer_older_than_the_acknowledged_version_is_read_again() {
    let events = [sent(), vec![answered(Outcome::Accepted(stored(4, 5, "us"))), Event::Saved]].concat();
    let (_, asked) = after(run(), [events.clone(), vec![seen(3, 1)]].concat());
    assert!(asked.starts_with("wait "), "{asked}");
    let (_, asked) = after(run(), [events, vec![Event::Observed(Seen::from(Observed::Absent))]].concat());
    assert!(asked.starts_with("wait "), "{asked}");
}

#[test]
fn a_server_that_does_not_keep_what_it_accepted_holds_the_tenant() {
    let events =
        [sent(), vec![answered(Outcome::Accepted(stored(4, 5, "us"))), Event::Saved, seen(4, 1)]].concat();
    let (held, asked) = after(run(), events);
    assert_eq!(asked, "Held");
    assert!(
        matches!(held.end(), Some(End::Held(Hold { reason, .. })) if reason.contains("greetings.delayMs"))
    );
}

#[test]
fn a_watched_tenant_is_reported_and_not_written() {
    let watched = |by: &str| {
        let observed = Event::Observed(Seen::from(Observed::Present(stored(3, 1, by))));
        let mut journal = Journal::default();
        journal.absorb(applied(0, 2));
        let asked_first = if by == "us" { vec![] } else { vec![Event::Entries(Entries::default())] };
        let events = [vec![Event::Begin, observed], asked_first, vec![Event::Proceed]].concat();
        after(run_with(0, Mode::Watch, journal), events).1
    };
    assert_eq!(watched("them"), "Drifted");
    assert_eq!(
        after(run_with(0, Mode::Watch, Journal::default()), vec![Event::Begin, seen(3, 1), Event::Proceed]).1,
        "OutOfSync"
    );
}

#[test]
fn a_run_without_changes_writes_nothing() {
    let mut journal = Journal::default();
    journal.absorb(applied(0, 3));
    assert_eq!(
        after(run_with(0, Mode::Enforce, journal), vec![Event::Begin, seen(3, 5), Event::Proceed]).1,
        "Synced"
    );
    // The first run only saves the base.
    let (_, asked) = after(run(), vec![Event::Begin, seen(3, 5), Event::Proceed]);
    assert_eq!(asked, "applied");
    assert_eq!(after(run(), vec![Event::Begin, seen(3, 5), Event::Proceed, Event::Saved]).1, "Synced");
}

#[test]
fn a_job_is_polled_its_copies_read_and_its_failures_written_directly() {
    let copied = |status: JobTargetStatus, ended: bool| Job {
        id: "job".into(),
        ended,
        targets: vec![JobTarget {
            organization: target(1).organization,
            status,
            version: Some(2),
            error: None,
        }],
    };
    let started = |job: Job| {
        vec![
            Event::Begin,
            seen(3, 5),
            seen(1, 1),
            Event::Proceed,
            Event::Saved,
            Event::JobAnswered(Outcome::Accepted(job)),
        ]
    };
    let replicated = || run_with(1, Mode::Enforce, Journal::default());
    assert_eq!(
        after(replicated(), started(copied(JobTargetStatus::Pending, false))[..5].to_vec()).1,
        "job to 1"
    );
    assert!(after(replicated(), started(copied(JobTargetStatus::Pending, false))).1.starts_with("wait "));
    assert_eq!(after(replicated(), started(copied(JobTargetStatus::Completed, false))).1, "observe org-1");
    let (failed, asked) = after(replicated(), started(copied(JobTargetStatus::Failed, true)));
    assert_eq!((asked.as_str(), failed.receipts.len()), ("resolved", 0));
    let repaired = [
        started(copied(JobTargetStatus::Failed, true)),
        vec![Event::Saved, seen(3, 5), seen(1, 1), Event::Saved],
    ]
    .concat();
    assert_eq!(after(replicated(), repaired).1, "write org-1 over Some(1)");
}

#[test]
fn a_reported_copy_stays_confirmed_after_another_user_overwrites_it() {
    let copied = Job {
        id: "job".into(),
        ended: false,
        targets: vec![JobTarget {
            organization: target(1).organization,
            status: JobTargetStatus::Completed,
            version: Some(2),
            error: None,
        }],
    };
    let gone = Fault::new(FaultKind::Denied, "403");
    let theirs = Event::Observed(Seen::from(Observed::Present(stored(3, 5, "them"))));
    let events = vec![
        Event::Begin,
        seen(3, 5),
        seen(1, 1),
        Event::Proceed,
        Event::Saved,
        Event::JobAnswered(Outcome::Accepted(copied)),
        seen(2, 5),
        Event::Woke,
        Event::Failed(gone),
        Event::Woke,
        seen(3, 5),
        theirs,
    ];
    let (resolved, asked) = after(run_with(1, Mode::Enforce, Journal::default()), events);
    assert_eq!(asked, "resolved");
    let owed: Vec<u64> = resolved.journal.0.owed.iter().map(|receipt| receipt.version).collect();
    assert_eq!(owed, [2]);
}

#[test]
fn an_event_out_of_place_changes_nothing() {
    let (begun, _) = after(run(), vec![Event::Begin]);
    let next = step(begun.clone(), Event::Saved, now());
    assert_eq!(next.run, begun);
    assert!(matches!(next.effects.as_slice(), [Effect::Report(Note::OutOfPlace { event: "saved" })]));
}

mod adopting;
mod cloud;
mod endings;
mod contents;
mod leaving;
mod rekeyed;
mod reverts;
