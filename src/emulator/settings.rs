//! The settings that a user can change while the emulator runs.
//!
//! In: a [`SettingsPatch`] from a world file or the control surface. Out: the current [`Settings`].

use serde::{Deserialize, Serialize};

/// Defines both structs from one list, so that both have the same settings.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $usual:expr,)*) => {
        /// The delays and limits of the emulated platform.
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

        /// Changes to [`Settings`]; a field that is `None` does not change.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct SettingsPatch {
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        impl SettingsPatch {
            /// Returns the settings with the changes of this patch.
            pub fn apply(&self, settings: &Settings) -> Settings {
                let Settings { $($name,)* } = settings.clone();
                Settings { $($name: self.$name.clone().unwrap_or($name),)* }
            }
        }
    };
}

settings! {
    /// The delay of every answer, in milliseconds.
    latency_ms: u64 = 0,
    /// The time for which an audit record is invisible, in milliseconds.
    audit_delay_ms: u64 = 300,
    /// The duration of a replication, in milliseconds.
    replication_delay_ms: u64 = 300,
    /// The maximum number of requests per minute for each organization; 0 is no limit.
    rate_limit_per_minute: u64 = 0,
    /// The lifetime of a new token, in seconds.
    token_lifetime_s: u64 = 3600,
    /// Cloud: the time for which a draft, a version or a deployment is Pending after a write, in
    /// milliseconds.
    active_delay_ms: u64 = 300,
    /// Cloud: the time for which reads do not find a new object, in milliseconds.
    visible_delay_ms: u64 = 0,
    /// Cloud: the time for which reads show the state before a write, in milliseconds.
    stale_delay_ms: u64 = 0,
    /// Cloud: the time for which the delivery network shows the state before a change of a deployment, in
    /// milliseconds.
    cdn_delay_ms: u64 = 300,
    /// Cloud: the duration of the creation of an open messaging integration, in milliseconds.
    integration_delay_ms: u64 = 300,
    /// Cloud: the maximum number of requests per minute for each token; 0 is no limit.
    token_rate_limit_per_minute: u64 = 0,
    /// Cloud: the maximum number of token requests per minute for each client; 0 is no limit.
    token_requests_per_minute: u64 = 0,
    /// Cloud: the maximum number of entities in a page, even if the client asks for more; 0 is the API's own
    /// maximum.
    page_size_max: u64 = 0,
    /// Cloud: the duration of an audit query, in milliseconds.
    audit_query_delay_ms: u64 = 300,
    /// Cloud: whether new audit queries get the status Failed.
    audit_query_fails: bool = false,
    /// Cloud: the number of records in the audit trail for each change.
    audit_copies: u64 = 1,
    /// Cloud: the time by which the audit trail's clock is ahead, in milliseconds; negative is behind.
    audit_clock_skew_ms: i64 = 0,
    /// Cloud: whether realtime audits include the service WebDeployments.
    audit_realtime: bool = true,
    /// Cloud: whether the results of an audit query redirect to a download if the caller allows it.
    audit_redirect: bool = false,
    /// Cloud: the entity types without audit records, such as `SupportedContent`.
    unaudited: Vec<String> = Vec::new(),
}
