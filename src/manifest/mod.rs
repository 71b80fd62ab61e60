//! Stage 2 of 7: reads manifests and keeps the place of every value.
//!
//! In: the texts of a tenant's files, of the shared layers and of the project. Out: a [`TenantManifest`]
//! (what the tenant asks for, and everything that is wrong with how it asks). Never: reads a file, fails,
//! or looks at another tenant. Start reading at [`read_tenant`], then `yaml.rs` and `kinds/`.

pub mod files;
mod in_place;
pub mod kinds;
pub mod layers;
pub mod schema;
pub mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;

use crate::model::{Desired, Finding, Fix, Location, Severity, Tenant, TenantName};
use files::{Files, SourceFile};
use kinds::Kind;
use kinds::project::{Project, ProjectSpec};
use kinds::tenant::TenantDocument;
use kinds::web_messaging::WebMessagingSpec;
use layers::LayerProblem;
use schema::Violation;
use yaml::{Node, Span, Yaml};

/// Most bytes of one tenant's files together.
pub const TENANT_BYTES_MAX: usize = 4 * 1024 * 1024;

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
            let _ = reader.typed::<kinds::web_messaging::WebMessaging>(Kind::WebMessaging, &document);
            let (Some(name), Some(spec)) = (document.path("metadata.name"), document.get("spec")) else {
                continue;
            };
            let text = name.text().unwrap_or_default().to_owned();
            if let Some(first) = layers.get(&text) {
                let first = reader.files.locate(first.span);
                reader.finding(
                    "layers",
                    format!("there are two layers named `{text}`"),
                    name.span,
                    "/metadata/name",
                    None,
                );
                if let Some(finding) = reader.findings.last_mut() {
                    finding.related.push((first, "the first one".into()));
                }
                continue;
            }
            layers.insert(text, Arc::new(spec.clone()));
        }
    }
    let cyclic: Vec<LayerProblem> = layers
        .values()
        .filter_map(|spec| layers::stack(spec, &layers).err())
        .filter(|problem| matches!(problem, LayerProblem::Missing(..)))
        .collect();
    for problem in cyclic {
        reader.layer_problem(problem, &layers);
    }
    Bases { layers, findings: reader.findings, files: reader.files.into_shared() }
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
            format!("the tenant's files have {total} bytes together, {TENANT_BYTES_MAX} are allowed"),
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

struct Reader {
    files: Files,
    tenant: Option<TenantName>,
    findings: Vec<Finding>,
}

impl Reader {
    fn new(files: Files, tenant: Option<TenantName>) -> Self {
        Self { files, tenant, findings: Vec::new() }
    }

    fn finding(
        &mut self,
        rule: &'static str,
        message: String,
        span: Span,
        pointer: &str,
        help: Option<String>,
    ) {
        let location = self.files.locate(span);
        self.findings.push(Finding {
            rule,
            severity: Severity::Error,
            message,
            location,
            pointer: pointer.to_owned(),
            tenant: self.tenant.clone(),
            related: Vec::new(),
            help,
            fix: None,
        });
    }

    fn whole_file(&mut self, rule: &'static str, path: Arc<str>, message: String) {
        self.findings.push(Finding {
            rule,
            severity: Severity::Error,
            message,
            location: Location::file(path),
            pointer: String::new(),
            tenant: self.tenant.clone(),
            related: Vec::new(),
            help: None,
            fix: None,
        });
    }

