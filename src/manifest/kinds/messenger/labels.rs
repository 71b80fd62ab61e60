//! Custom texts in each language.

use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::fields;
use crate::manifest::kinds::platform::{Language, Prose};
use crate::manifest::kinds::text::Items;

choice! {
    /// Where a label is shown.
    pub enum LabelKey {
        /// Title of the home screen.
        HomeTitle = "MessengerHomeHeaderTitle",
        /// Subtitle of the home screen.
        HomeSubTitle = "MessengerHomeHeaderSubTitle",
        /// Title of a push notification.
        PushTitle = "PushNotificationTitle",
        /// Text of a push notification.
        PushBody = "PushNotificationBody",
        /// Text of the launcher, at most 20 characters.
        LauncherText = "MessengerLauncherButtonText",
    }
}

fields! {
    /// Texts in one language.
    pub struct LanguageLabels {
        must {
            /// The language, which must be one of `languages`.
            pub language: Language,
            /// The texts.
            pub localized_labels: Items<Label, 0, 100>,
        }
    }
}

fields! {
    /// One text.
    pub struct Label {
        must {
            /// The place where it is shown.
            pub key: LabelKey,
            /// The text.
            pub value: Prose,
        }
    }
}
