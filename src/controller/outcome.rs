//! What a run that has ended leaves behind: its tenant's status, when it is due again, lines for the history.

use std::time::Duration;

use jiff::Timestamp;

use super::spread::{backoff, seed_of, until_resync};
use crate::model::text::{counted, escape};
use crate::model::{Change, ChangeKind, FaultKind, ObjectRef, TenantName};
use crate::plan::resolve::PINNED;
use crate::reconcile::{Run, Status};
use crate::store::{Cause, Claimed, Finished, Pause, PauseKind, RunRow};
use crate::telemetry::masked;

/// How long things wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Every tenant is looked at this often.
    pub resync: Duration,
    /// First wait after a run that did not end well; it doubles.
    pub retry: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
}

/// What is written down of a run.
pub fn finished(
    run: &Run,
    claimed: &Claimed,
    started_at: Timestamp,
    now: Timestamp,
    intervals: &Intervals,
) -> Finished {
    let Some(status) = run.status() else {
        return lost(claimed, "the run stopped without an end; please report this", now, intervals);
    };
    let known = run.left_out().is_none();
    let in_sync = matches!(status, Status::Synced | Status::Unconfirmed(_))
        || matches!(status, Status::Held(_))
            && known
            && run.plan.as_ref().is_some_and(|plan| plan.is_empty());
    let drift = || {
        let changes = run.plan.iter().flat_map(|plan| plan.changes());
        changes.filter(|change| change.kind != ChangeKind::ToApply)
    };
    // A run that could not plan does not know; nor does one that did not see every region, but where it found some.
    let drifted = (in_sync || run.plan.is_some()).then(|| !in_sync && drift().next().is_some());
    let drifted = drifted.filter(|drifted| known || *drifted);
    let failures = match status {
        Status::Synced | Status::Unconfirmed(_) | Status::OutOfSync | Status::Drifted => 0,
        Status::Cancelled | Status::LeaseLost | Status::Superseded => claimed.failures,
        Status::Held(_) | Status::Contested(_) | Status::Refused(_) | Status::Degraded(_) => {
            claimed.failures.saturating_add(1)
        }
    };
    let status_name = shown(status, claimed);
    let reason = match (&claimed.pause, status) {
        (Some(pause), Status::OutOfSync | Status::Drifted) => held_by(pause),
        (None, Status::Drifted) => moved_by(run).or_else(|| run.reason()).unwrap_or_default(),
        _ => run.reason().unwrap_or_default(),
    };
    let ended_from_outside = matches!(status, Status::Cancelled | Status::LeaseLost | Status::Superseded);
    let news = !ended_from_outside && status_name != claimed.status;
    let eventful = news || !run.receipts.is_empty() || run.tally.conflicts > 0;
    plain(Finished {
        lease: claimed.lease.clone(),
        // A run that was ended from outside says nothing about its tenant: what was said before stands.
        told: !ended_from_outside,
        status: status_name,
        reason,
        trouble: trouble(status, claimed),
        in_sync,
        drifted,
        looked: !run.observed.is_empty(),
        failures,
        again: again(status, &claimed.lease.tenant, failures, now, intervals),
        run: eventful.then(|| RunRow {
            started_at,
            revision: run.spec.revision.clone(),
            cause: claimed.cause,
            writes: run.receipts.len(),
            conflicts: run.tally.conflicts,
        }),
        history: history(run, status_name, news),
    })
}

/// Its texts without secrets, and with what a database or a terminal would choke on shown: names and reasons
/// come from people and servers.
fn plain(mut finished: Finished) -> Finished {
    let clean = |text: &str| escape(&masked(text)).to_string();
    finished.reason = clean(&finished.reason);
    for (_, detail) in &mut finished.history {
        *detail = clean(detail);
    }
    finished
}

/// A run that ended without a status: only by a defect of ours.
pub fn lost(claimed: &Claimed, reason: &str, now: Timestamp, intervals: &Intervals) -> Finished {
    let tenant = &claimed.lease.tenant;
    let failures = claimed.failures.saturating_add(1);
    let seed = seed_of(tenant) ^ now.as_millisecond().unsigned_abs();
    plain(Finished {
        lease: claimed.lease.clone(),
        told: true,
        status: "Degraded",
        reason: reason.to_owned(),
        trouble: "local",
        in_sync: false,
        drifted: None,
        looked: false,
        failures,
        again: (backoff(failures, intervals.retry, intervals.retry_max, seed), Cause::Retry),
        run: None,
        history: vec![("status", format!("Degraded: {reason}"))],
    })
}

