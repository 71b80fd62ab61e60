//! Kind SupportedContent: which media may pass, in each direction.

use super::field::{Optional, fields};
use super::platform::MediaTypeName;
use super::resource::resource;
use super::text::Items;

resource! {
    /// A profile of the media that may pass, or, under `bases/`, a layer of one.
    pub merged document SupportedContent(SupportedContentKind = "SupportedContent");

    /// What a profile of media should hold.
    pub struct SupportedContentSpec {
        /// Which media may pass.
        pub media_types: Optional<MediaTypes>,
    }
}

fields! {
    /// Which media may pass.
    pub struct MediaTypes {
        /// The allowed media of each direction. Both are named: the platform blocks what is not.
        pub allow: Optional<Allowed>,
    }
}

fields! {
    /// The allowed media of each direction. An empty list blocks all media of it.
    pub struct Allowed {
        must {
            /// What visitors may send. Other media is taken out of their messages.
            pub inbound: Items<MediaType, 0, 200>,
            /// What visitors may be sent. A message with other media is not sent.
            pub outbound: Items<MediaType, 0, 200>,
        }
    }
}

fields! {
    /// A type of media, or a range of types.
    pub struct MediaType {
        must {
            /// A type such as `image/png`, a range such as `image/*`, or `*/*` for all.
            pub r#type: MediaTypeName,
        }
    }
}
