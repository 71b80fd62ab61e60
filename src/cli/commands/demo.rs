//! `genesync demo`: plans, applies and confirms the example tenants against the emulator.
//!
//! In: the tenants inside the binary. Out: the printed run and an exit code. Never: sends a request to
//! another machine. Start reading at [`run`].

#![expect(clippy::disallowed_methods, reason = "this command makes a folder of its own")]

pub mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use git2::{IndexAddOption, Repository, Signature};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

use super::{apply, emulate, validate};
use crate::cli::order::{self, Wishes};
use crate::cli::place::Place;
use crate::cli::progress::Progress;
use crate::cli::session::{self, Session};
use crate::cli::{Exit, Failure, Output};
use crate::clock;
use crate::config::file::Pacing;
use crate::config::{ControllerSettings, Settings};
use crate::driver::pass::Passed;
use crate::emulator::{self, World, seed_from_json};
use crate::fleet::{self, Fleet, Options};
use crate::model::plan::Limits;
use crate::model::proxies::Proxies;
use crate::model::{
    ChangeKind, Dialect, Guard, Region, Status, StorePlace, Target, Tenant, TenantName, Timing,
};
use crate::render;
use crate::render::value::counted;
use crate::source::Source;
use crate::store::Store;

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the repository, the state and the credentials in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs the demo. Returns 0 only if every tenant is Synced and the second plan is empty.
pub async fn run(args: &DemoArgs, output: &Output) -> Result<Exit, Failure> {
    let folder = Folder::make(args.keep.as_deref())?;
    chapter(output, "1. genesync reports an invalid manifest and never applies it");
    show_failing(&folder.path, output)?;

    chapter(output, "2. Ten tenants in a git repository");
    let source = commit(&folder.path.join("fleet"))?;
    let fleet = fleet::load(&source, "HEAD", &Options::on(clock::today()))?;
    output.data(&validate::text(&fleet, output));
    output.data(&format!(
        "{} tenants in {} files at commit {}: {}\n",
        fleet.tenants.len(),
        fleet.files_read,
        fleet.revision.short(),
        render::finding::summary(&fleet.findings)
    ));

    let emulator = Emulator::start(&fleet).await?;
    chapter(
        output,
        &format!("3. Their organizations in {} regions of the emulator at {}", regions(&fleet), emulator.url),
    );
    output.data(
        "northbank     Mara changed the delay of the greeting in the admin UI 3 hours ago\n\
         osmosis-labs  Ines published another colour 1 hour ago; this tenant uses the public API of Genesys Cloud\n\
         the others    have no web messaging configuration yet\n",
    );
    let settings = settings(&folder.path, &emulator.url, &fleet)?;
    let store = session::open_store(&settings, output).await?;

    chapter(output, "4. The plan: what would change, and who changed it");
    show_plans(&plan(&fleet, &settings, &store, output).await?, output);

    chapter(
        output,
        "5. genesync applies, copies to the other regions, reads every region back, and checks the audit log",
    );
    output.data(
        "Meanwhile another user edits bazaarly, the API answers 429 for marktplatz, and the answer for pixelforge is lost.\n\
         The guard `adopt` protects objects that genesync did not write; the demo opens it, as --allow adopt --reason TEXT does.\n\n",
    );
    let place = Place {
        source: source.clone(),
        revision: "HEAD".into(),
        identity: folder.path.join("fleet").display().to_string(),
    };
    let wishes = Wishes {
        limits: Limits { allowed: BTreeSet::from([Guard::Adopt]), ..fleet.limits.clone() },
        is_whole: true,
        reviewed: None,
        lease_patience: settings.lease,
        concurrency: session::CONCURRENCY,
        parent: Default::default(),
        asked: None,
        heard: None,
    };
    let order = order::order(&place, &fleet, &settings, &store, wishes)?;
    let passed = apply::apply(&order, &Arc::new(Progress::alone(output, "planning", 0))).await?;
    output.data(&apply::table(&passed.shown()));

    chapter(output, "6. The plan again");
    let again = plan(&fleet, &settings, &store, output).await?;
    emulator.stop();
    verdict(&fleet, &passed, &again, output)
}

