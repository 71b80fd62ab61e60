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
        walk(context, document, &mut String::new(), false);
    }
}

fn walk(context: &mut Context<'_>, node: &Node, pointer: &mut String, telling: bool) {
    let length = pointer.len();
    match &node.value {
        Yaml::Text(text) if !text.is_empty() && (telling || resembles_secret(text)) => {
            context
                .find(node.span, pointer.clone(), "this looks like a secret")
                .help("name credentials under `credentials:` and keep the secret in the operator's settings; if this one is real, revoke it: it is in the history now");
        }
        Yaml::List(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                walk(context, item, pointer, telling);
                pointer.truncate(length);
            }
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                let bare: String =
                    key.text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
                pointer.push('/');
                pointer.push_str(&key.text.replace('~', "~0").replace('/', "~1"));
                walk(context, value, pointer, TELLING_KEYS.contains(&bare.as_str()));
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}
