//! Reading: reads each organization, and reads again if an answer is older than the known state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::note::version_of;
use super::{Effect, Made, Note, Phase, ReadSpan, Run, Step};
use crate::model::timing::{elapsed_ms, later};
use crate::model::{
    Counting, Fault, FaultKind, Guard, Look, Object, ObjectRef, Observed, Pinned, Published, Receipt, Seen,
    Sought, Target, json,
};
use crate::plan;

/// A read of several objects that takes longer than this, in ms, is followed by a read of fewer objects.
const BRISK_MS: u64 = 1_000;

/// Whether the read state contains the last write, for objects that count by content.
fn shows(target: &Target, made: &Made, observed: &Observed) -> bool {
    made.unseen
        .as_ref()
        .is_none_or(|body| plan::canonical::covers(target.object.kind, body, &observed.body()))
}

impl Run {
    /// Waits for the unresolved writes of an earlier run, then reads.
    pub(super) fn begin(self, now: Timestamp) -> Step {
        let intents = self.journal.0.unresolved.len();
        let open = self.journal.0.unresolved.iter().map(|intent| intent.deadline).max();
        let open = open.filter(|until| *until > now);
        let unkept = self.unkept(now).filter(|(_, until)| *until > now);
        match (open, unkept) {
            (Some(open), unkept) => {
                let until = unkept.map_or(open, |(_, shown)| open.max(shown));
                self.go(Phase::Settling, Effect::WakeAt(until)).noting(Note::Settling { intents, until })
            }
            // No write is under way: a newer commit may supersede the run.
            (None, Some((object, until))) => {
                self.go(Phase::Waiting, Effect::WakeAt(until)).noting(Note::NotShown { object })
            }
            (None, None) => self.read_all(),
        }
    }

    /// How long a write may stay invisible after it was sent, in ms.
    fn unseen_ms(&self) -> u64 {
        u64::from(self.spec.timing.write_ms) + u64::from(self.spec.timing.appear_ms)
    }

    /// The last write of an earlier run to an object that counts by content, if that run ended before it
    /// saved a base; and until when a stale answer looks the same as another user's change. The wait is
    /// limited, because the clock of the earlier run may have been ahead.
    fn unkept(&self, now: Timestamp) -> Option<(ObjectRef, Timestamp)> {
        let journal = &self.journal.0;
        let is_kept = |receipt: &Receipt| {
            let base = journal.bases.get(&receipt.target.object_ref());
            base.is_some_and(|base| base.onto >= receipt.sent_at.as_millisecond().unsigned_abs())
        };
        let by_content = |receipt: &&Receipt| receipt.target.object.kind.counting() == Counting::Contents;
        let unkept = journal.owed.iter().filter(by_content).filter(|receipt| !is_kept(receipt));
        let last = unkept.max_by_key(|receipt| receipt.sent_at)?;
        let until = later(last.sent_at, self.unseen_ms()).min(later(now, self.unseen_ms()));
        Some((last.target.object_ref(), until))
    }

    /// The last write of an earlier run to an object that counts by content, while an answer may still be
    /// older than that write.
    fn written_lately(&self, object: &ObjectRef, now: Timestamp) -> Option<&Arc<Map<String, Value>>> {
        if object.object.kind.counting() != Counting::Contents {
            return None;
        }
        let base = self.journal.0.bases.get(object)?;
        let at = Timestamp::from_millisecond(i64::try_from(base.onto).ok()?).ok()?;
        // The other clock may have been ahead, or the local clock may have been set back.
        let apart_ms = elapsed_ms(at, now).max(elapsed_ms(now, at));
        (apart_ms < self.unseen_ms()).then_some(&base.body)
    }

    /// Starts a round: reads only the touched objects if there are any, otherwise everything.
    pub(super) fn read_again(self) -> Step {
        let is_known = self.observed.len() == self.targets.len();
        let focus = self.focus.clone();
        if focus.is_empty() || !is_known { self.read_all() } else { self.read_alone(focus) }
    }

