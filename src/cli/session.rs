//! What `plan` and `apply` share: settings, source, fleet, credentials, and one run for each tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};

use super::progress::Progress;
use super::{DraftArg, Exit, Failure, GuardArgs, Output, SourceArgs};
use crate::api::{ClientCredentials, Options, Pace, ReadApi};
use crate::clock;
use crate::config::credentials::Credentials;
use crate::config::{Flags, Settings};
use crate::controller::drive;
use crate::controller::fleet::{self, Fleet};
use crate::controller::head::Origin;
use crate::controller::leases::{Held, Leases};
use crate::manifest::schema::nearest;
use crate::model::plan::{Drafts, Limits, Reviewed};
use crate::model::text::counted;
use crate::model::{
    CredentialsName, Fault, FaultKind, Guard, Refusal, Region, Resource, Tenant, TenantName, json,
};
use crate::plan::guard;
use crate::reconcile::{Run, Spec, Timing};
use crate::source::{REMOTE_HEAD, RemoteUrl, Source, SourceError};
use crate::store::Store;

/// Runs that are driven at once unless the operator says otherwise.
pub const CONCURRENCY: usize = 16;

/// How long a tenant is leased unless the operator says otherwise: whoever takes over from a process that
/// died waits for it.
const LEASE_MS: u32 = 30_000;

/// How long a tenant is leased.
pub fn lease_length(settings: &Settings) -> Duration {
    Duration::from_millis(settings.timing.lease_ms.unwrap_or(LEASE_MS).max(300).into())
}

/// Whether a local path without `--rev` means its files or its last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The files: while editing.
    Files,
    /// The commit: what is applied has a history.
    Commit,
}

/// A source and the revision to read.
pub struct Place {
    /// Where manifests come from.
    pub source: Source,
    /// The revision as typed.
    pub revision: String,
    /// A name of the repository that is the same in every run.
    pub identity: String,
}

/// Finds the source that the arguments name.
pub fn place(args: &SourceArgs, reads: Reads, settings: &Settings) -> Result<Place, Failure> {
    if RemoteUrl::looks_like(&args.path) {
        let url = RemoteUrl::parse(&args.path)?;
        let source = Source::remote(&url, &settings.cache_dir, settings.git_token.as_ref())?;
        let revision = args.rev.as_deref().unwrap_or("HEAD");
        // The cache has a `HEAD` of its own, which means nothing.
        let revision = match revision.strip_prefix("HEAD") {
            Some(steps) => format!("{REMOTE_HEAD}{steps}"),
            None => revision.to_owned(),
        };
        return Ok(Place { source, revision, identity: url.to_string() });
    }
    let path = Path::new(&args.path);
    if !path.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is not a folder", path.display())));
    }
    let identity = local_identity(&args.path);
    match (&args.rev, reads) {
        (None, Reads::Files) => {
            Ok(Place { source: Source::folder(path), revision: "folder".into(), identity })
        }
        (rev, _) => {
            let revision = rev.clone().unwrap_or_else(|| "HEAD".into());
            Ok(Place { source: Source::repository(path)?, revision, identity })
        }
    }
}

/// Says so where a commit is read, and the files that lie there are other ones by now.
pub fn tell_uncommitted(place: &Place, args: &SourceArgs, output: &Output) {
    // Whoever names a commit means it.
    let files = if args.rev.is_none() { place.source.uncommitted() } else { 0 };
    if files > 0 {
        let verb = if files == 1 { "is" } else { "are" };
        output.warning(&format!("{} {verb} not committed, and {verb} not looked at", counted(files, "file")));
    }
}

/// Where a controller follows the repository that the arguments name: always commits.
pub fn origin(path: &str, rev: Option<&str>, settings: &Settings) -> Result<Origin, Failure> {
    let revision = rev.unwrap_or("HEAD").to_owned();
    if RemoteUrl::looks_like(path) {
        let (cache, token) = (settings.cache_dir.clone(), settings.git_token.clone());
        return Ok(Origin::Remote { url: RemoteUrl::parse(path)?, cache, token, revision });
    }
    let folder = Path::new(path);
    if !folder.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("`{path}` is not a folder")));
    }
    let source = Source::repository(folder)?;
    Ok(Origin::Local { source, revision, identity: local_identity(path) })
}

