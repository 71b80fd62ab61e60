//! The records of the journal, which keep a crash from losing an intent, a base or a receipt.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new record needs a decision here")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::seal::Seal;
use super::{Act, Actor, Base, Baseline, ObjectRef, Receipt, Revision, Target};

/// Identifies an intent within its tenant's journal.
pub type IntentId = u64;

/// One record of a tenant's journal. An [`Record::Intent`] is durable before its write leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Record {
    /// genesync is about to write.
    Intent(Intent),
    /// The outcome of an intent; nothing is left to do for it.
    Resolved {
        /// The intent.
        intent: IntentId,
        /// The receipts of the write: none if it was refused, did not arrive, or stored a draft.
        receipts: Vec<Receipt>,
        /// The outcome of its write.
        ending: Ending,
    },
    /// The state of an object after a write of genesync.
    Applied {
        /// The object.
        object: ObjectRef,
        /// The state.
        base: Base,
    },
    /// The values to compare an object's unmanaged fields with, if they differ from its base; none if the
    /// base has them.
    Baseline {
        /// The object.
        object: ObjectRef,
        /// The values.
        baseline: Option<Baseline>,
    },
    /// This tenant takes over an object from another tenant; the store forgets what it keeps under the
    /// other name.
    Inherited {
        /// The object.
        object: ObjectRef,
    },
    /// The audit log has an entry for a receipt: the receipt is confirmed, and genesync stops asking for
    /// it.
    Confirmed {
        /// The object.
        object: ObjectRef,
        /// The version in the receipt.
        version: u64,
        /// The entry's id.
        entry: String,
    },
}

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was executed.
    Written,
    /// It was refused, or did not arrive.
    NotExecuted,
    /// The answer was lost, and reading back did not show the outcome.
    Unknown,
}

impl Ending {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Written, Self::NotExecuted, Self::Unknown];

    /// Returns the name for output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::NotExecuted => "not executed",
            Self::Unknown => "unknown",
        }
    }
}

/// The configuration that a planned write overwrites.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// The configuration of the object or of its draft.
    pub body: Arc<Map<String, Value>>,
    /// Who changed it last, if that was not genesync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A write that is about to leave, or may have left.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its number, larger than all earlier ones of the tenant.
    pub id: IntentId,
    /// The revision that it was planned from.
    pub revision: Revision,
    /// The write.
    pub action: IntentAction,
    /// The time just before it was sent.
    pub sent_at: Timestamp,
    /// The time after which it can no longer take effect.
    pub deadline: Timestamp,
    /// Fields that another user moved and that this write sets back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Revert>,
    /// Whether it switches off a feature that visitors use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

/// A field that another user moved and that genesync set back. Too many of one field mean that the field is
/// contested.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// The path of the field, as in plans: `greetings.delayMs`.
    pub path: String,
    /// The other user, if known.
    pub by: Option<Actor>,
    /// The other user's value, as it may be shown; none if the field was absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
    /// The value that genesync sets instead, as it may be shown; none if it removes the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    /// When genesync set it back, by its own clock.
    pub at: Timestamp,
}

/// The write of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum IntentAction {
    /// One PUT.
    Put {
        /// The object.
        target: Target,
        /// The version that it names.
        if_match: Option<u64>,
        /// The body that it stores or publishes.
        body: Arc<Map<String, Value>>,
        /// The kind of write.
        #[serde(default)]
        act: Act,
        /// The configuration that it overwrites, kept as a copy. Only for the `cloud` dialect, which keeps
        /// no history of unpublished values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Over>,
    },
    /// One replication job.
    Job {
        /// The organizations to copy to, each with the version that the plan saw.
        targets: Vec<(Target, Option<u64>)>,
    },
}

/// The content of a tenant's journal, after reading it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// Intents without an outcome, oldest first.
    pub unresolved: Vec<Intent>,
    /// The bases: what genesync applied last, by object.
    pub bases: BTreeMap<ObjectRef, Base>,
    /// The values to compare unmanaged fields with, by object, if they differ from the base.
    pub baselines: BTreeMap<ObjectRef, Baseline>,
    /// Objects whose bases were last written by another tenant, because a folder was renamed or two folders
    /// changed places.
    pub inherited: BTreeSet<ObjectRef>,
    /// The largest intent number so far.
    pub last_intent: IntentId,
    /// Receipts without an audit entry yet, oldest first. A store loads only receipts that are younger than
    /// the retention of the audit log.
    pub owed: Vec<Receipt>,
    /// Recent reverts, oldest first.
    pub reverts: Vec<Revert>,
    /// Audit entries that confirm a receipt, with the object and version of the receipt. If entries name no
    /// versions, an entry in this map cannot confirm another receipt.
    pub proofs: BTreeMap<String, (ObjectRef, u64)>,
    /// The key that reveals the digests in the journal; none if it has no digests.
    pub seal: Option<Seal>,
    /// Objects whose digests were made with another key and still have to be stored again with this one.
    pub rekeyed: BTreeSet<ObjectRef>,
}

