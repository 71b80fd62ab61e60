//! Writing: reads once more, saves intents, and sends their writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{After, Effect, Pending, Phase, Run, Step};
use crate::model::plan::{Next, TargetPlan};
use crate::model::record::{Intent, IntentAction, Over, Revert};
use crate::model::timing::later;
use crate::model::{
    Act, Counting, ObjectKind, ObjectRef, Observed, Protect, Record, SecretName, Target, Versions, Write,
};
use crate::plan::{self, flapping};
use crate::replicate;

/// The effects of a write on other users.
pub(super) struct Aims {
    /// The fields that other users changed and that it sets back.
    pub reverts: Vec<Revert>,
    /// Whether it switches off a feature that visitors use.
    pub off: bool,
}

/// Whether writing these targets switches off a feature that visitors use.
pub(super) fn is_off(targets: &[&TargetPlan]) -> bool {
    targets.iter().flat_map(|target| &target.changes).any(|change| change.loss == Some(Protect::Off))
}

impl Run {
    /// Writes, or first reads once more if versions are not enforced: then the time between the read and the
    /// write must be short.
    pub(super) fn put(self, targets: &[&TargetPlan], now: Timestamp) -> Step {
        let places: Vec<usize> = targets.iter().filter_map(|target| self.place_of(&target.target)).collect();
        let is_read = |at: &usize| self.is_fresh(*at, now);
        if self.able().versions == Versions::Unenforced && !places.iter().any(is_read) {
            let places = self.to_be_made_with(places);
            return self.read_alone(places);
        }
        self.intend_puts(targets, now)
    }

    /// Returns these targets and, if one of them is to be created, every other object of its kind and
    /// organization that is to be created: one listing shows for all of them that the name is free.
    fn to_be_made_with(&self, places: Vec<usize>) -> Vec<usize> {
        let kind_made_at = |at: &usize| {
            let planned = self.plan.as_ref()?.targets.get(*at)?;
            let is_to_be_made = planned.next == Some(Next::Store) && self.id_of(&planned.target).is_none();
            is_to_be_made.then_some(planned.target.object.kind)
        };
        let kinds: BTreeSet<ObjectKind> = places.iter().filter_map(kind_made_at).collect();
        let Some(side) = places.first().map(|first| self.side(*first)).filter(|_| !kinds.is_empty()) else {
            return places;
        };
        let others = side.filter(|other| !places.contains(other));
        let others = others.filter(|other| kind_made_at(other).is_some_and(|kind| kinds.contains(&kind)));
        let others: Vec<usize> = others.take(replicate::BEGUN_MAX.saturating_sub(places.len())).collect();
        [places, others].concat()
    }

    fn secret_of(&self, target: &Target) -> Option<SecretName> {
        self.spec.resources.iter().find(|resource| resource.object == target.object)?.secret.clone()
    }

    fn intend_puts(mut self, targets: &[&TargetPlan], now: Timestamp) -> Step {
        let (mut writes, mut records) = (Vec::new(), Vec::new());
        for target in targets {
            let (intent, write) = self.intend_put(target, now);
            writes.push((intent.id, write));
            records.push(Record::Intent(intent));
        }
        self.fresh.clear();
        self.go(Phase::Intending(Pending::Puts(writes)), Effect::Save(records))
    }

    fn intend_put(&mut self, target: &TargetPlan, now: Timestamp) -> (Intent, Write) {
        let at = self.place_of(&target.target);
        let act = if target.next == Some(Next::Publish) { Act::Publish } else { Act::Store };
        let id = self.id_of(&target.target);
        let creates = self.able().gives_ids && id.is_none();
        let write = Write {
            target: target.target.clone(),
            if_match: target.version,
            body: plan::next::sent(target),
            deadline: later(now, self.spec.timing.write_ms.into()),
            act,
            id,
            secret: self.secret_of(&target.target),
        };
        let over = at
            .filter(|_| !self.able().keeps_history && act == Act::Store)
            .and_then(|at| self.over(at, target, &write.body));
        let action = IntentAction::Put {
            target: write.target.clone(),
            if_match: write.if_match,
            body: Arc::clone(&write.body),
            act,
            over,
        };
        if let (Some((_, places)), Some(at)) = (&mut self.unlisted, &at) {
            places.remove(at);
        }
        let timing = self.spec.timing;
        // A second creation would make a second object or version, so a lost answer is resolved only once the
        // object is sure to be visible. The same holds for objects that count by content.
        let by_content = target.target.object.kind.counting() == Counting::Contents;
        let appears_ms = if creates || act == Act::Publish || by_content { timing.appear_ms } else { 0 };
        let window_ms = u64::from(timing.write_ms) + u64::from(timing.settle_ms) + u64::from(appears_ms);
        let mut reverts = flapping::reverts(&[target], now);
        if target.target.object.kind.is_written_by_field() {
            let sent = |field: &str| write.body.contains_key(field.split('.').next().unwrap_or_default());
            reverts.retain(|revert| sent(&revert.path));
        }
        let off = is_off(&[target]);
        (self.intend(action, Aims { reverts, off }, window_ms, now), write)
    }