    /// Bytes to documents.
    fn read(&mut self, input: &Input) -> Vec<Node> {
        if input.bytes.len() > yaml::FILE_BYTES_MAX {
            let message =
                format!("this file has {} bytes, {} are allowed", input.bytes.len(), yaml::FILE_BYTES_MAX);
            self.whole_file("yaml", Arc::clone(&input.path), message);
            return Vec::new();
        }
        let text: Arc<str> = match std::str::from_utf8(&input.bytes) {
            Ok(text) => Arc::from(text),
            Err(error) => {
                self.not_utf8(input, error.valid_up_to());
                return Vec::new();
            }
        };
        let file = self.files.add(Arc::clone(&input.path), Arc::clone(&text));
        let composed = yaml::compose(&text, file);
        let broken = composed.problems.iter().any(|problem| !problem.warning);
        for problem in composed.problems {
            self.finding("yaml", problem.message, problem.span, "", problem.help);
            let related = problem.related.map(|(span, text)| (self.files.locate(span), text.to_owned()));
            if let Some(finding) = self.findings.last_mut() {
                finding.related.extend(related);
                if problem.warning {
                    finding.severity = Severity::Warning;
                }
            }
        }
        if composed.documents.is_empty() && !broken {
            self.whole_file("yaml", Arc::clone(&input.path), "this file holds no document".into());
        }
        // A file whose text is in doubt is not read further: what it says is in doubt too.
        if broken { Vec::new() } else { composed.documents }
    }

    fn not_utf8(&mut self, input: &Input, valid_up_to: usize) {
        let text: Arc<str> = String::from_utf8_lossy(&input.bytes).into();
        let start = u32::try_from(valid_up_to).unwrap_or(u32::MAX);
        let file = self.files.add(Arc::clone(&input.path), text);
        self.finding(
            "yaml",
            "this file is not UTF-8 text".into(),
            Span { file, start, end: start },
            "",
            Some("save it as UTF-8".into()),
        );
    }

