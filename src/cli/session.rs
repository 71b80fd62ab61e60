//! Looks up credentials, makes one run for each tenant, and plans each run, for `plan`, `import` and
//! `accept`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::progress::Progress;
use super::{Exit, Failure, Output};
use crate::api::ReadApi;
use crate::clock;
use crate::config::{Flags, Settings};
use crate::driver::clients::{Clients, connect};
use crate::driver::drive::Watcher;
use crate::driver::planning::{self, Panicked};
use crate::driver::spec::{Subject, Terms, journal_of, spec};
use crate::fleet::Fleet;
use crate::model::plan::{Drafts, Limits};
use crate::model::precedent::{Parent, RunLimits};
use crate::model::{
    Fault, FaultKind, Guard, Memory, Mode, OrganizationId, Plan, Precedents, Refusal, Resource, StorePlace,
    Tenant, TenantName, causes,
};
use crate::plan::guards;
use crate::platform::Heard;
use crate::private;
use crate::reconcile::Run;
use crate::render::opening;
use crate::store::{Pause, Store, StoreError, TenantRow, Which};

/// The default number of concurrent runs: the same as of the controller.
pub const CONCURRENCY: usize = 64;

/// The runs of all tenants of a fleet, for planning.
pub struct Session {
    /// The client for reads.
    pub api: ReadApi,
    /// One run for each valid, managed tenant.
    pub runs: Vec<Run>,
    /// The tenants without a configuration in git. genesync reports them and never writes to them.
    pub unmanaged: Vec<TenantName>,
    /// The tenants that genesync cannot read, with the fault.
    pub failed: Vec<(TenantName, Fault)>,
    /// The first failure, if genesync can read no tenant.
    pub no_one: Option<Failure>,
    /// The number of tenants with a configuration in git.
    managed: usize,
    /// The limits of this run.
    pub limits: Limits,
    /// The limits on changed tenants: the stricter of this commit and the last applied one.
    pub run_limits: RunLimits,
    /// The paused or held tenants; empty without a state.
    pub pauses: BTreeMap<TenantName, Pause>,
}

/// The options of a session.
pub struct Wishes<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The open guards.
    pub allowed: BTreeSet<Guard>,
    /// What happens to drafts of other users.
    pub drafts: Drafts,
    /// The previous desired resources, for tenants without a base.
    pub desired_before: BTreeMap<TenantName, Vec<Resource>>,
    /// The guard settings of the previous commit, if the state has no record of an applied commit.
    pub parent: Parent,
    /// The repository's name in the store.
    pub repository: &'a str,
    /// The store, if it exists.
    pub store: Option<&'a Store>,
    /// The callback for request events.
    pub heard: Option<Heard>,
}

