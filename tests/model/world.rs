//! A toy of the platform, small enough to be explored whole, around the real core.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesync::model::plan::Limits;
use genesync::model::record::Journal;
use genesync::model::write::{Job, JobTarget, JobTargetStatus};
use genesync::model::{
    Actor, ActorKind, CredentialsName, Desired, Entry, Fault, FaultKind, Mode, Observed, OrganizationId,
    Outcome, Record, Region, Revision, Stored, Target, Tenant, TenantName, Versions, Write,
};
use genesync::plan;
use genesync::reconcile::{Effect, Entries, Event, Run, Spec, Timing, step};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use stateright::{Model, Property};

/// Guards of the product that can be switched off.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    pub if_match: bool,
    pub read_back: bool,
    pub intent: bool,
}

impl Guards {
    pub fn all() -> Self {
        Self { if_match: true, read_back: true, intent: true }
    }
}

/// How often each thing may happen.
#[derive(Debug, Clone)]
pub struct Toy {
    pub replicas: usize,
    pub edits: u8,
    pub lost: u8,
    pub late: u8,
    pub throttles: u8,
    pub crashes: u8,
    pub commits: u8,
    pub guards: Guards,
}

/// One organization's configuration and who made each version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Organization {
    body: Map<String, Value>,
    /// True where the version is ours.
    versions: Vec<bool>,
}

/// One state of everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Everything {
    organizations: Vec<Organization>,
    run: Option<Box<Run>>,
    /// What the core waits for; none between runs.
    asked: Option<Effect>,
    late: Option<Write>,
    records: Vec<Record>,
    commit: u64,
    spent: Spent,
    /// A write of ours that went over an edit that it had not seen.
    blind: bool,
    conflict: bool,
    landed_late: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Spent {
    edits: u8,
    lost: u8,
    late: u8,
    throttles: u8,
    crashes: u8,
    commits: u8,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The effect is performed and heard.
    Perform,
    /// The request is executed and its answer lost.
    LoseAnswer,
    /// The request is lost on its way.
    LoseRequest,
    /// The request is held up.
    Delay,
    /// The request that was held up arrives.
    Arrive,
    /// The request is refused by the rate limit.
    Throttle,
    /// A person edits a field that nobody manages.
    Edit,
    /// The process dies before the effect, or before hearing of it.
    CrashBefore,
    CrashAfter,
    /// Git moves.
    Commit,
}

const NOW: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap_or_default()
}

fn target(number: usize) -> Target {
    Target {
        organization: OrganizationId::new(format!("org-{number}")),
        region: [Region::EuWest1, Region::UsEast1][number],
        credentials: CredentialsName::new("c"),
    }
}

fn desired(commit: u64) -> Desired {
    let body = json!({"greetings": {"delayMs": commit}});
    Desired {
        body: Arc::new(body.as_object().cloned().unwrap_or_default()),
        exclusive: false,
        ignored: BTreeSet::new(),
    }
}

fn us() -> Actor {
    Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client }
}

impl Toy {
    fn begin(&self, state: &mut Everything) {
        let mut journal = Journal::default();
        state.records.iter().cloned().for_each(|record| journal.absorb(record));
        // Waits end at once in this model, so an intent that is waited for must lie in the past.
        let spec = Spec {
            tenant: Tenant {
                name: TenantName::new("acme"),
                primary: target(0),
                replicas: (1..=self.replicas).map(target).collect(),
                mode: Mode::Enforce,
                wave: 0,
                windows: Vec::new(),
                ignore: Vec::new(),
                protected: false,
                owners: Vec::new(),
            },
            revision: Revision::new(format!("r{}", state.commit)),
            desired: desired(state.commit),
            desired_before: None,
            limits: Limits::default(),
            timing: Timing::default(),
            versions: Versions::Enforced,
            own_clients: BTreeSet::from(["us".to_owned()]),
            seed: 0,
        };
        let run = Run::new(Arc::new(spec), journal);
        self.hear(state, run, Event::Begin);
    }

