//! The pass in this process: real SQLite, and a world under virtual time in place of the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use genesync::api::operation::{Operation, Response};
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
use genesync::reconcile::{AuditQuery, Entries, Note};
use genesync::store::{Asked, Pause, PauseKind, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fleet::{Fate, Member, fleet};

/// How many fleets are played, as `apply` and as `run --once`.
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
struct Port(Arc<Mutex<Inner>>);

fn organization(number: u32) -> String {
    format!("org-{number}")
}

impl Port {
    fn new() -> Self {
        let world = World::new(&Seed::unconfigured(CLIENT, SECRET));
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        Self(Arc::new(Mutex::new(Inner { world, now, fates: BTreeMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why an organization does not answer.
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
        Ok(Entries { entries: page.entries, truncated: false })
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

struct Quiet(CancellationToken);

impl Watcher for Quiet {
    fn note(&self, _: &TenantName, _: &Note) {}

    fn stop(&self) -> &CancellationToken {
        &self.0
    }
}

impl pass::Progress for Quiet {
    fn begin(&self, _: &'static str, _: usize) {}

    fn step(&self) {}

    fn waiting(&self, _: usize, _: &TenantName, _: &str) {}
}

fn window(now: Timestamp) -> Window {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_one_offset();
    Window { days: vec![(today + 2) % 7 + 1], start_min: 540, end_min: 600, time_zone: "Etc/UTC".into() }
}

/// What git says of a member: before the commit all are enforced and well.
fn member(member: &Member, after: bool, now: Timestamp) -> pass::Member {
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
        object: Object::web_messaging(),
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
        protected: false,
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
    let resources = if broken { Vec::new() } else { vec![Resource::web_messaging(desired)] };
    pass::Member { wanted, tenant: (!is(Fate::Unreadable)).then_some(tenant), resources }
}

fn order(
    port: &Port,
    store: &Store,
    revision: &str,
    members: Vec<pass::Member>,
    by_hand: bool,
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
        holds: Arc::new(|_| Ok(true)),
        repository: "repo".into(),
        is_whole: true,
        members,
        terms: Terms {
            revision: Revision::new(revision),
            limits,
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
        asked: by_hand.then(|| Asked { by: "mara".into(), why: String::new() }),
    }
}

/// What became of each tenant, and how often its organization was written, and the exit code.
type Ends = (BTreeMap<String, (Status, Option<&'static str>, u64)>, Exit);

async fn play(members: &[Member], by_hand: bool) -> Ends {
    let folder = tempfile::tempdir().unwrap();
    let place = StorePlace::Folder(folder.path().to_owned());
    let store = Store::open(&place, "here").await.unwrap();
    let port = Port::new();
    let progress: Arc<dyn pass::Progress> = Arc::new(Quiet(CancellationToken::new()));
    let now = port.now();
    let before = members.iter().map(|one| member(one, false, now)).collect();
    let first = pass::pass(&order(&port, &store, "c1", before, by_hand), &progress).await.unwrap();
    assert!(first.ended.iter().all(|ended| ended.status == Some(Status::Synced)), "{first:?}");
    for one in members {
        let name = TenantName::new(one.name());
        if one.drifted {
            let mut inner = port.lock();
            let now = inner.now;
            let patch = json!({"greetings": {"delayMs": 777}});
            inner.world.edit(&organization(one.number), &Actor::user("Mara"), &patch, now);
        }
        port.lock().fates.insert(organization(one.number), one.fate);
        let (kind, by) = match one.fate {
            Fate::Paused => (PauseKind::Pause, "mara".to_owned()),
            Fate::Held => (PauseKind::Hold, Pause::guard(Guard::RunTenants)),
            _ => continue,
        };
        let pause = Pause { kind, by, reason: "x".into(), since: now, until: None };
        store.pause(&name, &pause).await.unwrap();
    }
    let versions = |port: &Port| -> BTreeMap<String, u64> {
        let inner = port.lock();
        let version = |one: &Member| inner.world.configuration(&organization(one.number)).unwrap().version;
        members.iter().map(|one| (one.name(), version(one))).collect()
    };
    let known = versions(&port);
    let after = members.iter().map(|one| member(one, true, now)).collect();
    let passed: Passed = match pass::pass(&order(&port, &store, "c2", after, by_hand), &progress).await {
        Ok(passed) => passed,
        // Where none has a client, nothing is done.
        Err(pass::PassError::NoClients(_)) => return (BTreeMap::new(), Exit::Usage),
        Err(error) => panic!("{error}"),
    };
    let written = versions(&port);
    let asked = exit::Asked { waiting: by_hand, detailed: false, require_confirmed: false };
    let ends = passed.ended.iter().map(|ended| {
        let name = ended.tenant.to_string();
        let writes = written[&name] - known[&name];
        (name, (ended.shown(), ended.standing.map(|standing| standing.name()), writes))
    });
    (ends.collect(), passed.exit(false, asked))
}

/// Rules that the pass does not know: what is wrong with how a fleet ended.
fn wrong(members: &[Member], ends: &Ends) -> Vec<String> {
    let mut wrong = Vec::new();
    if ends.0.is_empty() {
        return wrong;
    }
    let end = |one: &Member| ends.0[&one.name()];
    let holds = |one: &&Member| {
        // What can't be read keeps the mode and the wave of the commit before, and that was enforced.
        let watched = one.watched && one.fate != Fate::Unreadable;
        let refused = matches!(
            end(one).0,
            Status::Held
                | Status::Refused
                | Status::Invalid
                | Status::Waiting
                | Status::Degraded(FaultKind::Rejected)
        );
        // A tenant that was only moved by hand has no change of git to wait for.
        let settings_moved =
            matches!(one.fate, Fate::Closed | Fate::NoClient | Fate::Invalid | Fate::Unreadable);
        refused && !watched && !one.fate.stands_aside() && (one.changed || settings_moved)
    };
    for one in members {
        let (status, _, writes) = end(one);
        if (one.watched || one.fate.keeps_from_writing()) && writes > 0 {
            wrong.push(format!("{one:?} was written: {status:?}"));
        }
        if one.watched || one.fate != Fate::Fine {
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
fn an_apply_and_a_scheduled_pass_come_to_one_end_in_random_fleets() {
    let threads = 2;
    let failures: Vec<String> = std::thread::scope(|scope| {
        let share = |first: u64| {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let mut failures = Vec::new();
                for seed in (first..SEEDS).step_by(threads) {
                    let members = fleet(seed);
                    let (apply, once) =
                        runtime.block_on(async { (play(&members, true).await, play(&members, false).await) });
                    let broken = wrong(&members, &apply);
                    let same_exit = apply.1 == once.1 || (apply.1, once.1) == (Exit::Changes, Exit::Done);
                    if apply.0 != once.0 || !same_exit || !broken.is_empty() {
                        failures
                            .push(format!("seed {seed}: {members:#?}\n{apply:#?}\n{once:#?}\n{broken:#?}"));
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
