//! One seed's world, and the oracle that watches it.

mod cloud;
mod counts;
mod ports;
mod process;
mod profiles;
mod webchat;
mod wire;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use genesync::emulator::{self, Seed, SettingsPatch, World};
use genesync::model::Timing;
use genesync::model::plan::Limits;
use genesync::model::record::{Intent, IntentAction, Journal};
use genesync::model::{
    CredentialsName, Dialect, Guard, Memory, Mode, Object, OrganizationId, Record, Region, Resource,
    Revision, Target, Tenant, TenantName, Versions,
};
use genesync::reconcile::{Note, Spec};
use genesync::store::StoreError;
use jiff::Timestamp;

use crate::script::{Dice, Script};
pub use counts::Counts;
pub use process::Simulation;

const CLIENT: &str = "our-client";
const SECRET: &str = "our-secret";
/// How long after its deadline a write may become visible.
const SETTLE_MS: u32 = 200;

/// A guard of the product that is switched off, to show that the oracle notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    None,
    /// Writes carry the current version instead of the planned one.
    NoIfMatch,
    /// A write with a lost answer counts as *not executed*.
    NoReadBack,
    /// Intents are acknowledged and not stored.
    NoIntent,
    /// The store accepts the records of an old token.
    NoFence,
}

/// A request that left and has not arrived.
struct InFlight {
    arrives: Timestamp,
    organization: String,
    request: emulator::Request,
    /// The commit that it was planned from.
    commit: u64,
}

pub struct Universe {
    seed: u64,
    mutant: Mutant,
    script: Script,
    dice: Dice,
    people: Dice,
    processes: Dice,
    outages: Dice,
    /// The organization that does not answer, and until when.
    dark: Option<(String, Timestamp)>,
    now: Timestamp,
    world: World,
    /// The newest fencing token.
    fence: u64,
    /// The commit of the run whose effect is being performed.
    commit: u64,
    /// The newest commit that each organization was written from.
    written: BTreeMap<String, u64>,
    /// A forbidden effect of a write of ours.
    crossed: Option<String>,
    /// The first demand that was not met.
    failed: Option<String>,
    /// Tokens by client.
    tokens: BTreeMap<String, (String, Timestamp)>,
    in_flight: Vec<InFlight>,
    /// Every durable record.
    records: Vec<Record>,
    git: (u64, Vec<Resource>),
    tenant: Tenant,
    unclear: BTreeSet<(String, u64)>,
    /// Whether any read was stale so far.
    stale_ever: bool,
    /// Organizations of which the core reported, after a stale read, that it does not know what happened.
    doubtful: BTreeSet<String>,
    overwrote: BTreeSet<String>,
    /// The version of each organization that the core read last.
    known: BTreeMap<String, u64>,
    /// Organizations where a write without a precondition removed or changed an unmanaged field.
    gone_over: BTreeSet<String>,
    /// What the oracle knows of the `cloud` dialect.
    cloud: cloud::Seen,
    audited: usize,
    counts: Counts,
    trace: Vec<String>,
}

/// Returns what git says of an organization at one of its values.
fn resources(dialect: Dialect, script: &Script, value: u64) -> Vec<Resource> {
    match dialect {
        Dialect::Webchat => vec![Resource::implied(webchat::desired(value))],
        // An object comes before the objects that refer to it.
        Dialect::Cloud => {
            let profiles = if script.profiles { profiles::resources(value) } else { Vec::new() };
            [profiles, cloud::resources(value, script.neighbours)].concat()
        }
    }
}

/// Returns the client of an organization. In the `cloud` dialect each has its own; the first one has the name
/// that all share in `webchat`.
fn client(organization: &OrganizationId) -> String {
    match organization.as_str() {
        "org-0" => CLIENT.to_owned(),
        other => format!("{CLIENT}-of-{other}"),
    }
}

