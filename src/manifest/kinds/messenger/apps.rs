//! The messenger and its apps: conversations and knowledge.

use super::styles::{HomeScreen, LauncherButton, Styles};
use super::toggle::Toggle;
use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{Address, Line};
use crate::manifest::kinds::resource::Named;
use crate::manifest::kinds::text::{Items, Whole};

choice! {
    /// The domains that share a visitor's session.
    pub enum SessionPersistence {
        /// All subdomains of a domain.
        AcrossSubdomains = "AcrossSubdomains",
        /// Only one domain or subdomain.
        DomainOrSubdomainOnly = "DomainOrSubdomainOnly",
    }
}

fields! {
    /// The messenger.
    pub struct Messenger {
        /// Whether the messenger is enabled.
        pub enabled: Field<bool>,
        /// The domains that share a visitor's session.
        pub session_persistence_type: Field<SessionPersistence>,
        /// Colours.
        pub styles: Optional<Styles>,
        /// The button that opens the messenger.
        pub launcher_button: Optional<LauncherButton>,
        /// The page that the messenger opens with.
        pub home_screen: Optional<HomeScreen>,
        /// The files that visitors may send.
        pub file_upload: Optional<FileUpload>,
        /// The apps of the messenger.
        pub apps: Optional<Apps>,
    }
}

choice! {
    /// A type of file.
    pub enum FileType {
        /// JPEG pictures.
        Jpeg = "image/jpeg",
        /// GIF pictures.
        Gif = "image/gif",
        /// PNG pictures.
        Png = "image/png",
    }
}

fields! {
    /// The files that visitors may send.
    pub struct FileUpload {
        /// Whether visitors may send attachments.
        pub enable_attachments: Field<bool>,
        /// The allowed types of files and their sizes.
        pub modes: Field<Items<FileMode, 0, LIST_MAX>>,
    }
}

fields! {
    /// Allowed types of files, and the size limit for them.
    pub struct FileMode {
        must {
            /// The types.
            pub file_types: Items<FileType, 0, 3>,
        }
        /// Largest file in kilobytes, 0 to 10240. The platform's default is 10240.
        #[serde(rename = "maxFileSizeKB")]
        pub max_file_size_kb: Optional<Whole<0, 10_240>>,
    }
}

fields! {
    /// The apps of the messenger.
    pub struct Apps {
        /// Conversations with agents and bots.
        pub conversations: Optional<Conversations>,
        /// Search in a knowledge base.
        pub knowledge: Optional<Knowledge>,
    }
}

fields! {
    /// Conversations with agents and bots.
    pub struct Conversations {
        /// Whether conversations are enabled.
        pub enabled: Field<bool>,
        /// Whether visitors see that an agent is typing.
        pub show_agent_typing_indicator: Field<bool>,
        /// Whether agents see that a visitor is typing.
        pub show_user_typing_indicator: Field<bool>,
        /// Whether a conversation starts when a visitor opens the messenger.
        pub auto_start: Optional<Toggle>,
        /// Whether messages may be formatted.
        pub markdown: Optional<Toggle>,
        /// What happens when an agent leaves a conversation.
        pub conversation_disconnect: Optional<Disconnect>,
        /// Whether visitors can clear a conversation.
        pub conversation_clear: Optional<Toggle>,
        /// Whether messages show who wrote them.
        pub humanize: Optional<Humanize>,
        /// Notifications about messages while a visitor uses another page or app.
        pub notifications: Optional<Notifications>,
        /// How long a visitor's session lasts, in seconds.
        pub session_duration_seconds: Field<Whole<0, 2_147_483_647>>,
    }
}

choice! {
    /// What visitors can do in a conversation that an agent has left.
    pub enum DisconnectType {
        /// They can still send messages.
        Send = "Send",
        /// They can only read.
        ReadOnly = "ReadOnly",
    }
}

fields! {
    /// What happens when an agent leaves a conversation.
    pub struct Disconnect {
        /// Whether visitors see that the agent left.
        pub enabled: Field<bool>,
        /// What visitors can do then: `Send` or `ReadOnly`.
        pub r#type: Field<DisconnectType>,
    }
}

fields! {
    /// The names and pictures of the authors of messages.
    pub struct Humanize {
        /// Whether messages show who wrote them.
        pub enabled: Field<bool>,
        /// Name and picture of bots.
        pub bot: Optional<Bot>,
    }
}

fields! {
    /// Name and picture of bots.
    pub struct Bot {
        /// The name of bots.
        pub name: Field<Line>,
        /// The https URL of the picture of bots.
        pub avatar_url: Field<Address>,
    }
}

choice! {
    /// Whether a notification shows the text of a message.
    pub enum NotificationContent {
        /// The notification shows the text.
        Include = "IncludeMessagesContent",
        /// The notification does not show the text.
        Exclude = "ExcludeMessagesContent",
    }
}

fields! {
    /// Notifications about messages while a visitor uses another page or app.
    pub struct Notifications {
        /// Whether notifications are enabled. If true, every language needs the labels PushNotificationTitle and PushNotificationBody.
        pub enabled: Field<bool>,
        /// Whether a notification shows the text of a message.
        pub notification_content_type: Field<NotificationContent>,
    }
}

fields! {
    /// Search in a knowledge base.
    pub struct Knowledge {
        /// Whether the search is enabled.
        pub enabled: Field<bool>,
        /// The knowledge base.
        pub knowledge_base: Field<Named>,
    }
}
