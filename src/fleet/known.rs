//! The desired state as a replica of the controller keeps it: every tenant rendered, for tens of thousands
//! of tenants.
//!
//! For a new commit it compares object ids. It reads only tenants whose own folder changed, or all tenants
//! if a shared file changed.
//!
//! In: a source and a commit, and the state of an earlier commit. Out: every tenant with its digest, and
//! the changed tenants. Never: keeps a document or a location in a file. Start reading at [`Known`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::load::{self, Fleet, Loaded, Options};
use crate::model::plan::Limits;
use crate::model::precedent::Parent;
use crate::model::snapshot::{Outline, Snapshot};
use crate::model::{
    CredentialsName, Desired, Mode, Object, OrganizationId, Resource, Revision, SecretName, Severity, Target,
    Tenant, TenantName, Wanted, WantedSettings, json,
};
use crate::source::{Source, SourceError};

/// One tenant at one revision.
#[derive(Debug)]
pub struct KnownTenant {
    /// Its name.
    pub name: TenantName,
    /// Digest of everything that a run of it depends on; none if genesync must not write it.
    pub digest: Option<Arc<str>>,
    /// Why genesync must not write it.
    pub invalid: Option<String>,
    /// Its settings, if they could be parsed.
    pub tenant: Option<Tenant>,
    /// The desired objects, packed.
    resources: Box<[Packed]>,
}

/// All tenants at one revision.
#[derive(Debug)]
pub struct Known {
    /// The revision.
    pub revision: Revision,
    /// The limits of the project.
    pub limits: Limits,
    /// Tenants that have a configuration or an error.
    pub tenants: Tenants,
    /// The guard limits of the first loaded commit's parent, for organizations that no state knows.
    pub parent: Arc<Parent>,
    outline: Outline,
    /// The source with its history.
    source: Source,
    /// Commits that are known to be in its history.
    history: Mutex<BTreeSet<Revision>>,
    /// The day of the checks, because waivers end on a day.
    day: Date,
    /// Whether two tenants claim one organization. Whether a tenant is valid then depends on others.
    rivalry: bool,
}

/// The changes of a new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// New or changed tenants.
    pub rows: Vec<Wanted>,
    /// Removed tenants; none if `rows` contains all tenants.
    pub gone: Option<Vec<TenantName>>,
}

impl Known {
    /// Reads a whole repository.
    ///
    /// # Errors
    /// It cannot be read, or `genesync.yaml` is not valid, so that its limits cannot be used.
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
            parent: Arc::default(),
            outline,
            source: source.clone(),
            history: Mutex::default(),
            day: today,
            rivalry,
        })
    }

    /// Reads the changes of another revision and returns them.
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
        let gone: BTreeSet<TenantName> = gone.into_iter().map(TenantName::new).collect();
        let others = self.tenants.without(|name| touched.contains(name) || gone.contains(name));
        let (mut limits, mut fresh) = (self.limits.clone(), Tenants::default());
        if !touched.is_empty() {
            let (fleet, read) = read(source, snapshot, today)?;
            if claims_of_others(&others, &read) {
                return Self::load(source, revision, today).map(Self::all_moved);
            }
            (limits, fresh) = (fleet.limits, read);
        }
        let rows = fresh.iter().map(|known| known.wanted()).collect();
        // A folder without a configuration counts as removed.
        let emptied = touched.into_iter().filter(|name| fresh.get(name).is_none());
        let gone = Some(gone.into_iter().chain(emptied).collect());
        let revision = outline.revision.clone();
        let tenants = others.and(fresh);
        let (source, history) = (source.clone(), Mutex::default());
        let (day, rivalry) = (self.day, self.rivalry);
        let parent = Arc::clone(&self.parent);
        let known = Self { revision, limits, tenants, parent, outline, source, history, day, rivalry };
        Ok((known, Moved { rows, gone }))
    }

    /// Returns the state with every tenant as changed, after a complete load.
    pub fn all_moved(self) -> (Self, Moved) {
        let rows = self.all_wanted();
        (self, Moved { rows, gone: None })
    }

    /// Whether an earlier commit is in its history. The first call for a commit reads the repository.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn holds(&self, earlier: &Revision) -> Result<bool, SourceError> {
        let is_known = |history: &Mutex<BTreeSet<Revision>>| {
            history.lock().unwrap_or_else(PoisonError::into_inner).contains(earlier)
        };
        if *earlier == self.revision || is_known(&self.history) {
            return Ok(true);
        }
        let holds = self.source.holds(&self.revision, earlier)?;
        if holds {
            self.history.lock().unwrap_or_else(PoisonError::into_inner).insert(earlier.clone());
        }
        Ok(holds)
    }

    /// Whether it was loaded for this day.
    pub fn is_of(&self, day: Date) -> bool {
        self.day == day
    }

    /// Returns the rows of all tenants for the store.
    pub fn all_wanted(&self) -> Vec<Wanted> {
        self.tenants.iter().map(KnownTenant::wanted).collect()
    }

    /// Returns every organization that its tenants name.
    pub fn organizations(&self) -> BTreeSet<OrganizationId> {
        self.tenants.targets().map(|target| target.organization.clone()).collect()
    }

    /// Returns the names of all credentials that its tenants use.
    pub fn credentials(&self) -> BTreeSet<CredentialsName> {
        self.tenants.targets().map(|target| target.credentials.clone()).collect()
    }
}

