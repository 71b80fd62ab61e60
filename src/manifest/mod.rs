//! Stage 2 of 7: reads manifests and keeps the place of every value.
//!
//! In: the texts of a tenant's files, of the shared layers and of the project. Out: a [`TenantManifest`]
//! (the tenant's desired configuration and the findings about its documents). Never: reads a file, fails,
//! or reads another tenant. Start reading at [`read_tenant`], then `yaml.rs` and `kinds/`.

pub mod emit;
pub mod files;
mod in_place;
pub mod kinds;
pub mod layers;
mod reader;
mod resource;
pub mod schema;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Finding, Object, ObjectKind, Severity, Tenant, TenantName};
use files::{Files, SourceFile};
use kinds::Kind;
use kinds::project::{Project, ProjectSpec};
use layers::LayerProblem;
use reader::Reader;
pub use resource::Declaration;
use yaml::Node;

/// Limit of all files of one tenant together, in bytes.
pub const TENANT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Limit of the values in all files of one tenant together, with aliases expanded. All layers together have
/// the same limit.
pub const TENANT_NODES_MAX: usize = 200_000;

/// One file as the source delivered it.
#[derive(Debug, Clone)]
pub struct Input {
    /// Path from the repository's root.
    pub path: Arc<str>,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The shared layers, read once.
#[derive(Debug, Clone, Default)]
pub struct Bases {
    /// Their texts.
    pub files: Arc<[SourceFile]>,
    /// Their specs by name.
    pub layers: BTreeMap<String, Arc<Node>>,
    /// Their kinds by name.
    pub kinds: BTreeMap<String, ObjectKind>,
    /// Names that two layers have. genesync uses neither layer.
    pub ambiguous: BTreeSet<String>,
    /// Their findings. An error stops the tenants that extend the layer.
    pub findings: Vec<Finding>,
}

/// The content of one tenant's folder.
#[derive(Debug, Clone)]
pub struct TenantManifest {
    /// The folder's name.
    pub name: TenantName,
    /// The tenant, if `tenant.yaml` is valid.
    pub tenant: Option<Tenant>,
    /// Its objects, sorted by dependency, then by name.
    pub resources: Vec<Declaration>,
    /// Every document, in the order of the files.
    pub documents: Vec<Node>,
    /// The index of the Tenant document in `documents`.
    tenant_document: Option<usize>,
    /// The texts.
    pub files: Files,
    /// The findings so far.
    pub findings: Vec<Finding>,
}

impl TenantManifest {
    /// Returns the `spec` of the Tenant document with its places.
    pub fn tenant_spec(&self) -> Option<&Node> {
        self.documents.get(self.tenant_document?)?.get("spec")
    }

    /// Returns the time zone of its opening hours, if it names one.
    pub fn time_zone(&self) -> Option<&str> {
        self.resources.iter().find_map(|resource| resource.spec.path("availability.timeZone")?.text())
    }

    /// Whether any of its objects has opening hours.
    pub fn has_hours(&self) -> bool {
        self.resources.iter().any(|resource| resource.object.kind.has_hours())
    }

    /// Returns every object of the tenant, with the sources of its values.
    pub fn managed(&self) -> impl Iterator<Item = Managed<'_>> {
        let own = |index: usize| self.documents.get(index).and_then(|document| document.get("spec"));
        self.resources.iter().map(move |resource| Managed {
            object: resource.object.clone(),
            spec: &resource.spec,
            below: &resource.below,
            own: own(resource.document),
        })
    }
}

/// An object with the sources of its values.
#[derive(Debug, Clone)]
pub struct Managed<'a> {
    /// The object.
    pub object: Object,
    /// The merged spec, every value with its place.
    pub spec: &'a Node,
    /// The layers below the document's own spec, lowest first.
    pub below: &'a [Arc<Node>],
    /// The document's own spec.
    pub own: Option<&'a Node>,
}

impl<'a> Managed<'a> {
    /// Returns the specs that were merged, lowest first, the document's own last.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = &'a Node> + use<'a> {
        self.below.iter().map(|layer| &**layer).chain(self.own)
    }
}

/// `genesync.yaml`.
#[derive(Debug, Clone, Default)]
pub struct ProjectManifest {
    /// The settings; the defaults if the file is missing or broken.
    pub spec: ProjectSpec,
    /// The document with its places.
    pub document: Option<Node>,
    /// The text.
    pub files: Files,
    /// Its findings. An error stops every write.
    pub findings: Vec<Finding>,
}

/// Reads `genesync.yaml`. A broken file results in findings and the default settings.
pub fn read_project(input: &Input) -> ProjectManifest {
    let mut reader = Reader::new(Files::default(), None);
    let mut manifest = ProjectManifest::default();
    for document in reader.read(input) {
        match reader.kind(&document) {
            Some(Kind::Project) if manifest.document.is_some() => reader.second(&document, Kind::Project),
            Some(Kind::Project) => {
                if let Some(project) = reader.typed::<Project>(Kind::Project, &document) {
                    manifest.spec = project.spec;
                }
                manifest.document = Some(document);
            }
            Some(other) => {
                reader.misplaced(&document, other, "keep only the Project document in `genesync.yaml`")
            }
            None => {}
        }
    }
    ProjectManifest { files: reader.files, findings: reader.findings, ..manifest }
}

