//! What the server asks whatever the process hosts.

use crate::telemetry::metrics::HookResult;

/// How a process is, for probes, scrapers and forges. Every answer comes at once, from what is known already: a
/// probe that waits for a database says nothing about the process.
pub trait Surface: Send + Sync + 'static {
    /// Whether the process does its work: its loop ticks.
    ///
    /// # Errors
    /// Why it should be started anew, in a line.
    fn healthy(&self) -> Result<(), String>;
    /// Whether it can do its work: the store answers, and what it needs to begin has been read.
    ///
    /// # Errors
    /// Why not, in a line.
    fn ready(&self) -> Result<(), String>;
    /// The text for Prometheus.
    fn metrics(&self) -> String;
    /// The forge says that something was pushed: the source is worth a look. Must not wait.
    fn hint(&self);
    /// What became of a request to the webhook, for the metrics.
    fn hooked(&self, result: HookResult);
}