    /// Returns what a write to the n-th target overwrites, and its author.
    fn over(&self, at: usize, planned: &TargetPlan, sent: &Map<String, Value>) -> Option<Over> {
        let Some(Observed::Present(stored)) = self.observed.get(at) else { return None };
        let object = self.targets.get(at)?.object_ref();
        let base_of = |object: &ObjectRef| self.journal.0.bases.get(object);
        let own = &self.spec.own_clients;
        let (body, by, ours) = match stored.draft() {
            Some(draft) => {
                let base = object.draft().and_then(|draft| base_of(&draft));
                (
                    &draft.body,
                    &draft.modified_by,
                    plan::next::is_ours(object.object.kind, draft, base, Some(own)),
                )
            }
            None => {
                let part = |body: &Arc<Map<String, Value>>| plan::next::written(body, sent, &planned.target);
                let known = base_of(&object).is_some_and(|base| match object.object.kind.counting() {
                    Counting::Contents => part(&base.body) == part(&stored.body),
                    Counting::Versions | Counting::Moments => base.version == stored.version,
                });
                (&stored.body, &stored.modified_by, known)
            }
        };
        let theirs = by.as_ref().filter(|actor| !own.contains(&actor.id));
        // The object may not name its author although the audit log does. The changes of a plan say nothing
        // of a draft.
        let reported = || {
            let by_field = object.object.kind.is_written_by_field();
            let of_field =
                |path: &str| !by_field || sent.contains_key(path.split('.').next().unwrap_or_default());
            let mut changes = planned.changes.iter().filter(|change| of_field(&change.path));
            changes
                .find_map(|change| Some(change.by()?.actor.label().into_owned()))
                .filter(|_| stored.draft().is_none())
        };
        // Other programs leave no name.
        let by = match (theirs, ours) {
            (Some(actor), _) => Some(plan::next::name_of(actor, self.entries.values().flatten())),
            (None, false) => reported().or_else(|| Some("another user".to_owned())),
            (None, true) => None,
        };
        let body = plan::next::written(body, sent, &planned.target);
        // An empty body has no author.
        let by = by.filter(|_| !body.is_empty());
        Some(Over { body, by })
    }

    /// Adds an intent to the journal and returns it.
    pub(super) fn intend(
        &mut self,
        action: IntentAction,
        Aims { reverts, off }: Aims,
        window_ms: u64,
        now: Timestamp,
    ) -> Intent {
        let intent = Intent {
            id: self.journal.0.last_intent + 1,
            revision: self.spec.revision.clone(),
            action,
            sent_at: now,
            deadline: later(now, window_ms),
            reverts,
            off,
        };
        self.journal.0.absorb(Record::Intent(intent.clone()));
        intent
    }

    /// Removes intents that were not saved and will not be, so that the journal equals the durable one.
    pub(super) fn withdraw(&mut self, pending: &Pending) {
        let journal = &mut self.journal.0;
        journal.last_intent = journal.last_intent.saturating_sub(pending.intents() as u64);
        let last = journal.last_intent;
        journal.unresolved.retain(|open| open.id <= last);
    }

    /// Plans writes again that queued for long before their intents were saved. An object whose read is still
    /// recent is not read again; for an object to be created, the time of its listing decides.
    pub(super) fn intend_again(mut self, pending: &Pending, now: Timestamp) -> Step {
        self.withdraw(pending);
        let is_recent = self.asked_at.is_some_and(|asked_at| self.is_lately(asked_at, now));
        // With enforced versions everything is read again; without them, each write has its own read before
        // it.
        if !is_recent && self.able().versions == Versions::Enforced {
            return self.read_again();
        }
        let places = pending.targets();
        let (absent, known): (Vec<usize>, Vec<usize>) = places
            .iter()
            .filter_map(|target| self.place_of(target))
            .partition(|at| self.observed.get(*at) == Some(&Observed::Absent));
        if let Some((_, unlisted)) = &mut self.unlisted {
            unlisted.extend(absent);
        }
        if is_recent {
            self.fresh.extend(known);
        }
        self.closed(After::GoOn, now)
    }

    /// The targets of the writes that leave once their intents are saved; none if no intent is about to be
    /// saved.
    pub fn about_to_send(&self) -> Vec<Target> {
        match &self.phase {
            Phase::Intending(pending) => pending.targets(),
            _ => Vec::new(),
        }
    }

    /// Sends the writes. Their intents are durable now, and no write may leave before that.
    pub(super) fn send(self, pending: Pending) -> Step {
        let effect = match &pending {
            Pending::Puts(writes) => Effect::Write(writes.iter().map(|(_, write)| write.clone()).collect()),
            Pending::Job(_, start, _) => Effect::StartJob(start.clone()),
        };
        self.go(Phase::Sending(pending), effect)
    }
}
