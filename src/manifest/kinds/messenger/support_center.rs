//! The support center: a portal with articles of a knowledge base.

use super::toggle::Toggle;
use crate::manifest::kinds::choice::choice;
use crate::manifest::kinds::field::{Field, Optional, fields};
use crate::manifest::kinds::platform::LIST_MAX;
use crate::manifest::kinds::platform::{Address, LongHexColour, PlatformName, Prose};
use crate::manifest::kinds::resource::Named;
use crate::manifest::kinds::text::{FontFamily, Items};

choice! {
    /// Which part of a URL names a page.
    pub enum RouterType {
        /// The part after `#`.
        Hash = "Hash",
        /// The path.
        Browser = "Browser",
    }
}

fields! {
    /// The support center.
    pub struct SupportCenter {
        /// Whether the support center is enabled.
        pub enabled: Field<bool>,
        /// Which part of a URL names a page: `Hash` or `Browser`.
        pub router_type: Field<RouterType>,
        /// The knowledge base that it shows. Required if it is enabled.
        pub knowledge_base: Field<Named>,
        /// Custom texts. If it is enabled, both `Welcome` and `Fallback` are required.
        pub custom_messages: Field<Items<CustomMessage, 0, 10>>,
        /// Its screens and their modules. Required if it is enabled.
        pub screens: Field<Items<Screen, 0, 20>>,
        /// Categories that the home screen shows. Required if it is enabled.
        pub enabled_categories: Field<Items<Category, 0, LIST_MAX>>,
        /// Filters the documents by their labels.
        pub label_filter: Optional<LabelFilter>,
        /// Colours, fonts and pictures. Required if it is enabled.
        pub style_setting: Optional<StyleSetting>,
        /// Whether visitors can rate an article.
        pub feedback: Optional<Toggle>,
    }
}

choice! {
    /// The place where a custom text is shown.
    pub enum MessageType {
        /// At the top of the home screen.
        Welcome = "Welcome",
        /// If a search has no results.
        Fallback = "Fallback",
    }
}

fields! {
    /// A custom text.
    pub struct CustomMessage {
        must {
            /// The place where it is shown: `Welcome` or `Fallback`.
            pub r#type: MessageType,
            /// The text.
            pub default_value: Prose,
        }
    }
}

choice! {
    /// A screen.
    pub enum ScreenType {
        /// The home screen.
        Home = "Home",
        /// The articles of a category.
        Category = "Category",
        /// The results of a search.
        SearchResults = "SearchResults",
        /// An article.
        Article = "Article",
    }
}

fields! {
    /// A screen and its modules.
    pub struct Screen {
        must {
            /// The type of the screen.
            pub r#type: ScreenType,
            /// Its modules.
            pub module_settings: Items<Module, 0, 20>,
        }
    }
}

choice! {
    /// A module of a screen.
    pub enum ModuleType {
        /// A search field.
        Search = "Search",
        /// Categories.
        Categories = "Categories",
        /// Frequently asked questions.
        Faq = "FAQ",
        /// Contact options.
        Contact = "Contact",
        /// The results of a search.
        Results = "Results",
        /// An article.
        Article = "Article",
        /// The most viewed articles.
        TopViewedArticles = "TopViewedArticles",
    }
}

fields! {
    /// A module of a screen.
    pub struct Module {
        must {
            /// The type of the module.
            pub r#type: ModuleType,
        }
        /// Whether the module is shown. Default: hidden.
        pub enabled: Optional<bool>,
        /// The compact template for categories.
        pub compact_category_module_template: Optional<CompactTemplate>,
        /// The detailed template for categories.
        pub detailed_category_module_template: Optional<DetailedTemplate>,
    }
}

fields! {
    /// The compact template for categories.
    pub struct CompactTemplate {
        /// Whether the template is active.
        pub active: Optional<bool>,
    }
}

fields! {
    /// The detailed template for categories.
    pub struct DetailedTemplate {
        /// Whether the template is active.
        pub active: Optional<bool>,
        /// The sidebar next to the categories.
        pub sidebar: Optional<Sidebar>,
    }
}

fields! {
    /// The sidebar next to the categories.
    pub struct Sidebar {
        /// Whether the sidebar is shown.
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
        /// The source of the picture.
        pub source: Optional<ImageSource>,
    }
}

fields! {
    /// The source of a picture.
    pub struct ImageSource {
        /// The https URL of the picture.
        pub default_url: Field<Address>,
    }
}

fields! {
    /// Filters the documents by their labels.
    pub struct LabelFilter {
        /// Labels of the knowledge base, by name. The support center shows documents with at least one of them.
        pub labels: Field<Items<Named, 0, LIST_MAX>>,
    }
}

fields! {
    /// Colours, fonts and pictures.
    pub struct StyleSetting {
        /// The header of the home screen.
        pub hero_style: Optional<HeroStyle>,
        /// All other parts.
        pub global_style: Optional<GlobalStyle>,
    }
}

fields! {
    /// The header of the home screen.
    pub struct HeroStyle {
        /// The background colour of the header.
        pub background_color: Field<LongHexColour>,
        /// The colour of its text.
        pub text_color: Field<LongHexColour>,
        /// Its picture.
        pub image: Optional<Image>,
    }
}

fields! {
    /// Colours and fonts of the support center.
    pub struct GlobalStyle {
        /// The background colour.
        pub background_color: Field<LongHexColour>,
        /// The colour of links and controls.
        pub primary_color: Field<LongHexColour>,
        /// A darker shade of the primary colour.
        pub primary_color_dark: Field<LongHexColour>,
        /// A lighter shade of the primary colour.
        pub primary_color_light: Field<LongHexColour>,
        /// The colour of text.
        pub text_color: Field<LongHexColour>,
        /// Fonts in order of preference.
        pub font_family: Field<FontFamily>,
    }
}