    /// Starts a round: reads the primary, then each replica.
    pub(super) fn read_all(mut self) -> Step {
        self.observed.clear();
        self.entries.clear();
        self.stale = None;
        self.attributed = false;
        (self.focus, self.fresh, self.unlisted) = (Vec::new(), BTreeSet::new(), None);
        let (to, end) = (self.side(0).end, self.targets.len());
        self.read(ReadSpan { from: 0, to, end })
    }

    /// Reads some objects of one organization that were read before.
    pub(super) fn read_alone(mut self, places: Vec<usize>) -> Step {
        let Some(first) = places.first().copied() else { return self.read_all() };
        (self.focus, self.fresh) = (places, BTreeSet::new());
        self.read(ReadSpan { from: first, to: first + 1, end: first + 1 })
    }

    /// The places of the objects that a round reads next.
    fn places(&self, span: ReadSpan) -> Vec<usize> {
        if self.focus.is_empty() { (span.from..span.to).collect() } else { self.focus.clone() }
    }

    fn read(self, span: ReadSpan) -> Step {
        let Some(first) = self.targets.get(span.from) else {
            return self.degrade(Fault::new(FaultKind::Local, "the run has no object to read"));
        };
        let target = first.of(Object::implied());
        let alone = !self.focus.is_empty();
        let sought = |target: &Target| Sought {
            object: target.object.clone(),
            // In a full read an object is found by its name, so that a second object of that name is seen.
            id: alone.then(|| self.id_of(target)).flatten(),
            sighting: self.sighting(target).filter(|_| !alone),
        };
        let targets = self.places(span).into_iter().filter_map(|at| self.targets.get(at));
        let sought = targets.map(sought).collect();
        let references = if alone { Arc::default() } else { Arc::clone(&self.references) };
        let published = match alone {
            true => self.focus.iter().flat_map(|at| self.published(*at)).collect(),
            false => Vec::new(),
        };
        self.go(Phase::Reading(span), Effect::Observe(Look { target, sought, references, published }))
    }

    /// The versions that the n-th target may pin and that were read: the one it pinned, and the newest one of
    /// the configuration it refers to. A version never changes, and is deleted only together with its
    /// configuration.
    fn published(&self, at: usize) -> Vec<Published> {
        let stored_at = |at: usize| match self.observed.get(at)? {
            Observed::Present(stored) => Some(stored),
            Observed::Absent => None,
        };
        let pinned = || {
            let path = self.targets.get(at)?.object.kind.pins()?;
            let stored = stored_at(at)?;
            let Pinned { version, body } = stored.instance.as_ref()?.pinned.clone()?;
            let id = json::at_dotted(&stored.body, path)?.get("id")?.as_str()?;
            Some(Published { id: id.into(), version: version?, body: body? })
        };
        let newest = |at: usize| {
            self.targets.get(at).filter(|target| target.object.kind.has_drafts())?;
            let stored = stored_at(at).filter(|stored| stored.version > 0)?;
            let (version, body) = (stored.version, Arc::clone(&stored.body));
            Some(Published { id: Arc::clone(stored.id()?), version, body })
        };
        let side = self.side(at).start;
        let needed = self.needs.needs_of(at - side).iter().filter_map(|needed| newest(side + needed));
        pinned().into_iter().chain(needed).collect()
    }

    /// The id of an object, as read or created by this run.
    pub(super) fn id_of(&self, target: &Target) -> Option<Arc<str>> {
        let seen = || match self.observed.get(self.place_of(target)?)? {
            Observed::Present(stored) => stored.id().cloned(),
            Observed::Absent => None,
        };
        let made = || self.made.get(&target.object_ref())?.id.clone();
        seen().or_else(made)
    }

    /// The ids of some objects, for queries of the audit log.
    pub(super) fn ids_of(&self, targets: &[Target]) -> BTreeMap<ObjectRef, Arc<str>> {
        targets.iter().filter_map(|target| Some((target.object_ref(), self.id_of(target)?))).collect()
    }

