//! Confirming: looks for the audit log entry of every receipt.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::event::{AuditQuery, Entries};
use super::{Effect, End, Note, Phase, Run, Step};
use crate::confirm;
use crate::model::author::Log;
use crate::model::timing::{earlier, later};
use crate::model::{Confirmation, Entry, Fault, FaultKind, ObjectRef, Receipt, Record, Standing, Target};

/// The polls that are reported: the first, and one after about two seconds.
const NOTED_POLLS: [u32; 2] = [0, 6];

impl Run {
    /// Looks for the entry of every receipt that has none yet: those of this run, and those of earlier runs
    /// that died or whose entries were late. genesync queries old receipts once and does not wait for their
    /// entries.
    pub(super) fn finish(self, now: Timestamp) -> Step {
        let Some(latest) = self.to_prove().iter().map(|receipt| receipt.sent_at).max() else {
            return self.settle_in_sync(End::Synced);
        };
        let since = if self.receipts.is_empty() { latest } else { now };
        let deadline = later(since, self.spec.timing.confirm_ms.into());
        self.query(0, deadline, now)
    }

    /// The receipts of this run, then unconfirmed ones of earlier runs. Receipts of organizations that are
    /// left out are for a later run.
    fn to_prove(&self) -> Vec<Receipt> {
        let mut receipts = self.receipts.clone();
        let mut known: BTreeSet<_> = receipts.iter().map(spoken_of).collect();
        receipts.extend(self.journal.0.owed.iter().filter(|owed| known.insert(spoken_of(owed))).cloned());
        receipts.retain(|receipt| self.is_asked_for(receipt));
        receipts
    }

    /// Whether the audit log can have an entry for a receipt and can be queried.
    fn is_asked_for(&self, receipt: &Receipt) -> bool {
        let Target { organization, object, .. } = &receipt.target;
        !self.is_left_out(organization) && !self.spec.limits.unaudited.contains(&object.kind)
    }

    /// The objects and versions of receipts without an entry in the journal.
    fn owed(&self) -> BTreeSet<(ObjectRef, u64)> {
        self.journal.0.owed.iter().map(spoken_of).collect()
    }

    /// The number of receipts without an entry.
    fn missing(&self) -> usize {
        let owed = self.owed();
        self.to_prove().iter().filter(|receipt| owed.contains(&spoken_of(receipt))).count()
    }

    pub(super) fn query(self, attempt: u32, deadline: Timestamp, now: Timestamp) -> Step {
        let skew_ms = u64::from(self.spec.timing.skew_ms);
        let receipts = self.to_prove();
        let first = receipts.iter().map(|receipt| receipt.sent_at).min().unwrap_or(now);
        let mut targets: Vec<Target> = receipts.into_iter().map(|receipt| receipt.target).collect();
        targets.sort();
        targets.dedup();
        let ids = self.ids_of(&targets);
        let query = AuditQuery {
            targets,
            ids,
            unnamed: BTreeSet::new(),
            from: earlier(first, skew_ms),
            to: later(now, skew_ms),
        };
        self.go(Phase::Confirming { attempt, deadline }, Effect::ReadAudit(query))
    }

    /// Compares the receipts with the log and saves which ones it confirms, so that a later run does not
    /// query them again.
    pub(super) fn confirmed(
        mut self,
        attempt: u32,
        deadline: Timestamp,
        page: Entries,
        now: Timestamp,
    ) -> Step {
        let from = self.to_prove().iter().map(|receipt| receipt.sent_at).min().unwrap_or(now);
        self.proofs_log = self.proofs_log.asked_again(earlier(from, self.spec.timing.skew_ms.into()), now);
        let found = self.held_against(&page.entries);
        let (owed, mut records) = (self.owed(), Vec::new());
        for (receipt, standing) in &found.receipts {
            let Standing::Confirmed { entry, .. } = standing else { continue };
            let (object, version) = spoken_of(receipt);
            if owed.contains(&(object.clone(), version)) {
                let record = Record::Confirmed { object, version, entry: entry.clone() };
                self.absorb(&record);
                records.push(record);
            }
        }
        self.keep_confirmation(found);
        if records.is_empty() {
            return self.witnessed(attempt, deadline, now);
        }
        self.go(Phase::Witnessing { attempt, deadline }, Effect::Save(records))
    }

    pub(super) fn witnessed(self, attempt: u32, deadline: Timestamp, now: Timestamp) -> Step {
        if self.missing() == 0 {
            return self.settle_in_sync(End::Synced);
        }
        self.await_entries(attempt, deadline, None, now)
    }

