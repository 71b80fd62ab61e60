//! Applying: intents, writes, replication jobs, and what their answers lead to.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{After, Effect, End, Made, Note, Pending, Phase, Run, Step};
use crate::apply::{Verdict, verdict};
use crate::model::plan::{Next, TargetPlan};
use crate::model::record::{Ending, Intent, IntentAction, IntentId, Over, Revert};
use crate::model::timing::{elapsed_ms, later};
use crate::model::write::Accepted;
use crate::model::{
    Act, Actor, Counting, Fault, FaultKind, ObjectRef, Observed, Outcome, Receipt, Receiver, Record,
    SecretName, Target, Versions, Write,
};
use crate::plan::guards::window;
use crate::plan::{self, flapping};
use crate::replicate;

/// Whether the server said no to what the write says.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Rejected | FaultKind::NotFound)
}

impl Run {
    /// Writes, unless what is there has to be looked at once more first: where the server takes every write, as
    /// little time as possible lies between the look and the write.
    pub(super) fn put(mut self, target: &TargetPlan, now: Timestamp) -> Step {
        match self.place_of(&target.target) {
            Some(at) if self.able().versions == Versions::Unenforced && !self.is_fresh(at, now) => {
                let places = self.to_be_made_with(at, target);
                if places.len() > 1 {
                    self.unlisted = Some((now, BTreeSet::new()));
                }
                self.read_alone(places)
            }
            _ => self.intend_put(target, now),
        }
    }

    /// The n-th target, and if it is to be made, everything else of its kind and organization that is: to find nothing of a
    /// name a listing is read, and it tells of all names.
    fn to_be_made_with(&self, at: usize, target: &TargetPlan) -> Vec<usize> {
        let kind = target.target.object.kind;
        let is_to_be_made = |planned: &TargetPlan| {
            planned.target.object.kind == kind
                && planned.next == Some(Next::Store)
                && self.id_of(&planned.target).is_none()
        };
        let planned = |at: &usize| self.plan.as_ref()?.targets.get(*at);
        let others = self
            .side(at)
            .filter(|other| *other != at && planned(other).is_some_and(|one| is_to_be_made(one)));
        let others = others.take(if is_to_be_made(target) { replicate::BEGUN_MAX - 1 } else { 0 });
        [at].into_iter().chain(others).collect()
    }

    fn secret_of(&self, target: &Target) -> Option<SecretName> {
        self.spec.resources.iter().find(|resource| resource.object == target.object)?.secret.clone()
    }

    fn intend_put(mut self, target: &TargetPlan, now: Timestamp) -> Step {
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
        self.focus = at.filter(|_| self.able().gives_ids).into_iter().collect();
        self.fresh = None;
        if let (Some((_, places)), Some(at)) = (&mut self.unlisted, &at) {
            places.remove(at);
        }
        let timing = self.spec.timing;
        // What is made twice stays twice, an object as well as a version: whether it was made is asked for once it is
        // sure to be seen.
        // Nor is content told from what it was by anything else.
        let by_content = target.target.object.kind.counting() == Counting::Contents;
        let appears_ms = if creates || act == Act::Publish || by_content { timing.appear_ms } else { 0 };
        let window_ms = u64::from(timing.write_ms) + u64::from(timing.settle_ms) + u64::from(appears_ms);
        let mut reverts = flapping::reverts(&[target], now);
        if target.target.object.kind.is_written_by_field() {
            let sent = |field: &str| write.body.contains_key(field.split('.').next().unwrap_or_default());
            reverts.retain(|revert| sent(&revert.path));
        }
        self.intend(Pending::Put(write), action, reverts, window_ms, now)
    }