/// A local repository's name in the store: its path, the same however it was typed.
fn local_identity(path: &str) -> String {
    Path::new(path).canonicalize().map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// Loads the tenants that the arguments name; a name that is not there is an error.
pub fn load(place: &Place, args: &SourceArgs, output: &Output) -> Result<Fleet, Failure> {
    let only: Option<BTreeSet<TenantName>> = (!args.tenants.is_empty())
        .then(|| args.tenants.iter().map(|name| TenantName::new(name.as_str())).collect());
    // Claims on one organization show only when all tenants are seen: everything is loaded, then narrowed.
    let progress = Progress::new(output, "reading", 0);
    let on_tenant = |all: usize, _: &mut fleet::Loaded| progress.step_of(all);
    let loaded = fleet::load_watched(&place.source, &place.revision, None, clock::today(), &on_tenant);
    progress.finish();
    let mut fleet = loaded.map_err(|error| match (&error, root_above(Path::new(&args.path))) {
        (SourceError::NoTenants { .. }, Some(root)) => {
            let hint =
                format!("this folder lies inside a configuration repository: name `{}`", root.display());
            Failure::from(error).hint(hint)
        }
        _ => Failure::from(error),
    })?;
    if let Some(only) = only {
        let missing: Vec<&str> = only
            .iter()
            .filter(|name| !fleet.tenants.iter().any(|tenant| tenant.name == **name))
            .map(TenantName::as_str)
            .collect();
        if !missing.is_empty() {
            let known: Vec<&str> = fleet.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
            return Err(no_tenant(&missing, &known));
        }
        narrow(&mut fleet, &only);
    }
    Ok(fleet)
}

/// The configuration repository that a folder lies inside of.
pub fn root_above(folder: &Path) -> Option<PathBuf> {
    // The folder itself may not be there yet.
    let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok()?;
    let is_root = |above: &&Path| above.join("tenants").is_dir() && above.join("genesync.yaml").is_file();
    folder.ancestors().skip(1).find(is_root).map(Path::to_owned)
}

/// Names that no tenant has, and what was probably meant.
pub fn no_tenant(missing: &[&str], known: &[&str]) -> Failure {
    const NAMES_MAX: usize = 20;
    let near = missing.first().and_then(|name| nearest(name, known.iter().copied()));
    let hint = match near.filter(|_| missing.len() == 1) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.len() > NAMES_MAX => {
            format!("tenants: {} and {} more", known[..NAMES_MAX].join(", "), known.len() - NAMES_MAX)
        }
        None => format!("tenants: {}", known.join(", ")),
    };
    Failure::new(Exit::Usage, format!("there is no tenant {}", missing.join(", "))).hint(hint)
}

/// Keeps only some tenants and what is said of them or of everything.
pub fn narrow(fleet: &mut Fleet, only: &BTreeSet<TenantName>) {
    fleet.tenants.retain(|tenant| only.contains(&tenant.name));
    fleet.findings.retain(|finding| finding.tenant.as_ref().is_none_or(|tenant| only.contains(tenant)));
}

/// What becomes of drafts that somebody else left.
pub fn drafts(args: &GuardArgs) -> Drafts {
    match args.draft {
        None => Drafts::Refuse,
        Some(DraftArg::Adopt) => Drafts::Adopt,
        Some(DraftArg::Discard) => Drafts::Discard,
    }
}

/// The guards that the operator opened.
pub fn allowed(args: &GuardArgs) -> Result<BTreeSet<Guard>, Failure> {
    args.allow
        .iter()
        .map(|name| {
            Guard::from_name(name).ok_or_else(|| {
                let known: Vec<&str> = Guard::ALL.iter().map(|guard| guard.name()).collect();
                Failure::new(Exit::Usage, format!("there is no guard `{name}`"))
                    .hint(format!("guards: {}", known.join(", ")))
            })
        })
        .collect()
}

