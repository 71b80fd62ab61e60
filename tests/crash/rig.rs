//! One world for one test, and its judge.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use genesync::model::{Dialect, ObjectKind};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _, Row as _};
use tokio::runtime::Runtime;

use crate::cloud;
use crate::postgres::Postgres;
use crate::profiles::{self, DEFAULTS};
use crate::support::{CLIENT_ID, SECRET, Stage, delay, organization, tenant};

/// Runs the tests' own asynchronous work: queries, proxies.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    sqlx::any::install_default_drivers();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// The limit of a wait. A busy machine may be slow, but nothing takes longer unless it never happens.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Short times, so that a test does not wait for minutes as in production. They do not decide whether a
/// result is right: a slower process goes through a few more rounds.
const SETTINGS: &str = "\
[timing]
write-ms = 600
settle-ms = 50
backoff-ms = 20
backoff-max-ms = 200
poll-ms = 20
poll-max-ms = 60
confirm-ms = 2000
job-ms = 1200
appear-ms = 300
ready-ms = 5000
lease-ms = 600
[pacing]
requests-per-minute = 60000
burst = 1000
[controller]
git-poll-ms = 100
git-stale-ms = 3600000
resync-ms = 250
retry-ms = 50
retry-max-ms = 300
shutdown-ms = 4000
runs-max = 64
";

/// Tests change all tenants at once, again and again.
const PROJECT: &str = "\
apiVersion: genesync/v1alpha1
kind: Project
metadata: {name: crash}
spec:
  guards:
    run: {tenantsMaxPercent: 100}
    tenant: {flapsMax: 1000, flapWindowMs: 60000}
";

/// The kind of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "SQLite",
            Kind::Postgres => "PostgreSQL",
        }
    }
}

/// Returns one cluster for all tests that run at the moment; the last of them removes it.
pub fn cluster() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let cluster = Arc::new(Postgres::start());
    *shared = Arc::downgrade(&cluster);
    cluster
}

/// Returns a unique database name.
pub fn database_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("run_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What an organization must be at in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// One version for each requested change: the reference for a run with faults.
    pub version: u64,
    pub delay: u32,
}

pub struct Rig {
    pub stage: Stage,
    pub kind: Kind,
    dialect: Dialect,
    /// The value of `GENESYNC_STORE` for the processes; empty for SQLite.
    pub store_url: String,
    /// The test's own URL of the store.
    look_url: String,
    _cluster: Option<Arc<Postgres>>,
    /// By organization; in the `cloud` dialect by pair of a configuration and its deployment.
    pub expected: Mutex<BTreeMap<u32, Expected>>,
    /// The number that the tenant's profiles must be at, if it has profiles.
    pub profiles: Mutex<Option<u32>>,
    /// The unmanaged values that people set, by the same number.
    decorations: Mutex<BTreeMap<u32, u64>>,
    /// The newest commit of the repository.
    head: Mutex<String>,
    /// Organizations of each tenant, the primary first.
    tenants: Mutex<BTreeMap<String, Vec<u32>>>,
    connection: tokio::sync::Mutex<Option<AnyConnection>>,
}