    /// What a write to the n-th target goes over, and whose it was.
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
        // The object itself may name nobody where the audit log does. Of a draft, a plan's changes say nothing.
        let told = || {
            let by_field = object.object.kind.is_written_by_field();
            let of_field =
                |path: &str| !by_field || sent.contains_key(path.split('.').next().unwrap_or_default());
            let mut changes = planned.changes.iter().filter(|change| of_field(&change.path));
            changes
                .find_map(|change| Some(change.by.as_ref()?.actor.label().to_owned()))
                .filter(|_| stored.draft().is_none())
        };
        // Other programs leave no name.
        let by = match (theirs, ours) {
            (Some(actor), _) => Some(plan::next::name_of(actor, self.entries.values().flatten())),
            (None, false) => told().or_else(|| Some("somebody".to_owned())),
            (None, true) => None,
        };
        let body = plan::next::written(body, sent, &planned.target);
        // Where nothing was, nobody is to be named.
        let by = by.filter(|_| !body.is_empty());
        Some(Over { body, by })
    }

    pub(super) fn intend(
        self,
        pending: Pending,
        action: IntentAction,
        reverts: Vec<Revert>,
        window_ms: u64,
        now: Timestamp,
    ) -> Step {
        let intent = Intent {
            id: self.journal.0.last_intent + 1,
            revision: self.spec.revision.clone(),
            action,
            sent_at: now,
            deadline: later(now, window_ms),
            reverts,
        };
        let mut run = self;
        run.journal.0.absorb(Record::Intent(intent.clone()));
        run.go(Phase::Intending(pending), Effect::Save(vec![Record::Intent(intent)]))
    }

    /// The intent was not saved, and will not be: the journal is again what is durable.
    pub(super) fn withdraw(mut self) -> Step {
        self.journal.0.unresolved.retain(|open| open.id != self.journal.0.last_intent);
        self.journal.0.last_intent = self.journal.0.last_intent.saturating_sub(1);
        self.settle(End::Superseded)
    }

    /// The intent is durable: now, and only now, the write may leave.
    pub(super) fn send(self, pending: Pending) -> Step {
        let intent = self.journal.0.last_intent;
        let effect = match &pending {
            Pending::Put(write) => Effect::Write(write.clone()),
            Pending::Job(start, _) => Effect::StartJob(start.clone()),
        };
        self.go(Phase::Sending(pending, intent), effect)
    }

    /// The version by which a receipt speaks of a write. One that is read off the content may come again; no two writes of
    /// an object leave at one moment.
    fn version_made(&self, intent: IntentId, object: &ObjectRef, version: u64) -> u64 {
        match object.object.kind.counting() {
            Counting::Versions | Counting::Moments => version,
            Counting::Contents => self.sent_at(intent).as_millisecond().unsigned_abs(),
        }
    }

    pub(super) fn sent_at(&self, intent: IntentId) -> Timestamp {
        let sent = |open: &&Intent| open.id == intent;
        self.journal.0.unresolved.iter().find(sent).map_or(Timestamp::UNIX_EPOCH, |intent| intent.sent_at)
    }

    /// Saves an intent's end, then goes on.
    pub(super) fn close(mut self, intent: IntentId, receipts: Vec<Receipt>, after: After) -> Step {
        let ending = if receipts.is_empty() { Ending::NotExecuted } else { Ending::Written };
        let record = Record::Resolved { intent, receipts, ending };
        self.absorb(&record);
        self.go(Phase::Closing(after), Effect::Save(vec![record]))
    }

    pub(super) fn closed(mut self, after: After, now: Timestamp) -> Step {
        match after {
            After::Read => self.read_again(),
            After::GoOn => {
                self.opens = window::opens(&self.spec.tenant, &self.spec.limits, now);
                self.proceed(now)
            }
            After::WaitUntil(until) => self.go(Phase::Waiting, Effect::WakeAt(until)),
            After::Settle(status) => self.settle(status),
            After::LeaveOut(at, fault) => self.leave_out(at, fault),
        }
    }

    pub(super) fn answered(
        mut self,
        write: Write,
        intent: IntentId,
        outcome: Outcome<Accepted>,
        now: Timestamp,
    ) -> Step {
        let object = write.target.object_ref();
        match self.judged(&object, outcome, now) {
            Verdict::Done(stored) => {
                self.tally.writes += 1;
                (self.tally.write_faults, self.tally.write_throttles, self.tally.refusals) = (0, 0, 0);
                if self.able().gives_ids {
                    let by_content = object.object.kind.counting() == Counting::Contents;
                    let unseen = by_content.then(|| Arc::clone(&write.body));
                    self.made
                        .insert(object.clone(), Made { id: stored.id().cloned(), at: now, polls: 0, unseen });
                    self.waiting.remove(&object);
                    self.stale_at(self.place_of(&write.target));
                }
                if let (Act::Store, Some(draft)) = (write.act, object.draft()) {
                    // Made from nothing, it is of version 0 from here on.
                    self.drafted.insert(object.clone(), write.if_match.unwrap_or(0));
                    return self.draft_stored(intent, object, draft, &stored);
                }
                let version = self.version_made(intent, &object, stored.version);
                self.own_versions.insert((object.clone(), version));
                let mut notes = vec![Note::Wrote { object: object.clone(), version }];
                if self.spec.versions == Versions::Unenforced && object.object.kind.counts_versions() {
                    notes.extend(self.note_overwrote(&object, write.if_match, stored.version));
                }
                if write.act == Act::Publish {
                    notes.extend(self.note_mixed(&object, &write.body, &stored));
                }
                let receipt = Receipt {
                    made_at: stored.modified_at.filter(|_| !self.able().audit_names_versions),
                    target: write.target,
                    from_version: write.if_match,
                    version,
                    sent_at: self.sent_at(intent),
                    by: Receiver::Put,
                };
                self.receipts.push(receipt.clone());
                let after = self.after_write(&object, now);
                self.close(intent, vec![receipt], after).noting_all(notes)
            }
            Verdict::Stale => {
                self.tally.conflicts += 1;
                self.close(intent, Vec::new(), After::Read).noting(Note::Conflict { object })
            }
            Verdict::Wait { retry_after_ms, fault } => {
                let at = self.place_of(&write.target).unwrap_or(0);
                self.wait_after(at, intent, retry_after_ms, fault, now)
            }
            Verdict::Settle { fault, running } => {
                self.wait_out(intent, running, Note::AnswerLost { object, fault }, now)
            }
            Verdict::Stop(fault) => self
                .close(intent, Vec::new(), After::Settle(End::Degraded(fault.clone())))
                .noting(Note::GaveUp { fault }),
        }
    }

    /// What an answer means. What the platform is still settling it may refuse for that alone, in words that it
    /// also has for what is wrong for good: such a refusal counts only once the object had its time.
    fn judged(&self, object: &ObjectRef, outcome: Outcome<Accepted>, now: Timestamp) -> Verdict<Accepted> {
        let recent = |made: &Made| elapsed_ms(made.at, now) < u64::from(self.spec.timing.ready_ms);
        // What it refers to counts as well: a version that was published a moment ago may not be known everywhere.
        let young =
            self.made.iter().any(|(known, made)| known.organization == object.organization && recent(made));
        match outcome {
            Outcome::Rejected(fault) | Outcome::NotFound(fault) if young => {
                Verdict::Wait { retry_after_ms: None, fault: Some(fault) }
            }
            other => verdict(other),
        }
    }

    /// A draft is stored. It is kept as ours: nobody is served it, so that there is nothing to prove.
    fn draft_stored(
        mut self,
        intent: IntentId,
        object: ObjectRef,
        draft: ObjectRef,
        stored: &Accepted,
    ) -> Step {
        let ended = Record::Resolved { intent, receipts: Vec::new(), ending: Ending::Written };
        let mut records = vec![ended];
        if let Some(held) = stored.draft() {
            let onto = self.drafted.get(&object).copied();
            records.push(Record::Applied { object: draft, base: self.draft_base(held, onto) });
        }
        for record in &records {
            self.absorb(record);
        }
        self.go(Phase::Closing(After::Read), Effect::Save(records)).noting(Note::Stored { object })
    }

    /// A version holds what the draft held when it was published. Where that is more than we had read, somebody
    /// changed it in between, and visitors may be served what was not finished.
    pub(super) fn note_mixed(
        &mut self,
        object: &ObjectRef,
        body: &Map<String, Value>,
        stored: &Accepted,
    ) -> Option<Note> {
        let fields = plan::diff::differing(object.object.kind, body, &stored.body);
        if fields.is_empty() {
            return None;
        }
        let who = stored.modified_by.as_ref().map_or("somebody", Actor::label);
        let reason = format!(
            "version {} of {object} was published with what {who} had changed in the draft meanwhile: {}",
            stored.version,
            fields.join(", ")
        );
        self.mixed.insert(object.clone(), reason.clone());
        Some(Note::Mixed { reason })
    }

    /// Remembers that a write of ours went over a change that it had not seen, where the version tells so.
    pub(super) fn note_overwrote(
        &mut self,
        object: &ObjectRef,
        seen: Option<u64>,
        made: u64,
    ) -> Option<Note> {
        if !replicate::overwrote(seen, made) {
            return None;
        }
        self.overwrote.insert(object.clone());
        Some(Note::Overwrote { object: object.clone(), seen, made })
    }

    /// Not executed: the intent ends here, and the next attempt starts with a read. After too many in a row there is
    /// none for the organization of the n-th target.
    pub(super) fn wait_after(
        mut self,
        at: usize,
        intent: IntentId,
        retry_after_ms: Option<u64>,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> Step {
        let timing = self.spec.timing;
        // Young, or it would be refused for good: how long it stays young is bound already.
        if let Some(fault) = fault.as_ref().filter(|fault| is_refusal(fault)) {
            let wait_ms = timing.poll(self.tally.refusals);
            self.tally.refusals += 1;
            let note = Note::Retrying { fault: fault.clone(), wait_ms };
            return self.close(intent, Vec::new(), After::WaitUntil(later(now, wait_ms))).noting(note);
        }
        let attempt = if fault.is_some() { self.tally.write_faults } else { self.tally.write_throttles };
        let spent = match &fault {
            Some(_) => {
                self.tally.write_faults += 1;
                self.tally.write_faults >= timing.faults_max
            }
            None => {
                self.tally.write_throttles += 1;
                self.tally.write_throttles >= timing.throttles_max
            }
        };
        let wait_ms = self.wait_ms(attempt, retry_after_ms);
        let spent = spent || fault.as_ref().is_some_and(|fault| fault.given_up);
        if spent || wait_ms > u64::from(timing.backoff_max_ms) * 2 {
            let fault = fault.unwrap_or_else(|| Fault {
                retry_after_ms,
                ..Fault::new(
                    FaultKind::Throttled,
                    "the rate limit refused the write too often or for too long",
                )
            });
            let after = match fault.kind.passes() {
                true => After::LeaveOut(at, fault),
                false => After::Settle(End::Degraded(fault)),
            };
            return self.close(intent, Vec::new(), after);
        }
        let note = match fault {
            Some(fault) => Note::Retrying { fault, wait_ms },
            None => Note::Throttled { wait_ms },
        };
        self.close(intent, Vec::new(), After::WaitUntil(later(now, wait_ms))).noting(note)
    }

    /// It may still take effect: the intent stays open, and nothing is read before it no longer can. That a
    /// server which failed has let go of the request is taken on its word only where a write that lands after
    /// all would be told by its version.
    pub(super) fn wait_out(mut self, intent: IntentId, running: bool, note: Note, now: Timestamp) -> Step {
        self.tally.write_faults += 1;
        let open = self.journal.0.unresolved.iter().find(|open| open.id == intent);
        let Some(deadline) = open.map(|open| open.deadline) else { return self.read_again().noting(note) };
        let settled = later(now, self.spec.timing.settle_ms.into());
        let may_run = running || self.spec.versions == Versions::Unenforced;
        let until = if may_run { deadline } else { deadline.min(settled) };
        self.go(Phase::Settling, Effect::WakeAt(until)).noting(note)
    }
}
