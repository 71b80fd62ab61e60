//! Checks the URLs of pictures and webhooks: absolute, over https, without a user.

use url::Url;

use crate::manifest::yaml::shown;
use crate::model::Severity;
use crate::validate::{Context, Rule, text};

/// The rule.
pub const RULE: Rule = Rule {
    id: "urls",
    summary: "URLs are absolute and use https, and a webhook uses port 443",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The URL that the platform sends messages to, only on port 443.
const WEBHOOK: &str = "/spec/outboundNotificationWebhookUrl";

fn check(context: &mut Context<'_>) {
    let manifest = context.manifest;
    for resource in manifest.resources.iter().filter(|resource| !resource.object.is_implied()) {
        text::each(&resource.spec, "/spec", &mut |node, value, pointer| {
            // Every URL field of the platform has such a name; a header can have any name.
            let is_url = pointer.ends_with("Url") || pointer.ends_with("/url");
            if !is_url || pointer.starts_with("/spec/webhookHeaders/") {
                return;
            }
            // A browser also accepts `https:host`; it is not known if the platform does.
            let Some(url) =
                Url::parse(value).ok().filter(|url| value.starts_with(&format!("{}://", url.scheme())))
            else {
                let message = format!("`{}` is not a URL", shown(value));
                context.find(node.span, pointer, message).help("write the whole URL: https://host/path");
                return;
            };
            if url.scheme() != "https" {
                let finding = context.find(
                    node.span,
                    pointer,
                    format!("this URL uses {} instead of https", shown(url.scheme())),
                );
                finding.help(
                    "use https: browsers refuse pictures over http, and an attacker could change the data on the way",
                );
                // No fix for a URL with a port: it is not known if that port serves https.
                if let Some(rest) = value.strip_prefix("http://").filter(|rest| !has_port(rest)) {
                    finding.fix("use https", serde_json::Value::from(format!("https://{rest}")).to_string());
                }
            }
            if !url.username().is_empty() || url.password().is_some() {
                context
                    .find(node.span, pointer, "this URL contains a user")
                    .help("remove the user: other people can read this URL");
            }
            if let Some(port) = url.port().filter(|_| pointer == WEBHOOK) {
                let message =
                    format!("this webhook uses port {port}, but the platform sends only to port 443");
                context.find(node.span, pointer, message).help("remove the port");
            }
        });
    }
}

/// Whether a URL without its scheme names a port, also the default port.
fn has_port(rest: &str) -> bool {
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains(':'))
}
