//! A model of the platform, of git and of the store around the real core, small enough to be explored
//! completely.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use genesync::model::plan::{Drafts, Limits};
use genesync::model::record::Journal;
use genesync::model::write::{Job, JobTarget, JobTargetStatus};
use genesync::model::{
    Dialect, Fault, FaultKind, Memory, Mode, ObjectRef, Observed, Outcome, Receipt, Record, Resource,
    Revision, Stored, Tenant, TenantName, Versions, Write,
};
use genesync::plan;
use genesync::reconcile::{Effect, End, Entries, Event, Pending, Phase, Run, Spec, Timing};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use stateright::{Model, Property};

use crate::bounds::{Budget, Guards, Witnesses};
use crate::cloud::{self, Cloud};
use crate::moves::{Move, Odd, requests};
use crate::shared::{Lines, Shared, Word, digest, hear};
use crate::webchat::{self, Maker, Organization, content, desired, index, target};

pub const BLIND: &str = "no write overwrites an edit that it has not seen";
pub const UNTOLD: &str = "an overwritten edit is reported";
pub const OWN: &str = "no write of ours overwrites a newer one of ours";
pub const TRAVEL: &str = "what an older commit says never replaces what a newer one says";
pub const RECEIPT: &str = "every version of ours has a receipt";
pub const TOKEN: &str = "only the holder of the newest token writes the journal";
pub const WAITS: &str = "a run that has to wait, or is refused, writes nothing";
pub const DOUBLE: &str = "nothing is made twice";
pub const HEALS: &str = "from here it heals and falls silent";

/// The subject of an exploration, and its bounds.
#[derive(Debug, Clone)]
pub struct Toy {
    pub dialect: Dialect,
    /// Organizations of the tenant: the primary and its replicas.
    pub organizations: usize,
    /// Pairs of the `cloud` dialect: this many writes are under way at once.
    pub pairs: usize,
    /// Processes that share the work.
    pub processes: usize,
    pub versions: Versions,
    pub budget: Budget,
    pub guards: Guards,
    pub witnesses: Arc<Witnesses>,
    /// Whether a world heals and is accounted for, by its state without processes.
    judged: Arc<Mutex<HashMap<u64, (bool, bool)>>>,
}

impl Toy {
    pub fn new(organizations: usize, processes: usize, versions: Versions, budget: Budget) -> Self {
        Self {
            dialect: Dialect::Webchat,
            organizations,
            pairs: 1,
            processes,
            versions,
            budget,
            guards: Guards::ALL,
            witnesses: Arc::default(),
            judged: Arc::default(),
        }
    }

    /// One organization of the `cloud` dialect.
    pub fn cloud(processes: usize, budget: Budget) -> Self {
        let versions = Dialect::Cloud.capabilities().versions;
        Self { dialect: Dialect::Cloud, ..Self::new(1, processes, versions, budget) }
    }

    /// The same with several pairs, which are written in parallel.
    pub fn of_pairs(pairs: usize, processes: usize, budget: Budget) -> Self {
        Self { pairs, ..Self::cloud(processes, budget) }
    }

    fn is_cloud(&self) -> bool {
        self.dialect == Dialect::Cloud
    }
}

/// The state of the lease that a run began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lease {
    Held,
    /// It expired, and no process has taken it: its token is still the newest.
    Expired,
    /// Another process has taken it, with a newer token.
    Taken,
}

/// A working process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Working {
    lease: Lease,
    run: Shared<Run>,
    asked: Shared<Effect>,
    /// Git was asked once more and has no newer commit: the intent may be stored.
    checked: bool,
    /// The journal's length when the run read it, or when it stored its newest intent. The run waits for
    /// everything that is open up to there at once.
    line: usize,
    /// The deadline of the next write is past.
    expired: bool,
    /// The driver's answer once the run has a plan.
    word: Word,
}

/// A request that is delayed on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Late {
    request: Shared<Effect>,
    seen: Option<u64>,
    line: usize,
}

/// Whether another user's edit is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Gone {
    Nothing,
    Untold,
    Reported,
}

