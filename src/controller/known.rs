//! What git says, as a replica holds it: every tenant rendered, small enough for tens of thousands.
//!
//! A new commit is compared by object ids; only tenants whose own folder moved are read again, or all where
//! something moved that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::fleet::{self, Fleet, Loaded};
use crate::model::plan::Limits;
use crate::model::snapshot::{Outline, Snapshot};
use crate::model::{
    CredentialsName, Desired, Mode, OrganizationId, Revision, Severity, Tenant, TenantName, json,
};
use crate::source::{Source, SourceError};
use crate::store::Wanted;

/// One tenant at one revision.
#[derive(Debug)]
pub struct KnownTenant {
    /// Digest of all that a run of it depends on; none where it may not be written.
    pub digest: Option<Arc<str>>,
    /// Why it may not be written.
    pub invalid: Option<String>,
    /// Its settings, where they could be read.
    pub tenant: Option<Tenant>,
    /// What git says, as compact JSON: a tree of values takes several times the room.
    body: Box<[u8]>,
    exclusive: bool,
}

/// Everything at one revision.
#[derive(Debug, Clone)]
pub struct Known {
    /// The revision.
    pub revision: Revision,
    /// The limits that the project sets.
    pub limits: Limits,
    /// Tenants with a configuration, or that are not valid.
    pub tenants: BTreeMap<TenantName, Arc<KnownTenant>>,
    outline: Outline,
    /// The day on which it was judged: waivers end on a day.
    day: Date,
    /// Whether two tenants claim one organization: then who is valid depends on others.
    rivalry: bool,
}

/// What changed with a new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Tenants that are new or say something else.
    pub rows: Vec<Wanted>,
    /// Tenants that are gone; none where `rows` is everything there is.
    pub gone: Option<Vec<TenantName>>,
}

impl Known {
    /// Reads a whole repository.
    ///
    /// # Errors
    /// It can't be read, or the project itself is not valid: no limit in it can be trusted then.
    pub fn load(source: &Source, revision: &str, today: Date) -> Result<Self, LoadError> {
        let (outline, snapshot) = source.survey(revision, &|_| None)?;
        Self::of(source, outline, snapshot, today)
    }

    fn of(source: &Source, outline: Outline, snapshot: Snapshot, today: Date) -> Result<Self, LoadError> {
        let (fleet, tenants) = read(source, snapshot, today)?;
        refuse_broken_project(&fleet)?;
        let rivalry =
            fleet.findings.iter().any(|finding| finding.rule == "identity" && !finding.related.is_empty());
        Ok(Self {
            revision: outline.revision.clone(),
            limits: fleet.limits,
            tenants,
            outline,
            day: today,
            rivalry,
        })
    }

    /// Reads what another revision changes, and says what that is.
    ///
    /// # Errors
    /// As [`Known::load`].
    pub fn follow(&self, source: &Source, revision: &str, today: Date) -> Result<(Self, Moved), LoadError> {
        let everything = |outline: &Outline| {
            outline.shared != self.outline.shared
                || self.rivalry
                || outline.tenants.is_empty()
                || today != self.day
        };
        let touched = |outline: &Outline| -> BTreeSet<TenantName> {
            outline.since(&self.outline).0.into_iter().map(TenantName::new).collect()
        };
        let choose = |outline: &Outline| (!everything(outline)).then(|| touched(outline));
        let (outline, snapshot) = source.survey(revision, &choose)?;
        if everything(&outline) {
            return Self::of(source, outline, snapshot, today).map(Self::all_moved);
        }
        let (touched, gone) = outline.since(&self.outline);
        let touched: BTreeSet<TenantName> = touched.into_iter().map(TenantName::new).collect();
        let gone: Vec<TenantName> = gone.into_iter().map(TenantName::new).collect();
        let mut known = self.clone();
        for name in touched.iter().chain(&gone) {
            known.tenants.remove(name);
        }
        if !touched.is_empty() {
            let (fleet, fresh) = read(source, snapshot, today)?;
            if claims_of_others(&known.tenants, &fresh) {
                return Self::load(source, revision, today).map(Self::all_moved);
            }
            known.limits = fleet.limits;
            known.tenants.extend(fresh);
        }
        let rows = touched.iter().filter_map(|name| known.wanted(name)).collect();
        // A folder that no longer holds a configuration is as good as gone.
        let emptied = touched.iter().filter(|name| !known.tenants.contains_key(*name)).cloned();
        let gone = Some(gone.into_iter().chain(emptied).collect());
        known.revision = outline.revision.clone();
        known.outline = outline;
        Ok((known, Moved { rows, gone }))
    }

    /// With everything read anew, each tenant may have moved.
    pub fn all_moved(self) -> (Self, Moved) {
        let rows = self.all_wanted();
        (self, Moved { rows, gone: None })
    }

    /// Whether it says on this day what it said when it was read.
    pub fn is_of(&self, day: Date) -> bool {
        self.day == day
    }

    /// What the store has to know of every tenant.
    pub fn all_wanted(&self) -> Vec<Wanted> {
        self.tenants.keys().filter_map(|name| self.wanted(name)).collect()
    }

