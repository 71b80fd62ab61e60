//! Kind MessagingDefaults: which profiles an integration gets that is created without its own.
//!
//! There is one a tenant. What it leaves out is not managed. `null` is refused, and it can't be exclusive: the API cannot
//! remove the default supported content.

use super::field::Optional;
use super::resource::{Named, resource};

resource! {
    /// Which profiles new integrations get, or, under `bases/`, a layer that such documents extend.
    pub only document MessagingDefaults(MessagingDefaultsKind = "MessagingDefaults");

    /// Which profiles new integrations get.
    pub struct MessagingDefaultsSpec {
        /// The supported content profile.
        pub supported_content: Optional<Named>,
        /// The messaging setting.
        pub messaging_setting: Optional<Named>,
    }
}
