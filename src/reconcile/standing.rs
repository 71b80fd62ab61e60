//! Waiting for the platform: an object that is not active yet waits, while other objects continue.
//!
//! A published version, or a written deployment, becomes active some time later. genesync measures that time
//! on the first objects and reads the others after that time.

use jiff::Timestamp;

use super::{After, Effect, End, Note, Phase, Run, Step, Waiting, Wrote};
use crate::model::plan::{Next, TargetPlan};
use crate::model::timing::{elapsed_ms, later};
use crate::model::{Counting, Fault, FaultKind, ObjectRef, Observed, Plan, Readiness, Stored, Target};
use crate::replicate::{self, Work};

impl Run {
    /// Returns the next work of the plan.
    pub(super) fn due<'a>(&self, plan: &'a Plan, now: Timestamp) -> Option<Work<'a>> {
        let object_at = |at: usize| self.targets.get(at).map(Target::object_ref);
        let begun = |at| object_at(at).is_some_and(|object| self.made.contains_key(&object));
        let look_at = |at| {
            let waited = self.waiting.get(&object_at(at)?)?;
            // After the maximum wait, other objects come first.
            Some(if self.is_spent(waited) { Timestamp::MAX } else { waited.look_at })
        };
        let (stopped, guarded) = (self.stopped_places(plan), self.guarded_places(plan));
        let course = replicate::Course {
            needs: &self.needs,
            job_tried: self.job_tried,
            fresh: &self.fresh,
            is_stopped: &|at| stopped.contains(&at),
            is_guarded: &|at| guarded.contains(&at),
            width: self.width,
            is_unlisted: &|at| self.is_unlisted(at, now),
            begun: &begun,
            look_at: &look_at,
            now,
        };
        replicate::due(plan, self.able().copies, &course)
    }

    /// Whether the last read of the n-th target is recent enough to write it.
    pub(super) fn is_fresh(&self, at: usize, now: Timestamp) -> bool {
        self.fresh.contains(&at) || self.is_unlisted(at, now)
    }

    fn is_unlisted(&self, at: usize, now: Timestamp) -> bool {
        let unlisted = self.unlisted.as_ref();
        unlisted.is_some_and(|(asked_at, places)| places.contains(&at) && self.is_lately(*asked_at, now))
    }

    /// Whether a read is recent enough for a write. The clock may have been set back since.
    pub(super) fn is_lately(&self, asked_at: Timestamp, now: Timestamp) -> bool {
        let apart_ms = elapsed_ms(asked_at, now).max(elapsed_ms(now, asked_at));
        apart_ms <= u64::from(self.spec.timing.plan_ms)
    }

    /// Whether the maximum wait for an object is over.
    fn is_spent(&self, waited: &Waiting) -> bool {
        let ready_ms = u64::from(self.spec.timing.ready_ms);
        waited.looked_at.is_some_and(|looked_at| elapsed_ms(waited.since, looked_at) >= ready_ms)
    }

    /// Starts to wait for objects that are not active yet, and measures the time of those that are.
    pub(super) fn stand_back(&mut self, plan: &Plan, now: Timestamp) -> Vec<Note> {
        let (mut notes, stopped) = (Vec::new(), self.stopped_places(plan));
        for (at, target) in plan.targets.iter().enumerate() {
            let object = target.target.object_ref();
            if target.next != Some(Next::Wait) && !self.holds_up(plan, at) {
                self.learn_from(&object, target.version, now);
            } else if !self.waiting.contains_key(&object) && !stopped.contains(&at) {
                let made = self.wrote_last(&object, target.version);
                let look_at = self.first_look_at(&object, made, now);
                let waited = Waiting { since: now, looked_at: Some(now), look_at, polls: 1, made };
                self.waiting.insert(object.clone(), waited);
                // Reported once, because this follows every write.
                notes.push(Note::NotReady { object });
            }
        }
        notes
    }

    /// When to read an object that is not active yet. Until the time of the platform is known, the first
    /// object of a kind is read often and the others wait for it.
    fn first_look_at(&self, object: &ObjectRef, made: Wrote, now: Timestamp) -> Timestamp {
        // An object that another user wrote is waited for too, but gives no measured time.
        let made_at = self.made.get(object).map(|made| made.at);
        let learned = self.active_ms.get(&(object.object.kind, made));
        let is_looked_at = |(other, waited): (&ObjectRef, &Waiting)| {
            other.object.kind == object.object.kind && waited.made == made && waited.looked_at.is_some()
        };
        let is_first = !self.waiting.iter().any(is_looked_at);
        match made_at.zip(learned) {
            Some((made_at, active_ms)) => later(made_at, *active_ms).max(now),
            None if is_first => later(now, self.spec.timing.poll(0)),
            None => later(now, self.spec.timing.poll_max_ms.into()),
        }
    }

    /// Whether the n-th target matches git but is not active yet, and an object to be written refers to it:
    /// an earlier run or another user wrote it.
    fn holds_up(&self, plan: &Plan, at: usize) -> bool {
        let owes = |at: usize| plan.targets.get(at).is_some_and(|target| target.next.is_some());
        let side = self.side(at).start;
        let is_pending = match self.observed.get(at) {
            Some(Observed::Present(Stored { instance: Some(instance), .. })) => {
                instance.readiness == Readiness::Pending
            }
            _ => false,
        };
        is_pending && !owes(at) && self.needs.dependents_of(at - side).iter().any(|one| owes(side + one))
    }

    /// Whether an object was not read since its last write, because it cannot be active yet.
    pub(super) fn is_unread(&self, object: &ObjectRef) -> bool {
        self.waiting.get(object).is_some_and(|waited| waited.looked_at.is_none())
    }

    /// The kind of this run's last write to an object.
    fn wrote_last(&self, object: &ObjectRef, version: Option<u64>) -> Wrote {
        let is_draft = self.drafted.get(object) == Some(&version.unwrap_or(0));
        if is_draft { Wrote::Draft } else { Wrote::Served }
    }

    /// Returns what follows after an intent is resolved: a read at once, or a read after the known time that
    /// the platform needs for an object of this kind.
    pub(super) fn after_write(&mut self, object: &ObjectRef, made: Wrote, now: Timestamp) -> After {
        // Only a read shows whether there is still something to write.
        let is_in_doubt = self.overwrote.contains(object) || self.mixed.contains_key(object);
        let kind = object.object.kind;
        let is_another = |own: &ObjectRef| own.object.kind == kind && own != object;
        let is_first = || match made {
            Wrote::Draft => !self.drafted.keys().any(is_another),
            Wrote::Served => !self.own_versions.iter().any(|(own, _)| is_another(own)),
        };
        let wait_ms = match self.active_ms.get(&(kind, made)) {
            // Only a read shows the state of an object that has no id or counts by content.
            _ if is_in_doubt || !self.able().gives_ids || kind.counting() == Counting::Contents => {
                return After::Read;
            }
            Some(active_ms) => *active_ms,
            None if is_first() => return After::Read,
            // It is read after the first object shows how long the platform takes.
            None => self.spec.timing.poll_max_ms.into(),
        };
        let waited = Waiting { since: now, looked_at: None, look_at: later(now, wait_ms), polls: 1, made };
        self.waiting.insert(object.clone(), waited);
        After::GoOn
    }

    fn learn_from(&mut self, object: &ObjectRef, version: Option<u64>, now: Timestamp) {
        let wrote = self.wrote_last(object, version);
        let step = (object.object.kind, wrote);
        let looked_at = match self.waiting.get(object) {
            Some(waited) => waited.looked_at,
            None => Some(now).filter(|_| !self.active_ms.contains_key(&step)),
        };
        let Some(looked_at) = looked_at else { return };
        self.waiting.remove(object);
        // The time of another user's write is not known.
        let is_ours = wrote == Wrote::Draft
            || version.is_some_and(|version| self.own_versions.contains(&(object.clone(), version)));
        let Some(made) = self.made.get(object).filter(|_| is_ours) else { return };
        let took_ms = elapsed_ms(made.at, looked_at);
        let known_ms = self.active_ms.entry(step).or_insert(took_ms);
        *known_ms = (*known_ms).min(took_ms);
        let active_ms = *known_ms;
        // The others of the kind waited for this time.
        let of_step = |other: &ObjectRef, waited: &Waiting| (other.object.kind, waited.made) == step;
        for (other, waited) in self.waiting.iter_mut().filter(|(other, waited)| of_step(other, waited)) {
            if let Some(made) = self.made.get(other).filter(|_| waited.polls <= 1) {
                waited.look_at = waited.look_at.min(later(made.at, active_ms));
            }
        }
    }

    /// Records a read of an object that is waited for. Returns the time of the next read.
    pub(super) fn note_look(&mut self, target: &Target, now: Timestamp) -> Timestamp {
        let timing = self.spec.timing;
        let first = Waiting { since: now, looked_at: None, look_at: now, polls: 0, made: Wrote::Served };
        let waited = self.waiting.entry(target.object_ref()).or_insert(first);
        waited.looked_at = Some(now);
        waited.look_at = later(now, timing.poll(waited.polls));
        waited.polls += 1;
        waited.look_at
    }

    /// Reads later an object that may not show yet what an earlier run wrote. That is no failure; after the
    /// maximum time, a difference is another user's change.
    pub(super) fn look_later(mut self, target: &Target, now: Timestamp) -> Step {
        let object = target.object_ref();
        let is_first = !self.waiting.contains_key(&object);
        let look_at = self.note_look(target, now);
        let step = self.go(Phase::Waiting, Effect::WakeAt(look_at));
        if is_first { step.noting(Note::NotShown { object }) } else { step }
    }

    /// Waits for the due time of objects that are not active yet, then reads them, up to the maximum wait.
    pub(super) fn await_ready(mut self, targets: &[&TargetPlan], now: Timestamp) -> Step {
        let (mut places, mut look_at, mut notes) = (Vec::new(), None::<Timestamp>, Vec::new());
        for target in targets {
            let object = target.target.object_ref();
            let (Some(at), Some(waited)) =
                (self.place_of(&target.target), self.waiting.get(&object).copied())
            else {
                return self.read_all();
            };
            let is_spent = self.is_spent(&waited);
            // Other objects came first: an object whose last read is old is read once more.
            if is_spent && self.fresh.contains(&at) {
                let waited_ms = elapsed_ms(waited.since, waited.looked_at.unwrap_or(now));
                let message = format!("{} is still not active after {waited_ms} ms", target.target);
                let fault = Fault::new(FaultKind::Transient, message);
                notes.push(Note::GaveUp { fault: fault.clone() });
                self.stop(object, End::Degraded(fault));
                continue;
            }
            places.push(at);
            let at_once = if is_spent { now } else { waited.look_at };
            look_at = Some(look_at.map_or(at_once, |known| known.min(at_once)));
        }
        let step = match look_at {
            None => self.proceed(now),
            Some(look_at) => {
                self.focus = places;
                if look_at <= now {
                    self.read_again()
                } else {
                    // A clock that is set back does not extend the wait.
                    let longest_ms =
                        self.active_ms.values().copied().max().max(Some(self.spec.timing.poll_max_ms.into()));
                    let until = look_at.min(later(now, longest_ms.unwrap_or_default()));
                    self.go(Phase::Waiting, Effect::WakeAt(until))
                }
            }
        };
        step.noting_all(notes)
    }
}
