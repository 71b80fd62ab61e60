//! The result of a run that has ended: the status of its tenant, when the tenant is due again, lines for the
//! history.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::guarding::{came_of, news_of_guards, opened_by};
use super::history::{history, moved_by, news_of, noticed};
use super::spread::{backoff, seed_of, until_resync};
use super::waves::{self, Before};
use crate::model::precedent::RunLimits;
use crate::model::standing::Standing;
use crate::model::text::escape;
use crate::model::{
    Change, ChangeKind, FaultKind, Guard, Intervals, Mode, Plan, Precedents, Refusal, Retry, Status,
    TenantName,
};
use crate::plan::guards;
use crate::plan::guards::run_tenants::Changing;
use crate::reconcile::{End, Hold, HoldCause, Run, Wait};
use crate::store::{Asked, ClaimCause, Claimed, Finished, Pause, PauseKind, RunRow};
use crate::telemetry::masked;

/// The time, the operator and the intervals of a run.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// When the run began.
    pub started_at: Timestamp,
    /// The current time.
    pub now: Timestamp,
    /// The intervals between runs.
    pub intervals: &'a Intervals,
    /// Who ran it by hand, and why; none for the controller.
    pub asked: Option<&'a Asked>,
}

/// Returns the status of a tenant after a run and its reason; no status if the run did not end.
///
/// A tenant that a person paused has the status `Paused`, whatever the run found.
pub fn seen(run: &Run, pause: Option<&Pause>) -> (Option<Status>, String) {
    let status = run.end().and_then(End::status);
    let is_left = matches!(status, Some(Status::OutOfSync | Status::Drifted));
    match pause {
        Some(pause) if is_left || status.is_some() && pause.is_a_persons() => {
            (Some(of_pause(pause)), pause.words())
        }
        None if status == Some(Status::Drifted) => {
            (status, moved_by(run).or_else(|| run.reason()).unwrap_or_default())
        }
        Some(_) | None => (status, run.reason().unwrap_or_default()),
    }
}

/// Returns the status of a tenant that genesync only reads because of a pause or a hold.
fn of_pause(pause: &Pause) -> Status {
    match (pause.kind, pause.guard_of()) {
        (PauseKind::Pause, _) => Status::Paused,
        (PauseKind::Hold, Some(_)) => Status::Refused,
        (PauseKind::Hold, None) => Status::Held,
    }
}

/// Whether the managed part of the live configuration equals git after a run.
pub fn in_force(run: &Run) -> bool {
    match run.end() {
        Some(End::Synced | End::Unconfirmed(_)) => true,
        // In sync, but a change of another user was overwritten. Regions that were left out and objects that
        // moved since the review are not in the plan and not in sync.
        Some(End::Held(Hold { cause: HoldCause::WentOver, .. })) => {
            let nothing_left = run.plan().is_some_and(|plan| plan.is_empty());
            nothing_left && run.left_out().is_none() && run.moved_since_review().is_none()
        }
        Some(_) | None => false,
    }
}

/// Returns what a tenant means for later waves after a run.
pub fn standing(run: &Run, claimed: &Claimed, mode: Mode) -> Option<Standing> {
    waves::standing(run.end()?, in_force(run), place(claimed, mode))
}

fn place(claimed: &Claimed, mode: Mode) -> Before {
    let kind = claimed.pause.as_ref().map(|pause| pause.kind);
    Before {
        mode,
        is_paused: kind == Some(PauseKind::Pause),
        is_held: kind == Some(PauseKind::Hold),
        has_failed: claimed.standing == Standing::Failed && !claimed.is_new,
    }
}

