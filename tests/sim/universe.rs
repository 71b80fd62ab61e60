//! One seed's world, and the oracle that watches it.

mod cloud;
mod counts;
mod process;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use genesync::api::operation::{Operation, Response, Verb};
use genesync::api::webchat;
use genesync::emulator::{
    self, Actor, Fault as Script_, FaultAction, FaultMatch, Handled, Seed, SettingsPatch, World,
};
use genesync::model::Timing;
use genesync::model::plan::Limits;
use genesync::model::record::{Intent, IntentAction, Journal};
use genesync::model::{
    CredentialsName, Desired, Dialect, Fault, FaultKind, Mode, OrganizationId, Outcome, Receipt, Record,
    Region, Resource, Revision, Target, Tenant, TenantName, Versions,
};
use genesync::plan;
use genesync::reconcile::{Effect, End, Entries, Event, Note, Spec};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::script::{Dice, Script};
pub use counts::Counts;
use process::Working;
use words::outcome_name;

const CLIENT: &str = "our-client";
const SECRET: &str = "our-secret";
/// How long after its deadline a write may still take to show.
const SETTLE_MS: u32 = 200;

/// A guard of the product that is switched off, to show that the oracle would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    None,
    /// Writes go out with whatever version is current.
    NoIfMatch,
    /// A lost answer counts as *not executed*.
    NoReadBack,
    /// Intents are acknowledged and not kept.
    NoIntent,
    /// The store takes the records of an old token.
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
    /// The organization that answers nothing until then.
    dark: Option<(String, Timestamp)>,
    now: Timestamp,
    world: World,
    /// The newest fencing token.
    fence: u64,
    /// A process that has lost its lease and may not know it.
    former: Option<Working>,
    /// The commit of the run whose effect is being performed.
    commit: u64,
    /// The newest commit that each organization was written from.
    written: BTreeMap<String, u64>,
    /// What a write of ours did that none may do.
    crossed: Option<String>,
    /// By client.
    tokens: BTreeMap<String, (String, Timestamp)>,
    in_flight: Vec<InFlight>,
    /// Every record that was made durable.
    records: Vec<Record>,
    git: (u64, Vec<Resource>),
    tenant: Tenant,
    unclear: BTreeSet<(String, u64)>,
    /// Whether any read was stale so far.
    stale_ever: bool,
    /// Organizations of which the core said, after a stale read, that it can't tell.
    doubtful: BTreeSet<String>,
    overwrote: BTreeSet<String>,
    /// The version of each organization that the core read last.
    known: BTreeMap<String, u64>,
    /// Organizations where a write without a precondition removed or changed what nobody manages.
    gone_over: BTreeSet<String>,
    /// What there is to know of the `cloud` dialect.
    cloud: cloud::Seen,
    audited: usize,
    counts: Counts,
    trace: Vec<String>,
}

fn desired(value: u64) -> Desired {
    let body = json!({
        "greetings": {"enabled": true, "messages": [format!("hello {value}")], "delayMs": value * 10},
        "features": {"flags": {"enableRichText": value.is_multiple_of(2)}, "audiences": ["b", "a"]},
    });
    Desired { body: Arc::new(body.as_object().cloned().unwrap()), exclusive: false, ignored: BTreeSet::new() }
}

/// What git says of an organization at one of its values.
fn resources(dialect: Dialect, value: u64) -> Vec<Resource> {
    match dialect {
        Dialect::Webchat => vec![Resource::web_messaging(desired(value))],
        Dialect::Cloud => cloud::resources(value),
    }
}

/// The client of an organization, where each has its own: the first goes by the one name that they share elsewhere.
fn client(organization: &OrganizationId) -> String {
    match organization.as_str() {
        "org-0" => CLIENT.to_owned(),
        other => format!("{CLIENT}-of-{other}"),
    }
}

fn managed(property: &str) -> bool {
    [
        "greetings.enabled",
        "greetings.messages",
        "greetings.delayMs",
        "features.flags.enableRichText",
        "features.audiences",
    ]
    .iter()
    .any(|managed| {
        property == *managed
            || property.starts_with(&format!("{managed}."))
            || managed.starts_with(&format!("{property}."))
    })
}

