//! The pass in this process: real SQLite, and a world under virtual time instead of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use genesync::api::webchat;
use genesync::config::ConfigError;
use genesync::driver::drive::Watcher;
use genesync::driver::exit;
use genesync::driver::pass::{self, Lookup, Order, Passed};
use genesync::driver::ports::{Ports, Reads};
use genesync::driver::spec::Terms;
use genesync::emulator::{self, Actor, Handled, Seed, World};
use genesync::model::plan::Limits;
use genesync::model::write::{Accepted, Job, StartJob};
use genesync::model::{
    CredentialsName, Desired, Dialect, Exit, Fault, FaultKind, Guard, Intervals, Look, Mode, Object,
    OrganizationId, Outcome, Region, Resource, Revision, Seen, Status, StorePlace, Target, Tenant,
    TenantName, Timing, Wanted, WantedSettings, Window, Write,
};
use genesync::platform::operation::{Operation, Response};
use genesync::reconcile::{AuditQuery, Entries, Note};
use genesync::store::{Asked, Pause, PauseKind, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fleet::{Fate, Member, fleet};

/// The number of fleets that are played, as `apply` and as `run --once`.
const SEEDS: u64 = 500;
const CLIENT: &str = "our-client";
const SECRET: &str = "our-secret";

/// The world and its clock.
struct Inner {
    world: World,
    now: Timestamp,
    fates: BTreeMap<String, Fate>,
}

#[derive(Clone)]
pub(super) struct Port(Arc<Mutex<Inner>>);

fn organization(number: u32) -> String {
    format!("org-{number}")
}

impl Port {
    pub(super) fn new() -> Self {
        let world = World::new(&Seed::unconfigured(CLIENT, SECRET));
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        Self(Arc::new(Mutex::new(Inner { world, now, fates: BTreeMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what happens to a tenant from now on.
    pub(super) fn befall(&self, member: &Member) {
        let organization = organization(member.number);
        let mut inner = self.lock();
        inner.fates.insert(organization.clone(), member.fate);
        if member.drifted {
            let (now, patch) = (inner.now, json!({"greetings": {"delayMs": 777}}));
            inner.world.edit(&organization, &Actor::user("Mara"), &patch, now);
        }
    }

    /// Returns the version of an organization's configuration; 0 without one.
    pub(super) fn version(&self, number: u32) -> u64 {
        self.lock().world.configuration(&organization(number)).map_or(0, |stored| stored.version)
    }

    /// Returns the number of writes.
    pub(super) fn writes(&self) -> u64 {
        self.lock().world.writes()
    }

    /// Returns why an organization does not answer.
    fn fault(&self, organization: &OrganizationId) -> Option<Fault> {
        match self.lock().fates.get(organization.as_str()) {
            Some(Fate::Out) => Some(Fault::new(FaultKind::Transient, "503")),
            Some(Fate::Denied) => Some(Fault::new(FaultKind::Denied, "403")),
            _ => None,
        }
    }

    fn send(&self, operation: &Operation) -> Response {
        let mut inner = self.lock();
        inner.now += SignedDuration::from_millis(5);
        let now = inner.now;
        let form = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}");
        let asked = emulator::Request::new("POST", "/oauth/token")
            .with_header("content-type", "application/x-www-form-urlencoded")
            .with_body(form);
        let body = inner.world.handle(&asked, now).response.unwrap().body.to_vec();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let token = body["access_token"].as_str().unwrap();
        let mut request = emulator::Request::new(operation.verb.method(), &format!("/{}", operation.path))
            .with_header("authorization", &format!("Bearer {token}"))
            .with_header("content-type", "application/json");
        if let Some(version) = operation.if_match {
            request = request.with_header("if-match", &version.to_string());
        }
        if let Some(body) = &operation.body {
            request = request.with_body(body.clone());
        }
        let Handled { response: Some(response), .. } = inner.world.handle(&request, now) else {
            panic!("no fault is scripted here")
        };
        Response {
            status: response.status,
            request_id: None,
            retry_after_ms: None,
            location: None,
            date: None,
            allowed_per_minute: None,
            is_json: true,
            body: response.body.to_vec(),
            subject: operation.subject.clone(),
        }
    }
}

impl Reads for Port {
    async fn observe(&self, look: &Look) -> Result<Seen, Fault> {
        let organization = &look.target.organization;
        match self.fault(organization) {
            Some(fault) => Err(fault),
            None => webchat::observed(&self.send(&webchat::read(organization))).map(Into::into),
        }
    }

    async fn job(&self, source: &Target, id: &str) -> Result<Job, Fault> {
        webchat::job(&self.send(&webchat::poll(&source.organization, id)))
    }

    async fn entries(&self, query: &AuditQuery) -> Result<Entries, Fault> {
        let organizations: Vec<&OrganizationId> = query.organizations().collect();
        if let Some(fault) = organizations.iter().find_map(|organization| self.fault(organization)) {
            return Err(fault);
        }
        let page = webchat::entries(&self.send(&webchat::audit(&organizations, query.from, query.to, 1)))?;
        Ok(Entries { entries: page.entries, ..Entries::default() })
    }

    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep(&self, wait: Duration) {
        let mut inner = self.lock();
        inner.now += SignedDuration::try_from(wait).unwrap();
        let now = inner.now;
        inner.world.settle(now);
    }
}

impl Ports for Port {
    async fn write(&self, write: &Write) -> Outcome<Accepted> {
        let organization = &write.target.organization;
        if self.lock().fates.get(organization.as_str()) == Some(&Fate::Rejected) {
            return Outcome::Rejected(Fault::new(FaultKind::Rejected, "400"));
        }
        match self.fault(organization) {
            Some(fault) => Outcome::Failed(fault),
            None => webchat::answer(&self.send(&webchat::write(write)), webchat::accepted),
        }
    }

    async fn start_job(&self, start: &StartJob) -> Outcome<Job> {
        webchat::answer(&self.send(&webchat::replicate(start)), webchat::job)
    }
}

/// Reports nothing, and can stop the pass at the start of one of its stages.
#[derive(Default)]
pub(super) struct Quiet {
    stop: CancellationToken,
    stops_at: Option<&'static str>,
}

impl Quiet {
    pub(super) fn stopping_at(part: &'static str) -> Self {
        Self { stops_at: Some(part), ..Self::default() }
    }
}

impl Watcher for Quiet {
    fn note(&self, _: &TenantName, _: &Note) {}

    fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}

impl pass::Progress for Quiet {
    fn begin(&self, what: &'static str, _: usize) {
        if self.stops_at == Some(what) {
            self.stop.cancel();
        }
    }

    fn step(&self) {}

    fn waiting(&self, _: usize, _: &TenantName, _: &str) {}
}

fn window(now: Timestamp) -> Window {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_one_offset();
    Window { days: vec![(today + 2) % 7 + 1], start_min: 540, end_min: 600, time_zone: "Etc/UTC".into() }
}

/// Returns what git says of a member. Before the commit all members are enforced and valid.
pub(super) fn member(member: &Member, after: bool, now: Timestamp) -> pass::Member {
    let name = TenantName::new(member.name());
    let is = |fate: Fate| after && member.fate == fate;
    let watched = after && member.watched;
    let wave = member.wave;
    let delay_ms = if after { member.delay_ms() } else { 1 };
    let body = json!({"greetings": {"enabled": true, "messages": ["Hello"], "delayMs": delay_ms}});
    let body = Arc::new(body.as_object().cloned().unwrap());
    let desired = Desired { body, exclusive: false, ignored: BTreeSet::new() };
    let credentials = CredentialsName::new(if is(Fate::NoClient) { "nobody" } else { "main" });
    let primary = Target {
        organization: OrganizationId::new(organization(member.number)),
        region: Region::EuWest1,
        credentials: credentials.clone(),
        object: Object::implied(),
    };
    let tenant = Tenant {
        name: name.clone(),
        dialect: Dialect::Webchat,
        primary,
        replicas: Vec::new(),
        mode: if watched { Mode::Watch } else { Mode::Enforce },
        wave,
        windows: if is(Fate::Closed) { vec![window(now)] } else { Vec::new() },
        ignore: Vec::new(),
        protected: Default::default(),
        policy: Default::default(),
        owners: Vec::new(),
    };
    let broken = is(Fate::Invalid) || is(Fate::Unreadable);
    let digest = format!("{tenant:?} {desired:?}");
    let settings = WantedSettings { enforced: !watched, credentials, wave };
    let wanted = Wanted {
        tenant: name,
        digest: (!broken).then(|| digest.into()),
        settings: (!is(Fate::Unreadable)).then_some(settings),
        invalid: broken.then(|| "not valid".into()),
    };
    let resources = if broken { Vec::new() } else { vec![Resource::implied(desired)] };
    pass::Member { wanted, tenant: (!is(Fate::Unreadable)).then_some(tenant), resources }
}

pub(super) fn order(
    port: &Port,
    store: &Store,
    revision: &str,
    members: Vec<pass::Member>,
    shell: Shell,
) -> Order<Port, Port> {
    let lookup: Arc<Lookup> = Arc::new(|tenant: Tenant, _| {
        let known = tenant.primary.credentials.as_str() == "main";
        let found = match known {
            true => Ok(BTreeSet::from([CLIENT.to_owned()])),
            false => Err(ConfigError::NoCredentials { name: "nobody".into() }),
        };
        std::future::ready(found).boxed()
    });
    let limits = Limits { run_tenants_max_percent: 100, ..Limits::default() };
    let timing = Timing { backoff_ms: 1, backoff_max_ms: 4, poll_ms: 1, ..Timing::default() };
    Order {
        reads: port.clone(),
        ports: port.clone(),
        store: store.clone(),
        lookup,
        holds: Arc::new(|_, _| Ok(true)),
        repository: "repo".into(),
        is_whole: shell != Shell::Named,
        managed: members.len(),
        parent: Default::default(),
        members,
        terms: Terms {
            revision: Revision::new(revision),
            limits,
            memory: genesync::model::Memory::Kept,
            timing,
            today: "2026-11-29".parse().unwrap(),
        },
        reviewed: None,
        lease: Duration::from_secs(60),
        lease_patience: Duration::ZERO,
        waves_patience: Duration::ZERO,
        intervals: Intervals {
            resync: Duration::from_secs(600),
            retry: Duration::from_secs(5),
            retry_max: Duration::from_secs(300),
        },
        concurrency: 4,
        asked: (shell != Shell::Scheduled).then(|| Asked { by: "mara".into(), why: String::new() }),
    }
}

/// The shell that applies the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    /// `apply`.
    ByHand,
    /// `run --once`.
    Scheduled,
    /// `apply --tenant`, of every tenant.
    Named,
}

/// The result of each tenant with the number of writes to its organization, and the exit code.
type Ends = (BTreeMap<String, (Status, Option<&'static str>, u64)>, Exit);

/// Plays a fleet: a first commit that all tenants apply, then their fates, then a second commit, this many
/// times.
async fn play(members: &[Member], shell: Shell, times: usize) -> Vec<Ends> {
    let folder = tempfile::tempdir().unwrap();
    let place = StorePlace::Folder(folder.path().to_owned());
    let store = Store::open(&place, "here").await.unwrap();
    let port = Port::new();
    let progress: Arc<dyn pass::Progress> = Arc::new(Quiet::default());
    let now = port.now();
    let before = members.iter().map(|one| member(one, false, now)).collect();
    let first = pass::pass(
        &order(&port, &store, "c1", before, if shell == Shell::Named { Shell::ByHand } else { shell }),
        &progress,
    )
    .await
    .unwrap();
    assert!(first.ended.iter().all(|ended| ended.status == Some(Status::Synced)), "{first:?}");
    for one in members {
        let name = TenantName::new(one.name());
        port.befall(one);
        let (kind, by) = match (one.paused, one.fate) {
            (true, _) => (PauseKind::Pause, "mara".to_owned()),
            (false, Fate::Held) => (PauseKind::Hold, Pause::guard(Guard::RunTenants)),
            (false, _) => continue,
        };
        let pause = Pause { kind, by, reason: "x".into(), since: now, until: None };
        store.pause(&name, &pause).await.unwrap();
    }
    let versions = |port: &Port| -> BTreeMap<String, u64> {
        members.iter().map(|one| (one.name(), port.version(one.number))).collect()
    };
    let mut ends = Vec::new();
    for _ in 0..times {
        let known = versions(&port);
        let after = members.iter().map(|one| member(one, true, now)).collect();
        let passed: Passed = match pass::pass(&order(&port, &store, "c2", after, shell), &progress).await {
            Ok(passed) => passed,
            // If no tenant has a client, the pass does nothing.
            Err(pass::PassError::NoClients(_)) => {
                ends.push((BTreeMap::new(), Exit::Usage));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let written = versions(&port);
        let waiting = shell != Shell::Scheduled;
        let asked = exit::Asked { waiting, detailed: false, require_confirmed: false };
        let of_each = passed.ended.iter().map(|ended| {
            let name = ended.tenant.to_string();
            let writes = written[&name] - known[&name];
            (name, (ended.shown(), ended.standing.map(|standing| standing.name()), writes))
        });
        ends.push((of_each.collect(), passed.exit(false, asked)));
    }
    ends
}

/// Returns the errors of a second pass over the same commit: what kept the first pass from writing still
/// does.
fn wrong_again(first: &Ends, second: &Ends) -> Vec<String> {
    let moved = first.0.iter().filter_map(|(name, (status, _, _))| {
        let (again, _, writes) = second.0.get(name)?;
        (again != status || *writes > 0)
            .then(|| format!("{name}: {status:?}, then {again:?}, {writes} writes"))
    });
    moved.collect()
}

/// Returns the errors in the result of a fleet, by rules that are independent of the pass.
fn wrong(members: &[Member], ends: &Ends) -> Vec<String> {
    let mut wrong = Vec::new();
    if ends.0.is_empty() {
        return wrong;
    }
    let end = |one: &Member| ends.0[&one.name()];
    let holds = |one: &&Member| {
        // A tenant that cannot be read keeps the mode and the wave of the commit before, and that commit
        // enforced it.
        let watched = one.watched && one.fate != Fate::Unreadable;
        let refused = matches!(
            end(one).0,
            Status::Held
                | Status::Refused
                | Status::Invalid
                | Status::Waiting
                | Status::Degraded(FaultKind::Rejected)
        );
        // A tenant with drift only has no change of git that waits.
        let settings_moved =
            matches!(one.fate, Fate::Closed | Fate::NoClient | Fate::Invalid | Fate::Unreadable);
        refused && !watched && !one.paused && (one.changed || settings_moved)
    };
    for one in members {
        let (status, _, writes) = end(one);
        if (one.watched || one.paused || one.fate.keeps_from_writing()) && writes > 0 {
            wrong.push(format!("{one:?} was written: {status:?}"));
        }
        if one.paused && !matches!(one.fate, Fate::Invalid | Fate::Unreadable) && status != Status::Paused {
            wrong.push(format!("{one:?} is paused, but its status is {status:?}"));
        }
        if one.watched || one.paused || one.fate != Fate::Fine {
            continue;
        }
        let lower = members.iter().filter(holds).find(|other| other.wave < one.wave);
        let must = match (one.changed, one.drifted, lower) {
            (true, _, Some(_)) => (Status::Waiting, 0),
            (true, _, None) | (false, true, _) => (Status::Synced, 1),
            (false, false, _) => (Status::Synced, 0),
        };
        if (status, writes) != must {
            wrong.push(format!("{one:?} ended {:?}, not {must:?}; below it: {lower:?}", (status, writes)));
        }
    }
    wrong
}

#[test]
fn an_apply_and_a_scheduled_pass_reach_the_same_result_in_random_fleets() {
    let threads = 2;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let share = |first: u64| {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let mut failures = Vec::new();
                for seed in (first..SEEDS).step_by(threads) {
                    let members = fleet(seed);
                    let (apply, once, named) = runtime.block_on(async {
                        let apply = play(&members, Shell::ByHand, 1).await;
                        (
                            apply,
                            play(&members, Shell::Scheduled, 2).await,
                            play(&members, Shell::Named, 1).await,
                        )
                    });
                    let (apply, named) = (&apply[0], &named[0]);
                    let mut broken = wrong(&members, apply);
                    broken.extend(wrong_again(&once[0], &once[1]));
                    let exits = (apply.1, once[0].1);
                    let same_exit = exits.0 == exits.1 || exits == (Exit::Changes, Exit::Done);
                    if apply.0 != once[0].0 || apply != named || !same_exit || !broken.is_empty() {
                        failures.push(format!(
                            "seed {seed}: {members:#?}\n{apply:#?}\n{once:#?}\n{named:#?}\n{broken:#?}"
                        ));
                    }
                }
                failures
            })
        };
        let shares: Vec<_> = (0..threads as u64).map(share).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {SEEDS} fleets; the first:\n{}", failures.len(), failures[0]);
}
