//! What can be tuned while the emulator runs.
//!
//! In: a [`SettingsPatch`] from a world file or the control surface. Out: [`Settings`] in force.

use serde::{Deserialize, Serialize};

/// How slow and how strict the emulated platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// How long an audit record stays invisible, in milliseconds.
    pub audit_delay_ms: u64,
    /// From the request of a replication to its end, in milliseconds.
    pub replication_delay_ms: u64,
    /// Requests a minute for each organization; 0 is no limit.
    pub rate_limit_per_minute: u64,
    /// How long a new token is good for, in seconds.
    pub token_lifetime_s: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            latency_ms: 0,
            audit_delay_ms: 300,
            replication_delay_ms: 300,
            rate_limit_per_minute: 0,
            token_lifetime_s: 3600,
        }
    }
}

/// Changes to [`Settings`]; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsPatch {
    /// See [`Settings::latency_ms`].
    pub latency_ms: Option<u64>,
    /// See [`Settings::audit_delay_ms`].
    pub audit_delay_ms: Option<u64>,
    /// See [`Settings::replication_delay_ms`].
    pub replication_delay_ms: Option<u64>,
    /// See [`Settings::rate_limit_per_minute`].
    pub rate_limit_per_minute: Option<u64>,
    /// See [`Settings::token_lifetime_s`].
    pub token_lifetime_s: Option<u64>,
}

impl SettingsPatch {
    /// Returns the settings with the given ones changed.
    pub fn apply(&self, settings: &Settings) -> Settings {
        Settings {
            latency_ms: self.latency_ms.unwrap_or(settings.latency_ms),
            audit_delay_ms: self.audit_delay_ms.unwrap_or(settings.audit_delay_ms),
            replication_delay_ms: self.replication_delay_ms.unwrap_or(settings.replication_delay_ms),
            rate_limit_per_minute: self.rate_limit_per_minute.unwrap_or(settings.rate_limit_per_minute),
            token_lifetime_s: self.token_lifetime_s.unwrap_or(settings.token_lifetime_s),
        }
    }
}
