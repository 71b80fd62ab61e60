//! The shared state of the loop and its runs.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::head::Head;
use crate::driver::clients::Clients;
use crate::driver::slots::Slots;
use crate::model::{Intervals, Timing};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// The controller's state.
pub struct Controller {
    /// The state.
    pub store: Store,
    /// The last read head of git.
    pub head: Arc<Head>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Slots for runs.
    pub slots: Slots,
    /// Duration of a lease.
    pub lease: Duration,
    /// How long runs may take to end after a stop.
    pub shutdown: Duration,
    /// Settings that may change while the controller runs.
    pub tunables: Mutex<Tunables>,
    /// The API's client and the credentials.
    pub clients: Clients,
    /// Wakes the loop.
    pub wake: Notify,
    /// Whether the loop has turned since `/healthz` last cleared this.
    pub alive: AtomicBool,
    /// Cancelled when the process has to stop.
    pub stop: CancellationToken,
}

/// Settings that may change while the controller runs.
#[derive(Debug, Clone, Copy)]
pub struct Tunables {
    /// The intervals between runs.
    pub intervals: Intervals,
    /// The deadlines within a run.
    pub timing: Timing,
    /// Interval of fetches.
    pub git_poll: Duration,
    /// Age of the last successful fetch after which genesync writes nothing.
    pub stale_after: Duration,
    /// How long later waves wait for an unreachable tenant.
    pub waves_patience: Duration,
}

impl Controller {
    /// Returns the current settings.
    pub fn tunables(&self) -> Tunables {
        *self.tunables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
