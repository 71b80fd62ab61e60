//! How the messenger looks and where it stands.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::{Address, LongHexColour};
use crate::manifest::kinds::text::Whole;

fields! {
    /// Colours of the messenger.
    pub struct Styles {
        /// The launcher, the header and the visitor's messages, with white text on them. The platform's default is `#0165A7`.
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
        /// When the page asks for it.
        OnDemand = "OnDemand",
    }
}

choice! {
    /// What the launcher shows.
    pub enum DisplayType {
        /// Its icon and its text.
        IconAndText = "IconAndText",
        /// Its icon.
        Icon = "Icon",
        /// Its text.
        Text = "Text",
    }
}

fields! {
    /// The button that opens the messenger.
    pub struct LauncherButton {
        /// When it is shown: `"On"`, `"Off"` (in quotes) or `OnDemand`.
        pub visibility: Field<Visibility>,
        /// What it shows: `IconAndText`, `Icon` or `Text`.
        pub display_type: Field<DisplayType>,
        /// Its icon.
        pub icon: Optional<Picture>,
    }
}

fields! {
    /// A picture.
    pub struct Picture {
        /// Where it is loaded from, over https.
        pub url: Field<Address>,
    }
}

fields! {
    /// The page that the messenger opens with.
    pub struct HomeScreen {
        /// Whether there is one.
        pub enabled: Field<bool>,
        /// Where the logo is loaded from, over https.
        pub logo_url: Field<Address>,
    }
}

choice! {
    /// The side of the page.
    pub enum Alignment {
        /// As the page's language is written.
        Auto = "Auto",
        /// The left.
        Left = "Left",
        /// The right.
        Right = "Right",
    }
}

fields! {
    /// Where on the page the messenger stands.
    pub struct Position {
        /// The side: `Auto`, `Left` or `Right`.
        pub alignment: Field<Alignment>,
        /// Pixels to that side. The platform's default is 20.
        pub side_space: Field<Whole<0, 2_147_483_647>>,
        /// Pixels to the bottom. The platform's default is 12.
        pub bottom_space: Field<Whole<0, 2_147_483_647>>,
    }
}
