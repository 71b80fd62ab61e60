//! How requests to the live API are counted, and long waits told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::platform::{Heard, Told};
use crate::telemetry::Metrics;

/// How long a low budget is remembered.
const BUDGET_WINDOW: Duration = Duration::from_secs(60);

/// Counts requests, and keeps the lowest share of a budget that was left.
pub fn heard(metrics: &Arc<Metrics>) -> Heard {
    let (counted, lowest) = (Arc::clone(metrics), Mutex::new((clock::monotonic(), 1.0_f64)));
    Arc::new(move |told| {
        let (status, budget_left) = match told {
            Told::Answered { status, budget_left } => (status, budget_left),
            Told::Waits { organization, wait } => {
                tracing::info!(%organization, wait_s = wait.as_secs() + 1, "waiting for the rate limit");
                return;
            }
        };
        counted.request(status);
        let Some(share) = budget_left else { return };
        let mut lowest = lowest.lock().unwrap_or_else(PoisonError::into_inner);
        // The lowest of the last while: limits are counted by the minute.
        *lowest = match *lowest {
            (since, low) if since.elapsed() < BUDGET_WINDOW => (since, low.min(share)),
            _ => (clock::monotonic(), share),
        };
        counted.set_api_budget_left(lowest.1);
    })
}
