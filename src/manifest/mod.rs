//! Stage 2 of 7: reads manifests and keeps the place of every value.
//!
//! In: the texts of a tenant's files, of the shared layers and of the project. Out: a [`TenantManifest`]
//! (what the tenant asks for, and everything that is wrong with how it asks). Never: reads a file, fails,
//! or looks at another tenant. Start reading at [`read_tenant`], then `yaml.rs` and `kinds/`.

pub mod files;
mod in_place;
pub mod kinds;
pub mod layers;
mod reader;
pub mod schema;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Desired, Finding, Severity, Tenant, TenantName};
use files::{Files, SourceFile};
use kinds::Kind;
use kinds::project::{Project, ProjectSpec};
use layers::LayerProblem;
use reader::Reader;
use yaml::Node;

/// Most bytes of one tenant's files together.
pub const TENANT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most values of one tenant's files together, aliases expanded; the same for all layers together.
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
    /// Names that two layers have: neither is taken.
    pub ambiguous: BTreeSet<String>,
    /// What is wrong with them. An error here stops the tenants that extend the layer.
    pub findings: Vec<Finding>,
}

/// A tenant's WebMessaging document with its layers put together.
#[derive(Debug, Clone)]
pub struct Web {
    /// The merged spec, every value with its place.
    pub spec: Node,
    /// The layers that lie below the document's own spec, lowest first.
    pub below: Vec<Arc<Node>>,
    /// What it asks for; none where the document or a layer breaks its schema.
    pub desired: Option<Desired>,
}

/// What one tenant's folder holds.
#[derive(Debug, Clone)]
pub struct TenantManifest {
    /// The folder's name.
    pub name: TenantName,
    /// The tenant, where `tenant.yaml` could be read.
    pub tenant: Option<Tenant>,
    /// The web messaging configuration, where there is one.
    pub web: Option<Web>,
    /// Every document, in order.
    pub documents: Vec<Node>,
    /// Which of them is the Tenant document.
    tenant_document: Option<usize>,
    /// Which of them is the WebMessaging document.
    web_document: Option<usize>,
    /// The texts.
    pub files: Files,
    /// What is wrong so far.
    pub findings: Vec<Finding>,
}

impl TenantManifest {
    /// `spec` of the Tenant document with its places.
    pub fn tenant_spec(&self) -> Option<&Node> {
        self.documents.get(self.tenant_document?)?.get("spec")
    }

    /// The specs that the web messaging configuration was made of, lowest first, the document's own last.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = &Node> {
        let own = self.web_document.and_then(|index| self.documents.get(index)?.get("spec"));
        self.web.iter().flat_map(|web| web.below.iter().map(|layer| &**layer)).chain(own)
    }
}

/// `genesync.yaml`.
#[derive(Debug, Clone, Default)]
pub struct ProjectManifest {
    /// The settings; the defaults where there is no file or it is broken.
    pub spec: ProjectSpec,
    /// The document with its places.
    pub document: Option<Node>,
    /// The text.
    pub files: Files,
    /// What is wrong with it. An error here stops every write.
    pub findings: Vec<Finding>,
}

/// Reads `genesync.yaml`. A broken one leaves the defaults in force and says so.
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
            Some(other) => reader.misplaced(&document, other, "only a Project stands in `genesync.yaml`"),
            None => {}
        }
    }
    ProjectManifest { files: reader.files, findings: reader.findings, ..manifest }
}

/// Reads the shared layers under `bases/`.
pub fn read_bases(inputs: &[Input]) -> Bases {
    let mut reader = Reader::new(Files::default(), None);
    let mut layers: BTreeMap<String, Arc<Node>> = BTreeMap::new();
    let mut ambiguous = BTreeSet::new();
    for input in inputs {
        for document in reader.read(input) {
            match reader.kind(&document) {
                Some(Kind::WebMessaging) => {}
                Some(other) => {
                    reader.misplaced(&document, other, "`bases/` holds WebMessaging layers");
                    continue;
                }
                None => continue,
            }
            // Read for what is wrong with it; each tenant reads the merged spec again.
            let _ = reader.sound(Kind::WebMessaging, &document);
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
            layers.insert(text, Arc::new(spec.clone()));
        }
    }
    layers.retain(|name, _| !ambiguous.contains(name));
    let bases = Bases { layers, ambiguous, ..Bases::default() };
    let missing: Vec<LayerProblem> = bases
        .layers
        .values()
        .filter_map(|spec| layers::stack(spec, &bases.layers).err())
        .filter(|problem| matches!(problem, LayerProblem::Missing(..)))
        .collect();
    for problem in missing {
        reader.layer_problem(problem, &bases);
    }
    Bases { findings: reader.findings, files: reader.files.into_shared(), ..bases }
}

/// Reads a tenant's folder. Never fails: what is wrong becomes a finding.
pub fn read_tenant(name: &TenantName, inputs: &[Input], bases: &Bases) -> TenantManifest {
    let mut reader = Reader::new(Files::with_shared(Arc::clone(&bases.files)), Some(name.clone()));
    let total: usize = inputs.iter().map(|input| input.bytes.len()).sum();
    let mut tenant = None;
    let (mut tenant_document, mut web_document) = (None, None);
    let mut web = None;
    let mut documents: Vec<Node> = Vec::new();
    if total > TENANT_BYTES_MAX {
        let path = inputs
            .first()
            .map_or_else(|| Arc::from(format!("tenants/{name}")), |input| Arc::clone(&input.path));
        reader.whole_file(
            "yaml",
            path,
            format!("the tenant's files are too large together: {TENANT_BYTES_MAX} bytes are allowed"),
        );
    } else {
        for input in inputs {
            for document in reader.read(input) {
                match reader.kind(&document) {
                    Some(Kind::Tenant) if tenant_document.is_some() => reader.second(&document, Kind::Tenant),
                    Some(Kind::Tenant) => {
                        tenant = reader.tenant(&document, name);
                        tenant_document = document.get("spec").map(|_| documents.len());
                    }
                    Some(Kind::WebMessaging) if web.is_some() => reader.second(&document, Kind::WebMessaging),
                    Some(Kind::WebMessaging) => {
                        web = reader.web(&document, bases);
                        web_document = web.as_ref().map(|_| documents.len());
                    }
                    Some(other) => {
                        reader.misplaced(&document, other, "a Project stands in `genesync.yaml` at the root")
                    }
                    None => {}
                }
                documents.push(document);
            }
        }
        if tenant_document.is_none()
            && reader.findings.iter().all(|finding| finding.severity != Severity::Error)
        {
            reader.whole_file(
                "identity",
                Arc::from(format!("tenants/{name}")),
                "this folder has no Tenant document".into(),
            );
            if let Some(finding) = reader.findings.last_mut() {
                finding.help = Some(format!("add tenants/{name}/tenant.yaml; `genesync init` shows one"));
            }
        }
    }
    TenantManifest {
        name: name.clone(),
        tenant,
        web,
        documents,
        tenant_document,
        web_document,
        files: reader.files,
        findings: reader.findings,
    }
}