    /// Returns every receipt with its standing. A confirmed receipt stays confirmed: a later page may be
    /// incomplete.
    fn held_against(&self, entries: &[Entry]) -> Confirmation {
        let spec = &self.spec;
        let started = confirm::Started {
            from: &self.started_from,
            at: &self.started_at,
            log: self.proofs_log,
            proofs: &self.journal.0.proofs,
        };
        let mut found = confirm::confirm(&self.to_prove(), entries, &spec.own_clients, started);
        let before = self.confirmation.iter().flat_map(|confirmation| &confirmation.receipts);
        let proved = before.filter(|(_, standing)| matches!(standing, Standing::Confirmed { .. }));
        let proved: BTreeMap<_, _> =
            proved.map(|(receipt, standing)| (spoken_of(receipt), standing)).collect();
        for (receipt, standing) in &mut found.receipts {
            if let Some(before) = proved.get(&spoken_of(receipt)) {
                *standing = Standing::clone(before);
            }
        }
        found
    }

    /// Keeps the confirmation of this run's own receipts. Receipts of earlier runs are not part of its
    /// result.
    fn keep_confirmation(&mut self, mut found: Confirmation) {
        if !self.receipts.is_empty() {
            let own = self.receipts.iter().filter(|own| self.is_asked_for(own));
            found.receipts.truncate(own.count());
            self.confirmation = Some(found);
        }
    }

    pub(super) fn confirm_failed(
        self,
        attempt: u32,
        deadline: Timestamp,
        fault: Fault,
        now: Timestamp,
    ) -> Step {
        let passing = fault.kind.passes() && !fault.given_up;
        let deadline = if passing { deadline } else { now };
        self.await_entries(attempt, deadline, Some(fault), now)
    }

