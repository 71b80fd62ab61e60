//! The events that the platform records on a visitor's pages.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{IpRange, Line};
use crate::manifest::kinds::text::{Items, Whole};

choice! {
    /// Which page views are recorded.
    pub enum PageView {
        /// All page views.
        Auto = "Auto",
        /// Only the first page view.
        Once = "Once",
        /// No page views.
        Off = "Off",
    }
}

fields! {
    /// The events that the platform records on a visitor's pages.
    pub struct JourneyEvents {
        /// Whether events are recorded.
        pub enabled: Field<bool>,
        /// Which page views are recorded: `Auto`, `Once` or `"Off"` (in quotes).
        pub pageview_config: Field<PageView>,
        /// Clicks on elements.
        pub click_events: Field<Items<SelectorEvent, 0, LIST_MAX>>,
        /// Forms that are sent or abandoned.
        pub forms_track_events: Field<Items<FormEvent, 0, LIST_MAX>>,
        /// Visitors who are idle for some time.
        pub idle_events: Field<Items<IdleEvent, 0, LIST_MAX>>,
        /// Elements that come into view or leave it.
        pub in_viewport_events: Field<Items<SelectorEvent, 0, LIST_MAX>>,
        /// Pages that are scrolled down to a percentage.
        pub scroll_depth_events: Field<Items<ScrollEvent, 0, LIST_MAX>>,
        /// The parts of URLs and the visitors that are not recorded.
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
    /// An event of an element on a page.
    pub struct SelectorEvent {
        must {
            /// The element's CSS selector.
            pub selector: Line,
            /// The name of the event.
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
            /// The prefix of the events' names.
            pub form_name: Line,
            /// Whether the input is recorded when a visitor abandons the form.
            pub capture_data_on_form_abandon: bool,
            /// Whether the input is recorded when a visitor sends the form.
            pub capture_data_on_form_submit: bool,
        }
    }
}

fields! {
    /// A visitor who is idle for some time.
    pub struct IdleEvent {
        must {
            /// The name of the event.
            pub event_name: Line,
        }
        /// The idle time in seconds, at least 30.
        pub idle_after_seconds: Optional<Whole<30, 2_147_483_647>>,
    }
}

fields! {
    /// A page that is scrolled down to a percentage.
    pub struct ScrollEvent {
        must {
            /// The scroll depth, in percent of the page.
            pub percentage: Whole<0, 100>,
            /// The name of the event.
            pub event_name: Line,
        }
    }
}

fields! {
    /// The parts of URLs and the visitors that are not recorded.
    pub struct Tracking {
        /// Query parameters that are not recorded, at most 50.
        pub excluded_query_parameters: Field<Items<Line, 0, 50>>,
        /// Query parameters that contain a visitor's search, at most 50.
        pub search_query_parameters: Field<Items<Line, 0, 50>>,
        /// Whether the part of a URL after `#` is recorded.
        pub should_keep_url_fragment: Field<bool>,
        /// IP addresses whose visitors are not recorded, at most 10.
        pub ip_filters: Field<Items<IpFilter, 0, 10>>,
    }
}

fields! {
    /// IP addresses whose visitors are not recorded.
    pub struct IpFilter {
        must {
            /// An address, or a range in CIDR notation.
            pub ip_address: IpRange,
        }
        /// A name for the addresses.
        pub name: Optional<Line>,
    }
}
