//! A process around whatever it hosts: it listens, reads settings again, forgets, and ends in time.
//!
//! Nothing here depends on what is hosted. Start reading at [`Process::host`].

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

/// Tenants whose age stands in the metrics by name: the worst ones.
pub(super) const TENANTS_SHOWN: usize = 20;
/// Old history is forgotten this often.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// What the process takes to end beyond what it hosts.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(2);

/// A process and what everything in it shares.
pub struct Process {
    /// The settings that it was started with.
    pub settings: Settings,
    /// The state.
    pub store: Store,
    /// Where things are counted.
    pub metrics: Arc<Metrics>,
    /// Counts requests to the live API.
    pub heard: Heard,
    /// What logs.
    pub telemetry: Arc<Telemetry>,
    /// Told to stop.
    pub stop: CancellationToken,
    flags: Flags,
}

/// What a process hosts, as far as it has to know it.
pub struct Hosted {
    /// How it is, for probes, scrapers and forges.
    pub surface: Arc<dyn Surface>,
    /// What it does with settings that were read again.
    pub take: Take,
    /// What runs beside it, until it has ended.
    pub beside: JoinSet<()>,
}

/// A socket that is bound and not served yet.
pub struct Door {
    listener: TcpListener,
    secrets: Option<HookSecrets>,
}

impl Process {
    /// A process that logs its panics, masks its secrets, and is told to stop by the first signal.
    pub fn start(settings: Settings, flags: Flags, store: Store, telemetry: &Arc<Telemetry>) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn({
            let stop = stop.clone();
            async move {
                stopped().await;
                tracing::info!("told to stop: ending what is under way");
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

    /// Binds the socket of probes and hooks, if there is to be one. Nothing is answered before [`Process::host`].
    ///
    /// # Errors
    /// The address cannot be listened on, or a secret of the webhook is no good.
    pub(super) async fn open(&self, address: Option<SocketAddr>) -> Result<Option<Door>, ServiceError> {
        let Some(address) = address else { return Ok(None) };
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| ServiceError::Listen { address, source })?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(%address, "serving /healthz, /readyz, /metrics and /hooks/git");
        Ok(Some(Door { listener, secrets: hook_secrets(&self.settings)? }))
    }

    /// Does the work with everything around it, then ends that and closes the store.
    ///
    /// # Errors
    /// It was told to stop and did not end in time.
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
        // A store that hangs must not hold the end up: what is not written down by then, the next start finds out.
        tokio::select! {
            ended = whole => Ok(ended),
            () = self.overdue() => Err(ServiceError::Overdue),
        }
    }

    /// Comes when a process that was told to stop has had its time, and a little more.
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
            tracing::warn!(error = causes(&error), "old history was not forgotten");
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
