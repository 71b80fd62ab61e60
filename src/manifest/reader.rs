//! Reads bytes into documents and documents into types, and adds a finding for every problem.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::files::Files;
use super::kinds::Kind;
use super::kinds::tenant::TenantDocument;
use super::layers::{self, LayerProblem};
use super::schema::{self, Violation};
use super::yaml::{self, Node, Span, Yaml};
use super::{Bases, Input, TENANT_NODES_MAX};
use crate::model::{Finding, Fix, Location, ObjectKind, Severity, Tenant, TenantName};

/// Reads the documents of one tenant, of the layers, or of the project, and collects the findings.
pub(super) struct Reader {
    pub(super) files: Files,
    tenant: Option<TenantName>,
    pub(super) findings: Vec<Finding>,
    pub(super) nodes: usize,
}

impl Reader {
    pub(super) fn new(files: Files, tenant: Option<TenantName>) -> Self {
        Self { files, tenant, findings: Vec::new(), nodes: 0 }
    }

    pub(super) fn finding(
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
            waived: None,
        });
    }

    pub(super) fn whole_file(&mut self, rule: &'static str, path: Arc<str>, message: String) {
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
            waived: None,
        });
    }

    /// Reads the documents of a file.
    pub(super) fn read(&mut self, input: &Input) -> Vec<Node> {
        if input.bytes.len() > yaml::FILE_BYTES_MAX {
            // The message has no size, because the source stops reading one byte after the limit.
            let message = format!("this file has more than {} bytes", yaml::FILE_BYTES_MAX);
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
            self.propose(problem.replacement);
            let related = problem.related.map(|(span, text)| (self.files.locate(span), text.to_owned()));
            if let Some(finding) = self.findings.last_mut() {
                finding.related.extend(related);
                if problem.warning {
                    finding.severity = Severity::Warning;
                }
            }
        }
        if composed.documents.is_empty() && !broken {
            self.whole_file("yaml", Arc::clone(&input.path), "this file contains no document".into());
        }
        // Each file has its own limit, but many small files full of aliases could still fill the memory.
        self.nodes += composed.nodes;
        if self.nodes > TENANT_NODES_MAX {
            self.whole_file(
                "yaml",
                Arc::clone(&input.path),
                format!("the files up to this one together have more than {TENANT_NODES_MAX} values"),
            );
            return Vec::new();
        }
        // A file with an error in its YAML is not read further, because its values are not certain.
        if broken { Vec::new() } else { composed.documents }
    }

    pub(super) fn not_utf8(&mut self, input: &Input, valid_up_to: usize) {
        let text: Arc<str> = String::from_utf8_lossy(&input.bytes).into();
        let start = u32::try_from(valid_up_to).unwrap_or(u32::MAX);
        let file = self.files.add(Arc::clone(&input.path), text);
        self.finding(
            "yaml",
            "this file is not UTF-8 text".into(),
            Span { file, start, end: start },
            "",
            Some("save the file as UTF-8".into()),
        );
    }

    /// Returns the kind of a document. Returns none and adds a finding if the document has no valid kind.
    pub(super) fn kind(&mut self, document: &Node) -> Option<Kind> {
        if !matches!(document.value, Yaml::Map(_)) {
            let start = Span { end: document.span.start, ..document.span };
            self.finding(
                "schema",
                "a document must be a map with `apiVersion`, `kind`, `metadata` and `spec`".into(),
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
            let near = schema::nearest(word, Kind::ALL.iter().map(|kind| kind.name()));
            let help = match &near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("use one of: {}", names.collect::<Vec<_>>().join(", ")),
            };
            self.finding(
                "schema",
                format!("there is no kind `{}`", yaml::shown(word)),
                node.span,
                "/kind",
                Some(help),
            );
            self.propose(near);
        }
        kind
    }

    /// Checks a document against its schema.
    pub(super) fn sound(&mut self, kind: Kind, document: &Node) -> bool {
        if schema::accepts(kind, document) {
            return true;
        }
        for violation in schema::check(kind, document) {
            self.violation(document, violation);
        }
        false
    }

    /// Checks a document against its schema and reads it into its type.
    pub(super) fn typed<T: DeserializeOwned>(&mut self, kind: Kind, document: &Node) -> Option<T> {
        if !self.sound(kind, document) {
            return None;
        }
        // Tracking the path costs time, and a document that the schema accepts rarely fails here.
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

    pub(super) fn violation(&mut self, document: &Node, violation: Violation) {
        let Violation { pointer, key, message, help, suggestion } = violation;
        let at = document.pointer(&pointer).unwrap_or(document);
        let key_span = key.as_deref().and_then(|key| at.entry(key)).map(|(key, _)| key.span);
        let span = match (&at.value, key_span) {
            (_, Some(span)) => span,
            // A field is missing from a map: point at the start of the map, not at all of it.
            (Yaml::Map(entries), None) => entries.first().map_or(at.span, |(key, _)| key.span),
            _ => at.span,
        };
        let pointer = match &key {
            Some(key) => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
            None => pointer,
        };
        // Report a value that is not a truth value once: this finding replaces the YAML warning for it.
        let place = self.files.locate(span);
        self.findings.retain(|finding| {
            finding.severity > Severity::Warning || finding.rule != "yaml" || finding.location != place
        });
        let taken = suggestion.as_deref().filter(|word| key.is_some() && at.entry(word).is_some());
        let help = taken
            .map(|word| format!("did you mean `{word}`? it is already here: keep one of the two"))
            .or(help);
        let suggestion = suggestion.clone().filter(|_| taken.is_none());
        self.finding(topic(&pointer), message, span, &pointer, help);
        // In a Tenant or a Project, genesync proposes only names of fields, never values such as a region or
        // an API.
        let is_object = document
            .get("kind")
            .and_then(Node::text)
            .is_some_and(|kind| ObjectKind::from_name(kind).is_some());
        match suggestion {
            Some(text) if !is_object && key.is_none() => {
                if let Some(finding) = self.findings.last_mut().filter(|finding| finding.help.is_none()) {
                    finding.help = Some(format!("write `{text}`"));
                }
            }
            suggestion => self.propose(suggestion),
        }
    }

    /// Sets the fix of the last finding.
    fn propose(&mut self, text: Option<String>) {
        if let (Some(text), Some(finding)) = (text, self.findings.last_mut()) {
            finding.fix = Some(Fix { title: format!("write `{text}`"), replacement: text });
        }
    }

    pub(super) fn misplaced(&mut self, document: &Node, kind: Kind, where_it_belongs: &str) {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        self.finding(
            "schema",
            format!("a {} document is not allowed here", kind.name()),
            span,
            "/kind",
            Some(where_it_belongs.into()),
        );
    }

    pub(super) fn second(&mut self, document: &Node, kind: Kind) {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        self.finding(
            "identity",
            format!("this tenant has a second {} document", kind.name()),
            span,
            "/kind",
            Some("keep one of the two".into()),
        );
    }

    pub(super) fn tenant(&mut self, document: &Node, folder: &TenantName) -> Option<Tenant> {
        let declared = document.path("metadata.name");
        if let Some(node) = declared.filter(|node| node.text().is_some_and(|text| text != folder.as_str())) {
            self.finding(
                "identity",
                format!(
                    "this tenant is named `{}` but is in the folder `{folder}`",
                    yaml::shown(node.text().unwrap_or_default())
                ),
                node.span,
                "/metadata/name",
                Some(format!("rename it to `{folder}`, or move it to a folder with its name")),
            );
        }
        self.typed::<TenantDocument>(Kind::Tenant, document).map(|document| document.lower())
    }

    /// Returns a spec merged with the layers that it extends, and these layers, lowest first.
    pub(super) fn merged(
        &mut self,
        kind: ObjectKind,
        own: &Node,
        bases: &Bases,
    ) -> Option<(Node, Vec<Arc<Node>>)> {
        match layers::stack(kind, own, bases) {
            Ok(stack) => Some((layers::flatten(&stack, own), stack.into_iter().cloned().collect())),
            Err(problem) => {
                self.layer_problem(problem, bases);
                None
            }
        }
    }

    /// Adds a finding if a valid document cannot be read because a layer breaks its schema. The layer has its
    /// own findings.
    pub(super) fn sound_below(&mut self, own: &Node, sound: bool, is_read: bool) {
        if sound && !is_read {
            self.finding(
                "layers",
                "a layer that this document extends is not valid".into(),
                own.get("extends").map_or(own.span, |node| node.span),
                "/spec/extends",
                None,
            );
        }
    }

    pub(super) fn layer_problem(&mut self, problem: LayerProblem, bases: &Bases) {
        match problem {
            LayerProblem::Missing(span, name) if bases.ambiguous.contains(&name) => {
                self.finding(
                    "layers",
                    format!(
                        "there are two layers `{}` under bases/, so genesync uses neither",
                        yaml::shown(&name)
                    ),
                    span,
                    "/spec/extends",
                    Some("rename one of the two".into()),
                );
            }
            LayerProblem::Missing(span, name) => {
                self.finding(
                    "layers",
                    format!("there is no layer `{}` under bases/", yaml::shown(&name)),
                    span,
                    "/spec/extends",
                    Some(missing_layer_help(&name, bases)),
                );
            }
            LayerProblem::OtherKind(span, name, kind) => {
                self.finding(
                    "layers",
                    format!("the layer `{}` is a {}", yaml::shown(&name), kind.name()),
                    span,
                    "/spec/extends",
                    Some("extend only layers of the same kind as the document".into()),
                );
            }
            LayerProblem::Cycle(span, path) => {
                self.finding(
                    "layers",
                    format!(
                        "layers extend each other in a circle: {}",
                        path.iter().map(|name| yaml::shown(name)).collect::<Vec<_>>().join(" -> ")
                    ),
                    span,
                    "/spec/extends",
                    None,
                );
            }
            LayerProblem::TooLong(span) => {
                self.finding(
                    "layers",
                    format!("at most {} levels of layers are allowed", layers::CHAIN_MAX),
                    span,
                    "/spec/extends",
                    None,
                );
            }
        }
    }
}

