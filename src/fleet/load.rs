//! Loads a whole configuration repository: parses, checks and lowers every tenant, on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::shared::Shared;
use crate::manifest::files::SourceFile;
use crate::manifest::kinds::project::Rules;
use crate::manifest::yaml::{FILE_BYTES_MAX, Node};
use crate::manifest::{self, Input, TENANT_BYTES_MAX, TenantManifest};
use crate::model::plan::Limits;
use crate::model::snapshot::{FileEntry, FileMode, Snapshot};
use crate::model::{Finding, Location, Resource, Revision, Severity, Tenant, TenantName};
use crate::source::{Reader, Source, SourceError};
use crate::validate::{self, fleet::Claim};
use jiff::civil::Date;

/// One loaded tenant.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The name of its folder.
    pub name: TenantName,
    /// The tenant, if `tenant.yaml` could be parsed.
    pub tenant: Option<Tenant>,
    /// The desired objects; empty if it has no document for one.
    pub resources: Vec<Resource>,
    /// The time zone of its opening hours, if it names one.
    pub time_zone: Option<Box<str>>,
    /// The shared files whose layers it extends, in order, once for each document that extends one.
    pub layers: Vec<Arc<str>>,
    /// Whether an error stops every write of it.
    pub blocked: bool,
    /// Whether all its documents could be parsed; rules do not check the others.
    pub is_read: bool,
}

/// A configuration repository at one revision.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The revision.
    pub revision: Revision,
    /// Its tenants, by name.
    pub tenants: Vec<Loaded>,
    /// All findings, ordered by file.
    pub findings: Vec<Finding>,
    /// The texts of the files that findings name.
    pub files: BTreeMap<Arc<str>, Arc<str>>,
    /// The number of tenants with a configuration in the revision, including tenants that were not loaded.
    pub managed: usize,
    /// The limits that the project sets.
    pub limits: Limits,
    /// Files that were skipped.
    pub ignored: Vec<Arc<str>>,
    /// The number of files that were read.
    pub files_read: usize,
    /// Their total bytes.
    pub bytes_read: usize,
}

/// The reason why genesync writes nothing while [`Fleet::project_is_broken`].
pub const PROJECT_IS_BROKEN: &str =
    "`genesync.yaml` is not valid, so genesync cannot use its limits and writes nothing";

impl Fleet {
    /// Whether a shared file, such as a layer, has an error.
    pub fn has_shared_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error && finding.tenant.is_none())
    }

    /// Whether `genesync.yaml` has an error. Its limits cannot be used then, and genesync writes nothing.
    pub fn project_is_broken(&self) -> bool {
        self.findings.iter().any(|finding| {
            finding.severity == Severity::Error
                && finding.tenant.is_none()
                && finding.location.file.starts_with("genesync.y")
        })
    }
}

/// Options for loading a repository.
pub struct Options<'a> {
    /// The day for waivers and ignored fields.
    pub today: Date,
    /// The tenants to load; all if none.
    pub only: Option<&'a BTreeSet<TenantName>>,
    /// Receives each tenant right after it was parsed, and the number of tenants. The caller may take the
    /// resources and store them in a smaller form, which saves the memory of ten thousand trees.
    pub on_tenant: &'a (dyn Fn(usize, &mut Loaded) + Sync),
    /// Changes the settings of the rules before they run.
    pub weigh: &'a dyn Fn(&mut Rules),
}

impl Options<'_> {
    /// Returns options for all tenants with the project's own settings.
    pub fn on(today: Date) -> Self {
        Self { today, only: None, on_tenant: &|_, _| {}, weigh: &|_| {} }
    }
}

/// Loads a revision.
///
/// # Errors
/// The source cannot be read. Errors in manifests become findings instead.
pub fn load(source: &Source, revision: &str, options: &Options<'_>) -> Result<Fleet, SourceError> {
    let mut snapshot = source.snapshot_of(revision, options.only)?;
    snapshot.tenants.retain(|name, _| options.only.is_none_or(|only| only.contains(name)));
    load_snapshot(source, snapshot, options)
}

/// Loads all tenants of a snapshot.
///
/// # Errors
/// As [`load`].
pub fn load_snapshot(
    source: &Source,
    snapshot: Snapshot,
    options: &Options<'_>,
) -> Result<Fleet, SourceError> {
    let mut shared = Shared::of(source, &snapshot)?;
    (options.weigh)(&mut shared.project.spec.rules);
    let Options { today, on_tenant, .. } = *options;
    let names: Vec<&TenantName> = snapshot.tenants.keys().collect();
    let parts = in_parallel(source, &names, |reader, name| {
        let mut part = read_one(reader, &snapshot, name, &shared, today)?;
        on_tenant(names.len(), &mut part.loaded);
        Ok(part)
    })?;
    Ok(assemble(snapshot, &shared, parts, today))
}

