//! The pure core: one run of one tenant, as a state machine.
//!
//! In: a [`Run`], an [`Event`], the time. Out: the run after the event and the [`Effect`]s to perform. Never:
//! sends, waits, reads a clock, draws a random number, or depends on the order of a hash map. Only this
//! module knows the order of the stages. Start reading at [`step`]; a run repeats this cycle until nothing
//! differs, and every failure leads back to *read*:
//!
//! ```text
//!   settle old intents ──> read ──> plan ──> intend ──> write ──┐
//!                           ^                                   │ any answer, or none
//!                           └──────── wait, if needed <─────────┘
//!        nothing differs ──> keep as base ──> confirm in the audit log ──> settled
//! ```
//!
//! * One effect is performed at a time, so every point at which a crash can happen has a name. One effect may
//!   be several reads or several writes of unrelated objects: a crash may affect any subset of them.
//! * An intent is saved before its write leaves. If the answer is lost, genesync waits and then reads back.
//! * While an intent is unresolved and may still take effect, nothing is read for planning. If the server
//!   enforces versions, this avoids a conflict. If it does not, this keeps a late write of genesync from
//!   overwriting a newer one: otherwise the read for the newer write would come before the late write lands.

mod answering;
mod assessing;
mod confirming;
mod copying;
mod deciding;
mod end;
mod event;
mod judging;
mod keeping;
mod leaving;
mod note;
mod phase;
mod reading;
mod resolving;
mod reviewed;
mod seen;
mod spec;
mod standing;
mod stopping;
mod writing;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::author::Log;
use crate::model::record::{IntentId, Journal};
use crate::model::{
    Capabilities, Confirmation, Desired, Entry, Fault, Mode, Names, Object, ObjectKind, ObjectRef, Observed,
    OrganizationId, Plan, Receipt, Record, Reference, Refusal, Target,
};

use crate::model::Needs;
use crate::plan;
use crate::plan::guards::ObjectRefusals;
use crate::plan::guards::window::Opening;

/// The names of an organization before any are read.
static NO_NAMES: Names = Names::new();

use leaving::Failures;

pub use crate::model::Timing;
pub use end::{End, Hold, HoldCause, Wait};
pub use event::{AuditQuery, Effect, Entries, Event};
pub use note::Note;
pub use phase::{After, Copying, Made, Pending, Phase, ReadSpan, Tally, Tries, Waiting, Wrote};
pub use seen::Advance;
pub use spec::Spec;