    pub(super) fn take_in(mut self, span: ReadSpan, seen: Seen, now: Timestamp) -> Step {
        let places = self.places(span);
        let targets: Vec<Target> = places.iter().filter_map(|at| self.targets.get(*at)).cloned().collect();
        if targets.len() != seen.objects.len() {
            return self.degrade(Fault::new(FaultKind::Local, "the answer does not match the query"));
        }
        for (at, (target, observed)) in places.iter().copied().zip(targets.iter().zip(&seen.objects)) {
            if self.is_behind(target, observed, now) {
                let message = format!("{target} does not show the last write yet");
                return self.look_again(at, Fault::new(FaultKind::Transient, message), now);
            }
            if !self.made.contains_key(&target.object_ref()) && self.is_old(target, observed, now) {
                return self.look_later(target, now);
            }
            let known = match self.floor(&target.object_ref(), observed) {
                Some(known) if observed.version().is_none_or(|version| version < known) => known,
                _ => match self.draft_floor(target, observed) {
                    Some(known) => known,
                    None => continue,
                },
            };
            let fault = Fault::new(
                FaultKind::Transient,
                format!(
                    "the API returns an older state of {target} than {}, which was applied: run with --allow recreate if the object was deleted and created again",
                    version_of(&target.object, known)
                ),
            );
            let note = Note::Stale { object: target.object_ref(), known };
            return self.look_again(at, fault, now).noting(note);
        }
        if let Some(fault) = self.vanished(&targets, &seen) {
            return self.look_by_name(span.from, fault, now);
        }
        self.answered_well(span);
        for (target, observed) in targets.iter().zip(&seen.objects) {
            self.note_shown(target, observed);
            if self.waiting.contains_key(&target.object_ref()) {
                self.note_look(target, now);
            }
        }
        let alone = !self.focus.is_empty();
        if alone {
            self.note_listing(&places, &seen, now);
        }
        let mut notes = Vec::new();
        for (at, observed) in places.iter().copied().zip(seen.objects) {
            self.stale_at(Some(at));
            notes.extend(self.reveal(at, &observed));
            match self.observed.get_mut(at) {
                Some(known) => *known = observed,
                None => self.observed.push(observed),
            }
        }
        self.fresh = self.focus.iter().copied().collect();
        if let Some(first) = targets.first().filter(|_| !alone) {
            self.names.insert(first.organization.clone(), seen.names);
        }
        // A deployment matches git if the version it pins does: both are known after the whole organization
        // is read.
        notes.extend(places.into_iter().flat_map(|at| self.note_served(at, now)));
        let step = if span.to < span.end {
            let to = self.side(span.to).end;
            self.read(ReadSpan { from: span.to, to, end: span.end })
        } else {
            self.resolve(now)
        };
        step.noting_all(notes)
    }

    /// Records which objects a listing did not contain, and how long the read took.
    fn note_listing(&mut self, places: &[usize], seen: &Seen, now: Timestamp) {
        let asked_at = self.asked_at.unwrap_or(now);
        let absent = places.iter().zip(&seen.objects).filter(|(_, seen)| **seen == Observed::Absent);
        let absent: BTreeSet<usize> = absent.map(|(at, _)| *at).collect();
        if absent.len() > 1 {
            self.unlisted = Some((asked_at, absent));
        }
        if places.len() > 1 {
            let in_flight = self.spec.timing.in_flight.max(1) as usize;
            let is_brisk = elapsed_ms(asked_at, now) <= BRISK_MS;
            self.width = if is_brisk { (self.width + 1).min(in_flight) } else { (self.width / 2).max(1) };
        }
    }

    /// Whether an object that counts by content does not show genesync's last write yet. During `appear_ms`
    /// after the write the answer counts as stale.
    fn is_behind(&self, target: &Target, observed: &Observed, now: Timestamp) -> bool {
        let Some(made) = self.made.get(&target.object_ref()) else { return false };
        let young = elapsed_ms(made.at, now) < u64::from(self.spec.timing.appear_ms);
        young && !shows(target, made, observed)
    }

    /// Whether an object may not show yet what an earlier run wrote.
    fn is_old(&self, target: &Target, observed: &Observed, now: Timestamp) -> bool {
        let written = self.written_lately(&target.object_ref(), now);
        written.is_some_and(|body| !plan::canonical::covers(target.object.kind, body, &observed.body()))
    }