/// The deadlines that the settings ask for.
pub fn timing(settings: &Settings) -> Timing {
    let file = settings.timing;
    let default = Timing::default();
    Timing {
        write_ms: file.write_ms.unwrap_or(default.write_ms),
        settle_ms: file.settle_ms.unwrap_or(default.settle_ms),
        job_ms: file.job_ms.unwrap_or(default.job_ms),
        confirm_ms: file.confirm_ms.unwrap_or(default.confirm_ms),
        backoff_ms: file.backoff_ms.unwrap_or(default.backoff_ms),
        backoff_max_ms: file.backoff_max_ms.unwrap_or(default.backoff_max_ms),
        poll_ms: file.poll_ms.unwrap_or(default.poll_ms),
        poll_max_ms: file.poll_max_ms.unwrap_or(default.poll_max_ms),
        appear_ms: file.appear_ms.unwrap_or(default.appear_ms),
        ready_ms: file.ready_ms.unwrap_or(default.ready_ms),
        ..default
    }
}

/// A client that reads, for some credentials.
pub fn client(
    settings: &Settings,
    credentials: impl IntoIterator<Item = (CredentialsName, Credentials)>,
) -> Result<ReadApi, Failure> {
    let known = |(name, found): (CredentialsName, Credentials)| {
        (name, ClientCredentials { id: found.client_id, secret: found.client_secret })
    };
    connect(settings, credentials.into_iter().map(known).collect())
}

fn connect(
    settings: &Settings,
    credentials: BTreeMap<CredentialsName, ClientCredentials>,
) -> Result<ReadApi, Failure> {
    let base_urls =
        Region::ALL.iter().filter_map(|region| Some((*region, settings.base_url(*region)?))).collect();
    let pacing = settings.pacing;
    let pace = Pace { per_minute: pacing.requests_per_minute, burst: pacing.burst };
    Ok(ReadApi::new(base_urls, credentials, Options { pace, ..Options::default() })?)
}

/// The names that a tenant's clients and secrets are kept under.
fn needed(tenant: &Tenant, resources: &[Resource]) -> impl Iterator<Item = CredentialsName> {
    let clients = tenant.targets().map(|target| target.credentials.clone());
    let secrets = resources.iter().filter_map(|resource| resource.secret.as_ref());
    clients.chain(secrets.map(|name| CredentialsName::new(name.as_str())))
}

/// Runs for all tenants of a fleet, ready to be driven.
pub struct Session {
    /// The client.
    pub api: ReadApi,
    /// One run for each tenant that is valid and managed.
    pub runs: Vec<Run>,
    /// Tenants without a configuration in git: reported, never touched.
    pub unmanaged: Vec<TenantName>,
    /// Tenants that can't be looked at, and why.
    pub failed: Vec<(TenantName, Fault)>,
    /// Why no tenant at all can be looked at, where that is so.
    pub nobody: Option<Failure>,
    /// Limits of this run.
    pub limits: Limits,
    /// Leases on the runs' tenants, where they are to be applied.
    pub held: BTreeMap<TenantName, Arc<Held>>,
    /// Who renews them.
    leases: Option<Leases>,
    lease_length: Duration,
}

/// What a session is made of, besides the fleet.
pub struct Wishes<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    /// Guards opened.
    pub allowed: BTreeSet<Guard>,
    /// What becomes of drafts that somebody else left.
    pub drafts: Drafts,
    /// What git said before, for tenants without a base.
    pub desired_before: BTreeMap<TenantName, Vec<Resource>>,
    /// The journal, where there is one yet.
    pub store: Option<&'a Store>,
    /// What a person reviewed, tenant by tenant, where only that may be written.
    pub reviewed: Option<&'a BTreeMap<TenantName, Arc<Reviewed>>>,
}