/// Returns what to do about a layer that does not exist.
fn missing_layer_help(name: &str, bases: &Bases) -> String {
    let known = || bases.layers.keys().map(String::as_str);
    let is_broken = |finding: &&Finding| finding.rule == "yaml" && finding.severity == Severity::Error;
    if let Some(near) = schema::nearest(name, known()) {
        return format!("did you mean `{near}`?");
    }
    if let Some(broken) = bases.findings.iter().find(is_broken) {
        return format!("fix {} first: that file cannot be read and may contain the layer", broken.location);
    }
    if bases.layers.is_empty() {
        return "add the layer under bases/, or remove it from `extends`".into();
    }
    format!(
        "use one of the layers under bases/: {}",
        known().take(20).map(yaml::shown).collect::<Vec<_>>().join(", ")
    )
}

/// Returns the rule that a schema violation belongs to: the rule about the same field.
fn topic(pointer: &str) -> &'static str {
    const TOPICS: &[(&str, &str)] = &[
        ("/spec/widget/theme/colors/", "colours"),
        ("/spec/widget/theme/typography/", "typography"),
        ("/spec/greetings/messages", "greeting"),
        ("/spec/availability/rules", "availability"),
        ("/spec/availability/timeZone", "availability"),
        ("/spec/messenger/styles/", "colours"),
        ("/spec/supportCenter/styleSetting/globalStyle/fontFamily", "typography"),
        ("/spec/supportCenter/styleSetting/", "colours"),
        ("/spec/languages", "languages"),
        ("/spec/defaultLanguage", "languages"),
        ("/spec/customI18nLabels", "labels"),
        ("/spec/allowedDomains", "domains"),
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
