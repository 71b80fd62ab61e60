//! Kind OpenMessagingIntegration: the registration of a custom channel.
//!
//! It has no field for the platform's signature secret, because a repository must not contain secrets.
//! `signatureSecret` is the name under which the operator keeps the secret.

use super::field::{Field, Optional};
use super::platform::{Address, Line};
use super::resource::{Named, resource};
use super::text::{Labels, Name};

resource! {
    /// The registration of a custom channel, or, under `bases/`, a layer that such documents extend.
    pub document OpenMessagingIntegration(OpenMessagingIntegrationKind = "OpenMessagingIntegration");

    /// The desired configuration of a custom channel.
    pub struct OpenMessagingIntegrationSpec {
        /// The https URL that the platform sends messages for the visitor to, on port 443.
        pub outbound_notification_webhook_url: Field<Address>,
        /// The name under which the operator keeps the secret that signs these messages. Never the secret itself.
        #[serde(skip_serializing)]
        pub signature_secret: Optional<Name>,
        /// Headers of each message, by name. Headers that are not named are not managed.
        pub webhook_headers: Optional<Labels<Field<Line>>>,
        /// The supported content profile: the allowed media.
        pub supported_content: Field<Named>,
        /// The messaging setting of the channel.
        pub messaging_setting: Field<Named>,
    }
}
