//! The interface between the HTTP server and the hosted task.

use crate::telemetry::metrics::HookResult;

/// Answers probes, scrapers and forges. Every answer comes at once, from known state: a probe that waits for
/// a database says nothing about the process.
pub trait Surface: Send + Sync + 'static {
    /// Whether the process works: its loop turns.
    ///
    /// # Errors
    /// Why the process should be restarted, in one line.
    fn healthy(&self) -> Result<(), String>;
    /// Whether the process can work: the store answers, and the first head has been read.
    ///
    /// # Errors
    /// Why not, in one line.
    fn ready(&self) -> Result<(), String>;
    /// Returns the metrics as text for Prometheus.
    fn metrics(&self) -> String;
    /// Wakes the fetch, because a forge reported a push. Must not wait.
    fn hint(&self);
    /// Counts the result of a request to the webhook.
    fn hooked(&self, result: HookResult);
}