/// Prints the plans of tenants that another user changed, and the number of the others; with `-v` every plan.
fn show_plans(planned: &Session, output: &Output) {
    let (mut tenants, mut fields) = (0, 0);
    for run in &planned.runs {
        let Some(plan) = run.plan().filter(|plan| !plan.is_empty()) else { continue };
        if output.is_verbose() || plan.changes().any(|change| change.kind != ChangeKind::ToApply) {
            output.data(&render::plan::tenant(plan, run.refusals()));
        } else {
            tenants += 1;
            fields += plan.changes().count();
        }
    }
    if tenants > 0 {
        let others = counted(tenants, "other tenant");
        output.data(&format!("{others}: {fields} fields to apply (`genesync demo -v` prints them)\n"));
    }
}

/// Succeeds if every tenant is Synced and the second plan is empty.
fn verdict(fleet: &Fleet, passed: &Passed, again: &Session, output: &Output) -> Result<Exit, Failure> {
    let changing: Vec<&TenantName> = again
        .runs
        .iter()
        .filter(|run| run.plan().is_none_or(|plan| !plan.is_empty()))
        .map(|run| &run.spec().tenant.name)
        .collect();
    let synced = passed.ended.iter().filter(|ended| ended.status == Some(Status::Synced)).count();
    let all = fleet.tenants.len();
    if changing.is_empty() && synced == all && again.runs.len() == all {
        output.data(&format!(
            "No changes: {all} tenants are in sync with {}, every write has its audit entry\n",
            fleet.revision.short()
        ));
        return Ok(Exit::Done);
    }
    let exit = match apply::exit(fleet, passed, true) {
        Exit::Done => Exit::Partial,
        exit => exit,
    };
    Err(Failure::new(
        exit,
        format!(
            "{synced} of {all} tenants are Synced, and the second plan changes {}",
            counted(changing.len(), "tenant")
        ),
    ))
}

fn chapter(output: &Output, title: &str) {
    let bold = anstyle::Style::new().bold();
    output.data(&format!("\n{bold}{title}{bold:#}\n\n"));
}

/// A folder that is removed at the end of the demo, except with `--keep`.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn make(keep: Option<&Path>) -> Result<Self, Failure> {
        let name = format!("genesync-demo-{}", std::process::id());
        let path = keep.map_or_else(|| std::env::temp_dir().join(name), Path::to_owned);
        std::fs::create_dir_all(path.join("fleet")).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, temporary: keep.is_none() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // If the removal fails, the files stay in the system's temporary folder.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Outside, format!("cannot write `{}`: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| unwritable(path, &error))?;
    }
    std::fs::write(path, text).map_err(|error| unwritable(path, &error))
}

/// Prints the finding of a manifest whose colour has too little contrast.
fn show_failing(folder: &Path, output: &Output) -> Result<(), Failure> {
    let (name, text) = files::FAILING;
    let shown: String =
        text.lines().map(|line| format!("{}\n", line.split("   # <- ").next().unwrap_or(line))).collect();
    write(&folder.join("failing/tenants/fixture").join(name), &shown)?;
    let fleet =
        fleet::load(&Source::folder(&folder.join("failing")), "folder", &Options::on(clock::today()))?;
    let contrast: Vec<_> =
        fleet.findings.iter().filter(|finding| finding.rule == "contrast").take(1).cloned().collect();
    output.data(&format!("{}\n", render::finding::text(&contrast, &fleet.files, true).trim_end()));
    Ok(())
}

/// Writes the example tenants into a new git repository and commits them.
fn commit(path: &Path) -> Result<Source, Failure> {
    for (name, text) in files::FILES {
        write(&path.join(name), text)?;
    }
    let failed = |error: git2::Error| {
        Failure::new(Exit::Outside, format!("cannot make the demo's repository: {error}"))
    };
    let repository = Repository::init(path).map_err(failed)?;
    let mut index = repository.index().map_err(failed)?;
    index.add_all(["genesync.yaml", "bases", "tenants"], IndexAddOption::DEFAULT, None).map_err(failed)?;
    let tree = index.write_tree().and_then(|id| repository.find_tree(id)).map_err(failed)?;
    let author = Signature::now("genesync demo", "demo@genesync.example").map_err(failed)?;
    repository
        .commit(Some("HEAD"), &author, &author, "web messaging for ten tenants", &tree, &[])
        .map_err(failed)?;
    Ok(Source::repository(path)?)
}