    /// Which kind a document is; none (with a finding) where it does not say.
    fn kind(&mut self, document: &Node) -> Option<Kind> {
        if !matches!(document.value, Yaml::Map(_)) {
            let start = Span { end: document.span.start, ..document.span };
            self.finding(
                "schema",
                "a document is a map with `apiVersion`, `kind`, `metadata` and `spec`".into(),
                start,
                "",
                None,
            );
            return None;
        }
        let names = Kind::ALL.iter().map(|kind| kind.name());
        let Some(node) = document.get("kind") else {
            let start = Span { end: document.span.start, ..document.span };
            let help = format!("add `kind:` with one of: {}", names.collect::<Vec<_>>().join(", "));
            self.finding("schema", "`kind` is missing".into(), start, "", Some(help));
            return None;
        };
        let word = node.text().unwrap_or_default();
        let kind = Kind::from_name(word);
        if kind.is_none() {
            let help = match schema::nearest(word, Kind::ALL.iter().map(|kind| kind.name())) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("kinds: {}", names.collect::<Vec<_>>().join(", ")),
            };
            self.finding(
                "schema",
                format!("there is no kind `{}`", yaml::shown(word)),
                node.span,
                "/kind",
                Some(help),
            );
        }
        kind
    }

    /// Checks a document against its schema and reads it into its type.
    fn typed<T: DeserializeOwned>(&mut self, kind: Kind, document: &Node) -> Option<T> {
        if !schema::accepts(kind, document) {
            for violation in schema::check(kind, document) {
                self.violation(document, violation);
            }
            return None;
        }
        // Keeping the path is for errors alone; what the schema accepts seldom has one.
        if let Ok(value) = T::deserialize(document) {
            return Some(value);
        }
        match serde_path_to_error::deserialize::<_, T>(document) {
            Ok(value) => Some(value),
            Err(error) => {
                let pointer = pointer_of(error.path());
                let span = document.pointer(&pointer).map_or(document.span, |node| node.span);
                self.finding("schema", error.inner().to_string(), span, &pointer, None);
                None
            }
        }
    }

    fn violation(&mut self, document: &Node, violation: Violation) {
        let Violation { pointer, key, message, help, suggestion } = violation;
        let at = document.pointer(&pointer).unwrap_or(document);
        let key_span = key.as_deref().and_then(|key| at.entry(key)).map(|(key, _)| key.span);
        let span = match (&at.value, key_span) {
            (_, Some(span)) => span,
            // Something is missing from a map: point at its start, not at the whole of it.
            (Yaml::Map(entries), None) => entries.first().map_or(at.span, |(key, _)| key.span),
            _ => at.span,
        };
        let pointer = match &key {
            Some(key) => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
            None => pointer,
        };
        let rule = topic(&pointer);
        self.finding(rule, message, span, &pointer, help);
        if let (Some(word), Some(finding)) = (suggestion, self.findings.last_mut()) {
            finding.fix = Some(Fix { title: format!("write `{word}`"), replacement: word });
        }
    }

    fn misplaced(&mut self, document: &Node, kind: Kind, where_it_belongs: &str) {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        self.finding(
            "schema",
            format!("a {} document can't stand here", kind.name()),
            span,
            "/kind",
            Some(where_it_belongs.into()),
        );
    }

    fn second(&mut self, document: &Node, kind: Kind) {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        self.finding(
            "identity",
            format!("this tenant has a second {} document", kind.name()),
            span,
            "/kind",
            Some("keep one of the two".into()),
        );
    }

    fn tenant(&mut self, document: &Node, folder: &TenantName) -> Option<Tenant> {
        let declared = document.path("metadata.name");
        if let Some(node) = declared.filter(|node| node.text().is_some_and(|text| text != folder.as_str())) {
            self.finding(
                "identity",
                format!(
                    "this tenant is named `{}` but stands in the folder `{folder}`",
                    yaml::shown(node.text().unwrap_or_default())
                ),
                node.span,
                "/metadata/name",
                Some(format!("name it `{folder}`, or move it to a folder of its own name")),
            );
        }
        self.typed::<TenantDocument>(Kind::Tenant, document).map(|document| document.lower())
    }

    fn web(&mut self, document: &Node, bases: &Bases) -> Option<Web> {
        let sound = self.typed::<kinds::web_messaging::WebMessaging>(Kind::WebMessaging, document).is_some();
        let own = document.get("spec")?;
        let stack = match layers::stack(own, &bases.layers) {
            Ok(stack) => stack,
            Err(problem) => {
                self.layer_problem(problem, &bases.layers);
                return None;
            }
        };
        let spec = layers::flatten(&stack, own);
        let below = stack.into_iter().cloned().collect();
        // Wishes of the document itself, not of a layer below it.
        let left_out: &[&str] =
            if own.get("exclusive").is_none() { &["extends", "exclusive"] } else { &["extends"] };
        // A layer that breaks its schema has its own findings; merging can't mend it.
        let desired = WebMessagingSpec::deserialize(in_place::without(&spec, left_out))
            .ok()
            .filter(|_| sound)
            .map(|spec| spec.lower());
        if desired.is_none() && sound {
            self.finding(
                "layers",
                "a layer that this document extends is not valid".into(),
                own.get("extends").map_or(own.span, |node| node.span),
                "/spec/extends",
                None,
            );
        }
        Some(Web { spec, below, desired })
    }

    fn layer_problem(&mut self, problem: LayerProblem, known: &BTreeMap<String, Arc<Node>>) {
        match problem {
            LayerProblem::Missing(span, name) => {
                let help = match schema::nearest(&name, known.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "layers under bases/: {}",
                        known.keys().cloned().collect::<Vec<_>>().join(", ")
                    ),
                };
                self.finding(
                    "layers",
                    format!("there is no layer `{}` under bases/", yaml::shown(&name)),
                    span,
                    "/spec/extends",
                    Some(help),
                );
            }
            LayerProblem::Cycle(span, path) => {
                self.finding(
                    "layers",
                    format!("layers extend each other in a circle: {}", path.join(" -> ")),
                    span,
                    "/spec/extends",
                    None,
                );
            }
            LayerProblem::TooLong(span) => {
                self.finding(
                    "layers",
                    format!("there are too many layers here: {} deep at most", layers::CHAIN_MAX),
                    span,
                    "/spec/extends",
                    None,
                );
            }
        }
    }
}

/// The rule that a schema violation belongs to: the one that speaks of the same field.
fn topic(pointer: &str) -> &'static str {
    const TOPICS: &[(&str, &str)] = &[
        ("/spec/widget/theme/colors/", "colours"),
        ("/spec/widget/theme/typography/", "typography"),
        ("/spec/greetings/messages", "greeting"),
        ("/spec/availability/rules", "availability"),
        ("/spec/availability/timeZone", "availability"),
    ];
    TOPICS.iter().find(|(prefix, _)| pointer.starts_with(prefix)).map_or("schema", |(_, rule)| rule)
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
