//! One organization: its name, its features and limits, and its objects.
//!
//! In: a description from the world file, or none. Out: the answers about the organization itself, and the
//! checks of its limits and features. Never: changes an object; `configuration`, `deployment` and `open` do.

use crate::emulator::actor::Actor;
use crate::emulator::cloud::configuration::Configuration;
use crate::emulator::cloud::deployment::Deployment;
use crate::emulator::cloud::directory::{Directory, Shelf};
use crate::emulator::cloud::error::{Detail, refusal};
use crate::emulator::cloud::ids::{Counters, Kind};
use crate::emulator::cloud::member;
use crate::emulator::cloud::open::OpenIntegration;
use crate::emulator::cloud::profile::Profiles;
use crate::emulator::cloud::profile::kind::KINDS;
use crate::emulator::cloud::{Object, Work};
use crate::emulator::error::ApiError;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One organization.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub id: String,
    pub name: String,
    /// The key of its region.
    pub region: String,
    pub state: String,
    pub features: BTreeMap<String, bool>,
    /// The dotted paths of a configuration that it cannot use.
    pub not_enabled: Vec<String>,
    /// The limits by namespace and key, if they differ from the defaults.
    pub limits: BTreeMap<String, BTreeMap<String, i64>>,
    pub configurations: Vec<Configuration>,
    pub deployments: Vec<Deployment>,
    pub open: Vec<OpenIntegration>,
    pub directory: Directory,
    pub profiles: Profiles,
}

/// The default region of an organization.
pub(crate) const USUAL_REGION: &str = "us-east-1";

/// The regions by key, with their domains.
const REGIONS: &[(&str, &str)] = &[
    ("us-east-1", "mypurecloud.com"),
    ("us-east-2", "use2.us-gov-pure.cloud"),
    ("us-west-2", "usw2.pure.cloud"),
    ("ca-central-1", "cac1.pure.cloud"),
    ("mx-central-1", "mxc1.pure.cloud"),
    ("sa-east-1", "sae1.pure.cloud"),
    ("eu-west-1", "mypurecloud.ie"),
    ("eu-west-2", "euw2.pure.cloud"),
    ("eu-central-1", "mypurecloud.de"),
    ("eu-central-2", "euc2.pure.cloud"),
    ("eusc-de-east-1", "edee1.eusc-pure.cloud"),
    ("me-central-1", "mec1.pure.cloud"),
    ("ap-south-1", "aps1.pure.cloud"),
    ("ap-northeast-1", "mypurecloud.jp"),
    ("ap-northeast-2", "apne2.pure.cloud"),
    ("ap-northeast-3", "apne3.pure.cloud"),
    ("ap-southeast-1", "apse1.pure.cloud"),
    ("ap-southeast-2", "mypurecloud.com.au"),
];

/// The default limits. The real values of the first two are unknown.
const DEFAULT_LIMITS: &[(&str, &str, i64)] = &[
    ("web.deployments", "deployments.max", 1000),
    ("web.deployments", "configuration.max", 1000),
    ("platform.api", "token.rate.per.minute", 300),
    ("platform.api", "client.credentials.token.rate.per.minute", 300),
    ("platform.api", "org.app.user.rate.per.minute", 3000),
    ("platform.api", "request.bytes.max", 512_000),
];

/// The products of an organization. The name of the web messaging product is a guess.
const PRODUCTS: &[&str] = &["engage", "messagingPlatform", "webMessaging"];

/// Renders the products. Clients of the vendor rely on `total`.
pub(crate) fn products() -> Value {
    let entities: Vec<Value> = PRODUCTS.iter().map(|id| json!({ "id": id })).collect();
    json!({"entities": entities, "pageSize": entities.len(), "pageNumber": 1, "total": entities.len(), "pageCount": 1})
}

/// Returns the domain of a region, if the region exists.
pub(crate) fn domain(region: &str) -> Option<&'static str> {
    REGIONS.iter().find(|(key, _)| *key == region).map(|(_, domain)| *domain)
}

