//! What can be tuned while the emulator runs.
//!
//! In: a [`SettingsPatch`] from a world file or the control surface. Out: [`Settings`] in force.

use serde::{Deserialize, Serialize};

/// Defines both structs from one list, so that no setting can be in one and not in the other.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $usual:expr,)*) => {
        /// How slow and how strict the emulated platform is.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct Settings {
            $($(#[$doc])* pub $name: $kind,)*
        }

        impl Default for Settings {
            fn default() -> Settings {
                Settings { $($name: $usual,)* }
            }
        }

        /// Changes to [`Settings`]; what is `None` stays as it is.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct SettingsPatch {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl SettingsPatch {
            /// Returns the settings with the given ones changed.
            pub fn apply(&self, settings: &Settings) -> Settings {
                let Settings { $($name,)* } = settings.clone();
                Settings { $($name: self.$name.clone().unwrap_or($name),)* }
            }
        }
    };
}

settings! {
    /// Added to every answer, in milliseconds.
    latency_ms: u64 = 0,
    /// How long an audit record stays invisible, in milliseconds.
    audit_delay_ms: u64 = 300,
    /// From the request of a replication to its end, in milliseconds.
    replication_delay_ms: u64 = 300,
    /// Requests a minute for each organization; 0 is no limit.
    rate_limit_per_minute: u64 = 0,
    /// How long a new token is good for, in seconds.
    token_lifetime_s: u64 = 3600,
    /// Cloud: how long a draft, a version or a deployment is Pending after it was written, in milliseconds.
    active_delay_ms: u64 = 300,
    /// Cloud: how long a new object stays unknown to reads, in milliseconds.
    visible_delay_ms: u64 = 0,
    /// Cloud: how long reads show the state before a write, in milliseconds.
    stale_delay_ms: u64 = 0,
    /// Cloud: how long the delivery network shows the state before a change of a deployment, in milliseconds.
    cdn_delay_ms: u64 = 300,
    /// Cloud: how long the creation of an open messaging integration takes, in milliseconds.
    integration_delay_ms: u64 = 300,
    /// Cloud: requests a minute for each token; 0 is no limit.
    token_rate_limit_per_minute: u64 = 0,
    /// Cloud: token requests a minute for each client; 0 is no limit.
    token_requests_per_minute: u64 = 0,
    /// Cloud: no page has more entities than this, whatever was asked for; 0 leaves the API's own maximum.
    page_size_max: u64 = 0,
    /// Cloud: from the request of an audit query to its end, in milliseconds.
    audit_query_delay_ms: u64 = 300,
    /// Cloud: audit queries that are requested now end Failed.
    audit_query_fails: bool = false,
    /// Cloud: how many records each thing that is done leaves in the audit trail.
    audit_copies: u64 = 1,
    /// Cloud: by how much the audit trail's clock is fast, in milliseconds; negative is slow.
    audit_clock_skew_ms: i64 = 0,
    /// Cloud: the service WebDeployments is among those of realtime audits.
    audit_realtime: bool = true,
    /// Cloud: results of an audit query are redirected to a download where the caller allows it.
    audit_redirect: bool = false,
    /// Cloud: entity types, such as `SupportedContent`, of which the audit trail gets no records.
    unaudited: Vec<String> = Vec::new(),
}
