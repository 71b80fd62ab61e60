//! Types of text with a pattern and a length, defined once for the deserializer and for the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A form of text.
pub trait Form {
    /// Its name in messages.
    const TITLE: &'static str;
    /// Its description in the schema.
    const DESCRIPTION: &'static str;
    /// The regular expression that the whole text must match.
    const PATTERN: &'static str;
    /// Limit of the length, in Unicode scalar values.
    const LENGTH_MAX: usize;
    /// Valid examples.
    const EXAMPLES: &'static [&'static str];

    /// The compiled pattern.
    fn regex() -> Option<&'static Regex>;
}

macro_rules! form {
    ($name:ident, $title:literal, $description:literal, $pattern:literal, $length:literal, [$($example:literal),+]) => {
        #[doc = $description]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $crate::manifest::kinds::text::Form for $name {
            const TITLE: &'static str = $title;
            const DESCRIPTION: &'static str = $description;
            const PATTERN: &'static str = $pattern;
            const LENGTH_MAX: usize = $length;
            const EXAMPLES: &'static [&'static str] = &[$($example),+];

            fn regex() -> Option<&'static regex::Regex> {
                static REGEX: std::sync::LazyLock<Option<regex::Regex>> =
                    std::sync::LazyLock::new(|| regex::Regex::new($pattern).ok());
                REGEX.as_ref()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::manifest::kinds::text::read::<$name, D>(deserializer).map(Self)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::manifest::kinds::text::describe::<$name>()
            }
        }
    };
}
pub(crate) use form;

/// Reads a text and checks its form.
pub(super) fn read<'de, F: Form, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() > F::LENGTH_MAX {
        return Err(D::Error::custom(format_args!(
            "{} may have at most {} characters",
            F::TITLE,
            F::LENGTH_MAX
        )));
    }
    if !F::regex().is_some_and(|regex| regex.is_match(&text)) {
        return Err(D::Error::custom(format_args!("this is not {}", F::TITLE)));
    }
    Ok(text)
}

/// Returns the schema of a form.
pub(super) fn describe<F: Form>() -> Schema {
    json_schema!({
        "type": "string",
        "title": F::TITLE,
        "description": F::DESCRIPTION,
        "pattern": F::PATTERN,
        "maxLength": F::LENGTH_MAX,
        "examples": F::EXAMPLES,
    })
}

form!(
    Name,
    "a name",
    "A name: lower-case letters, digits and dashes, starting and ending with a letter or digit.",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    63,
    ["northbank", "eu-retail"]
);
form!(
    Uuid,
    "an organization id",
    "A Genesys organization's id: a UUID in lower case.",
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    36,
    ["5b0c8a2e-93d4-4a57-8f0f-3c1a9d2b7e61"]
);
form!(
    HexColour,
    "a colour",
    "A colour as `#RGB` or `#RRGGBB`, in quotes because `#` starts a comment.",
    r"^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$",
    7,
    ["#0B3D91", "#FFF"]
);
form!(
    FontSize,
    "a font size from 14px to 24px",
    "A font size from `14px` to `24px`.",
    r"^(1[4-9]|2[0-4])px$",
    4,
    ["16px"]
);
form!(
    FontFamily,
    "a list of font names",
    "CSS font family list: letters, digits, spaces, quotes, dashes and commas.",
    r#"^[\p{L}\p{N} ,'"_-]+$"#,
    200,
    ["Inter, sans-serif"]
);
form!(
    TimeOfDay,
    "a time from 00:00 to 23:59",
    "A time of day as `HH:MM`, 24 hours.",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
    5,
    ["09:00", "17:30"]
);
form!(
    TimeZoneName,
    "a time zone name",
    "An IANA time zone name.",
    r"^[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*$",
    64,
    ["Europe/Berlin", "America/Mexico_City"]
);
form!(
    Greeting,
    "a greeting of 1 to 150 characters",
    "One greeting message, 150 characters at most.",
    r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]*$",
    150,
    ["Hello! How can we help you today?"]
);
form!(
    Audience,
    "the name of an audience segment",
    "The name of an audience segment.",
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$",
    100,
    ["premium_customers"]
);
form!(
    FlagName,
    "the name of a feature flag",
    "The name of a feature flag.",
    r"^[A-Za-z][A-Za-z0-9_.-]*$",
    64,
    ["enableFileUpload"]
);
form!(
    LabelText,
    "text that can be seen",
    "Text of a label, in quotes if it looks like a number or a truth value.",
    r"^[^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF\u{E0000}-\u{E007F}]*$",
    200,
    ["banking"]
);
form!(
    Email,
    "an e-mail address or a team handle",
    "A contact: an e-mail address or a team handle.",
    r"^[^\s\p{C}]+$",
    200,
    ["web-platform@example.com", "@bank/chat"]
);
form!(
    Date,
    "a date such as 2026-12-31",
    "A date as `YYYY-MM-DD`.",
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    10,
    ["2026-12-31"]
);
form!(
    Reason,
    "a reason of up to 500 characters",
    "The reason, in one or two sentences.",
    r"^[^\p{Cc}\p{Co}\u200B\u2060\u202A-\u202E\u2066-\u2069\uFEFF\u{E0000}-\u{E007F}]+$",
    500,
    ["The new brand colours arrive in March."]
);
form!(
    RuleId,
    "a rule's id",
    "A rule's id, as printed with its findings.",
    r"^[a-z][a-z0-9-]*$",
    40,
    ["contrast"]
);