pub(super) fn input(reader: &Reader, entry: &FileEntry) -> Result<Input, SourceError> {
    Ok(Input { path: Arc::clone(&entry.path), bytes: reader.read(entry, FILE_BYTES_MAX)? })
}

/// One tenant's part of a fleet.
struct Part {
    loaded: Loaded,
    is_managed: bool,
    findings: Vec<Finding>,
    claims: Vec<Claim>,
    files: Vec<SourceFile>,
    files_read: usize,
    bytes_read: usize,
}

fn read_one(
    reader: &Reader,
    snapshot: &Snapshot,
    name: &TenantName,
    shared: &Shared,
    today: Date,
) -> Result<Part, SourceError> {
    let entries = snapshot.tenants.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut irregular = Vec::new();
    let mut inputs = Vec::new();
    let mut bytes_read = 0;
    for entry in entries {
        match entry.mode {
            FileMode::Regular => {}
            FileMode::Executable => irregular.push(mode_finding(name, entry, Severity::Warning)),
            FileMode::Symlink | FileMode::Submodule | FileMode::Other => {
                irregular.push(mode_finding(name, entry, Severity::Error));
                continue;
            }
        }
        // One file beyond the limit is enough for the parser to refuse all of them.
        if bytes_read <= TENANT_BYTES_MAX {
            let input = input(reader, entry)?;
            bytes_read += input.bytes.len();
            inputs.push(input);
        }
    }
    let files_read = inputs.len();
    let mut manifest = manifest::read_tenant(name, &inputs, &shared.bases);
    let is_read = !validate::blocks(&manifest.findings);
    manifest.findings.extend(irregular);
    let findings = validate::check(&manifest, &shared.project.spec.rules, today);
    let claims = validate::fleet::claims(&manifest);
    let files = texts(&manifest, &findings);
    let of_document = |below: &[Arc<Node>]| {
        below.iter().map(|layer| manifest.files.locate(layer.span).file).collect::<BTreeSet<_>>()
    };
    let mut layers: Vec<Arc<str>> =
        manifest.managed().flat_map(|managed| of_document(managed.below)).collect();
    layers.sort();
    let time_zone = manifest.time_zone().map(Box::from);
    let TenantManifest { name, tenant, resources, .. } = manifest;
    let blocked = validate::blocks(&findings) || tenant.is_none();
    let objects = resources.into_iter().filter_map(|resource| {
        Some(Resource {
            object: resource.object,
            desired: resource.desired?,
            before: None,
            secret: resource.signature_secret,
        })
    });
    let resources = objects.collect();
    let loaded = Loaded { name, tenant, resources, time_zone, layers, blocked, is_read };
    let is_managed = !loaded.resources.is_empty();
    Ok(Part { loaded, is_managed, findings, claims, files, files_read, bytes_read })
}

fn mode_finding(tenant: &TenantName, entry: &FileEntry, severity: Severity) -> Finding {
    Finding {
        rule: "repository",
        severity,
        message: format!("this is {}, but genesync reads only regular files", entry.mode.name()),
        location: Location::file(Arc::clone(&entry.path)),
        pointer: String::new(),
        tenant: Some(tenant.clone()),
        related: Vec::new(),
        help: match entry.mode {
            FileMode::Executable => Some(format!("run `git update-index --chmod=-x {}`", entry.path)),
            FileMode::Symlink => Some("put a copy here, or share the fields as a layer under bases/".into()),
            FileMode::Regular | FileMode::Submodule | FileMode::Other => None,
        },
        fix: None,
        waived: None,
    }
}

/// Returns the texts of the files that findings name, which are needed to show the findings.
fn texts(manifest: &TenantManifest, findings: &[Finding]) -> Vec<SourceFile> {
    let related =
        findings.iter().flat_map(|finding| finding.related.iter().map(|(location, _)| &location.file));
    let named: BTreeSet<&Arc<str>> =
        findings.iter().map(|finding| &finding.location.file).chain(related).collect();
    named.into_iter().filter_map(|path| manifest.files.by_path(path).cloned()).collect()
}