/// One pass over one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// The specification.
    spec: Arc<Spec>,
    /// The phase.
    phase: Phase,
    /// The journal.
    journal: JournalState,
    /// How many reverts in the journal are from earlier runs.
    reverts_before: usize,
    /// Every object of every organization that is not left out, the primary's first.
    targets: Arc<[Target]>,
    /// Why organizations were left out.
    left_out: Vec<Fault>,
    /// How often reads of each organization failed since the last successful one.
    failures: BTreeMap<OrganizationId, Failures>,
    /// The references to look up by name in each organization.
    references: Arc<BTreeSet<Reference>>,
    /// Which objects of git refer to each other.
    needs: Arc<Needs>,
    /// The objects as read in this round, in the order of `targets`.
    observed: Vec<Observed>,
    /// The ids of the names that were looked up, by organization.
    names: BTreeMap<OrganizationId, Names>,
    /// The places that the next round reads alone, because only they were touched; empty if it reads
    /// everything.
    focus: Vec<usize>,
    /// The places that were read just now. If versions are not enforced, genesync writes only these and the
    /// places of `unlisted`.
    fresh: BTreeSet<usize>,
    /// The places of objects to be created that a listing did not contain, and the time of the listing: they
    /// are created without another listing while it is recent enough.
    unlisted: Option<(Timestamp, BTreeSet<usize>)>,
    /// When the current read was requested.
    asked_at: Option<Timestamp>,
    /// At most this many objects are read and written in parallel: fewer if reads take long, so that little
    /// time lies between a read and its write.
    width: usize,
    /// Ids and times of the writes of this run: an object may be readable only later.
    made: BTreeMap<ObjectRef, Made>,
    /// Objects that the platform still processes: they wait, and other objects continue.
    waiting: BTreeMap<ObjectRef, Waiting>,
    /// The measured time until an object of a kind is active, in ms: the next one is read after that time.
    active_ms: BTreeMap<(ObjectKind, Wrote), u64>,
    /// Configurations whose draft this run stored, with the published version at that time.
    drafted: BTreeMap<ObjectRef, u64>,
    /// Audit entries that show who changed what, by object.
    entries: BTreeMap<ObjectRef, Vec<Entry>>,
    /// Whether the audit log was queried for this round.
    attributed: bool,
    /// Whether the audit log was queried for the authors of changes.
    log: Log,
    /// Names of people by their ids, if they had to be looked up.
    people: BTreeMap<String, String>,
    /// The plan of this round.
    plan: Option<Arc<Plan>>,
    /// The places with new information since that plan was made; none if everything is new.
    stale: Option<BTreeSet<usize>>,
    /// The first plan of the run.
    first_plan: Option<Arc<Plan>>,
    /// Why the plan, or single objects of it, may not be applied.
    refusals: Vec<Refusal>,
    /// Whether the whole plan may not be applied.
    is_refused: bool,
    /// Objects that a guard refuses while the others may be written.
    guarded: ObjectRefusals,
    /// The change window that a write has to wait for.
    opens: Option<Opening>,
    /// Objects to which nothing more is written in this run, and why.
    stopped: BTreeMap<ObjectRef, End>,
    /// How often writes of an object failed since the last accepted one.
    failed: BTreeMap<ObjectRef, Tries>,
    /// Objects that differ from the reviewed plan, with the reason: they are not written.
    set_aside: BTreeMap<ObjectRef, String>,
    /// Receipts of the writes of this run, and of earlier writes that it found in force. Unconfirmed receipts
    /// of earlier runs are in the journal.
    receipts: Vec<Receipt>,
    /// Milliseconds from the write to the first matching read, by object.
    served_ms: BTreeMap<ObjectRef, u64>,
    /// The versions of the first plan.
    started_from: BTreeMap<ObjectRef, u64>,
    /// When each object or its draft was last changed before the run, by the server's clock: for the `cloud`
    /// dialect, whose audit entries name no versions.
    started_at: BTreeMap<ObjectRef, Timestamp>,
    /// Whether a replication job was tried.
    job_tried: bool,
    /// When the plan of this round was made.
    planned_at: Option<Timestamp>,
    /// The newest intent of earlier runs: those writes followed an earlier commit.
    earlier_intents: IntentId,
    /// Versions that this run wrote itself, which contain exactly the desired state.
    own_versions: BTreeSet<(ObjectRef, u64)>,
    /// Objects in which a write overwrote an unread change of another user: by a job, or by any write to a
    /// server that does not enforce versions.
    overwrote: BTreeSet<ObjectRef>,
    /// Versions that were published with more than genesync had stored, and the difference.
    mixed: BTreeMap<ObjectRef, String>,
    /// Whether the audit log was queried for the entries of receipts.
    proofs_log: Log,
    /// The result of that query.
    confirmation: Option<Confirmation>,
    /// Counters of exceptional outcomes.
    tally: Tally,
}

/// The journal in a form that can be hashed and compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalState(pub Journal);

impl std::hash::Hash for JournalState {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.unresolved.hash(state);
        self.0.bases.hash(state);
        self.0.baselines.hash(state);
        self.0.inherited.hash(state);
        self.0.rekeyed.hash(state);
        self.0.last_intent.hash(state);
        self.0.owed.hash(state);
        self.0.reverts.hash(state);
        self.0.proofs.hash(state);
    }
}

/// The run after an event, and what to do now: any number of reports, then at most one effect that an event
/// answers. Without such an effect the run is planned or settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The run.
    pub run: Run,
    /// What to do, in order.
    pub effects: Vec<Effect>,
}

impl Step {
    fn stop(run: Run) -> Self {
        Self { run, effects: Vec::new() }
    }

    /// Adds a report before everything else.
    fn noting(mut self, note: Note) -> Self {
        self.effects.insert(0, Effect::Report(note));
        self
    }

    fn noting_all(mut self, notes: Vec<Note>) -> Self {
        self.effects.splice(0..0, notes.into_iter().map(Effect::Report));
        self
    }
}

