//! Bytes to documents to types: one finding for everything that is wrong on the way.

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

/// Reads the documents of one tenant, of the layers, or of the project, and collects what is wrong.
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

    /// Bytes to documents.
    pub(super) fn read(&mut self, input: &Input) -> Vec<Node> {
        if input.bytes.len() > yaml::FILE_BYTES_MAX {
            // Its size is not told: the source stops reading after one byte too many.
            let message = format!("this file is too large: {} bytes are allowed", yaml::FILE_BYTES_MAX);
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
            self.whole_file("yaml", Arc::clone(&input.path), "this file holds no document".into());
        }
        // Each file is within its own budget; small ones full of aliases could still fill the memory.
        self.nodes += composed.nodes;
        if self.nodes > TENANT_NODES_MAX {
            self.whole_file(
                "yaml",
                Arc::clone(&input.path),
                format!("with this file there are too many values: {TENANT_NODES_MAX} are allowed together"),
            );
            return Vec::new();
        }
        // A file whose text is in doubt is not read further: what it says is in doubt too.
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
            Some("save it as UTF-8".into()),
        );
    }

    /// Which kind a document is; none (with a finding) where it does not say.
    pub(super) fn kind(&mut self, document: &Node) -> Option<Kind> {
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
            let near = schema::nearest(word, Kind::ALL.iter().map(|kind| kind.name()));
            let help = match &near {
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

    pub(super) fn violation(&mut self, document: &Node, violation: Violation) {
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
        // A word that is no truth value is told of once, where one is asked for.
        let place = self.files.locate(span);
        self.findings.retain(|finding| {
            finding.severity > Severity::Warning || finding.rule != "yaml" || finding.location != place
        });
        let taken = suggestion.as_deref().filter(|word| key.is_some() && at.entry(word).is_some());
        let help = taken
            .map(|word| format!("did you mean `{word}`? it stands here already: keep one of the two"))
            .or(help);
        let suggestion = suggestion.clone().filter(|_| taken.is_none());
        self.finding(topic(&pointer), message, span, &pointer, help);
        // Which region, which API, whether it is written: a word there is guessed by nobody, only a field's name is.
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

    /// Gives the last finding the text that mends it.
    fn propose(&mut self, text: Option<String>) {
        if let (Some(text), Some(finding)) = (text, self.findings.last_mut()) {
            finding.fix = Some(Fix { title: format!("write `{text}`"), replacement: text });
        }
    }

    pub(super) fn misplaced(&mut self, document: &Node, kind: Kind, where_it_belongs: &str) {
        let span = document.get("kind").map_or(document.span, |node| node.span);
        self.finding(
            "schema",
            format!("a {} document can't stand here", kind.name()),
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

    /// A spec laid on the layers that it extends, and these layers, lowest first.
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

    /// Says so where a sound document can't be read: a layer that breaks its schema has its own findings, and
    /// merging can't mend it.
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
        let known = &bases.layers;
        match problem {
            LayerProblem::Missing(span, name) if bases.ambiguous.contains(&name) => {
                self.finding(
                    "layers",
                    format!("there are two layers `{}` under bases/: neither is taken", yaml::shown(&name)),
                    span,
                    "/spec/extends",
                    Some("rename one of the two".into()),
                );
            }
            LayerProblem::Missing(span, name) => {
                let broken = bases
                    .findings
                    .iter()
                    .find(|finding| finding.rule == "yaml" && finding.severity == Severity::Error);
                let help = match schema::nearest(&name, known.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if broken.is_some() => {
                        let place = broken.map(|finding| finding.location.to_string()).unwrap_or_default();
                        format!("mend {place} first: that file can't be read, and may hold it")
                    }
                    None => format!(
                        "layers under bases/: {}",
                        known.keys().take(20).map(|name| yaml::shown(name)).collect::<Vec<_>>().join(", ")
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
            LayerProblem::OtherKind(span, name, kind) => {
                self.finding(
                    "layers",
                    format!("the layer `{}` is a {}", yaml::shown(&name), kind.name()),
                    span,
                    "/spec/extends",
                    Some("a document extends layers of its own kind".into()),
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
