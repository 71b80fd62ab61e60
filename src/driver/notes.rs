//! Notes of runs as lines of the log, and how far long ones are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::TenantName;
use crate::reconcile::{Advance, Note};

/// A run that takes longer tells this often how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Logs a note at the level that it deserves.
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

/// How far runs are, and since when.
#[derive(Debug, Default)]
pub struct Advances {
    runs: Mutex<BTreeMap<TenantName, Begun>>,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    told_at: Instant,
}

impl Advances {
    /// Logs how far a run is, about every ten seconds.
    pub fn log(&self, tenant: &TenantName, advance: Advance) {
        if let Some(told) = self.told(tenant, advance) {
            tracing::info!(%tenant, "{told}");
        }
    }

    /// How far a run is, and how long the rest takes at its pace until now: about every ten seconds, else none.
    pub fn told(&self, tenant: &TenantName, advance: Advance) -> Option<String> {
        self.told_at(tenant, advance, clock::monotonic())
    }

    fn told_at(&self, tenant: &TenantName, Advance { done, all }: Advance, now: Instant) -> Option<String> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if done >= all {
            runs.remove(tenant);
            return None;
        }
        let begun = runs.entry(tenant.clone()).or_insert(Begun { at: now, told_at: now });
        if now.saturating_duration_since(begun.told_at) < TOLD_EVERY {
            return None;
        }
        begun.told_at = now;
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
    fn a_long_run_tells_every_ten_seconds_how_far_it_is() {
        let (advances, tenant, began) = (Advances::default(), TenantName::new("acme"), clock::monotonic());
        let told = |done: usize, second: u64| {
            let advance = Advance { done, all: 600 };
            advances.told_at(&tenant, advance, began + Duration::from_secs(second))
        };
        assert_eq!(told(0, 0), None);
        assert_eq!(told(9, 9), None);
        assert_eq!(told(100, 10).unwrap(), "100 of 600 objects are in force, about 50 s left");
        assert_eq!(told(101, 12), None);
        assert_eq!(told(300, 22).unwrap(), "300 of 600 objects are in force, about 22 s left");
        assert_eq!(told(600, 40), None);
        // The next run of the tenant begins anew.
        assert_eq!(told(0, 50), None);
        assert_eq!(told(0, 60).unwrap(), "0 of 600 objects are in force");
    }
}
