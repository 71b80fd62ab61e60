//! Kind MessagingDefaults: the profiles that a new integration gets if it has none of its own.
//!
//! A tenant has one. A field that is left out is not managed. `null` and `exclusive` are refused, because the
//! API cannot remove the default supported content.

use super::field::Optional;
use super::resource::{Named, resource};

resource! {
    /// The profiles that new integrations get, or, under `bases/`, a layer that such documents extend.
    pub only document MessagingDefaults(MessagingDefaultsKind = "MessagingDefaults");

    /// The profiles that new integrations get.
    pub struct MessagingDefaultsSpec {
        /// The supported content profile.
        pub supported_content: Optional<Named>,
        /// The messaging setting.
        pub messaging_setting: Optional<Named>,
    }
}
