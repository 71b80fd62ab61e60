//! Keeping: saves the configuration in force as the base, and the baseline of unmanaged fields.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Effect, Note, Phase, Run, Step};
use crate::model::{
    Base, Baseline, Counting, Guard, Memory, ObjectRef, Observed, OnUnmanaged, Readiness, Receipt, Record,
    Stored, Target,
};
use crate::plan::{self, unmanaged};

/// When the draft with the same content was last changed, in ms since 1970; 0 if unknown or if the platform
/// is not ready.
fn drafted_at(stored: &Stored) -> u64 {
    let at = stored.instance.as_ref().filter(|instance| instance.readiness == Readiness::Ready);
    at.and_then(|instance| instance.drafted_at).map_or(0, |at| at.as_millisecond().unsigned_abs())
}

impl Run {
    /// Saves new bases when nothing differs, or nothing that genesync may write.
    pub(super) fn keep(self, now: Timestamp) -> Step {
        if !self.may_write() {
            return self.finish(now);
        }
        let mut records = self.journal.0.kept_again();
        for at in 0..self.targets.len() {
            if self.is_open(at) {
                // A person has to decide first.
                continue;
            }
            records.extend(self.base_of(at));
        }
        self.keep_all(records, now)
    }

    /// Returns the first baselines of a tenant in watch mode. Nothing is applied there, so unmanaged fields
    /// are compared with the state of the first read.
    pub(super) fn first_seen(&self) -> Vec<Record> {
        if self.spec.memory != Memory::Kept {
            return Vec::new();
        }
        let takes_all = self.spec.tenant.policy.unmanaged == OnUnmanaged::Ignore;
        let first = |(target, observed): (&Target, &Observed)| {
            let (object, Observed::Present(stored)) = (target.object_ref(), observed) else { return None };
            let known = self.journal.0.baseline(&object);
            // If no unmanaged change is reported, every read sets the baseline.
            let is_news = known.is_none_or(|known| takes_all && *known.body != *stored.body);
            let is_compared = stored.version > 0 || !object.object.kind.has_drafts();
            let baseline = (is_news && is_compared).then(|| Baseline {
                version: stored.version,
                body: std::sync::Arc::clone(&stored.body),
                id: stored.id().cloned(),
            })?;
            Some(Record::Baseline { object, baseline: Some(baseline) })
        };
        let first = self.targets.iter().zip(&self.observed).filter_map(first);
        self.journal.0.kept_again().into_iter().chain(first).collect()
    }

    /// Saves records, then continues.
    pub(super) fn keep_all(mut self, records: Vec<Record>, now: Timestamp) -> Step {
        if records.is_empty() {
            return self.finish(now);
        }
        for record in &records {
            self.absorb(record);
        }
        self.go(Phase::Keeping, Effect::Save(records))
    }

    pub(super) fn kept(self, now: Timestamp) -> Step {
        if self.may_write() { self.finish(now) } else { self.proceed(now) }
    }

    /// Replaces digests in the journal of the n-th target by values from the live configuration or git, if
    /// they match.
    pub(super) fn reveal(&mut self, at: usize, observed: &Observed) -> Option<Note> {
        self.journal.0.seal?;
        let target = self.targets.get(at)?;
        let resource = self.spec.resources.iter().find(|resource| resource.object == target.object);
        let stored = match observed {
            Observed::Present(stored) => Some(stored),
            Observed::Absent => None,
        };
        let live = stored.map(|stored| &*stored.body);
        let draft = stored.and_then(|stored| Some(&*stored.draft()?.body));
        let desired = resource.map(|resource| &*resource.desired.body);
        let candidates: Vec<_> = [live, draft, desired].into_iter().flatten().collect();
        let object = target.object_ref();
        self.journal.0.reveal(&object, &candidates).then_some(Note::OtherKey { object })
    }

    /// Whether genesync or a person still has work to do on the n-th target.
    fn is_open(&self, at: usize) -> bool {
        let planned = self.plan.as_ref().and_then(|plan| plan.targets.get(at));
        planned.is_some_and(|planned| planned.next.is_some() || !planned.changes.is_empty())
    }

