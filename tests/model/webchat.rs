//! The `webchat` part of the model: organizations whose server counts versions, their audit log, and what our
//! journal must contain for each version.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesync::model::{
    Actor, ActorKind, CredentialsName, Desired, Entry, Object, Observed, OrganizationId, Receipt, Region,
    Stored, Target,
};
use serde_json::{Map, Value, json};

use crate::world::now;

/// The author of a version, and how it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Maker {
    Person,
    Put,
    Job,
}

/// One organization's configuration and the author of each version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Organization {
    pub body: Map<String, Value>,
    pub versions: Vec<Maker>,
}

pub fn target(number: usize) -> Target {
    Target {
        organization: OrganizationId::new(format!("org-{number}")),
        region: [Region::EuWest1, Region::UsEast1][number],
        credentials: CredentialsName::new("c"),
        object: Object::implied(),
    }
}

pub fn index(target: &Target) -> usize {
    usize::from(target.organization.as_str().ends_with('1'))
}

pub fn desired(commit: u64) -> Desired {
    let body = json!({"greetings": {"delayMs": commit}});
    Desired {
        body: Arc::new(body.as_object().cloned().unwrap_or_default()),
        exclusive: false,
        ignored: BTreeSet::new(),
    }
}

/// Returns the commit whose value a configuration holds.
pub fn content(body: &Map<String, Value>) -> u64 {
    body.get("greetings").and_then(|greetings| greetings["delayMs"].as_u64()).unwrap_or(0)
}

pub fn us() -> Actor {
    Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client }
}

pub fn person() -> Actor {
    Actor { id: "mara".into(), name: "Mara".into(), kind: ActorKind::User }
}

impl Maker {
    pub fn actor(self) -> Actor {
        match self {
            Maker::Person => person(),
            Maker::Put | Maker::Job => us(),
        }
    }

    fn action(self, version: usize) -> &'static str {
        match (self, version) {
            (Maker::Job, _) => "webchat:configuration:replicate",
            (_, 1) => "webchat:configuration:create",
            (_, _) => "webchat:configuration:update",
        }
    }
}

impl Organization {
    pub fn version(&self) -> u64 {
        self.versions.len() as u64
    }

    pub fn observed(&self) -> Observed {
        match self.versions.last() {
            None => Observed::Absent,
            Some(maker) => Observed::Present(Stored {
                version: self.version(),
                body: Arc::new(self.body.clone()),
                modified_at: None,
                modified_by: Some(maker.actor()),
                instance: None,
            }),
        }
    }
}

/// Returns the audit log of a world without time: it is complete at once.
pub fn entries(organizations: &[Organization]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (number, organization) in organizations.iter().enumerate() {
        for (index, maker) in organization.versions.iter().enumerate() {
            entries.push(Entry {
                id: format!("{number}-{index}"),
                at: now(),
                action: maker.action(index + 1).into(),
                object: target(number).object_ref(),
                actor: maker.actor(),
                remote_ip: None,
                version: Some(index as u64 + 1),
                changes: Vec::new(),
            });
        }
    }
    entries
}

/// Checks that every version of ours has a receipt in the journal, unless a later edit hides its author: the
/// core reports that case as unclear.
pub fn accounted(organizations: &[Organization], receipts: &[&Receipt]) -> bool {
    let receipts: BTreeSet<(String, u64)> =
        receipts.iter().map(|receipt| (receipt.target.organization.to_string(), receipt.version)).collect();
    organizations.iter().enumerate().all(|(number, organization)| {
        let is_theirs = |maker: &Maker| *maker == Maker::Person;
        let hidden = |index: usize| organization.versions.iter().skip(index + 1).any(is_theirs);
        organization.versions.iter().enumerate().all(|(index, maker)| {
            let receipt = (format!("org-{number}"), index as u64 + 1);
            is_theirs(maker) || hidden(index) || receipts.contains(&receipt)
        })
    })
}