fn assemble(snapshot: Snapshot, shared: &Shared, mut parts: Vec<Part>, today: Date) -> Fleet {
    // The order of threads must not matter, so findings at one location follow the order of tenants.
    parts.sort_by(|a, b| a.loaded.name.cmp(&b.loaded.name));
    let mut findings = shared.findings(today);
    let project_texts = snapshot.project.iter().filter_map(|entry| shared.project.files.by_path(&entry.path));
    let mut files: BTreeMap<Arc<str>, Arc<str>> = project_texts
        .chain(shared.bases.files.iter())
        .map(|file| (Arc::clone(&file.path), Arc::clone(&file.text)))
        .collect();
    let managed = parts.iter().filter(|part| part.is_managed).count();
    let (mut tenants, mut claims) = (Vec::with_capacity(parts.len()), Vec::new());
    let (mut files_read, mut bytes_read) = (files.len(), files.values().map(|text| text.len()).sum());
    for part in parts {
        tenants.push(part.loaded);
        findings.extend(part.findings);
        claims.extend(part.claims);
        files.extend(part.files.into_iter().map(|file| (file.path, file.text)));
        files_read += part.files_read;
        bytes_read += part.bytes_read;
    }
    let rivals = validate::fleet::check(&claims);
    let layout = snapshot.irregular.iter().map(|(path, message)| irregular(path, message));
    let layout: Vec<Finding> = layout.collect();
    let errors =
        rivals.iter().chain(&layout).chain(&findings).filter(|finding| finding.severity == Severity::Error);
    let refused: BTreeSet<TenantName> = errors.filter_map(|finding| finding.tenant.clone()).collect();
    for tenant in tenants.iter_mut().filter(|tenant| refused.contains(&tenant.name)) {
        tenant.blocked = true;
    }
    findings.extend(rivals);
    findings.extend(layout);
    findings.sort_by(|a, b| {
        (&a.location.file, a.location.line, a.location.column).cmp(&(
            &b.location.file,
            b.location.line,
            b.location.column,
        ))
    });
    Fleet {
        revision: snapshot.revision,
        tenants,
        findings,
        files,
        managed,
        limits: shared.project.spec.limits(),
        ignored: snapshot.ignored,
        files_read,
        bytes_read,
    }
}

/// Creates a finding about the repository layout. A path below a tenant's folder belongs to that tenant
/// only.
fn irregular(path: &Arc<str>, message: &str) -> Finding {
    Finding {
        rule: "repository",
        severity: Severity::Error,
        message: message.to_owned(),
        location: Location::file(Arc::clone(path)),
        pointer: String::new(),
        tenant: path
            .strip_prefix("tenants/")
            .map(|below| TenantName::new(below.split('/').next().unwrap_or_default())),
        related: Vec::new(),
        help: None,
        fix: None,
        waived: None,
    }
}

/// Loads tenants on all cores; each thread has its own handle to the repository.
fn in_parallel(
    source: &Source,
    names: &[&TenantName],
    read: impl Fn(&Reader, &TenantName) -> Result<Part, SourceError> + Sync,
) -> Result<Vec<Part>, SourceError> {
    let next = AtomicUsize::new(0);
    let parts = Mutex::new(Vec::with_capacity(names.len()));
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(names.len().max(1));
    let work = || -> Result<(), SourceError> {
        let reader = source.reader()?;
        let mut own = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            own.push(read(&reader, name)?);
        }
        parts.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        Ok(())
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        // A thread that panicked has skipped tenants, and the result must not look like a smaller fleet.
        let panicked = || SourceError::Limit {
            what: "a thread that reads manifests ended early, please report it".into(),
        };
        let theirs =
            handles.into_iter().try_for_each(|handle| handle.join().unwrap_or_else(|_| Err(panicked())));
        mine.and(theirs)
    })?;
    Ok(parts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Parses tenants without checking them, to show where their values come from. All tenants if `names` is
/// empty.
///
/// # Errors
/// The source cannot be read.
pub fn manifests(
    source: &Source,
    revision: &str,
    names: &[TenantName],
) -> Result<Vec<TenantManifest>, SourceError> {
    let snapshot = source.snapshot(revision)?;
    let reader = source.reader()?;
    let shared = Shared::read(&snapshot, &|entry| input(&reader, entry))?;
    let wanted = snapshot.tenants.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    wanted.map(|(name, entries)| shared.manifest(name, entries, &|entry| input(&reader, entry))).collect()
}