    fn await_entries(
        mut self,
        attempt: u32,
        deadline: Timestamp,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> Step {
        if fault.as_ref().is_some_and(|fault| fault.kind == FaultKind::Denied) {
            self.proofs_log = Log::Denied { permission: self.able().audit_permission };
        }
        let missing = self.missing();
        let asked_ms = fault.as_ref().and_then(|fault| fault.retry_after_ms).unwrap_or_default();
        let until = later(now, self.spec.timing.poll(attempt).max(asked_ms));
        if now >= deadline {
            if self.confirmation.is_none() {
                let nothing = self.held_against(&[]);
                self.keep_confirmation(nothing);
            }
            return self.settle_in_sync(End::Unconfirmed(fault));
        }
        // The last query is made at the deadline, not before it.
        let effect = Effect::WakeAt(until.min(deadline));
        let step = self.go(Phase::Confirming { attempt: attempt + 1, deadline }, effect);
        if NOTED_POLLS.contains(&attempt) {
            step.noting(Note::AwaitingAudit { missing, polls: attempt })
        } else {
            step
        }
    }
}

/// The object and the version of a receipt.
fn spoken_of(receipt: &Receipt) -> (ObjectRef, u64) {
    (receipt.target.object_ref(), receipt.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Journal;
    use crate::model::{Actor, ActorKind, Mode, Outcome, Receiver};
    use crate::reconcile::Event;
    use crate::reconcile::tests::{
        after, answered, applied, fault, now, run_with, seen, sent, stored, target,
    };

    /// A journal without open work, except for unconfirmed receipts: version and age in ms.
    fn journal(owed: &[(u64, u64)]) -> Journal {
        let mut journal = Journal::default();
        journal.absorb(applied(0, 9));
        journal.owed.extend(owed.iter().map(|(version, age_ms)| Receipt {
            target: target(0),
            from_version: Some(version - 1),
            version: *version,
            sent_at: earlier(now(), *age_ms),
            by: Receiver::Put,
            made_at: None,
        }));
        journal
    }

    fn page(versions: &[u64]) -> Event {
        let entry = |version: &u64| Entry {
            id: format!("e{version}"),
            at: now(),
            action: "webchat:configuration:update".into(),
            object: target(0).object_ref(),
            actor: Actor { id: "us".into(), name: String::new(), kind: ActorKind::Client },
            remote_ip: None,
            version: Some(*version),
            changes: Vec::new(),
        };
        Event::Entries(Entries { entries: versions.iter().map(entry).collect(), ..Entries::default() })
    }

    fn at_rest() -> Vec<Event> {
        vec![Event::Begin, seen(9, 5), Event::Proceed]
    }

    fn wrote() -> Vec<Event> {
        let accepted = answered(Outcome::Accepted(stored(4, 5, "us")));
        let read_back = vec![accepted, Event::Saved, seen(4, 5), Event::Saved];
        [sent(), read_back].concat()
    }

    #[test]
    fn missing_entries_are_queried_saved_and_awaited_only_while_recent() {
        let denied = || Event::Failed(Fault::new(crate::model::FaultKind::Denied, "403"));
        let old: &[(u64, u64)] = &[(7, 3_600_000), (8, 90_000)];
        let young: &[(u64, u64)] = &[(7, 3_600_000), (8, 20_000)];
        type Row = (&'static str, &'static [(u64, u64)], Vec<Event>, &'static str);
        let table: [Row; 12] = [
            ("no receipt is missing", &[], vec![], "Synced"),
            ("a receipt is missing", old, vec![], "audit"),
            ("all are confirmed", old, vec![page(&[7, 8])], "confirmed+confirmed"),
            ("and saved", old, vec![page(&[7, 8]), Event::Saved], "Synced"),
            ("and the save fails", old, vec![page(&[7, 8]), Event::Failed(fault())], "Degraded"),
            ("one is confirmed", old, vec![page(&[7])], "confirmed"),
            ("too old to wait for the rest", old, vec![page(&[7]), Event::Saved], "Unconfirmed"),
            ("none is confirmed", old, vec![page(&[])], "Unconfirmed"),
            ("the query fails", old, vec![Event::Failed(fault())], "Unconfirmed"),
            ("recent enough to wait", young, vec![page(&[7]), Event::Saved], "wait 100 ms"),
            (
                "and then confirmed",
                young,
                vec![page(&[7]), Event::Saved, Event::Woke, page(&[7, 8]), Event::Saved],
                "Synced",
            ),
            ("the query is denied", young, vec![denied()], "Unconfirmed"),
        ];
        for mode in [Mode::Enforce, Mode::Watch] {
            for (what, owed, events, expected) in &table {
                let events = [at_rest(), events.clone()].concat();
                let (run, asked) = after(run_with(0, mode, journal(owed)), events);
                assert_eq!(asked, *expected, "{what}, {mode:?}");
                // Writes of earlier runs are not part of this run's result.
                assert!(run.receipts.is_empty() && run.confirmation.is_none(), "{what}");
                assert!(run.served_ms.is_empty(), "{what}");
                if *expected == "Synced" {
                    assert!(run.journal.0.owed.is_empty(), "{what}");
                }
            }
        }
    }

    #[test]
    fn the_latest_recent_receipt_is_awaited_until_its_own_deadline() {
        let events = [at_rest(), vec![page(&[])]].concat();
        let (run, _) = after(run_with(0, Mode::Enforce, journal(&[(7, 50_000), (8, 20_000)])), events);
        assert!(
            matches!(run.phase, Phase::Confirming { deadline, .. } if deadline == later(now(), 40_000)),
            "{:?}",
            run.phase
        );
    }

    #[test]
    fn a_run_queries_its_own_and_earlier_receipts_together() {
        let mut left = journal(&[(2, 3_600_000)]);
        left.bases.clear();
        let run = |events: Vec<Event>| after(run_with(0, Mode::Enforce, left.clone()), events);
        let (asked, effect) = run(wrote());
        assert_eq!((effect.as_str(), asked.receipts.len()), ("audit", 1));
        assert_eq!(asked.to_prove().iter().map(|receipt| receipt.version).collect::<Vec<_>>(), [4, 2]);
        assert!(
            matches!(asked.phase, Phase::Confirming { deadline, .. } if deadline == later(now(), 60_000))
        );

        let table: [(&[u64], &str, &str); 4] = [
            (&[4, 2], "confirmed+confirmed", "Synced"),
            // The receipt of the earlier run is missing: genesync waits for it together with the others.
            (&[4], "confirmed", "wait 100 ms"),
            (&[2], "confirmed", "wait 100 ms"),
            (&[], "wait 100 ms", "audit"),
        ];
        for (found, first, then) in table {
            let (_, asked) = run([wrote(), vec![page(found)]].concat());
            assert_eq!(asked, first, "{found:?}");
            let after_it = if first.starts_with("wait") { Event::Woke } else { Event::Saved };
            let (ended, asked) = run([wrote(), vec![page(found), after_it]].concat());
            assert_eq!(asked, then, "{found:?}");
            // The result of this run shows only its own write.
            let shown = ended.confirmation.unwrap();
            assert_eq!(shown.receipts.len(), 1, "{found:?}");
            assert_eq!(shown.missing(), usize::from(!found.contains(&4)), "{found:?}");
        }
    }

    #[test]
    fn a_shorter_page_keeps_earlier_confirmations() {
        let events = [wrote(), vec![page(&[4]), Event::Saved, Event::Woke, page(&[])]].concat();
        let mut left = journal(&[(2, 3_600_000)]);
        left.bases.clear();
        let (run, asked) = after(run_with(0, Mode::Enforce, left), events);
        assert!(asked.starts_with("wait"), "{asked}");
        assert_eq!(run.confirmation.unwrap().missing(), 0);
        assert_eq!(run.journal.0.owed.iter().map(|owed| owed.version).collect::<Vec<_>>(), [2]);
    }
}
