//! Stories of a tenant of the cloud API, each with the real binary over real HTTP. At its end, each story
//! checks its requests and answers against the schema.

mod applying;
mod crashing;
mod drafts;
mod integrations;
mod lagging;
mod listing;
mod many;
mod people;
mod profiles;
mod refusals;
mod regions;

use std::process::Command;

use genesync::emulator::{World, seed_from_json};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::openapi::assert_valid;
use crate::support::{CLIENT_ID, Ran, Running, SECRET, Stage, organization, ran};

/// The name under which the platform knows the user who edits beside genesync.
pub const MARA: &str = "Mara Ionescu";
/// Names of credentials, by organization.
const CREDENTIALS: [(&str, &str); 3] = [("main", CLIENT_ID), ("us", "client-us"), ("ap", "client-ap")];
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-south-1"];

/// Added to the stage's own settings: on a busy machine the platform may take longer to finish.
const SETTINGS: [&str; 6] = [
    "timing.write-ms = 5000",
    "timing.lease-ms = 6000",
    "timing.settle-ms = 20",
    "timing.appear-ms = 300",
    "timing.ready-ms = 5000",
    "pacing.burst = 1000",
];

/// Short waits, for stories in which a process dies or an answer is lost: genesync waits for the longest time
/// that the write may have been under way.
pub const QUICK: [&str; 2] = ["timing.write-ms = 800", "timing.lease-ms = 900"];

/// One tenant, `acme`, of one to three organizations that hold nothing but a flow.
pub struct Cloud {
    pub stage: Stage,
    organizations: u32,
}

/// What an organization serves: the version that its deployment pins, and that version's colour.
pub type Served = (String, Value);

pub fn served(version: u32, colour: &str) -> Served {
    (version.to_string(), json!(colour))
}

fn world(organizations: u32) -> Value {
    let numbers = 1..=organizations;
    let clients = numbers.clone().zip(CREDENTIALS).map(|(number, (_, id))| {
        json!({"id": id, "secret": SECRET, "name": "genesync", "cloud": {"organization": organization(number)}})
    });
    let organizations = numbers.zip(REGIONS).map(|(number, region)| {
        json!({"id": organization(number), "cloud": {
            "name": format!("Acme {number}"), "region": region, "flows": [{"name": "Inbound"}],
            "knowledgeBases": [{"name": "Answers"}],
        }})
    });
    let settings = json!({"activeDelayMs": 5, "auditDelayMs": 0, "auditQueryDelayMs": 5, "cdnDelayMs": 0});
    json!({
        "clients": clients.collect::<Vec<_>>(),
        "organizations": organizations.collect::<Vec<_>>(),
        "settings": settings,
    })
}

/// Returns the tenant's three files. `more` is appended to the configuration's spec, line by line.
pub fn files(organizations: u32, colour: &str, more: &[&str]) -> Vec<(String, String)> {
    let head = |kind: &str, name: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n")
    };
    let replicas: Vec<String> = (2..=organizations)
        .zip(REGIONS.iter().zip(CREDENTIALS).skip(1))
        .map(|(number, (region, (credentials, _)))| {
            format!(
                "{{organizationId: {}, region: {region}, credentials: {credentials}}}",
                organization(number)
            )
        })
        .collect();
    let tenant = format!(
        "{}  api: cloud\n  organizationId: {}\n  region: eu-west-1\n  credentials: main\n  replicas: [{}]\n  sync: {{mode: enforce}}\n",
        head("Tenant", "acme"),
        organization(1),
        replicas.join(", ")
    );
    let more: String = more.iter().map(|line| format!("  {line}\n")).collect();
    let messenger = format!(
        "{}  name: Website\n  languages: [en-us]\n  defaultLanguage: en-us\n  messenger: {{enabled: true, styles: {{primaryColor: \"{colour}\"}}}}\n{more}",
        head("MessengerConfiguration", "web")
    );
    let deployment = format!(
        "{}  name: Shop\n  configuration: {{name: Website}}\n  flow: {{name: Inbound}}\n  allowAllDomains: true\n",
        head("MessengerDeployment", "shop")
    );
    vec![
        ("tenants/acme/tenant.yaml".into(), tenant),
        ("tenants/acme/messenger.yaml".into(), messenger),
        ("tenants/acme/deployment.yaml".into(), deployment),
    ]
}