/// Tenants in order of name. Each commit makes a new value of it, and copying a vector of pointers takes a
/// fraction of the time of building a tree.
#[derive(Debug, Default)]
pub struct Tenants(Vec<Arc<KnownTenant>>);

impl Tenants {
    /// Returns the tenant with this name.
    pub fn get(&self, name: &TenantName) -> Option<&Arc<KnownTenant>> {
        let at = self.0.binary_search_by(|known| known.name.cmp(name)).ok()?;
        self.0.get(at)
    }

    /// Iterates over all tenants.
    pub fn iter(&self) -> impl Iterator<Item = &KnownTenant> {
        self.0.iter().map(|known| &**known)
    }

    /// Returns the number of tenants.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        self.iter().filter_map(|known| known.tenant.as_ref()).flat_map(Tenant::targets)
    }

    fn without(&self, left_out: impl Fn(&TenantName) -> bool) -> Self {
        Self(self.0.iter().filter(|known| !left_out(&known.name)).cloned().collect())
    }

    /// Merges two sets of tenants, which must not have a tenant in common.
    fn and(mut self, others: Tenants) -> Self {
        self.0.extend(others.0);
        // The sort finds and merges two sorted parts.
        self.0.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }
}

/// The desired state of an object as compact JSON, because a tree of values needs several times the memory.
#[derive(Debug)]
struct Packed {
    object: Object,
    body: Box<[u8]>,
    exclusive: bool,
    secret: Option<SecretName>,
}

impl Packed {
    fn of(resource: &Resource) -> Self {
        Self {
            object: resource.object.clone(),
            body: serde_json::to_vec(&*resource.desired.body).unwrap_or_default().into(),
            exclusive: resource.desired.exclusive,
            secret: resource.secret.clone(),
        }
    }
}

impl KnownTenant {
    /// Returns its mode; `enforce` if its settings could not be parsed.
    pub fn mode(&self) -> Mode {
        self.tenant.as_ref().map_or(Mode::Enforce, |tenant| tenant.mode)
    }

    fn of(loaded: &Loaded, packed: Option<Vec<Packed>>, invalid: Option<String>) -> Option<Self> {
        let name = loaded.name.clone();
        let Some(resources) = packed.filter(|_| !loaded.blocked) else {
            // Without a configuration and without an error genesync has nothing to manage.
            loaded.blocked.then_some(())?;
            let reason = invalid.unwrap_or_else(|| "the manifests are not valid".into());
            return Some(Self {
                name,
                digest: None,
                invalid: Some(reason),
                tenant: loaded.tenant.clone(),
                resources: Box::default(),
            });
        };
        let mut settings = Vec::new();
        for Packed { object, body, exclusive, secret } in &resources {
            let head = match object.is_implied() {
                true => serde_json::to_vec(&(&loaded.tenant, exclusive)),
                false => serde_json::to_vec(&(&loaded.tenant, exclusive, object, secret)),
            };
            settings.extend(head.unwrap_or_default());
            settings.extend_from_slice(body);
        }
        let digest = Some(json::digest_bytes(&settings).into());
        let resources = resources.into();
        Some(Self { name, digest, invalid: None, tenant: loaded.tenant.clone(), resources })
    }

