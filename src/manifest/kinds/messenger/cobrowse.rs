//! Looking at a visitor's page together.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::Line;
use crate::manifest::kinds::text::Items;

choice! {
    /// Which conversations.
    pub enum Channel {
        /// Written ones.
        Webmessaging = "Webmessaging",
        /// Spoken ones.
        Voice = "Voice",
    }
}

fields! {
    /// Looking at a visitor's page together.
    pub struct Cobrowse {
        /// Whether agents can.
        pub enabled: Field<bool>,
        /// Whether agents may ask to use the page.
        pub allow_agent_control: Field<bool>,
        /// Whether agents may ask to go to other pages.
        pub allow_agent_navigation: Field<bool>,
        /// Whether agents may draw on the page.
        pub allow_draw: Field<bool>,
        /// CSS selectors of what agents don't see.
        pub mask_selectors: Field<Items<Line, 0, LIST_MAX>>,
        /// CSS selectors of what agents can't change.
        pub readonly_selectors: Field<Items<Line, 0, LIST_MAX>>,
        /// In which conversations.
        pub channels: Field<Items<Channel, 0, 2>>,
        /// On which pages it pauses.
        pub pause_criteria: Field<Items<PauseCriterion, 0, LIST_MAX>>,
    }
}

choice! {
    /// How a URL is compared.
    pub enum Condition {
        /// It has the fragment somewhere.
        Includes = "Includes",
        /// It has the fragment nowhere.
        DoesNotInclude = "DoesNotInclude",
        /// It begins with the fragment.
        StartsWith = "StartsWith",
        /// It ends with the fragment.
        EndsWith = "EndsWith",
        /// It is the fragment.
        Equals = "Equals",
    }
}

fields! {
    /// Pages on which cobrowsing pauses.
    pub struct PauseCriterion {
        must {
            /// Part of their URL.
            pub url_fragment: Line,
            /// How it is compared.
            pub condition: Condition,
        }
    }
}
