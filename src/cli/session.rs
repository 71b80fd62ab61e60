//! What `plan` and `apply` share: settings, source, fleet, credentials, and one run for each tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};

use super::progress::Progress;
use super::{Failure, Output};
use crate::api::{ClientCredentials, Options, Pace, ReadApi};
use crate::clock;
use crate::config::credentials::Credentials;
use crate::config::{Flags, Settings};
use crate::driver::drive;
use crate::driver::leases::{Held, Leases};
use crate::fleet::Fleet;
use crate::model::plan::{Drafts, Limits, Reviewed};
use crate::model::{
    CredentialsName, Fault, FaultKind, Guard, Refusal, Region, Resource, Tenant, TenantName, json,
};
use crate::plan::guards;
use crate::reconcile::{Run, Spec, Timing};
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
        guards::run_tenants::check(changing.count(), self.runs.len(), &self.limits)
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