impl Run {
    /// Returns a run that has not begun.
    pub fn new(spec: Arc<Spec>, journal: Journal) -> Self {
        Self {
            targets: spec.targets().collect(),
            width: spec.timing.in_flight.max(1) as usize,
            reverts_before: journal.reverts.len(),
            left_out: Vec::new(),
            set_aside: BTreeMap::new(),
            stopped: BTreeMap::new(),
            failed: BTreeMap::new(),
            failures: BTreeMap::new(),
            references: Arc::new(plan::resolve::references(&spec.resources)),
            needs: Arc::new(Needs::of(&spec.resources)),
            spec,
            phase: Phase::Fresh,
            observed: Vec::new(),
            names: BTreeMap::new(),
            focus: Vec::new(),
            fresh: BTreeSet::new(),
            unlisted: None,
            asked_at: None,
            made: BTreeMap::new(),
            waiting: BTreeMap::new(),
            active_ms: BTreeMap::new(),
            drafted: BTreeMap::new(),
            entries: BTreeMap::new(),
            attributed: false,
            log: Log::NotAsked,
            people: BTreeMap::new(),
            plan: None,
            stale: None,
            first_plan: None,
            refusals: Vec::new(),
            is_refused: false,
            guarded: ObjectRefusals::new(),
            opens: None,
            receipts: Vec::new(),
            served_ms: BTreeMap::new(),
            started_from: BTreeMap::new(),
            started_at: BTreeMap::new(),
            job_tried: false,
            planned_at: None,
            earlier_intents: journal.last_intent,
            own_versions: BTreeSet::new(),
            overwrote: BTreeSet::new(),
            mixed: BTreeMap::new(),
            proofs_log: Log::NotAsked,
            confirmation: None,
            tally: Tally::default(),
            journal: JournalState(journal),
        }
    }

    fn place_of(&self, target: &Target) -> Option<usize> {
        self.place(&target.organization, &target.object)
    }

    /// The place of an object among the targets.
    fn place(&self, organization: &OrganizationId, object: &Object) -> Option<usize> {
        let at = self.needs.place_of(object)?;
        let of_each = self.spec.resources.len().max(1);
        let mut sides = self.targets.iter().step_by(of_each);
        Some(sides.position(|first| first.organization == *organization)? * of_each + at)
    }

    /// Adds a record to the journal, as the store does.
    fn absorb(&mut self, record: &Record) {
        if let Record::Applied { object, .. } | Record::Baseline { object, .. } = record {
            self.stale_at(self.place(&object.organization, &object.object));
        }
        self.journal.0.absorb(record.clone());
    }

    /// Records new information about the n-th target.
    fn stale_at(&mut self, at: Option<usize>) {
        if let (Some(stale), Some(at)) = (&mut self.stale, at) {
            stale.insert(at);
        }
    }

    /// The places of the organization that the n-th target belongs to.
    fn side(&self, index: usize) -> std::ops::Range<usize> {
        let of_each = self.spec.resources.len().max(1);
        let from = index - index % of_each;
        from..(from + of_each).min(self.targets.len())
    }

    /// The desired state of the n-th target, with ids in place of names.
    fn desired(&self, index: usize) -> Cow<'_, Desired> {
        let side = self.side(index);
        let nothing = &NO_NAMES;
        let names = self.targets.get(index).and_then(|target| self.names.get(&target.organization));
        let known = plan::resolve::Organization {
            resources: &self.spec.resources,
            observed: self.observed.get(side.start..side.end.min(self.observed.len())).unwrap_or_default(),
            names: names.unwrap_or(nothing),
        };
        let desired = plan::resolve::desired(index - side.start, known).0;
        let (Some(target), Some(observed)) = (self.targets.get(index), self.observed.get(index)) else {
            return desired;
        };
        let baseline = self.journal.0.baseline(&target.object_ref());
        let policy = self.spec.tenant.policy.unmanaged;
        plan::unmanaged::named(policy, target.object.kind, desired, observed, baseline.as_deref())
    }

    /// The capabilities of the API of its organizations.
    fn able(&self) -> &'static Capabilities {
        self.spec.tenant.dialect.capabilities()
    }

    fn go(mut self, phase: Phase, effect: Effect) -> Step {
        self.phase = phase;
        Step { run: self, effects: vec![effect] }
    }

    fn settle(mut self, end: End) -> Step {
        self.phase = Phase::Settled(self.of_every_region(end));
        Step::stop(self)
    }

    /// Ends the run on a fault, and reports it.
    fn degrade(self, fault: Fault) -> Step {
        self.settle(End::Degraded(fault.clone())).noting(Note::GaveUp { fault })
    }
}

