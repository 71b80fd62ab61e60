//! Cobrowsing: agents see a visitor's page.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::Line;
use crate::manifest::kinds::text::Items;

choice! {
    /// A type of conversation.
    pub enum Channel {
        /// Web messaging.
        Webmessaging = "Webmessaging",
        /// Voice calls.
        Voice = "Voice",
    }
}

fields! {
    /// Cobrowsing: agents see a visitor's page.
    pub struct Cobrowse {
        /// Whether cobrowsing is enabled.
        pub enabled: Field<bool>,
        /// Whether agents may ask to control the page.
        pub allow_agent_control: Field<bool>,
        /// Whether agents may ask to go to other pages.
        pub allow_agent_navigation: Field<bool>,
        /// Whether agents may draw on the page.
        pub allow_draw: Field<bool>,
        /// CSS selectors of elements that agents cannot see.
        pub mask_selectors: Field<Items<Line, 0, LIST_MAX>>,
        /// CSS selectors of elements that agents cannot change.
        pub readonly_selectors: Field<Items<Line, 0, LIST_MAX>>,
        /// The conversations with cobrowsing.
        pub channels: Field<Items<Channel, 0, 2>>,
        /// The pages on which cobrowsing pauses.
        pub pause_criteria: Field<Items<PauseCriterion, 0, LIST_MAX>>,
    }
}

choice! {
    /// How the fragment is compared with a URL.
    pub enum Condition {
        /// The URL contains the fragment.
        Includes = "Includes",
        /// The URL does not contain the fragment.
        DoesNotInclude = "DoesNotInclude",
        /// The URL starts with the fragment.
        StartsWith = "StartsWith",
        /// The URL ends with the fragment.
        EndsWith = "EndsWith",
        /// The URL is equal to the fragment.
        Equals = "Equals",
    }
}

fields! {
    /// Pages on which cobrowsing pauses.
    pub struct PauseCriterion {
        must {
            /// A part of the pages' URL.
            pub url_fragment: Line,
            /// How the fragment is compared with the URL.
            pub condition: Condition,
        }
    }
}
