//! Secrets have no place in a repository; a finding says where one stands and never shows it.

use crate::manifest::yaml::{Node, Yaml};
use crate::model::Severity;
use crate::model::secret::resembles_secret;
use crate::validate::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "secrets",
    summary: "No value looks like a password, a token or a private key",
    severity: Severity::Error,
    tunable: false,
    check,
};

/// Keys whose value would be a secret, whatever it looks like.
const TELLING_KEYS: &[&str] =
    &["clientsecret", "secret", "password", "passwd", "token", "accesstoken", "apikey", "privatekey"];

fn check(context: &mut Context<'_>) {
    for document in &context.manifest.documents {
        walk(context, document, &mut Vec::new(), false);
    }
}

/// A step from a map or a list to one of its values.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn walk<'a>(context: &mut Context<'_>, node: &'a Node, path: &mut Vec<Step<'a>>, telling: bool) {
    match &node.value {
        Yaml::Text(text) if !text.is_empty() && (telling || resembles_secret(text)) => {
            context
                .find(node.span, pointer(path), "this looks like a secret")
                .help("name credentials under `credentials:` and keep the secret in the operator's settings; if this one is real, revoke it: it is in the history now");
        }
        Yaml::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(context, item, path, telling);
                path.pop();
            }
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                path.push(Step::Key(&key.text));
                walk(context, value, path, is_telling(&key.text));
                path.pop();
            }
        }
        _ => {}
    }
}

/// Whether a key is one of [`TELLING_KEYS`], however it is spelled.
fn is_telling(key: &str) -> bool {
    let bare = || key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    TELLING_KEYS.iter().any(|telling| bare().eq(telling.chars()))
}

/// The JSON pointer of a path. Built for a finding alone: every value of every file is walked.
fn pointer(path: &[Step<'_>]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("/{index}"),
        })
        .collect()
}
