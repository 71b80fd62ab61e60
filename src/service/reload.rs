//! Reloads the settings on SIGHUP.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::logging::filter;
use crate::config::{Flags, Settings, env};
use crate::model::causes;
use crate::telemetry::Telemetry;

/// Applies reloaded settings to the hosted task.
pub type Take = Box<dyn Fn(Settings) -> BoxFuture<'static, ()> + Send + Sync>;

/// The input of a reload, and its receivers.
pub struct Reload {
    /// The flags at the start of the process: they override the settings file.
    pub flags: Flags,
    /// The log, whose filter a reload changes.
    pub telemetry: Arc<Telemetry>,
    /// The receiver in the hosted task.
    pub take: Take,
}

impl Reload {
    /// Reloads the settings with each SIGHUP. Invalid settings change nothing.
    #[cfg(unix)]
    pub async fn on_hangup(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            match Settings::resolve(self.flags.clone()) {
                Ok(settings) => self.take(settings).await,
                Err(error) => tracing::error!(
                    error = causes(&error),
                    "cannot reload the settings, so the current ones stay"
                ),
            }
        }
    }

    async fn take(&self, settings: Settings) {
        let filter = filter(&settings, env::log());
        (self.take)(settings).await;
        if let Err(error) = self.telemetry.set_filter(&filter) {
            tracing::error!(%error, "cannot change the log filter");
        }
        tracing::info!("settings reloaded");
    }
}