/// One state of the whole model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Everything {
    organizations: Shared<Vec<Organization>>,
    /// Replaces the organizations in the `cloud` dialect.
    cloud: Shared<Cloud>,
    /// The journal on the disk.
    records: Lines,
    /// The newest is last; at most one has the newest token.
    working: Vec<Working>,
    late: Option<Late>,
    commit: u64,
    left: Budget,
    gone: Gone,
    blind: bool,
    over_own: bool,
    doubled: bool,
    travelled: bool,
    intruded: bool,
    /// A run wrote although it had to wait or was refused.
    overheard: bool,
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap_or_default()
}

/// Returns a time past every deadline of the audit log.
fn much_later() -> Timestamp {
    now() + SignedDuration::from_hours(1)
}

fn lost() -> Fault {
    Fault::new(FaultKind::Transient, "lost")
}

fn journal(records: &[Record]) -> Journal {
    let mut journal = Journal::default();
    records.iter().cloned().for_each(|record| journal.absorb(record));
    journal
}

impl Everything {
    /// Returns what is needed to read a counterexample: the platform, and the journal line by line.
    pub fn trail(&self) -> (&Cloud, Vec<String>) {
        let line = |record: &Record| match record {
            Record::Intent(intent) => format!("intent {}: {:?}", intent.id, intent.action),
            other => format!("{other:?}"),
        };
        (&self.cloud, self.records.iter().map(line).collect())
    }

    /// Executes a write of ours.
    fn store(&mut self, at: usize, body: Map<String, Value>, seen: Option<u64>, maker: Maker) -> u64 {
        let organization = &self.organizations[at];
        let unseen = organization.versions.get(seen.unwrap_or(0) as usize..).unwrap_or_default();
        if unseen.contains(&Maker::Person) && self.gone == Gone::Nothing {
            self.gone = Gone::Untold;
        }
        self.over_own |= unseen.iter().any(|maker| *maker != Maker::Person);
        self.travelled |= content(&organization.body) > content(&body);
        self.organizations.change(|organizations| {
            organizations[at].body = body;
            organizations[at].versions.push(maker);
        });
        self.organizations[at].version()
    }

    /// Returns whether every intent in the journal has an outcome and no request is under way.
    fn is_closed(&self) -> bool {
        self.late.is_none() && journal(&self.records).unresolved.is_empty()
    }
}

impl Toy {
    fn spec(&self, commit: u64, drafts: Drafts) -> Spec {
        Spec {
            tenant: Tenant {
                name: TenantName::new("acme"),
                dialect: self.dialect,
                primary: target(0),
                replicas: (1..self.organizations).map(target).collect(),
                mode: Mode::Enforce,
                wave: 0,
                windows: Vec::new(),
                ignore: Vec::new(),
                protected: Default::default(),
                policy: Default::default(),
                owners: Vec::new(),
            },
            revision: Revision::new(format!("r{commit}")),
            resources: match self.dialect {
                Dialect::Webchat => vec![Resource::implied(desired(commit))],
                Dialect::Cloud => cloud::resources(commit, self.pairs),
            },
            limits: Limits { drafts, ..Limits::default() },
            precedents: Default::default(),
            memory: Memory::None,
            noticed: Vec::new(),
            timing: Timing::default(),
            versions: self.versions,
            own_clients: BTreeSet::from(["us".to_owned()]),
            reviewed: None,
            is_exact: false,
            seed: 0,
        }
    }

    fn begin(&self, state: &mut Everything, commit: u64, drafts: Drafts, word: Word) -> Option<End> {
        for other in &mut state.working {
            other.lease = Lease::Taken;
            self.witnesses.saw("a takeover");
        }
        let run = Shared::new(Run::new(Arc::new(self.spec(commit, drafts)), journal(&state.records)));
        let heard = hear(&run, Event::Begin, self.passed_on(word), (now(), false));
        if let Some((run, asked)) = heard.next {
            let line = state.records.len();
            let lease = Lease::Held;
            state.working.push(Working { lease, run, asked, checked: false, line, expired: false, word });
        }
        heard.ended
    }

    fn passed_on(&self, word: Word) -> Word {
        if self.guards.word { word } else { Word::Proceed }
    }