    /// Feeds an event and keeps what the core asks for; a settled run makes room for the next.
    fn hear(&self, state: &mut Everything, run: Run, event: Event) {
        let mut next = step(run, event, now());
        loop {
            let asked = next.effects.into_iter().find(|effect| !matches!(effect, Effect::Report(_)));
            match (asked, next.run.status()) {
                (Some(effect), _) => {
                    (state.run, state.asked) = (Some(Box::new(next.run)), Some(effect));
                    return;
                }
                (None, Some(_)) => {
                    (state.run, state.asked) = (None, None);
                    return;
                }
                (None, None) => next = step(next.run, Event::Proceed, now()),
            }
        }
    }

    /// Stores a write; the version check is the server's, and a guard.
    fn execute(&self, state: &mut Everything, write: &Write) -> Outcome<Stored> {
        let index = usize::from(write.target.organization.as_str().ends_with('1'));
        let guarded = self.guards.if_match;
        let Some(organization) = state.organizations.get_mut(index) else { return Outcome::Conflict };
        let version = organization.versions.len() as u64;
        let seen = write.if_match.unwrap_or(0);
        if guarded && seen != version {
            state.conflict = true;
            return Outcome::Conflict;
        }
        let loses_edit =
            organization.body.get("banner").is_some_and(|banner| write.body.get("banner") != Some(banner));
        state.blind |= loses_edit;
        organization.body = (*write.body).clone();
        organization.versions.push(true);
        Outcome::Accepted(Stored {
            version: version + 1,
            body: Arc::new(organization.body.clone()),
            modified_at: None,
            modified_by: Some(us()),
        })
    }

    /// Performs an effect without any fault.
    fn perform(&self, state: &mut Everything, effect: &Effect) -> Event {
        match effect {
            Effect::Observe(target) => {
                let index = usize::from(target.organization.as_str().ends_with('1'));
                let organization = &state.organizations[index];
                let by = organization.versions.last().map(|ours| if *ours { us() } else { person() });
                Event::Observed(match organization.versions.len() as u64 {
                    0 => Observed::Absent,
                    version => Observed::Present(Stored {
                        version,
                        body: Arc::new(organization.body.clone()),
                        modified_at: None,
                        modified_by: by,
                    }),
                })
            }
            Effect::Save(records) => {
                let kept = |record: &&Record| self.guards.intent || !matches!(record, Record::Intent(_));
                state.records.extend(records.iter().filter(kept).cloned());
                Event::Saved
            }
            Effect::Write(write) => Event::Answered(self.execute(state, write)),
            Effect::StartJob(start) => {
                let source = state.organizations[0].body.clone();
                let mut targets = Vec::new();
                for target in &start.targets {
                    let organization = &mut state.organizations[1];
                    organization.body = source.clone();
                    organization.versions.push(true);
                    targets.push(JobTarget {
                        organization: target.organization.clone(),
                        status: JobTargetStatus::Completed,
                        version: Some(organization.versions.len() as u64),
                        error: None,
                    });
                }
                Event::JobAnswered(Outcome::Accepted(Job { id: "job".into(), ended: true, targets }))
            }
            Effect::PollJob { .. } => Event::Job(Job { id: "job".into(), ended: true, targets: Vec::new() }),
            Effect::ReadAudit(_) => Event::Entries(Entries { entries: entries(state), truncated: false }),
            Effect::WakeAt(_) => {
                // The wait is over: what was still under way arrives now, or never.
                if let Some(write) = state.late.take() {
                    state.landed_late = true;
                    self.execute(state, &write);
                }
                Event::Woke
            }
            Effect::Report(_) => Event::Woke,
        }
    }

    fn lost(&self) -> Fault {
        Fault::new(FaultKind::Transient, "lost")
    }

