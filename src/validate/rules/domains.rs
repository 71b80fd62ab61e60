//! Checks the domains of a deployment: host names, and either some or all of them.

use std::collections::BTreeMap;

use crate::manifest::yaml::{Node, shown};
use crate::model::{ObjectKind, Severity};
use crate::validate::{Context, Rule, is_nothing};

/// The rule.
pub const RULE: Rule = Rule {
    id: "domains",
    summary: "Allowed domains are host names in lower case, each once, and the list is empty if all are allowed",
    severity: Severity::Error,
    tunable: true,
    check,
};

/// The longest host name and its longest label (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

fn check(context: &mut Context<'_>) {
    for resource in context.resources(ObjectKind::MessengerDeployment) {
        let spec = &resource.spec;
        let domains = spec.get("allowedDomains");
        let mut seen: BTreeMap<String, &Node> = BTreeMap::new();
        for (index, node) in domains.map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(text) = node.text() else { continue };
            let pointer = format!("/spec/allowedDomains/{index}");
            let host = host_of(text);
            if let Some(first) = seen.get(&host) {
                let first = context.manifest.files.locate(first.span);
                let message = format!("the domain `{}` is named twice", shown(&host));
                let finding = context.find(node.span, pointer, message);
                finding.related.push((first, "it is named here first".into()));
                finding.help("remove one");
            } else if let Some((problem, help)) = problem(text) {
                let finding = context.find(node.span, pointer, format!("this domain {problem}"));
                finding.help(help);
                if host != text && is_host(&host) {
                    finding
                        .fix(format!("write `{host}`"), serde_json::Value::from(host.as_str()).to_string());
                }
            }
            seen.entry(host).or_insert(node);
        }
        check_all(context, spec, domains);
    }
}

fn check_all(context: &mut Context<'_>, spec: &Node, domains: Option<&Node>) {
    let Some(all) = spec.get("allowAllDomains") else { return };
    let pointer = "/spec/allowAllDomains";
    match (all.bool(), domains) {
        (Some(true), Some(domains)) if !is_nothing(domains) => {
            context
                .find(
                    domains.span,
                    "/spec/allowedDomains",
                    "all domains are allowed, so this list must be empty",
                )
                .help("write `allowAllDomains: false`, or empty the list");
        }
        (Some(false), Some(domains)) if is_nothing(domains) => {
            context
                .find(
                    domains.span,
                    "/spec/allowedDomains",
                    "no domain is allowed, so the messenger would work nowhere",
                )
                .help("name the hosts of the web sites, or set `status: Inactive` to switch it off");
        }
        (Some(false), None) => {
            context
                .find(all.span, pointer, "only some domains are allowed, but `allowedDomains` is not managed")
                .help("add `allowedDomains`")
                .weigh(Severity::Warning);
        }
        _ => {}
    }
}

/// Returns the host of a URL or a pattern, in lower case.
fn host_of(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let rest = rest.split(':').next().unwrap_or_default();
    rest.trim_start_matches("*.").trim_matches('.').to_lowercase()
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(label)
}

/// Returns what is wrong with a domain, and what to do.
fn problem(text: &str) -> Option<(&'static str, &'static str)> {
    let host_alone = "write the host alone, such as www.example.com";
    if text.contains("://") {
        Some(("must not have a scheme", host_alone))
    } else if text.contains('*') {
        Some(("must not have a wildcard", "write the domain, which includes its subdomains"))
    } else if text.contains(['/', '?', '#']) {
        Some(("must not have a path", host_alone))
    } else if text.contains([':', '@']) {
        Some(("must not have a port or a user", host_alone))
    } else if !text.is_ascii() {
        Some(("must be ASCII", "write its DNS form, which begins with `xn--`"))
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some(("must be in lower case", "write it in lower case, as browsers send it"))
    } else if !is_host(text) {
        Some(("must be a host name of letters, digits and dashes between dots", host_alone))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_names_pass_and_a_url_is_reduced_to_its_host() {
        for good in ["example.com", "localhost", "a-1.xn--bcher-kva.example", "192.0.2.1"] {
            assert_eq!((problem(good), host_of(good).as_str()), (None, good));
        }
        for (bad, host) in [
            ("https://Shop.Example.com:8443/a?b#c", "shop.example.com"),
            ("*.example.com", "example.com"),
            ("example.com/", "example.com"),
            ("example.com:443", "example.com"),
            ("Example.com", "example.com"),
            ("example.com.", "example.com"),
            ("a..b", "a..b"),
            ("-a.b", "-a.b"),
            ("bücher.example", "bücher.example"),
            ("://", ""),
            ("*", "*"),
        ] {
            assert!(problem(bad).is_some(), "{bad}");
            assert_eq!(host_of(bad), host, "{bad}");
        }
    }
}
