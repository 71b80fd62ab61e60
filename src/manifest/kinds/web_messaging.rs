//! Kind WebMessaging: the web messaging configuration of an organization, or a shared layer of one.
//!
//! Every field is optional: a field that is not named is not managed. Shape and limits are those of the
//! `webchat` contract. `extends`, `exclusive`, `timeZone` and `crossesMidnight` belong to genesync and are
//! never sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::choice::choice;
use super::field::{Field, present};
use super::text::{
    Audience, FontFamily, FontSize, Greeting, HexColour, Items, Labels, Name, TimeOfDay, TimeZoneName, Whole,
};
use super::{ApiVersion, Metadata};
use crate::model::colour::Colour;

choice! {
    /// The value of `kind:`.
    pub enum WebMessagingKind {
        /// A web messaging configuration.
        WebMessaging = "WebMessaging",
    }
}

/// The web messaging configuration of one tenant, or, under `bases/`, a layer that tenants extend.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "WebMessaging")]
pub struct WebMessaging {
    /// The version of the manifest format.
    pub api_version: ApiVersion,
    /// The kind of this document.
    pub kind: WebMessagingKind,
    /// Its name.
    pub metadata: Metadata,
    /// The desired configuration. Fields that are left out are not managed and keep their live values.
    pub spec: WebMessagingSpec,
}

/// The desired web messaging configuration.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct WebMessagingSpec {
    /// Names of layers under `bases/` to start from. Later layers win over earlier ones, and this document wins over all layers: maps merge, lists and values are replaced.
    #[serde(default, skip_serializing)]
    #[schemars(example = ["retail"])]
    pub extends: Items<Name, 0, 8>,
    /// Whether genesync manages all fields. If true, genesync removes fields that are not named here from the live configuration.
    #[serde(default, skip_serializing)]
    pub exclusive: bool,
    /// Appearance and accessibility of the widget.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Widget")]
    pub widget: Option<Widget>,
    /// Greetings for visitors.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Greetings")]
    pub greetings: Option<Greetings>,
    /// The hours in which the widget is available.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Availability")]
    pub availability: Option<Availability>,
    /// Features of the widget, and the audiences that see it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "Features")]
    pub features: Option<Features>,
}

