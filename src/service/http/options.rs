//! How much a client may ask for, and how long it may take.

use std::time::Duration;

/// Limits for clients.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// How long a client may take for a request's head, and be idle between two requests.
    pub head_timeout: Duration,
    /// How long it may take for a body.
    pub body_timeout: Duration,
    /// Open connections; with one more, the oldest is closed. A slow crowd can't shut a probe out.
    pub connections_max: usize,
    /// How long a connection is kept at most.
    pub connection_age_max: Duration,
    /// How long open requests may take to end once the server stops.
    pub stop_timeout: Duration,
    /// Signed requests a minute to the webhook, and as many others.
    pub hooks_per_minute: u32,
}

impl Default for ServeOptions {
    /// A push is one request: 120 a minute is a busy forge.
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