/// Returns the record of a run. `mode` is the mode in git, also if the tenant is paused.
pub fn finished(run: &Run, claimed: &Claimed, mode: Mode, setting: &Setting<'_>) -> Finished {
    let Some(end) = run.end() else {
        return lost(claimed, "the run stopped without a result: report this bug", mode, setting);
    };
    let known = run.left_out().is_none();
    let in_sync = in_force(run);
    let is_drift = |change: &Change| change.kind != ChangeKind::ToApply;
    let drifts = |plan: &Plan| plan.changes().any(is_drift);
    // A run without a plan does not know whether the tenant drifts. A run that left out a region knows only
    // if it found drift.
    let drifted = (in_sync || run.plan().is_some()).then(|| !in_sync && run.plan().is_some_and(drifts));
    let drifted = drifted.filter(|drifted| known || *drifted);
    let (shown, reported) = seen(run, claimed.pause.as_ref());
    // The row keeps the real status; the pause has a row of its own.
    let (status, reason) = match (shown, end) {
        (Some(Status::Paused), _) => (end.status(), reason_under_a_pause(run)),
        // Only for runs of the controller: the CLI prints its own command.
        (status, End::Refused(refusals)) if setting.asked.is_none() => {
            (status, format!("{reported}{}", opened_by(refusals.iter().chain(run.refusals()), run)))
        }
        (status, _) => (status, reported.clone()),
    };
    let failures = match status {
        None => claimed.failures,
        Some(Status::Held | Status::Refused) if end.status() != status => 0,
        Some(Status::Held | Status::Refused | Status::Degraded(_)) => claimed.failures.saturating_add(1),
        Some(
            Status::Synced
            | Status::OutOfSync
            | Status::Drifted
            | Status::Unconfirmed
            | Status::Waiting
            | Status::Invalid
            | Status::Paused,
        ) => 0,
    };
    let news = status.is_some_and(|status| status.word() != claimed.status.word());
    let touched = run.wrote() || !run.receipts().is_empty();
    let said = news_of_guards(run, in_sync);
    let unmanaged = noticed(run, &claimed.unmanaged, setting.now);
    let mut history = history(run, shown.filter(|_| news).map(|shown| (shown, reported.as_str())), news);
    history.extend(news_of(unmanaged.as_deref(), &claimed.unmanaged));
    history.extend(open_while_written(run));
    let eventful = news || touched || run.tally().conflicts > 0 || setting.asked.is_some();
    plain(Finished {
        lease: claimed.lease.clone(),
        wanted: Arc::clone(&claimed.wanted),
        status,
        reason,
        standing: standing(run, claimed, mode),
        waits_for: wave_of(end),
        in_sync,
        touched,
        drifted,
        looked: !run.observed().is_empty(),
        failures,
        unmanaged,
        // After an apply by hand the tenant is due at once, so that the controller continues with its own
        // intervals.
        came_of: came_of(run, touched, in_sync && !said.is_empty()),
        opened: run.spec().limits.allowed.clone(),
        said,
        again: match setting.asked {
            Some(_) => (Duration::ZERO, ClaimCause::Operator),
            None => again(end, &claimed.lease.tenant, failures, setting),
        },
        run: eventful.then(|| RunRow {
            started_at: setting.started_at,
            revision: run.spec().revision.clone(),
            cause: claimed.cause,
            writes: run.writes(),
            conflicts: run.tally().conflicts,
            // For a paused tenant this is `Paused`, even if it differs from git.
            status: shown.or(status).map_or("Stopped", Status::word),
            asked: setting.asked.cloned(),
        }),
        history,
    })
}

/// Returns a history line with the guards that were open during a write.
fn open_while_written(run: &Run) -> Option<(&'static str, String)> {
    let open: Vec<&str> = run.spec().limits.allowed.iter().map(|guard| guard.name()).collect();
    (run.wrote() && !open.is_empty())
        .then(|| ("guards", format!("open during the write: {}", open.join(", "))))
}

/// Returns the wave that a change waits for.
fn wave_of(end: &End) -> Option<u32> {
    match end {
        End::Waiting(Wait::Wave(wave)) => Some(*wave),
        _ => None,
    }
}

/// Masks secrets in the texts and escapes characters that would break a database or a terminal: names and
/// reasons come from people and servers.
fn plain(mut finished: Finished) -> Finished {
    let clean = |text: &str| escape(&masked(text)).to_string();
    finished.reason = clean(&finished.reason);
    for (_, detail) in &mut finished.history {
        *detail = clean(detail);
    }
    finished
}

