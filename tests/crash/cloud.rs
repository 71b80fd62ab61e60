//! The world of the `cloud` dialect: one organization with numbered pairs, each a configuration and the
//! deployment that pins one of its versions. The judge checks what visitors get.

use std::collections::{BTreeMap, BTreeSet};

use genesync::emulator::{World, seed_from_json};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::profiles::DEFAULTS;
use crate::support::{CLIENT_ID, SECRET, organization};

/// The tenant's one organization.
pub const ORGANIZATION: u32 = 1;
/// The tenant.
pub const TENANT: &str = "acme";

/// Every organization is empty except for a flow. A write settles a moment later.
pub fn world() -> World {
    let id = organization(ORGANIZATION);
    let seed = json!({
        "clients": [{"id": CLIENT_ID, "secret": SECRET, "name": "genesync", "cloud": {"organization": id}}],
        "organizations": [
            {"id": id, "cloud": {"name": "Acme", "region": "eu-west-1", "flows": [{"name": "Inbound"}]}},
        ],
        "settings": {"activeDelayMs": 5, "auditDelayMs": 20, "cdnDelayMs": 0},
    });
    World::new(&seed_from_json(seed.to_string().as_bytes()).unwrap())
}

fn configuration(pair: u32) -> String {
    format!("Website {pair}")
}

fn deployment(pair: u32) -> String {
    format!("Shop {pair}")
}

/// Returns what git says of one pair; its changing number is a colour.
pub fn files(pair: u32, delay: u32) -> Vec<(String, String)> {
    let head = |kind: &str, name: &str| {
        format!("apiVersion: genesync/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n")
    };
    let tenant = format!(
        "{}  api: cloud\n  organizationId: {}\n  region: eu-west-1\n  credentials: main\n  sync: {{mode: enforce}}\n",
        head("Tenant", TENANT),
        organization(ORGANIZATION)
    );
    let messenger = format!(
        "{}  name: {}\n  languages: [en-us]\n  defaultLanguage: en-us\n  messenger: {{enabled: true, styles: {{primaryColor: \"{}\"}}}}\n",
        head("MessengerConfiguration", &format!("web-{pair}")),
        configuration(pair),
        colour(delay)
    );
    let shop = format!(
        "{}  name: {}\n  configuration: {{name: {}}}\n  flow: {{name: Inbound}}\n  allowAllDomains: true\n",
        head("MessengerDeployment", &format!("shop-{pair}")),
        deployment(pair),
        configuration(pair)
    );
    vec![
        (format!("tenants/{TENANT}/tenant.yaml"), tenant),
        (format!("tenants/{TENANT}/web-{pair}.yaml"), messenger),
        (format!("tenants/{TENANT}/shop-{pair}.yaml"), shop),
    ]
}

fn colour(delay: u32) -> String {
    format!("#{delay:06}")
}

/// Returns Mara's edit of an unmanaged field: written, published and pinned at once, as one version.
pub fn decoration(pair: u32, banner: u64) -> Value {
    let text = format!("Sale {banner}");
    json!({
        "organizationId": organization(ORGANIZATION),
        "actor": "Mara Ionescu",
        "draft": {"configuration": configuration(pair), "patch": {"description": text}},
        "publish": {"configuration": configuration(pair)},
        "deployment": {"deployment": deployment(pair), "version": "newest", "patch": {"description": text}},
    })
}

/// What the organization holds, with its audit trail.
pub struct State(pub Value);

impl State {
    pub fn of(world: &World) -> Self {
        Self(world.cloud_state(&organization(ORGANIZATION), Timestamp::now()).unwrap_or_default())
    }

    /// Returns all objects of a list with this name: there should be one.
    pub fn named(&self, list: &str, name: &str) -> Vec<&Value> {
        self.0[list].as_array().into_iter().flatten().filter(|object| object["name"] == name).collect()
    }

    pub fn records(&self) -> impl Iterator<Item = &Value> {
        self.0["audit"].as_array().into_iter().flatten()
    }

    /// Returns the version that a pair's visitors get.
    fn served(&self, pair: u32) -> Option<&Value> {
        let shop = *self.named("deployments", &deployment(pair)).first()?;
        let web = *self.named("configurations", &configuration(pair)).first()?;
        let pin = &shop["configuration"];
        let mut versions = web["versions"].as_array()?.iter();
        versions.find(|version| pin["id"] == web["id"] && version["version"] == pin["version"])
    }

    /// Returns the number that a pair's visitors get.
    pub fn delay(&self, pair: u32) -> Option<u64> {
        self.served(pair)?["messenger"]["styles"]["primaryColor"].as_str()?.strip_prefix('#')?.parse().ok()
    }

