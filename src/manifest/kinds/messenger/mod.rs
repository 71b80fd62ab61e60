//! Kind MessengerConfiguration: what a messenger looks like and what it can do.
//!
//! In: a document. Out: its type, one file a section. Never: an id of the platform. Field names and shapes are
//! those of the platform's `WebDeploymentConfigurationVersion`, but for references, which are names.
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

    /// What a messenger's configuration should hold.
    pub struct MessengerConfigurationSpec {
        /// What people read about it in the platform's screens.
        pub description: Field<Prose>,
        /// Whether a page draws the messenger itself.
        pub headless_mode: Optional<Toggle>,
        /// Languages that it speaks. Needed where the messenger is enabled.
        pub languages: Field<Items<Language, 0, 100>>,
        /// The language of visitors who speak none of them. Needed where the messenger is enabled.
        pub default_language: Field<Language>,
        /// Texts of one's own, by language.
        #[serde(rename = "customI18nLabels")]
        pub custom_labels: Field<Items<LanguageLabels, 0, 100>>,
        /// The messenger.
        pub messenger: Optional<Messenger>,
        /// Where on the page it stands.
        pub position: Optional<Position>,
        /// The knowledge portal.
        pub support_center: Optional<SupportCenter>,
        /// Looking at a visitor's page together.
        pub cobrowse: Optional<Cobrowse>,
        /// What is recorded of a visitor's way through the pages.
        pub journey_events: Optional<JourneyEvents>,
        /// Whether visitors sign in.
        pub authentication_settings: Optional<Authentication>,
        /// Talking by video.
        pub video: Optional<Video>,
    }
}

fields! {
    /// Whether visitors sign in.
    pub struct Authentication {
        /// Whether nobody can write without having signed in.
        pub enabled: Field<bool>,
        /// The OpenID Connect integration that they sign in with.
        pub integration: Field<Named>,
        /// Whether a visitor may sign in during a conversation.
        pub allow_session_upgrade: Field<bool>,
    }
}
