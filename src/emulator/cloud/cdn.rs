//! The delivery network, from which browsers fetch files without a token.
//!
//! In: a written deployment, and requests for its two files. Out: the files, after a delay. Never: serves a
//! deployment that was not Active yet, or answers differently for an unknown and a forbidden one.

use crate::emulator::cloud::configuration::Revision;
use crate::emulator::cloud::deployment::Placement;
use crate::emulator::cloud::organization::Organization;
use crate::emulator::cloud::{Cloud, Object};
use crate::emulator::message::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The two files of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub config: Object,
    pub domains: Value,
}

/// The parts of a configuration that the file contains unchanged.
const COPIED: &[&str] = &[
    "languages",
    "defaultLanguage",
    "customI18nLabels",
    "headlessMode",
    "messenger",
    "position",
    "supportCenter",
    "cobrowse",
    "journeyEvents",
    "video",
];

impl Organization {
    /// Returns the files of a deployment.
    pub fn edge(&self, id: &str, state: &Placement) -> Edge {
        let domain = self.domain();
        let version = self.pinned(state).map(|(_, version)| version);
        let mut config = Object::new();
        config.insert("id".to_owned(), json!(id));
        config.insert("version".to_owned(), json!(version.map(|version| version.label())));
        config.insert("apiEndpoint".to_owned(), json!(format!("https://api.{domain}")));
        if let Some(version) = version {
            copy(version, &mut config);
        }
        let conversations =
            config.get_mut("messenger").and_then(|messenger| messenger.pointer_mut("/apps/conversations"));
        if let Some(Value::Object(conversations)) = conversations {
            let endpoint = format!("wss://webmessaging.{domain}");
            conversations.insert("messagingEndpoint".to_owned(), Value::String(endpoint));
        }
        let status = state.status.forced.as_deref().unwrap_or("Active");
        config.insert("status".to_owned(), json!(status));
        let domains = json!({
            "allowAllDomains": state.body.get("allowAllDomains").unwrap_or(&Value::Bool(false)),
            "allowedDomains": state.body.get("allowedDomains").cloned().unwrap_or_else(|| json!([])),
        });
        Edge { config, domains }
    }
}

fn copy(version: &Arc<Revision>, config: &mut Object) {
    for name in COPIED {
        if let Some(value) = version.body.get(*name) {
            config.insert((*name).to_owned(), value.clone());
        }
    }
    let auth = version.body.get("authenticationSettings");
    let switch = |name: &str| auth.and_then(|auth| auth.get(name)).and_then(Value::as_bool).unwrap_or(false);
    let auth = json!({"enabled": switch("enabled"), "allowSessionUpgrade": switch("allowSessionUpgrade")});
    config.insert("auth".to_owned(), auth);
}

impl Cloud {
    /// Answers the request of a browser.
    pub fn serve_edge(&self, id: &str, domains: bool, now: Timestamp, stale: bool) -> Response {
        let organization = self.homes.get(id).and_then(|home| self.organizations.get(home));
        let mut deployments = organization.into_iter().flat_map(|known| &known.deployments);
        let edge = deployments.find(|known| known.id == id).and_then(|known| known.edge.seen(now, stale));
        let response = match edge {
            Some(edge) if domains => Response::json(200, &edge.domains),
            Some(edge) => Response::json(200, &edge.config),
            None => {
                let page: &[u8] =
                    b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
                let headers = vec![("content-type", "application/xml".to_owned())];
                Response { status: 403, headers, body: Arc::from(page) }
            }
        };
        response.with_header("access-control-allow-origin", "*")
    }
}