impl Universe {
    pub fn new(seed: u64, dialect: Dialect, mutant: Mutant) -> Self {
        let script = Script::new(seed);
        let mut dice = Dice::new(seed, 2);
        let target = |number: usize| Target {
            organization: OrganizationId::new(format!("org-{number}")),
            region: [Region::EuWest1, Region::UsEast1, Region::ApSouth1][number],
            credentials: CredentialsName::new("main"),
            object: Object::implied(),
        };
        let mut world = match dialect {
            Dialect::Webchat => World::new(&Seed::unconfigured(CLIENT, SECRET)),
            Dialect::Cloud => cloud::world(),
        };
        world.set_settings(SettingsPatch {
            audit_delay_ms: Some(dice.below(4_000)),
            replication_delay_ms: Some(dice.below(3_000)),
            token_lifetime_s: Some(30),
            ..SettingsPatch::default()
        });
        if dialect == Dialect::Cloud {
            world.set_settings(cloud::pace(&mut dice));
        }
        Self {
            seed,
            mutant,
            people: Dice::new(seed, 3),
            processes: Dice::new(seed, 4),
            outages: Dice::new(seed, 5),
            dark: None,
            fence: 1,
            commit: 0,
            written: BTreeMap::new(),
            crossed: None,
            failed: None,
            now: Timestamp::from_second(1_790_000_000).unwrap(),
            world,
            tokens: BTreeMap::new(),
            in_flight: Vec::new(),
            records: Vec::new(),
            git: (1, resources(dialect, &script, 1)),
            tenant: Tenant {
                name: TenantName::new("acme"),
                dialect,
                primary: target(0),
                replicas: (1..=script.replicas).map(target).collect(),
                mode: Mode::Enforce,
                wave: 0,
                windows: Vec::new(),
                ignore: Vec::new(),
                protected: Default::default(),
                policy: Default::default(),
                owners: Vec::new(),
            },
            unclear: BTreeSet::new(),
            stale_ever: false,
            doubtful: BTreeSet::new(),
            overwrote: BTreeSet::new(),
            known: BTreeMap::new(),
            gone_over: BTreeSet::new(),
            cloud: cloud::Seen::default(),
            audited: 0,
            counts: Counts::default(),
            trace: Vec::new(),
            script,
            dice,
        }
    }

    /// Makes new values visible after this many milliseconds.
    pub fn showing_after(mut self, ms: u64) -> Self {
        self.world.set_settings(SettingsPatch { visible_delay_ms: Some(ms), ..SettingsPatch::default() });
        self
    }

    /// Adds this many further pairs of a configuration and a deployment.
    pub fn among(mut self, neighbours: usize) -> Self {
        self.script.neighbours = neighbours;
        self.git.1 = resources(self.tenant.dialect, &self.script, 1);
        self
    }

    pub fn trace(&self) -> Vec<String> {
        self.trace.clone()
    }

    fn say(&mut self, line: impl Into<String>) {
        let at = self.now.as_millisecond() - 1_790_000_000_000;
        self.trace.push(format!("{at:>9} ms  {}", line.into()));
    }

    fn fail<T>(&self, why: impl fmt::Display) -> Result<T, String> {
        Err(format!("SEED={}: {why}\n{:?}\n{}", self.seed, self.script, self.trace.join("\n")))
    }

    /// Returns the journal on the disk.
    fn journal(&self) -> Journal {
        let mut journal = Journal::default();
        self.records.iter().cloned().for_each(|record| journal.absorb(record));
        journal
    }

    /// Delivers every request that is under way, and ends all faults.
    fn heal(&mut self) {
        self.say("-- healed --");
        self.advance(60_000);
        let Script { steps, replicas, unenforced, neighbours, asks_git, .. } = self.script;
        self.script = Script {
            drop_before: 0,
            drop_after: 0,
            late: 0,
            throttle: 0,
            server_error: 0,
            stale: 0,
            garbage: 0,
            managed_edit: 0,
            unmanaged_edit: 0,
            commit: 0,
            crash_before: 0,
            crash_after: 0,
            job_failure: 0,
            store_failure: 0,
            lease: 0,
            outage: 0,
            held_back: 0,
            stop: 0,
            steps,
            replicas,
            unenforced,
            profiles: self.script.profiles,
            neighbours,
            asks_git,
        };
        self.world.clear_faults();
        self.dark = None;
    }

    fn spec(&self) -> Spec {
        Spec {
            tenant: self.tenant.clone(),
            revision: Revision::new(format!("r{}", self.git.0)),
            resources: self.git.1.clone(),
            // Short, so that a fight ends once people have stopped.
            limits: Limits {
                flap_window_ms: 45_000,
                drafts: self.cloud.drafts,
                // One commit changes all of them.
                allowed: (self.script.neighbours > 0).then_some(Guard::TenantChanges).into_iter().collect(),
                ..Limits::default()
            },
            precedents: Default::default(),
            memory: Memory::None,
            noticed: Vec::new(),
            timing: Timing {
                write_ms: 2_000,
                settle_ms: SETTLE_MS,
                job_ms: 10_000,
                confirm_ms: 8_000,
                backoff_ms: 100,
                backoff_max_ms: 2_000,
                appear_ms: 2_500,
                ready_ms: 10_000,
                ..Timing::default()
            },
            versions: match (self.tenant.dialect.capabilities().versions, self.script.unenforced) {
                (Versions::Enforced, false) => Versions::Enforced,
                (Versions::Enforced, true) | (Versions::Unenforced, _) => Versions::Unenforced,
            },
            own_clients: self.tenant.targets().map(|target| client(&target.organization)).collect(),
            reviewed: None,
            is_exact: self.seed.is_multiple_of(2),
            seed: self.seed,
        }
    }

