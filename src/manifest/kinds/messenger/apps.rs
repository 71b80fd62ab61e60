//! What the messenger can do.

use super::styles::{HomeScreen, LauncherButton, Styles};
use super::toggle::Toggle;
use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{Address, Line};
use crate::manifest::kinds::resource::Named;
use crate::manifest::kinds::text::{Items, Whole};

choice! {
    /// How far a visitor's session reaches.
    pub enum SessionPersistence {
        /// Across all subdomains.
        AcrossSubdomains = "AcrossSubdomains",
        /// Within one domain or subdomain.
        DomainOrSubdomainOnly = "DomainOrSubdomainOnly",
    }
}

fields! {
    /// The messenger.
    pub struct Messenger {
        /// Whether there is one.
        pub enabled: Field<bool>,
        /// How far a visitor's session reaches.
        pub session_persistence_type: Field<SessionPersistence>,
        /// Colours.
        pub styles: Optional<Styles>,
        /// The button that opens it.
        pub launcher_button: Optional<LauncherButton>,
        /// The page that it opens with.
        pub home_screen: Optional<HomeScreen>,
        /// What visitors may send besides text.
        pub file_upload: Optional<FileUpload>,
        /// What it can do.
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
    /// What visitors may send besides text.
    pub struct FileUpload {
        /// Whether attachments are on.
        pub enable_attachments: Field<bool>,
        /// Which files, and how large.
        pub modes: Field<Items<FileMode, 0, LIST_MAX>>,
    }
}

fields! {
    /// Files of some types, and how large.
    pub struct FileMode {
        must {
            /// The types.
            pub file_types: Items<FileType, 0, 3>,
        }
        /// Largest file in kilobytes: 0 to 10240, the platform's default.
        #[serde(rename = "maxFileSizeKB")]
        pub max_file_size_kb: Optional<Whole<0, 10_240>>,
    }
}

fields! {
    /// What the messenger can do.
    pub struct Apps {
        /// Talking to people and bots.
        pub conversations: Optional<Conversations>,
        /// Searching a knowledge base.
        pub knowledge: Optional<Knowledge>,
    }
}

fields! {
    /// Talking to people and bots.
    pub struct Conversations {
        /// Whether visitors can.
        pub enabled: Field<bool>,
        /// Whether visitors see that an agent types.
        pub show_agent_typing_indicator: Field<bool>,
        /// Whether agents see that a visitor types.
        pub show_user_typing_indicator: Field<bool>,
        /// Whether a conversation begins when the messenger is opened.
        pub auto_start: Optional<Toggle>,
        /// Whether messages may be formatted.
        pub markdown: Optional<Toggle>,
        /// What becomes of a conversation that an agent leaves.
        pub conversation_disconnect: Optional<Disconnect>,
        /// Whether visitors can clear a conversation.
        pub conversation_clear: Optional<Toggle>,
        /// Whether messages show who wrote them.
        pub humanize: Optional<Humanize>,
        /// What visitors are told of while they are elsewhere.
        pub notifications: Optional<Notifications>,
        /// How long a visitor's session lasts, in seconds.
        pub session_duration_seconds: Field<Whole<0, 2_147_483_647>>,
    }
}

choice! {
    /// What visitors can do in a conversation that an agent has left.
    pub enum DisconnectType {
        /// Go on writing.
        Send = "Send",
        /// Read.
        ReadOnly = "ReadOnly",
    }
}

fields! {
    /// What becomes of a conversation that an agent leaves.
    pub struct Disconnect {
        /// Whether visitors are told.
        pub enabled: Field<bool>,
        /// What they can do then: `Send` or `ReadOnly`.
        pub r#type: Field<DisconnectType>,
    }
}

fields! {
    /// Whether messages show who wrote them.
    pub struct Humanize {
        /// Whether they do.
        pub enabled: Field<bool>,
        /// How bots are shown.
        pub bot: Optional<Bot>,
    }
}

fields! {
    /// How bots are shown.
    pub struct Bot {
        /// Their name.
        pub name: Field<Line>,
        /// Where their picture is loaded from, over https.
        pub avatar_url: Field<Address>,
    }
}

choice! {
    /// Whether a notification shows what a message says.
    pub enum NotificationContent {
        /// It does.
        Include = "IncludeMessagesContent",
        /// It does not.
        Exclude = "ExcludeMessagesContent",
    }
}

fields! {
    /// What visitors are told of while they are elsewhere.
    pub struct Notifications {
        /// Whether they are. Every language needs the labels PushNotificationTitle and PushNotificationBody then.
        pub enabled: Field<bool>,
        /// Whether a notification shows what a message says.
        pub notification_content_type: Field<NotificationContent>,
    }
}

fields! {
    /// Searching a knowledge base.
    pub struct Knowledge {
        /// Whether visitors can.
        pub enabled: Field<bool>,
        /// The knowledge base.
        pub knowledge_base: Field<Named>,
    }
}
