//! What `plan` and `import` share: credentials, one run for each tenant, and a plan of each.

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

/// Runs that are driven at once unless the operator says otherwise: as many as the controller has under way.
pub const CONCURRENCY: usize = 64;

/// Runs for all tenants of a fleet, to be planned.
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
    /// How many tenants in git have a configuration.
    managed: usize,
    /// Limits of this run.
    pub limits: Limits,
    /// How many tenants it may change: the stricter of what its commit says and what the one that was applied last said.
    pub run_limits: RunLimits,
    /// Tenants that are paused or held, as far as there is a state that knows.
    pub pauses: BTreeMap<TenantName, Pause>,
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
    /// What the commit before says of guards, where no state knows what was applied last.
    pub parent: Parent,
    /// The repository's name in the store.
    pub repository: &'a str,
    /// The journal, where there is one yet.
    pub store: Option<&'a Store>,
    /// What hears of requests and of waits.
    pub heard: Option<Heard>,
}

impl Session {
    /// Looks credentials up and makes the runs.
    ///
    /// # Errors
    /// The HTTP client can't be set up. What is wrong with one tenant is in [`Session::failed`].
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
        // Where no tenant is left, the command as a whole has failed, for the first one's reason.
        let nobody = first_failure.filter(|_| runs.is_empty());
        let before = match store {
            Some(store) => store.run_limits(repository).await?,
            None => None,
        };
        let run_limits = RunLimits::of(&limits).and(before.or(parent.limits));
        Ok(Self { run_limits, managed: fleet.managed, api, unmanaged, failed, nobody, runs, limits, pauses })
    }

    /// Itself, where there is a tenant that can be looked at.
    ///
    /// # Errors
    /// There is none: for the reason of the first.
    pub fn with_somebody(mut self) -> Result<Self, Failure> {
        self.nobody.take().map_or(Ok(self), Err)
    }

    /// Drives every run until it has a plan.
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

    /// The command that opens all that refuses the run and its tenants; none where nothing does.
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

    /// Why the run as a whole, or what it switches off, may not be applied.
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

/// What the state knows to have been said of the fleet's organizations.
async fn precedents(store: Option<&Store>, fleet: &Fleet) -> Result<Precedents, Failure> {
    let Some(store) = store else { return Ok(Precedents::new()) };
    let tenants = fleet.tenants.iter().filter_map(|loaded| loaded.tenant.as_ref());
    Ok(store.precedents(&tenants.flat_map(organizations_of).collect()).await?)
}

fn organizations_of(tenant: &Tenant) -> BTreeSet<OrganizationId> {
    tenant.targets().map(|target| target.organization.clone()).collect()
}

/// What is known of each tenant, as far as there is a state that can tell.
async fn rows(store: Option<&Store>) -> BTreeMap<TenantName, TenantRow> {
    let Some(store) = store else { return BTreeMap::new() };
    let rows = store.tenants(Which::All).await.unwrap_or_else(|error| {
        tracing::warn!(error = causes(&error), "pauses can't be read, and are not shown");
        Vec::new()
    });
    rows.into_iter().map(|row| (row.tenant.clone(), row)).collect()
}

/// Opens the store that the settings name, for a command that is about nothing but the state.
///
/// # Errors
/// The settings say that none is kept, or it can't be opened.
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

/// A state that can't be used, and where it is.
fn unusable(place: &StorePlace, error: StoreError) -> Failure {
    let names_its_place = matches!(
        error,
        StoreError::Folder { .. } | StoreError::NotADatabase { .. } | StoreError::Damaged { .. }
    );
    let place = match place {
        StorePlace::Folder(folder) => format!("the state in `{}`", folder.display()),
        // Its URL may hold a password.
        StorePlace::Postgres(url) => {
            let url = url::Url::parse(url.expose()).ok();
            let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("another host");
            format!("the state in PostgreSQL at `{host}`")
        }
    };
    let failure = Failure::from(error);
    if names_its_place { failure } else { failure.about(&place) }
}

/// What is said of a folder of the state that was there, and that others than its owner may enter.
fn exposed(place: &StorePlace) -> Option<String> {
    let StorePlace::Folder(folder) = place else { return None };
    let rights = private::rights_of_others(folder)?;
    Some(format!(
        "other users of this machine may enter the state's folder `{0}` (rights {rights}), which holds what is live in every organization: `chmod 700 {0}`",
        folder.display()
    ))
}

/// What a command without a state does not know, in one line.
const NO_MEMORY: &str = "no state is kept (state = \"none\"): this run does not know what was applied, paused, held or opened before, or what other runs do. The guards adopt, recreate, rewind and pause are off, run-off sees this run alone, and protected compares with the commit's first parent";

/// Opens the store that the settings name, or one that lasts as long as the command: then it says what that does not know.
///
/// # Errors
/// It can't be opened.
pub async fn open_store_or_none(settings: &Settings, output: &Output) -> Result<Store, Failure> {
    if settings.store.is_some() {
        return open_store(settings, output).await;
    }
    output.talk(NO_MEMORY);
    Ok(Store::open_for_now(&settings.replica).await?)
}

/// What is said where objects differ of which a state knows nothing that knows nothing at all.
const NEW_STATE: &str = "this state is new, and has no record of any applied object. On a runner that keeps no state, write `state = \"none\"` into the settings, or set GENESYNC_STATE=none";

/// Whether a state that outlives the command has seen no head of a repository yet.
///
/// # Errors
/// It can't be read.
pub async fn is_new(settings: &Settings, store: &Store, repository: &str) -> Result<bool, Failure> {
    Ok(settings.store.is_some() && store.head(repository).await?.is_none())
}

/// Says what a runner may need whose new state has objects refused by the guard `adopt`.
pub fn tell_new_state(is_new: bool, needed: &BTreeSet<Guard>, output: &Output) {
    if is_new && needed.contains(&Guard::Adopt) {
        output.talk(NEW_STATE);
    }
}

/// Looks at the store that the settings name; none where there is none, or none yet.
///
/// # Errors
/// It can't be read.
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

/// A command that needs a state where the settings say that none is kept.
pub fn no_state() -> Failure {
    Failure::new(Exit::Usage, "the settings say that no state is kept (`state = \"none\"`), and this command needs one")
        .hint("leave `state` out of the settings, and name a folder (`state-dir`) or a database (`store`) that outlives the command")
}

/// Settings from flags.
pub fn settings(flags: Flags) -> Result<Settings, Failure> {
    Ok(Settings::resolve(flags)?)
}
