//! Video calls.

use super::cobrowse::Channel;
use super::styles::Picture;
use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::text::Items;

fields! {
    /// Video calls.
    pub struct Video {
        /// Whether video calls are enabled.
        pub enabled: Field<bool>,
        /// The conversations with video calls.
        pub channels: Field<Items<Channel, 0, 2>>,
        /// What agents may do.
        pub agent: Optional<AgentVideo>,
        /// What visitors may do.
        pub user: Optional<UserVideo>,
    }
}

choice! {
    /// The background behind an agent.
    pub enum Background {
        /// The room, blurred.
        Blur = "BLUR",
        /// The room.
        None = "NONE",
        /// A picture.
        Image = "IMAGE",
    }
}

fields! {
    /// What agents may do.
    pub struct AgentVideo {
        /// Whether they may use their camera.
        pub allow_camera: Field<bool>,
        /// Whether they may share their screen.
        pub allow_screen_share: Field<bool>,
        /// Whether they may use their microphone.
        pub allow_microphone: Field<bool>,
        /// The background behind them: `BLUR`, `NONE` or `IMAGE`.
        pub background: Field<Background>,
        /// The picture behind them.
        pub background_image: Optional<Picture>,
    }
}

fields! {
    /// What visitors may do.
    pub struct UserVideo {
        /// Whether they may use their camera.
        pub allow_camera: Field<bool>,
        /// Whether they may share their screen.
        pub allow_screen_share: Field<bool>,
        /// Whether they may use their microphone.
        pub allow_microphone: Field<bool>,
    }
}
