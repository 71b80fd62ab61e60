//! The process around a hosted task: it listens, reloads settings, deletes old history, and ends in time.
//!
//! Nothing here depends on the hosted task. Start reading at [`Process::host`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::ServiceError;
use super::http::{HookSecrets, ServeOptions, Surface, serve};
use super::reload::{Reload, Take};
use super::requests::heard;
use super::signals::stopped;
use crate::config::{Flags, Settings};
use crate::crash;
use crate::model::{StorePlace, causes};
use crate::platform::Heard;
use crate::store::Store;
use crate::telemetry::{self, Metrics, Telemetry};

/// Number of tenants that the metrics show by name: those that were not in sync for the longest time.
pub(super) const TENANTS_SHOWN: usize = 20;
/// Interval of deleting old history.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Time for the process to end in addition to the shutdown time of the hosted task.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(2);

/// A process and its shared state.
pub struct Process {
    /// The settings at its start.
    pub settings: Settings,
    /// The state.
    pub store: Store,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Counts requests to the live API.
    pub heard: Heard,
    /// The log.
    pub telemetry: Arc<Telemetry>,
    /// Cancelled when the process has to stop.
    pub stop: CancellationToken,
    flags: Flags,
}

/// The hosted task, as the process needs it.
pub struct Hosted {
    /// Its answers for probes, scrapers and forges.
    pub surface: Arc<dyn Surface>,
    /// Applies reloaded settings.
    pub take: Take,
    /// Tasks that run next to it until it has ended.
    pub beside: JoinSet<()>,
}

/// A bound socket that is not served yet.
pub struct Door {
    listener: TcpListener,
    secrets: Option<HookSecrets>,
}

impl Process {
    /// Starts a process that logs panics, masks secrets, and stops at the first signal.
    pub fn start(settings: Settings, flags: Flags, store: Store, telemetry: &Arc<Telemetry>) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                stopped().await;
                tracing::info!("stopping: waiting for running work to end");
                stop.cancel();
            }
        });
        telemetry::log_panics();
        settings.git_token.iter().for_each(telemetry::mask);
        if let Some(StorePlace::Postgres(url)) = &settings.store {
            telemetry::mask(url);
        }
        let metrics = Arc::new(Metrics::new(TENANTS_SHOWN));
        let (heard, telemetry) = (heard(&metrics), Arc::clone(telemetry));
        Self { settings, store, metrics, heard, telemetry, stop, flags }
    }

    /// Binds the socket of probes and hooks, if an address is set. It answers only in [`Process::host`].
    ///
    /// # Errors
    /// The process cannot listen on the address, or a secret of the webhook is unusable.
    pub(super) async fn open(&self, address: Option<SocketAddr>) -> Result<Option<Door>, ServiceError> {
        let Some(address) = address else { return Ok(None) };
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| ServiceError::Listen { address, source })?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(%address, "serving /healthz, /readyz, /metrics and /hooks/git");
        Ok(Some(Door { listener, secrets: hook_secrets(&self.settings)? }))
    }

    /// Runs `work` with the server and the side tasks, then ends them and closes the store.
    ///
    /// # Errors
    /// The process had to stop and did not end in time.
    pub(super) async fn host<T>(
        &self,
        hosted: Hosted,
        door: Option<Door>,
        work: impl Future<Output = T>,
    ) -> Result<T, ServiceError> {
        let Hosted { surface, take, beside: mut tasks } = hosted;
        let served = CancellationToken::new();
        if let Some(Door { listener, secrets }) = door {
            let served = served.clone();
            tasks.spawn(async move {
                serve(listener, surface, secrets, ServeOptions::default(), served.cancelled()).await;
            });
        }
        tasks.spawn(forget(self.store.clone(), self.settings.controller.keep_days));
        let reload = Reload { flags: self.flags.clone(), telemetry: Arc::clone(&self.telemetry), take };
        #[cfg(unix)]
        tasks.spawn(reload.on_hangup());
        let whole = async {
            let ended = work.await;
            served.cancel();
            tasks.shutdown().await;
            crash::point("C20");
            self.store.close().await;
            ended
        };
        // A hanging store must not delay the end: the next start recovers results that were not recorded.
        tokio::select! {
            ended = whole => Ok(ended),
            () = self.overdue() => Err(ServiceError::Overdue),
        }
    }

    /// Ends when the shutdown time and its margin have passed after a stop.
    async fn overdue(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(self.settings.controller.shutdown + SHUTDOWN_MARGIN).await;
    }
}

fn hook_secrets(settings: &Settings) -> Result<Option<HookSecrets>, ServiceError> {
    if settings.hook_secrets.is_empty() {
        return Ok(None);
    }
    for secret in &settings.hook_secrets {
        telemetry::mask(secret);
    }
    HookSecrets::new(settings.hook_secrets.clone()).map(Some).map_err(ServiceError::HookSecrets)
}

async fn forget(store: Store, days: u32) {
    loop {
        if let Err(error) = store.prune(days.into()).await {
            tracing::warn!(error = causes(&error), "cannot delete old history");
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
