//! Appearance and position of the messenger.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::{Address, LongHexColour};
use crate::manifest::kinds::text::Whole;

fields! {
    /// Colours of the messenger.
    pub struct Styles {
        /// The colour of the launcher, the header and the visitor's messages, with white text on it. The platform's default is `#0165A7`.
        pub primary_color: Field<LongHexColour>,
    }
}

choice! {
    /// When the launcher is shown.
    pub enum Visibility {
        /// Always.
        On = "On",
        /// Never.
        Off = "Off",
        /// When the page requests it.
        OnDemand = "OnDemand",
    }
}

choice! {
    /// What the launcher shows.
    pub enum DisplayType {
        /// Icon and text.
        IconAndText = "IconAndText",
        /// Only the icon.
        Icon = "Icon",
        /// Only the text.
        Text = "Text",
    }
}

fields! {
    /// The button that opens the messenger.
    pub struct LauncherButton {
        /// When the launcher is shown: `"On"`, `"Off"` (in quotes) or `OnDemand`.
        pub visibility: Field<Visibility>,
        /// What the launcher shows: `IconAndText`, `Icon` or `Text`.
        pub display_type: Field<DisplayType>,
        /// The icon of the launcher.
        pub icon: Optional<Picture>,
    }
}

fields! {
    /// A picture.
    pub struct Picture {
        /// The https URL of the picture.
        pub url: Field<Address>,
    }
}

fields! {
    /// The page that the messenger opens with.
    pub struct HomeScreen {
        /// Whether the home screen is enabled.
        pub enabled: Field<bool>,
        /// The https URL of the logo.
        pub logo_url: Field<Address>,
    }
}

choice! {
    /// The side of the page.
    pub enum Alignment {
        /// Depends on the writing direction of the page's language.
        Auto = "Auto",
        /// The left.
        Left = "Left",
        /// The right.
        Right = "Right",
    }
}

fields! {
    /// The position of the messenger on the page.
    pub struct Position {
        /// The side of the page: `Auto`, `Left` or `Right`.
        pub alignment: Field<Alignment>,
        /// Distance to that side in pixels. The platform's default is 20.
        pub side_space: Field<Whole<0, 2_147_483_647>>,
        /// Distance to the bottom in pixels. The platform's default is 12.
        pub bottom_space: Field<Whole<0, 2_147_483_647>>,
    }
}