form!(
    FieldPath,
    "a field such as greetings.delayMs",
    "A field of the configuration, or a section with all its fields, as plans show it.",
    r"^[A-Za-z][A-Za-z0-9_.-]*$",
    200,
    ["greetings.delayMs", "widget.theme"]
);

/// A map whose keys have the form of a [`FlagName`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Labels<V>(pub BTreeMap<String, V>);

impl<V> Default for Labels<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Limit of the entries of a map with free keys.
pub const ENTRIES_MAX: usize = 100;

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Labels<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, V>::deserialize(deserializer)?;
        if map.len() > ENTRIES_MAX {
            return Err(D::Error::custom(format_args!("there may be at most {ENTRIES_MAX} entries")));
        }
        let odd = map.keys().find(|key| {
            key.chars().count() > FlagName::LENGTH_MAX
                || !FlagName::regex().is_some_and(|regex| regex.is_match(key))
        });
        match odd {
            Some(key) => Err(D::Error::custom(format_args!("`{key}` is not a name"))),
            None => Ok(Self(map)),
        }
    }
}

impl<V: JsonSchema> JsonSchema for Labels<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Labels".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": FlagName::PATTERN, "maxLength": FlagName::LENGTH_MAX},
            "additionalProperties": value,
            "maxProperties": ENTRIES_MAX,
        })
    }
}

/// A list of `MIN` to `MAX` items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Items<T, const MIN: usize, const MAX: usize>(pub Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Default for Items<T, MIN, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MIN: usize, const MAX: usize> Deserialize<'de> for Items<T, MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<T>::deserialize(deserializer)?;
        if !(MIN..=MAX).contains(&items.len()) {
            return Err(D::Error::custom(format_args!("there must be {MIN} to {MAX} items")));
        }
        Ok(Self(items))
    }
}

impl<T: JsonSchema, const MIN: usize, const MAX: usize> JsonSchema for Items<T, MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Items".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        let mut schema = json_schema!({"type": "array", "items": item, "maxItems": MAX});
        if MIN > 0 {
            schema.insert("minItems".into(), MIN.into());
        }
        schema
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Whole<const MIN: u32, const MAX: u32>(pub u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read as a JSON number, because 5.0 is a whole number for the schema but not for `u32`.
        let number = serde_json::Number::deserialize(deserializer)?.to_string();
        // Compare digits, because 4.9999999999999999999 is 5 as a float.
        let whole = match number.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
            Some(_) => "",
            None => number.as_str(),
        };
        let fits = whole.parse::<u32>().ok().filter(|value| (MIN..=MAX).contains(value));
        fits.map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("this must be a whole number from {MIN} to {MAX}")))
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}