impl Session {
    /// Looks credentials up and makes the runs.
    ///
    /// # Errors
    /// The HTTP client can't be set up. What is wrong with one tenant is in [`Session::failed`].
    pub async fn start(fleet: &Fleet, wishes: Wishes<'_>) -> Result<Self, Failure> {
        let Wishes { settings, allowed, drafts, desired_before, store, reviewed } = wishes;
        let sound = || fleet.tenants.iter().filter(|loaded| !loaded.blocked);
        let (mut credentials, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        let names: BTreeSet<CredentialsName> = sound()
            .filter(|loaded| !loaded.resources.is_empty())
            .filter_map(|loaded| Some(needed(loaded.tenant.as_ref()?, &loaded.resources)))
            .flatten()
            .collect();
        for name in &names {
            match settings.credentials(name).await {
                Ok(found) => {
                    credentials.insert(
                        name.clone(),
                        ClientCredentials { id: found.client_id, secret: found.client_secret },
                    );
                }
                Err(error) => {
                    unknown.insert(name.clone(), Failure::from(error));
                }
            }
        }
        let limits = Limits { allowed, drafts, ..fleet.limits.clone() };
        let timing = timing(settings);
        let (mut runs, mut unmanaged, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut first_failure: Option<Failure> = None;
        let mut journals = match store {
            Some(store) => store.journals(sound().map(|loaded| &loaded.name)).await?,
            None => BTreeMap::new(),
        };
        for loaded in sound() {
            let Some(tenant) = loaded.tenant.as_ref().filter(|_| !loaded.resources.is_empty()) else {
                unmanaged.push(loaded.name.clone());
                continue;
            };
            // Here, because every run starts here: a rule ends on its day whenever the fleet was loaded.
            let ignored = tenant.ignored_on(clock::today());
            let before = desired_before.get(&loaded.name).map(Vec::as_slice).unwrap_or_default();
            let resource = |resource: &Resource| Resource {
                object: resource.object.clone(),
                secret: resource.secret.clone(),
                desired: resource.desired.ignoring(ignored.clone()),
                before: before
                    .iter()
                    .find(|known| known.object == resource.object)
                    .map(|known| known.desired.clone()),
            };
            let resources = loaded.resources.iter().map(resource).collect();
            if let Some(failure) = needed(tenant, &loaded.resources).find_map(|name| unknown.get(&name)) {
                failed.push((loaded.name.clone(), Fault::new(FaultKind::Local, failure.message.clone())));
                first_failure.get_or_insert_with(|| failure.clone());
                continue;
            }
            let journal = journals.remove(&loaded.name).unwrap_or_default();
            let own_clients = tenant
                .targets()
                .filter_map(|target| credentials.get(&target.credentials))
                .map(|client| client.id.clone())
                .collect();
            let spec = Spec {
                tenant: tenant.clone(),
                revision: fleet.revision.clone(),
                resources,
                limits: limits.clone(),
                timing,
                versions: tenant.dialect.versions(),
                own_clients,
                reviewed: reviewed.map(|all| all.get(&loaded.name).cloned().unwrap_or_default()),
                seed: seed(&loaded.name, clock::now().as_nanosecond()),
            };
            runs.push(Run::new(Arc::new(spec), journal));
        }
        let api = connect(settings, credentials)?;
        Ok(Self {
            api,
            unmanaged,
            failed,
            // Where no tenant is left, the command as a whole has failed, for the first one's reason.
            nobody: first_failure.filter(|_| runs.is_empty()),
            runs,
            limits,
            held: BTreeMap::new(),
            leases: None,
            lease_length: lease_length(settings),
        })
    }

    /// Itself, where there is a tenant that can be looked at.
    ///
    /// # Errors
    /// There is none: for the reason of the first.
    pub fn with_somebody(mut self) -> Result<Self, Failure> {
        self.nobody.take().map_or(Ok(self), Err)
    }

    /// Takes the lease of every tenant that has a run: from here on nobody else works on them, and their
    /// journals are read again. Who died with a lease is waited for; tenants that somebody else goes on
    /// working on are left out, as failed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn lease(&mut self, store: &Store, output: &Output) -> Result<(), Failure> {
        let leases = Leases::start(store, self.lease_length, Box::new(|_| {}));
        let patience = clock::monotonic() + self.lease_length * 3 / 2;
        let mut missing: BTreeSet<TenantName> =
            self.runs.iter().map(|run| run.spec.tenant.name.clone()).collect();
        let mut told = false;
        loop {
            let asked_at = clock::monotonic();
            for lease in store.take(&missing, self.lease_length).await? {
                missing.remove(&lease.tenant);
                self.held.insert(lease.tenant.clone(), Arc::new(leases.hold(lease, asked_at)));
            }
            let Some(one) = missing.first() else { break };
            if asked_at >= patience {
                break;
            }
            if !std::mem::replace(&mut told, true) {
                let holder = store.holder_of(one).await?.unwrap_or_default();
                output.talk(&format!(
                    "{} tenants, such as {one}, are leased by {holder}; waiting for them",
                    missing.len()
                ));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.leases = Some(leases);
        for tenant in &missing {
            let holder = store.holder_of(tenant).await?.unwrap_or_else(|| "another genesync".into());
            let message = format!(
                "{holder} works on it; where that is the controller, ask it with `genesync sync {tenant}`"
            );
            self.failed.push((tenant.clone(), Fault::new(FaultKind::Local, message)));
        }
        // What the journal said before the lease was ours may have changed since.
        let mut journals = store.journals(self.held.keys()).await?;
        self.runs.retain(|run| !missing.contains(&run.spec.tenant.name));
        for run in &mut self.runs {
            let journal = journals.remove(&run.spec.tenant.name).unwrap_or_default();
            *run = Run::new(Arc::clone(&run.spec), journal);
        }
        Ok(())
    }

    /// Drives every run until it has a plan. Under a lease, for an apply, what became of earlier writes is
    /// written down on the way.
    pub async fn plan(&mut self, concurrency: usize, progress: &Arc<Progress>) {
        let runs = std::mem::take(&mut self.runs);
        let mut planned: Vec<Run> = futures::stream::iter(runs)
            .map(|run| {
                // A task each: comparing costs more than asking, and is spread over all cores.
                let held = self.held.get(&run.spec.tenant.name).cloned();
                let (api, progress) = (self.api.clone(), Arc::clone(progress));
                let task = tokio::spawn(async move {
                    let run = match held {
                        None => drive::plan(run, &api, progress.as_ref()).await,
                        Some(held) => drive::prepare(run, &api, &held, progress.as_ref()).await,
                    };
                    progress.step();
                    run
                });
                // A tenant that is lost must not pass for a smaller fleet: a panic goes on here.
                task.map(|done| match done {
                    Ok(run) => run,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                })
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        planned.sort_by(|a, b| a.spec.tenant.name.cmp(&b.spec.tenant.name));
        self.runs = planned;
    }

    /// Why the run as a whole may not be applied.
    pub fn run_refusal(&self) -> Option<Refusal> {
        let changing = self.runs.iter().filter(|run| {
            let plan = run.plan.as_deref();
            plan.is_some_and(|plan| {
                plan.targets.iter().any(|target| target.version.is_some() && !target.changes.is_empty())
            })
        });
        guard::check_run(changing.count(), self.runs.len(), &self.limits)
    }
}

/// A seed for the jitter of one tenant's waits.
fn seed(name: &TenantName, now: i128) -> u64 {
    let digest = json::digest_bytes(name.as_str().as_bytes());
    let spread = digest.get(7..23).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    spread ^ now as u64
}

/// Opens the store that the settings name.
pub async fn open_store(settings: &Settings) -> Result<Store, Failure> {
    Ok(Store::open(&settings.store, &settings.replica).await?)
}

/// Settings from flags.
pub fn settings(flags: Flags) -> Result<Settings, Failure> {
    Ok(Settings::resolve(flags)?)
}

/// Writes a file that the operator named.
#[expect(clippy::disallowed_methods, reason = "the operator named the file to write")]
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Failure::new(Exit::Outside, format!("`{}` can't be written: {error}", path.display()))
    })
}

/// Puts a text in a file's place: whole, or not at all.
#[expect(clippy::disallowed_methods, reason = "the operator asked for it")]
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Outside, format!("`{}` can't be written: {error}", path.display()))
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.genesync"));
    let permissions = std::fs::metadata(path).map_err(failed)?.permissions();
    let written = std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::set_permissions(&beside, permissions))
        .and_then(|()| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // What is half written is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// Reads a text that the operator named.
#[expect(clippy::disallowed_methods, reason = "the operator named the file to read")]
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let unreadable =
        |error: String| Failure::new(Exit::Usage, format!("`{}` can't be read: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > bytes_max as u64 {
        return Err(unreadable(format!("it has {size} bytes, {bytes_max} are the most")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}