    /// Records that a read showed the last write of an object: a later difference is another user's change.
    fn note_shown(&mut self, target: &Target, observed: &Observed) {
        if let Some(made) = self.made.get_mut(&target.object_ref())
            && shows(target, made, observed)
        {
            made.unseen = None;
        }
    }

    /// Returns a fault for an object that an earlier read found and that is not found by its id any more. It
    /// is not created again: the answer may be stale, and a full read shows whether another user deleted it.
    fn vanished(&self, targets: &[Target], seen: &Seen) -> Option<Fault> {
        let was_there = |at: &usize| self.observed.get(*at).is_some_and(|known| *known != Observed::Absent);
        let looked_at = self.focus.iter().zip(targets.iter().zip(&seen.objects));
        let mut vanished = looked_at.filter(|(at, (_, seen))| **seen == Observed::Absent && was_there(at));
        let (_, (target, _)) = vanished.next()?;
        let message = format!("{target} was in the previous read and is not found any more");
        Some(Fault::new(FaultKind::Transient, message))
    }

    /// Reads everything again, to find out whether another user deleted the object that was not found by its
    /// id. Counted for the whole run, because a listing may keep showing the object.
    fn look_by_name(mut self, at: usize, fault: Fault, now: Timestamp) -> Step {
        let vanished = self.tally.vanished;
        self.tally.vanished += 1;
        if self.tally.vanished >= self.spec.timing.faults_max {
            return self.leave_out(at, fault);
        }
        self.focus.clear();
        let wait_ms = self.wait_ms(vanished, None);
        let note = Note::Retrying { fault, wait_ms };
        self.go(Phase::Waiting, Effect::WakeAt(later(now, wait_ms))).noting(note)
    }

    /// Whether another object now has the name: the answer is not stale, and a guard reports it.
    fn is_another(&self, object: &ObjectRef, observed: &Observed) -> bool {
        let known = self.journal.0.bases.get(object).and_then(|base| base.id.as_ref());
        let Observed::Present(stored) = observed else { return false };
        known.is_some_and(|known| stored.id().is_some_and(|id| id != known))
    }

    /// The moment of the known draft if the read state is older: nothing may be planned from that state. A
    /// published draft is no draft any more.
    fn draft_floor(&self, target: &Target, observed: &Observed) -> Option<u64> {
        let object = target.object_ref();
        if self.is_another(&object, observed) {
            return None;
        }
        let draft = self.journal.0.bases.get(&object.draft()?)?;
        let known = draft.version;
        // Created by this run. A draft of an earlier run may have been published, replaced or deleted since.
        let made = self.made.contains_key(&object);
        match observed {
            Observed::Present(stored) => match stored.draft() {
                Some(seen) => {
                    let seen = seen.modified_at?.as_millisecond().unsigned_abs();
                    (seen < known).then_some(known)
                }
                None => {
                    let published = self.receipts.iter().any(|receipt| receipt.target.object_ref() == object);
                    let before = self.place_of(target).and_then(|at| self.observed.get(at)?.version());
                    let is_it = || plan::canonical::covers(object.object.kind, &draft.body, &stored.body);
                    let as_before = before == Some(stored.version) && !published && !is_it();
                    (made && as_before).then_some(known)
                }
            },
            // It is not created twice if an earlier run died before it could read what it had created.
            Observed::Absent => {
                let unseen = made || !self.journal.0.bases.contains_key(&object);
                (unseen && !self.spec.limits.allowed.contains(&Guard::Recreate)).then_some(known)
            }
        }
    }

    /// The version that is known to exist, because the server acknowledged it to this run or an earlier one:
    /// an older answer is stale, and nothing may be planned from it. Another user may have deleted the
    /// configuration and created a new one, whose versions start at 1 again: `--allow recreate` confirms
    /// that.
    fn floor(&self, object: &ObjectRef, observed: &Observed) -> Option<u64> {
        if self.is_another(object, observed) || object.object.kind.counting() == Counting::Contents {
            return None;
        }
        let ours = |receipt: &&Receipt| receipt.speaks_of(object, receipt.version);
        let acknowledged = self.receipts.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = self.journal.0.bases.get(object).map(|base| base.version);
        // Versions acknowledged to an earlier run that died before it saved the base.
        let earlier = self.journal.0.owed.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = base.max(earlier);
        // A guard reports an applied object that is missing; an object that was never read may not be visible
        // yet.
        let lags = object.object.kind.capabilities().gives_ids;
        let guarded = !lags || self.journal.0.bases.contains_key(object);
        let recreated =
            self.spec.limits.allowed.contains(&Guard::Recreate) || *observed == Observed::Absent && guarded;
        acknowledged.max(base.filter(|_| !recreated))
    }