fn regions(fleet: &Fleet) -> usize {
    let mut keys: Vec<&str> = fleet
        .tenants
        .iter()
        .filter_map(|loaded| loaded.tenant.as_ref())
        .flat_map(|tenant| tenant.targets())
        .map(|target| target.region.key())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// The emulator in this process, on its own port.
struct Emulator {
    url: String,
    stop: oneshot::Sender<()>,
}

impl Emulator {
    async fn start(fleet: &Fleet) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Outside, format!("cannot start the emulator: {error}"))
        };
        let seed = seed_from_json(world(fleet).to_string().as_bytes())
            .map_err(|error| Failure::bug(format!("the demo's world is not valid: {error}")))?;
        let mut world = World::new(&seed);
        let northbank = organization(fleet, "northbank");
        let edit = json!({"greetings": {"delayMs": 9000}});
        let earlier = clock::now().checked_sub(SignedDuration::from_hours(3)).unwrap_or_default();
        world.edit(&northbank, &emulator::Actor::user("Mara Ionescu"), &edit, earlier);
        let osmosis = organization(fleet, "osmosis-labs");
        let edit = json!({
            "draft": {"configuration": "Results", "patch": {"messenger": {"styles": {"primaryColor": "#B91C1C"}}}},
            "publish": {"configuration": "Results"},
            "deployment": {"deployment": "Results portal", "version": "newest"},
        });
        let edit = serde_json::from_value(edit)
            .map_err(|error| Failure::bug(format!("the demo's edit is not valid: {error}")))?;
        let earlier = clock::now().checked_sub(SignedDuration::from_hours(1)).unwrap_or_default();
        // The demo made this world, so the edited objects exist.
        let _ = world.cloud_edit(&osmosis, &emulator::Actor::user("Ines Carvalho"), &edit, earlier);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(emulator::serve(listener, Arc::new(Mutex::new(world)), async {
            let _ = stopped.await;
        }));
        Ok(Self { url, stop })
    }

    fn stop(self) {
        // An error means that the emulator has already stopped.
        let _ = self.stop.send(());
    }
}

fn organization(fleet: &Fleet, tenant: &str) -> String {
    let found = fleet
        .tenants
        .iter()
        .find(|loaded| loaded.name.as_str() == tenant)
        .and_then(|loaded| loaded.tenant.as_ref());
    found.map(|tenant| tenant.primary.organization.to_string()).unwrap_or_default()
}

/// Returns the organizations at the start of the demo, and the faults that happen during it.
fn world(fleet: &Fleet) -> Value {
    let client = json!({"id": emulate::CLIENT_ID, "name": "genesync", "type": "client"});
    let applied = |name: &str| {
        fleet
            .tenants
            .iter()
            .find(|loaded| loaded.name.as_str() == name)
            .and_then(|loaded| loaded.resources.first())
            .map(|resource| Value::Object((*resource.desired.body).clone()))
    };
    let organizations: Vec<Value> = fleet
        .tenants
        .iter()
        .filter_map(|loaded| loaded.tenant.as_ref())
        .flat_map(|tenant| tenant.targets().map(move |target| (tenant, target)))
        .map(|(tenant, target)| match tenant.name.as_str() {
            "northbank" => json!({"id": target.organization.as_str(), "configuration": applied("northbank"), "version": 6, "modifiedBy": client}),
            "harbour-hotels" => json!({"id": target.organization.as_str(), "cloud": {
                "name": "Harbour Hotels", "region": target.region.key(),
                "flows": [{"name": "Booking desk"}], "knowledgeBases": [{"name": "Guest questions"}],
            }}),
            "osmosis-labs" => json!({"id": target.organization.as_str(), "cloud": {
                "name": "Osmosis Labs", "region": target.region.key(),
                "configurations": [{"name": "Results", "versions": [applied("osmosis-labs")]}],
                "deployments": [{
                    "name": "Results portal", "configuration": {"name": "Results", "version": "1"},
                    "allowAllDomains": false, "allowedDomains": ["portal.osmosis-labs.example"], "status": "Active",
                }],
            }}),
            _ => json!({"id": target.organization.as_str()}),
        })
        .collect();
    let one = json!({"id": emulate::CLIENT_ID, "secret": emulate::CLIENT_SECRET, "name": "genesync"});
    let of_each = cloud_targets(fleet).map(|target| {
        json!({
            "id": client_of(target), "secret": emulate::CLIENT_SECRET, "name": "genesync",
            "cloud": {"organization": target.organization.as_str()},
        })
    });
    let clients: Vec<Value> = std::iter::once(one).chain(of_each).collect();
    let on_put = |tenant: &str, action: Value| json!({"match": {"method": "PUT", "organizationId": organization(fleet, tenant)}, "do": action});
    json!({
        "clients": clients,
        "settings": {"latencyMs": 5, "auditDelayMs": 400, "replicationDelayMs": 600},
        "organizations": organizations,
        "faults": [
            on_put("bazaarly", json!({"edit": {"actor": "Arjun Pillai", "patch": {"branding": {"seasonalBanner": true}}}})),
            on_put("marktplatz", json!({"status": 429, "retryAfter": 1})),
            on_put("pixelforge", json!({"drop": "after"})),
        ],
    })
}