impl Intent {
    /// Returns a copy with digests in place of confidential values; none if there are no confidential
    /// values.
    pub fn sealed(&self, seal: &Seal) -> Option<Self> {
        let IntentAction::Put { body, over, .. } = &self.action else { return None };
        let sealed = |body: &Arc<Map<String, Value>>| match seal.sealed(body) {
            Cow::Borrowed(_) => None,
            Cow::Owned(sealed) => Some(Arc::new(sealed)),
        };
        let (of_body, of_over) = (sealed(body), over.as_ref().and_then(|over| sealed(&over.body)));
        if of_body.is_none() && of_over.is_none() {
            return None;
        }
        let mut copy = self.clone();
        if let IntentAction::Put { body, over, .. } = &mut copy.action {
            body.clone_from(&of_body.unwrap_or_else(|| Arc::clone(body)));
            if let (Some(over), Some(sealed)) = (over, of_over) {
                over.body = sealed;
            }
        }
        Some(copy)
    }
}

impl Revert {
    /// `greetings.delayMs of ORG: 9000, set by Mara Ionescu, is overwritten by 1200`.
    pub fn words(&self) -> String {
        let value = |value: &Option<Value>| {
            let text = value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            match text.char_indices().nth(SHOWN_CHARS_MAX) {
                Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
                None => text,
            }
        };
        let by = self.by.as_ref().map(|actor| format!(", set by {},", actor.label())).unwrap_or_default();
        let (path, object) = (&self.path, &self.object);
        format!("{path} of {object}: {}{by} is overwritten by {}", value(&self.theirs), value(&self.ours))
    }
}

/// Most characters of a value in one line; the journal has the whole value.
const SHOWN_CHARS_MAX: usize = 500;

impl Journal {
    /// Adds one record.
    pub fn absorb(&mut self, record: Record) {
        match record {
            Record::Intent(intent) => {
                self.last_intent = self.last_intent.max(intent.id);
                self.unresolved.push(intent);
            }
            Record::Resolved { intent, receipts, .. } => {
                if let Some(at) = self.unresolved.iter().position(|open| open.id == intent) {
                    let ended = self.unresolved.remove(at);
                    self.note_reverts(&ended, &receipts);
                }
                self.owed.extend(receipts);
            }
            Record::Confirmed { object, version, entry } => {
                self.owed.retain(|owed| !owed.speaks_of(&object, version));
                if !object.object.kind.capabilities().audit_names_versions {
                    self.proofs.insert(entry, (object, version));
                }
            }
            Record::Applied { object, base } => {
                self.rekeyed.remove(&object.published());
                self.bases.insert(object, base);
            }
            Record::Baseline { object, baseline: Some(baseline) } => {
                self.rekeyed.remove(&object);
                self.baselines.insert(object, baseline);
            }
            Record::Inherited { object } => {
                self.inherited.remove(&object);
            }
            Record::Baseline { object, baseline: None } => {
                self.baselines.remove(&object);
            }
        }
    }

    /// Replaces digests of an object by their values if a candidate (the live configuration or git) has
    /// them, so that they can be compared. Returns whether it found digests of another key, which cannot be
    /// compared, for the first time.
    pub fn reveal(&mut self, object: &ObjectRef, candidates: &[&Map<String, Value>]) -> bool {
        let Some(seal) = self.seal else { return false };
        let reveal = |body: &mut Arc<Map<String, Value>>| {
            let mut revealed = Map::clone(body);
            let any_other = seal.reveal(&mut revealed, candidates);
            if revealed != **body {
                *body = Arc::new(revealed);
            }
            any_other
        };
        let draft = object.draft();
        let mut any_other = false;
        for object in [Some(object), draft.as_ref()].into_iter().flatten() {
            any_other |= self.bases.get_mut(object).is_some_and(|base| reveal(&mut base.body));
            any_other |= self.baselines.get_mut(object).is_some_and(|known| reveal(&mut known.body));
        }
        for intent in &mut self.unresolved {
            if let IntentAction::Put { target, body, over, .. } = &mut intent.action
                && target.object_ref() == *object
            {
                reveal(body);
                if let Some(over) = over {
                    reveal(&mut over.body);
                }
            }
        }
        any_other && self.rekeyed.insert(object.clone())
    }

    /// Returns the records to store again, because their digests were made with another key.
    pub fn kept_again(&self) -> Vec<Record> {
        let of_one = |object: &ObjectRef| {
            let base = |object: ObjectRef| {
                let base = self.bases.get(&object)?.clone();
                Some(Record::Applied { object, base })
            };
            let baseline = self.baselines.get(object).cloned();
            let baseline =
                baseline.map(|known| Record::Baseline { object: object.clone(), baseline: Some(known) });
            [base(object.clone()), object.draft().and_then(base), baseline].into_iter().flatten()
        };
        self.rekeyed.iter().flat_map(of_one).collect()
    }

    /// Returns the values to compare an object's unmanaged fields with.
    pub fn baseline(&self, object: &ObjectRef) -> Option<Cow<'_, Baseline>> {
        let of_base = || self.bases.get(object).map(|base| Cow::Owned(Baseline::of(base)));
        self.baselines.get(object).map(Cow::Borrowed).or_else(of_base)
    }

    /// Records what a resolved intent set back, but only for writes that succeeded. A job may succeed in
    /// some organizations only; the others get another intent.
    fn note_reverts(&mut self, ended: &Intent, receipts: &[Receipt]) {
        let landed =
            |revert: &&Revert| receipts.iter().any(|receipt| receipt.target.object_ref() == revert.object);
        self.reverts.extend(ended.reverts.iter().filter(landed).cloned());
    }
}