    /// Measures how long an organization took to serve the change, when it serves it for the first time.
    pub(super) fn note_served(&mut self, at: usize, now: Timestamp) -> Vec<Note> {
        let (Some(target), Some(observed)) = (self.targets.get(at), self.observed.get(at)) else {
            return Vec::new();
        };
        self.served(&target.clone(), at, &observed.clone(), now).into_iter().collect()
    }

    pub(super) fn served(
        &mut self,
        target: &Target,
        at: usize,
        observed: &Observed,
        now: Timestamp,
    ) -> Option<Note> {
        let object = target.object_ref();
        let receipt = self.receipts.iter().rfind(|receipt| receipt.speaks_of(&object, receipt.version))?;
        let latency_ms = elapsed_ms(receipt.sent_at, now);
        let evidence = plan::Evidence::default();
        let in_sync =
            plan::diff::changes(target.object.kind, &self.desired(at), observed, &evidence).0.is_empty();
        if !in_sync || self.served_ms.contains_key(&object) {
            return None;
        }
        self.served_ms.insert(object.clone(), latency_ms);
        Some(Note::Served { object, region: target.region, latency_ms })
    }

    pub(super) fn read_failed(self, at: usize, fault: Fault, now: Timestamp) -> Step {
        match fault.kind {
            FaultKind::Transient | FaultKind::Throttled => self.try_again(at, fault, now),
            // A person has to fix these faults; leaving out the region does not help.
            FaultKind::Denied | FaultKind::NotFound | FaultKind::Rejected | FaultKind::Local => {
                self.degrade(fault)
            }
        }
    }

    /// Reads again an object that was just written: during `appear_ms`, a missing object is no failure.
    fn look_again(mut self, at: usize, fault: Fault, now: Timestamp) -> Step {
        let appear_ms = u64::from(self.spec.timing.appear_ms);
        let timing = self.spec.timing;
        let object = self.targets.get(at).map(Target::object_ref);
        match object.and_then(|object| self.made.get_mut(&object)) {
            Some(made) if elapsed_ms(made.at, now) < appear_ms => {
                let wait_ms = timing.poll(made.polls);
                made.polls += 1;
                self.go(Phase::Waiting, Effect::WakeAt(later(now, wait_ms)))
            }
            _ => self.try_again(at, fault, now),
        }
    }

    /// Waits, then starts a new round; after too many failures in a row, a round without the failing
    /// organization.
    fn try_again(mut self, at: usize, fault: Fault, now: Timestamp) -> Step {
        let timing = self.spec.timing;
        let throttled = fault.kind == FaultKind::Throttled;
        let (attempt, spent) = self.failed_to_read(at, throttled);
        let spent = spent || fault.given_up;
        let wait_ms = self.wait_ms(attempt, fault.retry_after_ms);
        // The server may ask for a longer wait than a run lasts: this run ends, and a later run reads again.
        if spent || wait_ms > u64::from(timing.backoff_max_ms) * 2 {
            return self.leave_out(at, fault);
        }
        let note = if throttled { Note::Throttled { wait_ms } } else { Note::Retrying { fault, wait_ms } };
        let until = later(now, wait_ms);
        self.go(Phase::Waiting, Effect::WakeAt(until)).noting(note)
    }

    pub(super) fn wait_ms(&mut self, attempt: u32, retry_after_ms: Option<u64>) -> u64 {
        self.tally.waits += 1;
        let seed = self.spec.seed.wrapping_add(u64::from(self.tally.waits) << 32);
        self.spec.timing.backoff(attempt, retry_after_ms, seed)
    }
}
