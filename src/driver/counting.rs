//! Metrics of runs.

use jiff::Timestamp;

use crate::reconcile::{End, Run};
use crate::telemetry::metrics::{Metrics, RunResult};

/// Counts a run that has ended.
pub fn count(metrics: &Metrics, run: &Run, now: Timestamp) {
    let result = match run.end() {
        Some(End::Synced) => RunResult::Synced,
        Some(End::OutOfSync) => RunResult::OutOfSync,
        Some(End::Drifted) => RunResult::Drifted,
        Some(End::Unconfirmed(_)) => RunResult::Unconfirmed,
        Some(End::Waiting(_)) => RunResult::Waiting,
        Some(End::Refused(refusals)) => {
            for refusal in refusals {
                metrics.guard_refusals.inc(refusal.guard);
            }
            RunResult::Refused
        }
        Some(End::Held(_)) => RunResult::Held,
        Some(End::Degraded(_)) | None => RunResult::Degraded,
        Some(End::Cancelled(_)) => RunResult::Cancelled,
        Some(End::LeaseLost) => RunResult::LeaseLost,
        Some(End::Superseded) => RunResult::Superseded,
    };
    metrics.runs.inc(result);
    if matches!(result, RunResult::Synced)
        && let Some(sent_at) = run.receipts().iter().map(|receipt| receipt.sent_at).min()
    {
        metrics.time_to_confirm.observe(now.duration_since(sent_at).as_secs_f64().max(0.0));
    }
}
