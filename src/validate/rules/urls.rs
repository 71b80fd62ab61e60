//! Where pictures come from and where messages go: over TLS, to a host that is named.

use url::Url;

use crate::manifest::yaml::shown;
use crate::model::Severity;
use crate::validate::{Context, Rule, text};

/// The rule.
pub const RULE: Rule = Rule {
    id: "urls",
    summary: "URLs are absolute and use https, and a webhook is on port 443",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The URL that the platform sends to, on port 443 alone.
const WEBHOOK: &str = "/spec/outboundNotificationWebhookUrl";

fn check(context: &mut Context<'_>) {
    let manifest = context.manifest;
    for resource in manifest.resources.iter().filter(|resource| !resource.object.is_implied()) {
        text::each(&resource.spec, "/spec", &mut |node, value, pointer| {
            // Every field of the platform that holds a URL is called so; a header has any name.
            let is_url = pointer.ends_with("Url") || pointer.ends_with("/url");
            if !is_url || pointer.starts_with("/spec/webhookHeaders/") {
                return;
            }
            // A browser takes `https:host` for one, too; what the platform makes of it is not known.
            let Some(url) =
                Url::parse(value).ok().filter(|url| value.starts_with(&format!("{}://", url.scheme())))
            else {
                let message = format!("`{}` is not a URL", shown(value));
                context.find(node.span, pointer, message).help("write all of it: https://host/path");
                return;
            };
            if url.scheme() != "https" {
                let finding =
                    context.find(node.span, pointer, format!("this URL uses {}", shown(url.scheme())));
                finding.help(
                    "use https: visitors' browsers refuse the rest, and anybody could change it on its way",
                );
                // On a port of its own, it is another server's word whether it speaks https.
                if let Some(rest) = value.strip_prefix("http://").filter(|rest| !has_port(rest)) {
                    finding.fix("use https", serde_json::Value::from(format!("https://{rest}")).to_string());
                }
            }
            if !url.username().is_empty() || url.password().is_some() {
                context
                    .find(node.span, pointer, "this URL names a user")
                    .help("take the user out: everybody reads it");
            }
            if let Some(port) = url.port().filter(|_| pointer == WEBHOOK) {
                let message = format!("this webhook is on port {port}, the platform sends to 443 alone");
                context.find(node.span, pointer, message).help("leave the port out");
            }
        });
    }
}

/// Whether a URL without its scheme names a port, be it the usual one.
fn has_port(rest: &str) -> bool {
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains(':'))
}