    /// Returns its row for the store.
    pub fn wanted(&self) -> Wanted {
        let settings = |tenant: &Tenant| WantedSettings {
            enforced: tenant.mode == Mode::Enforce,
            credentials: tenant.primary.credentials.clone(),
            wave: tenant.wave,
        };
        Wanted {
            tenant: self.name.clone(),
            digest: self.digest.clone(),
            settings: self.tenant.as_ref().map(settings),
            invalid: self.invalid.clone(),
        }
    }

    /// Returns the desired objects, including ignored fields.
    pub fn resources(&self) -> Vec<Resource> {
        let unpack = |packed: &Packed| {
            let body: Map<String, Value> = serde_json::from_slice(&packed.body).unwrap_or_default();
            let desired =
                Desired { body: Arc::new(body), exclusive: packed.exclusive, ignored: BTreeSet::new() };
            let (object, secret) = (packed.object.clone(), packed.secret.clone());
            Resource { object, desired, before: None, secret }
        };
        self.resources.iter().map(unpack).collect()
    }
}

/// Why a revision cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `genesync.yaml` is not valid.
    #[error("`genesync.yaml` is not valid at {revision}, so genesync cannot use its limits: {message}")]
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

/// Reads tenants and packs each one at once.
fn read(source: &Source, snapshot: Snapshot, today: Date) -> Result<(Fleet, Tenants), SourceError> {
    let packed: Mutex<BTreeMap<TenantName, Vec<Packed>>> = Mutex::default();
    let pack = |_: usize, loaded: &mut Loaded| {
        if loaded.resources.is_empty() {
            return;
        }
        let resources = std::mem::take(&mut loaded.resources).iter().map(Packed::of).collect();
        packed.lock().unwrap_or_else(PoisonError::into_inner).insert(loaded.name.clone(), resources);
    };
    let fleet = load::load_snapshot(source, snapshot, &Options { on_tenant: &pack, ..Options::on(today) })?;
    let mut packed = packed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let first_errors = first_errors(&fleet);
    let known = |loaded: &Loaded| {
        let invalid = first_errors.get(&loaded.name).cloned();
        KnownTenant::of(loaded, packed.remove(&loaded.name), invalid).map(Arc::new)
    };
    // The tenants of a fleet are ordered by name.
    let tenants = Tenants(fleet.tenants.iter().filter_map(known).collect());
    Ok((fleet, tenants))
}

/// Returns the first error of each tenant that has one, as text.
fn first_errors(fleet: &Fleet) -> BTreeMap<&TenantName, String> {
    let mut first_errors: BTreeMap<&TenantName, String> = BTreeMap::new();
    for finding in fleet.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        if let Some(tenant) = &finding.tenant {
            let shown = || format!("{}: {} ({})", finding.location, finding.message, finding.rule);
            first_errors.entry(tenant).or_insert_with(shown);
        }
    }
    first_errors
}

/// Returns the rows for the store: all tenants of a fleet that are managed or not valid, by name.
pub fn wanted(fleet: &Fleet) -> Vec<Wanted> {
    let first_errors = first_errors(fleet);
    let of = |loaded: &Loaded| {
        let packed =
            (!loaded.resources.is_empty()).then(|| loaded.resources.iter().map(Packed::of).collect());
        let known = KnownTenant::of(loaded, packed, first_errors.get(&loaded.name).cloned())?;
        Some(known.wanted())
    };
    fleet.tenants.iter().filter_map(of).collect()
}

/// Whether a newly read tenant names an organization of another tenant.
fn claims_of_others(others: &Tenants, fresh: &Tenants) -> bool {
    let named: BTreeSet<&OrganizationId> = fresh.targets().map(|target| &target.organization).collect();
    others.targets().any(|target| named.contains(&target.organization))
}

#[cfg(test)]
mod tests;