impl Universe {
    pub fn new(seed: u64, dialect: Dialect, mutant: Mutant) -> Self {
        let script = Script::new(seed);
        let mut dice = Dice::new(seed, 2);
        let target = |number: usize| Target {
            organization: OrganizationId::new(format!("org-{number}")),
            region: [Region::EuWest1, Region::UsEast1, Region::ApSouth1][number],
            credentials: CredentialsName::new("main"),
            object: genesync::model::Object::web_messaging(),
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
            former: None,
            commit: 0,
            written: BTreeMap::new(),
            crossed: None,
            now: Timestamp::from_second(1_790_000_000).unwrap(),
            world,
            tokens: BTreeMap::new(),
            in_flight: Vec::new(),
            records: Vec::new(),
            git: (1, resources(dialect, 1)),
            tenant: Tenant {
                name: TenantName::new("acme"),
                dialect,
                primary: target(0),
                replicas: (1..=script.replicas).map(target).collect(),
                mode: Mode::Enforce,
                wave: 0,
                windows: Vec::new(),
                ignore: Vec::new(),
                protected: false,
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

    /// What is new shows after so many milliseconds.
    pub fn showing_after(mut self, ms: u64) -> Self {
        self.world.set_settings(SettingsPatch { visible_delay_ms: Some(ms), ..SettingsPatch::default() });
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

    /// Plays the seed: chaos, healing, the demands.
    pub fn play(&mut self) -> Result<Counts, String> {
        let mut left = self.script.steps;
        while left > 0 {
            left = self.run(Some(left))?.0;
        }
        self.heal();
        match self.tenant.dialect {
            Dialect::Webchat => self.demand_peace()?,
            Dialect::Cloud => self.demand_cloud_peace()?,
        }
        Ok(self.counts.clone())
    }

    fn demand_peace(&mut self) -> Result<(), String> {
        let mut status = None;
        for _ in 0..3 {
            let (_, ended, _) = self.run(None)?;
            status = ended;
            if self.is_peace(status.as_ref()) {
                break;
            }
        }
        if !self.is_peace(status.as_ref()) {
            return self.fail(format!("it did not converge in three runs without faults: {status:?}"));
        }
        self.demand_equal()?;
        let writes = self.world.writes();
        for _ in 0..3 {
            let (_, _, changes) = self.run(None)?;
            if changes != Some(0) || self.world.writes() != writes {
                return self.fail(format!(
                    "it is not silent at rest: {changes:?} changes, {} more writes",
                    self.world.writes() - writes
                ));
            }
        }
        self.demand_told()?;
        self.demand_accounted()
    }

    /// Whether a run ended as it should in a world without faults. A stale read can make the core take one
    /// write for another; it says that it is in doubt, and no entry will ever prove what it wrote down.
    fn is_peace(&self, status: Option<&End>) -> bool {
        let owed = self.journal().owed;
        let doubtful = |receipt: &Receipt| self.doubtful.contains(receipt.target.organization.as_str());
        match status {
            Some(End::Synced) => owed.is_empty(),
            Some(End::Unconfirmed(None)) => owed.iter().all(doubtful),
            _ => false,
        }
    }

    /// The journal as it is on the disk.
    fn journal(&self) -> Journal {
        let mut journal = Journal::default();
        self.records.iter().cloned().for_each(|record| journal.absorb(record));
        journal
    }

    /// Whatever was still under way arrives; nothing goes wrong any more.
    fn heal(&mut self) {
        self.say("-- healed --");
        self.advance(60_000);
        let Script { steps, replicas, unenforced, asks_git, .. } = self.script;
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
            steps,
            replicas,
            unenforced,
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
            // Short, so that a fight is over once people have stopped.
            limits: Limits { flap_window_ms: 45_000, drafts: self.cloud.drafts, ..Limits::default() },
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
            versions: match (self.tenant.dialect.versions(), self.script.unenforced) {
                (Versions::Enforced, false) => Versions::Enforced,
                (Versions::Enforced, true) | (Versions::Unenforced, _) => Versions::Unenforced,
            },
            own_clients: self.tenant.targets().map(|target| client(&target.organization)).collect(),
            reviewed: None,
            seed: self.seed,
        }
    }

    fn note(&mut self, note: &Note) -> Result<(), String> {
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
            // Stale reads make a write look as if it had not landed, or as if it had made or gone over another
            // version than it did. Nothing is lost by it, for the next write names the stale version and is
            // refused; but which version was ours can't be told, and the core says so with these notes.
            Note::NotLanded { object, .. } | Note::Landed { object, .. } if self.stale_ever => {
                self.doubtful.insert(object.organization.to_string());
            }
            Note::Overwrote { object, .. } => {
                self.overwrote.insert(object.organization.to_string());
            }
            Note::Mixed { .. } => self.counts.hit("mixed"),
            Note::Conflict { .. } => self.counts.hit("conflict"),
            Note::LeftOut { .. } => self.counts.hit("left out"),
            Note::OutOfPlace { event } => return self.fail(format!("the event {event} came out of place")),
            _ => {}
        }
        Ok(())
    }

    fn people_act(&mut self) {
        let organization = format!("org-{}", self.people.below(1 + self.tenant.replicas.len() as u64));
        let (value, now) = (self.people.below(1_000), self.now);
        if self.tenant.dialect == Dialect::Cloud {
            self.mara_acts(&organization, value);
            self.git_moves();
            return;
        }
        let edit = if self.people.percent(self.script.managed_edit) {
            Some(json!({"greetings": {"delayMs": 5_000 + value}}))
        } else if self.people.percent(self.script.unmanaged_edit) {
            Some(json!({"banner": {"text": format!("b{value}")}, "greetings": {"tone": value}}))
        } else {
            None
        };
        if let Some(patch) = edit {
            self.counts.hit("edit");
            let version = self.world.edit(&organization, &Actor::user("Mara"), &patch, now);
            self.say(format!("Mara edits {organization}: version {version}"));
        }
        self.git_moves();
    }

    fn git_moves(&mut self) {
        if self.people.percent(self.script.commit) {
            self.counts.hit("commit");
            let next = self.git.0 + 1;
            self.git = (next, resources(self.tenant.dialect, 1 + self.people.below(3)));
            self.say(format!("commit r{next}"));
        }
    }

    /// Time goes by; what is under way arrives.
    fn advance(&mut self, ms: u64) {
        let until = self.now + SignedDuration::from_millis(ms as i64);
        while let Some(index) = self
            .in_flight
            .iter()
            .enumerate()
            .filter(|(_, request)| request.arrives <= until)
            .min_by_key(|(_, request)| request.arrives)
            .map(|(index, _)| index)
        {
            let late = self.in_flight.remove(index);
            self.now = late.arrives.max(self.now);
            let handled = self.deliver(&late.organization, late.request.clone(), late.commit);
            self.counts.hit("landed late");
            self.say(format!(
                "a late {} arrives: {:?}",
                late.request.method,
                handled.response.map(|response| response.status)
            ));
        }
        self.now = until;
        self.world.settle(self.now);
    }

    /// Performs an effect, for the process that holds the lease or for one that no longer does.
    #[expect(clippy::too_many_lines, reason = "one arm for each effect")]
    fn perform(&mut self, effect: Effect, is_newest: bool) -> Result<Event, String> {
        let read = match &effect {
            Effect::Observe(look) => Some(look.target.organization.to_string()),
            _ => None,
        };
        let pause = 1 + self.dice.below(120);
        self.advance(pause);
        if self.tenant.dialect == Dialect::Cloud {
            return self.perform_cloud(effect, is_newest);
        }
        let event = match effect {
            Effect::Report(_) => Event::Woke,
            Effect::WakeAt(until) => {
                let wait = u64::try_from(until.duration_since(self.now).as_millis()).unwrap_or(0);
                self.advance(wait);
                Event::Woke
            }
            Effect::Save(records) => self.save(records),
            Effect::Observe(look) => {
                match self.send(&look.target, &webchat::read(&look.target.organization), None) {
                    Ok(response) => webchat::observed(&response)
                        .map_or_else(Event::Failed, |observed| Event::Observed(observed.into())),
                    Err((fault, _)) => Event::Failed(fault),
                }
            }
            Effect::ReadAudit(query) => {
                let organizations: Vec<&OrganizationId> = query.organizations().collect();
                let operation = webchat::audit(&organizations, query.from, query.to, 1);
                match self.send(&query.targets[0], &operation, None) {
                    Ok(response) => match webchat::entries(&response) {
                        Ok(page) => Event::Entries(Entries { entries: page.entries, truncated: false }),
                        Err(fault) => Event::Failed(fault),
                    },
                    Err((fault, _)) => Event::Failed(fault),
                }
            }
            Effect::PollJob { source, id } => {
                match self.send(&source, &webchat::poll(&source.organization, &id), None) {
                    Ok(response) => webchat::job(&response).map_or_else(Event::Failed, Event::Job),
                    Err((fault, _)) => Event::Failed(fault),
                }
            }
            // Whoever stood still for too long does not send any more.
            Effect::Write(write) if self.now > write.deadline => {
                self.counts.hit("too late to leave");
                Event::Answered(Outcome::Unsent(Fault::new(FaultKind::Transient, "too late")))
            }
            Effect::StartJob(start) if self.now > start.deadline => {
                self.counts.hit("too late to leave");
                Event::JobAnswered(Outcome::Unsent(Fault::new(FaultKind::Transient, "too late")))
            }
            Effect::Write(write) => {
                self.demand_intent(std::slice::from_ref(&write.target))?;
                let mut operation = webchat::write(&write);
                if self.mutant == Mutant::NoIfMatch {
                    operation.if_match = self
                        .world
                        .configuration(write.target.organization.as_str())
                        .map(|stored| stored.version);
                }
                let outcome = match self.send(&write.target, &operation, Some(write.deadline)) {
                    Ok(response) => webchat::answer(&response, webchat::accepted),
                    Err((fault, left)) => self.unanswered(fault, left),
                };
                if matches!(outcome, Outcome::Accepted(_)) {
                    self.counts.hit("accepted");
                }
                self.say(format!(
                    "PUT {} If-Match {:?}: {}",
                    write.target.organization,
                    operation.if_match,
                    outcome_name(&outcome)
                ));
                Event::Answered(outcome)
            }
            Effect::StartJob(start) => {
                self.demand_intent(&start.targets)?;
                if self.dice.percent(self.script.job_failure) {
                    self.counts.hit("job failure");
                    let targets =
                        start.targets.iter().map(|target| target.organization.to_string()).take(1).collect();
                    let requests = FaultMatch { path: Some("**/replicate".into()), ..FaultMatch::default() };
                    self.world.add_faults(vec![Script_ {
                        requests,
                        nth: 1,
                        times: 1,
                        action: FaultAction::FailTargets(targets),
                    }]);
                }
                let outcome =
                    match self.send(&start.source, &webchat::replicate(&start), Some(start.deadline)) {
                        Ok(response) => webchat::answer(&response, webchat::job),
                        Err((fault, left)) => self.unanswered(fault, left),
                    };
                self.say(format!(
                    "job to {} organization(s): {}",
                    start.targets.len(),
                    outcome_name(&outcome)
                ));
                Event::JobAnswered(outcome)
            }
        };
        self.demand_no_blind_write()?;
        // Only now: a copy that was made while this was read is judged by what was known before.
        if let (true, Some(organization), Event::Observed(seen)) = (is_newest, read, &event) {
            let version = seen.objects.first().and_then(|observed| observed.version());
            self.known.insert(organization, version.unwrap_or(0));
        }
        Ok(event)
    }

    /// The request arrives. A server that does not enforce versions takes it whatever it names.
    fn deliver(&mut self, to: &str, mut request: emulator::Request, commit: u64) -> Handled {
        if self.tenant.dialect == Dialect::Cloud {
            return self.deliver_cloud(to, &request, commit);
        }
        let organization = request.path.split('/').find(|part| part.starts_with("org-")).map(str::to_owned);
        let Some(organization) = organization.filter(|_| request.method == "PUT") else {
            return self.world.handle(&request, self.now);
        };
        let planned: u64 = request.header("if-match").and_then(|version| version.parse().ok()).unwrap_or(0);
        let current = self.world.configuration(&organization).map_or(0, |stored| stored.version);
        if self.script.unenforced && current > 0 {
            request = request.with_header("if-match", &current.to_string());
        }
        let handled = self.world.handle(&request, self.now);
        let made = self.world.configuration(&organization).map_or(0, |stored| stored.version);
        if made == current {
            return handled;
        }
        let unseen = |record: &&emulator::AuditRecord| {
            record.organization_id == organization && (planned + 1..=current).contains(&record.version)
        };
        let ours = |record: &emulator::AuditRecord| record.actor.id == CLIENT;
        // A stale read can't be told from a fresh one where nothing is held to a version.
        if self.world.audit().iter().filter(unseen).any(ours) && !self.stale_ever {
            self.crossed = Some(format!("version {made} of {organization} went over a newer one of ours"));
        }
        let newest = self.written.entry(organization.clone()).or_default();
        if commit < *newest {
            self.crossed = Some(format!(
                "version {made} of {organization} says what r{commit} says, after r{newest} was written"
            ));
        }
        *newest = commit.max(*newest);
        handled
    }

    fn unanswered<T>(&self, fault: Fault, left: bool) -> Outcome<T> {
        if left && self.mutant != Mutant::NoReadBack {
            Outcome::Unknown(fault)
        } else {
            Outcome::Unsent(fault)
        }
    }

    fn save(&mut self, records: Vec<Record>) -> Event {
        if self.dice.percent(self.script.store_failure) {
            self.counts.hit("store failure");
            self.say("the journal can't be written");
            return Event::Failed(Fault::new(FaultKind::Local, "disk full"));
        }
        let kept = |record: &Record| self.mutant != Mutant::NoIntent || !matches!(record, Record::Intent(_));
        self.records.extend(records.into_iter().filter(kept));
        Event::Saved
    }

    /// Sends an operation through everything that can go wrong. `Err` carries whether the request left.
    fn send(
        &mut self,
        target: &Target,
        operation: &Operation,
        deadline: Option<Timestamp>,
    ) -> Result<Response, (Fault, bool)> {
        let organization = target.organization.to_string();
        let lost = |what: &str| Fault::new(FaultKind::Transient, what.to_owned());
        let mutates = operation.verb.mutates();
        if self.is_dark(&organization, operation) {
            self.say(format!("{} finds nobody", operation.verb.method()));
            return Err((lost("connection refused"), false));
        }
        if self.dice.percent(self.script.drop_before) {
            self.counts.hit("drop before");
            self.say(format!("{} never leaves", operation.verb.method()));
            let left = mutates && self.dice.percent(50);
            return Err((lost("connection refused"), left));
        }
        let request = self.request(target, operation);
        if mutates && self.dice.percent(self.script.late) {
            // Somewhere in the middle it is held up, and arrives before its deadline at the latest.
            let window = deadline.map_or(0, |deadline| {
                u64::try_from(deadline.duration_since(self.now).as_millis()).unwrap_or(0)
            });
            let arrives = self.now + SignedDuration::from_millis(self.dice.below(window.max(1)) as i64);
            self.in_flight.push(InFlight { arrives, organization, request, commit: self.commit });
            self.say(format!("{} is held up on its way", operation.verb.method()));
            return Err((lost("timeout"), true));
        }
        if self.dice.percent(self.script.throttle) {
            self.counts.hit("throttle");
            let retry_after_ms = self.dice.percent(50).then(|| self.dice.below(3) * 1_000);
            return Ok(self.canned(operation, 429, retry_after_ms));
        }
        if self.dice.percent(self.script.server_error) {
            self.counts.hit("server error");
            if self.dice.percent(50) {
                self.deliver(&organization, request, self.commit);
            }
            return Ok(self.canned(operation, 503, None));
        }
        if operation.verb == Verb::Get && self.dice.percent(self.script.stale) {
            self.counts.hit("stale");
            self.stale_ever = true;
            self.world.add_faults(vec![Script_ {
                requests: FaultMatch::default(),
                nth: 1,
                times: 1,
                action: FaultAction::Stale,
            }]);
        }
        let handled = self.deliver(&organization, request, self.commit);
        if self.dice.percent(self.script.drop_after) {
            self.counts.hit("drop after");
            self.say(format!("the answer to {} is lost", operation.verb.method()));
            return Err((lost("connection reset"), true));
        }
        let mut response = match handled {
            Handled { response: Some(response), .. } => Response {
                status: response.status,
                request_id: response.header("x-request-id").map(str::to_owned),
                retry_after_ms: None,
                location: None,
                date: None,
                allowed_per_minute: None,
                is_json: true,
                body: response.body.to_vec(),
                subject: operation.subject.clone(),
            },
            Handled { response: None, .. } => return Err((lost("connection closed"), true)),
        };
        if self.dice.percent(self.script.garbage) {
            self.counts.hit("garbage");
            response = Response { status: 200, is_json: false, body: b"<html>".to_vec(), ..response };
        }
        Ok(response)
    }

    /// Whether the organization that is asked answers nothing for now.
    fn is_dark(&mut self, asked: &str, operation: &Operation) -> bool {
        if self.dark.as_ref().is_some_and(|(_, until)| self.now >= *until) {
            self.dark = None;
        }
        if self.dark.is_none() && self.outages.percent(self.script.outage) {
            let organization = format!("org-{}", self.outages.below(1 + self.tenant.replicas.len() as u64));
            let until = self.now + SignedDuration::from_millis(2_000 + self.outages.below(30_000) as i64);
            self.say(format!("{organization} is down until {until}"));
            self.dark = Some((organization, until));
        }
        let concerns = |dark: &str| asked == dark || operation.path.contains(dark);
        let dark = self.dark.as_ref().is_some_and(|(dark, _)| concerns(dark));
        if dark {
            self.counts.hit("outage");
        }
        dark
    }

    fn canned(&mut self, operation: &Operation, status: u16, retry_after_ms: Option<u64>) -> Response {
        Response {
            status,
            request_id: None,
            retry_after_ms,
            location: None,
            date: None,
            allowed_per_minute: None,
            is_json: true,
            body: b"{}".to_vec(),
            subject: operation.subject.clone(),
        }
    }

    fn request(&mut self, target: &Target, operation: &Operation) -> emulator::Request {
        let token = match self.tenant.dialect {
            Dialect::Webchat => self.token(CLIENT),
            Dialect::Cloud => self.token(&client(&target.organization)),
        };
        let mut request = emulator::Request::new(operation.verb.method(), &format!("/{}", operation.path))
            .with_header("authorization", &format!("Bearer {token}"))
            .with_header("content-type", "application/json");
        if let Some(version) = operation.if_match {
            request = request.with_header("if-match", &version.to_string());
        }
        match &operation.body {
            Some(body) => request.with_body(body.clone()),
            None => request,
        }
    }

    fn token(&mut self, client: &str) -> String {
        if let Some((token, until)) = self.tokens.get(client)
            && self.now < *until
        {
            return token.clone();
        }
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}");
        let request = emulator::Request::new("POST", "/oauth/token")
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(form);
        let body = self
            .world
            .handle(&request, self.now)
            .response
            .map(|response| response.body.to_vec())
            .unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let token = body["access_token"].as_str().unwrap().to_owned();
        // A request may be held up for up to 2 s, and its token must be good when it arrives.
        self.tokens.insert(client.to_owned(), (token.clone(), self.now + SignedDuration::from_secs(20)));
        token
    }

    /// The intent of a write is durable before the write leaves, and no other is open; but for writes to
    /// organizations that don't answer and that are left alone for now.
    fn demand_intent(&self, targets: &[Target]) -> Result<(), String> {
        let open = self.journal().unresolved;
        let elsewhere = |intent: &&Intent| match &intent.action {
            IntentAction::Put { target, .. } => {
                !targets.iter().any(|known| known.organization == target.organization)
            }
            IntentAction::Job { .. } => false,
        };
        let left_alone = open.iter().filter(elsewhere).count();
        if open.len() - left_alone == 1 || matches!(self.mutant, Mutant::NoIntent | Mutant::NoFence) {
            return Ok(());
        }
        self.fail(format!("a write leaves with {} open intents in the journal", open.len()))
    }

    /// A write of ours changes managed fields only: it was made from what it went over.
    fn demand_no_blind_write(&mut self) -> Result<(), String> {
        if let Some(crossed) = &self.crossed {
            return self.fail(crossed);
        }
        let fresh: Vec<_> = self.world.audit()[self.audited..].to_vec();
        self.audited += fresh.len();
        for record in fresh.iter().filter(|record| record.actor.id == CLIENT) {
            // What has no precondition may go over an edit, which then has to be told, if a little later.
            let is_held_to_a_version =
                !self.script.unenforced && !record.action.name().ends_with("replicate");
            if !is_held_to_a_version && self.hides_an_edit(record) {
                self.counts.hit("gone over");
                self.gone_over.insert(record.organization_id.clone());
            }
            let stray = record.changes.iter().find(|change| !managed(&change.property));
            let Some(change) = stray else { continue };
            if is_held_to_a_version {
                return self.fail(format!(
                    "version {} of {} went over a change that it had not seen: {}",
                    record.version, record.organization_id, change.property
                ));
            }
        }
        Ok(())
    }

    fn demand_equal(&self) -> Result<(), String> {
        for target in self.tenant.targets() {
            let Some(stored) = self.world.configuration(target.organization.as_str()) else {
                return self.fail(format!("{} has no configuration", target.organization));
            };
            let observed = genesync::model::Observed::Present(genesync::model::Stored {
                version: stored.version,
                body: Arc::new(stored.body.clone()),
                modified_at: None,
                modified_by: None,
                cloud: None,
            });
            let changes =
                plan::diff::changes(&self.git.1[0].desired, &observed, &plan::Evidence::default()).0;
            if !changes.is_empty() {
                return self.fail(format!("{} differs from git: {changes:?}", target.organization));
            }
        }
        Ok(())
    }

    /// Whether a write changed, in a field that nobody manages, what a person had set in the version before.
    fn hides_an_edit(&self, copy: &emulator::AuditRecord) -> bool {
        let before = self.world.audit().iter().find(|record| {
            record.organization_id == copy.organization_id
                && record.version + 1 == copy.version
                && record.actor.id != CLIENT
        });
        // Made from what was read, it hides nothing that the core did not know of.
        if self.known.get(&copy.organization_id).is_some_and(|known| copy.version <= known + 1) {
            return false;
        }
        let touched = |property: &str| copy.changes.iter().any(|change| change.property == property);
        before.is_some_and(|edit| {
            edit.changes.iter().any(|change| !managed(&change.property) && touched(&change.property))
        })
    }

    /// Where a write without a precondition went over somebody's change, the core has said so, or has said that
    /// it can't tell what became of the write.
    fn demand_told(&self) -> Result<(), String> {
        let told = |organization: &&String| {
            self.overwrote.contains(*organization)
                || self.unclear.iter().any(|(unclear, _)| unclear == *organization)
        };
        match self.gone_over.iter().find(|organization| !told(organization)) {
            Some(organization) if !self.stale_ever => {
                self.fail(format!("a write went over a change in {organization}, and nobody was told"))
            }
            _ => Ok(()),
        }
    }

    /// Every version that we made has a durable receipt, and every receipt a version; save those that the
    /// core said it could not tell.
    fn demand_accounted(&self) -> Result<(), String> {
        let made: BTreeSet<(String, u64)> = self
            .world
            .audit()
            .iter()
            .filter(|record| record.actor.id == CLIENT)
            .map(|record| (record.organization_id.clone(), record.version))
            .collect();
        let mut receipts = BTreeSet::new();
        for record in &self.records {
            if let Record::Resolved { receipts: found, .. } = record {
                receipts.extend(
                    found.iter().map(|receipt| (receipt.target.organization.to_string(), receipt.version)),
                );
            }
        }
        let told = |made: &(String, u64)| self.unclear.contains(made) || self.doubtful.contains(&made.0);
        if let Some((organization, version)) =
            made.iter().find(|made| !receipts.contains(*made) && !told(made))
        {
            return self.fail(format!("version {version} of {organization} is ours and has no receipt"));
        }
        if let Some((organization, version)) =
            receipts.iter().find(|receipt| !made.contains(*receipt) && !told(receipt))
        {
            return self.fail(format!(
                "there is a receipt for version {version} of {organization}, which we did not make"
            ));
        }
        Ok(())
    }
}