    /// Feeds an event and keeps the effect that the core asks for; a settled run leaves room for the next.
    fn hear(&self, state: &mut Everything, at: usize, event: Event) -> Option<End> {
        let working = &mut state.working[at];
        // Its second read of the log is past the deadline, so that the wait ends.
        let is_late = match working.run.phase() {
            Phase::Confirming { attempt, .. } => *attempt > 0 || event == Event::Entries(Entries::default()),
            _ => false,
        };
        let now = if is_late { much_later() } else { now() };
        let heard = hear(&working.run, event, self.passed_on(working.word), (now, is_late));
        match heard.ended {
            Some(End::Waiting(_)) => self.witnesses.saw("a run waits for a lower wave"),
            Some(End::Refused(_)) => self.witnesses.saw("a run is refused"),
            _ => {}
        }
        assert!(!heard.out_of_place, "out of place in {:?}", working.run.phase());
        if heard.reported && state.gone == Gone::Untold {
            state.gone = Gone::Reported;
        }
        match heard.next {
            Some((run, asked)) => {
                (working.run, working.asked, working.checked) = (run, asked, false);
            }
            None => drop(state.working.remove(at)),
        }
        heard.ended
    }

    /// Executes a PUT. The server checks the version; that check is a guard.
    fn put(&self, state: &mut Everything, write: &Write) -> Outcome<Stored> {
        if self.is_cloud() {
            return self.put_there(state, write);
        }
        let at = index(&write.target);
        let current = write.if_match.unwrap_or(0) == state.organizations[at].version();
        if !current {
            if self.versions == Versions::Enforced && self.guards.if_match {
                self.witnesses.saw("a conflict");
                return Outcome::Conflict;
            }
            self.witnesses.saw("an edit is overwritten");
            state.blind |= self.versions == Versions::Enforced;
        }
        let kept =
            if self.guards.memory { (*write.body).clone() } else { state.organizations[at].body.clone() };
        state.store(at, kept, write.if_match, Maker::Put);
        match state.organizations[at].observed() {
            Observed::Present(stored) => Outcome::Accepted(stored),
            Observed::Absent => Outcome::Conflict,
        }
    }

    /// Executes one of the three writes of the `cloud` dialect.
    fn put_there(&self, state: &mut Everything, write: &Write) -> Outcome<Stored> {
        let (mut stored, mut damage) = (None, cloud::Damage::default());
        if self.guards.memory {
            state.cloud.change(|cloud| (stored, damage) = cloud.write(write));
        } else {
            (stored, _) = Cloud::clone(&state.cloud).write(write);
        }
        if damage.over_theirs {
            self.witnesses.saw("an edit is overwritten");
            if state.gone == Gone::Nothing {
                state.gone = Gone::Untold;
            }
        }
        state.over_own |= damage.over_ours;
        state.travelled |= damage.travelled;
        state.doubled |= damage.doubled;
        stored.map_or(Outcome::Conflict, Outcome::Accepted)
    }

    /// Executes a job: it copies the primary's configuration over the replica.
    fn copy(&self, state: &mut Everything, seen: Option<u64>) -> Job {
        let source = state.organizations[0].body.clone();
        let version = state.store(1, source, seen, Maker::Job);
        if version != seen.unwrap_or(0) + 1 {
            self.witnesses.saw("an edit is overwritten");
        }
        let copied = JobTarget {
            organization: target(1).organization,
            status: JobTargetStatus::Completed,
            version: Some(version),
            error: None,
        };
        Job { id: "job".into(), ended: true, targets: vec![copied] }
    }

    fn execute(&self, state: &mut Everything, request: &Effect, seen: Option<u64>) -> Option<Event> {
        match request {
            Effect::Write(writes) => {
                let outcomes = writes.iter().map(|write| self.put(state, write)).collect::<Vec<_>>();
                if outcomes.len() > 1 {
                    self.witnesses.saw("a batch");
                }
                Some(Event::Answered(outcomes))
            }
            Effect::StartJob(_) => Some(Event::JobAnswered(Outcome::Accepted(self.copy(state, seen)))),
            _ => None,
        }
    }

