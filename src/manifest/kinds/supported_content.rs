//! Kind SupportedContent: the allowed media of each direction.

use super::field::{Optional, fields};
use super::platform::MediaTypeName;
use super::resource::resource;
use super::text::Items;

resource! {
    /// A profile of the allowed media, or, under `bases/`, a layer of one.
    pub merged document SupportedContent(SupportedContentKind = "SupportedContent");

    /// The desired configuration of a profile of allowed media.
    pub struct SupportedContentSpec {
        /// The allowed media.
        pub media_types: Optional<MediaTypes>,
    }
}

fields! {
    /// The allowed media.
    pub struct MediaTypes {
        /// The allowed media of each direction. Both directions are required, because the platform blocks media that are not named.
        pub allow: Optional<Allowed>,
    }
}

fields! {
    /// The allowed media of each direction. An empty list blocks all media of it.
    pub struct Allowed {
        must {
            /// The media that visitors may send. The platform removes other media from their messages.
            pub inbound: Items<MediaType, 0, 200>,
            /// The media that may be sent to visitors. The platform does not send a message with other media.
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
