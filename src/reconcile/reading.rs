//! Reading: each side, and again where an answer is older than what is known.

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

/// A look at several objects that takes longer than this is followed by one at fewer.
const BRISK_MS: u64 = 1_000;

/// Whether what was read holds what was last written, as far as only that can tell.
fn shows(target: &Target, made: &Made, observed: &Observed) -> bool {
    made.unseen
        .as_ref()
        .is_none_or(|body| plan::canonical::covers(target.object.kind, body, &observed.body()))
}

impl Run {
    /// Waits out what an earlier run left unresolved, then reads.
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
            // Nothing is on its way: a newer commit may go ahead.
            (None, Some((object, until))) => {
                self.go(Phase::Waiting, Effect::WakeAt(until)).noting(Note::NotShown { object })
            }
            (None, None) => self.read_all(),
        }
    }

    /// How long after it was sent a write may not be seen yet.
    fn unseen_ms(&self) -> u64 {
        u64::from(self.spec.timing.write_ms) + u64::from(self.spec.timing.appear_ms)
    }

    /// What an earlier run wrote last of the objects that only their content tells from an earlier state, where it ended
    /// before it kept what it had written; and until when an old answer can't be told from another user's change. A clock
    /// that was ahead then is waited for no longer than any other.
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

    /// What an earlier run wrote to an object that only its content tells from an earlier state, for as long as an answer
    /// may be older than that.
    fn written_lately(&self, object: &ObjectRef, now: Timestamp) -> Option<&Arc<Map<String, Value>>> {
        if object.object.kind.counting() != Counting::Contents {
            return None;
        }
        let base = self.journal.0.bases.get(object)?;
        let at = Timestamp::from_millisecond(i64::try_from(base.onto).ok()?).ok()?;
        // Another clock may have been ahead, or this one was set back.
        let apart_ms = elapsed_ms(at, now).max(elapsed_ms(now, at));
        (apart_ms < self.unseen_ms()).then_some(&base.body)
    }

    /// Starts a round: of what was touched alone where nothing else was, else of everything.
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

    /// Reads some objects of one organization, of those that were read before.
    pub(super) fn read_alone(mut self, places: Vec<usize>) -> Step {
        let Some(first) = places.first().copied() else { return self.read_all() };
        (self.focus, self.fresh) = (places, BTreeSet::new());
        self.read(ReadSpan { from: first, to: first + 1, end: first + 1 })
    }

    /// The places of what a round reads next.
    fn places(&self, span: ReadSpan) -> Vec<usize> {
        if self.focus.is_empty() { (span.from..span.to).collect() } else { self.focus.clone() }
    }

    fn read(self, span: ReadSpan) -> Step {
        let Some(first) = self.targets.get(span.from) else {
            return self.degrade(Fault::new(FaultKind::Local, "git says nothing of it"));
        };
        let target = first.of(Object::implied());
        let alone = !self.focus.is_empty();
        let sought = |target: &Target| Sought {
            object: target.object.clone(),
            // Among many it is found by its name, so that a second one of that name is seen.
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

    /// The versions that the n-th target may pin, as far as they were read: the one that it did, and the newest one of
    /// what it refers to. A version never changes, and is deleted only with its configuration, which is read by itself.
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

    /// The id of an object, as it was seen or made in this run.
    pub(super) fn id_of(&self, target: &Target) -> Option<Arc<str>> {
        let seen = || match self.observed.get(self.place_of(target)?)? {
            Observed::Present(stored) => stored.id().cloned(),
            Observed::Absent => None,
        };
        let made = || self.made.get(&target.object_ref())?.id.clone();
        seen().or_else(made)
    }

    /// The ids of some objects, for the audit log.
    pub(super) fn ids_of(&self, targets: &[Target]) -> BTreeMap<ObjectRef, Arc<str>> {
        targets.iter().filter_map(|target| Some((target.object_ref(), self.id_of(target)?))).collect()
    }

    pub(super) fn take_in(mut self, span: ReadSpan, seen: Seen, now: Timestamp) -> Step {
        let places = self.places(span);
        let targets: Vec<Target> = places.iter().filter_map(|at| self.targets.get(*at)).cloned().collect();
        if targets.len() != seen.objects.len() {
            return self.degrade(Fault::new(FaultKind::Local, "the answer is to another question"));
        }
        for (at, (target, observed)) in places.iter().copied().zip(targets.iter().zip(&seen.objects)) {
            if self.is_behind(target, observed, now) {
                let message = format!("{target} does not show yet what was written");
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
                    "{target} keeps answering with something older than {}, which was applied; if it was deleted and made again, run with --allow recreate",
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
        // A deployment says what git says once what it pins does: both are known where a side is complete.
        notes.extend(places.into_iter().flat_map(|at| self.note_served(at, now)));
        let step = if span.to < span.end {
            let to = self.side(span.to).end;
            self.read(ReadSpan { from: span.to, to, end: span.end })
        } else {
            self.resolve(now)
        };
        step.noting_all(notes)
    }

    /// Takes in what a listing did not show, of what is to be made, and how long the look took.
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

    /// Whether an object that only its content tells from an earlier state does not show our last write yet. For as long
    /// as that may take, the answer is taken for an old one.
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

    /// Remembers that our last write of an object was seen: what differs from it after that is another user's.
    fn note_shown(&mut self, target: &Target, observed: &Observed) {
        if let Some(made) = self.made.get_mut(&target.object_ref())
            && shows(target, made, observed)
        {
            made.unseen = None;
        }
    }

    /// What was seen a moment ago and is not found by its id any more is no reason to make it anew: that answer may be
    /// older than the other, and whether somebody deleted it is told by the next look at everything.
    fn vanished(&self, targets: &[Target], seen: &Seen) -> Option<Fault> {
        let was_there = |at: &usize| self.observed.get(*at).is_some_and(|known| *known != Observed::Absent);
        let looked_at = self.focus.iter().zip(targets.iter().zip(&seen.objects));
        let mut vanished = looked_at.filter(|(at, (_, seen))| **seen == Observed::Absent && was_there(at));
        let (_, (target, _)) = vanished.next()?;
        let message = format!("{target} was there a moment ago and is not found any more");
        Some(Fault::new(FaultKind::Transient, message))
    }

    /// Looks at everything again, so that it is known whether somebody deleted what was not found by its id. Listings
    /// that go on showing it are no success: this is counted for the whole run.
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

    /// Whether another object goes by the name now: no stale answer, and for a guard to tell.
    fn is_another(&self, object: &ObjectRef, observed: &Observed) -> bool {
        let known = self.journal.0.bases.get(object).and_then(|base| base.id.as_ref());
        let Observed::Present(stored) = observed else { return false };
        known.is_some_and(|known| stored.id().is_some_and(|id| id != known))
    }

    /// The moment of the draft that is known to exist, where what was read is older: nothing may be planned from
    /// that either. A draft that is published is no draft any more.
    fn draft_floor(&self, target: &Target, observed: &Observed) -> Option<u64> {
        let object = target.object_ref();
        if self.is_another(&object, observed) {
            return None;
        }
        let draft = self.journal.0.bases.get(&object.draft()?)?;
        let known = draft.version;
        // Made by this run; what an earlier one made may have been published, replaced or deleted since.
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
            // Nor is it made a second time, where an earlier run died before it could see what it had made.
            Observed::Absent => {
                let unseen = made || !self.journal.0.bases.contains_key(&object);
                (unseen && !self.spec.limits.allowed.contains(&Guard::Recreate)).then_some(known)
            }
        }
    }

    /// The version that is known to exist, because the server acknowledged it to this run or an earlier one:
    /// an answer older than it is a stale one, and nothing may be planned from it. Somebody may have deleted
    /// the configuration and made another, whose versions start anew: `--allow recreate` says that it is so.
    fn floor(&self, object: &ObjectRef, observed: &Observed) -> Option<u64> {
        if self.is_another(object, observed) || object.object.kind.counting() == Counting::Contents {
            return None;
        }
        let ours = |receipt: &&Receipt| receipt.speaks_of(object, receipt.version);
        let acknowledged = self.receipts.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = self.journal.0.bases.get(object).map(|base| base.version);
        // What an earlier run was told, and died before it could keep it as base.
        let earlier = self.journal.0.owed.iter().filter(ours).map(|receipt| receipt.version).max();
        let base = base.max(earlier);
        // What we knew as applied and is not there is for the guard to tell; what we never saw may not be seen yet.
        let lags = object.object.kind.capabilities().gives_ids;
        let guarded = !lags || self.journal.0.bases.contains_key(object);
        let recreated =
            self.spec.limits.allowed.contains(&Guard::Recreate) || *observed == Observed::Absent && guarded;
        acknowledged.max(base.filter(|_| !recreated))
    }

    /// Measures how long an organization took to serve what was asked for, the first time that it does.
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
            // What a person has to mend is none the better for leaving its region out.
            FaultKind::Denied | FaultKind::NotFound | FaultKind::Rejected | FaultKind::Local => {
                self.degrade(fault)
            }
        }
    }

    /// Reads again what was made a moment ago: for as long as that may take to show, it is no failure.
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

    /// Waits, then starts a new round; after too many failures in a row, one without the organization that fails.
    fn try_again(mut self, at: usize, fault: Fault, now: Timestamp) -> Step {
        let timing = self.spec.timing;
        let throttled = fault.kind == FaultKind::Throttled;
        let (attempt, spent) = self.failed_to_read(at, throttled);
        let spent = spent || fault.given_up;
        let wait_ms = self.wait_ms(attempt, fault.retry_after_ms);
        // The server may ask for longer than a run lasts: then this run ends, and a later one comes back.
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