    /// Performs an effect without a fault. None if it is not done yet.
    fn perform(&self, state: &mut Everything, at: usize) -> Option<Event> {
        let working = state.working[at].clone();
        match &*working.asked {
            Effect::Observe(look) if self.is_cloud() => Some(Event::Observed(state.cloud.look(look))),
            Effect::Observe(look) => {
                Some(Event::Observed(state.organizations[index(&look.target)].observed().into()))
            }
            Effect::Save(records) => self.save(state, at, records),
            // A paused process does not send a write whose deadline has passed.
            Effect::Write(writes) if working.expired => {
                Some(Event::Answered(vec![Outcome::Unsent(lost()); writes.len()]))
            }
            Effect::StartJob(_) if working.expired => Some(Event::JobAnswered(Outcome::Unsent(lost()))),
            Effect::Write(_) | Effect::StartJob(_) => {
                state.overheard |= working.word != Word::Proceed;
                self.execute(state, &working.asked, seen(&working.run))
            }
            Effect::ReadAudit(_) => {
                let entries = if self.is_cloud() {
                    state.cloud.entries()
                } else {
                    webchat::entries(&state.organizations)
                };
                Some(Event::Entries(Entries { entries, ..Entries::default() }))
            }
            Effect::WakeAt(_) => {
                if *working.run.phase() == Phase::Settling && self.guards.quarantine {
                    self.wait_out(state, at);
                }
                Some(Event::Woke)
            }
            Effect::PollJob { .. } | Effect::Report(_) => None,
        }
    }

    /// The store: git is asked before an intent is stored, and an old token is refused.
    fn save(&self, state: &mut Everything, at: usize, records: &[Record]) -> Option<Event> {
        let working = &mut state.working[at];
        if matches!(working.run.phase(), Phase::Intending(_)) && !working.checked && self.guards.recheck {
            if working.run.spec().revision != Revision::new(format!("r{}", state.commit)) {
                self.witnesses.saw("a run is superseded");
                return Some(Event::Superseded);
            }
            // Git may get a commit between the question and the record.
            if state.left.commits > 0 {
                working.checked = true;
                return None;
            }
        }
        if working.lease == Lease::Taken {
            if self.guards.fence {
                self.witnesses.saw("an old token is refused");
                return Some(Event::LeaseLost);
            }
            state.intruded = true;
        }
        let kept = |record: &&Record| self.guards.intent || !matches!(record, Record::Intent(_));
        let kept: Vec<Record> = records.iter().filter(kept).cloned().collect();
        state.records.change(|lines| lines.extend(kept));
        if records.iter().any(|record| matches!(record, Record::Intent(_))) {
            (working.line, working.expired) = (state.records.len(), false);
        }
        Some(Event::Saved)
    }

