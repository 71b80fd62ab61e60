//! Kind MessagingSetting: how messages and events are treated on their way.

use super::choice::choice;
use super::field::{Optional, fields};
use super::resource::resource;

resource! {
    /// A profile of how messages are treated on their way, or, under `bases/`, a layer of one.
    pub merged document MessagingSetting(MessagingSettingKind = "MessagingSetting");

    /// What a profile of how messages are treated should hold.
    pub struct MessagingSettingSpec {
        /// Kinds of content.
        pub content: Optional<Content>,
        /// Events around messages.
        pub event: Optional<Event>,
    }
}

choice! {
    /// Whether something passes.
    pub enum Passing {
        /// It does.
        Enabled = "Enabled",
        /// It does not.
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
    /// What comes from visitors alone.
    pub struct Inbound {
        /// Whether it reaches agents.
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
        /// The indicator that a person began to type. Write the key as `"on"`: older YAML readers take it for a truth value.
        pub on: Optional<BothWays>,
    }
}

fields! {
    /// What passes in each direction.
    pub struct BothWays {
        /// Whether agents see what visitors do.
        pub inbound: Optional<Passing>,
        /// Whether visitors see what agents do.
        pub outbound: Optional<Passing>,
    }
}
