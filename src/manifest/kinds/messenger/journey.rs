//! What is recorded of a visitor's way through the pages.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{IpRange, Line};
use crate::manifest::kinds::text::{Items, Whole};

choice! {
    /// How page views are recorded.
    pub enum PageView {
        /// Each of them.
        Auto = "Auto",
        /// The first one.
        Once = "Once",
        /// None.
        Off = "Off",
    }
}

fields! {
    /// What is recorded of a visitor's way through the pages.
    pub struct JourneyEvents {
        /// Whether anything is.
        pub enabled: Field<bool>,
        /// How page views are recorded: `Auto`, `Once` or `"Off"` (in quotes).
        pub pageview_config: Field<PageView>,
        /// Clicks.
        pub click_events: Field<Items<SelectorEvent, 0, LIST_MAX>>,
        /// Forms that are sent or abandoned.
        pub forms_track_events: Field<Items<FormEvent, 0, LIST_MAX>>,
        /// Visitors who do nothing for a while.
        pub idle_events: Field<Items<IdleEvent, 0, LIST_MAX>>,
        /// Elements that come into view or leave it.
        pub in_viewport_events: Field<Items<SelectorEvent, 0, LIST_MAX>>,
        /// Pages that are scrolled down so far.
        pub scroll_depth_events: Field<Items<ScrollEvent, 0, LIST_MAX>>,
        /// What is left out of URLs, and whom is not looked at.
        pub tracking_settings: Optional<Tracking>,
        /// Deprecated by the platform: write it under `trackingSettings`.
        pub excluded_query_parameters: Field<Items<Line, 0, 50>>,
        /// Deprecated by the platform: write it under `trackingSettings`.
        pub search_query_parameters: Field<Items<Line, 0, 50>>,
        /// Deprecated by the platform: write it under `trackingSettings`.
        pub should_keep_url_fragment: Field<bool>,
    }
}

fields! {
    /// Something that happens to an element of a page.
    pub struct SelectorEvent {
        must {
            /// The element's CSS selector.
            pub selector: Line,
            /// What the event is called.
            pub event_name: Line,
        }
    }
}

fields! {
    /// A form that is sent or abandoned.
    pub struct FormEvent {
        must {
            /// The form's CSS selector.
            pub selector: Line,
            /// What the events' names begin with.
            pub form_name: Line,
            /// Whether what was filled in is recorded when the form is abandoned.
            pub capture_data_on_form_abandon: bool,
            /// Whether what was filled in is recorded when the form is sent.
            pub capture_data_on_form_submit: bool,
        }
    }
}

fields! {
    /// A visitor who does nothing for a while.
    pub struct IdleEvent {
        must {
            /// What the event is called.
            pub event_name: Line,
        }
        /// How long, in seconds: 30 at least.
        pub idle_after_seconds: Optional<Whole<30, 2_147_483_647>>,
    }
}

fields! {
    /// A page that is scrolled down so far.
    pub struct ScrollEvent {
        must {
            /// How far, in percent of the page.
            pub percentage: Whole<0, 100>,
            /// What the event is called.
            pub event_name: Line,
        }
    }
}

fields! {
    /// What is left out of URLs, and whom is not looked at.
    pub struct Tracking {
        /// Query parameters that are left out, 50 at most.
        pub excluded_query_parameters: Field<Items<Line, 0, 50>>,
        /// Query parameters that hold what a visitor searched for, 50 at most.
        pub search_query_parameters: Field<Items<Line, 0, 50>>,
        /// Whether what stands behind `#` is kept.
        pub should_keep_url_fragment: Field<bool>,
        /// Addresses that are not looked at, 10 at most.
        pub ip_filters: Field<Items<IpFilter, 0, 10>>,
    }
}

fields! {
    /// Addresses that are not looked at.
    pub struct IpFilter {
        must {
            /// An address, or a range in CIDR notation.
            pub ip_address: IpRange,
        }
        /// Whose they are.
        pub name: Optional<Line>,
    }
}
