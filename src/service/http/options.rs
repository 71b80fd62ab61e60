//! Limits and deadlines of clients.

use std::time::Duration;

/// Limits and deadlines of clients.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Time for a request's headers, and for idling between two requests.
    pub head_timeout: Duration,
    /// Time for a body.
    pub body_timeout: Duration,
    /// Largest number of open connections. One more closes the oldest, so that slow clients cannot block
    /// probes.
    pub connections_max: usize,
    /// Longest lifetime of a connection.
    pub connection_age_max: Duration,
    /// Time for open requests to end after the server stops.
    pub stop_timeout: Duration,
    /// Requests to the webhook a minute: this many signed ones, and this many others.
    pub hooks_per_minute: u32,
}

impl Default for ServeOptions {
    /// A push is one request; a busy forge sends 120 a minute.
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            connections_max: 512,
            connection_age_max: Duration::from_secs(600),
            stop_timeout: Duration::from_secs(5),
            hooks_per_minute: 120,
        }
    }
}
