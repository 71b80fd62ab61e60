//! Kind OpenMessagingIntegration: the registration of a custom channel.
//!
//! The platform's signature secret is not among its fields: a repository holds no secret. `signatureSecret` is
//! the name under which the operator keeps it.

use super::field::{Field, Optional};
use super::platform::{Address, Line};
use super::resource::{Named, resource};
use super::text::{Labels, Name};

resource! {
    /// The registration of a custom channel, or, under `bases/`, a layer that such documents extend.
    pub document OpenMessagingIntegration(OpenMessagingIntegrationKind = "OpenMessagingIntegration");

    /// What the registration of a custom channel should hold.
    pub struct OpenMessagingIntegrationSpec {
        /// Where messages to the visitor are sent: https, on port 443.
        pub outbound_notification_webhook_url: Field<Address>,
        /// The name under which the operator keeps the secret that these messages are signed with. Never the secret itself.
        #[serde(skip_serializing)]
        pub signature_secret: Optional<Name>,
        /// Headers that are sent along, by name. Headers that are not named are not managed.
        pub webhook_headers: Optional<Labels<Field<Line>>>,
        /// Which media may pass.
        pub supported_content: Field<Named>,
        /// How messages are treated on their way.
        pub messaging_setting: Field<Named>,
    }
}