/// Processes one event.
pub fn step(run: Run, event: Event, now: Timestamp) -> Step {
    let mut step = taken_in(run, event, now);
    if matches!(step.run.phase, Phase::Reading(_)) {
        step.run.asked_at = Some(now);
    }
    step
}

fn taken_in(mut run: Run, event: Event, now: Timestamp) -> Step {
    let phase = std::mem::replace(&mut run.phase, Phase::Fresh);
    match (phase, event) {
        (Phase::Settled(end), _) => run.settle(end),
        (_, Event::Cancelled) => {
            let advance = run.advance();
            run.settle(End::Cancelled(advance))
        }
        // Open intents stay in the journal: the holder of the lease waits and reads them back.
        (_, Event::LeaseLost) => run.settle(End::LeaseLost),
        (Phase::Intending(pending), Event::Superseded) => {
            run.withdraw(&pending);
            run.settle(End::Superseded)
        }
        (Phase::Intending(pending), Event::Refused(refusals)) => {
            run.withdraw(&pending);
            run.settle(End::Refused(refusals))
        }
        (Phase::Intending(pending), Event::Woke) => run.intend_again(&pending, now),
        (Phase::Waiting | Phase::Planned, Event::Superseded) => run.settle(End::Superseded),
        (Phase::Fresh, Event::Begin) => run.begin(now),
        (Phase::Settling | Phase::Waiting, Event::Woke) => run.read_again(),
        (Phase::Reading(span), Event::Observed(seen)) => run.take_in(span, seen, now),
        (Phase::Reading(span), Event::Failed(fault)) => run.read_failed(span.from, fault, now),
        (Phase::Resolving, Event::Saved) => run.assess(now),
        (Phase::Attributing, Event::Entries(page)) => run.attributed(page, now),
        (Phase::Attributing, Event::Failed(fault)) => run.not_attributed(fault, now),
        (Phase::Planned, Event::Proceed) => run.proceed_if_fresh(now),
        (Phase::Planned, Event::HeldBack(wave)) => run.hold_back(wave, now),
        (Phase::Fresh | Phase::Planned, Event::Refused(refusals)) => run.settle(End::Refused(refusals)),
        (Phase::Intending(pending), Event::Saved) => run.send(pending),
        (Phase::Sending(Pending::Puts(writes)), Event::Answered(outcomes)) => {
            run.answered(writes, outcomes, now)
        }
        (Phase::Sending(Pending::Job(intent, start, seen)), Event::JobAnswered(outcome)) => {
            run.job_answered(start, seen, intent, outcome, now)
        }
        (Phase::Closing(after), Event::Saved) => run.closed(after, now),
        (Phase::Polling(copying), Event::Woke) => run.poll(copying),
        (Phase::Polling(copying), Event::Job(job)) => run.polled(Copying { job, ..copying }, now),
        (Phase::Polling(copying), Event::Failed(fault)) => run.poll_failed(copying, &fault, now),
        (Phase::ReadingCopy(copying, index), Event::Observed(seen)) => {
            run.copy_read(copying, index, &seen, now)
        }
        (Phase::ReadingCopy(copying, _), Event::Failed(_)) => run.next_poll(copying, now),
        (Phase::Keeping, Event::Saved) => run.kept(now),
        (Phase::Confirming { attempt, deadline }, Event::Woke) => run.query(attempt, deadline, now),
        (Phase::Confirming { attempt, deadline }, Event::Entries(page)) => {
            run.confirmed(attempt, deadline, page, now)
        }
        (Phase::Confirming { attempt, deadline }, Event::Failed(fault)) => {
            run.confirm_failed(attempt, deadline, fault, now)
        }
        (Phase::Witnessing { attempt, deadline }, Event::Saved) => run.witnessed(attempt, deadline, now),
        // The store failed: without a durable intent no write leaves, and without a durable result the next
        // run waits and reads the intent back.
        (
            Phase::Resolving
            | Phase::Intending(_)
            | Phase::Closing(_)
            | Phase::Keeping
            | Phase::Witnessing { .. },
            Event::Failed(fault),
        ) => run.degrade(fault),
        (phase, event) => {
            run.phase = phase;
            let note = Note::OutOfPlace { event: event.name() };
            Step::stop(run).noting(note)
        }
    }
}

impl Run {
    /// Whether genesync may write for this tenant.
    fn may_write(&self) -> bool {
        self.spec.tenant.mode == Mode::Enforce
    }
}

#[cfg(test)]
mod tests;
