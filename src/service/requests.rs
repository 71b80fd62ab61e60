//! Counts requests to the live API, and logs long waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::platform::{Heard, RequestEvent};
use crate::telemetry::Metrics;

/// How long the lowest share of a budget is kept.
const BUDGET_WINDOW: Duration = Duration::from_secs(60);

/// Returns a callback that counts requests and keeps the lowest remaining share of a rate limit.
pub fn heard(metrics: &Arc<Metrics>) -> Heard {
    let (counted, lowest) = (Arc::clone(metrics), Mutex::new((clock::monotonic(), 1.0_f64)));
    Arc::new(move |reported| {
        let (status, budget_left) = match reported {
            RequestEvent::Answered { status, budget_left } => (status, budget_left),
            RequestEvent::Waits { organization, wait } => {
                tracing::info!(%organization, wait_s = wait.as_secs() + 1, "waiting for the rate limit");
                return;
            }
        };
        counted.request(status);
        let Some(share) = budget_left else { return };
        let mut lowest = lowest.lock().unwrap_or_else(PoisonError::into_inner);
        // The lowest share of the last 60 s, because limits count by the minute.
        *lowest = match *lowest {
            (since, low) if since.elapsed() < BUDGET_WINDOW => (since, low.min(share)),
            _ => (clock::monotonic(), share),
        };
        counted.set_api_budget_left(lowest.1);
    })
}
