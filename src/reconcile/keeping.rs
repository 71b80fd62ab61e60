//! Keeping: what is in force as the base, and what fields that git does not name are compared with.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Effect, Note, Phase, Run, Step};
use crate::model::{
    Base, Baseline, Counting, Guard, Memory, ObjectRef, Observed, OnUnmanaged, Readiness, Receipt, Record,
    Stored, Target,
};
use crate::plan::{self, unmanaged};

/// When the draft was changed last that held the same, once the platform is done with it; 0 where that is not known.
fn drafted_at(stored: &Stored) -> u64 {
    let at = stored.instance.as_ref().filter(|instance| instance.readiness == Readiness::Ready);
    at.and_then(|instance| instance.drafted_at).map_or(0, |at| at.as_millisecond().unsigned_abs())
}

impl Run {
    /// Nothing differs, or nothing that may be written. Writes down what is in force, where that is news.
    pub(super) fn keep(self, now: Timestamp) -> Step {
        if !self.may_write() {
            return self.finish(now);
        }
        let mut records = self.journal.0.kept_anew();
        for at in 0..self.targets.len() {
            if self.is_open(at) {
                // Somebody has to see to it first.
                continue;
            }
            records.extend(self.base_of(at));
        }
        self.keep_all(records, now)
    }

    /// Of what is only watched nothing is applied: what it holds when it is first seen is what its fields that git does not
    /// name are compared with.
    pub(super) fn first_seen(&self) -> Vec<Record> {
        if self.spec.memory != Memory::Kept {
            return Vec::new();
        }
        let takes_all = self.spec.tenant.policy.unmanaged == OnUnmanaged::Ignore;
        let first = |(target, observed): (&Target, &Observed)| {
            let (object, Observed::Present(stored)) = (target.object_ref(), observed) else { return None };
            let known = self.journal.0.baseline(&object);
            // Where nobody is to be told of anything, what is there is what counts from then on.
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
        self.journal.0.kept_anew().into_iter().chain(first).collect()
    }

    /// Writes records down, and goes on from there.
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

    /// Has the journal say of the n-th target what its digests are of, as far as what was read or git tells.
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

    /// Whether something of the n-th target is still to be done, by us or by a person.
    fn is_open(&self, at: usize) -> bool {
        let planned = self.plan.as_ref().and_then(|plan| plan.targets.get(at));
        planned.is_some_and(|planned| planned.next.is_some() || !planned.changes.is_empty())
    }

    /// What is to be kept of one object that is as git says, where that is news.
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
            // What is there is not ours, and when we last wrote it is.
            let base = known.filter(|_| is_later).map(|base| Base { onto, ..base.clone() });
            return base.map(|base| Record::Applied { object, base }).into_iter().collect();
        }
        let (kind, desired) = (target.object.kind, self.desired(at));
        let observed = Observed::Present(stored.clone());
        let body = plan::diff::base_body(kind, &desired, &observed);
        let baseline = self.baseline_of(at, stored, &body);
        // After a rewind that somebody asked for, what is in force counts as applied from here.
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
        // Together with the base, which would tell otherwise what it is not to tell.
        let is_news = is_inherited || self.journal.0.baselines.get(&object) != baseline.as_ref();
        let baseline = is_news.then(|| Record::Baseline { object: object.clone(), baseline });
        let inherited = is_inherited.then_some(Record::Inherited { object });
        base.into_iter().chain(baseline).chain(inherited).collect()
    }

    /// What an object that is as git says is compared with from now on in fields that git does not name; none where that is
    /// its base.
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
        // What a person had published along with ours.
        let planned = self.first_plan.as_ref().and_then(|plan| plan.targets.get(at));
        let along = planned.and_then(|planned| planned.draft.as_ref()).filter(|_| !written.is_empty());
        let along = along.map(|draft| draft.published_along.as_slice()).unwrap_or_default();
        let kind = object.object.kind;
        unmanaged::kept(kind, &self.desired(at), (stored, body), &known, &written, along)
    }

    /// What is to be written down where a person accepts what somebody changed in fields that git does not name. Where
    /// nothing is known to compare with, there is nothing to accept.
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

    /// What an object's fields that git does not name are compared with: as of the newest version that only writes of this run
    /// lead to.
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

    /// When we last wrote an object that only its content tells from an earlier state, in milliseconds since 1970; 0 for any
    /// other.
    fn written_at(&self, object: &ObjectRef) -> u64 {
        if object.object.kind.counting() != Counting::Contents {
            return 0;
        }
        let own = self.receipts_of(object).map(|receipt| receipt.sent_at.as_millisecond().unsigned_abs());
        let known = self.journal.0.bases.get(object).map(|base| base.onto);
        own.chain(known).max().unwrap_or(0)
    }
}
