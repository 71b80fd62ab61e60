//! Standing back: what the platform is not done with waits, and other objects go on meanwhile.
//!
//! A version that was published, or a deployment that was written, comes into force some time later. How long that takes
//! is learned from the first ones; the others are looked at after that, and no sooner.

use jiff::Timestamp;

use super::{After, Effect, Note, Phase, Run, Step, Waiting};
use crate::model::plan::{Next, TargetPlan};
use crate::model::timing::{elapsed_ms, later};
use crate::model::{Fault, FaultKind, ObjectRef, Observed, Plan, Readiness, Stored, Target};
use crate::replicate::{self, Work};

impl Run {
    /// What the plan asks for next.
    pub(super) fn due<'a>(&self, plan: &'a Plan, now: Timestamp) -> Option<Work<'a>> {
        let object_at = |at: usize| self.targets.get(at).map(Target::object_ref);
        let begun = |at| object_at(at).is_some_and(|object| self.made.contains_key(&object));
        let look_at = |at| {
            let waited = self.waiting.get(&object_at(at)?)?;
            // Where nothing is to be hoped for any more, others go first.
            Some(if self.is_spent(waited) { Timestamp::MAX } else { waited.look_at })
        };
        let course = replicate::Course {
            needs: &self.needs,
            job_tried: self.job_tried,
            fresh: self.fresh,
            is_unlisted: &|at| self.is_unlisted(at, now),
            begun: &begun,
            look_at: &look_at,
            now,
        };
        replicate::due(plan, self.able().copies, &course)
    }

    /// Whether the n-th target was read so lately that it may be written.
    pub(super) fn is_fresh(&self, at: usize, now: Timestamp) -> bool {
        self.fresh == Some(at) || self.is_unlisted(at, now)
    }

    fn is_unlisted(&self, at: usize, now: Timestamp) -> bool {
        let apart_ms = |asked_at: Timestamp| elapsed_ms(asked_at, now).max(elapsed_ms(now, asked_at));
        let lately = |asked_at: Timestamp| apart_ms(asked_at) <= u64::from(self.spec.timing.plan_ms);
        self.unlisted.as_ref().is_some_and(|(asked_at, places)| places.contains(&at) && lately(*asked_at))
    }

    /// Whether it was waited for as long as that may take.
    fn is_spent(&self, waited: &Waiting) -> bool {
        let ready_ms = u64::from(self.spec.timing.ready_ms);
        waited.looked_at.is_some_and(|looked_at| elapsed_ms(waited.since, looked_at) >= ready_ms)
    }

    /// Takes in what is not active yet, and learns from what is by now.
    pub(super) fn stand_back(&mut self, plan: &Plan, now: Timestamp) -> Vec<Note> {
        let mut notes = Vec::new();
        for (at, target) in plan.targets.iter().enumerate() {
            let object = target.target.object_ref();
            if target.next != Some(Next::Wait) && !self.holds_up(plan, at) {
                self.learn_from(&object, target.version);
            } else if !self.waiting.contains_key(&object) {
                // What somebody else wrote is waited for as well, and is none of ours for that.
                let made_at = self.made.get(&object).map(|made| made.at);
                let learned = self.active_ms.get(&object.object.kind);
                let look_at = match made_at.zip(learned) {
                    Some((made_at, active_ms)) => later(made_at, *active_ms).max(now),
                    None => later(now, self.spec.timing.poll(0)),
                };
                let waited = Waiting { since: now, looked_at: Some(now), look_at, polls: 1 };
                self.waiting.insert(object.clone(), waited);
                // Once: it is like that after every write.
                notes.push(Note::NotReady { object });
            }
        }
        notes
    }

    /// Whether the n-th target is as git says and not active yet, and something that is to be written refers to it: an
    /// earlier run wrote it, or another user did.
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

    /// Whether an object is not looked at before it may be active: what is known of it is from before its last write.
    pub(super) fn is_unread(&self, object: &ObjectRef) -> bool {
        self.waiting.get(object).is_some_and(|waited| waited.looked_at.is_none())
    }

    /// What follows the end of an intent: a look at once, or where it is known how long the platform takes until an
    /// object of the kind is active, a look after that.
    pub(super) fn after_write(&mut self, object: &ObjectRef, now: Timestamp) -> After {
        // Whether anything is still to be written there is told by a look.
        let is_in_doubt = self.overwrote.contains(object) || self.mixed.contains_key(object);
        let learned = self.active_ms.get(&object.object.kind).copied();
        let Some(active_ms) = learned.filter(|_| !is_in_doubt) else { return After::Read };
        let waited = Waiting { since: now, looked_at: None, look_at: later(now, active_ms), polls: 1 };
        self.waiting.insert(object.clone(), waited);
        After::GoOn
    }

    fn learn_from(&mut self, object: &ObjectRef, version: Option<u64>) {
        let Some(looked_at) = self.waiting.get(object).and_then(|waited| waited.looked_at) else { return };
        self.waiting.remove(object);
        // How long another user's write took is not known.
        let is_ours = version.is_some_and(|version| self.own_versions.contains(&(object.clone(), version)));
        let Some(made) = self.made.get(object).filter(|_| is_ours) else { return };
        let took_ms = elapsed_ms(made.at, looked_at);
        let known_ms = self.active_ms.entry(object.object.kind).or_insert(took_ms);
        *known_ms = (*known_ms).min(took_ms);
    }

    /// Takes in that an object was looked at, if it is waited for. Returns when it is to be looked at again.
    pub(super) fn note_look(&mut self, target: &Target, now: Timestamp) -> Timestamp {
        let timing = self.spec.timing;
        let first = Waiting { since: now, looked_at: None, look_at: now, polls: 0 };
        let waited = self.waiting.entry(target.object_ref()).or_insert(first);
        waited.looked_at = Some(now);
        waited.look_at = later(now, timing.poll(waited.polls));
        waited.polls += 1;
        waited.look_at
    }

    /// Looks at what the platform was not done with once it is time, for as long as that may take.
    pub(super) fn await_ready(mut self, target: &TargetPlan, now: Timestamp) -> Step {
        let at = self.place_of(&target.target);
        let Some(waited) = self.waiting.get(&target.target.object_ref()).copied() else {
            return self.read_all();
        };
        // Others went first: what was looked at long ago is looked at once more.
        if self.is_spent(&waited) && self.fresh == at {
            let waited_ms = elapsed_ms(waited.since, waited.looked_at.unwrap_or(now));
            let message = format!("{} is still not active after {waited_ms} ms", target.target);
            let fault = Fault::new(FaultKind::Transient, message);
            return match at {
                Some(at) => self.leave_out(at, fault),
                None => self.degrade(fault),
            };
        }
        self.focus = at.into_iter().collect();
        if waited.look_at <= now || self.is_spent(&waited) {
            return self.read_again();
        }
        // A clock that is set back makes no wait longer.
        let longest_ms =
            self.active_ms.values().copied().max().max(Some(self.spec.timing.poll_max_ms.into()));
        let until = waited.look_at.min(later(now, longest_ms.unwrap_or_default()));
        self.go(Phase::Waiting, Effect::WakeAt(until))
    }
}