    fn wanted(&self, name: &TenantName) -> Option<Wanted> {
        let known = self.tenants.get(name)?;
        let tenant = known.tenant.as_ref();
        Some(Wanted {
            tenant: name.clone(),
            digest: known.digest.clone(),
            enforced: tenant.is_some_and(|tenant| tenant.mode == Mode::Enforce),
            credentials: tenant
                .map_or_else(|| CredentialsName::new("-"), |tenant| tenant.primary.credentials.clone()),
            wave: tenant.map_or(0, |tenant| tenant.wave),
            invalid: known.invalid.clone(),
        })
    }

    /// The names of all credentials that its tenants use.
    pub fn credentials(&self) -> BTreeSet<CredentialsName> {
        let tenants = self.tenants.values().filter_map(|known| known.tenant.as_ref());
        tenants.flat_map(Tenant::targets).map(|target| target.credentials.clone()).collect()
    }
}

/// What git says of a tenant, as compact JSON: a tree of values takes several times the room.
struct Packed {
    body: Box<[u8]>,
    exclusive: bool,
}

impl KnownTenant {
    fn of(loaded: &Loaded, packed: Option<Packed>, invalid: Option<String>) -> Option<Self> {
        let Some(Packed { body, exclusive }) = packed.filter(|_| !loaded.blocked) else {
            // Without a configuration and without an error there is nothing to manage.
            loaded.blocked.then_some(())?;
            let reason = invalid.unwrap_or_else(|| "its manifests are not valid".into());
            return Some(Self {
                digest: None,
                invalid: Some(reason),
                tenant: loaded.tenant.clone(),
                body: Box::default(),
                exclusive: false,
            });
        };
        let mut settings = serde_json::to_vec(&(&loaded.tenant, exclusive)).unwrap_or_default();
        settings.extend_from_slice(&body);
        let digest = Some(json::digest_bytes(&settings).into());
        Some(Self { digest, invalid: None, tenant: loaded.tenant.clone(), body, exclusive })
    }

    /// What git says, less what is left to somebody else on this day.
    pub fn desired(&self, today: Date) -> Desired {
        let body: Map<String, Value> = serde_json::from_slice(&self.body).unwrap_or_default();
        let ignored = self.tenant.as_ref().map(|tenant| tenant.ignored_on(today)).unwrap_or_default();
        Desired { body: Arc::new(body), exclusive: self.exclusive, ignored }
    }
}

/// Why a revision can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `genesync.yaml` is not valid.
    #[error("`genesync.yaml` is not valid at {revision}, so no limit in it can be trusted: {message}")]
    Project {
        /// The revision.
        revision: Revision,
        /// The first finding.
        message: String,
    },
}

fn refuse_broken_project(fleet: &Fleet) -> Result<(), LoadError> {
    if !fleet.project_is_broken() {
        return Ok(());
    }
    let first = fleet.findings.iter().find(|finding| finding.severity == Severity::Error);
    let message =
        first.map(|finding| format!("{}: {}", finding.location, finding.message)).unwrap_or_default();
    Err(LoadError::Project { revision: fleet.revision.clone(), message })
}

/// Tenants by name.
type Tenants = BTreeMap<TenantName, Arc<KnownTenant>>;

/// Reads tenants, each packed as soon as it was read.
fn read(source: &Source, snapshot: Snapshot, today: Date) -> Result<(Fleet, Tenants), SourceError> {
    let packed: Mutex<BTreeMap<TenantName, Packed>> = Mutex::default();
    let pack = |_: usize, loaded: &mut Loaded| {
        let Some(desired) = loaded.desired.take() else { return };
        let body = serde_json::to_vec(&*desired.body).unwrap_or_default().into();
        let packed_one = Packed { body, exclusive: desired.exclusive };
        packed.lock().unwrap_or_else(PoisonError::into_inner).insert(loaded.name.clone(), packed_one);
    };
    let fleet = fleet::load_listed(source, snapshot, today, &pack)?;
    let mut packed = packed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut first_errors: BTreeMap<&TenantName, String> = BTreeMap::new();
    for finding in fleet.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        if let Some(tenant) = &finding.tenant {
            let told = || format!("{}: {} ({})", finding.location, finding.message, finding.rule);
            first_errors.entry(tenant).or_insert_with(told);
        }
    }
    let known = |loaded: &Loaded| {
        let invalid = first_errors.get(&loaded.name).cloned();
        let tenant = KnownTenant::of(loaded, packed.remove(&loaded.name), invalid)?;
        Some((loaded.name.clone(), Arc::new(tenant)))
    };
    let tenants = fleet.tenants.iter().filter_map(known).collect();
    Ok((fleet, tenants))
}

/// Whether a tenant that was read anew names an organization of another one.
fn claims_of_others(
    others: &BTreeMap<TenantName, Arc<KnownTenant>>,
    fresh: &BTreeMap<TenantName, Arc<KnownTenant>>,
) -> bool {
    let organizations = |known: &BTreeMap<TenantName, Arc<KnownTenant>>| -> BTreeSet<OrganizationId> {
        let tenants = known.values().filter_map(|known| known.tenant.as_ref());
        tenants.flat_map(Tenant::targets).map(|target| target.organization.clone()).collect()
    };
    let named = organizations(fresh);
    let mine = |target: &crate::model::Target| named.contains(&target.organization);
    others.values().filter_map(|known| known.tenant.as_ref()).any(|tenant| tenant.targets().any(mine))
}
