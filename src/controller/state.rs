//! What the loop and its runs work with.

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

/// What the controller works with.
pub struct Controller {
    /// The state.
    pub store: Store,
    /// What git says.
    pub head: Arc<Head>,
    /// Where things are counted.
    pub metrics: Arc<Metrics>,
    /// Places for runs.
    pub slots: Slots,
    /// How long a tenant is leased.
    pub lease: Duration,
    /// How long runs have to end once it was told to stop.
    pub shutdown: Duration,
    /// Settings that may change while it runs.
    pub tunables: Mutex<Tunables>,
    /// Who asks the live API.
    pub clients: Clients,
    /// Wakes the loop.
    pub wake: Notify,
    /// Whether the loop has looked since this was last cleared: what `/healthz` asks.
    pub alive: AtomicBool,
    /// Told to stop.
    pub stop: CancellationToken,
}

/// Settings that may change while the controller runs.
#[derive(Debug, Clone, Copy)]
pub struct Tunables {
    /// How long things wait between runs.
    pub intervals: Intervals,
    /// How long things may take within one.
    pub timing: Timing,
    /// A repository is asked for news this often.
    pub git_poll: Duration,
    /// A source that has not been read for this long is not written from.
    pub stale_after: Duration,
    /// How long later waves wait for a tenant that cannot be reached.
    pub waves_patience: Duration,
}

impl Controller {
    /// The settings as they are now.
    pub fn tunables(&self) -> Tunables {
        *self.tunables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