/// A process of ours. It ends with this value and with the thread that started it.
pub struct Process {
    child: Child,
    log: std::path::PathBuf,
    gone: bool,
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        self.gone |= status.is_some();
        status
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process still runs:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    pub fn kill(&mut self) {
        if !self.gone {
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.gone = true;
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Returns its log. A secret in it fails the test.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(!log.contains(SECRET) && !log.contains("emulator-token"), "a secret was printed:\n{log}");
        assert!(!log.contains("panicked") && !log.contains("out of place"), "{log}");
        log
    }
}

pub fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().unwrap();
    assert!(sent.success(), "{name} to {id}");
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Rig {
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::on(kind, String::new(), None),
            Kind::Postgres => {
                let cluster = cluster();
                let url = cluster.database(&database_name());
                Self::on(kind, url, Some(cluster))
            }
        }
    }

    /// Returns a world whose tenants use a dialect.
    pub fn of(dialect: Dialect, kind: Kind) -> Self {
        let rig = Self { dialect, ..Self::new(kind) };
        if dialect == Dialect::Cloud {
            *rig.stage.world.lock().unwrap() = cloud::world();
        }
        rig
    }

    pub fn on(kind: Kind, store_url: String, cluster: Option<Arc<Postgres>>) -> Self {
        let stage = Stage::new();
        std::fs::write(stage.path("settings.toml"), SETTINGS).unwrap();
        std::fs::write(stage.repository().join("genesync.yaml"), PROJECT).unwrap();
        let look_url = match kind {
            Kind::Sqlite => format!("sqlite://{}?mode=rw", stage.path("state/genesync.db").display()),
            Kind::Postgres => store_url.clone(),
        };
        Self {
            stage,
            kind,
            dialect: Dialect::Webchat,
            store_url,
            look_url,
            _cluster: cluster,
            expected: Mutex::default(),
            profiles: Mutex::default(),
            decorations: Mutex::default(),
            head: Mutex::default(),
            tenants: Mutex::default(),
            connection: tokio::sync::Mutex::new(None),
        }
    }

    /// Replaces one setting.
    pub fn set(&self, name: &str, value: &str) {
        let path = self.stage.path("settings.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let line = |line: &str| match line.split_once(" = ") {
            Some((known, _)) if known == name => format!("{name} = {value}\n"),
            _ => format!("{line}\n"),
        };
        let changed: String = text.lines().map(line).collect();
        assert!(changed.contains(&format!("{name} = ")), "{name} is not a setting of these tests");
        std::fs::write(&path, changed).unwrap();
    }

    /// Commits the desired delays of some tenants. Each organization whose delay changes is written once.
    pub fn commit(&self, tenants: &[(&str, &[u32], u32)]) -> String {
        let mut files = Vec::new();
        for (name, organizations, ms) in tenants {
            files.extend(tenant(name, organizations, &delay(*ms)));
            self.tenants.lock().unwrap().insert((*name).to_owned(), organizations.to_vec());
            for number in *organizations {
                self.expect(*number, *ms);
            }
        }
        self.commit_files(&files)
    }

    /// Commits the desired numbers of pairs of the `cloud` dialect's tenant.
    pub fn commit_pairs(&self, pairs: &[(u32, u32)]) -> String {
        let files = pairs.iter().flat_map(|(pair, delay)| cloud::files(*pair, *delay)).collect::<Vec<_>>();
        self.tenants.lock().unwrap().insert(cloud::TENANT.to_owned(), vec![cloud::ORGANIZATION]);
        pairs.iter().for_each(|(pair, delay)| self.expect(*pair, *delay));
        self.commit_files(&files)
    }

    /// Commits the desired number of the profiles of the `cloud` dialect's tenant.
    pub fn commit_profiles(&self, delay: u32) -> String {
        self.tenants.lock().unwrap().insert(cloud::TENANT.to_owned(), vec![cloud::ORGANIZATION]);
        *self.profiles.lock().unwrap() = Some(delay);
        let tenant = cloud::files(1, 100).into_iter().filter(|(file, _)| file.ends_with("/tenant.yaml"));
        self.commit_files(&tenant.chain(profiles::files(delay)).collect::<Vec<_>>())
    }

    /// Expects one more version of an organization, unless it is already at that delay.
    pub fn expect(&self, number: u32, ms: u32) {
        let mut expected = self.expected.lock().unwrap();
        let known = expected.entry(number).or_insert(Expected { version: 0, delay: u32::MAX });
        if known.delay != ms {
            *known = Expected { version: known.version + 1, delay: ms };
        }
    }

    pub fn commit_files(&self, files: &[(String, String)]) -> String {
        let commit = self.stage.commit(files);
        self.head.lock().unwrap().clone_from(&commit);
        commit
    }

    pub fn head(&self) -> String {
        self.head.lock().unwrap().clone()
    }

    /// Sets the head that the controller must reach, if git was moved in another way.
    pub fn head_is(&self, commit: &str) {
        commit.clone_into(&mut self.head.lock().unwrap());
    }

    /// Another user changes the delay, which must be set back: two versions.
    pub fn drift(&self, number: u32, ms: u32) {
        self.ask("edit", &edit(number, &json!({"greetings": {"delayMs": ms}})));
        self.expected.lock().unwrap().get_mut(&number).unwrap().version += 2;
    }

    /// Another user changes an unmanaged value, which must stay: one version.
    pub fn decorate(&self, number: u32, banner: u64) {
        let edit = match self.dialect {
            Dialect::Webchat => edit(number, &json!({"banner": banner})),
            Dialect::Cloud => cloud::decoration(number, banner),
        };
        self.ask("edit", &edit);
        self.decorations.lock().unwrap().insert(number, banner);
        self.expected.lock().unwrap().get_mut(&number).unwrap().version += 1;
    }

    /// Calls the emulator's control API.
    pub fn ask(&self, path: &str, body: &Value) -> Value {
        self.stage.control(if body.is_null() { "GET" } else { "POST" }, path, body)
    }

    pub fn fault(&self, fault: &Value) {
        self.ask("faults", &json!({"faults": [fault]}));
    }

    /// Returns the number of the newest request.
    pub fn mark(&self) -> u64 {
        self.ask("requests?since=18446744073709551615", &Value::Null)["next"].as_u64().unwrap()
    }

    /// Returns requests since a mark that match a predicate.
    pub fn requests(&self, since: u64, like: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut log = self.ask(&format!("requests?since={since}"), &Value::Null);
        let requests = log["requests"].as_array_mut().map(std::mem::take).unwrap_or_default();
        requests.into_iter().filter(|request| like(request)).collect()
    }

    /// Returns requests since a mark that would change something.
    pub fn mutations(&self, since: u64) -> Vec<Value> {
        self.requests(since, is_mutation)
    }

    /// Returns a command of the binary in this world. Its process ends with the current thread.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_genesync")]).args(arguments);
        let mut command = self.stage.dress(command);
        command.env("GENESYNC_CACHE_DIR", self.stage.path("cache"));
        if !self.store_url.is_empty() {
            command.env("GENESYNC_STORE", &self.store_url);
        }
        command
    }

    pub fn spawn(&self, name: &str, mut command: Command) -> Process {
        let log = self.stage.path(&format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command.stderr(file.try_clone().unwrap()).stdout(file);
        Process { child: command.spawn().unwrap(), log, gone: false }
    }

    /// Starts `genesync run`, with a crash point if one is given.
    pub fn start(&self, armed: Option<&str>) -> Process {
        let mut command = self.command(&["run"]);
        if let Some(armed) = armed {
            command.env("GENESYNC_CRASH_AT", armed);
        }
        self.spawn("run", command)
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn genesync(&self, arguments: &[&str], code: i32) -> String {
        crate::support::ran(self.command(arguments).output().unwrap()).expect(code).stdout
    }

    /// Returns whether the live configuration equals git, everywhere.
    pub fn in_sync(&self) -> bool {
        let expected = self.expected.lock().unwrap().clone();
        let mut expected = expected.iter().map(|(number, expected)| (*number, Some(expected.delay.into())));
        match self.dialect {
            Dialect::Webchat => expected.all(|(number, delay)| self.delay_of(number) == delay),
            Dialect::Cloud => {
                let state = self.cloud_state();
                expected.all(|(pair, delay)| state.delay(pair) == delay)
            }
        }
    }

    pub fn delay_of(&self, number: u32) -> Option<u64> {
        self.stage.live(number).1["greetings"]["delayMs"].as_u64()
    }

    fn cloud_state(&self) -> cloud::State {
        cloud::State::of(&self.stage.world.lock().unwrap())
    }

    /// Returns a query's rows, as texts.
    pub fn query(&self, text: &'static str) -> Result<Vec<Vec<String>>, sqlx::Error> {
        RUNTIME.block_on(async {
            let mut kept = self.connection.lock().await;
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => AnyConnection::connect(&self.look_url).await?,
            };
            let rows = sqlx::query(text).fetch_all(&mut connection).await?;
            match self.kind {
                // An open connection would keep the file's log from being written back at the end.
                Kind::Sqlite => connection.close().await?,
                Kind::Postgres => *kept = Some(connection),
            }
            let texts = |row: &sqlx::any::AnyRow| {
                (0..row.len())
                    .map(|index| {
                        row.try_get::<String, _>(index)
                            .or_else(|_| row.try_get::<i64, _>(index).map(|number| number.to_string()))
                            .unwrap_or_default()
                    })
                    .collect()
            };
            Ok(rows.iter().map(texts).collect())
        })
    }

    /// Closes the connection to the store.
    pub fn close(&self) {
        RUNTIME.block_on(async {
            if let Some(connection) = self.connection.lock().await.take() {
                let _ = connection.close().await;
            }
        });
    }

    /// Moves the state to another database.
    pub fn move_to(&mut self, url: String) {
        self.close();
        self.look_url.clone_from(&url);
        self.store_url = url;
    }

    /// Returns whether the store says that everything is done at the repository's head, and the platform
    /// agrees.
    pub fn settled(&self) -> Result<(), String> {
        if !self.in_sync() {
            return Err("the live configuration differs from git".into());
        }
        let rows = self.query(
            "SELECT (SELECT MAX(revision) FROM heads) AS revision,
                    (SELECT CAST(COUNT(*) AS BIGINT) FROM tenants WHERE removed = 0) AS known,
                    (SELECT CAST(COUNT(*) AS BIGINT) FROM tenants
                     WHERE removed = 0 AND status = 'Synced' AND applied = wanted) AS synced,
                    (SELECT CAST(COUNT(*) AS BIGINT) FROM intents WHERE resolved_at IS NULL) AS open,
                    (SELECT CAST(COUNT(*) AS BIGINT) FROM receipts p WHERE NOT EXISTS (
                       SELECT 1 FROM confirmations c WHERE c.tenant = p.tenant
                         AND c.object = p.object AND c.version = p.version)) AS owed",
        );
        let row = rows.map_err(|error| error.to_string())?.pop().unwrap_or_default();
        let tenants = self.tenants.lock().unwrap().len().to_string();
        let wanted = [self.head.lock().unwrap().clone(), tenants.clone(), tenants, "0".into(), "0".into()];
        if row == wanted { Ok(()) } else { Err(format!("the store says {row:?}, not {wanted:?}")) }
    }

    /// Returns whether no process holds a lease. With several processes that may never happen.
    pub fn idle(&self) -> bool {
        let held = self.query("SELECT name FROM leases WHERE expires_at > 0");
        held.is_ok_and(|held| held.is_empty())
    }

    /// Returns the logs of every process of this rig.
    fn logs(&self) -> String {
        let mut logs: Vec<_> = std::fs::read_dir(self.stage.path("")).unwrap().flatten().collect();
        logs.retain(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
        logs.sort_by_key(std::fs::DirEntry::file_name);
        let logs = logs.iter().map(|entry| {
            let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
            format!("{}:\n{log}", entry.file_name().display())
        });
        logs.collect()
    }

    /// Waits until everything is settled.
    pub fn settle(&self) -> Result<(), String> {
        self.settle_or(|| false).map(drop)
    }

    /// Waits until everything is settled, or a condition holds. Returns true if everything is settled.
    pub fn settle_or(&self, mut given_up: impl FnMut() -> bool) -> Result<bool, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if given_up() {
                return Ok(false);
            }
            match self.settled() {
                Ok(()) => return Ok(true),
                Err(why) if Instant::now() > deadline => {
                    return Err(format!("not settled within {PATIENCE:?}: {why}\n{}", self.logs()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits until every primary was read this many more times. Returns the writes meanwhile; there should be
    /// none.
    pub fn writes_while_quiet(&self, looks: usize) -> Vec<Value> {
        let mark = self.mark();
        let primaries: Vec<u32> =
            self.tenants.lock().unwrap().values().filter_map(|numbers| numbers.first().copied()).collect();
        eventually("quiet looks", || {
            let reads = self.requests(mark, |request| request["method"] == "GET");
            primaries.iter().all(|number| {
                let about = organization(*number);
                let of_one = |request: &&Value| request["organizationId"] == about.as_str();
                reads.iter().filter(of_one).filter(|read| self.is_look(read)).count() >= looks
            })
        });
        self.mutations(mark)
    }

    /// Returns whether a read is one that each survey of an organization makes exactly once.
    fn is_look(&self, read: &Value) -> bool {
        match self.dialect {
            Dialect::Webchat => true,
            Dialect::Cloud => {
                // A survey lists this collection, whatever the tenant manages.
                let listing = match *self.profiles.lock().unwrap() {
                    None => "/api/v2/webdeployments/deployments",
                    Some(_) => "/api/v2/conversations/messaging/settings",
                };
                read["path"] == listing
            }
        }
    }

    /// Returns the violations of the final state; none if everything is right.
    pub fn violations(&self) -> Vec<String> {
        let mut wrong = match self.dialect {
            Dialect::Webchat => self.wrong_organizations(),
            Dialect::Cloud => self.wrong_pairs(),
        };
        let made = self.made();
        let mut ours: BTreeMap<&(String, String), usize> = BTreeMap::new();
        made.iter().for_each(|key| *ours.entry(key).or_default() += 1);
        wrong.extend(
            ours.iter().filter(|(_, count)| **count != 1).map(|one| format!("audited twice: {one:?}")),
        );
        let ours: BTreeSet<(String, String)> = ours.into_keys().cloned().collect();
        for table in ["receipts", "confirmations"] {
            let rows = match table {
                "receipts" => self.query("SELECT object, version FROM receipts"),
                _ => self.query("SELECT object, version FROM confirmations"),
            };
            let mut seen = BTreeSet::new();
            for row in rows.unwrap() {
                if row[0].ends_with(DEFAULTS) {
                    continue;
                }
                let key = (row[0].clone(), row[1].clone());
                if !ours.contains(&key) {
                    wrong.push(format!("{table}: {key:?} is not a version of ours"));
                }
                if !seen.insert(key.clone()) {
                    wrong.push(format!("{table}: {key:?} occurs twice"));
                }
            }
            wrong.extend(ours.difference(&seen).map(|key| format!("{table}: nothing about {key:?}")));
        }
        for row in self.query("SELECT receipt FROM receipts").unwrap() {
            let receipt: Value = serde_json::from_str(&row[0]).unwrap();
            // For kinds without counted versions, the time of the last change replaces the version.
            let kind = receipt["target"]["object"]["kind"].as_str().and_then(ObjectKind::from_name);
            let counts = kind.unwrap_or(ObjectKind::IMPLIED).counts_versions();
            let next = receipt["fromVersion"].as_u64().unwrap_or(0) + 1;
            if counts && next != receipt["version"].as_u64().unwrap() {
                wrong.push(format!("a write overwrote a version that it had not seen: {receipt}"));
            }
        }
        wrong
    }

    fn wrong_organizations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, expected) in &*self.expected.lock().unwrap() {
            let (version, body) = self.stage.live(*number);
            if body["greetings"]["delayMs"] != expected.delay {
                wrong.push(format!("organization {number} is at {body}, not {expected:?}"));
            }
            // More: an effect was repeated. Fewer: a requested change was lost.
            if version != expected.version {
                wrong.push(format!("organization {number} is at version {version}, not {expected:?}"));
            }
        }
        for (number, banner) in &*self.decorations.lock().unwrap() {
            let live = self.stage.live(*number).1["banner"].clone();
            if live != *banner {
                wrong.push(format!("banner {banner} of another user in organization {number} is now {live}"));
            }
        }
        wrong
    }

    fn wrong_pairs(&self) -> Vec<String> {
        let state = self.cloud_state();
        let mut wrong = Vec::new();
        for (pair, expected) in &*self.expected.lock().unwrap() {
            let served = state.delay(*pair);
            if served != Some(expected.delay.into()) {
                wrong.push(format!("visitors of pair {pair} get {served:?}, not {expected:?}"));
            }
            wrong.extend(state.violations(*pair, expected.version));
        }
        for (pair, banner) in &*self.decorations.lock().unwrap() {
            if !state.is_decorated(*pair, *banner) {
                wrong.push(format!("Mara's banner {banner} of pair {pair} is lost"));
            }
        }
        if let Some(delay) = *self.profiles.lock().unwrap() {
            wrong.extend(profiles::violations(&state, delay));
            // Their receipts name the time of the write, which no audit record contains.
            let set = profiles::defaults_set(&state);
            for (table, rows) in [
                ("receipts", self.query("SELECT object FROM receipts")),
                ("confirmations", self.query("SELECT object FROM confirmations")),
            ] {
                let rows = rows.unwrap().iter().filter(|row| row[0].ends_with(DEFAULTS)).count();
                if rows != set {
                    wrong.push(format!("{table}: {rows} about the defaults, which were set {set} times"));
                }
            }
        }
        wrong.extend(
            state.misproved(&self.query("SELECT object, version, entry FROM confirmations").unwrap()),
        );
        wrong
    }

    /// Returns the versions that we made, from the audit log, one for each record.
    fn made(&self) -> Vec<(String, String)> {
        if self.dialect == Dialect::Cloud {
            return self.cloud_state().made().into_iter().map(|(key, _)| key).collect();
        }
        let world = self.stage.world.lock().unwrap();
        let ours = world.audit().iter().filter(|record| record.actor.id == CLIENT_ID);
        ours.map(|record| (record.organization_id.clone(), record.version.to_string())).collect()
    }
}

pub fn edit(number: u32, patch: &Value) -> Value {
    json!({"organizationId": organization(number), "actor": "Mara Ionescu", "patch": patch})
}

pub fn is_mutation(request: &Value) -> bool {
    is_write(request["method"].as_str().unwrap_or_default(), request["path"].as_str().unwrap_or_default())
}

/// Returns whether a request changes something: some queries are also sent with POST.
pub fn is_write(method: &str, path: &str) -> bool {
    let makes = path.ends_with("/replicate")
        || path.starts_with("/api/v2/webdeployments/")
        || path.starts_with("/api/v2/conversations/messaging/");
    matches!(method, "PUT" | "DELETE" | "PATCH") || method == "POST" && makes
}

/// Waits for a condition; it fails only if the condition never holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// SplitMix64: the same seed gives the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }
}
