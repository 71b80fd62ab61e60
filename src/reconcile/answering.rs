//! Answering: decides what follows from the answers to writes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::stopping::is_refusal;
use super::{After, Effect, End, Made, Note, Phase, Run, Step, Tally, Waiting, Wrote};
use crate::apply::{Verdict, verdict};
use crate::model::record::{Ending, Intent, IntentId};
use crate::model::timing::{elapsed_ms, later};
use crate::model::write::Accepted;
use crate::model::{
    Act, Actor, Counting, Fault, FaultKind, ObjectRef, Outcome, Receipt, Receiver, Record, Target, Versions,
    Write,
};
use crate::plan;
use crate::replicate;

/// What follows from the answer to one write.
struct Answer {
    records: Vec<Record>,
    notes: Vec<Note>,
    after: After,
}

/// The state of a batch before its answers are processed one by one.
struct Batch {
    /// The counters before the batch: a failure of the whole batch counts once.
    before: Tally,
    /// Whether any of its writes was accepted.
    progress: bool,
    /// The number of its writes.
    writes: usize,
}

impl Run {
    /// The version that identifies a write in its receipt. An object that counts by content has no unique
    /// version; the send time is used instead, because no two writes of an object are sent at the same
    /// millisecond.
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

    /// Resolves an intent in the journal and returns the record.
    pub(super) fn ended(&mut self, intent: IntentId, receipts: Vec<Receipt>) -> Record {
        let ending = if receipts.is_empty() { Ending::NotExecuted } else { Ending::Written };
        let record = Record::Resolved { intent, receipts, ending };
        self.absorb(&record);
        record
    }

    /// Saves the results of intents, then continues.
    pub(super) fn close(self, records: Vec<Record>, after: After, now: Timestamp) -> Step {
        if records.is_empty() {
            return self.closed(after, now);
        }
        self.go(Phase::Closing(after), Effect::Save(records))
    }

    pub(super) fn closed(mut self, after: After, now: Timestamp) -> Step {
        match after {
            After::Read => self.read_again(),
            After::GoOn => {
                self.opens = self.window_opens(now);
                self.proceed(now)
            }
            After::WaitUntil(until) => self.go(Phase::Waiting, Effect::WakeAt(until)),
            After::WaitOut(until) => self.go(Phase::Settling, Effect::WakeAt(until)),
            After::Settle(status) => self.settle(status),
            After::LeaveOut(at, fault) => self.leave_out(at, fault),
        }
    }