/// Why a tenant has to be held for a person, so that the next run does not go on with it.
pub fn hold(run: &Run) -> Option<Pause> {
    let reason = match run.status() {
        Some(Status::Contested(reason)) => reason,
        // It was written and is not in sync all the same: another run would only write it again.
        Some(Status::Held(reason)) if !run.receipts.is_empty() && out_of_sync(run) => reason,
        _ => return None,
    };
    Some(Pause {
        kind: PauseKind::Hold,
        by: "genesync".into(),
        reason: escape(&masked(reason)).to_string(),
        since: run.planned_at.unwrap_or_default(),
        until: None,
    })
}

fn out_of_sync(run: &Run) -> bool {
    run.plan.as_ref().is_some_and(|plan| !plan.is_empty())
}

/// The status as it is shown. A tenant that is held is watched: that it is out of sync is what the hold means.
fn shown(status: &Status, claimed: &Claimed) -> &'static str {
    match (&claimed.pause, status) {
        (Some(Pause { kind: PauseKind::Hold, .. }), Status::OutOfSync | Status::Drifted) => "Held",
        // The next run has begun by the time that somebody reads this.
        (_, Status::Cancelled | Status::LeaseLost | Status::Superseded) => "OutOfSync",
        (_, status) => status.name(),
    }
}

/// What somebody would be told about, by its word in the store. A pause is a person's own doing.
fn trouble(status: &Status, claimed: &Claimed) -> &'static str {
    let paused = claimed.pause.as_ref().map(|pause| pause.kind);
    match (status, paused) {
        (_, Some(PauseKind::Pause)) => "",
        (Status::OutOfSync | Status::Drifted, Some(PauseKind::Hold)) => "held",
        (Status::Drifted, None) => "drift",
        (Status::Held(_) | Status::Contested(_), _) => "held",
        (Status::Refused(_), _) => "refused",
        (Status::Unconfirmed(_), _) => "unconfirmed",
        (Status::Degraded(fault), _) => fault.kind.name(),
        (Status::Synced | Status::OutOfSync, _) => "",
        (Status::Cancelled | Status::LeaseLost | Status::Superseded, _) => "",
    }
}

fn held_by(pause: &Pause) -> String {
    match pause.kind {
        PauseKind::Hold => pause.reason.clone(),
        PauseKind::Pause => format!("paused by {}: {}", pause.by, pause.reason),
    }
}

/// When to look again, and why.
fn again(
    status: &Status,
    tenant: &TenantName,
    failures: u32,
    now: Timestamp,
    intervals: &Intervals,
) -> (Duration, Cause) {
    let resync = until_resync(tenant, intervals.resync, now.as_millisecond());
    let seed = seed_of(tenant) ^ now.as_millisecond().unsigned_abs();
    let retry = backoff(failures, intervals.retry, intervals.retry_max, seed);
    match status {
        Status::Synced | Status::OutOfSync | Status::Drifted => (resync, Cause::Resync),
        // The entry may be late: it is looked for again, which costs one read and one query.
        Status::Unconfirmed(_) => (resync.min(intervals.retry_max), Cause::Retry),
        Status::Cancelled | Status::LeaseLost | Status::Superseded => (Duration::ZERO, Cause::Retry),
        Status::Degraded(fault) => {
            let asked = Duration::from_millis(fault.retry_after_ms.unwrap_or_default());
            // What the server refuses for what it says, it will refuse again: that is the resync's to see.
            let wait = if fault.kind == FaultKind::Rejected { retry.max(resync) } else { retry };
            (wait.max(asked), Cause::Retry)
        }
        Status::Held(_) | Status::Contested(_) | Status::Refused(_) => (retry.min(resync), Cause::Retry),
    }
}

fn history(run: &Run, status: &str, news: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    // What a watched tenant drifted by is told when it is seen first; what was set back, each time.
    let drift = run.first_plan.iter().flat_map(|plan| &plan.targets).flat_map(|target| {
        let moved = target.changes.iter().filter(|change| change.kind != ChangeKind::ToApply);
        moved.map(|change| (target.target.object_ref(), change))
    });
    if news || !run.receipts.is_empty() {
        lines.extend(
            drift.map(|(object, change)| ("drift", format!("{} of {object}{}", moved(change), by(change)))),
        );
    }
    for receipt in &run.receipts {
        let text = format!("{} from commit {}", receipt.subject(), run.spec.revision.short());
        lines.push(("write", text));
    }
    if news {
        let reason = run.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(("status", format!("{status}{reason}")));
    }
    lines
}

/// Who moved what, where the audit log knows somebody: `Mara Ionescu changed greetings.delayMs of … and 2 more fields`.
fn moved_by(run: &Run) -> Option<String> {
    let targets = run.plan.iter().flat_map(|plan| &plan.targets);
    let all: Vec<(ObjectRef, &Change)> = targets
        .flat_map(|target| target.changes.iter().map(|change| (target.target.object_ref(), change)))
        .filter(|(_, change)| change.kind != ChangeKind::ToApply)
        .collect();
    let (object, change) = all.iter().find(|(_, change)| change.by.is_some())?;
    let who = change.by.as_ref()?.actor.label();
    let more = match all.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", counted(more, "more field")),
    };
    Some(format!("{who} changed {} of {object}{more}, and the tenant is in watch mode", change.path))
}