impl Organization {
    /// Returns an organization without objects.
    pub fn empty(id: &str) -> Organization {
        Organization {
            id: id.to_owned(),
            name: id.to_owned(),
            region: USUAL_REGION.to_owned(),
            state: "active".to_owned(),
            features: BTreeMap::new(),
            not_enabled: Vec::new(),
            limits: BTreeMap::new(),
            configurations: Vec::new(),
            deployments: Vec::new(),
            open: Vec::new(),
            directory: Directory::default(),
            profiles: Profiles::default(),
        }
    }

    /// Returns an organization for which there is no description: it has one object of each kind that others
    /// refer to.
    pub fn usual(id: &str, counters: &mut Counters) -> Organization {
        let mut organization = Organization::empty(id);
        for (shelf, kind, name) in [
            (Shelf::Flows, Kind::Flow, "Inbound messages"),
            (Shelf::KnowledgeBases, Kind::KnowledgeBase, "Help center"),
        ] {
            let shown = Object::from_iter([("name".to_owned(), json!(name))]);
            organization.directory.add(shelf, counters.next(kind), shown, counters);
        }
        let work = Work::long_ago(&Actor::user("seed"));
        for kind in KINDS {
            let body = json!({"name": "Default", "isDefault": true});
            organization.seed_profile(*kind, &body.as_object().cloned().unwrap_or_default(), counters, &work);
        }
        organization
    }

    /// Returns the region's domain.
    pub fn domain(&self) -> &'static str {
        domain(&self.region).unwrap_or("mypurecloud.com")
    }

    /// Renders the organization.
    pub fn render(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "defaultLanguage": "en-us",
            "defaultCountryCode": "US",
            "thirdPartyOrgName": self.name,
            "domain": self.name.to_lowercase().replace(' ', "-"),
            "version": 1,
            "state": self.state,
            "features": self.features,
            "productPlatform": "GenesysCloud",
            "selfUri": format!("/api/v2/organizations/{}", self.id),
        })
    }

    /// Returns the current value of a limit.
    pub fn limit(&self, namespace: &str, key: &str) -> Option<i64> {
        let own = self.limits.get(namespace).and_then(|keys| keys.get(key)).copied();
        let usual = || DEFAULT_LIMITS.iter().find(|(space, name, _)| *space == namespace && *name == key);
        own.or_else(|| usual().map(|(_, _, value)| *value))
    }

    /// Lists the limits of a namespace. If `defaults` is false, the organization's own limits replace the
    /// defaults.
    pub fn limits(&self, namespace: &str, defaults: bool) -> Option<Value> {
        let usual = DEFAULT_LIMITS.iter().filter(|(space, _, _)| *space == namespace);
        let mut values: BTreeMap<&str, i64> = usual.map(|(_, key, value)| (*key, *value)).collect();
        let own = self.limits.get(namespace).filter(|_| !defaults);
        values.extend(own.into_iter().flatten().map(|(key, value)| (key.as_str(), *value)));
        let rendered =
            values.iter().map(|(key, value)| json!({"namespace": namespace, "key": key, "value": value}));
        let entities: Vec<Value> = rendered.collect();
        // The namespace exists, but its keys are unknown.
        let is_known = namespace == "web.messaging" || !entities.is_empty();
        is_known.then(|| json!({ "entities": entities }))
    }

    /// Refuses a new object if it exceeds a limit.
    pub fn room_for(&self, count: usize, key: &str) -> Result<(), ApiError> {
        let namespace = "web.deployments";
        match self.limit(namespace, key) {
            Some(max) if i64::try_from(count).unwrap_or(i64::MAX) >= max => {
                let message = format!("The limit {namespace} {key} of {max} is reached.");
                let limit = json!({"namespace": namespace, "key": key, "value": max});
                Err(refusal(400, "limit.exceeded", message).with("limit", limit))
            }
            _ => Ok(()),
        }
    }

    /// Lists the parts of a configuration that this organization cannot use.
    pub fn features_refused(&self, body: &Object) -> Vec<Detail> {
        let used = self.not_enabled.iter().filter(|path| member(body, path).is_some());
        used.map(|path| Detail::new(path, "feature is not yet implemented")).collect()
    }
}
