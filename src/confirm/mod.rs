//! Stage 7 of 7: matches receipts with entries of the audit log.
//!
//! In: the [`Receipt`]s of a run, audit entries in any order and possibly twice, the ids of genesync's
//! clients, the versions that the run started from. Out: a [`Confirmation`]. Never: asks for a write: a
//! receipt without an entry is *missing*, and the configuration itself was already read back. Start reading
//! at [`confirm`].
//!
//! `reconcile/confirming.rs` decides when and how often the log is queried.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::author::Log;
use crate::model::{Confirmation, Entry, ObjectRef, Receipt, Standing};

/// How far, in ms, an entry without a version may lie from the server's time of the write or from its send
/// time: the clocks of genesync, the API and the audit log differ. The nearest entry that confirms no other
/// receipt counts.
const SKEW_MS: u64 = 300_000;

/// The state at the start of a run, by object.
#[derive(Debug, Clone, Copy)]
pub struct Started<'a> {
    /// The version.
    pub from: &'a BTreeMap<ObjectRef, u64>,
    /// When it was last changed, by the server's clock, if entries name no versions.
    pub at: &'a BTreeMap<ObjectRef, Timestamp>,
    /// Whether the log was queried for the entries.
    pub log: Log,
    /// Entries that already confirm a receipt, with its object and version.
    pub proofs: &'a BTreeMap<String, (ObjectRef, u64)>,
}

/// Matches receipts with entries.
///
/// If entries name versions, an entry confirms a receipt with the same object, action, version and client.
/// The time is not compared, because the clocks differ and a version is made once. If entries name no
/// versions, object, client and time decide, and an entry confirms one receipt, in this run or an earlier
/// one. An entry of another client is *foreign* if it is newer than the state at the start of the run.
pub fn confirm(
    receipts: &[Receipt],
    entries: &[Entry],
    own_clients: &BTreeSet<String>,
    started: Started<'_>,
) -> Confirmation {
    let distinct: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    let mut ours: BTreeMap<&ObjectRef, Vec<&Entry>> = BTreeMap::new();
    for entry in distinct.values().filter(|entry| own_clients.contains(&entry.actor.id)) {
        ours.entry(&entry.object).or_default().push(entry);
    }
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut proof = |receipt: &Receipt| {
        let object = receipt.target.object_ref();
        let mut found = ours.get(&object).into_iter().flatten();
        if object.object.kind.capabilities().audit_names_versions {
            return found
                .find(|entry| entry.version == Some(receipt.version) && entry.action == receipt.action());
        }
        let at = receipt.made_at.unwrap_or(receipt.sent_at);
        let distance_ms = |entry: &Entry| entry.at.duration_since(at).unsigned_abs().as_millis();
        let proves_another = |entry: &Entry| {
            let proved = started.proofs.get(&entry.id);
            proved.is_some_and(|(object, version)| !receipt.speaks_of(object, *version))
        };
        let near = found.filter(|entry| {
            !used.contains(entry.id.as_str())
                && distance_ms(entry) <= u128::from(SKEW_MS)
                && !proves_another(entry)
        });
        let nearest = near.min_by_key(|entry| (distance_ms(entry), &entry.id))?;
        used.insert(&nearest.id);
        Some(nearest)
    };
    let first = receipts.iter().map(|receipt| receipt.made_at.unwrap_or(receipt.sent_at)).min();
    let receipts = receipts
        .iter()
        .map(|receipt| {
            let standing = match proof(receipt) {
                Some(entry) => Standing::Confirmed { entry: entry.id.clone(), at: entry.at },
                None => Standing::Untold { why: started.log.untold(receipt.made_at) },
            };
            (receipt.clone(), standing)
        })
        .collect();
    let since = |entry: &Entry| match (started.from.get(&entry.object.published()), entry.version) {
        (Some(from), Some(version)) => version > *from,
        (Some(_), None) => match started.at.get(&entry.object.published()) {
            Some(before) => entry.at > *before,
            None => first.is_some_and(|first| entry.at >= first),
        },
        (None, _) => false,
    };
    let mut foreign: Vec<Entry> = distinct
        .values()
        .filter(|entry| !own_clients.contains(&entry.actor.id) && since(entry))
        .map(|entry| (*entry).clone())
        .collect();
    foreign.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Confirmation { receipts, foreign }
}

