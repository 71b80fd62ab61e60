//! Answers probes, scrapers and forges for the controller.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::controller::Controller;
use crate::model::causes;
use crate::service::http::Surface;
use crate::service::process::TENANTS_SHOWN;
use crate::store::FleetFigures;
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::{FleetSeen, HookResult};

/// Time without a turn of the loop after which the process is unhealthy.
const LOOP_PATIENCE: Duration = Duration::from_secs(60);
/// Interval of reading the figures.
const FIGURES_EVERY: Duration = Duration::from_secs(10);

/// The controller's [`Surface`].
pub struct Face {
    controller: Arc<Controller>,
    telemetry: Arc<Telemetry>,
    seen_alive: Mutex<Instant>,
    /// Consecutive failed reads of the figures.
    store_failures: AtomicU8,
}

impl Face {
    /// Makes the surface of a controller.
    pub fn new(controller: &Arc<Controller>, telemetry: &Arc<Telemetry>) -> Self {
        Self {
            controller: Arc::clone(controller),
            telemetry: Arc::clone(telemetry),
            seen_alive: Mutex::new(clock::monotonic()),
            store_failures: AtomicU8::new(0),
        }
    }

    /// Reads the figures at each interval.
    pub async fn keep_figures(self: Arc<Self>) {
        loop {
            match self.controller.store.figures(TENANTS_SHOWN).await {
                Ok(figures) => {
                    self.store_failures.store(0, Ordering::Relaxed);
                    self.controller.metrics.set_fleet(seen(figures));
                }
                Err(error) => {
                    self.store_failures.fetch_add(1, Ordering::Relaxed);
                    self.controller.metrics.store_errors.inc();
                    tracing::warn!(error = causes(&error), "cannot count the tenants");
                }
            }
            tokio::time::sleep(FIGURES_EVERY).await;
        }
    }
}

impl Surface for Face {
    fn healthy(&self) -> Result<(), String> {
        if let Some(why) = self.controller.store.exchanged() {
            return Err(format!(
                "the state was replaced while this process ran, so it writes nothing until it is restarted: {why}"
            ));
        }
        let mut seen = self.seen_alive.lock().unwrap_or_else(PoisonError::into_inner);
        if self.controller.alive.swap(false, Ordering::Relaxed) {
            *seen = clock::monotonic();
        }
        if seen.elapsed() < LOOP_PATIENCE {
            return Ok(());
        }
        Err(format!("the controller loop has not turned for {} s", seen.elapsed().as_secs()))
    }

    fn ready(&self) -> Result<(), String> {
        if self.store_failures.load(Ordering::Relaxed) > 0 {
            return Err("the store does not answer".into());
        }
        if self.controller.head.known().borrow().is_none() {
            let why = self.controller.head.trouble().map(|trouble| format!(": {}", trouble.message));
            return Err(format!("no head has been read yet{}", why.unwrap_or_default()));
        }
        Ok(())
    }

    fn metrics(&self) -> String {
        self.controller.metrics.encode(self.telemetry.dropped())
    }

    fn hint(&self) {
        self.controller.head.hints.notify_one();
    }

    fn hooked(&self, result: HookResult) {
        self.controller.metrics.hooks.inc(result);
    }
}

fn seen(figures: FleetFigures) -> FleetSeen {
    let FleetFigures { by_status, oldest, drifted, drifted_at } = figures;
    FleetSeen {
        standing: by_status.iter().map(|some| (some.status, some.tenants)).collect(),
        in_sync_at: oldest,
        drifted,
        drifted_since: drifted_at,
    }
}
