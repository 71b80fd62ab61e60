//! Settings that are read again on SIGHUP.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::logging::filter;
use crate::config::{Flags, Settings, env};
use crate::model::causes;
use crate::telemetry::Telemetry;

/// What the thing that is hosted does with settings that were read again.
pub type Take = Box<dyn Fn(Settings) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is read again, and who has to hear of it.
pub struct Reload {
    /// The flags that the process was started with: they come before the settings file.
    pub flags: Flags,
    /// What logs.
    pub telemetry: Arc<Telemetry>,
    /// What is hosted.
    pub take: Take,
}

impl Reload {
    /// Reads the settings again with each SIGHUP. What is not valid changes nothing.
    #[cfg(unix)]
    pub async fn on_hangup(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        while hangup.recv().await.is_some() {
            match Settings::resolve(self.flags.clone()) {
                Ok(settings) => self.take(settings).await,
                Err(error) => tracing::error!(error = causes(&error), "settings are kept as they were"),
            }
        }
    }

    async fn take(&self, settings: Settings) {
        let filter = filter(&settings, env::log());
        (self.take)(settings).await;
        if let Err(error) = self.telemetry.set_filter(&filter) {
            tracing::error!(%error, "what is logged stays as it was");
        }
        tracing::info!("settings were read again");
    }
}