/// Returns the record of a run that could not begin, or ended because of a bug in genesync.
pub fn lost(claimed: &Claimed, reason: &str, mode: Mode, setting: &Setting<'_>) -> Finished {
    let Setting { now, intervals, .. } = setting;
    let failures = claimed.failures.saturating_add(1);
    let seed = seed_of(&claimed.lease.tenant) ^ now.as_millisecond().unsigned_abs();
    plain(Finished {
        lease: claimed.lease.clone(),
        wanted: Arc::clone(&claimed.wanted),
        status: Some(Status::Degraded(FaultKind::Local)),
        reason: reason.to_owned(),
        standing: waves::of_lost(place(claimed, mode)),
        waits_for: None,
        in_sync: false,
        touched: false,
        drifted: None,
        looked: false,
        failures,
        unmanaged: None,
        again: (backoff(failures, intervals.retry, intervals.retry_max, seed), ClaimCause::Retry),
        said: Precedents::new(),
        came_of: None,
        opened: BTreeSet::new(),
        run: None,
        history: vec![("status", format!("Degraded: {reason}"))],
    })
}

/// Returns the hold of a tenant that needs a person before its next run may write.
pub fn hold(run: &Run) -> Option<Pause> {
    let Some(End::Held(hold)) = run.end() else { return None };
    match hold.cause {
        HoldCause::Flapping => {}
        // It overwrote a change of another user: a person must see that before genesync writes related
        // objects.
        HoldCause::WentOver if !run.receipts().is_empty() && run.differs() => {}
        // The platform does not keep the stored draft, so every run would store it again.
        HoldCause::NotKept if run.wrote() && run.differs() => {}
        // An object was written and is still not in sync, so another run would only write it again.
        HoldCause::Undecided | HoldCause::Contended | HoldCause::NotKept | HoldCause::NotReviewed
            if run.wrote_in_vain() => {}
        HoldCause::Undecided
        | HoldCause::Contended
        | HoldCause::NotKept
        | HoldCause::WentOver
        | HoldCause::NotReviewed => return None,
    }
    let reason = escape(&masked(&hold.reason)).to_string();
    Some(held_by("genesync".into(), reason, run.planned_at().unwrap_or_default()))
}

/// Returns the hold of a guard that refused a whole run.
pub fn guard_hold(refusal: &Refusal, since: Timestamp) -> Pause {
    let release = match refusal.guard {
        Guard::RunTenants => "to continue, run `genesync resume --all`",
        _ => "to continue, run `genesync resume`",
    };
    held_by(Pause::guard(refusal.guard), format!("{}: {release}", refusal.message), since)
}

/// Returns the hold of the tenants that a new head changes, if the guard `run-tenants` refuses so many of
/// `total` tenants. The controller never plans all tenants at once, so it counts those whose desired
/// configuration differs from the applied one.
pub fn hold_of_a_head(tenants: usize, total: usize, limits: RunLimits, now: Timestamp) -> Option<Pause> {
    // Digests do not show what visitors lose; the guard `run-off` checks each intent.
    let changing = Changing { tenants, weighty: 0 };
    let refusal = guards::run_tenants::check(changing, total, limits, &BTreeSet::new())?;
    Some(guard_hold(&refusal, now))
}

/// Returns the hold of a tenant whose runs repeatedly end because of a bug in genesync.
pub fn defect_hold(tenant: &TenantName, reason: &str, since: Timestamp) -> Pause {
    held_by(
        "genesync".into(),
        format!("{reason}; genesync only watches the tenant until you run `genesync resume {tenant}`"),
        since,
    )
}

fn held_by(by: String, reason: String, since: Timestamp) -> Pause {
    Pause { kind: PauseKind::Hold, by, reason, since, until: None }
}

/// Returns the wait until the next run, and its cause.
fn again(end: &End, tenant: &TenantName, failures: u32, setting: &Setting<'_>) -> (Duration, ClaimCause) {
    let Setting { now, intervals, .. } = setting;
    let resync = until_resync(tenant, intervals.resync, now.as_millisecond());
    let Some(status) = end.status() else { return (Duration::ZERO, ClaimCause::Retry) };
    let seed = seed_of(tenant) ^ now.as_millisecond().unsigned_abs();
    let retry = backoff(failures, intervals.retry, intervals.retry_max, seed);
    let asked = match end {
        End::Degraded(fault) => Duration::from_millis(fault.retry_after_ms.unwrap_or_default()),
        _ => Duration::ZERO,
    };
    if let End::Waiting(Wait::Window(opening)) = end {
        let left = Duration::try_from(opening.at.duration_since(*now)).unwrap_or_default();
        return (left.min(resync), ClaimCause::Resync);
    }
    match status.row().retry {
        Retry::Resync | Retry::Commit => (resync, ClaimCause::Resync),
        // The audit entry may be late: another check costs one read and one query.
        Retry::Soon => (resync.min(intervals.retry_max), ClaimCause::Retry),
        Retry::Backoff => (retry.min(resync), ClaimCause::Retry),
        Retry::Outage => (retry.max(asked), ClaimCause::Retry),
        // The server will reject the same body again, so the next attempt waits for the resync.
        Retry::Refusal => (retry.max(resync).max(asked), ClaimCause::Retry),
    }
}