    fn unanswered(&self, effect: &Effect) -> Event {
        let fault = self.lost();
        match effect {
            Effect::Write(_) if self.guards.read_back => Event::Answered(Outcome::Unknown(fault)),
            Effect::Write(_) => Event::Answered(Outcome::Unsent(fault)),
            Effect::StartJob(_) => Event::JobAnswered(Outcome::Unknown(fault)),
            _ => Event::Failed(fault),
        }
    }

    /// With faults off, a few runs must end in sync, and one more must write nothing.
    fn heals(&self, state: &Everything) -> bool {
        let mut state = state.clone();
        if let Some(write) = state.late.take() {
            self.execute(&mut state, &write);
        }
        (state.run, state.asked) = (None, None);
        for _ in 0..3 {
            if !self.run_quietly(&mut state) {
                return false;
            }
        }
        let versions = |state: &Everything| {
            state.organizations.iter().map(|organization| organization.versions.len()).collect::<Vec<_>>()
        };
        let before = versions(&state);
        let wanted = desired(state.commit);
        let synced = state.organizations.iter().all(|organization| {
            let stored = Stored {
                version: 1,
                body: Arc::new(organization.body.clone()),
                modified_at: None,
                modified_by: None,
            };
            plan::diff::changes(&wanted, &Observed::Present(stored), &plan::Evidence::default()).0.is_empty()
        });
        self.run_quietly(&mut state) && synced && versions(&state) == before
    }

    fn run_quietly(&self, state: &mut Everything) -> bool {
        self.begin(state);
        for _ in 0..200 {
            let (Some(run), Some(effect)) = (state.run.take(), state.asked.take()) else { return true };
            let event = self.perform(state, &effect);
            self.hear(state, *run, event);
        }
        false
    }
}

fn person() -> Actor {
    Actor { id: "mara".into(), name: "Mara".into(), kind: ActorKind::User }
}

/// The audit log of a world without time: complete at once. An entry stands there under every action, for
/// which action it was is not what this model is about, and an entry that never comes would be waited for
/// without end.
fn entries(state: &Everything) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (number, organization) in state.organizations.iter().enumerate() {
        for (index, ours) in organization.versions.iter().enumerate() {
            for action in ["create", "update", "replicate"] {
                entries.push(Entry {
                    id: format!("{number}-{index}-{action}"),
                    at: now(),
                    action: format!("webchat:configuration:{action}"),
                    organization: OrganizationId::new(format!("org-{number}")),
                    actor: if *ours { us() } else { person() },
                    remote_ip: None,
                    version: Some(index as u64 + 1),
                    changes: Vec::new(),
                });
            }
        }
    }
    entries
}

impl Model for Toy {
    type State = Everything;
    type Action = Move;

    fn init_states(&self) -> Vec<Everything> {
        let mut state = Everything {
            organizations: vec![Organization::default(); 1 + self.replicas],
            run: None,
            asked: None,
            late: None,
            records: Vec::new(),
            commit: 1,
            spent: Spent::default(),
            blind: false,
            conflict: false,
            landed_late: false,
        };
        self.begin(&mut state);
        vec![state]
    }

    fn actions(&self, state: &Everything, moves: &mut Vec<Move>) {
        let spent = &state.spent;
        if spent.edits < self.edits {
            moves.push(Move::Edit);
        }
        if spent.commits < self.commits {
            moves.push(Move::Commit);
        }
        if state.late.is_some() {
            moves.push(Move::Arrive);
        }
        // Between runs everything but a new run has been seen; the next begins with a move of its own.
        moves.push(Move::Perform);
        let Some(effect) = &state.asked else { return };
        let is_request = !matches!(effect, Effect::Save(_) | Effect::WakeAt(_));
        if is_request && spent.lost < self.lost {
            moves.extend([Move::LoseAnswer, Move::LoseRequest]);
        }
        if matches!(effect, Effect::Write(_)) && spent.late < self.late && state.late.is_none() {
            moves.push(Move::Delay);
        }
        if matches!(effect, Effect::Write(_)) && spent.throttles < self.throttles {
            moves.push(Move::Throttle);
        }
        if spent.crashes < self.crashes {
            moves.extend([Move::CrashBefore, Move::CrashAfter]);
        }
    }