/// `greetings.delayMs: 1500 in git, 777 live`.
fn moved(change: &Change) -> String {
    let value = |value: &Option<serde_json::Value>| {
        let text = value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        match text.char_indices().nth(80) {
            Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
            None => text,
        }
    };
    let [live, git] = change.shown();
    let wanted = if change.path == PINNED { "to be pinned" } else { "in git" };
    format!("{}: {} {wanted}, {} live", change.path, value(&git), value(&live))
}

/// `, by Mara Ionescu at … from …`.
fn by(change: &Change) -> String {
    let Some(by) = &change.by else { return String::new() };
    let at = by.at.map(|at| format!(" at {at}")).unwrap_or_default();
    let from = by.remote_ip.as_ref().map(|ip| format!(" from {ip}")).unwrap_or_default();
    format!(", by {}{at}{from}", by.actor.label())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Guard, Refusal};
    use crate::store::Lease;

    const INTERVALS: Intervals = Intervals {
        resync: Duration::from_secs(600),
        retry: Duration::from_secs(5),
        retry_max: Duration::from_secs(300),
    };

    fn claimed(pause: Option<PauseKind>) -> Claimed {
        Claimed {
            lease: Lease { tenant: TenantName::new("acme"), token: 1, wanted: None },
            wanted: "d".into(),
            applied: true,
            cause: Cause::Resync,
            failures: 0,
            status: "Synced".into(),
            pause: pause.map(|kind| Pause {
                kind,
                by: "mara".into(),
                reason: "campaign".into(),
                since: Timestamp::UNIX_EPOCH,
                until: None,
            }),
        }
    }

    fn fault(kind: FaultKind) -> Status {
        Status::Degraded(Fault::new(kind, "x"))
    }

    #[test]
    fn what_went_wrong_is_tried_again_sooner_and_what_will_go_wrong_again_later() {
        let refused = Status::Refused(vec![Refusal { guard: Guard::Window, message: "x".into() }]);
        let asked = Status::Degraded(Fault {
            retry_after_ms: Some(900_000),
            ..Fault::new(FaultKind::Throttled, "x")
        });
        let table = [
            (Status::Synced, 0, 60..=660, Cause::Resync),
            (Status::Drifted, 0, 60..=660, Cause::Resync),
            (Status::Unconfirmed(None), 0, 60..=300, Cause::Retry),
            (Status::Superseded, 0, 0..=0, Cause::Retry),
            (Status::Cancelled, 3, 0..=0, Cause::Retry),
            (fault(FaultKind::Transient), 1, 5..=6, Cause::Retry),
            (fault(FaultKind::Transient), 4, 40..=50, Cause::Retry),
            (fault(FaultKind::Transient), 40, 300..=375, Cause::Retry),
            (fault(FaultKind::Rejected), 1, 60..=660, Cause::Retry),
            (asked, 1, 900..=900, Cause::Retry),
            (refused, 2, 10..=12, Cause::Retry),
        ];
        for (status, failures, seconds, cause) in table {
            for at in 0..50 {
                let now = Timestamp::from_second(1_790_000_000 + at * 17).unwrap();
                let (wait, why) = again(&status, &TenantName::new("acme"), failures, now, &INTERVALS);
                assert!(seconds.contains(&wait.as_secs()), "{status:?} after {failures}: {wait:?}");
                assert_eq!(why, cause, "{status:?}");
            }
        }
    }

    #[test]
    fn a_hold_is_a_trouble_and_a_pause_is_none() {
        let table = [
            (Status::Synced, None, "", "Synced"),
            (Status::Drifted, None, "drift", "Drifted"),
            (Status::OutOfSync, None, "", "OutOfSync"),
            (Status::Drifted, Some(PauseKind::Pause), "", "Drifted"),
            (Status::Drifted, Some(PauseKind::Hold), "held", "Held"),
            (Status::OutOfSync, Some(PauseKind::Hold), "held", "Held"),
            (Status::Contested("x".into()), None, "held", "Held"),
            (fault(FaultKind::Denied), None, "denied", "Degraded"),
            (Status::Superseded, None, "", "OutOfSync"),
        ];
        for (status, pause, told, word) in table {
            let claimed = claimed(pause);
            assert_eq!(
                (trouble(&status, &claimed), shown(&status, &claimed)),
                (told, word),
                "{status:?} {pause:?}"
            );
        }
    }
}