macro_rules! section {
    ($(#[doc = $doc:literal])+ pub struct $name:ident { $($(#[$meta:meta])* pub $field:ident: $type:ty),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[schemars(inline)]
        pub struct $name { $($(#[$meta])* pub $field: $type),+ }
    };
}

section! {
    /// Appearance and accessibility of the widget.
    pub struct Widget {
        /// Colours and typography.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        #[schemars(with = "Theme")]
        pub theme: Option<Theme>,
        /// Accessibility settings.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        #[schemars(with = "Accessibility")]
        pub accessibility: Option<Accessibility>,
    }
}

section! {
    /// Colours and typography.
    pub struct Theme {
        /// The colours of the widget.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        #[schemars(with = "Colors")]
        pub colors: Option<Colors>,
        /// Font and size of text.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        #[schemars(with = "Typography")]
        pub typography: Option<Typography>,
    }
}

section! {
    /// The colours of the widget.
    pub struct Colors {
        /// The colour of text and controls.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub primary: Field<HexColour>,
        /// The colour behind text and controls. The platform's default is `#FFFFFF`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub background: Field<HexColour>,
    }
}

section! {
    /// Font and size of text.
    pub struct Typography {
        /// Size of the text, `14px` to `24px`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub font_size: Field<FontSize>,
        /// Fonts in order of preference. The platform's default is `Inter, sans-serif`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub font_family: Field<FontFamily>,
    }
}

choice! {
    /// The contrast that text must have.
    pub enum WcagLevel {
        /// 4.5 to 1, or 3 to 1 for large text.
        Aa = "AA",
        /// 7 to 1, or 4.5 to 1 for large text.
        Aaa = "AAA",
    }
}

choice! {
    /// When screen readers announce new messages.
    pub enum AriaLiveRegion {
        /// Never.
        Off = "off",
        /// When the screen reader is idle. This is the platform's default.
        Polite = "polite",
        /// Immediately.
        Assertive = "assertive",
    }
}

section! {
    /// Accessibility settings.
    pub struct Accessibility {
        /// The contrast that text must have: `AA` or `AAA`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub wcag_level: Field<WcagLevel>,
        /// Contrast ratio between the primary and the background colour. Leave it out: genesync computes it.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub contrast_ratio: Field<Ratio>,
        /// When screen readers announce new messages: `off`, `polite` or `assertive`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub aria_live_region: Field<AriaLiveRegion>,
    }
}

/// A contrast ratio from 4.5 to 21, the range that the platform stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Ratio(pub Number);

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        match number.as_f64() {
            Some(value) if (4.5..=21.0).contains(&value) => Ok(Self(number)),
            _ => Err(serde::de::Error::custom("a contrast ratio must be between 4.5 and 21")),
        }
    }
}

impl JsonSchema for Ratio {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratio".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "number", "minimum": 4.5, "maximum": 21, "examples": [6.82]})
    }
}

section! {
    /// Greetings for visitors.
    pub struct Greetings {
        /// Whether greetings are enabled.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub enabled: Field<bool>,
        /// One to three messages with at most 150 characters each.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub messages: Field<Items<Greeting, 1, 3>>,
        /// Milliseconds before the first message, 0 to 60000. The platform's default is 2000.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub delay_ms: Field<Whole<0, 60_000>>,
    }
}

choice! {
    /// Whether the widget is always available or only in the hours of `rules`.
    pub enum Schedule {
        /// Always available. This is the platform's default.
        Always = "always",
        /// Available in the hours of `rules`.
        Custom = "custom",
    }
}

choice! {
    /// A day of the week.
    pub enum Day {
        /// Monday.
        Monday = "MONDAY",
        /// Tuesday.
        Tuesday = "TUESDAY",
        /// Wednesday.
        Wednesday = "WEDNESDAY",
        /// Thursday.
        Thursday = "THURSDAY",
        /// Friday.
        Friday = "FRIDAY",
        /// Saturday.
        Saturday = "SATURDAY",
        /// Sunday.
        Sunday = "SUNDAY",
    }
}

impl Day {
    /// Returns 0 for Monday to 6 for Sunday.
    pub fn index(self) -> i32 {
        self as i32
    }
}

section! {
    /// The hours in which the widget is available.
    pub struct Availability {
        /// `always`, or `custom` for the hours of `rules`.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub schedule: Field<Schedule>,
        /// The time zone of the hours. genesync checks and shows it, but does not send it: the organization's own setting decides.
        #[serde(default, skip_serializing)]
        pub time_zone: Field<TimeZoneName>,
        /// Opening hours, in any order.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub rules: Field<Items<Hours, 0, 100>>,
    }
}

/// Opening hours on one day.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub struct Hours {
    /// The day on which the hours start.
    pub day_of_week: Day,
    /// Opening time.
    pub start_time: TimeOfDay,
    /// Closing time. It may be before the opening time only with `crossesMidnight: true`.
    pub end_time: TimeOfDay,
    /// Whether the closing time is on the next day. It is not sent.
    #[serde(default, skip_serializing)]
    pub crosses_midnight: bool,
}

section! {
    /// Features of the widget, and the audiences that see it.
    pub struct Features {
        /// Feature flags by name. Flags that are not named are not managed.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        #[schemars(with = "Labels<Field<bool>>")]
        pub flags: Option<Labels<Field<bool>>>,
        /// Audience segments that see the widget, in any order.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub audiences: Field<Items<Audience, 0, 100>>,
        /// Whether conversations are routed by skill and load. The platform's default is true.
        #[serde(default, skip_serializing_if = "Field::is_unnamed")]
        pub dynamic_routing: Field<bool>,
    }
}

impl WebMessagingSpec {
    /// Adds the contrast ratio if the primary colour is managed and the manifest does not name the ratio. The
    /// ratio has two decimals (WCAG formula). A ratio outside 4.5 to 21 is not added, because the platform does
    /// not store it. This happens only if the project lowered the severity of the contrast rule.
    pub fn fill_contrast_ratio(&self, body: &mut Map<String, Value>) {
        let Some(widget) = &self.widget else { return };
        let named = widget.accessibility.as_ref().is_some_and(|section| !section.contrast_ratio.is_unnamed());
        let Some(colors) = widget.theme.as_ref().and_then(|theme| theme.colors.as_ref()) else { return };
        let Field::Set(primary) = &colors.primary else { return };
        let background = match &colors.background {
            Field::Set(colour) => Colour::parse(&colour.0),
            Field::Unnamed | Field::Null => Some(Colour::WHITE),
        };
        let (Some(primary), Some(background)) = (Colour::parse(&primary.0), background) else { return };
        let ratio = primary.contrast(background);
        if named || !(4.5..=21.0).contains(&ratio) {
            return;
        }
        let Ok(number) = format!("{ratio:.2}").parse::<Number>() else { return };
        let Some(Value::Object(widget)) = body.get_mut("widget") else { return };
        let accessibility = widget.entry("accessibility").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(accessibility) = accessibility {
            accessibility.insert("contrastRatio".into(), Value::Number(number));
        }
    }
}