    /// Returns the records for an object that matches git, if they are new.
    fn base_of(&self, at: usize) -> Vec<Record> {
        let (Some(target), Some(Observed::Present(stored))) = (self.targets.get(at), self.observed.get(at))
        else {
            return Vec::new();
        };
        let object = target.object_ref();
        let known = self.journal.0.bases.get(&object);
        let onto = self.written_at(&object);
        let is_later = known.is_none_or(|base| base.onto < onto);
        if self.is_set_aside(&object) {
            // The live state is not from genesync, but the time of the last write is.
            let base = known.filter(|_| is_later).map(|base| Base { onto, ..base.clone() });
            return base.map(|base| Record::Applied { object, base }).into_iter().collect();
        }
        let (kind, desired) = (target.object.kind, self.desired(at));
        let observed = Observed::Present(stored.clone());
        let body = plan::diff::base_body(kind, &desired, &observed);
        let baseline = self.baseline_of(at, stored, &body);
        // After an allowed rewind, the configuration in force counts as applied.
        let rewound = self.spec.limits.allowed.contains(&Guard::Rewind);
        let drafted_at = drafted_at(stored);
        let ignored: BTreeSet<String> = plan::diff::ignored(kind, &desired, &observed).into_iter().collect();
        let is_inherited = self.journal.0.inherited.contains(&object);
        let news = known.is_none_or(|base| {
            is_inherited
                || is_later
                || base.drafted_at != drafted_at
                || base.ignored != ignored
                || base.version != stored.version
                || base.body != body
                || base.id.as_ref() != stored.id()
                || (rewound && base.revision != self.spec.revision)
        });
        let id = stored.id().cloned();
        let (version, revision) = (stored.version, self.spec.revision.clone());
        let base = news.then(|| Base { version, body, revision, id, onto, drafted_at, ignored });
        let base = base.map(|base| Record::Applied { object: object.clone(), base });
        // Saved together with the base: the base alone would report changes that need no report.
        let is_news = is_inherited || self.journal.0.baselines.get(&object) != baseline.as_ref();
        let baseline = is_news.then(|| Record::Baseline { object: object.clone(), baseline });
        let inherited = is_inherited.then_some(Record::Inherited { object });
        base.into_iter().chain(baseline).chain(inherited).collect()
    }

    /// Returns the new baseline for the unmanaged fields of an object that matches git; none if its base is
    /// the baseline.
    fn baseline_of(
        &self,
        at: usize,
        stored: &Stored,
        body: &serde_json::Map<String, serde_json::Value>,
    ) -> Option<Baseline> {
        if self.spec.tenant.policy.unmanaged == OnUnmanaged::Ignore {
            return None;
        }
        let object = self.targets.get(at)?.object_ref();
        let known = self.baseline(&object)?;
        let written: Vec<&Receipt> = self.receipts_of(&object).collect();
        // Unmanaged changes of a person that this run published together with its own.
        let planned = self.first_plan.as_ref().and_then(|plan| plan.targets.get(at));
        let along = planned.and_then(|planned| planned.draft.as_ref()).filter(|_| !written.is_empty());
        let along = along.map(|draft| draft.published_along.as_slice()).unwrap_or_default();
        let kind = object.object.kind;
        unmanaged::kept(kind, &self.desired(at), (stored, body), &known, &written, along)
    }

    /// Returns the records that accept unmanaged changes of another user. Without a baseline there is nothing
    /// to accept.
    pub fn accepting(&self, is_accepted: impl Fn(&Target, &str) -> bool) -> Vec<Record> {
        let accept = |(at, target): (usize, &Target)| {
            let (object, Observed::Present(stored)) = (target.object_ref(), self.observed.get(at)?) else {
                return None;
            };
            let known = self.journal.0.baseline(&object)?;
            let is_accepted = |path: &str| is_accepted(target, path);
            let kind = object.object.kind;
            let baseline = unmanaged::accepted(kind, &self.desired(at), stored, &known, is_accepted)?;
            Some(Record::Baseline { object, baseline: Some(baseline) })
        };
        self.targets.iter().enumerate().filter_map(accept).collect()
    }

    /// Returns the baseline of the unmanaged fields of an object: as of the newest version that only writes
    /// of this run lead to.
    pub(super) fn baseline(&self, object: &ObjectRef) -> Option<Cow<'_, Baseline>> {
        let known = self.journal.0.baseline(object)?;
        let written: Vec<&Receipt> = self.receipts_of(object).collect();
        let version = unmanaged::followed(known.version, &written);
        if version == known.version {
            return Some(known);
        }
        Some(Cow::Owned(Baseline { version, ..known.into_owned() }))
    }

    /// Receipts of this run for an object.
    fn receipts_of(&self, object: &ObjectRef) -> impl Iterator<Item = &Receipt> {
        let speaks_of = move |target: &Target| {
            target.object == object.object && target.organization == object.organization
        };
        self.receipts.iter().filter(move |receipt| speaks_of(&receipt.target))
    }

    /// When genesync last wrote an object that counts by content, in ms since 1970; 0 for any other object.
    fn written_at(&self, object: &ObjectRef) -> u64 {
        if object.object.kind.counting() != Counting::Contents {
            return 0;
        }
        let own = self.receipts_of(object).map(|receipt| receipt.sent_at.as_millisecond().unsigned_abs());
        let known = self.journal.0.bases.get(object).map(|base| base.onto);
        own.chain(known).max().unwrap_or(0)
    }
}
