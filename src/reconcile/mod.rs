//! The pure core: one run of one tenant, as a state machine.
//!
//! In: a [`Run`], an [`Event`], the time. Out: the run after it and the [`Effect`]s to perform. Never:
//! sends, waits, reads a clock, draws a random number, or depends on the order of a hash map.
//! It alone knows the order of the stages. Start reading at [`step`]; a run goes round this circle until
//! nothing differs, and everything that could go wrong leads back to *read*:
//!
//! ```text
//!   settle old intents ──> read ──> plan ──> intend ──> write ──┐
//!                           ^                                   │ any answer, or none
//!                           └──────── wait, where asked to <────┘
//!        nothing differs ──> keep as base ──> confirm in the audit log ──> settled
//! ```
//!
//! * One effect is performed at a time, so every point at which a crash can hit has a name. A look may be several reads, and
//!   a write several requests, about objects that do not refer to each other: a crash hits any subset of them.
//! * An intent is saved before its write leaves. An answer that was lost is waited out and read back.
//! * While an intent is unresolved and may still take effect, nothing is read for planning. Where the server
//!   refuses a stale version this saves a conflict. Where it does not, it is what keeps a late write of ours from
//!   going over a newer one: the read that the newer one is made from would come before the late one lands.

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

/// Where nothing was looked up.
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
    /// What it is about.
    spec: Arc<Spec>,
    /// Where it is.
    phase: Phase,
    /// What the journal holds.
    journal: JournalState,
    /// How much of what it says was set back earlier runs did.
    reverts_before: usize,
    /// Every object of every organization that is not left out, the primary's first.
    targets: Arc<[Target]>,
    /// Why organizations were left out.
    left_out: Vec<Fault>,
    /// How often reads of each organization failed since the last one that did not.
    failures: BTreeMap<OrganizationId, Failures>,
    /// What has to be looked up by name in each organization.
    references: Arc<BTreeSet<Reference>>,
    /// Which objects of git hang together.
    needs: Arc<Needs>,
    /// What was read in this round, in the order of `targets`.
    observed: Vec<Observed>,
    /// What goes by the names that were looked up, by organization.
    names: BTreeMap<OrganizationId, Names>,
    /// The places of those that the next round reads alone, because nothing else was touched; none where it reads all.
    focus: Vec<usize>,
    /// The places of what was read a moment ago. Where the server holds no write against a version, a write
    /// leaves for no other, but for what `unlisted` has.
    fresh: BTreeSet<usize>,
    /// The places of objects that are to be made and that a listing did not show, and when it was asked for: they are made without
    /// another one as long as a plan made then is good for a write.
    unlisted: Option<(Timestamp, BTreeSet<usize>)>,
    /// When what is being read was asked for.
    asked_at: Option<Timestamp>,
    /// At most so many objects are looked at and written side by side: fewer where looks take long, because then as long
    /// lies between a look and its write.
    width: usize,
    /// Ids and moments of what this run made: an object may be readable later than that.
    made: BTreeMap<ObjectRef, Made>,
    /// What the platform is not done with: it stands back, and other objects go on.
    waiting: BTreeMap<ObjectRef, Waiting>,
    /// How long the platform took for an object of a kind, at most: the next one is looked at after that.
    active_ms: BTreeMap<(ObjectKind, Wrote), u64>,
    /// Configurations whose draft this run stored, with the version that was published then.
    drafted: BTreeMap<ObjectRef, u64>,
    /// Audit entries that tell who moved what, by object.
    entries: BTreeMap<ObjectRef, Vec<Entry>>,
    /// Whether the audit log was asked about what was read in this round.
    attributed: bool,
    /// Whether the audit log was asked who moved what.
    log: Log,
    /// Names of people by their ids, as far as they had to be looked up.
    people: BTreeMap<String, String>,
    /// The plan of this round.
    plan: Option<Arc<Plan>>,
    /// The places of objects of which something other is known than that plan was made from; none where that is so of all.
    stale: Option<BTreeSet<usize>>,
    /// The plan as it was first made: what the run set out to do.
    first_plan: Option<Arc<Plan>>,
    /// Why the plan, or single objects of it, may not be applied.
    refusals: Vec<Refusal>,
    /// Whether it may not be applied at all.
    is_refused: bool,
    /// Objects that may not be written, while the others are.
    guarded: ObjectRefusals,
    /// The change window that a write has to wait for.
    opens: Option<Opening>,
    /// Objects to which nothing more is written in this run, and why.
    stopped: BTreeMap<ObjectRef, End>,
    /// How often writes of an object came to nothing since the last one that was accepted.
    failed: BTreeMap<ObjectRef, Tries>,
    /// Objects that are not what was reviewed, and why: nothing is written to them.
    set_aside: BTreeMap<ObjectRef, String>,
    /// Proof of what this run wrote, or found to have been written. What earlier runs still owe the audit log is
    /// in the journal.
    receipts: Vec<Receipt>,
    /// Milliseconds from asking to serving, by organization.
    served_ms: BTreeMap<ObjectRef, u64>,
    /// The versions that the first plan saw.
    started_from: BTreeMap<ObjectRef, u64>,
    /// When each object was last changed then, by the server's clock, its draft included: in the `cloud` dialect, whose
    /// audit entries name no versions.
    started_at: BTreeMap<ObjectRef, Timestamp>,
    /// Whether a replication job was tried.
    job_tried: bool,
    /// When the plan of this round was made.
    planned_at: Option<Timestamp>,
    /// The newest intent of earlier runs: what they wrote was meant for what git said then.
    earlier_intents: IntentId,
    /// Versions that this run wrote itself, so as to hold exactly what it wants.
    own_versions: BTreeSet<(ObjectRef, u64)>,
    /// Objects where a write of ours went over somebody's change that it had not seen: a job, or any write
    /// to a server that does not enforce versions.
    overwrote: BTreeSet<ObjectRef>,
    /// Versions of ours that were published with more than we had stored, and what that was.
    mixed: BTreeMap<ObjectRef, String>,
    /// Whether the audit log was asked for the entries of receipts.
    proofs_log: Log,
    /// What it said.
    confirmation: Option<Confirmation>,
    /// How often things went other than planned.
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