    /// Waits until the deadline of everything that the run knew to be open: delayed requests no longer
    /// arrive, and unsent ones are no longer sent.
    fn wait_out(&self, state: &mut Everything, at: usize) {
        let line = state.working[at].line;
        state.late.take_if(|late| late.line <= line);
        for (_, other) in state.working.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            let about_to_send = matches!(*other.asked, Effect::Write(_) | Effect::StartJob(_));
            if about_to_send && other.line <= line {
                self.witnesses.saw("a write is too late to leave");
                other.expired = self.guards.deadline;
            }
        }
    }

    /// Returns the event of a request whose n-th write gets no answer; the other writes of its batch are
    /// performed.
    fn unanswered(&self, state: &mut Everything, effect: &Effect, nth: usize, odd: Odd) -> Event {
        let Effect::Write(writes) = effect else {
            return match effect {
                Effect::StartJob(_) => Event::JobAnswered(Outcome::Unknown(lost())),
                _ => Event::Failed(lost()),
            };
        };
        let answer = |(at, write): (usize, &Write)| match odd {
            _ if at != nth => self.put(state, write),
            Odd::Throttled => Outcome::Throttled { retry_after_ms: Some(0) },
            Odd::Lost | Odd::Gone => {
                if odd == Odd::Lost {
                    self.put(state, write);
                }
                if self.guards.read_back { Outcome::Unknown(lost()) } else { Outcome::Unsent(lost()) }
            }
        };
        Event::Answered(writes.iter().enumerate().map(answer).collect())
    }

    /// Judges a world without its processes: whether it heals, and whether every version of ours is accounted
    /// for.
    fn judge(&self, state: &Everything) -> (bool, bool) {
        let key = digest(&(&state.organizations, &state.cloud, &state.records, &state.late, state.commit));
        if let Some(known) = self.judged.lock().unwrap().get(&key) {
            return *known;
        }
        let judged = (self.heals(state), !state.is_closed() || self.accounted(state));
        self.judged.lock().unwrap().insert(key, judged);
        judged
    }

    /// Checks that, with faults off, a few runs end in sync with everything proved, and that one more run
    /// writes nothing.
    fn heals(&self, state: &Everything) -> bool {
        let mut state = Everything { working: Vec::new(), left: Budget::default(), ..state.clone() };
        if let Some(late) = state.late.take() {
            self.execute(&mut state, &late.request, late.seen);
        }
        let mut status = None;
        for drafts in self.quiet() {
            status = self.run_quietly(&mut state, *drafts);
        }
        let wanted = desired(state.commit);
        let in_sync = |organization: &Organization| {
            let observed = organization.observed();
            plan::diff::changes(
                genesync::model::ObjectKind::IMPLIED,
                &wanted,
                &observed,
                &plan::Evidence::default(),
            )
            .0
            .is_empty()
        };
        let before = (state.organizations.clone(), state.cloud.clone(), state.records.clone());
        let again = self.run_quietly(&mut state, Drafts::Refuse);
        let in_sync = match self.dialect {
            Dialect::Webchat => state.organizations.iter().all(in_sync),
            Dialect::Cloud => state.cloud.serves(state.commit),
        };
        status == Some(End::Synced)
            && again == status
            && in_sync
            && before == (state.organizations, state.cloud, state.records)
    }

    /// The operator's decision about drafts of people in each of the healing runs.
    fn quiet(&self) -> &'static [Drafts] {
        match self.dialect {
            Dialect::Webchat => &[Drafts::Refuse; 3],
            Dialect::Cloud => &[Drafts::Refuse, Drafts::Refuse, Drafts::Adopt, Drafts::Adopt, Drafts::Adopt],
        }
    }

    fn run_quietly(&self, state: &mut Everything, drafts: Drafts) -> Option<End> {
        let commit = state.commit;
        let mut ended = self.begin(state, commit, drafts, Word::Proceed);
        for _ in 0..200 {
            if state.working.is_empty() {
                return ended;
            }
            if let Some(event) = self.perform(state, 0) {
                ended = self.hear(state, 0, event);
            }
        }
        None
    }
}

/// Returns the version from which the current write was planned.
fn seen(run: &Run) -> Option<u64> {
    match &run.phase() {
        Phase::Sending(Pending::Job(_, _, seen)) => seen.first().copied().flatten(),
        _ => None,
    }
}

impl Toy {
    fn accounted(&self, state: &Everything) -> bool {
        if !self.is_cloud() {
            return webchat::accounted(&state.organizations, &receipts(state));
        }
        let receipts = receipts(state);
        let kept =
            |object: &ObjectRef, version| receipts.iter().any(|receipt| receipt.speaks_of(object, version));
        state.cloud.ours().iter().all(|(object, version)| kept(object, *version))
    }
}

fn receipts(state: &Everything) -> Vec<&Receipt> {
    let found = state.records.iter().filter_map(|record| match record {
        Record::Resolved { receipts, .. } => Some(receipts),
        _ => None,
    });
    found.flatten().collect()
}

impl Model for Toy {
    type State = Everything;
    type Action = Move;

    fn init_states(&self) -> Vec<Everything> {
        vec![Everything {
            organizations: Shared::new(vec![Organization::default(); self.organizations]),
            cloud: Shared::new(Cloud::of(if self.is_cloud() { self.pairs } else { 0 })),
            records: Shared::new(Vec::new()),
            working: Vec::new(),
            late: None,
            commit: 1,
            left: self.budget,
            gone: Gone::Nothing,
            blind: false,
            over_own: false,
            doubled: false,
            travelled: false,
            intruded: false,
            overheard: false,
        }]
    }

