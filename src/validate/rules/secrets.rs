//! Reports secrets in a repository. A finding names the place of a secret and never shows its value.

use crate::manifest::yaml::{Node, Span, Yaml};
use crate::model::Severity;
use crate::model::secret::{is_telling, resembles_secret};
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "secrets",
    summary: "No value looks like a password, a token or a private key",
    severity: Severity::Error,
    tunable: false,
    check,
};

/// The message of a finding. It never contains the value.
pub const MESSAGE: &str = "this looks like a secret";
/// The help of a finding.
pub const HELP: &str = "keep the secret in the operator's settings, name it under `credentials:`, and revoke it if it is real, because the git history keeps it";

fn check(context: &mut Context<'_>) {
    let mut found: Vec<(Span, String)> =
        context.manifest.documents.iter().flat_map(|document| places(document, "")).collect();
    // A secret in a layer is reported for every tenant that extends the layer.
    let below = context.manifest.managed().flat_map(|managed| managed.below);
    found.extend(below.flat_map(|layer| places(layer, "/spec")));
    for (span, pointer) in found {
        context.find(span, pointer, MESSAGE).help(HELP);
    }
}

/// Returns the places of secrets in a document. `pointer` is the JSON pointer of its root.
pub fn places(document: &Node, pointer: &str) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    walk(&mut found, document, pointer, &mut Vec::new(), false);
    found
}

/// A step from a map or a list to one of its values.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn walk<'a>(
    found: &mut Vec<(Span, String)>,
    node: &'a Node,
    root: &str,
    path: &mut Vec<Step<'a>>,
    telling: bool,
) {
    match &node.value {
        Yaml::Text(text) | Yaml::Number(text) if !text.is_empty() && (telling || resembles_secret(text)) => {
            found.push((node.span, format!("{root}{}", pointer(path))));
        }
        Yaml::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(found, item, root, path, telling);
                path.pop();
            }
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                path.push(Step::Key(&key.text));
                walk(found, value, root, path, telling || is_telling(&key.text));
                path.pop();
            }
        }
        _ => {}
    }
}

/// Returns the JSON pointer of a path. It is built only for a finding, because the walk visits every value.
fn pointer(path: &[Step<'_>]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("/{index}"),
        })
        .collect()
}