/// Plays a story for each case, three at a time, because most of a story is waiting.
pub fn each<T: Sync>(cases: &[T], story: impl Fn(&T) + Sync) {
    for some in cases.chunks(3) {
        std::thread::scope(|scope| {
            for case in some {
                scope.spawn(|| story(case));
            }
        });
    }
}

/// Returns a short name of a write, with the status of its answer if that is not 200.
fn in_a_word(request: &Value) -> Option<String> {
    let (method, path) = (request["method"].as_str()?, request["path"].as_str()?);
    let below = path.strip_prefix("/api/v2/webdeployments/")?;
    let word = match (method, below) {
        ("POST", "configurations") => "create",
        ("PUT", path) if path.ends_with("/versions/draft") => "draft",
        ("POST", path) if path.ends_with("/publish") => "publish",
        ("POST", "deployments") => "deploy",
        ("PUT", path) if path.starts_with("deployments/") => "pin",
        ("GET", _) => return None,
        _ => panic!("unexpected request: {request}"),
    };
    Some(match request["status"].as_u64() {
        Some(200) => word.to_owned(),
        Some(status) => format!("{word} {status}"),
        None => format!("{word} lost"),
    })
}

impl Cloud {
    /// Returns an empty world with a commit that is not applied.
    pub fn new(organizations: u32) -> Self {
        Self::of(organizations, world(organizations))
    }

    /// Returns the same, with some of the world's organizations changed.
    pub fn seeded(organizations: u32, change: impl FnOnce(&mut Value)) -> Self {
        let mut world = world(organizations);
        change(&mut world);
        Self::of(organizations, world)
    }

    fn of(organizations: u32, world: Value) -> Self {
        let stage = Stage::new();
        let mut fresh = World::new(&seed_from_json(world.to_string().as_bytes()).unwrap());
        fresh.keep_exchanges();
        *stage.world.lock().unwrap() = fresh;
        stage.configure(&SETTINGS);
        let cloud = Self { stage, organizations };
        cloud.commit("#111111");
        cloud
    }

    /// Returns a world in which the first commit is applied: one version, pinned everywhere.
    pub fn applied(organizations: u32) -> Self {
        let cloud = Self::new(organizations);
        cloud.apply(&[]).expect(0);
        cloud
    }

    /// Adds lines to the settings file.
    pub fn configure(&self, lines: &[&str]) {
        self.stage.configure(&[&SETTINGS[..], lines].concat());
    }

    /// Commits a colour.
    pub fn commit(&self, colour: &str) -> String {
        self.stage.commit(&files(self.organizations, colour, &[]))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stage.command(arguments);
        for (name, id) in CREDENTIALS {
            let prefix = format!("GENESYNC_CREDENTIALS_{}_CLIENT", name.to_uppercase());
            command.env(format!("{prefix}_ID"), id).env(format!("{prefix}_SECRET"), SECRET);
        }
        command
    }