    /// Processes the answers to a batch. The result of each intent is saved at once.
    pub(super) fn answered(
        mut self,
        writes: Vec<(IntentId, Write)>,
        outcomes: Vec<Outcome<Accepted>>,
        now: Timestamp,
    ) -> Step {
        let progress = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_)));
        if progress {
            (self.tally.write_faults, self.tally.write_throttles, self.tally.refusals) = (0, 0, 0);
        }
        let batch = Batch { before: self.tally, progress, writes: writes.len() };
        let unanswered = || Outcome::Unknown(Fault::new(FaultKind::Local, "the write has no answer"));
        let mut outcomes = outcomes.into_iter();
        let (mut records, mut notes, mut after) = (Vec::new(), Vec::new(), After::GoOn);
        self.focus.clear();
        for (intent, write) in writes {
            let at = self.place_of(&write.target).filter(|_| self.able().gives_ids);
            let outcome = outcomes.next().unwrap_or_else(unanswered);
            let answer = self.take_answer(write, intent, outcome, &batch, now);
            self.focus.extend(at.filter(|_| answer.after != After::GoOn));
            records.extend(answer.records);
            notes.extend(answer.notes);
            after = after.and(answer.after);
        }
        self.close(records, after, now).noting_all(notes)
    }

    fn take_answer(
        &mut self,
        write: Write,
        intent: IntentId,
        outcome: Outcome<Accepted>,
        batch: &Batch,
        now: Timestamp,
    ) -> Answer {
        let object = write.target.object_ref();
        match self.judged(&object, outcome, now) {
            Verdict::Done(stored) => self.written(write, intent, &stored, now),
            Verdict::Stale => {
                self.tally.conflicts += 1;
                self.not_executed(intent, After::Read, Some(Note::Conflict { object }))
            }
            Verdict::Wait { retry_after_ms, fault } => {
                let others_go_on = |fault: &Fault| {
                    self.goes_on_without() && (batch.progress || batch.writes == 1 || is_refusal(fault))
                };
                let (after, note) = match fault {
                    Some(fault) if others_go_on(&fault) => {
                        self.stand_back_after(&write.target, batch, retry_after_ms, fault, now)
                    }
                    fault => {
                        let at = self.place_of(&write.target).unwrap_or(0);
                        self.wait_after(at, &batch.before, retry_after_ms, fault, now)
                    }
                };
                self.not_executed(intent, after, note)
            }
            Verdict::Settle { fault, running } => {
                let note = Note::AnswerLost { object, fault };
                let after = self.wait_out(intent, &batch.before, running, now);
                Answer { records: Vec::new(), notes: vec![note], after }
            }
            Verdict::Stop(fault) => {
                let after = self.refused(&write.target, &fault);
                self.not_executed(intent, after, Some(Note::GaveUp { fault }))
            }
        }
    }

    fn not_executed(&mut self, intent: IntentId, after: After, note: Option<Note>) -> Answer {
        Answer { records: vec![self.ended(intent, Vec::new())], notes: note.into_iter().collect(), after }
    }

    fn written(&mut self, write: Write, intent: IntentId, stored: &Accepted, now: Timestamp) -> Answer {
        let object = write.target.object_ref();
        self.tally.writes += 1;
        self.failed.remove(&object);
        if self.able().gives_ids {
            let by_content = object.object.kind.counting() == Counting::Contents;
            let unseen = by_content.then(|| Arc::clone(&write.body));
            self.made.insert(object.clone(), Made { id: stored.id().cloned(), at: now, polls: 0, unseen });
            self.waiting.remove(&object);
            self.stale_at(self.place_of(&write.target));
        }
        if let (Act::Store, Some(draft)) = (write.act, object.draft()) {
            // A draft of a new object is based on version 0.
            self.drafted.insert(object.clone(), write.if_match.unwrap_or(0));
            return self.draft_stored(intent, (object, draft), stored, now);
        }
        let version = self.version_made(intent, &object, stored.version);
        self.own_versions.insert((object.clone(), version));
        let mut notes = vec![Note::Wrote { object: object.clone(), version }];
        if self.spec.versions == Versions::Unenforced && object.object.kind.counts_versions() {
            notes.extend(self.note_overwrote(&object, write.if_match, stored.version));
        }
        if write.act == Act::Publish {
            notes.extend(self.note_mixed(&object, &write.body, stored));
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
        let after = self.after_write(&object, Wrote::Served, now);
        Answer { records: vec![self.ended(intent, vec![receipt])], notes, after }
    }

    /// Returns what an answer means. While the platform still processes an earlier write, it may refuse the
    /// next one with the same error as for an invalid write: such a refusal counts only after `ready_ms`.
    fn judged(&self, object: &ObjectRef, outcome: Outcome<Accepted>, now: Timestamp) -> Verdict<Accepted> {
        let is_young = |object: &ObjectRef| {
            let made = self.made.get(object);
            made.is_some_and(|made| elapsed_ms(made.at, now) < u64::from(self.spec.timing.ready_ms))
        };
        // The objects that it refers to count as well: a version published just now may not be visible
        // everywhere.
        let place = self.place(&object.organization, &object.object);
        let needed = place.into_iter().flat_map(|at| {
            let side = self.side(at).start;
            self.needs.needs_of(at - side).iter().filter_map(move |needed| self.targets.get(side + needed))
        });
        let young = is_young(object) || needed.map(Target::object_ref).any(|needed| is_young(&needed));
        match outcome {
            Outcome::Rejected(fault) | Outcome::NotFound(fault) if young => {
                Verdict::Wait { retry_after_ms: None, fault: Some(fault) }
            }
            other => verdict(other),
        }
    }

    /// Records a stored draft as the base of the draft. It needs no confirmation, because visitors do not get
    /// it yet.
    fn draft_stored(
        &mut self,
        intent: IntentId,
        (object, draft): (ObjectRef, ObjectRef),
        stored: &Accepted,
        now: Timestamp,
    ) -> Answer {
        let ended = Record::Resolved { intent, receipts: Vec::new(), ending: Ending::Written };
        let mut records = vec![ended];
        if let Some(held) = stored.draft() {
            let onto = self.drafted.get(&object).copied();
            records.push(Record::Applied { object: draft, base: self.draft_base(held, onto) });
        }
        for record in &records {
            self.absorb(record);
        }
        let after = self.after_write(&object, Wrote::Draft, now);
        Answer { records, notes: vec![Note::Stored { object }], after }
    }

    /// Compares a published version with the draft that was read. If they differ, another user changed the
    /// draft in between, and visitors may get an unfinished change.
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
        let who = stored.modified_by.as_ref().map_or("another user".into(), Actor::label);
        let reason = format!(
            "version {} of {object} was published with changes that {who} made to the draft after the read: {}",
            stored.version,
            fields.join(", ")
        );
        self.mixed.insert(object.clone(), reason.clone());
        Some(Note::Mixed { reason })
    }

    /// Remembers that a write overwrote an unread change, if the version shows it.
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

    /// Ends the intent as not executed; the next attempt starts with a read. After too many failures in a
    /// row, the organization of the n-th target is left out.
    pub(super) fn wait_after(
        &mut self,
        at: usize,
        before: &Tally,
        retry_after_ms: Option<u64>,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> (After, Option<Note>) {
        let timing = self.spec.timing;
        // A recent object: `ready_ms` already limits how long it counts as recent.
        if let Some(fault) = fault.as_ref().filter(|fault| is_refusal(fault)) {
            let wait_ms = timing.poll(before.refusals);
            self.tally.refusals = before.refusals + 1;
            let note = Note::Retrying { fault: fault.clone(), wait_ms };
            return (After::WaitUntil(later(now, wait_ms)), Some(note));
        }
        let attempt = if fault.is_some() { before.write_faults } else { before.write_throttles };
        let spent = match &fault {
            Some(_) => {
                self.tally.write_faults = attempt + 1;
                attempt + 1 >= timing.faults_max
            }
            None => {
                self.tally.write_throttles = attempt + 1;
                attempt + 1 >= timing.throttles_max
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
            return (after, None);
        }
        let note = match fault {
            Some(fault) => Note::Retrying { fault, wait_ms },
            None => Note::Throttled { wait_ms },
        };
        (After::WaitUntil(later(now, wait_ms)), Some(note))
    }

    /// Not executed, while other writes continue: genesync reads the object again later and retries. After
    /// too many faults it stops the object; `ready_ms` already limits how long the platform may refuse a
    /// recent object.
    fn stand_back_after(
        &mut self,
        target: &Target,
        batch: &Batch,
        retry_after_ms: Option<u64>,
        fault: Fault,
        now: Timestamp,
    ) -> (After, Option<Note>) {
        let timing = self.spec.timing;
        if !is_refusal(&fault) && !batch.progress {
            self.tally.write_faults = batch.before.write_faults + 1;
        }
        let tries = self.failed.entry(target.object_ref()).or_default();
        let tried = *tries;
        let (wait_ms, is_spent) = if is_refusal(&fault) {
            tries.refusals += 1;
            (timing.poll(tried.refusals), false)
        } else {
            tries.faults += 1;
            (self.wait_ms(tried.faults, retry_after_ms), tried.faults + 1 >= timing.faults_max)
        };
        if is_spent || fault.given_up || wait_ms > u64::from(timing.backoff_max_ms) * 2 {
            let note = Note::GaveUp { fault: fault.clone() };
            self.stop(target.object_ref(), End::Degraded(fault));
            // The failures of one object do not count for the others.
            self.tally.write_faults = 0;
            return (After::GoOn, Some(note));
        }
        let (look_at, made) = (later(now, wait_ms), Wrote::Served);
        let waited = Waiting { since: now, looked_at: None, look_at, polls: 2, made };
        self.waiting.insert(target.object_ref(), waited);
        (After::GoOn, Some(Note::Retrying { fault, wait_ms }))
    }

    /// Waits, because the write may still take effect: the intent stays open, and nothing is read until the
    /// write can no longer take effect. After a server error the shorter settle time is enough only if
    /// versions are enforced, because the version then shows a write that lands late.
    pub(super) fn wait_out(
        &mut self,
        intent: IntentId,
        before: &Tally,
        running: bool,
        now: Timestamp,
    ) -> After {
        self.tally.write_faults = before.write_faults + 1;
        let open = self.journal.0.unresolved.iter().find(|open| open.id == intent);
        let Some(deadline) = open.map(|open| open.deadline) else { return After::Read };
        let settled = later(now, self.spec.timing.settle_ms.into());
        let may_run = running || self.spec.versions == Versions::Unenforced;
        After::WaitOut(if may_run { deadline } else { deadline.min(settled) })
    }
}