    fn next_state(&self, last: &Everything, action: Move) -> Option<Everything> {
        let mut state = last.clone();
        match action {
            Move::Edit => {
                state.spent.edits += 1;
                let organization = state.organizations.first_mut()?;
                organization.body.insert("banner".into(), json!("sale"));
                organization.versions.push(false);
                return Some(state);
            }
            Move::Commit => {
                state.spent.commits += 1;
                state.commit += 1;
                return Some(state);
            }
            Move::Arrive => {
                let write = state.late.take()?;
                state.landed_late = true;
                self.execute(&mut state, &write);
                return Some(state);
            }
            _ => {}
        }
        let (Some(run), Some(effect)) = (state.run.take(), state.asked.take()) else {
            // A quiet world needs no further runs: only where something moved since is there news.
            self.begin(&mut state);
            return (state != *last).then_some(state);
        };
        let event = match action {
            Move::Perform => self.perform(&mut state, &effect),
            Move::LoseAnswer => {
                state.spent.lost += 1;
                self.perform(&mut state, &effect);
                self.unanswered(&effect)
            }
            Move::LoseRequest => {
                state.spent.lost += 1;
                self.unanswered(&effect)
            }
            Move::Delay => {
                state.spent.late += 1;
                let Effect::Write(write) = &effect else { return None };
                state.late = Some(write.clone());
                self.unanswered(&effect)
            }
            Move::Throttle => {
                state.spent.throttles += 1;
                Event::Answered(Outcome::Throttled { retry_after_ms: Some(0) })
            }
            Move::CrashBefore => {
                state.spent.crashes += 1;
                self.begin(&mut state);
                return Some(state);
            }
            Move::CrashAfter => {
                state.spent.crashes += 1;
                self.perform(&mut state, &effect);
                self.begin(&mut state);
                return Some(state);
            }
            Move::Edit | Move::Commit | Move::Arrive => return None,
        };
        self.hear(&mut state, *run, event);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "no write goes over an edit that it has not seen",
                |_: &Toy, state: &Everything| !state.blind,
            ),
            Property::always("every version of ours has a receipt", |toy: &Toy, state: &Everything| {
                toy.accounted(state)
            }),
            Property::always("from here it heals and falls silent", |toy: &Toy, state: &Everything| {
                toy.heals(state)
            }),
            Property::sometimes("somebody else is faster", |_: &Toy, state: &Everything| state.conflict),
            Property::sometimes("a late write lands", |_: &Toy, state: &Everything| state.landed_late),
        ]
    }
}

impl Toy {
    /// Between runs, every version of ours is a receipt in the journal, except where an edit on top of it
    /// hides whose it was: that the core reports as unclear.
    fn accounted(&self, state: &Everything) -> bool {
        let mut journal = Journal::default();
        state.records.iter().cloned().for_each(|record| journal.absorb(record));
        if state.run.is_some() || state.late.is_some() || !journal.unresolved.is_empty() {
            return true;
        }
        let receipts: BTreeSet<(String, u64)> = state
            .records
            .iter()
            .filter_map(|record| match record {
                Record::Resolved { receipts, .. } => Some(receipts),
                _ => None,
            })
            .flatten()
            .map(|receipt| (receipt.target.organization.to_string(), receipt.version))
            .collect();
        state.organizations.iter().enumerate().all(|(number, organization)| {
            let hidden = |index: usize| organization.versions.iter().skip(index + 1).any(|ours| !ours);
            organization.versions.iter().enumerate().all(|(index, ours)| {
                !ours || hidden(index) || receipts.contains(&(format!("org-{number}"), index as u64 + 1))
            })
        })
    }
}