    /// Returns the violations of a pair that should have this many published versions.
    pub fn violations(&self, pair: u32, versions: u64) -> Vec<String> {
        let webs = self.named("configurations", &configuration(pair));
        let shops = self.named("deployments", &deployment(pair));
        let ([web], [shop]) = (webs.as_slice(), shops.as_slice()) else {
            return vec![format!(
                "pair {pair} is {} configurations and {} deployments",
                webs.len(),
                shops.len()
            )];
        };
        let mut wrong = Vec::new();
        let published = web["versions"].as_array().unwrap();
        if published.len() as u64 != versions {
            wrong.push(format!("pair {pair} has {} versions, not {versions}", published.len()));
        }
        if shop["configuration"]["version"].as_str() != Some(&*versions.to_string()) {
            wrong.push(format!("pair {pair} pins {}, not version {versions}", shop["configuration"]));
        }
        let bodies = [&web["draft"], published.last().unwrap_or(&Value::Null)];
        let [draft, newest] = bodies.map(|body| (&body["messenger"], &body["description"]));
        if draft != newest {
            wrong.push(format!("the draft of pair {pair} is not what was published: {web}"));
        }
        // Each version of ours was stored once, published once and pinned once.
        let ours = published.iter().filter(|version| version["publishedUser"].is_null()).count();
        for (what, object, entity) in [
            ("stored", web, "Configuration"),
            ("published", web, "ConfigurationVersion"),
            ("pinned", shop, "Deployment"),
        ] {
            let made = self
                .ours()
                .filter(|record| record["entityType"] == entity && record["entity"]["id"] == object["id"]);
            let made = made.count();
            if made != ours {
                wrong.push(format!("of {ours} versions of ours of pair {pair}, {made} were {what}"));
            }
        }
        wrong
    }

    /// Returns whether visitors still get Mara's unmanaged values.
    pub fn is_decorated(&self, pair: u32, banner: u64) -> bool {
        let text = format!("Sale {banner}");
        let shops = self.named("deployments", &deployment(pair));
        self.served(pair).is_some_and(|served| served["description"] == text)
            && shops.iter().all(|shop| shop["description"] == text)
    }

    fn ours(&self) -> impl Iterator<Item = &Value> {
        self.records().filter(|record| record["client"]["id"] == CLIENT_ID)
    }

    /// Returns each of our writes that visitors can see, by object and version, with the id of its audit
    /// record.
    pub fn made(&self) -> Vec<((String, String), String)> {
        let mut published: BTreeMap<&str, u64> = BTreeMap::new();
        let mut made = Vec::new();
        for record in self.records() {
            let entity = record["entity"]["id"].as_str().unwrap();
            let (kind, version) = match record["entityType"].as_str().unwrap() {
                // Versions are counted by their publications, by any publisher.
                "ConfigurationVersion" => {
                    let count = published.entry(entity).or_default();
                    *count += 1;
                    ("MessengerConfiguration", count.to_string())
                }
                kind @ ("Deployment" | "SupportedContent" | "MessagingSetting") => {
                    let kind = if kind == "Deployment" { "MessengerDeployment" } else { kind };
                    let at: Timestamp = record["eventDate"].as_str().unwrap().parse().unwrap();
                    (kind, at.as_millisecond().to_string())
                }
                _ => continue,
            };
            if record["client"]["id"] == CLIENT_ID {
                let name = record["entity"]["name"].as_str().unwrap();
                let object = format!("{}/{kind}/{name}", organization(ORGANIZATION));
                made.push(((object, version), record["id"].as_str().unwrap().to_owned()));
            }
        }
        made
    }

    /// Returns the violations of confirmations. Each must name an audit record of ours for its object, and no
    /// two the same record.
    pub fn misproved(&self, confirmations: &[Vec<String>]) -> Vec<String> {
        let mut known: BTreeMap<String, String> =
            self.made().into_iter().map(|((object, _), record)| (record, object)).collect();
        let defaults = self.ours().filter(|record| record["entityType"] == "MessagingDefaults");
        let key = format!("{}{DEFAULTS}", organization(ORGANIZATION));
        known.extend(defaults.map(|record| (record["id"].as_str().unwrap().to_owned(), key.clone())));
        let mut used = BTreeSet::new();
        let proves = |row: &&Vec<String>| known.get(&row[2]) == Some(&row[0]) && used.insert(row[2].clone());
        let proved: Vec<&Vec<String>> = confirmations.iter().filter(proves).collect();
        let wrong = confirmations.iter().filter(|row| !proved.contains(row));
        wrong.map(|row| format!("confirmations: {row:?} is proved by nothing of its own")).collect()
    }
}
