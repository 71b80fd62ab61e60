//! Kind MessagingSetting: which content and events of messages are enabled.

use super::choice::choice;
use super::field::{Optional, fields};
use super::resource::resource;

resource! {
    /// A profile of the enabled content and events of messages, or, under `bases/`, a layer of one.
    pub merged document MessagingSetting(MessagingSettingKind = "MessagingSetting");

    /// The desired configuration of a messaging setting.
    pub struct MessagingSettingSpec {
        /// Kinds of content.
        pub content: Optional<Content>,
        /// Events around messages.
        pub event: Optional<Event>,
    }
}

choice! {
    /// Whether it is enabled.
    pub enum Passing {
        /// Enabled.
        Enabled = "Enabled",
        /// Disabled.
        Disabled = "Disabled",
    }
}

fields! {
    /// Kinds of content.
    pub struct Content {
        /// Stories of social media.
        pub story: Optional<Story>,
    }
}

fields! {
    /// Stories of social media.
    pub struct Story {
        /// Stories that mention the business.
        pub mention: Optional<Inbound>,
        /// Replies to stories of the business.
        pub reply: Optional<Inbound>,
    }
}

fields! {
    /// Content that only visitors send.
    pub struct Inbound {
        /// Whether agents receive it.
        pub inbound: Optional<Passing>,
    }
}

fields! {
    /// Events around messages.
    pub struct Event {
        /// Typing indicators.
        pub typing: Optional<Typing>,
    }
}

fields! {
    /// Typing indicators.
    pub struct Typing {
        /// The indicator that a person started to type. Write the key as `"on"`, because older YAML parsers read it as a truth value.
        pub on: Optional<BothWays>,
    }
}

fields! {
    /// Whether it is enabled in each direction.
    pub struct BothWays {
        /// Whether agents see it from visitors.
        pub inbound: Optional<Passing>,
        /// Whether visitors see it from agents.
        pub outbound: Optional<Passing>,
    }
}
