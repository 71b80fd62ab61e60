//! Resolving: decides from a read which writes without an answer were executed.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Effect, Note, Phase, Run, Step};
use crate::model::record::{Ending, Intent, IntentAction};
use crate::model::{
    Act, Base, Counting, Draft, ObjectKind, Observed, Receipt, Receiver, Record, Stored, Target, Versions,
};
use crate::plan;
use crate::replicate;

impl Run {
    /// Resolves every unresolved intent, after none of them can take effect any more.
    pub(super) fn resolve(mut self, now: Timestamp) -> Step {
        let mut records = Vec::new();
        let mut notes = Vec::new();
        for intent in self.journal.0.unresolved.clone() {
            if matches!(&intent.action, IntentAction::Put { target, .. } if self.is_left_out(&target.organization))
            {
                continue;
            }
            let mut reported = Vec::new();
            let (draft, mut receipts) = self.found(&intent, &mut reported);
            let drafted = draft.is_some();
            records.extend(draft);
            if drafted || !receipts.is_empty() {
                (self.tally.write_faults, self.tally.write_throttles) = (0, 0);
            }
            self.remember(&intent, &mut receipts);
            let unclear = reported.iter().any(|note| matches!(note, Note::Unclear { .. }))
                || !drafted && self.may_have_stored(&intent);
            let ending = match (receipts.is_empty() && !drafted, unclear) {
                (false, _) => Ending::Written,
                (true, true) => Ending::Unknown,
                (true, false) => Ending::NotExecuted,
            };
            let record = Record::Resolved { intent: intent.id, receipts, ending };
            self.absorb(&record);
            records.push(record);
            notes.extend(reported);
        }
        let step = if records.is_empty() {
            self.assess(now)
        } else {
            self.go(Phase::Resolving, Effect::Save(records))
        };
        step.noting_all(notes)
    }

    /// Returns the writes of an intent that are in force: the draft that it stored, or receipts.
    fn found(&mut self, intent: &Intent, notes: &mut Vec<Note>) -> (Option<Record>, Vec<Receipt>) {
        match &intent.action {
            IntentAction::Put { target, if_match, act: Act::Store, body, .. }
                if target.object.kind.has_drafts() =>
            {
                (self.draft_landed(target, *if_match, body, notes), Vec::new())
            }
            IntentAction::Put { target, if_match, body, act: Act::Publish, .. } => {
                // The publisher shows that the version is ours: another user may have changed the draft just
                // before.
                let same = |_: &Stored| true;
                let receipt = self.landed(intent, target, *if_match, Receiver::ReadBack, &same, notes);
                let seen = self.place_of(target).and_then(|at| self.observed.get(at)).cloned();
                if let (Some(_), Some(Observed::Present(stored))) = (&receipt, seen) {
                    notes.extend(self.note_mixed(&target.object_ref(), body, &stored));
                }
                (None, receipt.into_iter().collect())
            }
            IntentAction::Put { target, if_match, body, .. } => {
                // The platform may have added its own defaults.
                let (kind, fills_in) = (target.object.kind, self.able().fills_in);
                let same = |stored: &Stored| match fills_in {
                    true => plan::canonical::covers(kind, body, &stored.body),
                    false => plan::canonical::same(kind, &stored.body, body),
                };
                let receipt = self.landed(intent, target, *if_match, Receiver::ReadBack, &same, notes);
                (None, receipt.into_iter().collect())
            }
            IntentAction::Job { targets } => {
                let source = self.observed.first().map(Observed::body).unwrap_or_default();
                let kind = self.targets.first().map_or(ObjectKind::IMPLIED, |target| target.object.kind);
                // The primary may have changed since the job copied it. Only one write is under way at a
                // time, so the next version of genesync's own client is from the job, whatever it contains.
                let same = |stored: &Stored| {
                    stored.modified_by.is_some() || plan::canonical::same(kind, &stored.body, &source)
                };
                let landed = |(target, seen): &(Target, Option<u64>)| {
                    self.landed(intent, target, *seen, Receiver::Job, &same, notes)
                };
                (None, targets.iter().filter_map(landed).collect())
            }
        }
    }

    /// Keeps the receipts of an intent, adds those that its job already reported, and marks overwritten
    /// changes.
    fn remember(&mut self, intent: &Intent, receipts: &mut Vec<Receipt>) {
        for receipt in receipts.iter() {
            let object = receipt.target.object_ref();
            if !self.receipts.iter().any(|known| known.speaks_of(&object, receipt.version)) {
                self.receipts.push(receipt.clone());
                self.stale_at(self.place_of(&receipt.target));
            }
        }
        // A job's report of a copy stays valid, whatever was written later.
        let copied = self.receipts.iter().filter(|receipt| {
            receipt.by == Receiver::Job
                && receipt.sent_at == intent.sent_at
                && matches!(intent.action, IntentAction::Job { .. })
        });
        for receipt in copied {
            if !receipts.contains(receipt) {
                receipts.push(receipt.clone());
            }
        }
        if intent.id > self.earlier_intents && matches!(intent.action, IntentAction::Put { .. }) {
            let own = receipts.iter().map(|receipt| (receipt.target.object_ref(), receipt.version));
            self.own_versions.extend(own);
        }
        let over = receipts.iter().filter(|receipt| {
            receipt.target.object.kind.counts_versions()
                && replicate::overwrote(receipt.from_version, receipt.version)
        });
        self.overwrote.extend(over.map(|receipt| receipt.target.object_ref()));
    }