/// Reads the shared layers under `bases/`.
pub fn read_bases(inputs: &[Input]) -> Bases {
    let mut reader = Reader::new(Files::default(), None);
    let mut layers: BTreeMap<String, Arc<Node>> = BTreeMap::new();
    let (mut ambiguous, mut kinds) = (BTreeSet::new(), BTreeMap::new());
    for input in inputs {
        for document in reader.read(input) {
            let kind = match reader.kind(&document) {
                Some(Kind::Object(kind)) => kind,
                Some(other) => {
                    reader.misplaced(&document, other, "keep only layers in `bases/`");
                    continue;
                }
                None => continue,
            };
            // Only for the findings: each tenant reads the merged spec again.
            let _ = reader.sound(Kind::Object(kind), &document);
            let (Some(name), Some(spec)) = (document.path("metadata.name"), document.get("spec")) else {
                continue;
            };
            let text = name.text().unwrap_or_default().to_owned();
            if let Some(first) = layers.get(&text) {
                let first = reader.files.locate(first.span);
                reader.finding(
                    "layers",
                    format!("there are two layers named `{}`", yaml::shown(&text)),
                    name.span,
                    "/metadata/name",
                    None,
                );
                if let Some(finding) = reader.findings.last_mut() {
                    finding.related.push((first, "the first one".into()));
                }
                ambiguous.insert(text);
                continue;
            }
            kinds.insert(text.clone(), kind);
            layers.insert(text, Arc::new(spec.clone()));
        }
    }
    layers.retain(|name, _| !ambiguous.contains(name));
    let bases = Bases { layers, kinds, ambiguous, ..Bases::default() };
    let problem =
        |(name, spec): (&String, &Arc<Node>)| layers::stack(*bases.kinds.get(name)?, spec, &bases).err();
    let missing: Vec<LayerProblem> = bases
        .layers
        .iter()
        .filter_map(problem)
        .filter(|problem| matches!(problem, LayerProblem::Missing(..) | LayerProblem::OtherKind(..)))
        .collect();
    for problem in missing {
        reader.layer_problem(problem, &bases);
    }
    Bases { findings: reader.findings, files: reader.files.into_shared(), ..bases }
}

/// Reads a tenant's folder. It never fails: every problem becomes a finding.
pub fn read_tenant(name: &TenantName, inputs: &[Input], bases: &Bases) -> TenantManifest {
    let mut reader = Reader::new(Files::with_shared(Arc::clone(&bases.files)), Some(name.clone()));
    let total: usize = inputs.iter().map(|input| input.bytes.len()).sum();
    let mut tenant = None;
    let mut tenant_document = None;
    let mut resources: Vec<Declaration> = Vec::new();
    let mut documents: Vec<Node> = Vec::new();
    if total > TENANT_BYTES_MAX {
        report_size(&mut reader, name, inputs);
    } else {
        for input in inputs {
            for document in reader.read(input) {
                match reader.kind(&document) {
                    Some(Kind::Tenant) if tenant_document.is_some() => reader.second(&document, Kind::Tenant),
                    Some(Kind::Tenant) => {
                        tenant = reader.tenant(&document, name);
                        tenant_document = document.get("spec").map(|_| documents.len());
                    }
                    Some(Kind::Object(kind))
                        if !kind.is_named() && resources.iter().any(|known| known.object.kind == kind) =>
                    {
                        reader.second(&document, Kind::Object(kind));
                    }
                    Some(Kind::Object(kind)) => {
                        let resource = reader.resource(kind, &document, documents.len(), bases);
                        resources.extend(resource.filter(|resource| reader.is_only(resource, &resources)));
                    }
                    Some(Kind::Project) => reader.misplaced(
                        &document,
                        Kind::Project,
                        "move the Project document to `genesync.yaml` at the root",
                    ),
                    None => {}
                }
                documents.push(document);
            }
        }
        let is_sound = reader.findings.iter().all(|finding| finding.severity != Severity::Error);
        if tenant_document.is_none() && is_sound {
            report_missing_tenant(&mut reader, name);
        }
    }
    resources.sort_by(|a, b| a.object.cmp(&b.object));
    TenantManifest {
        name: name.clone(),
        tenant,
        resources,
        documents,
        tenant_document,
        files: reader.files,
        findings: reader.findings,
    }
}

fn report_size(reader: &mut Reader, name: &TenantName, inputs: &[Input]) {
    let folder = || Arc::from(format!("tenants/{name}"));
    let path = inputs.first().map_or_else(folder, |input| Arc::clone(&input.path));
    let message = format!("the tenant's files together have more than {TENANT_BYTES_MAX} bytes");
    reader.whole_file("yaml", path, message);
}

fn report_missing_tenant(reader: &mut Reader, name: &TenantName) {
    let folder = Arc::from(format!("tenants/{name}"));
    reader.whole_file("identity", folder, "this folder has no Tenant document".into());
    if let Some(finding) = reader.findings.last_mut() {
        finding.help = Some(format!("add tenants/{name}/tenant.yaml, or run `genesync init` for an example"));
    }
}