/// The run after an event, and what is to be done now: any number of reports, then at most one effect that
/// will be answered by an event. No such effect: the run is planned or settled.
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

    /// Puts a report before everything else.
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
    /// A run that has not begun.
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

    /// Takes a record in, as the store does.
    fn absorb(&mut self, record: &Record) {
        if let Record::Applied { object, .. } | Record::Baseline { object, .. } = record {
            self.stale_at(self.place(&object.organization, &object.object));
        }
        self.journal.0.absorb(record.clone());
    }

    /// Remembers that something other is known of the n-th target.
    fn stale_at(&mut self, at: Option<usize>) {
        if let (Some(stale), Some(at)) = (&mut self.stale, at) {
            stale.insert(at);
        }
    }

    /// Everything of one organization that the n-th target belongs to.
    fn side(&self, index: usize) -> std::ops::Range<usize> {
        let of_each = self.spec.resources.len().max(1);
        let from = index - index % of_each;
        from..(from + of_each).min(self.targets.len())
    }

    /// What git says of the n-th target, with ids in place of names.
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

    /// What the API of its organizations can do.
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

    /// Ends the run on a fault, and says so.
    fn degrade(self, fault: Fault) -> Step {
        self.settle(End::Degraded(fault.clone())).noting(Note::GaveUp { fault })
    }
}

/// Takes one event in.
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
        // Whatever was open stays so in the journal: whoever holds the lease waits it out and reads it back.
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
        // The store failed: without a durable intent no write leaves, and without a durable end the intent
        // is waited out and read back by the next run.
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