    /// Whether a write of unknown outcome is what an organization holds now.
    ///
    /// A PUT with an enforced version can only have made the next version. A job names no version, and some
    /// servers do not enforce it: such a write may have overwritten another user's change and made a later
    /// version, which genesync has to report. The author shows whose version it is, because only one write is
    /// under way at a time.
    fn landed(
        &self,
        intent: &Intent,
        target: &Target,
        from_version: Option<u64>,
        by: Receiver,
        same: &dyn Fn(&Stored) -> bool,
        notes: &mut Vec<Note>,
    ) -> Option<Receipt> {
        let object = target.object_ref();
        if object.object.kind.counting() == Counting::Contents {
            return self.landed_by_content(intent, target, from_version, same, notes);
        }
        let counted = object.object.kind.counts_versions();
        let expected = from_version.map_or(1, |version| version.saturating_add(1));
        let stored = match self.observed.get(self.place_of(target)?) {
            Some(Observed::Present(stored)) if stored.version >= expected => stored,
            _ => {
                notes.push(Note::NotLanded { object, version: expected });
                return None;
            }
        };
        let version = stored.version;
        let ours = match (&intent.action, &stored.instance) {
            (IntentAction::Put { act: Act::Publish, .. }, Some(instance)) => {
                instance.publisher.as_ref().is_none_or(|id| self.spec.own_clients.contains(id))
            }
            _ => stored.modified_by.as_ref().is_none_or(|actor| self.spec.own_clients.contains(&actor.id)),
        };
        let held_to_it = by != Receiver::Job && self.spec.versions == Versions::Enforced;
        let fits = version == expected || !held_to_it && (stored.modified_by.is_some() || !counted);
        if !(ours && fits && same(stored)) {
            if version > expected {
                // The newest version may be the write if no author is known and the version was not enforced;
                // and two changes may have the same moment.
                let to = if ours && !held_to_it || !counted { version } else { version - 1 };
                notes.push(Note::Unclear { object, from: expected, to });
            } else {
                notes.push(Note::NotLanded { object, version: expected });
            }
            return None;
        }
        if counted && replicate::overwrote(from_version, version) {
            notes.push(Note::Overwrote { object: object.clone(), seen: from_version, made: version });
        }
        notes.push(Note::Landed { object, version });
        let made_at = stored.modified_at.filter(|_| !self.able().audit_names_versions);
        let target = target.clone();
        Some(Receipt { target, from_version, version, sent_at: intent.sent_at, by, made_at })
    }

    /// Whether the current state of an object that counts by content is from a write of unknown outcome.
    fn landed_by_content(
        &self,
        intent: &Intent,
        target: &Target,
        from_version: Option<u64>,
        same: &dyn Fn(&Stored) -> bool,
        notes: &mut Vec<Note>,
    ) -> Option<Receipt> {
        let object = target.object_ref();
        let version = intent.sent_at.as_millisecond().unsigned_abs();
        match self.observed.get(self.place_of(target)?) {
            Some(Observed::Present(stored)) if same(stored) => {
                notes.push(Note::Landed { object, version });
                let (target, by) = (target.clone(), Receiver::ReadBack);
                Some(Receipt { target, from_version, version, sent_at: intent.sent_at, by, made_at: None })
            }
            _ => {
                notes.push(Note::NotLanded { object, version });
                None
            }
        }
    }

    /// Whether the stored draft is from a write of unknown outcome: then it is genesync's draft.
    fn draft_landed(
        &mut self,
        target: &Target,
        if_match: Option<u64>,
        body: &Map<String, Value>,
        notes: &mut Vec<Note>,
    ) -> Option<Record> {
        let object = target.object_ref();
        let version = 0;
        let draft = match self.observed.get(self.place_of(target)?) {
            Some(Observed::Present(stored)) => stored.draft(),
            _ => None,
        };
        // The platform may have added its own defaults. If a person changed the draft last, any additional
        // content may be theirs.
        let kind = target.object.kind;
        let same = |draft: &Draft| plan::canonical::same(kind, body, &draft.body);
        // A draft that genesync stored before and that did not change is not the result of this write, even
        // if it contains it.
        let before = object.draft().and_then(|draft| self.journal.0.bases.get(&draft));
        let unmoved = |draft: &Draft| {
            before.is_some_and(|base| plan::canonical::same(kind, &base.body, &draft.body)) && !same(draft)
        };
        let is_it = |draft: &&Draft| match draft.modified_by {
            None => plan::canonical::covers(kind, body, &draft.body) && !unmoved(draft),
            Some(_) => same(draft),
        };
        let Some(draft) = draft.filter(is_it) else {
            notes.push(Note::NotLanded { object, version });
            return None;
        };
        notes.push(Note::Landed { object: object.clone(), version });
        let record = Record::Applied { object: object.draft()?, base: self.draft_base(draft, if_match) };
        self.absorb(&record);
        Some(record)
    }

    /// Whether a draft may have been stored over another one and was changed again since: if the other draft
    /// is unchanged, nothing was stored.
    fn may_have_stored(&self, intent: &Intent) -> bool {
        let IntentAction::Put { target, body, act: Act::Store, over: Some(over), .. } = &intent.action else {
            return false;
        };
        let seen = self.place_of(target).and_then(|at| self.observed.get(at));
        let Some(Observed::Present(stored)) = seen else { return true };
        let held = stored.draft().map_or(&stored.body, |draft| &draft.body);
        !plan::canonical::same(target.object.kind, &plan::next::written(held, body, target), &over.body)
    }

    /// The base of a draft of genesync, as the journal keeps it.
    pub(super) fn draft_base(&self, draft: &Draft, onto: Option<u64>) -> Base {
        let at = draft.modified_at.map_or(0, |at| at.as_millisecond().unsigned_abs());
        let (body, revision) = (Arc::clone(&draft.body), self.spec.revision.clone());
        Base {
            version: at,
            body,
            revision,
            id: None,
            onto: onto.unwrap_or(0),
            drafted_at: 0,
            ignored: Default::default(),
        }
    }
}