impl Confirmation {
    /// Returns the number of receipts without an entry.
    pub fn missing(&self) -> usize {
        self.receipts.iter().filter(|(_, standing)| matches!(standing, Standing::Untold { .. })).count()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        Actor, ActorKind, CredentialsName, Object, ObjectRef, OrganizationId, Receiver, Region, Target,
    };

    fn receipt(version: u64, by: Receiver) -> Receipt {
        Receipt {
            target: Target {
                organization: OrganizationId::new("org"),
                region: Region::EuWest1,
                credentials: CredentialsName::new("c"),
                object: Object::implied(),
            },
            from_version: (version > 1).then(|| version - 1),
            version,
            sent_at: Timestamp::UNIX_EPOCH,
            by,
            made_at: None,
        }
    }

    fn object(organization: &str) -> ObjectRef {
        ObjectRef::new(OrganizationId::new(organization), Object::implied())
    }

    fn entry(id: &str, action: &str, actor: &str, organization: &str, version: u64) -> Entry {
        Entry {
            id: id.into(),
            at: Timestamp::UNIX_EPOCH,
            action: format!("webchat:configuration:{action}"),
            object: object(organization),
            actor: Actor { id: actor.into(), name: String::new(), kind: ActorKind::Client },
            remote_ip: None,
            version: Some(version),
            changes: Vec::new(),
        }
    }

    fn standing(receipt: Receipt, entries: &[Entry]) -> (usize, Vec<String>) {
        let own = BTreeSet::from(["us".to_owned()]);
        let from = BTreeMap::from([(object("org"), 4)]);
        let confirmation = confirm(
            &[receipt],
            entries,
            &own,
            Started { from: &from, at: &BTreeMap::new(), log: Log::NotAsked, proofs: &BTreeMap::new() },
        );
        (confirmation.missing(), confirmation.foreign.into_iter().map(|entry| entry.id).collect())
    }

    #[test]
    fn only_our_own_entry_of_that_version_confirms() {
        let table = [
            (receipt(5, Receiver::Put), vec![entry("a", "update", "us", "org", 5)], 0, vec![]),
            (
                receipt(5, Receiver::ReadBack),
                vec![entry("a", "update", "us", "org", 5), entry("a", "update", "us", "org", 5)],
                0,
                vec![],
            ),
            (receipt(1, Receiver::Put), vec![entry("a", "create", "us", "org", 1)], 0, vec![]),
            (receipt(5, Receiver::Job), vec![entry("a", "replicate", "us", "org", 5)], 0, vec![]),
            (receipt(5, Receiver::Put), vec![], 1, vec![]),
            (receipt(5, Receiver::Put), vec![entry("a", "update", "us", "org", 6)], 1, vec![]),
            (receipt(5, Receiver::Put), vec![entry("a", "update", "us", "other", 5)], 1, vec![]),
            (receipt(5, Receiver::Put), vec![entry("a", "delete", "us", "org", 5)], 1, vec![]),
            (receipt(5, Receiver::Put), vec![entry("a", "update", "them", "org", 5)], 1, vec!["a"]),
            (
                receipt(6, Receiver::Put),
                vec![entry("b", "update", "us", "org", 6), entry("a", "update", "them", "org", 5)],
                0,
                vec!["a"],
            ),
            (
                receipt(5, Receiver::Put),
                vec![entry("b", "update", "us", "org", 5), entry("a", "update", "them", "org", 4)],
                0,
                vec![],
            ),
        ];
        for (receipt, entries, missing, foreign) in table {
            assert_eq!(
                standing(receipt, &entries),
                (missing, foreign.into_iter().map(String::from).collect()),
                "{entries:?}"
            );
        }
    }
}