/// Returns the reason of the status without the pause; empty if the reason is only that nothing was written.
fn reason_under_a_pause(run: &Run) -> String {
    match run.end() {
        Some(End::OutOfSync | End::Drifted) | None => String::new(),
        Some(_) => run.reason().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Guard, Refusal};
    use crate::plan::guards::window::Opening;

    const INTERVALS: Intervals = Intervals {
        resync: Duration::from_secs(600),
        retry: Duration::from_secs(5),
        retry_max: Duration::from_secs(300),
    };

    fn fault(kind: FaultKind) -> End {
        End::Degraded(Fault::new(kind, "x"))
    }

    #[test]
    fn transient_failures_are_retried_soon_and_lasting_ones_later() {
        let refused = End::Refused(vec![Refusal { guard: Guard::TenantChanges, message: "x".into() }]);
        let asked =
            End::Degraded(Fault { retry_after_ms: Some(900_000), ..Fault::new(FaultKind::Throttled, "x") });
        let soon = Opening { at: Timestamp::UNIX_EPOCH, time_zone: "Europe/Berlin".into() };
        let table = [
            (End::Synced, 0, 60..=660, ClaimCause::Resync),
            (End::Drifted, 0, 60..=660, ClaimCause::Resync),
            (End::Waiting(Wait::Wave(1)), 0, 60..=660, ClaimCause::Resync),
            (End::Waiting(Wait::Window(soon)), 0, 30..=30, ClaimCause::Resync),
            (End::Unconfirmed(None), 0, 60..=300, ClaimCause::Retry),
            (End::Superseded, 0, 0..=0, ClaimCause::Retry),
            (End::Cancelled(None), 3, 0..=0, ClaimCause::Retry),
            (fault(FaultKind::Transient), 1, 5..=6, ClaimCause::Retry),
            (fault(FaultKind::Transient), 4, 40..=50, ClaimCause::Retry),
            (fault(FaultKind::Transient), 40, 300..=375, ClaimCause::Retry),
            (fault(FaultKind::Rejected), 1, 60..=660, ClaimCause::Retry),
            (asked, 1, 900..=900, ClaimCause::Retry),
            (refused, 2, 10..=12, ClaimCause::Retry),
        ];
        for (end, failures, seconds, cause) in table {
            for at in 0..50 {
                let now = Timestamp::from_second(1_790_000_000 + at * 17).unwrap();
                let end = match &end {
                    End::Waiting(Wait::Window(opening)) => {
                        let at = now + jiff::SignedDuration::from_secs(30);
                        End::Waiting(Wait::Window(Opening { at, ..opening.clone() }))
                    }
                    end => end.clone(),
                };
                let setting = Setting { started_at: now, now, intervals: &INTERVALS, asked: None };
                let (wait, why) = again(&end, &TenantName::new("acme"), failures, &setting);
                assert!(seconds.contains(&wait.as_secs()), "{end:?} after {failures}: {wait:?}");
                assert_eq!(why, cause, "{end:?}");
            }
        }
    }

    #[test]
    fn only_a_hold_counts_as_a_problem() {
        let pause = |kind, by: &str| Pause {
            kind,
            by: by.into(),
            reason: "x".into(),
            since: Timestamp::UNIX_EPOCH,
            until: None,
        };
        let table = [
            (pause(PauseKind::Pause, "mara"), Status::Paused, ""),
            (pause(PauseKind::Hold, "genesync"), Status::Held, "held"),
            (pause(PauseKind::Hold, "guard run-tenants"), Status::Refused, "refused"),
        ];
        for (pause, status, trouble) in table {
            assert_eq!((of_pause(&pause), of_pause(&pause).row().trouble), (status, trouble), "{pause:?}");
        }
    }
}