    fn actions(&self, state: &Everything, moves: &mut Vec<Move>) {
        let left = &state.left;
        if left.edits > 0 {
            let ways = if self.is_cloud() { cloud::DEEDS * self.pairs } else { self.organizations };
            moves.extend((0..ways).map(Move::Edit));
        }
        if left.commits > 0 {
            moves.push(Move::Commit);
        }
        if state.late.is_some() {
            moves.push(Move::Arrive);
        }
        let is_free = state.working.iter().all(|working| working.lease != Lease::Held);
        if is_free && state.working.len() < self.processes {
            moves.push(Move::Begin);
            if left.words > 0 {
                moves.extend([Word::HeldBack, Word::Refused].map(Move::BeginReported));
            }
            if state.commit > 1 && left.behind > 0 {
                moves.push(Move::BeginBehind);
            }
        }
        for (at, working) in state.working.iter().enumerate() {
            moves.push(Move::Perform(at));
            let mutates = matches!(*working.asked, Effect::Write(_) | Effect::StartJob(_));
            let leaves = mutates && !working.expired;
            let reads = matches!(*working.asked, Effect::Observe(_) | Effect::ReadAudit(_));
            for nth in 0..requests(&working.asked) {
                if left.lost > 0 && (leaves || reads) {
                    moves.push(Move::LoseRequest(at, nth));
                }
                if left.lost > 0 && leaves {
                    moves.push(Move::LoseAnswer(at, nth));
                }
                if left.late > 0 && leaves && state.late.is_none() {
                    moves.push(Move::Delay(at, nth));
                }
                if left.throttles > 0 && leaves && matches!(*working.asked, Effect::Write(_)) {
                    moves.push(Move::Throttle(at, nth));
                }
            }
            if left.queues > 0 && matches!(working.run.phase(), Phase::Intending(_)) {
                moves.push(Move::Queue(at));
            }
            if left.lags > 0 && matches!(working.run.phase(), Phase::Confirming { .. }) && reads {
                moves.push(Move::Lag(at));
            }
            if *working.run.phase() == Phase::Waiting
                && working.run.spec().revision != Revision::new(format!("r{}", state.commit))
            {
                moves.push(Move::Supersede(at));
            }
            match working.lease {
                // A process without its lease stops once it notices the loss.
                Lease::Expired | Lease::Taken => moves.push(Move::Notice(at)),
                Lease::Held => {
                    if left.leases > 0 {
                        moves.push(Move::LoseLease(at));
                    }
                    if left.crashes > 0 {
                        moves.push(Move::CrashBefore(at));
                        if mutates || matches!(*working.asked, Effect::Save(_)) {
                            moves.extend(
                                (1..=requests(&working.asked)).map(|count| Move::CrashAfter(at, count)),
                            );
                        }
                    }
                }
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each move, most of them of a few lines")]
    fn next_state(&self, last: &Everything, action: Move) -> Option<Everything> {
        let mut state = last.clone();
        match action {
            Move::Begin => {
                let commit = state.commit;
                self.begin(&mut state, commit, Drafts::Refuse, Word::Proceed);
            }
            Move::BeginReported(word) => {
                state.left.words -= 1;
                let commit = state.commit;
                self.begin(&mut state, commit, Drafts::Refuse, word);
            }
            Move::BeginBehind => {
                state.left.behind -= 1;
                let commit = state.commit - 1;
                self.begin(&mut state, commit, Drafts::Refuse, Word::Proceed);
            }
            Move::Perform(at) => match self.perform(&mut state, at) {
                Some(event) => {
                    if self.hear(&mut state, at, event) == Some(End::LeaseLost) {
                        self.witnesses.saw("a run ends as its lease is lost");
                    }
                }
                None => return (state != *last).then_some(state),
            },
            Move::LoseAnswer(at, nth) => {
                state.left.lost -= 1;
                let asked = state.working[at].asked.clone();
                if !matches!(*asked, Effect::Write(_)) {
                    self.perform(&mut state, at)?;
                }
                state.overheard |= state.working[at].word != Word::Proceed;
                let event = self.unanswered(&mut state, &asked, nth, Odd::Lost);
                self.hear(&mut state, at, event);
            }
            Move::LoseRequest(at, nth) => {
                state.left.lost -= 1;
                let asked = state.working[at].asked.clone();
                let event = self.unanswered(&mut state, &asked, nth, Odd::Gone);
                self.hear(&mut state, at, event);
            }
            Move::Delay(at, nth) => {
                state.left.late -= 1;
                let Working { asked, run, line, .. } = state.working[at].clone();
                let request = match &*asked {
                    Effect::Write(writes) => Shared::new(Effect::Write(vec![writes[nth].clone()])),
                    _ => asked.clone(),
                };
                state.late = Some(Late { request, seen: seen(&run), line });
                let event = self.unanswered(&mut state, &asked, nth, Odd::Gone);
                self.hear(&mut state, at, event);
            }
            Move::Arrive => {
                let late = state.late.take()?;
                self.witnesses.saw("a late write arrives");
                self.execute(&mut state, &late.request, late.seen);
            }
            Move::Throttle(at, nth) => {
                state.left.throttles -= 1;
                let asked = state.working[at].asked.clone();
                let event = self.unanswered(&mut state, &asked, nth, Odd::Throttled);
                self.hear(&mut state, at, event);
            }
            Move::Queue(at) => {
                state.left.queues -= 1;
                self.hear(&mut state, at, Event::Woke);
                self.witnesses.saw("writes queue");
            }
            Move::Lag(at) => {
                state.left.lags -= 1;
                let ended = self.hear(&mut state, at, Event::Entries(Entries::default()));
                if matches!(ended, Some(End::Unconfirmed(None))) {
                    self.witnesses.saw("a run ends unconfirmed");
                }
            }
            Move::CrashBefore(at) => {
                state.left.crashes -= 1;
                state.working.remove(at);
            }
            Move::CrashAfter(at, count) => {
                state.left.crashes -= 1;
                match &*state.working[at].asked.clone() {
                    Effect::Write(writes) if !state.working[at].expired => {
                        state.overheard |= state.working[at].word != Word::Proceed;
                        writes.iter().take(count).for_each(|write| drop(self.put(&mut state, write)));
                    }
                    _ => drop(self.perform(&mut state, at)?),
                }
                state.working.remove(at);
            }
            Move::LoseLease(at) => {
                state.left.leases -= 1;
                state.working[at].lease = Lease::Expired;
            }
            Move::Notice(at) => {
                let ended = self.hear(&mut state, at, Event::LeaseLost);
                assert_eq!(ended, Some(End::LeaseLost));
            }
            Move::Supersede(at) => {
                assert!(state.working[at].run.may_be_superseded());
                self.hear(&mut state, at, Event::Superseded);
                self.witnesses.saw("a run is superseded");
            }
            Move::Edit(deed) if self.is_cloud() => {
                state.left.edits -= 1;
                state.cloud.change(|cloud| cloud.edit(deed));
                if state.cloud == last.cloud {
                    return None;
                }
            }
            Move::Edit(at) => {
                state.left.edits -= 1;
                state.organizations.change(|organizations| {
                    organizations[at].body.insert("banner".into(), json!("sale"));
                    organizations[at].versions.push(Maker::Person);
                });
            }
            Move::Commit => {
                state.left.commits -= 1;
                state.commit += 1;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(BLIND, |_: &Toy, state: &Everything| !state.blind),
            Property::always(UNTOLD, |_: &Toy, state: &Everything| {
                state.gone != Gone::Untold || !state.is_closed()
            }),
            Property::always(OWN, |_: &Toy, state: &Everything| !state.over_own),
            Property::always(TRAVEL, |_: &Toy, state: &Everything| !state.travelled),
            Property::always(RECEIPT, |toy: &Toy, state: &Everything| toy.judge(state).1),
            Property::always(DOUBLE, |_: &Toy, state: &Everything| !state.doubled),
            Property::always(WAITS, |_: &Toy, state: &Everything| !state.overheard),
            Property::always(TOKEN, |_: &Toy, state: &Everything| !state.intruded),
            Property::always(HEALS, |toy: &Toy, state: &Everything| toy.judge(state).0),
        ]
    }
}
