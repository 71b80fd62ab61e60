//! What is written down so that a crash loses nothing that matters: the journal's lines.

#![warn(clippy::wildcard_enum_match_arm, reason = "a new record is decided about here")]

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

/// One line of a tenant's journal. An [`Record::Intent`] is durable before its write leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Record {
    /// We are about to write.
    Intent(Intent),
    /// What became of an intent; it needs no further attention.
    Resolved {
        /// The intent.
        intent: IntentId,
        /// The receipts that it led to: none where it was refused, never landed, or stored a draft.
        receipts: Vec<Receipt>,
        /// What became of its write.
        ending: Ending,
    },
    /// What an object was seen to be after a write of ours.
    Applied {
        /// The object.
        object: ObjectRef,
        /// What it was then.
        base: Base,
    },
    /// What an object's fields that git does not name are compared with, where its base does not tell; none where it does.
    Baseline {
        /// The object.
        object: ObjectRef,
        /// What it held.
        baseline: Option<Baseline>,
    },
    /// An object that another tenant had applied belongs to this one now: what is kept under the other name is forgotten.
    Inherited {
        /// The object.
        object: ObjectRef,
    },
    /// The audit log holds an entry for a receipt: it is proved, and no longer asked about.
    Confirmed {
        /// The object.
        object: ObjectRef,
        /// The version that the receipt speaks of.
        version: u64,
        /// The entry's id.
        entry: String,
    },
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was executed.
    Written,
    /// It was refused, or did not arrive.
    NotExecuted,
    /// Its answer was lost, and what was read back later does not tell.
    Unknown,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 3] = [Self::Written, Self::NotExecuted, Self::Unknown];

    /// The words for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::NotExecuted => "not executed",
            Self::Unknown => "unknown",
        }
    }
}

/// What was there when a write was planned and would be lost by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// What the object, or its draft, held.
    pub body: Arc<Map<String, Value>>,
    /// Who had changed it last, where that was not we ourselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A write that is about to leave, or may have left.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its number, larger than every earlier one of the tenant.
    pub id: IntentId,
    /// The revision that it was planned from.
    pub revision: Revision,
    /// What it would do.
    pub action: IntentAction,
    /// When it was about to be sent.
    pub sent_at: Timestamp,
    /// When it can no longer take effect.
    pub deadline: Timestamp,
    /// Fields that somebody else moved and that this write sets back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Revert>,
    /// Whether it switches off what visitors use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

/// A field that somebody else moved and that we set back: too many of the same one are a fight.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// The field, as plans write it: `greetings.delayMs`.
    pub path: String,
    /// Who had moved it, where that is known.
    pub by: Option<Actor>,
    /// The value that they had set, as it may be shown; none where the field was absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
    /// The value that is set instead, as it may be shown; none where the field is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    /// When it was set back, by our clock.
    pub at: Timestamp,
}

/// What an intent would do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum IntentAction {
    /// One PUT.
    Put {
        /// Where to.
        target: Target,
        /// The version that it names.
        if_match: Option<u64>,
        /// What it stores, or publishes.
        body: Arc<Map<String, Value>>,
        /// What it does.
        #[serde(default)]
        act: Act,
        /// What it goes over, kept for whoever misses it. Of the `cloud` dialect alone, which keeps no history of what
        /// is not published.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Over>,
    },
    /// One replication job.
    Job {
        /// Copied to, each with the version that it was seen at.
        targets: Vec<(Target, Option<u64>)>,
    },
}

/// What a tenant's journal amounts to when it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// Intents without an end, oldest first.
    pub unresolved: Vec<Intent>,
    /// What we last applied, by object.
    pub bases: BTreeMap<ObjectRef, Base>,
    /// What fields that git does not name are compared with, by object, where the base does not tell.
    pub baselines: BTreeMap<ObjectRef, Baseline>,
    /// Objects of whose bases, and of what is known besides, another tenant had the last word: a folder was renamed, or two
    /// changed places.
    pub inherited: BTreeSet<ObjectRef>,
    /// The largest intent number so far.
    pub last_intent: IntentId,
    /// Receipts that no audit entry proves yet, oldest first. A store loads only those that are younger
    /// than the audit log's memory.
    pub owed: Vec<Receipt>,
    /// What was set back lately, oldest first.
    pub reverts: Vec<Revert>,
    /// Audit entries that prove a receipt, and the object and version that it speaks of: where entries name no
    /// versions, one that is known here proves nothing else.
    pub proofs: BTreeMap<String, (ObjectRef, u64)>,
    /// What reveals the digests that stand in it; none where no digest does.
    pub seal: Option<Seal>,
    /// Objects of whose bases or baselines digests are kept under another key: they are still to be kept under this one.
    pub rekeyed: BTreeSet<ObjectRef>,
}

impl Intent {
    /// The same with digests in place of what is confidential; none where nothing is.
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

/// Most characters of a value in a line; the whole value is in the journal.
const SHOWN_CHARS_MAX: usize = 500;

impl Journal {
    /// Takes one more line in.
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

    /// Puts values back in the place of their digests in what is known of an object, as far as what is live or what git says
    /// tells them: then they compare as before. Whether some are found to be of another key, of which that says nothing.
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

    /// What is kept under another key, to be kept under the one of today.
    pub fn kept_anew(&self) -> Vec<Record> {
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

    /// What fields of an object that git does not name are compared with.
    pub fn baseline(&self, object: &ObjectRef) -> Option<Cow<'_, Baseline>> {
        let of_base = || self.bases.get(object).map(|base| Cow::Owned(Baseline::of(base)));
        self.baselines.get(object).map(Cow::Borrowed).or_else(of_base)
    }

    /// What an ended intent set back: only where its write landed. A job lands in some organizations and not
    /// in others, and those are written again with an intent of their own.
    fn note_reverts(&mut self, ended: &Intent, receipts: &[Receipt]) {
        let landed =
            |revert: &&Revert| receipts.iter().any(|receipt| receipt.target.object_ref() == revert.object);
        self.reverts.extend(ended.reverts.iter().filter(landed).cloned());
    }
}