    pub fn genesync(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    pub fn apply(&self, more: &[&str]) -> Ran {
        self.genesync(&[&["apply"], more].concat())
    }

    pub fn plan(&self) -> Ran {
        self.genesync(&["plan"])
    }

    /// Runs an apply that kills itself at a crash point.
    #[track_caller]
    pub fn crash(&self, point: &str) {
        let output = self.command(&["apply"]).env("GENESYNC_CRASH_AT", point).output().unwrap();
        assert_eq!(output.status.code(), None, "{point} was not reached: {output:?}");
    }

    pub fn controller(&self) -> Running {
        Running::start(self.command(&["run", "--listen", "127.0.0.1:0"]))
    }

    pub fn settings(&self, settings: Value) {
        self.stage.control("POST", "settings", &settings);
    }

    /// Scripts a failure; omitted fields have the defaults of a world file.
    pub fn fault(&self, fault: Value) {
        self.stage.control("POST", "faults", &json!({ "faults": [fault] }));
    }

    pub fn no_faults(&self) {
        self.stage.control("DELETE", "faults", &Value::Null);
    }

    /// Makes Mara edit something on the platform's own screens.
    pub fn edit(&self, number: u32, edit: Value) {
        let mut whole = json!({"organizationId": organization(number), "actor": MARA});
        whole.as_object_mut().unwrap().extend(edit.as_object().unwrap().clone());
        self.stage.control("POST", "edit", &whole);
    }

    pub fn mark(&self) -> u64 {
        self.stage.mark()
    }

    /// Returns the requests to an organization since a number.
    pub fn requests(&self, number: u32, since: u64) -> Vec<Value> {
        let (requests, _) = self.stage.requests(since);
        requests.into_iter().filter(|request| request["organizationId"] == organization(number)).collect()
    }

    /// Returns the writes to an organization, in order, each as a short name.
    pub fn writes(&self, number: u32, since: u64) -> Vec<String> {
        self.requests(number, since).iter().filter_map(in_a_word).collect()
    }

    /// Returns everything that an organization holds.
    pub fn state(&self, number: u32) -> Value {
        self.stage.control("GET", "state", &Value::Null)["cloud"][organization(number)].clone()
    }

    /// Returns the numbers of configurations, of versions of the first one, and of deployments of an
    /// organization.
    pub fn counts(&self, number: u32) -> (usize, usize, usize) {
        let state = self.state(number);
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        let versions = count(&state["configurations"][0]["versions"]);
        (count(&state["configurations"]), versions, count(&state["deployments"]))
    }

    /// Returns what visitors of an organization get.
    #[track_caller]
    pub fn served(&self, number: u32) -> Served {
        let state = self.state(number);
        let version =
            state["deployments"][0]["configuration"]["version"].as_str().unwrap_or("none").to_owned();
        let versions = state["configurations"][0]["versions"].as_array().cloned().unwrap_or_default();
        let found = versions.into_iter().find(|known| known["version"] == version.as_str());
        let colour = found.map(|found| found["messenger"]["styles"]["primaryColor"].clone());
        (version, colour.unwrap_or_default())
    }

    /// Returns a published version.
    pub fn version(&self, number: u32, version: usize) -> Value {
        self.state(number)["configurations"][0]["versions"][version - 1].clone()
    }

    pub fn draft(&self, number: u32) -> Value {
        self.state(number)["configurations"][0]["draft"].clone()
    }

    /// Returns the numbers of open intents in the journal and of receipts without an audit entry.
    pub fn open(&self) -> (i64, i64) {
        let query = "SELECT (SELECT COUNT(*) FROM intents WHERE resolved_at IS NULL), (SELECT COUNT(*) FROM receipts p \
             WHERE NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.tenant = p.tenant AND c.object = p.object AND c.version = p.version))";
        self.in_store(async |store| sqlx::query_as(query).fetch_one(store).await.unwrap())
    }

    /// Moves the times at which the store says that configurations were seen, in milliseconds.
    pub fn move_sightings(&self, by: i64) {
        let moved = "UPDATE bases SET drafted_at = drafted_at + $1";
        self.in_store(async |store| sqlx::query(moved).bind(by).execute(store).await.map(drop).unwrap());
    }

    pub fn in_store<T>(&self, ask: impl AsyncFnOnce(&mut sqlx::SqliteConnection) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite://{}?mode=rw", self.stage.path("state/genesync.db").display());
        runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let reported = ask(&mut connection).await;
            connection.close().await.unwrap();
            reported
        })
    }

    /// Checks that everything is as in git after a few reads, and that no draft, intent or receipt is open.
    #[track_caller]
    pub fn is_at_rest(&self) {
        let mark = self.mark();
        let again = self.apply(&["-v"]).expect(0);
        assert!(!again.stderr.contains("unknown outcome"), "{}", again.stderr);
        for number in 1..=self.organizations {
            assert_eq!(self.writes(number, mark), Vec::<String>::new());
        }
        assert_eq!(self.open(), (0, 0));
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_valid(&self.stage.world.lock().unwrap().exchanges());
        }
    }
}