impl Session {
    /// Looks up credentials and makes the runs.
    ///
    /// # Errors
    /// The HTTP client cannot be set up. [`Session::failed`] has the faults of single tenants.
    pub async fn start(fleet: &Fleet, wishes: Wishes<'_>) -> Result<Self, Failure> {
        let Wishes { settings, allowed, drafts, desired_before, parent, repository, store, heard } = wishes;
        let sound = || fleet.tenants.iter().filter(|loaded| !loaded.blocked);
        let api = connect(settings, heard)?;
        let clients = Clients::new(Arc::new(Mutex::new(settings.clone())), api.clone());
        let limits = Limits { allowed, drafts, ..fleet.limits.clone() };
        let terms = Terms {
            revision: fleet.revision.clone(),
            limits: limits.clone(),
            timing: settings.timing,
            memory: if store.is_some() { Memory::Kept } else { Memory::OutOfReach },
            today: clock::today(),
        };
        let (mut runs, mut unmanaged, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut first_failure: Option<Failure> = None;
        let mut journals = match store {
            Some(store) => store.journals_each(sound().map(|loaded| &loaded.name)).await,
            None => BTreeMap::new(),
        };
        let said = precedents(store, fleet).await?;
        let rows = rows(store).await;
        let fault = |failure: &Failure| Fault::new(FaultKind::Local, failure.message.clone());
        for loaded in sound() {
            let Some(tenant) = loaded.tenant.as_ref().filter(|_| !loaded.resources.is_empty()) else {
                unmanaged.push(loaded.name.clone());
                continue;
            };
            let own_clients = match clients.for_run(tenant, &loaded.resources).await {
                Ok(own_clients) => own_clients,
                Err(error) => {
                    let failure = Failure::from(error);
                    failed.push((loaded.name.clone(), fault(&failure)));
                    first_failure.get_or_insert(failure);
                    continue;
                }
            };
            let kept = journals.remove(&loaded.name);
            let journal = match journal_of(store, kept, tenant, &loaded.resources).await {
                Ok(journal) => journal,
                Err(error) => {
                    failed.push((loaded.name.clone(), fault(&Failure::from(error))));
                    continue;
                }
            };
            let subject = Subject {
                tenant,
                resources: loaded.resources.clone(),
                precedents: parent.judge_of(&said, tenant),
                before: desired_before.get(&loaded.name).map(Vec::as_slice).unwrap_or_default(),
                noticed: rows.get(&loaded.name).map(|row| row.unmanaged.clone()).unwrap_or_default(),
                own_clients,
                reviewed: None,
                is_exact: true,
                is_paused: false,
                salt: clock::now().as_nanosecond() as u64,
            };
            runs.push(Run::new(Arc::new(spec(&terms, subject)), journal));
        }
        let pauses = rows.into_iter().filter_map(|(tenant, row)| Some((tenant, row.pause?))).collect();
        // Without any run, the command fails with the first failure.
        let no_one = first_failure.filter(|_| runs.is_empty());
        let before = match store {
            Some(store) => store.run_limits(repository).await?,
            None => None,
        };
        let run_limits = RunLimits::of(&limits).and(before.or(parent.limits));
        Ok(Self { run_limits, managed: fleet.managed, api, unmanaged, failed, no_one, runs, limits, pauses })
    }

    /// Returns the session if genesync can read at least one tenant.
    ///
    /// # Errors
    /// genesync can read no tenant. The error is the first failure.
    pub fn with_a_readable_tenant(mut self) -> Result<Self, Failure> {
        self.no_one.take().map_or(Ok(self), Err)
    }

    /// Plans every run.
    pub async fn plan(&mut self, concurrency: usize, progress: &Arc<Progress>) {
        let runs = std::mem::take(&mut self.runs);
        let names: Vec<TenantName> = runs.iter().map(|run| run.spec().tenant.name.clone()).collect();
        let watcher: Arc<dyn Watcher> = Arc::clone(progress) as Arc<dyn Watcher>;
        let runs = runs.into_iter().map(|run| (run, None));
        let planned = planning::plan(runs, &self.api, concurrency, &watcher, &|| progress.step()).await;
        for (name, planned) in names.into_iter().zip(planned) {
            match planned {
                Ok(run) => self.runs.push(run),
                Err(Panicked) => self.failed.push((name, Fault::new(FaultKind::Local, Panicked.to_string()))),
            }
        }
    }

    /// Returns the command that opens every guard that refuses the run or its tenants; none without a
    /// refusal.
    pub fn opens(&self) -> Option<String> {
        let enforced = self.runs.iter().filter(|run| run.spec().tenant.mode == Mode::Enforce);
        let differing = enforced.filter(|run| run.differs() || !run.refusals().is_empty());
        let tenants: Vec<(&Plan, &[Refusal])> =
            differing.filter_map(|run| Some((run.plan()?, run.refusals()))).collect();
        let needed = guards::needed(&tenants, self.managed, self.run_limits, &self.limits.allowed);
        let refused = self.runs.iter().filter(|run| !run.refusals().is_empty());
        let off = self.runs.iter().filter(|run| {
            needed.contains(&Guard::RunOff) && run.plan().is_some_and(guards::run_off::goes_off)
        });
        opening::command(refused.chain(off).map(|run| run.spec().tenant.name.as_str()), &needed)
    }

    /// Returns the refusals of the whole run.
    pub fn run_refusals(&self) -> Vec<Refusal> {
        let allowed = &self.limits.allowed;
        let working: Vec<_> =
            self.runs.iter().filter(|run| run.has_work()).filter_map(Run::to_be_written).collect();
        let changing = guards::run_tenants::Changing::of(working.iter().map(AsRef::as_ref));
        let many = guards::run_tenants::check(changing, self.managed, self.run_limits, allowed);
        let off = working.iter().filter(|plan| guards::run_off::goes_off(plan));
        let off: Vec<TenantName> = off.map(|plan| plan.tenant.clone()).collect();
        many.into_iter().chain(guards::run_off::check(&off, allowed)).collect()
    }
}

/// Returns what applied commits said of the fleet's organizations, from the state.
async fn precedents(store: Option<&Store>, fleet: &Fleet) -> Result<Precedents, Failure> {
    let Some(store) = store else { return Ok(Precedents::new()) };
    let tenants = fleet.tenants.iter().filter_map(|loaded| loaded.tenant.as_ref());
    Ok(store.precedents(&tenants.flat_map(organizations_of).collect()).await?)
}

fn organizations_of(tenant: &Tenant) -> BTreeSet<OrganizationId> {
    tenant.targets().map(|target| target.organization.clone()).collect()
}

/// Returns the row of each tenant in the state; empty without a state.
async fn rows(store: Option<&Store>) -> BTreeMap<TenantName, TenantRow> {
    let Some(store) = store else { return BTreeMap::new() };
    let rows = store.tenants(Which::All).await.unwrap_or_else(|error| {
        tracing::warn!(error = causes(&error), "cannot read pauses, so the plan does not show them");
        Vec::new()
    });
    rows.into_iter().map(|row| (row.tenant.clone(), row)).collect()
}

/// Opens the store of the settings, for a command that needs a state.
///
/// # Errors
/// The settings have `state = "none"`, or the store cannot be opened.
pub async fn open_store(settings: &Settings, output: &Output) -> Result<Store, Failure> {
    match &settings.store {
        Some(place) => {
            if let Some(exposed) = exposed(place) {
                output.warning(&exposed);
            }
            let unusable = |error| unusable(place, error);
            let store = Store::open(place, &settings.replica).await.map_err(unusable)?;
            let store = store.sealed_with(settings.state_key.as_ref()).await.map_err(unusable)?;
            store.seal_old_rows().await.map_err(unusable)?;
            Ok(store)
        }
        None => Err(no_state()),
    }
}

/// Returns the failure for a store that cannot be used, with its location.
fn unusable(place: &StorePlace, error: StoreError) -> Failure {
    let names_its_place = matches!(
        error,
        StoreError::Folder { .. } | StoreError::NotADatabase { .. } | StoreError::Damaged { .. }
    );
    let place = match place {
        StorePlace::Folder(folder) => format!("the state in `{}`", folder.display()),
        // The URL may contain a password.
        StorePlace::Postgres(url) => {
            let url = url::Url::parse(url.expose()).ok();
            let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("another host");
            format!("the state in PostgreSQL at `{host}`")
        }
    };
    let failure = Failure::from(error);
    if names_its_place { failure } else { failure.about(&place) }
}

/// Returns a warning if other users may enter the state's folder.
fn exposed(place: &StorePlace) -> Option<String> {
    let StorePlace::Folder(folder) = place else { return None };
    let rights = private::rights_of_others(folder)?;
    Some(format!(
        "other users of this machine may enter the state's folder `{0}` (mode {rights}), which contains the live configuration of every organization: run `chmod 700 {0}`",
        folder.display()
    ))
}

/// The message of a command that runs without a state.
const NO_MEMORY: &str = "this run keeps no state (state = \"none\"), so it does not know earlier runs, concurrent runs, pauses, holds or opened guards. The guards adopt, recreate, rewind and pause are off, run-off checks only this run, and protected compares with the commit's first parent";

/// Opens the store of the settings. With `state = "none"`, opens a store that lasts as long as the command,
/// and prints what that means.
///
/// # Errors
/// The store cannot be opened.
pub async fn open_store_or_none(settings: &Settings, output: &Output) -> Result<Store, Failure> {
    if settings.store.is_some() {
        return open_store(settings, output).await;
    }
    output.talk(NO_MEMORY);
    Ok(Store::open_for_now(&settings.replica).await?)
}

/// The message for a new state whose tenants the guard `adopt` refuses.
const NEW_STATE: &str = "this state is new and has no record of an applied object. If the runner keeps no files between runs, write `state = \"none\"` into the settings, or set GENESYNC_STATE=none";

/// Returns whether a persistent state has not recorded a head of this repository yet.
///
/// # Errors
/// The store cannot be read.
pub async fn is_new(settings: &Settings, store: &Store, repository: &str) -> Result<bool, Failure> {
    Ok(settings.store.is_some() && store.head(repository).await?.is_none())
}

/// Prints `NEW_STATE` if the state is new and the guard `adopt` refuses objects.
pub fn tell_new_state(is_new: bool, needed: &BTreeSet<Guard>, output: &Output) {
    if is_new && needed.contains(&Guard::Adopt) {
        output.talk(NEW_STATE);
    }
}

/// Opens the store of the settings for reads; none if the settings have no store or the store does not exist
/// yet.
///
/// # Errors
/// The store cannot be read.
pub async fn look_at_store(settings: &Settings) -> Result<Option<Store>, Failure> {
    match &settings.store {
        Some(place) => {
            let unusable = |error| unusable(place, error);
            match Store::look(place).await.map_err(unusable)? {
                Some(store) => {
                    store.sealed_with(settings.state_key.as_ref()).await.map(Some).map_err(unusable)
                }
                None => Ok(None),
            }
        }
        None => Ok(None),
    }
}

/// Returns the failure of a command that needs a state when the settings have `state = "none"`.
pub fn no_state() -> Failure {
    Failure::new(Exit::Usage, "this command needs a state, but the settings have `state = \"none\"`").hint(
        "remove `state` from the settings, and name a persistent folder (`state-dir`) or database (`store`)",
    )
}

/// Resolves the settings from flags, environment and settings file.
pub fn settings(flags: Flags) -> Result<Settings, Failure> {
    Ok(Settings::resolve(flags)?)
}
