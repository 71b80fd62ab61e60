//! The knowledge portal, which the platform's API calls the support center.

use super::toggle::Toggle;
use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{Address, LongHexColour, PlatformName, Prose};
use crate::manifest::kinds::resource::Named;
use crate::manifest::kinds::text::{FontFamily, Items};

choice! {
    /// How its pages are addressed.
    pub enum RouterType {
        /// Behind the `#` of a URL.
        Hash = "Hash",
        /// By the path of a URL.
        Browser = "Browser",
    }
}

fields! {
    /// The knowledge portal.
    pub struct SupportCenter {
        /// Whether there is one.
        pub enabled: Field<bool>,
        /// How its pages are addressed: `Hash` or `Browser`.
        pub router_type: Field<RouterType>,
        /// The knowledge base that it shows. Needed where it is enabled.
        pub knowledge_base: Field<Named>,
        /// Texts of one's own. Where it is enabled, both `Welcome` and `Fallback` are needed.
        pub custom_messages: Field<Items<CustomMessage, 0, 10>>,
        /// Its screens and what they are made of. Needed where it is enabled.
        pub screens: Field<Items<Screen, 0, 20>>,
        /// Categories that the home screen shows. Needed where it is enabled.
        pub enabled_categories: Field<Items<Category, 0, LIST_MAX>>,
        /// Which documents are found.
        pub label_filter: Optional<LabelFilter>,
        /// Colours, type and pictures. Needed where it is enabled.
        pub style_setting: Optional<StyleSetting>,
        /// Whether visitors are asked what they think of an article.
        pub feedback: Optional<Toggle>,
    }
}

choice! {
    /// Where a text of one's own is shown.
    pub enum MessageType {
        /// At the top.
        Welcome = "Welcome",
        /// Where nothing was found.
        Fallback = "Fallback",
    }
}

fields! {
    /// A text of one's own.
    pub struct CustomMessage {
        must {
            /// Where it is shown: `Welcome` or `Fallback`.
            pub r#type: MessageType,
            /// The text.
            pub default_value: Prose,
        }
    }
}

choice! {
    /// A screen.
    pub enum ScreenType {
        /// The first one.
        Home = "Home",
        /// A category.
        Category = "Category",
        /// What a search found.
        SearchResults = "SearchResults",
        /// An article.
        Article = "Article",
    }
}

fields! {
    /// A screen and what it is made of.
    pub struct Screen {
        must {
            /// Which screen.
            pub r#type: ScreenType,
            /// Its modules.
            pub module_settings: Items<Module, 0, 20>,
        }
    }
}

choice! {
    /// A part of a screen.
    pub enum ModuleType {
        /// A search field.
        Search = "Search",
        /// Categories.
        Categories = "Categories",
        /// Frequent questions.
        Faq = "FAQ",
        /// How to get in touch.
        Contact = "Contact",
        /// What a search found.
        Results = "Results",
        /// An article.
        Article = "Article",
        /// Articles that are read most.
        TopViewedArticles = "TopViewedArticles",
    }
}

fields! {
    /// A part of a screen.
    pub struct Module {
        must {
            /// Which part.
            pub r#type: ModuleType,
        }
        /// Whether it is shown; hidden where left out.
        pub enabled: Optional<bool>,
        /// Whether categories are shown in short.
        pub compact_category_module_template: Optional<CompactTemplate>,
        /// Whether categories are shown at length.
        pub detailed_category_module_template: Optional<DetailedTemplate>,
    }
}

fields! {
    /// Whether categories are shown in short.
    pub struct CompactTemplate {
        /// Whether they are.
        pub active: Optional<bool>,
    }
}

fields! {
    /// Whether categories are shown at length.
    pub struct DetailedTemplate {
        /// Whether they are.
        pub active: Optional<bool>,
        /// What stands beside them.
        pub sidebar: Optional<Sidebar>,
    }
}

fields! {
    /// What stands beside categories.
    pub struct Sidebar {
        /// Whether it is shown.
        pub enabled: Optional<bool>,
    }
}

fields! {
    /// A category that the home screen shows.
    pub struct Category {
        must {
            /// Its name in the knowledge base.
            pub name: PlatformName,
        }
        /// Its picture.
        pub image: Optional<Image>,
    }
}

fields! {
    /// A picture.
    pub struct Image {
        /// Where it comes from.
        pub source: Optional<ImageSource>,
    }
}

fields! {
    /// Where a picture comes from.
    pub struct ImageSource {
        /// Where it is loaded from, over https.
        pub default_url: Field<Address>,
    }
}

fields! {
    /// Which documents are found.
    pub struct LabelFilter {
        /// Labels of the knowledge base, by name: documents with at least one of them.
        pub labels: Field<Items<Named, 0, LIST_MAX>>,
    }
}

fields! {
    /// Colours, type and pictures.
    pub struct StyleSetting {
        /// The head of the home screen.
        pub hero_style: Optional<HeroStyle>,
        /// Everything else.
        pub global_style: Optional<GlobalStyle>,
    }
}

fields! {
    /// The head of the home screen.
    pub struct HeroStyle {
        /// What its text stands on.
        pub background_color: Field<LongHexColour>,
        /// Its text.
        pub text_color: Field<LongHexColour>,
        /// Its picture.
        pub image: Optional<Image>,
    }
}

fields! {
    /// Colours and type of the portal.
    pub struct GlobalStyle {
        /// What everything stands on.
        pub background_color: Field<LongHexColour>,
        /// Links and controls.
        pub primary_color: Field<LongHexColour>,
        /// A darker shade of it.
        pub primary_color_dark: Field<LongHexColour>,
        /// A lighter shade of it.
        pub primary_color_light: Field<LongHexColour>,
        /// Text.
        pub text_color: Field<LongHexColour>,
        /// Fonts in order of preference.
        pub font_family: Field<FontFamily>,
    }
}
