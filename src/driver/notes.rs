//! Logs the notes of runs, and the progress of long runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::TenantName;
use crate::reconcile::{Advance, Note};

/// Interval of progress lines for a long run.
const REPORTED_EVERY: Duration = Duration::from_secs(10);

/// Logs a note at its level.
pub fn log(tenant: &TenantName, note: &Note) {
    let text = note.to_string();
    match note {
        Note::OutOfPlace { .. } => tracing::error!(%tenant, "{text}"),
        Note::ForeignEdit { .. }
        | Note::Overwrote { .. }
        | Note::Mixed { .. }
        | Note::OtherKey { .. }
        | Note::LeftOut { .. }
        | Note::GaveUp { .. }
        | Note::Unclear { .. } => {
            tracing::warn!(%tenant, "{text}");
        }
        Note::Wrote { .. } | Note::Conflict { .. } | Note::AnswerLost { .. } | Note::Landed { .. } => {
            tracing::info!(%tenant, "{text}");
        }
        _ => tracing::debug!(%tenant, "{text}"),
    }
}

/// The start of each run, and the time of its last progress line.
#[derive(Debug, Default)]
pub struct Advances {
    runs: Mutex<BTreeMap<TenantName, Begun>>,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    reported_at: Instant,
}

impl Advances {
    /// Logs the progress of a run, about every 10 s.
    pub fn log(&self, tenant: &TenantName, advance: Advance) {
        if let Some(reported) = self.reported(tenant, advance) {
            tracing::info!(%tenant, "{reported}");
        }
    }

    /// Returns the progress of a run and an estimate of the remaining time, about every 10 s; else none.
    pub fn reported(&self, tenant: &TenantName, advance: Advance) -> Option<String> {
        self.reported_at(tenant, advance, clock::monotonic())
    }

    fn reported_at(
        &self,
        tenant: &TenantName,
        Advance { done, all }: Advance,
        now: Instant,
    ) -> Option<String> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= all {
            runs.remove(tenant);
            return None;
        }
        let begun = runs.entry(tenant.clone()).or_insert(Begun { at: now, reported_at: now });
        if now.saturating_duration_since(begun.reported_at) < REPORTED_EVERY {
            return None;
        }
        begun.reported_at = now;
        let took = now.saturating_duration_since(begun.at);
        let left_s = (took.as_secs_f64() / done.max(1) as f64 * (all - done) as f64).ceil();
        let left = if done == 0 { String::new() } else { format!(", about {left_s} s left") };
        Some(format!("{done} of {all} objects are in force{left}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_reports_its_progress_every_ten_seconds() {
        let (advances, tenant, began) = (Advances::default(), TenantName::new("acme"), clock::monotonic());
        let reported = |done: usize, second: u64| {
            let advance = Advance { done, all: 600 };
            advances.reported_at(&tenant, advance, began + Duration::from_secs(second))
        };
        assert_eq!(reported(0, 0), None);
        assert_eq!(reported(9, 9), None);
        assert_eq!(reported(100, 10).unwrap(), "100 of 600 objects are in force, about 50 s left");
        assert_eq!(reported(101, 12), None);
        assert_eq!(reported(300, 22).unwrap(), "300 of 600 objects are in force, about 22 s left");
        assert_eq!(reported(600, 40), None);
        // The next run of the tenant starts from zero.
        assert_eq!(reported(0, 50), None);
        assert_eq!(reported(0, 60).unwrap(), "0 of 600 objects are in force");
    }
}
