//! Kind MessagingSetting: how messages and events are treated on their way.

use super::choice::choice;
use super::field::{Optional, fields};
use super::resource::resource;

resource! {
    /// A profile of how messages are treated on their way, or, under `bases/`, a layer of one.
    pub document MessagingSetting(MessagingSettingKind = "MessagingSetting");

    /// What a profile of how messages are treated should hold.
    pub struct MessagingSettingSpec {
        /// What messages hold.
        pub content: Optional<Content>,
        /// What happens beside messages.
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
    /// What messages hold.
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
        /// Whether it passes from the visitor.
        pub inbound: Optional<Passing>,
    }
}

fields! {
    /// What happens beside messages.
    pub struct Event {
        /// That one side is typing.
        pub typing: Optional<Typing>,
    }
}

fields! {
    /// That one side is typing.
    pub struct Typing {
        /// That it began.
        pub on: Optional<BothWays>,
    }
}

fields! {
    /// What goes both ways.
    pub struct BothWays {
        /// Whether it passes from the visitor.
        pub inbound: Optional<Passing>,
        /// Whether it passes to the visitor.
        pub outbound: Optional<Passing>,
    }
}
