//! Kind MessengerConfiguration: appearance and features of a messenger.
//!
//! In: a document. Out: its type, with one file for each section. Never: an id of the platform. Field names
//! and shapes are those of the platform's `WebDeploymentConfigurationVersion`, except for references, which
//! are names.
//!
//! Start reading at [`MessengerConfigurationSpec`]; each field of it has a file.

pub mod apps;
pub mod cobrowse;
pub mod journey;
pub mod labels;
pub mod styles;
pub mod support_center;
pub mod toggle;
pub mod video;

use super::field::{Field, Optional, fields};
use super::platform::{Language, Prose};
use super::resource::{Named, resource};
use super::text::Items;
use apps::Messenger;
use cobrowse::Cobrowse;
use journey::JourneyEvents;
use labels::LanguageLabels;
use styles::Position;
use support_center::SupportCenter;
use toggle::Toggle;
use video::Video;

resource! {
    /// A messenger's configuration, or, under `bases/`, a layer that configurations extend.
    pub document MessengerConfiguration(MessengerConfigurationKind = "MessengerConfiguration");

    /// The desired configuration of a messenger.
    pub struct MessengerConfigurationSpec {
        /// Its description in the platform's screens.
        pub description: Field<Prose>,
        /// Whether the web site draws the messenger itself.
        pub headless_mode: Optional<Toggle>,
        /// Languages of the messenger. Required if the messenger is enabled.
        pub languages: Field<Items<Language, 0, 100>>,
        /// The language for visitors who use none of `languages`. Required if the messenger is enabled.
        pub default_language: Field<Language>,
        /// Custom texts, by language.
        #[serde(rename = "customI18nLabels")]
        pub custom_labels: Field<Items<LanguageLabels, 0, 100>>,
        /// The messenger.
        pub messenger: Optional<Messenger>,
        /// The position of the messenger on the page.
        pub position: Optional<Position>,
        /// The support center.
        pub support_center: Optional<SupportCenter>,
        /// Cobrowsing: agents see a visitor's page.
        pub cobrowse: Optional<Cobrowse>,
        /// The events that the platform records on a visitor's pages.
        pub journey_events: Optional<JourneyEvents>,
        /// Settings for the sign-in of visitors.
        pub authentication_settings: Optional<Authentication>,
        /// Video calls.
        pub video: Optional<Video>,
    }
}

fields! {
    /// Settings for the sign-in of visitors.
    pub struct Authentication {
        /// Whether visitors must sign in before they can write.
        pub enabled: Field<bool>,
        /// The OpenID Connect integration for the sign-in.
        pub integration: Field<Named>,
        /// Whether a visitor may sign in during a conversation.
        pub allow_session_upgrade: Field<bool>,
    }
}