/// Returns the organizations with the public API of Genesys Cloud. There, a client belongs to one
/// organization.
fn cloud_targets(fleet: &Fleet) -> impl Iterator<Item = &Target> {
    let tenants = fleet.tenants.iter().filter_map(|loaded| loaded.tenant.as_ref());
    tenants.filter(|tenant| tenant.dialect == Dialect::Cloud).flat_map(Tenant::targets)
}

fn client_of(target: &Target) -> String {
    format!("genesync-{}", target.credentials)
}

/// Returns settings that use the emulator for every region, with the credentials of its clients.
fn settings(folder: &Path, url: &str, fleet: &Fleet) -> Result<Settings, Failure> {
    let base = Url::parse(&format!("{url}/"))
        .map_err(|error| Failure::bug(format!("the emulator's URL is not valid: {error}")))?;
    let credentials = folder.join("credentials");
    for target in
        fleet.tenants.iter().filter_map(|loaded| loaded.tenant.as_ref()).flat_map(|tenant| tenant.targets())
    {
        let name = credentials.join(target.credentials.as_str());
        write(&name.join("client-id"), emulate::CLIENT_ID)?;
        write(&name.join("client-secret"), emulate::CLIENT_SECRET)?;
    }
    for target in cloud_targets(fleet) {
        let name = credentials.join(target.credentials.as_str());
        write(&name.join("client-id"), &client_of(target))?;
    }
    Ok(Settings {
        endpoints: Region::ALL.iter().map(|region| (*region, base.clone())).collect(),
        credentials_dir: Some(credentials),
        credentials: BTreeMap::new(),
        // genesync waits for a lost answer as long as a write may take. The demo uses a shorter time.
        timing: Timing { write_ms: 2_000, settle_ms: 300, ..Timing::default() },
        lease: Duration::from_secs(30),
        pacing: Pacing::default(),
        store: Some(StorePlace::Folder(folder.join("state"))),
        state_key: None,
        replica: "demo".into(),
        controller: ControllerSettings::default(),
        hook_secrets: Vec::new(),
        notify_url: None,
        cache_dir: folder.join("cache"),
        git_token: None,
        proxies: Proxies::default(),
    })
}

async fn plan(
    fleet: &Fleet,
    settings: &Settings,
    store: &Store,
    output: &Output,
) -> Result<Session, Failure> {
    let wishes = session::Wishes {
        settings,
        allowed: Default::default(),
        drafts: Default::default(),
        desired_before: Default::default(),
        parent: Default::default(),
        repository: "",
        store: Some(store),
        heard: None,
    };
    let mut session = Session::start(fleet, wishes).await?.with_a_readable_tenant()?;
    let progress = Arc::new(Progress::silent(output, "planning", session.runs.len()));
    session.plan(session::CONCURRENCY, &progress).await;
    progress.finish();
    Ok(session)
}
