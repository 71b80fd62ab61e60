//! One world for one test: an emulator on its own socket, a git repository, a journal, and the binary.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use genesync::emulator::{Request, Seed, World, serve};
use git2::{IndexAddOption, Repository, Signature};
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "client-7";
/// A secret that must never be printed.
pub const SECRET: &str = "canary-9f1b7c5e";

/// Short times, so that every wait ends soon and another process soon takes over a dead one's tenants.
const TIMING: &str = "[timing]\nwrite-ms = 1500\nsettle-ms = 50\nbackoff-ms = 20\npoll-ms = 20\npoll-max-ms = 100\nconfirm-ms = 1500\njob-ms = 3000\nlease-ms = 900\n";

/// The limit of a wait for a condition: longer than a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks a condition again and again until it holds.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

pub struct Stage {
    _runtime: tokio::runtime::Runtime,
    pub url: String,
    pub world: Arc<Mutex<World>>,
    folder: tempfile::TempDir,
}

/// The result of one call of the binary.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{}", self.stdout))
    }
}

pub fn organization(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Returns a tenant's two files. Organization numbers: the primary, then the replicas.
pub fn tenant(name: &str, organizations: &[u32], web: &str) -> Vec<(String, String)> {
    let regions = ["eu-west-1", "us-east-1", "ap-south-1"];
    let replicas: String = organizations
        .iter()
        .zip(regions)
        .skip(1)
        .map(|(number, region)| {
            format!("    - {{organizationId: {}, region: {region}}}\n", organization(*number))
        })
        .collect();
    let replicas = if replicas.is_empty() { String::new() } else { format!("  replicas:\n{replicas}") };
    let declared = format!(
        "apiVersion: genesync/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec:\n  organizationId: {}\n  region: eu-west-1\n  credentials: main\n{replicas}  sync: {{mode: enforce}}\n",
        organization(organizations[0])
    );
    let web =
        format!("apiVersion: genesync/v1alpha1\nkind: WebMessaging\nmetadata: {{name: web}}\nspec:\n{web}");
    vec![(format!("tenants/{name}/tenant.yaml"), declared), (format!("tenants/{name}/web.yaml"), web)]
}

/// Returns a small configuration with one number to change.
pub fn delay(ms: u32) -> String {
    format!("  greetings: {{enabled: true, messages: [Hello], delayMs: {ms}}}\n")
}

impl Stage {
    /// Returns an empty world: any organization is served and starts unconfigured.
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let world = Arc::new(Mutex::new(World::new(&Seed::unconfigured(CLIENT_ID, SECRET))));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(serve(listener, Arc::clone(&world), std::future::pending()));
        let stage = Self { _runtime: runtime, url, world, folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(stage.repository()).unwrap();
        std::fs::write(stage.path("settings.toml"), TIMING).unwrap();
        stage.control("POST", "settings", &json!({"auditDelayMs": 20, "replicationDelayMs": 40}));
        stage
    }

    /// Returns a world with tenants, committed and applied.
    pub fn applied(tenants: &[Vec<(String, String)>]) -> Self {
        let stage = Self::new();
        stage.commit(&tenants.concat());
        stage.genesync(&["apply"]).expect(0);
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn repository(&self) -> PathBuf {
        self.path("fleet")
    }

    /// Writes files and commits the whole work tree. Returns the commit's hash.
    pub fn commit(&self, files: &[(String, String)]) -> String {
        for (path, text) in files {
            let path = self.repository().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        commit_all(&self.repository())
    }

    /// Returns a command for the binary, without the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genesync"));
        command.args(arguments);
        self.dress(command)
    }

    /// Gives a command the environment in which the binary finds this stage, without the caller's.
    pub fn dress(&self, mut command: Command) -> Command {
        command.env_clear().current_dir(self.repository());
        command
            .env("GENESYNC_SETTINGS", self.path("settings.toml"))
            .env("GENESYNC_STATE_DIR", self.path("state"))
            .env("USER", "ops")
            .env("HOSTNAME", "desk");
        command
            .env("GENESYNC_CREDENTIALS_MAIN_CLIENT_ID", CLIENT_ID)
            .env("GENESYNC_CREDENTIALS_MAIN_CLIENT_SECRET", SECRET);
        for region in ["EU_WEST_1", "US_EAST_1", "AP_SOUTH_1"] {
            command.env(format!("GENESYNC_ENDPOINT_{region}"), &self.url);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Writes the settings file again: short times, a controller that starts nothing on its own, and these
    /// lines, such as `controller.resync-ms = 300`, which take precedence.
    pub fn configure(&self, lines: &[&str]) {
        let mut settings: toml::Table = toml::from_str(TIMING).unwrap();
        let calm = [
            "controller.git-poll-ms = 3_600_000",
            "controller.resync-ms = 3_600_000",
            "controller.retry-ms = 100",
            "controller.retry-max-ms = 400",
            "controller.shutdown-ms = 15_000",
        ];
        for line in calm.iter().chain(lines) {
            for (section, values) in toml::from_str::<toml::Table>(line).unwrap() {
                let section = settings.entry(section).or_insert_with(|| toml::Table::new().into());
                section.as_table_mut().unwrap().extend(values.as_table().unwrap().clone());
            }
        }
        // A process that reads it meanwhile sees the old file or the new one.
        std::fs::write(self.path("settings.new"), settings.to_string()).unwrap();
        std::fs::rename(self.path("settings.new"), self.path("settings.toml")).unwrap();
    }

    /// Starts a controller for the stage's own repository.
    pub fn controller(&self) -> Running {
        let was_applied = !self.rows().is_empty();
        let running = Running::start(self.command(&["run", "--listen", "127.0.0.1:0"]));
        // What was applied by hand is due: a test begins once each tenant was read or is being written.
        let looked = |row: &Value| {
            let due: Option<jiff::Timestamp> = row["dueAt"].as_str().and_then(|due| due.parse().ok());
            due.is_none_or(|due| due > jiff::Timestamp::now()) && row["holder"].is_null()
        };
        let begun = Instant::now();
        while was_applied && begun.elapsed() < Duration::from_secs(5) && !self.rows().iter().all(looked) {
            std::thread::sleep(Duration::from_millis(25));
        }
        running
    }

    /// Returns the store's row of every tenant; none if there is no store yet.
    pub fn rows(&self) -> Vec<Value> {
        let ran = self.genesync(&["status", "--format", "json"]);
        if ran.code != 0 {
            return Vec::new();
        }
        ran.json()["tenants"].as_array().unwrap().clone()
    }

    /// Returns the store's row of a tenant; null if the store has no row or does not exist yet.
    pub fn status(&self, name: &str) -> Value {
        self.rows().into_iter().find(|row| row["tenant"] == name).unwrap_or_default()
    }

    /// Waits until tenants have a status.
    #[track_caller]
    pub fn wait_for(&self, names: &[&str], status: &str) {
        let mut seen = Value::Null;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            seen = names.iter().map(|name| self.status(name)).collect();
            if seen.as_array().unwrap().iter().all(|row| row["status"] == status) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("timed out waiting for {status}: {seen:#}");
    }

    #[track_caller]
    pub fn genesync(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs the binary on a runner that keeps no state.
    pub fn stateless(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.env_remove("GENESYNC_STATE_DIR").env("GENESYNC_STATE", "none");
        ran(command.output().unwrap())
    }

    /// Calls the emulator's control API without a socket.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut request = Request::new(method, &format!("/_emulator/{path}"));
        if !body.is_null() {
            request = request.with_body(body.to_string());
        }
        let mut world = self.world.lock().unwrap();
        let answer = world.handle(&request, jiff::Timestamp::now()).response.unwrap();
        assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    pub fn fault(&self, number: u32, method: &str, action: &Value) {
        let fault =
            json!({"match": {"method": method, "organizationId": organization(number)}, "do": action});
        self.control("POST", "faults", &json!({"faults": [fault]}));
    }

    pub fn edit(&self, number: u32, patch: &Value) {
        self.control(
            "POST",
            "edit",
            &json!({"organizationId": organization(number), "actor": "Mara Ionescu", "patch": patch}),
        );
    }

    /// Returns requests since a number, without those for tokens.
    pub fn requests(&self, since: u64) -> (Vec<Value>, u64) {
        let mut log = self.control("GET", &format!("requests?since={since}"), &Value::Null);
        let requests = log["requests"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let requests = requests.into_iter().filter(|request| request["path"] != "/oauth/token").collect();
        (requests, log["next"].as_u64().unwrap())
    }

    /// Returns writes since a number: method and status of each, job starts included.
    pub fn writes(&self, since: u64) -> Vec<(String, Option<u64>)> {
        let is_write = |request: &&Value| {
            request["method"] == "PUT"
                || request["path"].as_str().is_some_and(|path| path.ends_with("/replicate"))
        };
        let (requests, _) = self.requests(since);
        requests
            .iter()
            .filter(is_write)
            .map(|request| (request["method"].as_str().unwrap().to_owned(), request["status"].as_u64()))
            .collect()
    }

    pub fn mark(&self) -> u64 {
        self.requests(0).1
    }

    /// Returns the version and the configuration of an organization.
    pub fn live(&self, number: u32) -> (u64, Value) {
        let world = self.world.lock().unwrap();
        let stored = world
            .configuration(&organization(number))
            .map(|stored| (stored.version, Value::Object(stored.body.clone())));
        stored.unwrap_or((0, Value::Null))
    }

    /// Returns the number of audit records of each actor, by organization and action.
    pub fn audit(&self) -> BTreeMap<(String, String), usize> {
        let mut counts = BTreeMap::new();
        for record in self.world.lock().unwrap().audit() {
            *counts
                .entry((
                    record.organization_id.clone(),
                    format!("{} {}", record.actor.id, record.action.name()),
                ))
                .or_default() += 1;
        }
        counts
    }
}

/// A controller beside the test. It ends with the test.
pub struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut written = written.lock().unwrap();
                written.push_str(&line);
                written.push('\n');
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    /// Returns its log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "the log never had `{text}`:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Returns the address of its probes, from its log.
    fn address(&self) -> String {
        self.wait_for_log("serving /healthz");
        let log = self.log();
        let port = log.split("127.0.0.1:").nth(1).unwrap();
        format!("127.0.0.1:{}", port.chars().take_while(char::is_ascii_digit).collect::<String>())
    }

    /// Sends a request, and returns the whole answer.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn get(&self, path: &str) -> String {
        self.ask("GET", path, "", "")
    }

    /// Sends a signal to this process only.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Returns its exit status if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Stops it, and returns its exit code and its log.
    #[track_caller]
    pub fn stop(mut self) -> (i32, String) {
        self.signal("-TERM");
        wait_until("it has stopped", || self.ended().is_some());
        let code = self.ended().unwrap().code().unwrap_or(-1);
        self.reader.take().unwrap().join().unwrap();
        (code, self.log())
    }
}

/// Sends a signal to one process only.
pub fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([name, &id.to_string()]).status().unwrap();
    assert!(sent.success());
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has already ended cannot be killed; no process is left either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let log = self.log();
        if std::thread::panicking() {
            println!("the controller's log:\n{log}");
            return;
        }
        for never in [SECRET, "emulator-token", "panicked", "out of place"] {
            assert!(!log.contains(never), "{log}");
        }
    }
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(
        !ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET),
        "the secret was printed:\n{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        !ran.stdout.contains("emulator-token") && !ran.stderr.contains("emulator-token"),
        "a token was printed"
    );
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("out of place"), "{}", ran.stderr);
    ran
}

/// Commits everything in a folder's work tree on top of `HEAD`.
pub fn commit_all(path: &Path) -> String {
    let repository = Repository::open(path).or_else(|_| Repository::init(path)).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::DEFAULT, None).unwrap();
    index.update_all(["*"], None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = Signature::now("A Team", "team@example.com").unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(Some("HEAD"), &author, &author, "change", &tree, &parents).unwrap().to_string()
}