    fn note(&mut self, note: &Note) {
        self.say(format!("note: {note}"));
        match note {
            Note::Unclear { object, from, to } if self.tenant.dialect == Dialect::Cloud => {
                self.unclear_of_cloud(object, *from, *to);
            }
            Note::Unclear { object, from, to } => {
                let organization = &object.organization;
                self.unclear.extend((*from..=*to).map(|version| (organization.to_string(), version)));
                if self.stale_ever {
                    self.doubtful.insert(organization.to_string());
                }
            }
            // After a stale read a write can look as if it had not landed, or as if it had made or
            // overwritten another version. Nothing is lost, because the next write names the stale version
            // and is refused. But the core cannot know which version was ours, and reports that with these
            // notes.
            Note::NotLanded { object, .. } | Note::Landed { object, .. } if self.stale_ever => {
                self.doubtful.insert(object.organization.to_string());
            }
            Note::Overwrote { object, .. } => {
                self.overwrote.insert(object.organization.to_string());
            }
            Note::Mixed { .. } => self.counts.hit("mixed"),
            Note::Conflict { .. } => self.counts.hit("conflict"),
            Note::LeftOut { .. } => self.counts.hit("left out"),
            Note::OutOfPlace { event } => self.demand(Err(format!("the event {event} came out of place"))),
            _ => {}
        }
    }

    fn people_act(&mut self) {
        let organization = format!("org-{}", self.people.below(1 + self.tenant.replicas.len() as u64));
        let value = self.people.below(1_000);
        match self.tenant.dialect {
            Dialect::Webchat => self.mara_edits(&organization, value),
            Dialect::Cloud => self.mara_acts(&organization, value),
        }
        self.git_moves();
    }

    fn git_moves(&mut self) {
        if self.people.percent(self.script.commit) {
            self.counts.hit("commit");
            let next = self.git.0 + 1;
            let value = 1 + self.people.below(3);
            self.git = (next, resources(self.tenant.dialect, &self.script, value));
            self.say(format!("commit r{next}"));
        }
    }

    /// Lets some time pass before the next action.
    fn passes(&mut self) {
        let pause = 1 + self.dice.below(120);
        self.advance(pause);
    }

    /// Checks the last action.
    fn judge(&mut self) {
        if let Some(crossed) = self.crossed.take() {
            self.demand(Err(crossed));
        }
        if self.tenant.dialect == Dialect::Webchat {
            self.demand_no_blind_write();
        }
    }

    /// Keeps the first demand that is not met.
    fn demand(&mut self, met: Result<(), String>) {
        if let (Err(why), None) = (met, &self.failed) {
            self.failed = Some(why);
        }
    }

    /// Fails the seed if a demand was not met.
    fn check(&self) -> Result<(), String> {
        self.failed.as_ref().map_or(Ok(()), |why| self.fail(why))
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if self.dice.percent(self.script.store_failure) {
            self.counts.hit("store failure");
            self.say("the journal cannot be written");
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Database { doing: "writing the journal", source: full.into() });
        }
        let kept = |record: &&Record| self.mutant != Mutant::NoIntent || !matches!(record, Record::Intent(_));
        self.records.extend(records.iter().filter(kept).cloned());
        Ok(())
    }

    /// Demands that the intent of a write is durable before the write leaves, and that no other intent of
    /// that object is open. Intents of another batch must not be open either, except for writes to
    /// organizations that do not answer and are skipped for now.
    fn demand_intent(&mut self, targets: &[Target]) {
        let open = self.journal().unresolved;
        let elsewhere = |intent: &&Intent| match &intent.action {
            IntentAction::Put { target, .. } => {
                !targets.iter().any(|known| known.organization == target.organization)
            }
            IntentAction::Job { .. } => false,
        };
        let here: Vec<&Intent> = open.iter().filter(|intent| !elsewhere(intent)).collect();
        let is_own = |intent: &&&Intent| match &intent.action {
            IntentAction::Put { target, .. } => targets.contains(target),
            IntentAction::Job { .. } => true,
        };
        let own: Vec<&&Intent> = here.iter().filter(is_own).collect();
        // Intents of one batch have the same time.
        let is_one_batch = own.len() == 1 && here.iter().all(|intent| intent.sent_at == own[0].sent_at);
        if is_one_batch || matches!(self.mutant, Mutant::NoIntent | Mutant::NoFence) {
            return;
        }
        self.demand(Err(format!("a write leaves with {} open intents in the journal", open.len())));
    }
}
